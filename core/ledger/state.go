package ledger

import (
	"bytes"
	"fmt"
	"slices"

	"cloister/core/ledger/store"
	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/smt"
)

// Bounds of state. A family that breaks one is defective, so they panic.
const (
	MaxKey   = 256      // bytes of a key
	MaxValue = 64 << 10 // bytes of a value
	MaxSaved = 256      // bytes of a value that Save will encode
)

// State is the state of one family as the current transaction sees it.
type State struct {
	over   *overlay
	family string
	aside  bool
}

// Aside is the family's unproved state: as durable and as much a function of the
// blocks, with keys of its own, but no root commits to it and no older height of
// it can be read. It is for what only the rules need, and costs a fifth.
func (s State) Aside() State { return State{over: s.over, family: s.family, aside: true} }

// Scan calls f for each key in [lo, hi), ascending, until f returns false. It
// sees what the blocks before this one left. Key and value are valid during the call only.
func (s State) Scan(lo, hi []byte, f func(key, value []byte) bool) error {
	prefix := len(s.key(nil))
	return s.over.base.Iter(s.key(lo), s.key(hi), func(key, value []byte) bool { return f(key[prefix:], value) })
}

// key is where the store has a key.
func (s State) key(key []byte) []byte { return s.appendKey(nil, key) }

func (s State) appendKey(b, key []byte) []byte {
	if s.aside {
		return appendAsideKey(b, s.family, key)
	}
	return appendStateKey(b, s.family, key)
}

// Get returns the value of a key, nil if it has none. It must not be changed.
func (s State) Get(key []byte) ([]byte, error) {
	c, err := s.over.cell(s, key)
	if err != nil {
		return nil, err
	}
	return c.now.bytes(), nil
}

// Set gives a key a value of 1 to MaxValue bytes, which must not be changed
// afterwards.
func (s State) Set(key, value []byte) error {
	if len(value) == 0 || len(value) > MaxValue {
		panic(fmt.Sprintf("ledger: family %s sets a value of %d bytes, 1 to %d", s.family, len(value), MaxValue))
	}
	return s.over.put(s, key, content{raw: value}, len(value))
}

// Add is Set for a key that never had a value, which spares looking for one.
func (s State) Add(key, value []byte) error {
	if len(value) == 0 || len(value) > MaxValue {
		panic(fmt.Sprintf("ledger: family %s adds a value of %d bytes, 1 to %d", s.family, len(value), MaxValue))
	}
	s.over.fresh(s, key)
	return s.over.put(s, key, content{raw: value}, len(value))
}

// Delete removes a key, if it is there.
func (s State) Delete(key []byte) error { return s.over.put(s, key, content{}, 0) }

// Load is Get and decode for values that are a CBOR structure; ok is false if
// the key has none. A value is decoded once per block, however often it is
// loaded, so it must be treated as shared: what it points to must not be changed.
func Load[T any](s State, key []byte) (v T, ok bool, err error) {
	c, err := s.over.cell(s, key)
	if err != nil || c.now.absent() {
		return v, false, err
	}
	if p, same := c.now.decoded.(*T); same {
		return *p, true, nil
	}
	p := new(T)
	if err := wire.Unmarshal(c.now.bytes(), p, MaxValue); err != nil {
		return v, false, fmt.Errorf("state of family %s under %x: %w", s.family, key, err)
	}
	c.now.decoded = p
	return *p, true, nil
}

// Save is the counterpart of Load. The value is encoded once per block, however
// often it is saved, and must then have at most MaxSaved bytes; larger
// ones are for Set.
func Save[T any](s State, key []byte, v T) error {
	return s.over.put(s, key, content{decoded: &v}, 0)
}

// content is the value of a key in one of two forms, or in both: bytes, and a
// pointer to what they decode to, which nobody changes. Neither: no value.
type content struct {
	raw     []byte
	decoded any
	changed bool // by this block
}

func (c *content) absent() bool { return c.raw == nil && c.decoded == nil }

func (c *content) bytes() []byte {
	if c.raw == nil && c.decoded != nil {
		c.raw = wire.Marshal(c.decoded)
		if len(c.raw) > MaxSaved {
			panic(fmt.Sprintf("ledger: saved a %T of %d bytes, at most %d", c.decoded, len(c.raw), MaxSaved))
		}
	}
	return c.raw
}

