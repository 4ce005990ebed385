package duty

import (
	"maps"

	"cloister/wire"
	"cloister/wire/factom"
)

// Bounds of a Shelf.
const (
	shelfSize = 256 // entries, at most factom.MaxEntry bytes each
	askMs     = 3000
)

// Shelf keeps the entries that were fetched last. It belongs to one goroutine;
// what Reader returns may be used by another.
type Shelf struct {
	entries map[wire.Hash][]byte
	order   []wire.Hash         // oldest first
	asked   map[wire.Hash]int64 // needed and not there → elapsed ms when it was asked for
}

// Ask says which of the needed entries to ask for now: those that are not there and
// were not asked for lately. elapsed is in milliseconds.
func (s *Shelf) Ask(needs []wire.Hash, elapsed int64) (now []wire.Hash) {
	asked := map[wire.Hash]int64{}
	for _, h := range needs {
		at, known := s.asked[h]
		_, have := s.entries[h]
		_, twice := asked[h]
		if have || twice {
			continue
		}
		if !known || elapsed-at >= askMs {
			at = elapsed
			now = append(now, h)
		}
		asked[h] = at
	}
	s.asked = asked // what is not needed any more is forgotten
	return now
}

// Put takes what somebody says is an entry; false if it is not.
func (s *Shelf) Put(h wire.Hash, b []byte) bool {
	if len(b) > factom.MaxEntry || factom.EntryHash(b) != h {
		return false
	}
	if _, have := s.entries[h]; have {
		return true
	}
	if len(s.order) >= shelfSize {
		delete(s.entries, s.order[0])
		s.order = s.order[1:]
	}
	if s.entries == nil {
		s.entries = map[wire.Hash][]byte{}
	}
	s.entries[h] = b
	s.order = append(s.order, h)
	delete(s.asked, h)
	return true
}

// Reader finds the entries that are there now, whatever happens to the shelf later.
func (s *Shelf) Reader() func(wire.Hash) ([]byte, bool) {
	entries := maps.Clone(s.entries)
	return func(h wire.Hash) ([]byte, bool) {
		b, ok := entries[h]
		return b, ok
	}
}
