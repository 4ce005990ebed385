package merkle

import (
	"errors"
	"fmt"
	"math/rand"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"pgregory.net/rapid"

	"cloister/wire"
)

var referenceHasher = rfc6962.DefaultHasher

// list is a host as this package sees one: stored tiles, and the reference
// tree to compare with.
type list struct {
	tiles map[[2]uint64][]byte
	ref   *testonly.Tree
}

func newList() *list {
	return &list{map[[2]uint64][]byte{}, testonly.New(referenceHasher)}
}

func (l *list) Tile(level, index uint64) ([]byte, error) {
	return l.tiles[[2]uint64{level, index}], nil
}

func (l *list) append(t interface{ Fatal(...any) }, leaves []wire.Hash) {
	changed, err := AppendTiles(l, l.ref.Size(), leaves)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changed {
		l.tiles[[2]uint64{c.Level, c.Index}] = c.Data
	}
	for _, h := range leaves {
		l.ref.Append(h[:])
	}
}

func (l *list) root(size uint64) wire.Hash { return wire.Hash(l.ref.HashAt(size)) }

func samePath(ours []wire.Hash, theirs [][]byte) error {
	if len(ours) != len(theirs) {
		return fmt.Errorf("%d hashes, the reference has %d", len(ours), len(theirs))
	}
	for i := range ours {
		if ours[i] != wire.Hash(theirs[i]) {
			return fmt.Errorf("hash %d differs from the reference", i)
		}
	}
	return nil
}

func (l *list) checkInclusion(t interface{ Fatalf(string, ...any) }, index, size uint64) {
	path, err := InclusionProof(l, index, size)
	if err != nil {
		t.Fatalf("leaf %d of %d: %v", index, size, err)
	}
	want, err := l.ref.InclusionProof(index, size)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := samePath(path, want); err != nil {
		t.Fatalf("leaf %d of %d: %v", index, size, err)
	}
	if err := VerifyInclusion(wire.Hash(l.ref.LeafHash(index)), index, size, path, l.root(size)); err != nil {
		t.Fatalf("leaf %d of %d: %v", index, size, err)
	}
}

func (l *list) checkConsistency(t interface{ Fatalf(string, ...any) }, size1, size2 uint64) {
	path, err := ConsistencyProof(l, size1, size2)
	if err != nil {
		t.Fatalf("%d in %d: %v", size1, size2, err)
	}
	want, err := l.ref.ConsistencyProof(size1, size2)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := samePath(path, want); err != nil {
		t.Fatalf("%d in %d: %v", size1, size2, err)
	}
	if err := VerifyConsistency(size1, l.root(size1), size2, l.root(size2), path); err != nil {
		t.Fatalf("%d in %d: %v", size1, size2, err)
	}
}

func TestEveryProofUpTo300Leaves(t *testing.T) {
	l := newList()
	l.append(t, numbered(300))
	for size := uint64(0); size <= 300; size++ {
		for index := range size {
			l.checkInclusion(t, index, size)
			l.checkConsistency(t, index, size)
		}
		l.checkConsistency(t, size, size)
	}
}

func TestProofsOfLongLists(t *testing.T) {
	l := newList()
	leaves, most := numbered(70_000), uint64(70_000)
	for at, step := 0, 1; at < len(leaves); step = step*3 + 1 {
		n := min(step, len(leaves)-at)
		l.append(t, leaves[at:at+n])
		at += n
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(1, most).Draw(t, "size")
		l.checkInclusion(t, rapid.Uint64Range(0, size-1).Draw(t, "index"), size)
		l.checkConsistency(t, rapid.Uint64Range(0, size).Draw(t, "size1"), size)
	})
	for _, size := range []uint64{255, 256, 257, 65_535, 65_536, 65_537, 65_792, most} {
		l.checkInclusion(t, size-1, size)
		l.checkInclusion(t, 0, size)
		l.checkConsistency(t, size-1, size)
	}
}

func TestTilesDoNotDependOnHowLeavesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		leaves := drawLeaves(t, "leaves", 1500)
		whole, parts := newList(), newList()
		whole.append(t, leaves)
		for rest := leaves; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "part")
			parts.append(t, rest[:n])
			rest = rest[n:]
		}
		if fmt.Sprint(whole.tiles) != fmt.Sprint(parts.tiles) {
			t.Fatal("same leaves, other tiles")
		}
		size := rapid.Uint64Range(0, uint64(len(leaves))).Draw(t, "size")
		if r, err := RangeAt(parts, size); err != nil || r.Root() != Root(leaves[:size]) || r.Size() != size {
			t.Fatalf("range rebuilt at %d differs: %v", size, err)
		}
	})
}

