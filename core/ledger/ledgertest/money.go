package ledgertest

import (
	"encoding/binary"
	"encoding/json"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// What the genesis of this package starts with.
const (
	StartMs = 1_700_000_000_000
	Rate    = 1000
	Rich    = 1_000_000_000_000 // factoshis, and credits, of Alice, Bob and Carol each
)

// Key is a test key by number.
func Key(n int) wire.PrivateKey {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n))
	return wire.NewPrivateKey(seed)
}

// Keys of tests: the first three are funded, Pauper owns nothing.
var (
	Alice  = Key(1)
	Bob    = Key(2)
	Carol  = Key(3)
	Pauper = Key(4)
)

// Account is a key's.
func Account(k wire.PrivateKey) wire.Account { return wire.AccountOf(k.Public()) }

// Accounts are n accounts nobody has a key of, by number.
func Accounts(first, n int) []wire.Account {
	out := make([]wire.Account, n)
	for i := range out {
		out[i] = wire.Account(wire.TH("test/account", wire.U64(uint64(first+i))))
	}
	return out
}

// GenesisOf starts a chain of one member with these families.
func GenesisOf(families ...wire.FamilyGenesis) *wire.Genesis {
	return &wire.Genesis{
		Version: 1, Name: "test", TimeMs: StartMs, Engine: "solo", Restart: "trust-disk", TEE: "none",
		Limits: wire.DefaultLimits, Families: families,
		Members: []wire.GenesisMember{{Name: "one", Key: Key(0).Public()}},
	}
}

// Money is the token family's part of a genesis.
func Money() wire.FamilyGenesis {
	p := token.Params{Rate: Rate}
	for _, k := range []wire.PrivateKey{Alice, Bob, Carol} {
		p.Allocations = append(p.Allocations, token.Allocation{Address: Account(k).String(), Factoshis: Rich, Credits: Rich})
	}
	params, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return wire.FamilyGenesis{Name: token.Name, Params: params}
}

// Genesis starts a chain with the families token and record.
func Genesis() *wire.Genesis { return GenesisOf(Money(), wire.FamilyGenesis{Name: record.Name}) }

// Transfer pays an amount of factoshis to each account.
func (c *Chain) Transfer(from wire.PrivateKey, amount uint64, to ...wire.Account) *wire.Tx {
	c.Helper()
	outputs := make([]token.Output, len(to))
	for i, a := range to {
		outputs[i] = token.Output{To: a, Amount: amount}
	}
	return c.Pay(from, outputs, nil)
}

// Buy buys entry credits for an amount of factoshis.
func (c *Chain) Buy(from wire.PrivateKey, amount uint64, to wire.PublicKey) *wire.Tx {
	c.Helper()
	return c.Pay(from, nil, []token.Purchase{{For: to, Amount: amount}})
}

// Pay makes a factoid transaction with the exact fee.
func (c *Chain) Pay(from wire.PrivateKey, outputs []token.Output, purchases []token.Purchase) *wire.Tx {
	c.Helper()
	t, err := token.Pay(from, c.Stamp(), Rate, outputs, purchases)
	if err != nil {
		c.Fatal(err)
	}
	return c.Carry(token.Name, t.Bytes())
}

// Carry makes the transaction that carries a message with its own signatures.
func (c *Chain) Carry(family string, payload []byte) *wire.Tx {
	return wire.Carry(c.Genesis.ChainID(), family, payload)
}

// Stamp is a time for a message: no two calls give the same.
func (c *Chain) Stamp() uint64 {
	c.nonce++
	return c.NextMs() + c.nonce
}

// Balance is a key's.
func (c *Chain) Balance(k wire.PrivateKey) token.Balance {
	c.Helper()
	b, _ := Load[token.Balance](c, token.Name, token.BalanceKey(Account(k)))
	return b
}

// Supply is the token's.
func (c *Chain) Supply() token.Supply {
	c.Helper()
	s, _ := Load[token.Supply](c, token.Name, token.SupplyKey)
	return s
}

// ChainID is that of the chain whose first entry has this one external id.
func ChainID(name string) wire.Hash { return factom.ChainID([][]byte{[]byte(name)}) }

// Entry is an encoded entry.
func Entry(chain wire.Hash, extID, content string) []byte {
	e := factom.Entry{ChainID: chain, ExtIDs: [][]byte{[]byte(extID)}, Content: []byte(content)}
	b, err := e.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// CreateChain creates ChainID(name).
func (c *Chain) CreateChain(k wire.PrivateKey, name string) *wire.Tx {
	c.Helper()
	return c.record(record.CreateChain(Entry(ChainID(name), name, "first"), c.Stamp(), k))
}

// AddEntry adds to ChainID(name).
func (c *Chain) AddEntry(k wire.PrivateKey, name, content string) *wire.Tx {
	c.Helper()
	return c.record(record.AddEntry(Entry(ChainID(name), "note", content), c.Stamp(), k))
}

// Halves pays for an entry of ChainID(name) and shows it, in two messages.
func (c *Chain) Halves(k wire.PrivateKey, name, content string) (commit, reveal *wire.Tx) {
	c.Helper()
	e := Entry(ChainID(name), "note", content)
	paid, err := factom.NewEntryCommit(e, c.Stamp(), k)
	if err != nil {
		c.Fatal(err)
	}
	return c.Carry(record.Name, record.Commit(paid.Bytes())), c.Carry(record.Name, record.Reveal(e))
}

func (c *Chain) record(payload []byte, err error) *wire.Tx {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
	return c.Carry(record.Name, payload)
}
