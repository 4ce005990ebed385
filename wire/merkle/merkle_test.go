package merkle

import (
	"bytes"
	"testing"

	"github.com/transparency-dev/merkle/testonly"
	"pgregory.net/rapid"

	"cloister/wire"
)

// numbered returns n distinct leaf hashes.
func numbered(n int) []wire.Hash {
	leaves := make([]wire.Hash, n)
	for i := range leaves {
		leaves[i] = LeafHash(wire.U64(uint64(i)))
	}
	return leaves
}

func drawLeaves(t *rapid.T, label string, most int) []wire.Hash {
	return rapid.Custom(func(t *rapid.T) []wire.Hash {
		return numbered(rapid.IntRange(0, most).Draw(t, "n"))
	}).Draw(t, label)
}

func TestRFC6962Vectors(t *testing.T) {
	var leaves []wire.Hash
	var r Range
	for n, want := range testonly.RootHashes() {
		if n > 0 {
			leaves = append(leaves, LeafHash(testonly.LeafInputs()[n-1]))
			r.Append(leaves[n-1])
		}
		if got := Root(leaves); got != wire.Hash(want) {
			t.Errorf("root over %d leaves is %s, want %x", n, got, want)
		}
		if got := r.Root(); got != wire.Hash(want) || r.Size() != uint64(n) {
			t.Errorf("range over %d leaves has size %d, root %s, want %x", n, r.Size(), got, want)
		}
	}
	for i, want := range testonly.NodeHashes()[0] {
		if leaves[i] != wire.Hash(want) {
			t.Errorf("leaf %d is %s, want %x", i, leaves[i], want)
		}
	}
	for i, want := range testonly.NodeHashes()[1] {
		if got := NodeHash(leaves[2*i], leaves[2*i+1]); got != wire.Hash(want) {
			t.Errorf("node %d is %s, want %x", i, got, want)
		}
	}
}

func TestLongLeavesHashLikeShortOnes(t *testing.T) {
	hasher := referenceHasher
	for _, n := range []int{0, 1, 510, 511, 512, 513, 5000} {
		data := bytes.Repeat([]byte{7}, n)
		if got := LeafHash(data); !bytes.Equal(got[:], hasher.HashLeaf(data)) {
			t.Errorf("leaf of %d bytes hashes to %s", n, got)
		}
	}
}

func TestListPathsVerifyForEveryIndexAndSize(t *testing.T) {
	for n := 1; n <= 100; n++ {
		leaves := numbered(n)
		kept := append([]wire.Hash(nil), leaves...)
		root := Root(leaves)
		for i := range leaves {
			if err := VerifyInclusion(leaves[i], uint64(i), uint64(n), Path(leaves, i), root); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
		}
		for i := range leaves {
			if leaves[i] != kept[i] {
				t.Fatal("Path changed the caller's leaves")
			}
		}
	}
}

func TestRootAllocatesNothing(t *testing.T) {
	leaves := numbered(1000)
	if n := testing.AllocsPerRun(10, func() { Root(leaves) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRangesGrowApartAfterACopy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		common := drawLeaves(t, "common", 200)
		var a Range
		for _, h := range common {
			a.Append(h)
		}
		b, root := a.Clone(), a.Root()
		extra := numbered(rapid.IntRange(1, 50).Draw(t, "extra"))
		for _, h := range extra {
			b.Append(h)
		}
		if a.Root() != root || a.Size() != uint64(len(common)) {
			t.Fatal("appending to the copy changed the original")
		}
		if want := Root(append(common, extra...)); b.Root() != want {
			t.Fatal("the copy has another root than its leaves")
		}
	})
}

func TestRangeSurvivesItsEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r, direct, inside Range
		for _, h := range drawLeaves(t, "leaves", 300) {
			r.Append(h)
		}
		b, _ := r.MarshalBinary()
		if err := direct.UnmarshalBinary(b); err != nil || direct != r {
			t.Fatalf("decoded %v, %v", direct.Size(), err)
		}
		if err := wire.Unmarshal(wire.Marshal(r), &inside, 4096); err != nil || inside != r {
			t.Fatalf("decoded from CBOR %v, %v", inside.Size(), err)
		}
		for _, bad := range [][]byte{b[:len(b)-1], append(b, 0), append(b, make([]byte, 32)...)} {
			if err := direct.UnmarshalBinary(bad); err == nil || direct != r {
				t.Fatalf("%d bytes instead of %d accepted", len(bad), len(b))
			}
		}
	})
}

func TestRangeBeyondTheLimitIsRefused(t *testing.T) {
	var r Range
	for _, size := range []uint64{MaxSize, MaxSize/2 + 1<<40, 1 << 63} {
		edges := make([]byte, 2*hashSize)
		for _, hashes := range []int{0, 1, 2} {
			if err := r.UnmarshalBinary(append(wire.U64(size), edges[:hashes*hashSize]...)); err == nil {
				t.Errorf("size %d accepted", size)
			}
		}
	}
}

func FuzzRangeDecoder(f *testing.F) {
	var r Range
	for _, h := range numbered(7) {
		b, _ := r.MarshalBinary()
		f.Add(b)
		r.Append(h)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Range
		if r.UnmarshalBinary(b) != nil {
			if r != (Range{}) {
				t.Fatal("a refused encoding left traces")
			}
			return
		}
		again, _ := r.MarshalBinary()
		if !bytes.Equal(again, b) {
			t.Fatalf("%x is a second encoding of %x", b, again)
		}
		r.Append(wire.Hash{1})
		r.Root()
	})
}

func BenchmarkRoot1000(b *testing.B) {
	leaves := numbered(1000)
	b.ReportAllocs()
	for b.Loop() {
		Root(leaves)
	}
}
