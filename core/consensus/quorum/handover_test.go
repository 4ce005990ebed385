package quorum

import (
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// handover is n's header as one that hands over to next, sealed by slots 1 to 3.
func (n *network) handover(next *wire.MemberSet) *wire.Handover {
	n.header.Flags = wire.FlagHandover
	n.header.Engine = wire.Marshal(Engine{View: 4, Slot: 2, Next: next.Hash()})
	return &wire.Handover{Header: n.header, Seal: wire.Marshal(n.sign(4, 1, 2, 3)), Next: next}
}

// successor is the set after n's, with one change made to it.
func (n *network) successor(change func(s *wire.MemberSet)) *wire.MemberSet {
	s := &wire.MemberSet{Epoch: n.set.Epoch + 1, From: 13, Members: append([]wire.Member(nil), n.set.Members...)}
	change(s)
	return s
}

func promote(s *wire.MemberSet) { s.Members[5].Role = wire.Voter }

func TestASetHandsOverToTheNext(t *testing.T) {
	n := newNetwork(wire.EngineRaft)
	next := n.successor(promote)
	if got, err := Follow(n.set, n.handover(next)); err != nil || got != next {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestWhatHandsNothingOverIsRefused(t *testing.T) {
	for name, change := range map[string]func(n *network, h *wire.Handover){
		"no flag": func(n *network, h *wire.Handover) {
			n.header.Flags, n.header.Engine = 0, wire.Marshal(Engine{View: 4, Slot: 2})
			h.Seal = wire.Marshal(n.sign(4, 1, 2, 3))
		},
		"flag without a set": func(n *network, h *wire.Handover) {
			n.header.Engine = wire.Marshal(Engine{View: 4, Slot: 2})
			h.Seal = wire.Marshal(n.sign(4, 1, 2, 3))
		},
		"set without the flag":  func(n *network, h *wire.Handover) { n.header.Flags = 0; h.Seal = wire.Marshal(n.sign(4, 1, 2, 3)) },
		"minority":              func(n *network, h *wire.Handover) { h.Seal = wire.Marshal(n.sign(4, 1, 2)) },
		"seal of another block": func(n *network, h *wire.Handover) { n.header.Height++ },
		"another set": func(n *network, h *wire.Handover) {
			h.Next = n.successor(func(s *wire.MemberSet) { s.Members = s.Members[:6] })
		},
		"set of a later epoch": func(n *network, h *wire.Handover) {
			next := n.successor(promote)
			next.Epoch++
			*h = *n.handover(next)
		},
		"set of this epoch": func(n *network, h *wire.Handover) { *h = *n.handover(n.set) },
	} {
		n := newNetwork(wire.EngineRaft)
		h := n.handover(n.successor(promote))
		change(n, h)
		if _, err := Follow(n.set, h); wire.CodeOf(err) != wire.ErrSealInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneMemberChangesAtATime(t *testing.T) {
	eighth := wire.NewPrivateKey([32]byte{8}).Public()
	for name, x := range map[string]struct {
		change func(s *wire.MemberSet)
		want   Change
	}{
		"a learner joins": {func(s *wire.MemberSet) {
			s.Members = append(s.Members, wire.Member{ID: wire.NodeIDOf(eighth), Slot: 8, Weight: 1, Role: wire.Learner, Key: eighth})
		}, Change{8, wire.Learner}},
		"a learner may vote": {promote, Change{6, wire.Voter}},
		"a voter may not":    {func(s *wire.MemberSet) { s.Members[0].Role = wire.Learner }, Change{1, wire.Learner}},
		"a voter leaves":     {func(s *wire.MemberSet) { s.Members = s.Members[1:] }, Change{Slot: 1}},
	} {
		n := newNetwork(wire.EngineRaft)
		if got, err := Step(n.set, n.successor(x.change)); err != nil || got != x.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSetsThatCannotFollowAreRefused(t *testing.T) {
	for name, change := range map[string]func(s *wire.MemberSet){
		"nothing changes":   func(s *wire.MemberSet) {},
		"two changes":       func(s *wire.MemberSet) { s.Members = s.Members[2:] },
		"epoch skipped":     func(s *wire.MemberSet) { promote(s); s.Epoch++ },
		"nobody votes":      func(s *wire.MemberSet) { s.Members = s.Members[5:6] },
		"out of order":      func(s *wire.MemberSet) { s.Members[0], s.Members[1] = s.Members[1], s.Members[0] },
		"slot twice":        func(s *wire.MemberSet) { s.Members[1] = s.Members[0] },
		"unknown role":      func(s *wire.MemberSet) { s.Members[0].Role = 9 },
		"key of another":    func(s *wire.MemberSet) { s.Members[0].Key = s.Members[1].Key },
		"slot changes hand": func(s *wire.MemberSet) { s.Members[0].ID, s.Members[0].Key = s.Members[6].ID, s.Members[6].Key },
		"node in two slots": func(s *wire.MemberSet) {
			m := s.Members[0]
			m.Slot = 8
			s.Members = append(s.Members, m)
		},
	} {
		n := newNetwork(wire.EngineRaft)
		if got, err := Step(n.set, n.successor(change)); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestOldAndNewMajoritiesMeet is why one member changes at a time.
func TestOldAndNewMajoritiesMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNetwork(wire.EngineRaft)
		next := n.successor(func(s *wire.MemberSet) {
			for i := range s.Members {
				s.Members[i].Role = rapid.SampledFrom([]wire.Role{s.Members[i].Role, wire.Voter, wire.Learner}).Draw(t, "role")
			}
			from := rapid.IntRange(0, 1).Draw(t, "from")
			s.Members = s.Members[from:]
		})
		if _, err := Step(n.set, next); err != nil {
			return
		}
		both := 0
		for _, m := range next.Members {
			if old := n.set.BySlot(m.Slot); m.Role == wire.Voter && old != nil && old.Role == wire.Voter {
				both++
			}
		}
		if all := n.set.Voters() + next.Voters() - both; n.set.Quorum()+next.Quorum() <= all {
			t.Fatalf("majorities of %d and %d of %d voters need not meet", n.set.Quorum(), next.Quorum(), all)
		}
	})
}
