package store

import (
	"errors"
	"sync"
)

// Memory is a Store without a disk. Everything it answers follows from what was
// applied, and a crash loses exactly what came after the last Flush, which is
// what the simulator needs.
type Memory struct {
	mu     sync.RWMutex // guards all below; snapshots need no lock
	now    btree
	height uint64
	// As of the last Flush.
	durable       *node
	durableHeight uint64
	closed        bool
}

var _ Store = (*Memory)(nil)

var errClosed = errors.New("store: used after Close")

// NewMemory makes an empty store.
func NewMemory() *Memory { return new(Memory) }

// Survivor is the store found after a crash at this moment: a new one, with what the
// last Flush made durable. The old one may still be used, or closed; the two
// share nothing that changes.
func (m *Memory) Survivor() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	// Nodes of the frozen state have editions up to the old tree's; above that
	// nothing the survivor may change exists yet.
	return &Memory{
		now: btree{root: m.durable, edition: m.now.edition + 1}, height: m.durableHeight,
		durable: m.durable, durableHeight: m.durableHeight,
	}
}

// Get implements Reader.
func (m *Memory) Get(key []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, errClosed
	}
	return m.now.root.get(key), nil
}

// Iter implements Reader. fn may use the store.
func (m *Memory) Iter(lo, hi []byte, fn func(key, value []byte) bool) error {
	return m.Snapshot().Iter(lo, hi, fn)
}

// Snapshot implements Store.
func (m *Memory) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return frozen{err: errClosed}
	}
	return frozen{root: m.now.freeze()}
}

// Apply implements Store.
func (m *Memory) Apply(height uint64, b *Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return errClosed
	case b.err != nil:
		return b.err
	}
	for i := range b.ops {
		switch o := &b.ops[i]; o.kind {
		case opSet:
			// A copy, because the caller's slices are often cut from one
			// large piece, which a single long-lived value would keep alive.
			pair := make([]byte, len(o.key)+len(o.value))
			n := copy(pair, o.key)
			copy(pair[n:], o.value)
			m.now.set(pair[:n:n], pair[n:])
		case opDelete:
			m.now.delete(o.key)
		case opDeleteRange:
			m.now.deleteRange(o.key, o.value)
		}
	}
	m.height = height
	return nil
}

// Flush implements Store.
func (m *Memory) Flush() (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, errClosed
	}
	m.durable, m.durableHeight = m.now.freeze(), m.height
	return m.height, nil
}

// Height implements Store.
func (m *Memory) Height() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.height
}

// Close implements Store.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// frozen is a snapshot of Memory; it needs no release but forgetting.
type frozen struct {
	root *node
	err  error
}

func (f frozen) Get(key []byte) ([]byte, error) { return f.root.get(key), f.err }

func (f frozen) Iter(lo, hi []byte, fn func(key, value []byte) bool) error {
	if f.err == nil {
		f.root.ascend(from(lo), hi, fn)
	}
	return f.err
}

func (f frozen) Close() error { return nil }
