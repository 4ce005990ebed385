package tree_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/smt"
	"cloister/wire/smt/smttest"
)

// store is the caller's database: pages, and which of them each version made
// stale.
type store struct {
	pages map[string][]byte
	stale map[uint64][][]byte
}

func newStore() *store { return &store{map[string][]byte{}, map[uint64][][]byte{}} }

func (s *store) Get(key []byte) ([]byte, error) { return s.pages[string(key)], nil }

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// update runs tree.Update, checks what must hold for every one, and stores
// the result.
func (s *store) update(t fataler, old tree.Root, version uint64, changes []tree.Change) tree.Root {
	t.Helper()
	root, writes, stale, err := tree.Update(s, old, version, changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range stale {
		if s.pages[string(key)] == nil {
			t.Fatalf("%x was made stale and never was a page", key)
		}
	}
	for _, w := range writes {
		if s.pages[string(w.Key)] != nil {
			t.Fatalf("page %x was overwritten", w.Key)
		}
		s.pages[string(w.Key)] = w.Value
	}
	s.stale[version] = stale
	return root
}

// prune deletes what roots from version on do not read.
func (s *store) prune(version uint64) {
	for v, keys := range s.stale {
		if v <= version {
			for _, key := range keys {
				delete(s.pages, string(key))
			}
			delete(s.stale, v)
		}
	}
}

// check proves every key of a set under a root and compares with what the
// reference tree holds.
func (s *store) check(t fataler, root tree.Root, want smttest.Tree, keys []wire.Hash) {
	t.Helper()
	for _, key := range keys {
		p, value, err := tree.Prove(s, root, key)
		if err != nil {
			t.Fatalf("%s under version %d: %v", key, root.Version, err)
		}
		if value != want[key] {
			t.Fatalf("%s under version %d is %s, want %s", key, root.Version, value, want[key])
		}
		if value.IsZero() {
			err = smt.VerifyAbsence(root.Hash, key, p)
		} else {
			err = smt.VerifyInclusion(root.Hash, smt.Leaf{Key: key, Value: value}, p)
		}
		if err != nil {
			t.Fatalf("%s under version %d: %v", key, root.Version, err)
		}
	}
}

// universe is a small set of positions that differ in their first, middle or
// very last bits, so that random batches meet each other at every depth.
var universe = func() (keys []wire.Hash) {
	for _, first := range []byte{0x00, 0x01, 0x10, 0x7F, 0x80, 0xFF} {
		for _, middle := range []byte{0x00, 0x80} {
			for _, last := range []byte{0x00, 0x01, 0xFF} {
				keys = append(keys, wire.Hash{0: first, 15: middle, 31: last})
			}
		}
	}
	return append(keys, positions(30)...)
}()

// positions returns those of n application keys.
func positions(n int) []wire.Hash {
	keys := make([]wire.Hash, n)
	for i := range keys {
		keys[i] = smt.KeyHash(fmt.Append(nil, i))
	}
	return keys
}

// setting makes a sorted batch that sets keys to one value, or deletes them.
func setting(value wire.Hash, keys ...wire.Hash) []tree.Change {
	changes := make([]tree.Change, len(keys))
	for i, key := range keys {
		changes[i] = tree.Change{Key: key, Value: value}
	}
	return sorted(changes)
}

func sorted(changes []tree.Change) []tree.Change {
	slices.SortFunc(changes, func(a, b tree.Change) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return changes
}

// drawBatch draws changes to keys of the universe: sets, resets to the same
// value, and deletions of present and absent keys.
func drawBatch(t *rapid.T) []tree.Change {
	picked := rapid.SliceOfNDistinct(rapid.IntRange(0, len(universe)-1), 0, 20, rapid.ID[int]).Draw(t, "keys")
	changes := make([]tree.Change, len(picked))
	for i, k := range picked {
		changes[i] = tree.Change{Key: universe[k], Value: wire.Hash{rapid.ByteRange(0, 3).Draw(t, "value")}}
	}
	return sorted(changes)
}

func applied(to smttest.Tree, changes []tree.Change) smttest.Tree {
	next := maps.Clone(to)
	for _, c := range changes {
		if c.Value.IsZero() {
			delete(next, c.Key)
		} else {
			next[c.Key] = c.Value
		}
	}
	return next
}

// era is one root and what it holds.
type era struct {
	root tree.Root
	held smttest.Tree
}

// drawHistory runs random batches and returns every state from the empty one on.
func drawHistory(t *rapid.T, s *store) []era {
	eras := []era{{held: smttest.Tree{}}}
	for i := range rapid.IntRange(1, 12).Draw(t, "batches") {
		last := eras[len(eras)-1]
		changes := drawBatch(t)
		held := applied(last.held, changes)
		root := s.update(t, last.root, uint64(10*i), changes)
		if want := held.Root(); root.Hash != want {
			t.Fatalf("batch %d: root %s, the reference has %s", i, root.Hash, want)
		}
		if root.Hash == last.root.Hash && root != last.root {
			t.Fatalf("batch %d changed nothing and made another root", i)
		}
		eras = append(eras, era{root, held})
	}
	return eras
}

func TestRootsAndProofsAreThoseOfTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		for _, e := range drawHistory(t, s) {
			picked := rapid.SliceOfN(rapid.SampledFrom(universe), 10, 10).Draw(t, "picked")
			s.check(t, e.root, e.held, picked)
			p, _, err := tree.Prove(s, e.root, picked[0])
			if want := e.held.Prove(picked[0]); err != nil || !bytes.Equal(p.Encode(), want.Encode()) {
				t.Fatalf("the proof for %s is not the reference's (%v)", picked[0], err)
			}
		}
	})
}

