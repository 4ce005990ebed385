package archivetest

import (
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// EntryChain is the id of the chain of entries with this name.
func EntryChain(name string) wire.Hash { return factom.ChainID([][]byte{[]byte(name)}) }

// Entry is the bytes of the entry that CreateChain and AddEntry record.
func Entry(name string, content []byte) []byte {
	e := factom.Entry{ChainID: EntryChain(name), ExtIDs: [][]byte{[]byte(name)}, Content: content}
	return must(e.Marshal())
}

// EntryHash is its hash.
func EntryHash(name string, content []byte) wire.Hash { return factom.EntryHash(Entry(name, content)) }

// Commit makes a commit to an entry of a chain that exists, CommitChain to the
// first of a chain. No other call gives it again: its time moves on.
func (c *Chain) Commit(entry []byte) *factom.Commit {
	return must(factom.NewEntryCommit(entry, c.now(), Payer))
}

// CommitChain is Commit for a chain's first entry.
func (c *Chain) CommitChain(entry []byte) *factom.Commit {
	return must(factom.NewChainCommit(entry, c.now(), Payer))
}

// Pay carries a commit.
func (c *Chain) Pay(k *factom.Commit) *wire.Tx {
	return wire.Carry(c.id, record.Name, record.Commit(k.Bytes()))
}

// Reveal carries an entry, the same transaction each time.
func (c *Chain) Reveal(entry []byte) *wire.Tx {
	return wire.Carry(c.id, record.Name, record.Reveal(entry))
}

// CreateChain carries a chain commit and its entry. The same arguments again
// give another transaction.
func (c *Chain) CreateChain(name string, content []byte) *wire.Tx {
	return wire.Carry(c.id, record.Name, must(record.CreateChain(Entry(name, content), c.now(), Payer)))
}

// AddEntry carries an entry commit and its entry, as CreateChain.
func (c *Chain) AddEntry(name string, content []byte) *wire.Tx {
	return c.AddRaw(Entry(name, content))
}

// AddRaw is AddEntry for an entry that is made already.
func (c *Chain) AddRaw(entry []byte) *wire.Tx {
	return wire.Carry(c.id, record.Name, must(record.AddEntry(entry, c.now(), Payer)))
}

// Transfer carries a factoid transaction of the payer, at rate Rate.
func (c *Chain) Transfer(outputs []token.Output, purchases []token.Purchase) *wire.Tx {
	return c.Carry(must(token.Pay(Payer, c.now(), Rate, outputs, purchases)))
}

// Carry carries a factoid transaction.
func (c *Chain) Carry(t *factom.Transaction) *wire.Tx {
	return wire.Carry(c.id, token.Name, t.Bytes())
}

// now is a time for a message, Unix milliseconds, that no other call gives.
func (c *Chain) now() uint64 {
	c.nonce++
	return c.Genesis.TimeMs + c.nonce
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
