package scan

import (
	"errors"
	"slices"
	"testing"

	"cloister/wire"
)

func TestTheOrderOfAnchorsDoesNotMatter(t *testing.T) {
	w := newWorld().run(6)
	c := anchoring(w)
	for i := range c.list { // mined the other way round
		c.list[i].BlockHeight = 200 - c.list[i].BlockHeight
	}
	slices.Reverse(c.list)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 6, 5, 5, 5)
	clean(t, r)
}

func TestForeignAnchorsAreCountedAndIgnored(t *testing.T) {
	w := newWorld().run(4)
	c := anchoring(w)
	for h := range uint32(8) {
		c.anchor(90, newSigner("thief").coin, h, wire.Hash{byte(h)})
	}
	script := w.servers[0].coin // the same hash as a script is another key
	script.Type = 1
	c.anchor(90, script, 2, wire.Hash{2})
	c.anchor(90, w.servers[0].coin, 1_000_000, wire.Hash{2})
	c.list = append(c.list, Anchor{BlockHeight: 90, SpentFrom: w.servers[0].coin, Script: []byte("no anchor")})
	r, _ := scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 4, 3, 3, 3)
	clean(t, r)
	if n := r.Candidates[0].Anchors; n != (AnchorCounts{Deep: 4, Foreign: 9, Unknown: 2, Odd: 1}) {
		t.Errorf("%+v", n)
	}
}

func TestAForgedAnchorByAnAllowedKeyStopsTheScan(t *testing.T) {
	w := newWorld().run(6)
	c := &coin{tip: 200}
	c.anchor(100, w.servers[1].coin, 3, wire.Hash{1})
	r, state := scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 6, 2, 2, None)
	faulty(t, r, ForgedAnchor, 3)
	if state != nil {
		t.Error("a state is handed out that an anchor speaks against")
	}
}

func TestABlockAnchoredTwiceIsAFork(t *testing.T) {
	w := newWorld().run(6)
	c := anchoring(w)
	c.anchor(90, w.servers[1].coin, 3, wire.Hash{1}) // block 3 was anchored by server 0
	r, _ := scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 6, 2, 2, 2)
	faulty(t, r, Fork, 3)
	// The same block by two keys is nothing.
	c = anchoring(w)
	c.anchor(90, w.servers[1].coin, 3, w.keys[3])
	r, _ = scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 6, 5, 5, 5)
	clean(t, r)
}

func TestAKeyCountsFromTheBlockAfterTheOneThatAllowsIt(t *testing.T) {
	w := newWorld().run(2)
	d := newSigner("d")
	p := w.usual()
	p.admin = append(p.admin, d.join(3)...)
	p.admin = append(p.admin, w.servers[0].leave(3))
	w.close(p)
	old := w.servers[0].coin
	w.servers = append(w.servers[1:], d)
	w.run(4)
	for name, v := range map[string]struct {
		by     Spender
		height uint32
		counts bool
	}{
		"new, for the block that allows it": {d.coin, 3, false},
		"new, for the block after":          {d.coin, 4, true},
		"old, for the block that drops it":  {old, 3, true},
		"old, for the block after":          {old, 4, false},
	} {
		c := &coin{tip: 200}
		c.anchor(100, v.by, v.height, w.keys[v.height])
		r, state := scanned(t, w.network(), []Peer{of(w)}, c, Options{MaxGap: 10}, nil)
		if state.isAnchored(v.height) != v.counts || (r.Candidates[0].Anchors.Foreign == 0) != v.counts {
			t.Errorf("%s: %+v", name, r.Candidates[0].Anchors)
		}
	}
}

func TestKeysOfTheNetworkMayAlwaysAnchor(t *testing.T) {
	w := newWorld().run(3)
	n, k := w.network(), newSigner("operator").coin
	n.Anchors = []Spender{k}
	c := &coin{tip: 200}
	for h, key := range w.keys[:3] {
		c.anchor(100, k, uint32(h), key)
	}
	r, _ := scanned(t, n, []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 3, 2, 2, 2)
}

func TestAMissingAnchorEndsTheGradeUnlessAGapIsAllowed(t *testing.T) {
	w := newWorld().run(9)
	c := anchoring(w)
	c.list = slices.Delete(c.list, 4, 6)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, c, Options{MaxGap: 1}, nil)
	graded(t, r, 9, 8, 8, 3)
	if n := found(r.Candidates[0].Notes, AnchorGap); n == nil || n.Height != 4 {
		t.Errorf("%+v", n)
	}
	r, _ = scanned(t, w.network(), []Peer{of(w)}, c, Options{MaxGap: 2}, nil)
	graded(t, r, 9, 8, 8, 8)
	clean(t, r)
}

func TestAnAnchorCountsOnceItIsDeep(t *testing.T) {
	w := newWorld().run(5)
	c := anchoring(w)
	c.tip = 100 + 2 + 5 // heights 0 to 2 are six deep
	r, state := scanned(t, w.network(), []Peer{of(w)}, c, Options{}, nil)
	graded(t, r, 5, 4, 4, 2)
	if n := r.Candidates[0].Anchors; n.Deep != 3 || n.Shallow != 2 {
		t.Errorf("%+v", n)
	}
	if c.tip += 10; true {
		w.run(1)
	}
	r, _ = scanned(t, w.network(), []Peer{of(w)}, c, Options{}, state)
	graded(t, r, 6, 5, 5, 5)
	if c.read != 103 {
		t.Errorf("Bitcoin is read again from %d", c.read)
	}
}

func TestAnAnchorAheadOfItsBlockIsReadAgain(t *testing.T) {
	w := newWorld().run(6)
	c := anchoring(w)
	c.tip += 1000
	r, state := scanned(t, w.network(), []Peer{&peer{name: "slow", world: w, head: w.keys[3]}}, c, Options{}, nil)
	graded(t, r, 3, 2, 2, 2)
	r, _ = scanned(t, w.network(), []Peer{of(w)}, c, Options{}, state)
	graded(t, r, 6, 5, 5, 5)
	if c.read != 103 {
		t.Errorf("Bitcoin is read again from %d", c.read)
	}
}

func TestWithoutBitcoinTheOtherGradesStand(t *testing.T) {
	w := newWorld().run(4)
	r, state := scanned(t, w.network(), []Peer{of(w)}, &coin{err: errors.New("down")}, Options{}, nil)
	graded(t, r, 4, 3, 3, None)
	clean(t, r, NoBitcoin)
	r, _ = scanned(t, w.network(), []Peer{of(w)}, anchoring(w), Options{}, state)
	graded(t, r, 4, 3, 3, 3)
}