func TestPruningKeepsEveryRootFromThatVersionOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		eras := drawHistory(t, s)
		oldest := rapid.IntRange(0, len(eras)-1).Draw(t, "oldest")
		s.prune(eras[oldest].root.Version)
		for _, e := range eras[oldest:] {
			s.check(t, e.root, e.held, universe)
		}
		for _, e := range eras[:oldest] {
			if e.root == eras[oldest].root || e.root.Hash == smt.Empty {
				continue
			}
			if _, _, err := tree.Prove(s, e.root, universe[0]); !errors.Is(err, tree.ErrUnknownRoot) {
				t.Fatalf("version %d was pruned: %v", e.root.Version, err)
			}
		}
	})
}

// TestPruningLeavesNothingBehind finds leaks: once only the newest root is
// kept, the store holds the pages of a tree built in one go and no others.
func TestPruningLeavesNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, fresh := newStore(), newStore()
		eras := drawHistory(t, s)
		last := eras[len(eras)-1]
		s.prune(last.root.Version)
		fresh.update(t, tree.Root{}, 1, changesOf(last.held))
		if got, want := paths(s), paths(fresh); !slices.Equal(got, want) {
			t.Fatalf("%d pages are left, a fresh tree has %d", len(got), len(want))
		}
	})
}

func changesOf(held smttest.Tree) []tree.Change {
	changes := []tree.Change{}
	for key, value := range held {
		changes = append(changes, tree.Change{Key: key, Value: value})
	}
	return sorted(changes)
}

// paths are the page keys without their versions.
func paths(s *store) []string {
	var out []string
	for key := range s.pages {
		out = append(out, key[8:])
	}
	slices.Sort(out)
	return out
}

func TestDeletionGivesTheRootOfATreeThatNeverHeldTheKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held, extra := map[wire.Hash]bool{}, []wire.Hash{}
		for _, key := range universe {
			switch rapid.IntRange(0, 2).Draw(t, "in") {
			case 1:
				held[key] = true
			case 2:
				extra = append(extra, key)
			}
		}
		kept := slices.Collect(maps.Keys(held))
		without, with := newStore(), newStore()
		want := without.update(t, tree.Root{}, 1, setting(wire.Hash{1}, kept...))
		root := with.update(t, tree.Root{}, 1, setting(wire.Hash{1}, append(kept, extra...)...))
		root = with.update(t, root, 2, setting(wire.Hash{}, extra...))
		if root.Hash != want.Hash {
			t.Fatalf("root is %s, never having held %d keys gives %s", root.Hash, len(extra), want.Hash)
		}
	})
}

func TestChangesThatChangeNothingWriteNothing(t *testing.T) {
	s := newStore()
	keys := positions(40)
	root := s.update(t, tree.Root{}, 1, setting(wire.Hash{1}, keys[:30]...))
	pages := len(s.pages)
	for _, changes := range [][]tree.Change{
		nil,
		setting(wire.Hash{1}, keys[3:9]...),
		setting(wire.Hash{}, keys[30:]...),
	} {
		if again := s.update(t, root, 2, changes); again != root || len(s.pages) != pages || len(s.stale[2]) != 0 {
			t.Errorf("root %v became %v, %d pages became %d", root, again, pages, len(s.pages))
		}
	}
	if again := s.update(t, tree.Root{}, 2, setting(wire.Hash{}, keys...)); again != (tree.Root{}) {
		t.Errorf("deleting from the empty tree made %v", again)
	}
}

func TestATreeEmptiesAndFillsAgain(t *testing.T) {
	s := newStore()
	keys := positions(20)
	full := s.update(t, tree.Root{}, 0, setting(wire.Hash{1}, keys...))
	none := s.update(t, full, 1, setting(wire.Hash{}, keys...))
	if none.Hash != smt.Empty || none.Version != 1 {
		t.Errorf("emptied root is %v", none)
	}
	again := s.update(t, none, 2, setting(wire.Hash{1}, keys...))
	if again.Hash != full.Hash {
		t.Errorf("root %s is not %s", again.Hash, full.Hash)
	}
	s.prune(1)
	s.check(t, none, smttest.Tree{}, keys)
	if len(s.stale[2]) != 0 {
		t.Error("filling an empty tree made pages stale")
	}
}

