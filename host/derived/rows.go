package derived

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes of the caches.
const (
	memtableBytes = 32 << 20
	cacheBytes    = 64 << 20
)

// Options say whose rows these are.
type Options struct {
	FS     vfs.FS
	Name   string // of the room, as its errors begin
	Closed error  // what calls give after Close
	// Background is told of flushes and compactions that failed; Pebble tries them again.
	Background func(error)
}

// Rows is a Pebble. Reading is safe from everywhere; batches are applied by
// goroutines that write different rows.
type Rows struct {
	// DB is for tests, which lose and change what it holds.
	DB *pebble.DB

	name string
	end  error

	// Users hold using, so that Close waits for them. No reader takes it twice.
	using  sync.RWMutex
	closed bool // guarded by using
}

// Open opens or makes the rows in a folder.
func Open(dir string, o Options) (*Rows, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                          o.FS,
		Cache:                       cache,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                512,
		Logger:                      quiet{o.Name, o.Background},
		EventListener:               &pebble.EventListener{BackgroundError: o.Background},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].FilterType = pebble.TableFilter
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("%s: opening the index: %w", o.Name, err)
	}
	return &Rows{DB: db, name: o.Name, end: o.Closed}, nil
}

// quiet keeps Pebble from writing to the process's standard error. What it calls
// fatal ends the room through background.
type quiet struct {
	name       string
	background func(error)
}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (q quiet) Fatalf(format string, args ...any) {
	err := fmt.Errorf(q.name+": index: "+format, args...)
	q.background(err)
	// Pebble relies on Fatalf not returning: its state is no longer sound.
	panic(err)
}

// use keeps the rows open until done is called.
func (r *Rows) use() (done func(), err error) {
	r.using.RLock()
	if r.closed {
		r.using.RUnlock()
		return nil, r.end
	}
	return r.using.RUnlock, nil
}

// Close ends the rows when the last user is done. With flush, what is in memory is
// written first; else it is derived again later.
func (r *Rows) Close(flush bool) error {
	r.using.Lock()
	defer r.using.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	var err error
	if flush {
		err = r.DB.Flush()
	}
	return errors.Join(err, r.DB.Close())
}

// Batch begins a batch, which Apply takes over or its maker closes.
func (r *Rows) Batch() *pebble.Batch { return r.DB.NewBatch() }

// Apply writes a batch and frees it.
func (r *Rows) Apply(batch *pebble.Batch) error {
	done, err := r.use()
	if err != nil {
		return errors.Join(err, batch.Close())
	}
	defer done()
	if err := r.DB.Apply(batch, pebble.NoSync); err != nil {
		return fmt.Errorf("%s: writing the index: %w", r.name, errors.Join(err, batch.Close()))
	}
	return batch.Close()
}

// Get returns a copy of a value, found false if there is none.
func (r *Rows) Get(key []byte) (value []byte, found bool, err error) {
	done, err := r.use()
	if err != nil {
		return nil, false, err
	}
	defer done()
	v, closer, err := r.DB.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, r.unread(err)
	}
	defer closer.Close()
	return bytes.Clone(v), true, nil
}

// Scan calls f for the rows from key from up to end (not included), in order,
// until f says to stop. Slices given to f are only valid during the call.
func (r *Rows) Scan(from, end []byte, f func(key, value []byte) (more bool, err error)) error {
	done, err := r.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := r.DB.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return r.unread(err)
	}
	defer func() { _ = it.Close() }() // it.Error has been asked
	for ok := it.First(); ok; ok = it.Next() {
		if more, err := f(it.Key(), it.Value()); err != nil || !more {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return r.unread(err)
	}
	return nil
}

// Last is a copy of the last key from key from up to end (not included), nil if
// there is none.
func (r *Rows) Last(from, end []byte) (key []byte, err error) {
	done, err := r.use()
	if err != nil {
		return nil, err
	}
	defer done()
	it, err := r.DB.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return nil, r.unread(err)
	}
	defer func() { _ = it.Close() }() // it.Error has been asked
	if it.Last() {
		return bytes.Clone(it.Key()), nil
	}
	if err := it.Error(); err != nil {
		return nil, r.unread(err)
	}
	return nil, nil
}

func (r *Rows) unread(err error) error {
	return fmt.Errorf("%s: reading the index: %w", r.name, err)
}

// After is the first key behind every key that begins with prefix, which must not
// be 0xff only.
func After(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}
