package core

import (
	"bytes"
	"testing"

	"cloister/core/consensus/quorum"
	"cloister/wire"
)

func FuzzDecodeNodeRecord(f *testing.F) {
	set := func(epoch uint64) *wire.MemberSet { return &wire.MemberSet{Epoch: epoch, From: 1} }
	f.Add(wire.Marshal(&nodeRecord{Slot: 3, Ahead: true, Sets: []*wire.MemberSet{set(4), set(5)}}))
	f.Add(wire.Marshal(&nodeRecord{Slot: 3, Sets: []*wire.MemberSet{set(4), set(6)}}))
	f.Add([]byte{0x83, 0, 0xf4, 0x81, 0xf6})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeNodeRecord(b)
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(r), b) {
			t.Fatalf("accepted %x, which is not the encoding of what it says", b)
		}
		for i, s := range r.Sets {
			if s.Epoch != r.Sets[0].Epoch+uint64(i) {
				t.Fatalf("accepted sets with a gap: %x", b)
			}
		}
	})
}

// TestASetFollowsOnlyAfterItsHandover is the rule of epochs that headers alone show.
func TestASetFollowsOnlyAfterItsHandover(t *testing.T) {
	old, next := wire.Hash{1}, wire.Hash{2}
	part := func(n wire.Hash) []byte { return wire.Marshal(quorum.Engine{View: 1, Slot: 1, Next: n}) }
	plain := &wire.Header{Epoch: 4, MembersHash: old, Engine: part(wire.Hash{})}
	hands := &wire.Header{Epoch: 4, MembersHash: old, Flags: wire.FlagHandover, Engine: part(next)}
	for name, x := range map[string]struct {
		parent, child *wire.Header
		want          bool
	}{
		"same set":                     {plain, &wire.Header{Epoch: 4, MembersHash: old}, true},
		"same set after a handover":    {hands, &wire.Header{Epoch: 4, MembersHash: old}, true},
		"next set after its handover":  {hands, &wire.Header{Epoch: 5, MembersHash: next}, true},
		"next set without a handover":  {plain, &wire.Header{Epoch: 5, MembersHash: next}, false},
		"another set after a handover": {hands, &wire.Header{Epoch: 5, MembersHash: old}, false},
		"epoch without its set":        {plain, &wire.Header{Epoch: 4, MembersHash: next}, false},
		"epoch skipped":                {hands, &wire.Header{Epoch: 6, MembersHash: next}, false},
		"epoch goes back":              {hands, &wire.Header{Epoch: 3, MembersHash: old}, false},
	} {
		if orderedAfter(x.parent, x.child) != x.want {
			t.Errorf("%s: %t", name, !x.want)
		}
	}
}
