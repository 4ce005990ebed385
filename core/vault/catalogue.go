package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"cloister/gate"
)

// catalogueBit marks the object numbers of catalogues; the rest of the number
// is the generation.
const catalogueBit = 1 << 63

// headSize is the clear head of a generation:
// "CLVC" | version u16 | zero u16 | generation u64 | salt 16.
const headSize = 4 + 2 + 2 + 8 + 16

const (
	headMagic   = "CLVC"
	headVersion = 1
)

// rotateAt is the size at which a new generation is started. A store whose
// snapshot alone is near it waits for twice the snapshot, which stays below
// MaxCatalogue with every name in use.
const rotateAt = 4 << 20

// maxPending bounds the records that wait in memory for the next sync.
const maxPending = 64 << 10

func appendHead(dst []byte, generation uint64, s salt) []byte {
	dst = append(dst, headMagic...)
	dst = binary.BigEndian.AppendUint16(dst, headVersion)
	dst = binary.BigEndian.AppendUint16(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, generation)
	return append(dst, s[:]...)
}

// parseHead returns the salt of a head that is exactly that of generation.
func parseHead(b []byte, generation uint64) (s salt, ok bool) {
	if len(b) != headSize {
		return s, false
	}
	s = salt(b[16:])
	return s, string(appendHead(nil, generation, s)) == string(b)
}

// readGeneration folds one generation of length bytes. It returns nil for one
// that a crash left unfinished, and ErrCorrupt for one that no crash explains.
func readGeneration(host gate.Objects, key []byte, generation, length uint64) (st *state, torn bool, err error) {
	length = min(length, MaxCatalogue)
	if length < headSize {
		return nil, false, nil
	}
	obj := catalogueBit | generation
	head := make([]byte, headSize)
	if n, err := readFull(host, obj, 0, head); err != nil || n < headSize {
		return nil, false, err
	}
	s, ok := parseHead(head, generation)
	if !ok {
		return nil, false, nil
	}
	st = newState()
	sc := newScanner(host, obj, fileCipher(key, s, obj), headSize, length)
	for {
		plain, err := sc.next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, errBadChunk) {
			later, err := sc.laterSynced()
			if err != nil {
				return nil, false, err
			}
			if later {
				return nil, false, corrupt("catalogue %d: chunk %d was durable and is gone", generation, sc.index)
			}
			torn = true
			break
		}
		if err != nil {
			return nil, false, err
		}
		if err := decodeRecords(plain, st.apply); err != nil {
			// The tag was good, so the core wrote this; it is a bug or a broken key.
			return nil, false, corrupt("catalogue %d: chunk %d: %v", generation, sc.index-1, err)
		}
	}
	if !st.ended {
		return nil, false, nil
	}
	if st.root.Generation != generation {
		return nil, false, corrupt("catalogue %d says it is generation %d", generation, st.root.Generation)
	}
	st.orphans = nil
	return st, torn, nil
}

// newGeneration returns a sealer whose buffer begins with the head. The salt
// must be random: a host that hides the newest generation makes the core write
// the same number again, and only the salt keeps the nonces apart.
func (v *Vault) newGeneration(generation uint64) (*sealer, error) {
	s, err := v.newSalt()
	if err != nil {
		return nil, err
	}
	obj := catalogueBit | generation
	return &sealer{
		host: v.host, obj: obj, class: gate.ClassCatalogue, aead: fileCipher(v.key, s, obj),
		out: appendHead(make([]byte, 0, outLimit), generation, s),
	}, nil
}

