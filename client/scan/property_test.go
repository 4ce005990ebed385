package scan

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/factom"
)

// TestNoByteOfAnyBlockCanBeChanged: whatever one byte of any object becomes, the
// chain is not valid up to the block that leads to it.
func TestNoByteOfAnyBlockCanBeChanged(t *testing.T) {
	w := newWorld().run(6)
	objects := slices.SortedFunc(maps.Keys(w.objects), func(a, b object) int {
		return slices.Compare(append([]byte{byte(a.kind)}, a.key[:]...), append([]byte{byte(b.kind)}, b.key[:]...))
	})
	b := anchoring(w)
	rapid.Check(t, func(rt *rapid.T) {
		target := objects[rapid.IntRange(0, len(objects)-1).Draw(rt, "object")]
		whole := w.objects[target]
		at, to := rapid.IntRange(0, len(whole)-1).Draw(rt, "byte"), rapid.ByteRange(1, 255).Draw(rt, "change")
		p := of(w)
		p.change = func(kind Kind, key wire.Hash, b []byte) ([]byte, error) {
			if (object{kind, key}) == target {
				b = bytes.Clone(b)
				b[at] ^= to
			}
			return b, nil
		}
		r, _, err := Run(t.Context(), w.network(), []Peer{p}, b, Options{}, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if h := int64(w.heights[target]); r.Grades.Valid >= h || r.Grades.Anchored >= h {
			rt.Fatalf("byte %d of %s at height %d is changed, and the grades are %+v", at, target.kind, h, r.Grades)
		}
	})
}

// TestEveryHonestNetworkIsValid: whatever an honest network does, all of it has its
// grades, by one worker or many, at once or in two scans.
func TestEveryHonestNetworkIsValid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld().run(1)
		blocks := rapid.IntRange(1, 6).Draw(rt, "blocks")
		middle := w.clone()
		var waiting []entryPlan // paid for, not shown
		for i := range blocks {
			p := plan{coinbase: coinbaseAt(w.height()), silent: rapid.Bool().Draw(rt, "silent")}
			if w.height()%2 == 0 {
				p.admin = []factom.AdminMessage{&factom.CoinbaseDescriptor{Outputs: promised2(w.height())}}
			}
			for range rapid.IntRange(0, 2).Draw(rt, "transfers") {
				p.transactions = append(p.transactions, w.transfer("rich", "poor", rapid.Uint64Range(0, 1<<30).Draw(rt, "amount"), rapid.Uint64Range(0, 1<<20).Draw(rt, "purchase")))
			}
			for j := range rapid.IntRange(0, 4).Draw(rt, "entries") {
				e, c := w.entry("chain 1", fmt.Sprintf("%d %d", i, j))
				p.commits = append(p.commits, c)
				if rapid.Bool().Draw(rt, "later") {
					waiting = append(waiting, e)
				} else {
					p.entries = append(p.entries, e)
				}
			}
			if rapid.Bool().Draw(rt, "show") {
				p.entries, waiting = append(p.entries, waiting...), nil
			}
			if len(w.servers) > 1 && rapid.Bool().Draw(rt, "leave") {
				p.admin = append(p.admin, w.servers[0].leave(w.height()))
				w.close(p)
				w.servers = w.servers[1:]
			} else {
				w.close(p)
			}
			if rapid.Bool().Draw(rt, "middle") {
				middle = w.clone()
			}
		}
		top := int64(w.height()) - 1
		_, half, err := Run(t.Context(), w.network(), []Peer{of(middle)}, nil, Options{}, nil)
		if err != nil {
			rt.Fatal(err)
		}
		whole, state, err := Run(t.Context(), w.network(), []Peer{of(w)}, nil, Options{Workers: 1}, nil)
		if err != nil || whole.Grades != (Grades{top, top - 1, top - 1, None}) {
			rt.Fatalf("%v, %s", err, wire.EncodeJSON(whole))
		}
		_, resumed, err := Run(t.Context(), w.network(), []Peer{of(w)}, nil, Options{}, half)
		if err != nil || !bytes.Equal(resumed.Bytes(), state.Bytes()) {
			rt.Fatalf("in two scans something else is known: %v", err)
		}
	})
}
