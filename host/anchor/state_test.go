package anchor

import (
	"bytes"
	"testing"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// aState is one with a little of everything.
func aState(t testing.TB) *state {
	w := newWorld(testKey(P2WPKH))
	h := newHost(w)
	w.fund(100_000)
	w.mine(nil)
	w.close()
	w.close()
	for range 3 {
		if err := h.turn(func() bool { return true }); err != nil {
			t.Fatal(err)
		}
		w.mine(nil)
		if len(w.keyMRs) < 4 {
			w.close()
		}
	}
	if err := h.turn(func() bool { return true }); err != nil {
		t.Fatal(err)
	}
	return h.m.state
}

func TestStateIsReadStrictly(t *testing.T) {
	good := aState(t).encode()
	if s, err := decodeState(good); err != nil || !bytes.Equal(s.encode(), good) {
		t.Fatalf("a state does not come back: %v", err)
	}
	for name, change := range map[string]func(s *state){
		"version":           func(s *state) { s.Version = 2 },
		"trail":             func(s *state) { s.Trail = append(s.Trail, bitcoin.Hash{1}) },
		"long trail":        func(s *state) { s.Trail = make([]bitcoin.Hash, trailLength+1) },
		"coins":             func(s *state) { s.Coins = make([]Coin, maxCoins+1) },
		"order":             func(s *state) { s.Anchors[0], s.Anchors[1] = s.Anchors[1], s.Anchors[0] },
		"height to come":    func(s *state) { s.Next = s.Anchors[1].Height },
		"mined nothing":     func(s *state) { s.Anchors[0].Mined, s.Anchors[0].Versions = &mined{}, nil },
		"no transaction":    func(s *state) { s.Anchors[0].Versions[0].Raw = []byte{1} },
		"too many versions": func(s *state) { s.Anchors[0].Versions = make([]version, maxVersions+1) },
	} {
		s := aState(t)
		change(s)
		if _, err := decodeState(s.encode()); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(aState(f).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.encode(), b) {
			t.Fatal("two encodings of one state")
		}
		// Whatever it says, the machine goes on without a panic.
		m := newMachine(s, testRules, testKey(P2WPKH))
		if _, err := m.step(look{}); err == nil {
			m.status()
		}
	})
}

// A replacement must pay for all that it throws out, and stay under the ceiling.
func TestReplacementPaysForWhatHangsOnIt(t *testing.T) {
	w := newWorld(testKey(P2WPKH))
	h := newHost(w)
	w.fund(1_000_000)
	w.mine(nil)
	for range 3 {
		w.close()
	}
	round := func() {
		t.Helper()
		if err := h.turn(func() bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	round()
	var before uint64
	for i := range h.m.Anchors {
		before += h.m.Anchors[i].last().Fee
	}
	for range int(testRules.fees.After) {
		w.mine(func() bool { return false })
	}
	round()
	if a := &h.m.Anchors[0]; len(a.Versions) != 2 || a.last().Fee < before+uint64(a.last().tx.VirtualSize()) {
		t.Fatalf("%d satoshi replace %d: %+v", a.last().Fee, before, a)
	}
	for i := range h.m.Anchors {
		if len(h.m.Anchors[i].Versions) != 2 {
			t.Fatalf("height %d did not follow", i)
		}
	}
	if len(w.pool) != 3 {
		t.Fatalf("%d transactions wait", len(w.pool))
	}
	for range 60 { // until the ceiling stops it
		w.mine(func() bool { return false })
		round()
	}
	for i := range h.m.Anchors {
		v := h.m.Anchors[i].last()
		if v.Fee > testRules.fees.Ceiling*w.key.size(1, true) {
			t.Fatalf("height %d pays %d satoshi", i, v.Fee)
		}
	}
	w.mine(nil)
	round()
	if wrong := w.onePerHeight(); wrong != "" || h.m.status().Counts[Mined] != 3 {
		t.Fatalf("%s: %+v", wrong, h.m.status())
	}
}

// What was mined before the wallet began anew can be undone as well.
func TestRecalledAnchorsCanBeUndone(t *testing.T) {
	w := newWorld(testKey(P2WPKH))
	h := newHost(w)
	h.scans = true
	round := func() {
		t.Helper()
		if err := h.turn(func() bool { return true }); err != nil || w.wrong != "" {
			t.Fatal(err, w.wrong)
		}
	}
	w.fund(100_000)
	for range 3 {
		w.mine(nil)
	}
	w.close()
	round()
	w.mine(nil)
	w.reorg(3, true, nil) // below where the wallet began; the first new block takes the anchor
	for range 2 {
		w.mine(nil)
	}
	round()
	if a := h.m.Anchors[0]; a.Mined == nil || len(a.Versions) != 1 || len(h.m.Trail) < 3 {
		t.Fatalf("%+v, trail of %d", a, len(h.m.Trail))
	}
	w.reorg(6, true, func() bool { return false })
	round()
	// It is sent again on the same money, with a higher fee because it waits for long.
	if a := h.m.Anchors[0]; a.Mined != nil || len(w.pool) != 1 || a.last().tx.Inputs[0].Prev != a.Versions[0].tx.Inputs[0].Prev {
		t.Fatalf("%+v, %d transactions wait", a, len(w.pool))
	}
	w.mine(nil)
	round()
	if wrong := w.onePerHeight(); wrong != "" || h.m.Anchors[0].Mined == nil {
		t.Fatalf("%s: %+v", wrong, h.m.Anchors[0])
	}
}

func TestCoinsAreBoundedAndTheLargestKept(t *testing.T) {
	m := newMachine(&state{}, testRules, testKey(P2WPKH))
	for i := range uint64(maxCoins + 10) {
		m.addCoin(Coin{Out: bitcoin.Outpoint{Index: uint32(i)}, Value: 1000 + i})
	}
	m.addCoin(Coin{Out: bitcoin.Outpoint{Index: 1 << 20}, Value: 1})
	least := m.Coins[0].Value
	for _, c := range m.Coins {
		least = min(least, c.Value)
	}
	if len(m.Coins) != maxCoins || least != 1010 {
		t.Fatalf("%d coins, the least of %d", len(m.Coins), least)
	}
}
