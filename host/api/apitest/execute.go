package apitest

import (
	"encoding/binary"
	"time"

	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/query"
	"cloister/wire/record"
	"cloister/wire/token"
)

// Rate is what an entry credit costs in these ledgers, in factoshis.
const Rate = 1000

// execute changes state as the families would, without judging who can pay.
// mu is held.
func (l *Ledger) execute(tx *wire.Tx, h *wire.Header) wire.Result {
	r := wire.Result{TxID: tx.ID(), Output: []byte{}}
	switch tx.Family {
	case record.Name:
		p, err := record.Decode(tx.Payload)
		if err != nil {
			r.Code = wire.CodeOf(err)
			return r
		}
		r.Code = l.write(p, r.TxID, h)
		if p.Commit != nil {
			r.Credits = uint64(p.Commit.Credits)
		}
	case token.Name:
		t, _, err := factom.ParseTransaction(tx.Payload)
		if err != nil {
			r.Code = wire.CodeOf(err)
			return r
		}
		r.Fee = t.TotalInputs() - t.TotalOutputs() - t.TotalECOutputs()
		for _, o := range t.Outputs {
			l.give(wire.Account(o.Address), token.Balance{Factoshis: o.Amount})
		}
		for _, o := range t.ECOutputs {
			l.give(wire.AccountOf(wire.PublicKey(o.Address)), token.Balance{Credits: o.Amount / Rate})
		}
	default:
		r.Code = wire.ErrUnknownFamily
	}
	return r
}

func (l *Ledger) give(to wire.Account, more token.Balance) {
	key := string(query.StateKey(token.Name, token.BalanceKey(to)))
	var b token.Balance
	if old := l.state[key]; old != nil {
		if err := wire.Unmarshal(old, &b, len(old)); err != nil {
			panic(err)
		}
	}
	b.Factoshis += more.Factoshis
	b.Credits += more.Credits
	l.state[key] = wire.Marshal(b)
}

func (l *Ledger) write(p *record.Payload, tx wire.Hash, h *wire.Header) wire.Code {
	if p.Kind == record.KindCommit {
		l.paid[p.Commit.EntryHash] = p.Commit
		return wire.OK
	}
	commit := p.Commit
	if p.Kind == record.KindReveal {
		if commit = l.paid[p.Hash]; commit == nil {
			return wire.ErrNoCommit
		}
		delete(l.paid, p.Hash)
	}
	id := p.Entry.ChainID
	list := l.chains[id]
	switch {
	case commit.Chain && list != nil:
		return wire.ErrChainExists
	case !commit.Chain && list == nil:
		return wire.ErrUnknownChain
	}
	e := archive.Entry{Hash: p.Hash, Chain: id, Seq: uint64(len(list)), Tx: tx, Height: h.Height, TimeMs: h.TimeMs, Bytes: p.Bytes}
	l.chains[id] = append(list, e)
	if l.firsts[e.Hash] == nil {
		l.firsts[e.Hash] = &e
	}
	c := fold(l.chains[id])
	l.state[string(query.StateKey(record.Name, record.ChainKey(id)))] = wire.Marshal(c)
	return wire.OK
}

// fold is the state of a chain with these entries.
func fold(list []archive.Entry) record.Chain {
	first, last := list[0], list[len(list)-1]
	c := record.Chain{
		Entries: uint64(len(list)), CreatedAtMs: first.TimeMs, UpdatedAtMs: last.TimeMs,
		Created: first.Height, Updated: last.Height,
	}
	for i, e := range list {
		c.Head = record.NextHead(c.Head, uint64(i), e.Hash)
	}
	return c
}

// Payer signs the transactions below.
var Payer = wire.NewPrivateKey(wire.TH("test/payer"))

// Tx makes a signed transaction; number tells it from others.
func (l *Ledger) Tx(family string, payload []byte, number uint64) *wire.Tx {
	tx := &wire.Tx{
		ChainID: l.Genesis.ChainID(), Family: family, Payload: payload,
		NotAfterMs: l.Genesis.TimeMs + uint64(5*time.Minute/time.Millisecond),
	}
	binary.BigEndian.PutUint64(tx.Nonce[:], number)
	tx.Sign(Payer)
	return tx
}

// Pay makes a transfer; number, its time, tells it from others.
func (l *Ledger) Pay(to wire.Account, amount, number uint64) *wire.Tx {
	t, err := token.Pay(Payer, l.Genesis.TimeMs+number, Rate, []token.Output{{To: to, Amount: amount}}, nil)
	if err != nil {
		panic(err)
	}
	return wire.Carry(l.Genesis.ChainID(), token.Name, t.Bytes())
}

// Number is the number that Pay was given.
func (l *Ledger) Number(tx *wire.Tx) uint64 {
	t, _, err := factom.ParseTransaction(tx.Payload)
	if err != nil {
		panic(err)
	}
	return t.TimestampMs - l.Genesis.TimeMs
}

// Entry is the bytes of an entry of the chain with this name.
func Entry(name string, content []byte) []byte {
	e := factom.Entry{ChainID: EntryChain(name), ExtIDs: [][]byte{[]byte(name)}, Content: content}
	b, err := e.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

// EntryChain is the id of the chain with this name.
func EntryChain(name string) wire.Hash { return factom.ChainID([][]byte{[]byte(name)}) }

// Create makes the transaction that creates a chain; number, its time, tells it
// from others.
func (l *Ledger) Create(name string, content []byte, number uint64) *wire.Tx {
	return l.pair(record.CreateChain, Entry(name, content), number)
}

// Add makes the transaction that adds an entry; number as with Create.
func (l *Ledger) Add(name string, content []byte, number uint64) *wire.Tx {
	return l.pair(record.AddEntry, Entry(name, content), number)
}

func (l *Ledger) pair(of func([]byte, uint64, wire.PrivateKey) ([]byte, error), entry []byte, number uint64) *wire.Tx {
	payload, err := of(entry, l.Genesis.TimeMs+number, Payer)
	if err != nil {
		panic(err)
	}
	return wire.Carry(l.Genesis.ChainID(), record.Name, payload)
}
