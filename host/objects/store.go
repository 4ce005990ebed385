package objects

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"cloister/gate"
)

// Defaults of Options.
const (
	DefaultMaxBytes = 256 << 30
	DefaultMaxOpen  = 1024
)

// Options bound a store. Zero values mean the defaults.
type Options struct {
	MaxBytes uint64 // bytes of all objects together (storage.max_bytes)
	MaxOpen  int    // open files
}

// ErrInUse is returned by Open when another process has the folder.
var ErrInUse = errors.New("objects: the folder is used by another process")

// lockName is the file whose lock keeps a second host out of the folder.
const lockName = "lock"

// Store keeps the objects of one core in one folder. It implements
// gate.Objects and gate.TryReader and is safe for concurrent use.
type Store struct {
	dir      string
	maxBytes uint64
	maxOpen  int
	folder   *os.File // for fsync
	lock     *os.File

	mu       sync.Mutex
	objects  map[uint64]*object
	open     *list.List // of *object, most recently used first
	used     uint64     // bytes of all objects
	reserved uint64     // bytes preallocated beyond the objects' lengths
	broken   error      // the table is full: nothing more is taken
}

// object is one file, or the memory of a refusal for a number without a file.
type object struct {
	id uint64

	mu      sync.Mutex
	file    *os.File // nil while closed
	len     uint64
	hint    uint64 // bytes preallocated, counted in reserved beyond len
	exists  bool
	dirty   bool  // written since the last fdatasync
	entry   bool  // the directory entry is durable
	sticky  error // first refusal, returned by every Sync
	deleted bool

	elem *list.Element // in Store.open; Store.mu
}

var (
	_ gate.Objects   = (*Store)(nil)
	_ gate.TryReader = (*Store)(nil)
)

// Open opens the folder, which is made if missing, and reads its table. It
// changes no file. Errors: ErrInUse, or what the file system said.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{
		dir: dir, maxBytes: o.MaxBytes, maxOpen: o.MaxOpen,
		objects: map[uint64]*object{}, open: list.New(),
	}
	if s.maxBytes == 0 {
		s.maxBytes = DefaultMaxBytes
	}
	if s.maxOpen == 0 {
		s.maxOpen = DefaultMaxOpen
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = syncFolder(filepath.Dir(dir)) // the folder may be new
	}
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	if s.lock, err = lockFolder(filepath.Join(dir, lockName)); err != nil {
		return nil, err
	}
	if s.folder, err = os.Open(dir); err == nil {
		err = s.readTable()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("objects: %w", err)
	}
	return s, nil
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (s *Store) readTable() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := parseName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		// Whether an earlier run synced the entry is not known: Sync does it again.
		s.objects[id] = &object{id: id, len: uint64(info.Size()), exists: true}
		s.used += uint64(info.Size())
	}
	return nil
}

func fileName(id uint64) string { return fmt.Sprintf("%016x", id) }

func parseName(name string) (id uint64, ok bool) {
	id, err := strconv.ParseUint(name, 16, 64)
	return id, err == nil && name == fileName(id)
}

func (s *Store) path(id uint64) string { return filepath.Join(s.dir, fileName(id)) }

// Close closes all files without syncing: what was not synced was not promised.
// The store must not be used afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.objects))
	s.mu.Unlock()
	for _, o := range all {
		o.mu.Lock()
		if o.file != nil {
			o.file.Close()
			o.file = nil
		}
		o.mu.Unlock()
	}
	if s.folder != nil {
		s.folder.Close()
	}
	return s.lock.Close()
}

// find returns the object with its lock held, or nil.
func (s *Store) find(id uint64) *object {
	s.mu.Lock()
	o := s.objects[id]
	s.mu.Unlock()
	if o == nil {
		return nil
	}
	o.mu.Lock()
	if o.deleted {
		o.mu.Unlock()
		return nil
	}
	return o
}

// findOrAdd is find that adds an object without a file, so that a refusal can
// be kept for it. It returns nil when the table is full; from then on every
// Sync fails, because refusals can no longer be kept.
func (s *Store) findOrAdd(id uint64) *object {
	for {
		s.mu.Lock()
		o := s.objects[id]
		if o == nil && len(s.objects) >= gate.MaxListed {
			s.broken = gate.ErrNoSpace
		}
		if s.broken != nil {
			s.mu.Unlock()
			return nil
		}
		if o == nil {
			o = &object{id: id}
			s.objects[id] = o
		}
		s.mu.Unlock()
		o.mu.Lock()
		if !o.deleted {
			return o
		}
		o.mu.Unlock() // deleted meanwhile: the table has no such entry now
	}
}

// refuse keeps the first refusal. The caller holds o.mu.
func (o *object) refuse(err error) {
	if o.sticky == nil {
		o.sticky = err
	}
}

// ioError turns an error of the file system into one the gate can carry.
func ioError(err error) error {
	switch {
	case isNoSpace(err):
		return fmt.Errorf("%w: %v", gate.ErrNoSpace, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %v", gate.ErrNotFound, err)
	}
	return fmt.Errorf("%w: %v", gate.ErrIO, err)
}