// writeChunks seals and syncs. An error is final for the vault.
func writeChunks(s *sealer, chunks [][]byte) error {
	for _, c := range chunks {
		if err := s.seal(c); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.host.Sync(s.obj); err != nil {
		return err
	}
	s.durable = s.index
	return nil
}

// commit applies a group of records and queues it for the catalogue. The group
// takes effect as a whole, now in memory and at the next sync for good.
// Called with v.mu held.
func (v *Vault) commit(rs ...record) error {
	if v.failed != nil {
		return v.failed
	}
	var group []byte
	for _, r := range rs {
		if err := v.state.apply(r); err != nil {
			// The callers checked what outsiders could cause; a half applied
			// group must not be continued from.
			v.failed = fmt.Errorf("vault: broken invariant: %w", err)
			v.report(gate.ClassCatalogue, v.failed)
			return v.failed
		}
		group = appendRecord(group, r)
	}
	v.appended++
	v.pending.add(group)
	for _, n := range v.state.orphans {
		if o := v.live[n.id]; o != nil {
			o.unlinked, o.unlinkedAt = true, v.appended
			continue
		}
		v.doomed = append(v.doomed, doom{n.id, v.appended})
	}
	v.state.orphans = nil
	return nil
}

// doom is an object to be deleted once the catalogue is durable up to after (rule 2).
type doom struct{ obj, after uint64 }

// reap removes from v.doomed what may be deleted now and returns it. Called with v.mu held.
func (v *Vault) reap() (objs []uint64) {
	keep := v.doomed[:0]
	for _, d := range v.doomed {
		if d.after <= v.synced {
			objs = append(objs, d.obj)
		} else {
			keep = append(keep, d)
		}
	}
	v.doomed = keep
	return objs
}

// syncCatalogue makes every group committed before the call durable. Callers
// that arrive while one is at work share the next write.
func (v *Vault) syncCatalogue() error {
	v.mu.Lock()
	want := v.appended
	v.mu.Unlock()

	v.catMu.Lock()
	defer v.catMu.Unlock()
	return v.syncTo(want, false)
}

// syncTo is syncCatalogue with catMu held. With rotate it starts a new
// generation in any case.
func (v *Vault) syncTo(want uint64, rotate bool) error {
	v.mu.Lock()
	if v.failed != nil || v.synced >= want && !rotate {
		defer v.mu.Unlock()
		return v.failed
	}
	covered, chunks := v.appended, v.pending.chunks
	cat, old := v.cat, uint64(0)
	grown := cat.off + uint64(v.pending.size+len(chunks)*chunkOverhead)
	if rotate || grown > v.rotateAt {
		v.state.root.Generation++
		next, err := v.newGeneration(v.state.root.Generation)
		if err != nil {
			v.failed = err
			v.mu.Unlock()
			v.report(gate.ClassCatalogue, err)
			return err
		}
		snap := v.state.snapshot()
		cat, old, chunks = next, cat.obj, snap.chunks
		v.rotateAt = max(rotateAt, 2*uint64(snap.size))
	}
	v.pending = packer{}
	v.mu.Unlock()

	err := writeChunks(cat, chunks)

	v.mu.Lock()
	if err != nil {
		err = fmt.Errorf("vault: catalogue %d: %w", cat.obj&^catalogueBit, err)
		v.failed = err
		v.mu.Unlock()
		v.report(gate.ClassCatalogue, err)
		return err
	}
	v.cat, v.synced = cat, covered
	objs := v.reap()
	v.mu.Unlock()
	if old != 0 {
		objs = append(objs, old)
	}
	return v.deleteObjects(objs)
}

// deleteObjects tells the host that objects are of no use any more. Should it not
// listen, the next start finds them without a name and asks again.
func (v *Vault) deleteObjects(objs []uint64) error {
	for len(objs) > 0 {
		n := min(len(objs), gate.MaxDelete)
		if err := v.host.Delete(objs[:n]...); err != nil {
			return fmt.Errorf("vault: delete: %w", err)
		}
		objs = objs[n:]
	}
	return nil
}

// relieve syncs when much waits in memory. Called without locks after a commit.
func (v *Vault) relieve() error {
	v.mu.Lock()
	much := v.pending.size > maxPending
	v.mu.Unlock()
	if !much {
		return nil
	}
	return v.syncCatalogue()
}