func TestAListIsShortenedByContinuingFromASmallerSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := drawLeaves(t, "old", 1500)
		kept := rapid.IntRange(0, len(old)).Draw(t, "kept")
		l := newList()
		l.append(t, old)
		l.ref = testonly.New(referenceHasher)
		for _, h := range old[:kept] {
			l.ref.Append(h[:])
		}
		fresh := make([]wire.Hash, rapid.IntRange(1, 600).Draw(t, "fresh"))
		for i := range fresh {
			fresh[i] = LeafHash(fmt.Append(nil, "fresh", i))
		}
		l.append(t, fresh)
		size := l.ref.Size()
		l.checkInclusion(t, rapid.Uint64Range(0, size-1).Draw(t, "index"), size)
		l.checkConsistency(t, rapid.Uint64Range(0, size).Draw(t, "size1"), size)
	})
}

func TestEveryChangedBitOfAProofIsRefused(t *testing.T) {
	l := newList()
	l.append(t, numbered(45))
	for _, at := range [][2]uint64{{0, 1}, {0, 2}, {6, 7}, {13, 45}, {44, 45}, {31, 32}} {
		index, size := at[0], at[1]
		leaf, root := wire.Hash(l.ref.LeafHash(index)), l.root(size)
		path, err := InclusionProof(l, index, size)
		if err != nil {
			t.Fatal(err)
		}
		everyChangedBit(t, append([]wire.Hash{leaf, root}, path...), func(h []wire.Hash) error {
			return VerifyInclusion(h[0], index, size, h[2:], h[1])
		})
		for other := range size {
			if other != index && VerifyInclusion(leaf, other, size, path, root) == nil {
				t.Errorf("leaf %d of %d passes as leaf %d", index, size, other)
			}
		}
		wrongLengths(t, path, func(p []wire.Hash) error { return VerifyInclusion(leaf, index, size, p, root) })
	}
	for _, at := range [][2]uint64{{0, 45}, {1, 45}, {13, 45}, {32, 45}, {44, 45}, {45, 45}} {
		size1, size2 := at[0], at[1]
		path, err := ConsistencyProof(l, size1, size2)
		if err != nil {
			t.Fatal(err)
		}
		root1, root2 := l.root(size1), l.root(size2)
		given := append([]wire.Hash{root1, root2}, path...)
		if size1 == 0 {
			// Every list begins with the empty one, so root2 is free.
			given = given[:1]
		}
		everyChangedBit(t, given, func(h []wire.Hash) error {
			if size1 == 0 {
				return VerifyConsistency(size1, h[0], size2, root2, path)
			}
			return VerifyConsistency(size1, h[0], size2, h[1], h[2:])
		})
		wrongLengths(t, path, func(p []wire.Hash) error { return VerifyConsistency(size1, root1, size2, root2, p) })
	}
}

func everyChangedBit(t *testing.T, hashes []wire.Hash, verify func([]wire.Hash) error) {
	t.Helper()
	if err := verify(hashes); err != nil {
		t.Fatal(err)
	}
	for i := range hashes {
		for bit := range 256 {
			hashes[i][bit/8] ^= 1 << (bit % 8)
			if err := verify(hashes); !errors.Is(err, ErrRoot) || !errors.Is(err, wire.ErrProof) {
				t.Fatalf("hash %d with bit %d changed: %v", i, bit, err)
			}
			hashes[i][bit/8] ^= 1 << (bit % 8)
		}
	}
}

func wrongLengths(t *testing.T, path []wire.Hash, verify func([]wire.Hash) error) {
	t.Helper()
	wrong := [][]wire.Hash{append(append([]wire.Hash(nil), path...), wire.Hash{}), make([]wire.Hash, 10_000)}
	if len(path) > 0 {
		wrong = append(wrong, path[1:], path[:len(path)-1])
	}
	for _, p := range wrong {
		if err := verify(p); !errors.Is(err, ErrPathLength) || wire.CodeOf(err) != wire.ErrProof {
			t.Fatalf("%d hashes instead of %d: %v", len(p), len(path), err)
		}
	}
}

func TestImpossiblePositionsAreRefused(t *testing.T) {
	l := newList()
	l.append(t, numbered(5))
	root := l.root(5)
	for _, err := range []error{
		VerifyInclusion(root, 0, 0, nil, EmptyRoot),
		VerifyInclusion(root, 5, 5, nil, root),
		VerifyInclusion(root, 0, MaxSize+1, make([]wire.Hash, 63), root),
		VerifyConsistency(6, root, 5, root, nil),
		VerifyConsistency(5, root, 1<<63, root, nil),
	} {
		if !errors.Is(err, ErrPosition) || wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("got %v", err)
		}
	}
	_, e1 := InclusionProof(l, 5, 5)
	_, e2 := ConsistencyProof(l, 4, 3)
	_, e3 := ConsistencyProof(l, 4, 1<<63)
	_, e4 := RangeAt(l, 1<<63)
	for _, err := range []error{e1, e2, e3, e4} {
		if !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("got %v", err)
		}
	}
	for _, size := range []uint64{MaxSize, MaxSize + 1, 1 << 63} {
		if _, err := AppendTiles(l, size, numbered(1)); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("a list of %d was continued: %v", size, err)
		}
	}
}