// cell is one key that a block touched.
type cell struct {
	key    []byte // in the store
	before []byte // value before the block, nil if none
	now    content
}

// overlay is state with the changes of the current block on top of what the
// store has. Changes since a mark can be taken back.
type overlay struct {
	base    store.Reader
	cells   map[string]*cell
	order   []*cell // as touched
	journal []change
	spent   int    // of MaxBlockWrites
	locked  bool   // reading only: a family that writes now is defective
	key     []byte // memory for the key being looked up
}

// change remembers what a cell was.
type change struct {
	cell *cell
	was  content
}

// MaxBlockWrites is the budget for what one block writes, its body included, in bytes. It keeps
// the block's batch below store.MaxBatch: keyCost stands for what a changed
// key costs besides values, which is mostly the tree pages on its path (1.4 KiB
// at a million keys; more keys, or keys ground to lie deep, cost no more), and
// the others for what is kept besides state.
const (
	MaxBlockWrites = 11 << 20
	MaxBeginWrites = 1 << 18 // of the families at the beginning of a block, besides
	MaxEndWrites   = 3 << 20 // of the families at its end, besides
	keyCost        = 2 << 10
	asideCost      = 128
	txCost         = 128 // a result and a replay id
	leafCost       = 32
)

func newOverlay(base store.Reader) *overlay {
	return &overlay{base: base, cells: make(map[string]*cell)}
}

func (o *overlay) cell(s State, key []byte) (*cell, error) {
	if len(key) > MaxKey {
		panic(fmt.Sprintf("ledger: family %s uses a key of %d bytes, at most %d", s.family, len(key), MaxKey))
	}
	o.key = s.appendKey(o.key[:0], key)
	if c, ok := o.cells[string(o.key)]; ok {
		return c, nil
	}
	value, err := o.base.Get(o.key)
	if err != nil {
		return nil, err
	}
	c := &cell{key: bytes.Clone(o.key), before: value, now: content{raw: value}}
	o.cells[string(c.key)] = c
	o.order = append(o.order, c)
	return c, nil
}

// fresh makes the cell of a key that the store does not have.
func (o *overlay) fresh(s State, key []byte) {
	if len(key) > MaxKey {
		panic(fmt.Sprintf("ledger: family %s uses a key of %d bytes, at most %d", s.family, len(key), MaxKey))
	}
	o.key = s.appendKey(o.key[:0], key)
	if _, ok := o.cells[string(o.key)]; ok {
		return
	}
	c := &cell{key: bytes.Clone(o.key)}
	o.cells[string(c.key)] = c
	o.order = append(o.order, c)
}

func (o *overlay) put(s State, key []byte, next content, size int) error {
	if o.locked {
		panic(fmt.Sprintf("ledger: state of family %s changed outside of Execute", s.family))
	}
	c, err := o.cell(s, key)
	if err != nil {
		return err
	}
	o.journal = append(o.journal, change{c, c.now})
	switch {
	case c.now.changed:
	case s.aside:
		o.spent += asideCost + len(key)
	default:
		o.spent += keyCost + len(c.before)
	}
	o.spent += size
	next.changed = true
	c.now = next
	return nil
}

// rollback takes back every change since a mark.
func (o *overlay) rollback(m mark) {
	for i := len(o.journal) - 1; i >= m.changes; i-- {
		c := &o.journal[i]
		c.cell.now = c.was
	}
	clear(o.journal[m.changes:])
	o.journal, o.spent = o.journal[:m.changes], m.spent
}

// write is one key whose value differs after the block.
type write struct {
	*cell
	change tree.Change
}

// writes lists what the block changed: proved state in the order of the tree,
// and unproved state.
func (o *overlay) writes() (out []write, aside []*cell) {
	for _, c := range o.order {
		if !c.now.changed || bytes.Equal(c.now.bytes(), c.before) {
			continue
		}
		if c.key[0] == atAside {
			aside = append(aside, c)
			continue
		}
		w := write{cell: c, change: tree.Change{Key: smt.KeyHash(applicationKey(c.key))}}
		if !c.now.absent() {
			w.change.Value = smt.ValueHash(c.now.bytes())
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b write) int { return bytes.Compare(a.change.Key[:], b.change.Key[:]) })
	return out, aside
}
