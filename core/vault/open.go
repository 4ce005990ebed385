package vault

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"cloister/gate"
)

// maxListed bounds the host's list at start. A store has at most MaxNames
// objects with a name; the rest is left over and will be deleted.
const maxListed = 1 << 20

// maxGenerations bounds how many catalogues are tried. An honest host has at
// most two; a hostile one may offer any number.
const maxGenerations = 64

// maxRecovered bounds how far a file left open is searched for its end: twice
// the longest there can be, so that the host cannot make the search endless.
const maxRecovered = 2 * MaxFile

// Open opens the store on host, or makes a new one if host has nothing.
// ErrCorrupt means no crash of an honest host explains what it shows;
// ErrWrongStore that the store is another chain's or node's.
func Open(host gate.Objects, opts Options) (*Vault, error) {
	v := &Vault{
		host: host, random: opts.Random,
		live: map[uint64]*object{}, dirs: map[string]bool{}, locks: map[string]bool{},
	}
	found, err := v.openKey(opts)
	if err != nil {
		return nil, err
	}
	st, torn, err := v.newest(found)
	if err != nil {
		return nil, err
	}
	v.info.Mode = ModeReopened
	if st == nil {
		v.info.Mode = ModeNew
		st = newState()
		id, err := v.newSalt()
		if err != nil {
			return nil, err
		}
		st.root.StoreID, st.root.ChainID, st.begun, st.ended = id, opts.ChainID, true, true
	}
	if err := claim(&st.root, opts); err != nil {
		return nil, err
	}
	v.info.LastCounter = st.root.Counter
	if v.info.Mode == ModeReopened && st.root.Counter+1 < opts.Counter {
		return nil, fmt.Errorf("%w: it knows of %d counted boots, this is number %d", ErrStale, st.root.Counter, opts.Counter)
	}
	if torn {
		v.info.Cut++
	}
	if err := v.checkObjects(st, found); err != nil {
		return nil, err
	}
	st.root.Boots++
	st.root.Counter = opts.Counter
	if err := v.begin(st, found); err != nil {
		return nil, err
	}
	v.info.StoreID, v.info.Boots = st.root.StoreID, st.root.Boots
	v.info.Generation, v.info.Node = st.root.Generation, st.root.Node
	v.failFn = opts.Failed
	return v, nil
}

// openKey sets the store key and returns what the host has that it could open:
// object number to length.
func (v *Vault) openKey(opts Options) (map[uint64]uint64, error) {
	if !opts.Ephemeral && opts.SealKey == [32]byte{} {
		return nil, errors.New("vault: the seal key is all zero; use Ephemeral on platforms without one")
	}
	found, err := v.list()
	if err != nil {
		return nil, err
	}
	seal := opts.SealKey
	if opts.Ephemeral {
		if _, err := io.ReadFull(v.random, seal[:]); err != nil {
			return nil, fmt.Errorf("vault: no randomness: %w", err)
		}
		v.info.Unknown = len(found)
		if err := v.deleteObjects(slices.Sorted(maps.Keys(found))); err != nil {
			return nil, err
		}
		clear(found)
	}
	v.key = storeKey(seal)
	return found, nil
}

func (v *Vault) list() (map[uint64]uint64, error) {
	rows, err := v.host.List()
	if err != nil {
		return nil, fmt.Errorf("vault: list: %w", err)
	}
	if len(rows) > maxListed {
		return nil, corrupt("the host lists %d objects", len(rows))
	}
	found := make(map[uint64]uint64, len(rows))
	for i, r := range rows {
		if i > 0 && r.ID <= rows[i-1].ID {
			return nil, corrupt("the host's list is not ascending at object %d", r.ID)
		}
		found[r.ID] = r.Len
	}
	return found, nil
}

// newest returns the state of the newest good generation (rule 6), nil if the
// host has none and never had one to lose.
func (v *Vault) newest(found map[uint64]uint64) (*state, bool, error) {
	var gens []uint64
	for id := range found {
		if id >= catalogueBit {
			gens = append(gens, id&^catalogueBit)
		}
	}
	slices.Sort(gens)
	slices.Reverse(gens)
	for _, g := range gens[:min(len(gens), maxGenerations)] {
		st, torn, err := readGeneration(v.host, v.key, g, found[catalogueBit|g])
		if err != nil {
			return nil, false, err
		}
		if st != nil {
			return st, torn, nil
		}
	}
	// The first generation of a store may be unfinished. Before it is durable
	// no other object exists, so anything more is a loss (or another key).
	first := len(gens) == 0 || len(gens) == 1 && gens[0] == 1
	if !first || len(found) > len(gens) {
		return nil, false, corrupt("no readable catalogue for %d objects; the seal key may be another platform's", len(found))
	}
	return nil, false, nil
}

