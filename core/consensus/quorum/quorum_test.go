package quorum

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// network is five voters in slots 1 to 5, a learner in 6 and an auditor in 7.
type network struct {
	keys   map[uint64]wire.PrivateKey
	set    *wire.MemberSet
	header *wire.Header
}

func newNetwork(kind uint8) *network {
	n := &network{keys: map[uint64]wire.PrivateKey{}, set: &wire.MemberSet{Epoch: 1, From: 1}}
	for slot := uint64(1); slot <= 7; slot++ {
		k := wire.NewPrivateKey([32]byte{byte(slot)})
		n.keys[slot] = k
		role := map[uint64]wire.Role{6: wire.Learner, 7: wire.Audit}[slot]
		if role == 0 {
			role = wire.Voter
		}
		n.set.Members = append(n.set.Members, wire.Member{ID: wire.NodeIDOf(k.Public()), Slot: slot, Weight: 1, Role: role, Key: k.Public()})
	}
	n.header = &wire.Header{
		Version: wire.HeaderVersion, ChainID: wire.Hash{9}, Height: 12, Epoch: 1, TimeMs: 77, TxCount: 3,
		MembersHash: n.set.Hash(), EngineKind: kind, Engine: wire.Marshal(Engine{View: 4, Slot: 2}),
	}
	return n
}

func (n *network) sign(view uint64, slots ...uint64) *wire.Seal {
	s := &wire.Seal{View: view}
	for _, slot := range slots {
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: n.keys[slot].Sign(Statement(n.header, n.header.Hash(), slot, view))})
	}
	return s
}

func (n *network) verify(s *wire.Seal) error {
	return VerifySeal(n.set, n.header, n.header.Hash(), wire.Marshal(s))
}

func TestAMajorityOfVotersSeals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNetwork(rapid.SampledFrom([]uint8{wire.EngineSolo, wire.EngineRaft}).Draw(t, "engine"))
		slots := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 5), 0, 5, rapid.ID).Draw(t, "slots")
		slices.Sort(slots)
		if err := n.verify(n.sign(4, slots...)); (err == nil) != (len(slots) >= 3) {
			t.Fatalf("%v: %v", slots, err)
		}
	})
}

