package ledgertest

import (
	"encoding/binary"
	"testing"

	"cloister/core/ledger"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Chain is a ledger and the blocks it is given. Whatever should not happen
// fails the test.
type Chain struct {
	testing.TB
	Genesis  *wire.Genesis
	Families []ledger.Family // all that the program has
	Store    store.Store
	Ledger   *ledger.Ledger
	// Proposer is whose the block of a height is; nil: the zero id's, all of them.
	Proposer func(height uint64) wire.NodeID
	nonce    uint64
}

// New opens the ledger of a genesis on a store.
func New(t testing.TB, s store.Store, g *wire.Genesis, all []ledger.Family) *Chain {
	t.Helper()
	c := &Chain{TB: t, Genesis: g, Families: all}
	c.Open(s)
	return c
}

// Open goes on with another store, as after a restart.
func (c *Chain) Open(s store.Store) {
	c.Helper()
	l, err := ledger.Open(s, c.Genesis, c.Families)
	if err != nil {
		c.Fatal(err)
	}
	c.Store, c.Ledger = s, l
}

// NextMs is the time of the next block unless told otherwise: a second after the tip.
func (c *Chain) NextMs() uint64 { return c.Ledger.Tip().Header.TimeMs + 1000 }

// Tx signs a transaction that may be recorded for a minute from now on. Two
// with the same arguments differ.
func (c *Chain) Tx(k wire.PrivateKey, family string, payload []byte) *wire.Tx {
	return c.TxUntil(c.NextMs()+60_000, k, family, payload)
}

// TxUntil is Tx with a last block time.
func (c *Chain) TxUntil(notAfterMs uint64, k wire.PrivateKey, family string, payload []byte) *wire.Tx {
	c.nonce++
	tx := &wire.Tx{ChainID: c.Genesis.ChainID(), Family: family, Payload: payload, NotAfterMs: notAfterMs}
	binary.BigEndian.PutUint64(tx.Nonce[:], c.nonce)
	tx.Sign(k)
	return tx
}

// Block builds the next block.
func (c *Chain) Block(timeMs uint64, txs ...*wire.Tx) *wire.Block {
	raws := make([][]byte, len(txs))
	var root merkle.Range
	for i, tx := range txs {
		raws[i] = tx.Bytes()
		root.Append(merkle.LeafHash(raws[i]))
	}
	tip := c.Ledger.Tip()
	h := *tip.Header
	h.Height++
	if c.Proposer != nil {
		h.Proposer = c.Proposer(h.Height)
	}
	h.TimeMs, h.Parent, h.Engine = timeMs, tip.Hash, []byte{}
	h.TxCount, h.TxRoot = uint32(len(txs)), root.Root()
	h.DataRoot, h.HistoryRoot = tip.DataRoot, tip.History.Root()
	h.ExecHeight, h.ExecRoot = tip.Exec.Height, tip.Exec.Root()
	return &wire.Block{Header: &h, Hash: h.Hash(), Body: wire.EncodeList(raws)}
}

// Run executes a block of these transactions, whatever becomes of them.
func (c *Chain) Run(txs ...*wire.Tx) *ledger.Executed {
	c.Helper()
	return c.RunAt(c.NextMs(), txs...)
}

// RunAt is Run at a block time.
func (c *Chain) RunAt(timeMs uint64, txs ...*wire.Tx) *ledger.Executed {
	c.Helper()
	done, err := c.Ledger.Execute(c.Block(timeMs, txs...))
	if err != nil {
		c.Fatal(err)
	}
	return done
}

// OK is Run for transactions that must all succeed.
func (c *Chain) OK(txs ...*wire.Tx) *ledger.Executed {
	c.Helper()
	done := c.Run(txs...)
	for i := range txs {
		if r := c.Result(done, i); r.Code != wire.OK {
			c.Fatalf("transaction %d: %s", i, r.Code)
		}
	}
	return done
}

// One runs a block of one transaction and returns its result.
func (c *Chain) One(tx *wire.Tx) *wire.Result {
	c.Helper()
	return c.Result(c.Run(tx), 0)
}

// Result decodes the result of transaction i.
func (c *Chain) Result(done *ledger.Executed, i int) *wire.Result {
	c.Helper()
	r, err := wire.DecodeResult(done.Results[i])
	if err != nil {
		c.Fatal(err)
	}
	return r
}

// View runs fn on the newest state.
func (c *Chain) View(fn func(v *ledger.View)) {
	c.Helper()
	v := c.Ledger.View()
	fn(v)
	if err := v.Close(); err != nil {
		c.Fatal(err)
	}
}

// Load decodes a value of the newest state; ok is false if there is none.
func Load[T any](c *Chain, family string, key []byte) (value T, ok bool) {
	c.Helper()
	c.View(func(v *ledger.View) {
		b, err := v.Get(family, key)
		if err != nil {
			c.Fatal(err)
		}
		if ok = b != nil; ok {
			if err := wire.Unmarshal(b, &value, ledger.MaxValue); err != nil {
				c.Fatal(err)
			}
		}
	})
	return value, ok
}

// Check judges a transaction without state.
func (c *Chain) Check(tx *wire.Tx) ledger.Checked {
	return ledger.CheckTxs([][]byte{tx.Bytes()}, c.Genesis.ChainID(), c.Ledger.Families(), nil)[0]
}

// Admit judges a transaction as a node does on submission.
func (c *Chain) Admit(tx *wire.Tx) (code wire.Code) {
	c.Helper()
	checked := c.Check(tx)
	if checked.Code != wire.OK {
		return checked.Code
	}
	c.View(func(v *ledger.View) { code = wire.CodeOf(v.Admit(&checked.Request, c.NextMs())) })
	return code
}