func TestAMadeUpRootIsNotTheEmptyLists(t *testing.T) {
	if err := VerifyConsistency(0, wire.Hash{1}, 3, Root(numbered(3)), nil); !errors.Is(err, ErrRoot) {
		t.Errorf("got %v", err)
	}
}

func TestDamagedTilesAreErrorsOrWrongProofs(t *testing.T) {
	l := newList()
	l.append(t, numbered(70_000))
	broken := errors.New("disk on fire")
	rng := rand.New(rand.NewSource(1))
	damages := map[string]struct {
		damage func([]byte) ([]byte, error)
		want   error
	}{
		"missing":   {func([]byte) ([]byte, error) { return nil, nil }, ErrTile},
		"shortened": {func(b []byte) ([]byte, error) { return b[:len(b)-hashSize], nil }, ErrTile},
		"uneven":    {func(b []byte) ([]byte, error) { return b[:len(b)-1], nil }, ErrTile},
		"too long":  {func(b []byte) ([]byte, error) { return append(make([]byte, MaxTile), b...), nil }, ErrTile},
		"unread":    {func([]byte) ([]byte, error) { return nil, broken }, broken},
	}
	for name, d := range damages {
		store := damaged{l, d.damage}
		for range 20 {
			size := 1 + uint64(rng.Intn(70_000))
			// The store holds the full list; only its last tile is short of
			// what the full size needs.
			if name == "shortened" {
				size = 70_000
			}
			if size == 1 {
				continue
			}
			if _, err := InclusionProof(store, size-1, size); name != "shortened" && !errors.Is(err, d.want) {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := RangeAt(store, size); !errors.Is(err, d.want) {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := AppendTiles(store, 70_000, numbered(1)); !errors.Is(err, d.want) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	flipped := damaged{l, func(b []byte) ([]byte, error) {
		c := append([]byte(nil), b...)
		for i := 0; i < len(c); i += hashSize {
			c[i] ^= 1
		}
		return c, nil
	}}
	path, err := InclusionProof(flipped, 12_345, 70_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyInclusion(wire.Hash(l.ref.LeafHash(12_345)), 12_345, 70_000, path, l.root(70_000)); !errors.Is(err, ErrRoot) {
		t.Errorf("a proof from changed tiles: %v", err)
	}
}

type damaged struct {
	*list
	damage func([]byte) ([]byte, error)
}

func (d damaged) Tile(level, index uint64) ([]byte, error) {
	b, _ := d.list.Tile(level, index)
	return d.damage(b)
}

// FuzzVerify holds our verdict against the library's for arbitrary input.
func FuzzVerify(f *testing.F) {
	l := newList()
	leaves := numbered(20)
	l.append(f, leaves)
	for _, index := range []uint64{0, 7, 16, 19} {
		path, err := InclusionProof(l, index, 20)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(index, uint64(20), flat(path))
		if path, err = ConsistencyProof(l, index, 20); err != nil {
			f.Fatal(err)
		}
		f.Add(index, uint64(20), flat(path))
	}
	f.Fuzz(func(t *testing.T, index, size uint64, raw []byte) {
		path := make([]wire.Hash, len(raw)/hashSize)
		for i := range path {
			path[i] = wire.Hash(raw[i*hashSize:])
		}
		leaf, root := leaves[index%20], l.root(20)
		accepted := VerifyInclusion(leaf, index, size, path, root) == nil
		if size == 20 && accepted != (index < 20 && len(path) > 0 && samePath(path, mustProve(t, l, index)) == nil) {
			t.Fatalf("leaf %d of %d: accepted is %v", index, size, accepted)
		}
		old := l.root(min(index, 20))
		ours := VerifyConsistency(index, old, size, root, path)
		theirs := proof.VerifyConsistency(referenceHasher, index, size, byteSlices(path), old[:], root[:])
		if size <= MaxSize && index > 0 && (ours == nil) != (theirs == nil) {
			t.Fatalf("%d in %d: we say %v, the library %v", index, size, ours, theirs)
		}
	})
}

func flat(path []wire.Hash) (b []byte) {
	for _, h := range path {
		b = append(b, h[:]...)
	}
	return b
}

func mustProve(t *testing.T, l *list, index uint64) [][]byte {
	path, err := l.ref.InclusionProof(index, 20)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func BenchmarkInclusionProofOf70000(b *testing.B) {
	l := newList()
	l.append(b, numbered(70_000))
	for i := uint64(0); b.Loop(); i++ {
		if _, err := InclusionProof(l, i*7919%70_000, 70_000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendOneToAPartialTile(b *testing.B) {
	l := newList()
	l.append(b, numbered(70_000))
	one := numbered(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendTiles(l, 70_000, one); err != nil {
			b.Fatal(err)
		}
	}
}
