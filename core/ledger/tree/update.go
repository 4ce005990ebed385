package tree

import (
	"bytes"
	"fmt"

	"cloister/wire"
)

// Update applies changes, sorted by key and with each key once, to the state
// old and returns the new one, the pages to store, and the keys of the pages
// that no root from this version on reads (package comment: pruning). version
// must be above old.Version, and never used before in this store.
//
// Changes that leave every key as it is return old itself and nothing to write.
// The returned slices share memory: copy a page that is to be kept for long.
//
// Errors: ErrMisuse for a broken rule, ErrUnknownRoot and ErrPage for what the
// store lacks, and those of the Reader. The cost is about 3 pages read and
// written for each key when 1000 of a million change, 6 when one does.
func Update(r Reader, old Root, version uint64, changes []Change) (root Root, writes []KV, stale [][]byte, err error) {
	if version <= old.Version && old != (Root{}) {
		return Root{}, nil, nil, fmt.Errorf("%w: version %d after %d", ErrMisuse, version, old.Version)
	}
	for i := 1; i < len(changes); i++ {
		if bytes.Compare(changes[i-1].Key[:], changes[i].Key[:]) >= 0 {
			return Root{}, nil, nil, fmt.Errorf("%w: changes %d and %d are out of order", ErrMisuse, i-1, i)
		}
	}
	if len(changes) == 0 {
		return old, nil, nil, nil
	}

	u := updater{traveller: travellers.Get().(*traveller), version: version}
	u.reader = r
	defer u.release()
	u.writes = make([]KV, 0, 4+3*len(changes))
	u.stale = make([][]byte, 0, 4+3*len(changes))

	top := rootSlot(old)
	changed, err := u.apply(0, &top, changes)
	switch {
	case err != nil:
		return Root{}, nil, nil, err
	case !changed:
		return old, nil, nil, nil
	case u.page(0).inner[1].kind == empty:
		return Root{Version: version}, u.writes, u.stale, nil
	}
	top = u.store(0, &changes[0].Key)
	return Root{Version: version, Hash: top.hash}, u.writes, u.stale, nil
}

// updater is one Update under way.
type updater struct {
	*traveller
	version uint64
	writes  []KV
	stale   [][]byte
	free    []byte // memory for page bytes and keys, taken from the front
	chunk   int    // size of the last piece of such memory
}

func (u *updater) release() {
	u.reader = nil
	travellers.Put(u.traveller)
}

// change carries out changes, all of which belong into slot s of a page at
// depth-1, and reports whether that changed the slot.
func (u *updater) change(depth int, s *slot, changes []Change) (bool, error) {
	// Here every descent ends: two keys, or a key and a leaf, part at some
	// nibble, after which each is alone.
	alone := s.kind == empty || s.kind == leaf && s.leaf.Key == changes[0].Key
	if len(changes) == 1 && alone {
		return s.set(&changes[0]), nil
	}
	changed, err := u.apply(depth, s, changes)
	if err != nil || !changed {
		return false, err
	}
	switch p := u.page(depth); p.inner[1].kind {
	case empty:
		*s = slot{}
	case leaf:
		_, only := p.census(0, slotCount)
		*s = p.slots[only]
	default:
		*s = u.store(depth, &changes[0].Key)
	}
	return true, nil
}

// apply makes the page at this depth what old becomes under changes, and
// reports whether that differs from old. A subtree that was no page yet is taken
// for a page with its leaf, if any, in the right slot.
func (u *updater) apply(depth int, old *slot, changes []Change) (changed bool, err error) {
	at := place{old.version, depth, &changes[0].Key}
	p := u.page(depth)
	switch old.kind {
	case several:
		err = u.load(p, at, old.hash)
	case leaf:
		p.clear()
		i := nibble(&old.leaf.Key, depth)
		p.slots[i] = *old
		p.touch(i)
	default:
		p.clear()
	}
	if err != nil {
		return false, err
	}

	for len(changes) > 0 {
		i := nibble(&changes[0].Key, depth)
		n := 1
		for n < len(changes) && nibble(&changes[n].Key, depth) == i {
			n++
		}
		if err := p.check(i / inQuarter); err != nil {
			return false, at.explain(err)
		}
		touched, err := u.change(depth+1, &p.slots[i], changes[:n])
		if err != nil {
			return false, err
		}
		if touched {
			p.touch(i)
			changed = true
		}
		changes = changes[n:]
	}
	if !changed {
		return false, nil
	}
	p.refresh()
	if old.kind == several {
		u.stale = append(u.stale, at.appendKey(u.room(maxKey)))
	}
	return true, nil
}

// store writes the page at this depth as one of the new version and returns
// the slot that refers to it.
func (u *updater) store(depth int, path *wire.Hash) slot {
	p := u.page(depth)
	at := place{u.version, depth, path}
	u.writes = append(u.writes, KV{
		Key:   at.appendKey(u.room(maxKey)),
		Value: p.appendTo(u.room(p.size())),
	})
	return slot{node: p.inner[1], version: u.version}
}

// Bounds of the pieces room takes memory from: the first suffices for one
// changed key among a million.
const (
	firstChunk = 8 << 10
	lastChunk  = 64 << 10
)

// room returns an empty slice with room for n bytes. One allocation serves many.
func (u *updater) room(n int) []byte {
	if len(u.free) < n {
		u.chunk = min(max(2*u.chunk, firstChunk), lastChunk)
		u.free = make([]byte, u.chunk)
	}
	b := u.free[:0:n]
	u.free = u.free[n:]
	return b
}