// claim checks that the store is the caller's and takes its identity in.
func claim(root *rootRecord, opts Options) error {
	// A node makes its identity before its chain exists; the first chain it is
	// opened for is the one it keeps.
	switch {
	case opts.ChainID.IsZero():
	case root.ChainID.IsZero():
		root.ChainID = opts.ChainID
	case root.ChainID != opts.ChainID:
		return fmt.Errorf("%w: made for chain %v, opened for %v", ErrWrongStore, root.ChainID, opts.ChainID)
	}
	if opts.Node.IsZero() {
		return nil
	}
	if !root.Node.IsZero() && root.Node != opts.Node {
		return fmt.Errorf("%w: made by node %v, opened for %v", ErrWrongStore, root.Node, opts.Node)
	}
	root.Node = opts.Node
	return nil
}

// checkObjects holds every object with a name against the host's list, and
// closes those that the last boot left open at what is left of them.
func (v *Vault) checkObjects(st *state, found map[uint64]uint64) error {
	for _, id := range slices.Sorted(maps.Keys(st.objects)) {
		n := st.objects[id]
		if n.closed {
			if found[id] < n.stored {
				return corrupt("object %d has %d bytes, the catalogue says %d", id, found[id], n.stored)
			}
			continue
		}
		l, cut, err := v.recover(n, found[id])
		if err != nil {
			return err
		}
		if cut {
			v.info.Cut++
		}
		rec := closedRecord{Obj: id, Size: l.size, Stored: l.stored(), Regular: l.regular()}
		if err := st.apply(&rec); err != nil {
			return err
		}
	}
	return nil
}

// recover finds the good prefix of a file whose writer was cut off. From now on
// the file is exactly that prefix: a tail the host held back cannot appear later.
func (v *Vault) recover(n *inode, length uint64) (l layout, cut bool, err error) {
	length = min(length, maxRecovered)
	s := newScanner(v.host, n.id, fileCipher(v.key, n.salt, n.id), 0, length)
	for {
		plain, err := s.next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, errBadChunk) {
			later, err := s.laterSynced()
			if err != nil {
				return l, false, err
			}
			if later {
				return l, false, corrupt("object %d: chunk %d was durable and is gone", n.id, s.index)
			}
			cut = true
			break
		}
		if err != nil {
			return l, false, err
		}
		l.add(len(plain))
	}
	if l.size < n.durable {
		return l, false, corrupt("object %d has %d good bytes, of which %d were durable", n.id, l.size, n.durable)
	}
	return l, cut, nil
}

// begin writes the generation of this boot and, once it is durable, deletes
// older ones and everything without a name (rule 6).
func (v *Vault) begin(st *state, found map[uint64]uint64) error {
	v.cursor = st.next
	if st.next+numberGrant > MaxObjects {
		return fmt.Errorf("%w: %d objects were created", ErrLimit, st.next)
	}
	st.next += numberGrant
	st.root.Generation++
	cat, err := v.newGeneration(st.root.Generation)
	if err != nil {
		return err
	}
	if _, ok := found[cat.obj]; ok {
		// Left unfinished by a crash, or by the host.
		if err := v.deleteObjects([]uint64{cat.obj}); err != nil {
			return err
		}
		delete(found, cat.obj)
		v.info.Unknown++
	}
	snap := st.snapshot()
	if err := writeChunks(cat, snap.chunks); err != nil {
		return fmt.Errorf("vault: catalogue %d: %w", st.root.Generation, err)
	}
	v.state, v.cat, v.granted = st, cat, st.next
	v.rotateAt = max(rotateAt, 2*uint64(snap.size))
	var old []uint64
	for id := range found {
		if st.objects[id] == nil {
			old = append(old, id)
			if id < catalogueBit {
				v.info.Unknown++
			}
		}
	}
	slices.Sort(old)
	return v.deleteObjects(old)
}
