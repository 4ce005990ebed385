package beacon

import (
	"bytes"
	"testing"

	"cloister/wire"
)

func TestPayloadsReadBack(t *testing.T) {
	p := &Prove{Round: 1 << 40, Proof: make([]byte, ProofSize)}
	b := p.Bytes()
	if got, err := Decode(b); err != nil || !bytes.Equal(got.Bytes(), b) {
		t.Errorf("%+v, %v", got, err)
	}
	for cut := range b {
		if got, err := Decode(b[:cut]); wire.CodeOf(err) != wire.ErrMalformed || got != nil {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
}

func TestAlphaBindsChainRoundAndLastValue(t *testing.T) {
	seen := map[wire.Hash]bool{}
	for _, a := range []wire.Hash{
		Alpha(wire.Hash{1}, 1, wire.Hash{1}), Alpha(wire.Hash{2}, 1, wire.Hash{1}), Alpha(wire.Hash{1}, 2, wire.Hash{1}), Alpha(wire.Hash{1}, 1, wire.Hash{2}),
	} {
		if seen[a] {
			t.Errorf("%s twice", a)
		}
		seen[a] = true
	}
}

func TestCombineSortsByNodeAndBindsEverything(t *testing.T) {
	a, b := Output{Node: wire.NodeID{1}, Beta: []byte{9}}, Output{Node: wire.NodeID{2}, Beta: []byte{3}}
	last := wire.Hash{7}
	want := wire.TH("cloister/beacon/v1", last[:], []byte{9}, []byte{3})
	given := []Output{b, a}
	if Combine(last, given) != want || Combine(last, []Output{a, b}) != want || given[0].Node != b.Node {
		t.Error("not sorted by node, or the argument was changed")
	}
	if Combine(last, given[:1]) == want || Combine(wire.Hash{}, given) == want {
		t.Error("a part is not bound")
	}
}

func TestWhatAVoterOwes(t *testing.T) {
	chain, voter := wire.Hash{1}, wire.NodeID{2}
	r := &Round{Number: 5, Last: wire.Hash{3}, OpensMs: 1000, IntervalMs: 10, Outputs: []Output{{Node: wire.NodeID{9}, Beta: make([]byte, BetaSize)}}}
	get := func(key []byte) ([]byte, error) {
		if string(key) == string(RoundKey) {
			return wire.Marshal(r), nil
		}
		return nil, nil
	}
	if d, err := Due(get, chain, voter, 999); d != nil || err != nil {
		t.Errorf("early: %+v, %v", d, err)
	}
	if d, err := Due(get, chain, voter, 1000); err != nil || d == nil || d.Round != 5 || d.Alpha != Alpha(chain, 5, wire.Hash{3}) {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := Due(get, chain, wire.NodeID{9}, 1000); d != nil || err != nil {
		t.Errorf("twice: %+v, %v", d, err)
	}
	none := func([]byte) ([]byte, error) { return nil, nil }
	if d, err := Due(none, chain, voter, 1000); d != nil || err != nil {
		t.Errorf("no beacon: %+v, %v", d, err)
	}
	if v, err := FinalAt(none, 1); v != nil || err != nil {
		t.Errorf("no beacon: %+v, %v", v, err)
	}
}

// The round of the largest set must read back.
func TestTheLargestRoundReadsBack(t *testing.T) {
	r := &Round{Number: 1 << 63, OpensMs: 1 << 63, IntervalMs: 1 << 63}
	for i := range wire.MaxGenesisMembers {
		r.Outputs = append(r.Outputs, Output{Node: wire.NodeID{byte(i)}, Beta: make([]byte, BetaSize)})
	}
	if got, err := Current(func([]byte) ([]byte, error) { return wire.Marshal(r), nil }); err != nil || len(got.Outputs) != wire.MaxGenesisMembers {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Prove{Round: 1, Proof: make([]byte, ProofSize)}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatalf("%v carries %s", err, wire.CodeOf(err))
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b) || p.Round == 0 || len(p.Proof) != ProofSize {
			t.Fatalf("%x is a second encoding", b)
		}
	})
}

func FuzzParseParams(f *testing.F) {
	f.Add([]byte(`{"interval_ms":1000}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := ParseParams(b); err == nil && (p.IntervalMs == 0 || p.IntervalMs > MaxIntervalMs) {
			t.Fatalf("%+v", p)
		}
	})
}

func TestHashesAreFixed(t *testing.T) {
	for name, x := range map[string]struct {
		got  wire.Hash
		want string
	}{
		"start":   {Start(), "d8822e826a5a082237ea3698da353f8eca82c1ab832802243061fe4a106b4ec1"},
		"alpha":   {Alpha(wire.Hash{1}, 2, wire.Hash{3}), "8a998cc0cb51e88ac82a368a49086b77623fb80e4a693ffdbb8e92f65b0e21af"},
		"combine": {Combine(wire.Hash{1}, []Output{{Node: wire.NodeID{2}, Beta: []byte{3}}}), "6aaf1c8d01a18b135a10e32bc65937ac4d5a073cd072b793022079bdb2b2e00e"},
	} {
		if x.got.String() != x.want {
			t.Errorf("%s: %s", name, x.got)
		}
	}
}