func TestWhatIsNoSealIsRefused(t *testing.T) {
	for name, change := range map[string]func(n *network, s *wire.Seal){
		"minority":                      func(n *network, s *wire.Seal) { s.Sigs = s.Sigs[:2] },
		"nobody":                        func(n *network, s *wire.Seal) { s.Sigs = nil },
		"slot twice":                    func(n *network, s *wire.Seal) { s.Sigs[1] = s.Sigs[0] },
		"slot three times":              func(n *network, s *wire.Seal) { s.Sigs = slices.Repeat(s.Sigs[:1], 3) },
		"out of order":                  func(n *network, s *wire.Seal) { slices.Reverse(s.Sigs) },
		"slots exchanged":               func(n *network, s *wire.Seal) { s.Sigs[0].Sig, s.Sigs[1].Sig = s.Sigs[1].Sig, s.Sigs[0].Sig },
		"bad one beside a majority":     func(n *network, s *wire.Seal) { *s = *n.sign(4, 1, 2, 3, 4); s.Sigs[3].Sig[0] ^= 1 },
		"bad first beside a majority":   func(n *network, s *wire.Seal) { *s = *n.sign(4, 1, 2, 3, 4); s.Sigs[0].Sig[63] ^= 1 },
		"learner beside a majority":     func(n *network, s *wire.Seal) { *s = *n.sign(4, 1, 2, 3, 6) },
		"learner fills the majority":    func(n *network, s *wire.Seal) { *s = *n.sign(4, 1, 2, 6) },
		"auditor fills the majority":    func(n *network, s *wire.Seal) { *s = *n.sign(4, 1, 2, 7) },
		"stranger beside a majority":    func(n *network, s *wire.Seal) { s.Sigs = append(s.Sigs, wire.SlotSig{Slot: 8}) },
		"slot zero":                     func(n *network, s *wire.Seal) { s.Sigs = append([]wire.SlotSig{{}}, s.Sigs...) },
		"seal of a later view":          func(n *network, s *wire.Seal) { *s = *n.sign(5, 1, 2, 3) },
		"seal of an earlier view":       func(n *network, s *wire.Seal) { *s = *n.sign(3, 1, 2, 3) },
		"view of the seal rewritten":    func(n *network, s *wire.Seal) { *s = *n.sign(3, 1, 2, 3); s.View = 4 },
		"one voter in another view":     func(n *network, s *wire.Seal) { s.Sigs[2] = n.sign(3, 3).Sigs[0] },
		"view of the header rewritten":  func(n *network, s *wire.Seal) { n.header.Engine = wire.Marshal(Engine{View: 5, Slot: 2}) },
		"no engine part":                func(n *network, s *wire.Seal) { n.header.Engine = nil },
		"engine part with a tail":       func(n *network, s *wire.Seal) { n.header.Engine = append(n.header.Engine, 0) },
		"header of another set":         func(n *network, s *wire.Seal) { n.header.MembersHash[0] ^= 1 },
		"set changed behind the header": func(n *network, s *wire.Seal) { n.set.Members = n.set.Members[:5] },
		"header rewritten":              func(n *network, s *wire.Seal) { n.header.TxRoot[0] ^= 1 },
		"height rewritten":              func(n *network, s *wire.Seal) { n.header.Height++ },
		"chain rewritten":               func(n *network, s *wire.Seal) { n.header.ChainID[0] ^= 1 },
		"engine rewritten":              func(n *network, s *wire.Seal) { n.header.EngineKind = wire.EngineSolo },
	} {
		n := newNetwork(wire.EngineRaft)
		s := n.sign(4, 1, 2, 3)
		change(n, s)
		if err := n.verify(s); wire.CodeOf(err) != wire.ErrSealInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatAMajorityWouldHaveToLieAboutIsRefused has it sign the changed header.
func TestWhatAMajorityWouldHaveToLieAboutIsRefused(t *testing.T) {
	for name, change := range map[string]func(n *network){
		"epoch of another set":     func(n *network) { n.header.Epoch = 2 },
		"engine without this seal": func(n *network) { n.header.EngineKind = 200 },
	} {
		n := newNetwork(wire.EngineRaft)
		change(n)
		if err := n.verify(n.sign(4, 1, 2, 3)); wire.CodeOf(err) != wire.ErrSealInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASealOfOneEngineMeansNothingInAnother(t *testing.T) {
	n := newNetwork(wire.EngineRaft)
	h := *n.header
	h.EngineKind = wire.EngineSolo
	hash := n.header.Hash() // the same hash on purpose: only the label differs
	if Statement(n.header, hash, 1, 4) == Statement(&h, hash, 1, 4) {
		t.Error("one statement for two engines")
	}
}

func TestStatementsCoverEveryPart(t *testing.T) {
	n := newNetwork(wire.EngineRaft)
	hash := n.header.Hash()
	seen := map[wire.Hash]string{Statement(n.header, hash, 1, 4): "the original"}
	for name, statement := range map[string]func(h *wire.Header) wire.Hash{
		"chain":  func(h *wire.Header) wire.Hash { h.ChainID[0] ^= 1; return Statement(h, hash, 1, 4) },
		"epoch":  func(h *wire.Header) wire.Hash { h.Epoch++; return Statement(h, hash, 1, 4) },
		"slot":   func(h *wire.Header) wire.Hash { return Statement(h, hash, 2, 4) },
		"view":   func(h *wire.Header) wire.Hash { return Statement(h, hash, 1, 5) },
		"height": func(h *wire.Header) wire.Hash { h.Height++; return Statement(h, hash, 1, 4) },
		"hash":   func(h *wire.Header) wire.Hash { return Statement(h, wire.Hash{}, 1, 4) },
	} {
		h := *n.header
		s := statement(&h)
		if other, ok := seen[s]; ok {
			t.Errorf("changing the %s gives the statement of %s", name, other)
		}
		seen[s] = name
	}
}

func TestEveryChangedBitOfASealIsRefused(t *testing.T) {
	n := newNetwork(wire.EngineRaft)
	seal, hash := wire.Marshal(n.sign(4, 1, 3, 5)), n.header.Hash()
	if err := VerifySeal(n.set, n.header, hash, seal); err != nil {
		t.Fatal(err)
	}
	for i := range seal {
		for bit := range 8 {
			seal[i] ^= 1 << bit
			if err := VerifySeal(n.set, n.header, hash, seal); wire.CodeOf(err) != wire.ErrSealInvalid {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
			seal[i] ^= 1 << bit
		}
	}
}

func TestTheEnginePartReadsBack(t *testing.T) {
	n := newNetwork(wire.EngineRaft)
	if e, err := EngineOf(n.header); err != nil || e.View != 4 || e.Slot != 2 {
		t.Errorf("%+v, %v", e, err)
	}
}

func FuzzVerifySeal(f *testing.F) {
	n := newNetwork(wire.EngineRaft)
	good, hash := wire.Marshal(n.sign(4, 1, 2, 3)), n.header.Hash()
	f.Add(good)
	f.Add(wire.Marshal(n.sign(4, 1, 2)))
	f.Fuzz(func(t *testing.T, seal []byte) {
		// Nobody can make signatures by mutation, so only ours pass.
		if err := VerifySeal(n.set, n.header, hash, seal); (err == nil) != bytes.Equal(seal, good) {
			t.Fatalf("%x: %v", seal, err)
		}
	})
}

func BenchmarkVerifySeal(b *testing.B) {
	n := newNetwork(wire.EngineRaft)
	seal, hash := wire.Marshal(n.sign(4, 1, 2, 3)), n.header.Hash()
	for b.Loop() {
		if err := VerifySeal(n.set, n.header, hash, seal); err != nil {
			b.Fatal(err)
		}
	}
}
