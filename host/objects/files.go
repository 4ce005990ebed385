package objects

import (
	"os"

	"cloister/gate"
)

// use returns the object's file, opening it if needed. The caller holds o.mu.
func (s *Store) use(o *object) (*os.File, error) {
	if o.file == nil {
		f, err := os.OpenFile(s.path(o.id), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		o.file = f
	}
	s.touch(o)
	return o.file, nil
}

// touch makes o the most recently used and closes the least recently used files
// over the bound. The caller holds o.mu.
func (s *Store) touch(o *object) {
	s.mu.Lock()
	if o.elem == nil {
		o.elem = s.open.PushFront(o)
	} else {
		s.open.MoveToFront(o.elem)
	}
	var old []*object
	for e := s.open.Back(); e != nil && s.open.Len()-len(old) > s.maxOpen; e = e.Prev() {
		// One that is in use is left alone: waiting for its lock while holding
		// another object's could wait in a circle.
		if v := e.Value.(*object); v != o && v.mu.TryLock() {
			old = append(old, v)
		}
	}
	for _, v := range old {
		s.open.Remove(v.elem)
		v.elem = nil
	}
	s.mu.Unlock()
	for _, v := range old {
		s.retire(v)
		v.mu.Unlock()
	}
}

// retire closes a file. A write-back error of an unsynced file could get lost
// with its descriptor, so it is synced first. The caller holds o.mu.
func (s *Store) retire(o *object) {
	if o.file == nil {
		return
	}
	if o.dirty {
		if err := dataSync(o.file); err != nil {
			o.refuse(ioError(err))
		}
		o.dirty = false
	}
	if err := o.file.Close(); err != nil {
		o.refuse(ioError(err))
	}
	o.file = nil
}

// Create makes the file and reserves hint bytes where the file system can.
// Like Append it returns nil also when it refuses: Sync tells.
func (s *Store) Create(id uint64, class gate.Class, hint uint64) error {
	o := s.findOrAdd(id)
	if o == nil {
		return nil
	}
	defer o.mu.Unlock()
	if o.exists {
		o.refuse(gate.ErrBadRequest)
		return nil
	}
	if o.sticky != nil {
		return nil
	}
	f, err := os.OpenFile(s.path(id), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		o.refuse(ioError(err))
		return nil
	}
	o.file, o.exists = f, true
	s.touch(o)
	s.reserve(o, class, hint)
	return nil
}

// maxHint bounds what one object may reserve; the catalogue stays small.
var maxHint = map[gate.Class]uint64{
	gate.ClassTable: 256 << 20, gate.ClassLog: 256 << 20, gate.ClassJournal: 16 << 20, gate.ClassCatalogue: 16 << 20,
}

// reserve preallocates without changing the length. It is only a hint: when it
// does not fit or the file system cannot, nothing is lost but speed.
func (s *Store) reserve(o *object, class gate.Class, hint uint64) {
	hint = min(hint, maxHint[class])
	s.mu.Lock()
	fits := hint > 0 && s.used+s.reserved+hint <= s.maxBytes
	if fits {
		s.reserved += hint
		o.hint = hint
	}
	s.mu.Unlock()
	if fits && preallocate(o.file, hint) != nil {
		s.mu.Lock()
		s.reserved -= hint
		o.hint = 0
		s.mu.Unlock()
	}
}

// Append writes data at the object's end. Only a call that is malformed by
// itself is refused at once and without effect.
func (s *Store) Append(id, off uint64, data []byte) error {
	if len(data) == 0 {
		return gate.ErrBadRequest
	}
	if len(data) > gate.MaxAppend {
		return gate.ErrTooLarge
	}
	if o := s.findOrAdd(id); o != nil {
		if err := s.append(o, off, data); err != nil {
			o.refuse(err)
		}
		o.mu.Unlock()
	}
	return nil
}

// append returns what the object's next Sync has to report. The caller holds
// o.mu.
func (s *Store) append(o *object, off uint64, data []byte) error {
	n := uint64(len(data))
	switch {
	case o.sticky != nil:
		return o.sticky
	case !o.exists:
		return gate.ErrNotFound
	case off != o.len:
		return gate.ErrBadRequest
	case !s.take(o, n):
		return gate.ErrNoSpace
	}
	f, err := s.use(o)
	if err == nil {
		o.dirty = true
		_, err = f.WriteAt(data, int64(off))
	}
	if err != nil {
		// Part of it may be in the file. It stays: the object takes nothing
		// more, and its bytes are the core's to judge.
		s.mu.Lock()
		s.used -= n
		s.mu.Unlock()
		return ioError(err)
	}
	o.len += n
	return nil
}

// take counts n more bytes of o, or says that they do not fit. Bytes that were
// preallocated move from the reserve. The caller holds o.mu.
func (s *Store) take(o *object, n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+n > s.maxBytes {
		return false
	}
	s.reserved -= min(o.hint, o.len+n) - min(o.hint, o.len)
	s.used += n
	return true
}

// Sync puts everything appended to the object, and its directory entry, on
// stable storage, or returns the first refusal since it was created.
func (s *Store) Sync(id uint64) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil {
		return broken
	}
	o := s.find(id)
	if o == nil {
		return gate.ErrNotFound
	}
	defer o.mu.Unlock()
	if o.sticky != nil {
		return o.sticky
	}
	if o.dirty || !o.entry {
		f, err := s.use(o)
		if err == nil {
			err = dataSync(f)
		}
		if err != nil {
			o.refuse(ioError(err))
			return o.sticky
		}
		o.dirty = false
	}
	if !o.entry {
		if err := s.folder.Sync(); err != nil {
			o.refuse(ioError(err))
			return o.sticky
		}
		o.entry = true
	}
	return o.sticky
}

// Delete removes objects; what is not there is ignored. A file that cannot be
// removed stays in the table, so that List keeps showing it.
func (s *Store) Delete(ids ...uint64) error {
	var first error
	for _, id := range ids {
		o := s.find(id)
		if o == nil {
			continue
		}
		if err := s.remove(o); err != nil && first == nil {
			first = ioError(err)
		}
		o.mu.Unlock()
	}
	return first
}

func (s *Store) remove(o *object) error {
	if o.exists {
		if err := os.Remove(s.path(o.id)); err != nil {
			return err
		}
	}
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
	o.deleted = true
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, o.id)
	if o.elem != nil {
		s.open.Remove(o.elem)
		o.elem = nil
	}
	s.used -= o.len
	s.reserved -= o.hint - min(o.hint, o.len)
	return nil
}
