package scan

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

func grown(t testing.TB, blocks int) *State {
	w := newWorld().run(blocks)
	_, c := w.entry("chain 1", "waits for its entry")
	p := w.usual()
	p.commits = append(p.commits, c)
	w.close(p)
	w.run(1)
	_, s, err := Run(t.Context(), w.network(), []Peer{of(w)}, anchoring(w), Options{}, nil)
	if err != nil || s == nil {
		t.Fatal(err)
	}
	return s
}

func TestAStateReadsBackAsItWas(t *testing.T) {
	s := grown(t, 7)
	b := s.Bytes()
	again, err := DecodeState(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), b) || again.Height() != 8 || again.KeyMR() != s.KeyMR() || len(again.unused.rows) != 1 || !again.isAnchored(8) {
		t.Errorf("%+v", again)
	}
	if !bytes.Equal(s.clone().Bytes(), b) {
		t.Error("a clone differs")
	}
}

func TestALargeStateReadsBack(t *testing.T) {
	s := newState(true, &Network{})
	for i := range uint64(2*chunk + 1) {
		k := wire.TH("test/row", wire.U64(i))
		s.factoids.rows[k], s.credits.rows[wire.PublicKey(k)] = i, i
		s.unused.rows[wire.Hash{1}] = append(s.unused.rows[wire.Hash{1}], commit{OpenedMs: i / 10})
	}
	b := s.Bytes()
	again, err := DecodeState(b)
	if err != nil || !bytes.Equal(again.Bytes(), b) || len(again.unused.rows[wire.Hash{1}]) != 2*chunk+1 {
		t.Error(err)
	}
}

func TestAClonedStateSharesNothing(t *testing.T) {
	s := grown(t, 3)
	waiting := func(s *State, more uint8) {
		for k, list := range s.unused.rows {
			s.unused.set(k, append(list, commit{OpenedMs: 1 << 40, Credits: more}))
		}
	}
	waiting(s, 1) // so that the list may have room to spare
	waiting(s, 2)
	before, c := s.Bytes(), s.clone()
	waiting(c, 9)
	c.factoids.set(wire.Hash{1}, 5)
	c.setAnchored(3000)
	c.authority.assign(assigned{ID: wire.Hash{1}})
	c.commit(wire.Hash{1}, tail{Minutes: 1}, newAuthority(&Network{Servers: []Server{{Identity: wire.Hash{1}}}}))
	if !bytes.Equal(s.Bytes(), before) {
		t.Error("what happens to a clone happens to the state")
	}
	after := c.Bytes()
	waiting(s, 7)
	if !bytes.Equal(c.Bytes(), after) {
		t.Error("what happens to the state happens to its clone")
	}
}

func TestStatesThatNoScanWroteAreRefused(t *testing.T) {
	good := grown(t, 3)
	b := good.Bytes()
	for n := range b {
		if _, err := DecodeState(b[:n]); wire.CodeOf(err) != wire.ErrMalformed {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for name, change := range map[string]func(*stored){
		"another version":   func(x *stored) { x.Version++ },
		"a key cut short":   func(x *stored) { x.Keys = x.Keys[1:] },
		"anchors beyond":    func(x *stored) { x.Anchored = append(x.Anchored, 1) },
		"an anchor beyond":  func(x *stored) { x.Anchored[0] |= 1 << 7 },
		"anchors of none":   func(x *stored) { x.Anchored = []byte{0} },
		"rows out of order": func(x *stored) { slices.Reverse(x.Chains[0]) },
		"a row twice":       func(x *stored) { x.Factoids[0] = append(x.Factoids[0], x.Factoids[0][len(x.Factoids[0])-1]) },
		"an empty chunk":    func(x *stored) { x.Credits = append(x.Credits, []amountRow{}) },
		"a chunk half full": func(x *stored) { x.Seen = [][]amountRow{x.Seen[0][:1], x.Seen[0][1:]} },
		"commits unsorted":  func(x *stored) { x.Unused[0] = append(x.Unused[0], unusedRow{Key: wire.Hash{}}) },
		"commits out of time": func(x *stored) {
			x.Unused = [][]unusedRow{{{Commit: commit{OpenedMs: 2}}, {Commit: commit{OpenedMs: 1}}}}
		},
		"servers unsorted":  func(x *stored) { slices.Reverse(x.Authority.Servers) },
		"servers twice":     func(x *stored) { x.Authority.Servers = append(x.Authority.Servers, x.Authority.Servers[2]) },
		"promises unsorted": func(x *stored) { x.Authority.Descriptors = []descriptor{{Height: 2}, {Height: 2}} },
		"too many servers":  func(x *stored) { x.Authority.Servers = make([]server, maxServers+1) },
	} {
		x := new(stored)
		if err := wire.Unmarshal(b, x, MaxState); err != nil {
			t.Fatal(err)
		}
		change(x)
		if _, err := DecodeState(wire.Marshal(x)); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRollbackRestoresATable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable[wire.Hash, uint64]()
		step := func(label string) {
			key := wire.Hash{rapid.Byte().Draw(t, label+" key") % 8}
			if rapid.Bool().Draw(t, label+" deletes") {
				table.delete(key)
			} else {
				table.set(key, rapid.Uint64().Draw(t, label+" value"))
			}
		}
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			step("before")
		}
		table.commit()
		want := maps.Clone(table.rows)
		for range rapid.IntRange(0, 20).Draw(t, "after") {
			step("after")
		}
		if table.rollback(); !maps.Equal(table.rows, want) {
			t.Fatalf("%v, want %v", table.rows, want)
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	f.Add(newState(true, &Network{}).Bytes())
	f.Add(grown(f, 2).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatalf("%v carries another code", err)
			}
			return
		}
		if !bytes.Equal(s.Bytes(), b) {
			t.Fatal("read and written again it differs")
		}
	})
}