func TestARootSurvivesItsEncoding(t *testing.T) {
	want := tree.Root{Version: 7, Hash: wire.Hash{9}}
	var got tree.Root
	if err := wire.Unmarshal(wire.Marshal(want), &got, 64); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRulesOfUpdateAreEnforced(t *testing.T) {
	s := newStore()
	a, b := wire.Hash{1}, wire.Hash{2}
	root := s.update(t, tree.Root{}, 5, setting(wire.Hash{1}, a, b))
	empty := s.update(t, root, 6, setting(wire.Hash{}, a, b))
	for what, c := range map[string]struct {
		old     tree.Root
		version uint64
		changes []tree.Change
	}{
		"the version of the old root":         {root, 5, setting(wire.Hash{2}, a)},
		"an older version":                    {root, 4, setting(wire.Hash{2}, a)},
		"the version that emptied the tree":   {empty, 6, setting(wire.Hash{2}, a)},
		"a key twice":                         {root, 7, []tree.Change{{Key: a}, {Key: a}}},
		"keys in descending order":            {root, 7, []tree.Change{{Key: b}, {Key: a}}},
		"the version of the root, no changes": {root, 5, nil},
	} {
		if _, _, _, err := tree.Update(s, c.old, c.version, c.changes); !errors.Is(err, tree.ErrMisuse) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAnyDamageStopsTheUpdate changes every byte of every page in turn, cuts
// it, and removes it. An Update that reads all of them must refuse; a proof is
// refused or, where the damage is elsewhere, holds.
func TestAnyDamageStopsTheUpdate(t *testing.T) {
	s := newStore()
	keys := append(positions(40), wire.Hash{31: 1}, wire.Hash{31: 2})
	root := s.update(t, tree.Root{}, 1, setting(wire.Hash{1}, keys[:20]...))
	root = s.update(t, root, 2, setting(wire.Hash{1}, keys[20:]...))
	changes := setting(wire.Hash{2}, keys...)
	s.prune(2)

	for name, intact := range s.pages {
		for i := range intact {
			s.pages[name] = bytes.Clone(intact)
			s.pages[name][i] ^= 1 << (i % 8)
			if got, _, _, err := tree.Update(s, root, 3, changes); !errors.Is(err, tree.ErrPage) {
				t.Fatalf("page %x with byte %d changed: root %v, %v", name, i, got, err)
			}
			key := keys[i%len(keys)]
			p, value, err := tree.Prove(s, root, key)
			if err == nil {
				err = smt.VerifyInclusion(root.Hash, smt.Leaf{Key: key, Value: value}, p)
			}
			if err != nil && !errors.Is(err, tree.ErrPage) {
				t.Fatalf("page %x with byte %d changed: a proof of %s that does not hold: %v", name, i, key, err)
			}
		}
		for n := range len(intact) {
			s.pages[name] = intact[:n]
			if _, _, _, err := tree.Update(s, root, 3, changes); !errors.Is(err, tree.ErrPage) {
				t.Fatalf("page %x cut to %d bytes: %v", name, n, err)
			}
		}
		delete(s.pages, name)
		missing := tree.ErrPage
		if name[8] == 0 {
			missing = tree.ErrUnknownRoot
		}
		if _, _, _, err := tree.Update(s, root, 3, changes); !errors.Is(err, missing) {
			t.Fatalf("page %x missing: %v", name, err)
		}
		s.pages[name] = intact
	}
}

// TestPagesCannotBeExchanged swaps two valid pages of the same place: an older
// state must not pass for the newer one.
func TestPagesCannotBeExchanged(t *testing.T) {
	s := newStore()
	keys := positions(40)
	before := s.update(t, tree.Root{}, 1, setting(wire.Hash{1}, keys...))
	after := s.update(t, before, 2, setting(wire.Hash{2}, keys...))
	for name, page := range s.pages {
		if name[7] == 2 {
			if old := s.pages["\x00\x00\x00\x00\x00\x00\x00\x01"+name[8:]]; old == nil {
				t.Fatal("both versions touch every page")
			} else {
				s.pages[name] = old
			}
			if _, _, _, err := tree.Update(s, after, 3, setting(wire.Hash{3}, keys...)); !errors.Is(err, tree.ErrPage) {
				t.Errorf("page %x from version 1 in place of version 2: %v", name, err)
			}
			s.pages[name] = page
		}
	}
}

type failing struct{ err error }

func (f failing) Get([]byte) ([]byte, error) { return nil, f.err }

func TestReaderErrorsComeThrough(t *testing.T) {
	broken := errors.New("disk on fire")
	root := tree.Root{Version: 1, Hash: wire.Hash{1}}
	if _, _, _, err := tree.Update(failing{broken}, root, 2, setting(wire.Hash{1}, wire.Hash{1})); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, _, err := tree.Prove(failing{broken}, root, wire.Hash{1}); !errors.Is(err, broken) {
		t.Error(err)
	}
}
