package tree_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"testing"

	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/smt"
)

// million is a tree of a million keys in memory, as a store with every page
// cached; built once for all benchmarks of a run.
var million struct {
	*store
	root tree.Root
}

const millionKeys = 1_000_000

func millionth(i int) wire.Hash {
	return smt.KeyHash(binary.BigEndian.AppendUint32(nil, uint32(i)))
}

func buildMillion(b *testing.B) {
	if million.store != nil {
		return
	}
	s := newStore()
	root := tree.Root{}
	const part = 100_000
	for v := range millionKeys / part {
		keys := make([]wire.Hash, part)
		for i := range keys {
			keys[i] = millionth(v*part + i)
		}
		root = s.update(b, root, uint64(v), setting(wire.Hash{1}, keys...))
		s.prune(root.Version)
	}
	million.store, million.root = s, root
}

// BenchmarkUpdate changes random keys of a million. ns/key is the number to
// watch; pages/key and B/key are what a block adds to the store.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{1, 2, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			buildMillion(b)
			rng := rand.New(rand.NewSource(1))
			batches := make([][]tree.Change, 16)
			for i := range batches {
				keys := make([]wire.Hash, n)
				for j, k := range rng.Perm(millionKeys)[:n] {
					keys[j] = millionth(k)
				}
				batches[i] = setting(wire.Hash{2}, keys...)
			}
			var pages, size int
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				_, writes, _, err := tree.Update(million, million.root, million.root.Version+1, batches[i%len(batches)])
				if err != nil {
					b.Fatal(err)
				}
				pages += len(writes)
				for _, w := range writes {
					size += len(w.Key) + len(w.Value)
				}
			}
			changed := float64(b.N * n)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/changed, "ns/key")
			b.ReportMetric(float64(pages)/changed, "pages/key")
			b.ReportMetric(float64(size)/changed, "B/key")
		})
	}
}

func BenchmarkProve(b *testing.B) {
	buildMillion(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, _, err := tree.Prove(million, million.root, millionth(i*7919%millionKeys)); err != nil {
			b.Fatal(err)
		}
	}
}
