package objects

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"

	"cloister/gate"
)

// Read fills p from off with what the object has.
func (s *Store) Read(id, off uint64, p []byte) (int, error) {
	if len(p) > gate.MaxRead {
		return 0, gate.ErrTooLarge
	}
	o := s.find(id)
	if o == nil {
		return 0, gate.ErrNotFound
	}
	if !o.exists {
		o.mu.Unlock()
		return 0, gate.ErrNotFound
	}
	if off >= o.len {
		o.mu.Unlock()
		return 0, nil
	}
	// Held during the read so that the file is not closed meanwhile. Reads of
	// one object come one after the other anyway: they share a queue.
	defer o.mu.Unlock()
	f, err := s.use(o)
	if err != nil {
		return 0, ioError(err)
	}
	n, err := f.ReadAt(p[:min(uint64(len(p)), o.len-off)], int64(off))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, ioError(err)
	}
	return n, nil
}

// ReadMany concatenates all ranges, or fails.
func (s *Store) ReadMany(rs []gate.Range) ([]byte, error) {
	total := 0
	for _, r := range rs {
		if total += int(min(r.N, gate.MaxRead+1)); total > gate.MaxRead {
			return nil, gate.ErrTooLarge
		}
	}
	if len(rs) > gate.MaxReadMany {
		return nil, gate.ErrTooLarge
	}
	out := make([]byte, total)
	n := 0
	for _, r := range rs {
		got, err := s.Read(r.ID, r.Off, out[n:n+int(r.N)])
		if err != nil {
			return nil, err
		}
		n += got
	}
	return out[:n], nil
}

// TryRead reads only what the system has in memory, from a file that is open
// and not in use; otherwise it returns false at once.
func (s *Store) TryRead(id, off uint64, p []byte) (n int, ok bool) {
	s.mu.Lock()
	o := s.objects[id]
	s.mu.Unlock()
	if o == nil || !o.mu.TryLock() {
		return 0, false
	}
	defer o.mu.Unlock()
	if o.file == nil || o.deleted || off >= o.len {
		return 0, false
	}
	p = p[:min(uint64(len(p)), o.len-off)]
	return len(p), readCached(o.file, p, off)
}

// List returns every object, ascending.
func (s *Store) List() ([]gate.ObjectInfo, error) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.objects))
	s.mu.Unlock()
	out := make([]gate.ObjectInfo, 0, len(all))
	for _, o := range all {
		o.mu.Lock()
		if o.exists && !o.deleted {
			out = append(out, gate.ObjectInfo{ID: o.id, Len: o.len})
		}
		o.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b gate.ObjectInfo) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// Usage returns what the core may still write and what it has written, in
// bytes.
func (s *Store) Usage() (free, used uint64, err error) {
	disk, err := freeBytes(s.dir)
	if err != nil {
		return 0, 0, ioError(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(disk, s.maxBytes-min(s.maxBytes, s.used)), s.used, nil
}
