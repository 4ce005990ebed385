package archivetest

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"cloister/gate"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Chain makes blocks one after the other.
type Chain struct {
	Genesis *wire.Genesis
	Finals  []*gate.Final // of heights 1.. in order

	id      wire.Hash
	keys    []wire.PrivateKey
	parent  *wire.Header
	history merkle.Range
	results merkle.Range
	execs   []wire.Exec // by height
	nonce   uint64
}

// Parameters of these chains. Payer has Funds factoshis and as many credits.
const (
	Rate     = 1000
	Funds    = 1_000_000_000_000
	PeriodMs = 10_000 // the genesis stands at the beginning of a period
)

// New begins a chain with the given number of members. edit changes its genesis.
func New(name string, members int, edit ...func(*wire.Genesis)) *Chain {
	c := &Chain{Genesis: &wire.Genesis{
		Version: 1, Name: name, TimeMs: 1_700_000_000_000, Engine: "raft", Restart: "trust-disk", TEE: "none",
		Limits: wire.DefaultLimits,
		Families: []wire.FamilyGenesis{
			{Name: "token", Params: fmt.Appendf(nil, `{"rate":%d,"allocations":[{"address":%q,"factoshis":%d,"credits":%d}]}`,
				Rate, wire.CreditAddress(Payer.Public()), uint64(Funds), uint64(Funds))},
			{Name: "record", Params: fmt.Appendf(nil, `{"period_ms":%d}`, PeriodMs)},
		},
	}}
	for i := range members {
		k := wire.NewPrivateKey(wire.TH("test/member", []byte(name), wire.U64(uint64(i))))
		c.keys = append(c.keys, k)
		c.Genesis.Members = append(c.Genesis.Members, wire.GenesisMember{Name: fmt.Sprint("n", i+1), Key: k.Public()})
	}
	for _, change := range edit {
		change(c.Genesis)
	}
	c.id, c.parent = c.Genesis.ChainID(), c.Genesis.Header()
	hash := c.parent.Hash()
	c.history.Append(merkle.LeafHash(hash[:]))
	c.results.Append(merkle.LeafHash(merkle.EmptyRoot[:]))
	c.execs = []wire.Exec{{Height: 0, StateRoot: wire.TH("test/state", wire.U64(0)), ResultsRoot: c.results.Root()}}
	return c
}

// Block says what the next block is like.
type Block struct {
	Txs    []*wire.Tx
	Codes  []wire.Code // of the transactions; missing ones are OK
	Sealed bool
	Lag    uint64 // how far the execution it commits to is behind its parent
	// AfterMs is its block time after that of its parent; 0 means 100.
	AfterMs uint64
}

// Add makes the next block.
func (c *Chain) Add(b Block) *gate.Final {
	height := c.parent.Height + 1
	txs, results := make([][]byte, len(b.Txs)), make([][]byte, len(b.Txs))
	var txTree, resultTree merkle.Range
	for i, tx := range b.Txs {
		r := wire.Result{TxID: tx.ID(), Credits: 1, Output: []byte{}}
		if i < len(b.Codes) {
			r.Code = b.Codes[i]
		}
		txs[i], results[i] = tx.Bytes(), r.Bytes()
		txTree.Append(merkle.LeafHash(txs[i]))
		resultTree.Append(merkle.LeafHash(results[i]))
	}
	executed := max(c.parent.ExecHeight, height-1-min(b.Lag, height-1))
	h := *c.parent
	h.Height, h.TimeMs, h.Parent = height, c.parent.TimeMs+cmp.Or(b.AfterMs, 100), c.parent.Hash()
	h.Proposer = wire.NodeIDOf(c.keys[0].Public())
	h.TxCount, h.TxRoot = uint32(len(txs)), txTree.Root()
	h.ExecHeight, h.ExecRoot = executed, c.execs[executed].Root()
	h.HistoryRoot = c.history.Root()
	hash := h.Hash()

	root := resultTree.Root()
	c.history.Append(merkle.LeafHash(hash[:]))
	c.results.Append(merkle.LeafHash(root[:]))
	exec := wire.Exec{Height: height, StateRoot: wire.TH("test/state", wire.U64(height)), ResultsRoot: c.results.Root()}
	c.execs, c.parent = append(c.execs, exec), &h
	f := &gate.Final{
		Height: height, Header: wire.Marshal(&h), Body: wire.EncodeList(txs),
		Results: wire.Marshal(wire.Outcome{Exec: exec, Results: wire.EncodeList(results)}),
	}
	if b.Sealed {
		f.Seal = c.seal(hash)
	}
	c.Finals = append(c.Finals, f)
	return f
}

func sealed(hash wire.Hash) wire.Hash { return wire.TH("test/seal", hash[:]) }

func (c *Chain) seal(hash wire.Hash) []byte {
	s := wire.Seal{View: 1}
	for i, k := range c.keys {
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: uint64(i + 1), Sig: k.Sign(sealed(hash))})
	}
	return wire.Marshal(s)
}

// Rules judge the seals of these chains, whose members never change: every one
// must have signed.
var Rules = wire.SealRules{Seal: verifySeal}

func verifySeal(set *wire.MemberSet, _ *wire.Header, hash wire.Hash, seal []byte) error {
	s, err := wire.DecodeSeal(seal)
	if err != nil || len(s.Sigs) != len(set.Members) {
		return wire.Faultf(wire.ErrSealInvalid, "%d signatures: %v", len(set.Members), err)
	}
	for i, sig := range s.Sigs {
		if m := set.Members[i]; sig.Slot != m.Slot || !m.Key.Verify(sealed(hash), sig.Sig) {
			return wire.Faultf(wire.ErrSealInvalid, "signature %d", i)
		}
	}
	return nil
}

// Payer signs all transactions and messages of these chains.
var Payer = wire.NewPrivateKey(wire.TH("test/payer"))

// Tx makes a signed transaction that no other call gives again.
func (c *Chain) Tx(family string, payload []byte) *wire.Tx {
	c.nonce++
	tx := &wire.Tx{ChainID: c.id, Family: family, Payload: payload, NotAfterMs: c.parent.TimeMs + 60_000}
	binary.BigEndian.PutUint64(tx.Nonce[:], c.nonce)
	tx.Sign(Payer)
	return tx
}

// Key is the identity key of a member, counted from 0.
func (c *Chain) Key(i int) wire.PrivateKey { return c.keys[i] }
