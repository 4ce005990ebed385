package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// PebbleOptions says where a Pebble store lives and what it may use.
type PebbleOptions struct {
	FS  vfs.FS
	Dir string
	// CacheBytes is the size of the cache of table blocks; 0 means DefaultCache.
	CacheBytes int64
	// Log receives what Pebble would print. It may be called from any
	// goroutine. Nil drops it.
	Log func(text string)
	// Tame makes logical results depend on the calls alone, at the price of
	// memory and stalls: no automatic flush and no automatic compaction. For
	// the simulator.
	Tame bool
}

// DefaultCache is the least a validator should give the cache of table blocks.
const DefaultCache = 256 << 20

// Fixed properties of the database. The format is part of what a sealed store
// is; raising it is a migration.
const (
	format = pebble.FormatTableFormatV6

	memTable       = 64 << 20 // two of them
	memTables      = 2
	tameMemTable   = 1 << 30 // more than is applied between two flushes
	blockBytes     = 16 << 10
	bloomBits      = 10
	openFiles      = 1000
	l0Compact      = 4
	l0Stop         = 20
	tameCompaction = 8 // every so many flushes
)

func (o PebbleOptions) pebble() *pebble.Options {
	p := &pebble.Options{
		FS:                          o.FS,
		CacheSize:                   o.CacheBytes,
		FormatMajorVersion:          format,
		DisableWAL:                  true,
		MemTableSize:                memTable,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       l0Compact,
		L0StopWritesThreshold:       l0Stop,
		MaxOpenFiles:                openFiles,
		Logger:                      logger{o.Log},
	}
	if p.CacheSize == 0 {
		p.CacheSize = DefaultCache
	}
	for i := range p.Levels {
		p.Levels[i].BlockSize = blockBytes
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	if o.Tame {
		p.MemTableSize = tameMemTable
		p.DisableAutomaticCompactions = true
		p.DisableTableStats = true
		p.Experimental.ReadSamplingMultiplier = -1 // reads trigger no compaction either
	}
	return p
}

// logger hands Pebble's messages on. Fatalf must not return: Pebble calls it
// when it cannot keep its promises, and a store that is wrong must stop the node.
type logger struct{ out func(text string) }

func (l logger) Infof(format string, args ...any) {
	if l.out != nil {
		l.out(fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) { l.Infof(format, args...) }

func (l logger) Fatalf(format string, args ...any) {
	l.Infof(format, args...)
	panic("store: " + fmt.Sprintf(format, args...))
}

// Pebble is a Store on a Pebble database without a log of its own. Memory it
// has gathered may become durable before Flush is called, at the end of a batch.
type Pebble struct {
	db      *pebble.DB
	tame    bool
	flushes int
	height  atomic.Uint64
}

var _ Store = (*Pebble)(nil)

// OpenPebble opens or creates a store.
func OpenPebble(o PebbleOptions) (*Pebble, error) {
	db, err := pebble.Open(o.Dir, o.pebble())
	if err != nil {
		return nil, fmt.Errorf("opening the state store: %w", err)
	}
	p := &Pebble{db: db, tame: o.Tame}
	b, err := p.Get(heightKey)
	if err == nil {
		var h uint64
		h, err = decodeHeight(b)
		p.height.Store(h)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the state store: %w", err), db.Close())
	}
	return p, nil
}

// Get implements Reader.
func (p *Pebble) Get(key []byte) ([]byte, error) { return get(p.db, key) }

// Iter implements Reader. fn may use the store.
func (p *Pebble) Iter(lo, hi []byte, fn func(key, value []byte) bool) error {
	return iter(p.db, lo, hi, fn)
}

// Snapshot implements Store.
func (p *Pebble) Snapshot() Snapshot { return pebbleSnapshot{p.db.NewSnapshot()} }

// Apply implements Store.
func (p *Pebble) Apply(height uint64, b *Batch) error {
	if b.err != nil {
		return b.err
	}
	batch := p.db.NewBatchWithSize(b.size + 16*len(b.ops) + 64)
	if err := b.replay(batch, height); err != nil {
		return errors.Join(fmt.Errorf("state store: applying height %d: %w", height, err), batch.Close())
	}
	p.height.Store(height)
	if err := batch.Close(); err != nil {
		return fmt.Errorf("state store: applying height %d: %w", height, err)
	}
	return nil
}

// replay carries the changes into a Pebble batch and commits it.
func (b *Batch) replay(batch *pebble.Batch, height uint64) error {
	for i := range b.ops {
		var err error
		switch o := &b.ops[i]; o.kind {
		case opSet:
			err = batch.Set(o.key, o.value, nil)
		case opDelete:
			err = batch.Delete(o.key, nil)
		case opDeleteRange:
			err = batch.DeleteRange(o.key, o.value, nil)
		}
		if err != nil {
			return err
		}
	}
	if err := batch.Set(heightKey, binary.BigEndian.AppendUint64(nil, height), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.NoSync)
}

// Flush implements Store. A tame store also compacts every few flushes, here
// and not in the background.
func (p *Pebble) Flush() (uint64, error) {
	height := p.height.Load()
	if err := p.db.Flush(); err != nil {
		return 0, fmt.Errorf("state store: flushing height %d: %w", height, err)
	}
	p.flushes++
	if p.tame && p.flushes%tameCompaction == 0 {
		if err := p.db.Compact(context.Background(), []byte{reserved}, []byte{0xFF}, false); err != nil {
			return 0, fmt.Errorf("state store: compacting at height %d: %w", height, err)
		}
	}
	return height, nil
}

// Height implements Store.
func (p *Pebble) Height() uint64 { return p.height.Load() }

// Close implements Store. Open snapshots must be closed before.
func (p *Pebble) Close() error {
	if err := p.db.Close(); err != nil {
		return fmt.Errorf("closing the state store: %w", err)
	}
	return nil
}

type pebbleSnapshot struct{ s *pebble.Snapshot }

func (p pebbleSnapshot) Get(key []byte) ([]byte, error) { return get(p.s, key) }

func (p pebbleSnapshot) Iter(lo, hi []byte, fn func(key, value []byte) bool) error {
	return iter(p.s, lo, hi, fn)
}

func (p pebbleSnapshot) Close() error { return p.s.Close() }

func get(r pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("state store: reading: %w", err)
	}
	value = append(make([]byte, 0, len(value)), value...)
	return value, closer.Close()
}

func iter(r pebble.Reader, lo, hi []byte, fn func(key, value []byte) bool) error {
	o := &pebble.IterOptions{LowerBound: from(lo)}
	if len(hi) > 0 {
		o.UpperBound = hi
	}
	it, err := r.NewIter(o)
	if err != nil {
		return fmt.Errorf("state store: iterating: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(fmt.Errorf("state store: iterating: %w", err), it.Close())
		}
		if !fn(it.Key(), value) {
			break
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("state store: iterating: %w", err)
	}
	return nil
}
