package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// MaxBatch bounds what one batch may hold, in bytes of keys and values. It is a
// quarter of what Pebble gathers in memory before it writes a table.
const MaxBatch = 16 << 20

// ErrBatch means that a batch broke a rule of the package: it is above MaxBatch,
// or has a key or value which is empty or the store's own. It is a defect of
// the caller, never of input; nothing was applied.
var ErrBatch = errors.New("store batch refused")

// Reader reads one state. It is safe for concurrent use.
type Reader interface {
	// Get returns the value of a key, or nil if there is none. The caller must
	// not change it; it stays valid.
	Get(key []byte) ([]byte, error)
	// Iter calls fn for each key in [lo, hi), ascending, until fn returns
	// false. An empty hi means to the end. Key and value are valid during the
	// call only and must not be changed. Iter sees one state throughout.
	Iter(lo, hi []byte, fn func(key, value []byte) bool) error
}

// Snapshot is a Reader of the state at the moment it was taken.
type Snapshot interface {
	Reader
	// Close releases the snapshot, which must not be used afterwards.
	Close() error
}

// Store is one ledger's state. Apply and Flush must not be called at the same
// time as each other or themselves; everything else may.
type Store interface {
	Reader
	// Snapshot is cheap enough to take for every block.
	Snapshot() Snapshot
	// Apply carries out a batch and records that the state is now the one after
	// height. It takes over the batch. Errors: ErrBatch; any other means the store is
	// broken and must not be used further.
	Apply(height uint64, b *Batch) error
	// Flush makes what was applied durable and returns the height it stands at.
	Flush() (height uint64, err error)
	// Height is that of the last Apply, 0 for a new store.
	Height() uint64
	// Close gives up the store without flushing it.
	Close() error
}

// Batch is a list of changes in order; a later one wins over an earlier one.
// It keeps the slices it is given: they must not be changed afterwards.
type Batch struct {
	ops  []op
	size int
	err  error
}

type op struct {
	kind       opKind
	key, value []byte // value is the end of the range if kind is opDeleteRange
}

type opKind uint8

const (
	opSet opKind = iota
	opDelete
	opDeleteRange
)

// NewBatch makes a batch with room for n changes.
func NewBatch(n int) *Batch { return &Batch{ops: make([]op, 0, n)} }

// Set gives a key a value.
func (b *Batch) Set(key, value []byte) {
	b.add(op{opSet, key, value})
	if len(value) == 0 {
		b.refuse("the value of key %x is empty", key)
	}
}

// Delete removes a key, if it is there.
func (b *Batch) Delete(key []byte) { b.add(op{opDelete, key, nil}) }

// DeleteRange removes every key in [lo, hi).
func (b *Batch) DeleteRange(lo, hi []byte) {
	b.add(op{opDeleteRange, lo, hi})
	if bytes.Compare(lo, hi) > 0 {
		b.refuse("range from %x to %x", lo, hi)
	}
}

func (b *Batch) add(o op) {
	b.ops = append(b.ops, o)
	b.size += len(o.key) + len(o.value)
	switch {
	case len(o.key) == 0 || o.key[0] == reserved:
		b.refuse("key %x is empty or the store's own", o.key)
	case b.size >= MaxBatch:
		b.refuse("more than %d bytes", MaxBatch)
	}
}

// refuse remembers the first reason, which Apply then reports: that keeps
// building a batch free of error checks.
func (b *Batch) refuse(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("%w: %s", ErrBatch, fmt.Sprintf(format, args...))
	}
}

// Len is the number of changes.
func (b *Batch) Len() int { return len(b.ops) }

// Size is the number of bytes in keys and values.
func (b *Batch) Size() int { return b.size }

// reserved begins the store's own keys; firstKey is where the caller's start.
const reserved = 0x00

var (
	heightKey = []byte{reserved, 'h'}
	firstKey  = []byte{reserved + 1}
)

// decodeHeight reads the value of heightKey; nil is the new store's.
func decodeHeight(b []byte) (uint64, error) {
	if b == nil {
		return 0, nil
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("store: recorded height has %d bytes, want 8", len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// from is where an iteration starts: never among the store's own keys.
func from(lo []byte) []byte {
	if bytes.Compare(lo, firstKey) < 0 {
		return firstKey
	}
	return lo
}
