package hardware

import (
	"bytes"
	"fmt"

	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/hardware"
)

// book is the working copy of the rows that one transaction, or one end of a
// block, touches. Nothing reaches the ledger before flush.
type book struct {
	chain  wire.Hash
	ending bool // this is the end of a block, and self its hash
	self   wire.Hash
	height uint64
	floor  uint64 // lowest height for which duties can be scheduled
	timeMs uint64
	state  func(family string) ledger.State
	hashOf func(height uint64) (wire.Hash, bool, error)

	own    ledger.State
	cells  map[string]*cell
	order  []*cell
	weight int // estimate of what flush costs, in bytes of the ledger's budget

	owed   map[wire.Account]*balance
	owers  []wire.Account
	totals *hardware.Totals
}

// cell is one row: bytes, or what they decode to.
type cell struct {
	key     []byte
	before  []byte
	value   any // pointer, nil if only raw is used
	raw     []byte
	changed bool
	gone    bool
}

// balance is what the book has moved between an account and the pot.
type balance struct{ in, out uint64 }

func newBook(height, timeMs uint64, state func(string) ledger.State, hashOf func(uint64) (wire.Hash, bool, error)) (*book, error) {
	b := &book{
		height: height, floor: height, timeMs: timeMs, state: state, hashOf: hashOf,
		own: state(hardware.Name), cells: map[string]*cell{}, owed: map[wire.Account]*balance{},
	}
	var err error
	if b.totals, err = row[hardware.Totals](b, hardware.TotalsKey); b.totals == nil {
		err = missing(err, "totals")
	}
	return b, err
}

func bookOf(c *ledger.Call) (*book, error) {
	b, err := newBook(c.Height, c.TimeMs, c.State, c.BlockHash)
	if err == nil {
		b.chain = c.ChainID
	}
	return b, err
}

func bookAt(e *ledger.End) (*book, error) {
	b, err := newBook(e.Height, e.TimeMs, e.State, e.BlockHash)
	if err == nil {
		b.chain, b.ending, b.self, b.floor = e.ChainID, true, e.Hash, e.Height+1
	}
	return b, err
}

func (b *book) at(key []byte) (*cell, error) {
	if c, ok := b.cells[string(key)]; ok {
		return c, nil
	}
	before, err := b.own.Get(key)
	if err != nil {
		return nil, err
	}
	c := &cell{key: bytes.Clone(key), before: before, raw: before, gone: before == nil}
	b.cells[string(key)] = c
	return c, nil
}

// row returns the decoded row, nil if there is none. It may be changed by whoever
// calls save afterwards.
func row[T any](b *book, key []byte) (*T, error) {
	c, err := b.at(key)
	if err != nil || c.gone {
		return nil, err
	}
	if v, ok := c.value.(*T); ok {
		return v, nil
	}
	v := new(T)
	if err := wire.Unmarshal(c.raw, v, ledger.MaxValue); err != nil {
		return nil, fmt.Errorf("hardware: state under %x: %w", key, err)
	}
	c.value = v
	return v, nil
}

// missing is the end of a node whose state lacks what must be there, unless
// reading it failed with err.
func missing(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("hardware: not in state: "+format, args...)
}

// save writes a row, at flush.
func save[T any](b *book, key []byte, v *T) error {
	c, err := b.at(key)
	if err != nil {
		return err
	}
	c.value, c.raw, c.gone = v, nil, false
	b.touched(c)
	return nil
}

// bytesAt returns a row as it is, nil if there is none. It must not be changed.
func (b *book) bytesAt(key []byte) ([]byte, error) {
	c, err := b.at(key)
	if err != nil || c.gone {
		return nil, err
	}
	return c.raw, nil
}

// page returns the bytes of a row to be written to, at least size of them.
func (b *book) page(key []byte, size int) ([]byte, error) {
	c, err := b.at(key)
	if err != nil {
		return nil, err
	}
	if !c.changed || len(c.raw) < size {
		p := make([]byte, max(size, len(c.raw)))
		copy(p, c.raw)
		c.raw = p
	}
	c.gone = false
	b.touched(c)
	return c.raw, nil
}

// drop deletes a row.
func (b *book) drop(key []byte) error {
	c, err := b.at(key)
	if err != nil {
		return err
	}
	if !c.gone {
		c.value, c.raw, c.gone = nil, nil, true
		b.touched(c)
	}
	return nil
}

const (
	keyWeight = 2 << 10 // as ledger counts it
	rowWeight = 512     // of a row that is new
)

func (b *book) touched(c *cell) {
	if !c.changed {
		c.changed = true
		b.order = append(b.order, c)
		b.weight += keyWeight + 2*max(len(c.before), len(c.raw), rowWeight)
	}
}

// flush writes everything, in the order in which it was first changed.
func (b *book) flush() error {
	if err := save(b, hardware.TotalsKey, b.totals); err != nil {
		return err
	}
	for _, c := range b.order {
		if c.value != nil && c.raw == nil {
			c.raw = wire.Marshal(c.value)
		}
		var err error
		switch {
		case c.gone && c.before != nil:
			err = b.own.Delete(c.key)
		case !c.gone && !bytes.Equal(c.raw, c.before):
			err = b.own.Set(c.key, c.raw)
		}
		if err != nil {
			return err
		}
	}
	return b.settle()
}

// settle moves gas: what comes in first, so that the pot has what goes out.
func (b *book) settle() error {
	st := b.state(tokenFamily)
	for _, a := range b.owers {
		if o := b.owed[a]; o.in > o.out {
			if err := token.Hold(st, hardware.Name, a, o.in-o.out); err != nil {
				return err
			}
		}
	}
	for _, a := range b.owers {
		if o := b.owed[a]; o.out > o.in {
			if err := token.Release(st, hardware.Name, a, o.out-o.in); err != nil {
				return err
			}
		}
	}
	return nil
}
