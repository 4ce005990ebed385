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

// execute changes state as the families would, without charging. mu is held.
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
	case token.Name:
		p, err := token.Decode(tx.Payload)
		if err != nil {
			r.Code = wire.CodeOf(err)
			return r
		}
		for _, o := range p.Transfers {
			key := string(query.StateKey(token.Name, token.BalanceKey(o.To)))
			var b token.Balance
			if old := l.state[key]; old != nil {
				if err := wire.Unmarshal(old, &b, len(old)); err != nil {
					panic(err)
				}
			}
			b.Factoshis += o.Amount
			l.state[key] = wire.Marshal(b)
		}
	default:
		r.Code = wire.ErrUnknownFamily
	}
	return r
}

func (l *Ledger) write(p *record.Payload, tx wire.Hash, h *wire.Header) wire.Code {
	id := p.Entry.ChainID
	list := l.chains[id]
	switch {
	case p.Kind == record.KindCreateChain && list != nil:
		return wire.ErrChainExists
	case p.Kind == record.KindAddEntry && list == nil:
		return wire.ErrUnknownChain
	}
	e := archive.Entry{Hash: p.Hash(), Chain: id, Seq: uint64(len(list)), Tx: tx, Height: h.Height, TimeMs: h.TimeMs, Bytes: p.Bytes}
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

// Pay makes a transfer.
func (l *Ledger) Pay(to wire.Account, amount, number uint64) *wire.Tx {
	p := token.Payload{Transfers: []token.Output{{To: to, Amount: amount}}}
	return l.Tx(token.Name, p.Bytes(), number)
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

// Create makes the transaction that creates a chain.
func (l *Ledger) Create(name string, content []byte, number uint64) *wire.Tx {
	return l.Tx(record.Name, record.CreateChain(Entry(name, content)), number)
}

// Add makes the transaction that adds an entry.
func (l *Ledger) Add(name string, content []byte, number uint64) *wire.Tx {
	return l.Tx(record.Name, record.AddEntry(Entry(name, content)), number)
}
