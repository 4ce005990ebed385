package directory

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Sizes of the store's caches. A lost memtable is filled again from the archive.
const (
	memtableBytes = 32 << 20
	cacheBytes    = 64 << 20
)

// store is the Pebble under the index. Batches are applied by the two goroutines
// of Run, which write different rows; reading is safe from everywhere.
type store struct {
	db *pebble.DB

	// Users hold using, so that close waits for them. Readers never take it twice;
	// Run's goroutines may, since the store is closed after them.
	using  sync.RWMutex
	closed bool // guarded by using
}

// openStore opens Pebble without its own log. background is told of flushes and
// compactions that failed.
func openStore(fs vfs.FS, dir string, background func(error)) (*store, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                          fs,
		Cache:                       cache,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                512,
		Logger:                      quiet{background},
		EventListener:               &pebble.EventListener{BackgroundError: background},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].FilterType = pebble.TableFilter
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("directory: opening the index: %w", err)
	}
	return &store{db: db}, nil
}

// quiet keeps Pebble from writing to the process's standard error. What it
// calls fatal ends the index through background.
type quiet struct{ background func(error) }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (q quiet) Fatalf(format string, args ...any) {
	err := fmt.Errorf("directory: index: "+format, args...)
	q.background(err)
	// Pebble relies on Fatalf not returning: its state is no longer sound.
	panic(err)
}

// use keeps the store open until done is called.
func (s *store) use() (done func(), err error) {
	s.using.RLock()
	if s.closed {
		s.using.RUnlock()
		return nil, ErrClosed
	}
	return s.using.RUnlock, nil
}

// close ends the store when the last user is done. With flush, what is in memory
// is written first; else it is folded again later.
func (s *store) close(flush bool) error {
	s.using.Lock()
	defer s.using.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if flush {
		err = s.db.Flush()
	}
	return errors.Join(err, s.db.Close())
}

// apply writes a batch and frees it.
func (s *store) apply(batch *pebble.Batch) error {
	done, err := s.use()
	if err != nil {
		return errors.Join(err, batch.Close())
	}
	defer done()
	if err := s.db.Apply(batch, pebble.NoSync); err != nil {
		return fmt.Errorf("directory: writing the index: %w", err)
	}
	return batch.Close()
}

// get returns a copy of a value, found false if there is none.
func (s *store) get(key []byte) (value []byte, found bool, err error) {
	done, err := s.use()
	if err != nil {
		return nil, false, err
	}
	defer done()
	v, closer, err := s.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("directory: reading the index: %w", err)
	}
	defer closer.Close()
	return append([]byte(nil), v...), true, nil
}

// scan calls f for the rows from key from up to end (not included), in order,
// until f says to stop. Slices given to f are only valid during the call.
func (s *store) scan(from, end []byte, f func(key, value []byte) (more bool, err error)) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return fmt.Errorf("directory: reading the index: %w", err)
	}
	defer func() { _ = it.Close() }() // it.Error has been asked
	for ok := it.First(); ok; ok = it.Next() {
		more, err := f(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("directory: reading the index: %w", err)
	}
	return nil
}

// under scans the rows whose keys begin with prefix.
func (s *store) under(prefix []byte, f func(key, value []byte) (more bool, err error)) error {
	return s.scan(prefix, after(prefix), f)
}

// row reads one row; found is false if there is none.
func row[T any](s *store, key []byte, decode func([]byte) (T, error)) (v T, found bool, err error) {
	b, found, err := s.get(key)
	if err != nil || !found {
		return v, false, err
	}
	v, err = decode(b)
	return v, true, err
}
