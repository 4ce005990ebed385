package query_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/query"
	"cloister/wire/smt"
	"cloister/wire/smt/smttest"
)

// signed stands for an engine's rule: the seal is the hash of the header.
func signed(_ *wire.MemberSet, _ *wire.Header, hash wire.Hash, seal []byte) error {
	if !bytes.Equal(seal, hash[:]) {
		return wire.Faultf(wire.ErrSealInvalid, "not signed")
	}
	return nil
}

// epochs are those of a chain whose first member set is all there is.
var (
	epochs = wire.NewEpochs(genesis, wire.SealRules{Seal: signed})
	chain  = genesis.ChainID()
)

var genesis = &wire.Genesis{Version: 1, Name: "query"}

// world is a state with a few keys under a sealed header, and the headers
// before it.
type world struct {
	headers []*wire.Header
	exec    wire.Exec
	tree    smttest.Tree
}

func newWorld() *world {
	w := &world{tree: smttest.Tree{}}
	for i := range 20 {
		w.tree[smt.KeyHash(query.StateKey("token", fmt.Append(nil, i)))] = smt.ValueHash(fmt.Append(nil, "value ", i))
	}
	var history []wire.Hash
	for height := range uint64(10) {
		w.exec = wire.Exec{Height: max(height, 1) - 1, StateRoot: w.tree.Root()}
		h := &wire.Header{
			Version: 1, ChainID: chain, Height: height, Epoch: 1, TxRoot: wire.EmptyRoot, Engine: []byte{},
			ExecHeight: w.exec.Height, ExecRoot: w.exec.Root(), HistoryRoot: merkle.Root(history),
		}
		hash := h.Hash()
		history = append(history, merkle.LeafHash(hash[:]))
		w.headers = append(w.headers, h)
	}
	return w
}

func (w *world) path(height, size int) []wire.Hash {
	var history []wire.Hash
	for _, h := range w.headers[:size] {
		hash := h.Hash()
		history = append(history, merkle.LeafHash(hash[:]))
	}
	return merkle.Path(history, height)
}

// state answers for a key under the newest header, sealed or covered.
func (w *world) state(key []byte, covered bool) *query.State {
	app := smt.KeyHash(query.StateKey("token", key))
	s := &query.State{Exec: w.exec, Proof: w.tree.Prove(app).Encode()}
	if _, ok := w.tree[app]; ok {
		s.Present, s.Value = true, append([]byte("value "), key...)
	}
	at := w.headers[9]
	if covered {
		at = w.headers[6]
		s.Exec = wire.Exec{Height: 5, StateRoot: w.tree.Root()}
		s.At.Cover = &query.Cover{Header: wire.Marshal(w.headers[9]), Path: w.path(6, 9)}
	}
	hash := w.headers[9].Hash()
	s.At.Header, s.At.Seal = wire.Marshal(at), hash[:]
	return s
}

func TestAStateProofHoldsForPresentAndAbsentKeysSealedOrCovered(t *testing.T) {
	w := newWorld()
	for _, covered := range []bool{false, true} {
		for _, key := range []string{"3", "19", "absent"} {
			s, err := query.DecodeState(w.state([]byte(key), covered).Encode())
			if err != nil {
				t.Fatal(err)
			}
			h, err := s.Verify(chain, epochs, "token", []byte(key))
			if err != nil {
				t.Errorf("key %q, covered %t: %v", key, covered, err)
				continue
			}
			if s.Present == (key == "absent") || h.ExecHeight != s.Exec.Height {
				t.Errorf("key %q: present %t under header %d", key, s.Present, h.Height)
			}
		}
	}
}

func TestEveryLieOfAStateProofIsRefused(t *testing.T) {
	w := newWorld()
	for name, lie := range map[string]struct {
		change func(*query.State)
		want   wire.Code
	}{
		"other value":                     {func(s *query.State) { s.Value = []byte("more") }, wire.ErrProof},
		"value of a present key left out": {func(s *query.State) { s.Present, s.Value = false, nil }, wire.ErrProof},
		"other state root":                {func(s *query.State) { s.Exec.StateRoot[0] ^= 1 }, wire.ErrProof},
		"other results":                   {func(s *query.State) { s.Exec.ResultsRoot[0] ^= 1 }, wire.ErrProof},
		"other height":                    {func(s *query.State) { s.Exec.Height++ }, wire.ErrProof},
		"proof of another key": {func(s *query.State) {
			s.Proof = w.tree.Prove(smt.KeyHash(query.StateKey("token", []byte("4")))).Encode()
		}, wire.ErrProof},
		"no seal":            {func(s *query.State) { s.At.Seal = nil }, wire.ErrNotCovered},
		"seal of another":    {func(s *query.State) { s.At.Seal = make([]byte, 32) }, wire.ErrSealInvalid},
		"header not covered": {func(s *query.State) { s.At.Cover.Path[0][0] ^= 1 }, wire.ErrProof},
		"cover is the header itself": {func(s *query.State) {
			s.At.Cover.Header = s.At.Header
			h, _ := wire.DecodeHeader(s.At.Header)
			hash := h.Hash()
			s.At.Seal, s.At.Cover.Path = hash[:], nil
		}, wire.ErrProof},
		"header rewritten": {func(s *query.State) {
			h, _ := wire.DecodeHeader(s.At.Header)
			h.ExecHeight++
			s.At.Header = wire.Marshal(h)
		}, wire.ErrProof},
		"header of another chain": {func(s *query.State) {
			h, _ := wire.DecodeHeader(s.At.Header)
			h.ChainID[0] ^= 1
			s.At.Header = wire.Marshal(h)
		}, wire.ErrForeignChain},
		"header is noise": {func(s *query.State) { s.At.Header = []byte{1} }, wire.ErrProof},
		"proof is noise":  {func(s *query.State) { s.Proof = []byte{1} }, wire.ErrProof},
	} {
		s := w.state([]byte("3"), true)
		lie.change(s)
		if _, err := s.Verify(chain, epochs, "token", []byte("3")); wire.CodeOf(err) != lie.want {
			t.Errorf("%s: %v, want %s", name, err, lie.want)
		}
	}
	s := w.state([]byte("3"), false)
	for _, q := range [][2]string{{"token", "4"}, {"record", "3"}} {
		if _, err := s.Verify(chain, epochs, q[0], []byte(q[1])); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("answer for token/3 passed for %s/%s: %v", q[0], q[1], err)
		}
	}
}

func TestAnEmptyValueIsNotAbsence(t *testing.T) {
	w := newWorld()
	app := smt.KeyHash(query.StateKey("token", []byte("e")))
	w.tree[app] = smt.ValueHash(nil)
	exec := wire.Exec{Height: 9, StateRoot: w.tree.Root()}
	h := *w.headers[9]
	h.Height, h.ExecHeight, h.ExecRoot = 10, 9, exec.Root()
	hash := h.Hash()
	s := &query.State{
		At: query.SealedHeader{Header: wire.Marshal(&h), Seal: hash[:]}, Exec: exec,
		Present: true, Proof: w.tree.Prove(app).Encode(),
	}
	if _, err := s.Verify(chain, epochs, "token", []byte("e")); err != nil {
		t.Error(err)
	}
	s.Present = false
	if _, err := s.Verify(chain, epochs, "token", []byte("e")); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("a key with an empty value proved absent: %v", err)
	}
}

func TestRequestsOutOfBoundsAreRefused(t *testing.T) {
	for name, r := range map[string]query.StateRequest{
		"no family":          {Key: []byte("k")},
		"long family":        {Family: strings.Repeat("f", wire.MaxFamily+1)},
		"zero in the family": {Family: "a\x00b"},
		"long key":           {Family: "token", Key: make([]byte, query.MaxKey+1)},
	} {
		if _, err := query.DecodeStateRequest(r.Encode()); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	largest := query.StateRequest{
		Family: strings.Repeat("f", wire.MaxFamily), Key: make([]byte, query.MaxKey), AtLeast: 1<<64 - 1,
	}
	if _, err := query.DecodeStateRequest(largest.Encode()); err != nil {
		t.Errorf("the largest request: %v", err)
	}
}

func TestAnswersOutOfBoundsAreRefused(t *testing.T) {
	header := make([]byte, wire.MaxHeader)
	largest := query.State{
		At: query.SealedHeader{
			Header: header, Seal: make([]byte, wire.MaxSeal),
			Cover: &query.Cover{Header: header, Path: make([]wire.Hash, merkle.MaxPath)},
		},
		Exec: wire.Exec{Height: 1<<64 - 1}, Present: true,
		Value: make([]byte, query.MaxValue), Proof: make([]byte, smt.MaxProof),
	}
	if _, err := query.DecodeState(largest.Encode()); err != nil {
		t.Fatalf("the largest answer: %v", err)
	}
	for name, change := range map[string]func(*query.State){
		"header":                  func(s *query.State) { s.At.Header = make([]byte, wire.MaxHeader+1) },
		"seal":                    func(s *query.State) { s.At.Seal = make([]byte, wire.MaxSeal+1) },
		"cover":                   func(s *query.State) { s.At.Cover = &query.Cover{Header: make([]byte, wire.MaxHeader+1)} },
		"path":                    func(s *query.State) { s.At.Cover = &query.Cover{Path: make([]wire.Hash, merkle.MaxPath+1)} },
		"value":                   func(s *query.State) { s.Value = make([]byte, query.MaxValue+1) },
		"proof":                   func(s *query.State) { s.Proof = make([]byte, smt.MaxProof+1) },
		"value of what is absent": func(s *query.State) { s.Present = false },
	} {
		s := largest
		change(&s)
		if _, err := query.DecodeState(s.Encode()); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]query.Status{
		"peers": {Peers: make([]query.Peer, query.MaxPeers+1)},
		"text":  {Version: strings.Repeat("v", 65)},
	} {
		if _, err := query.DecodeStatus(s.Encode()); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("status with %s over the bound: %v", name, err)
		}
	}
	if _, err := query.DecodeStatus((&query.Status{Peers: make([]query.Peer, query.MaxPeers)}).Encode()); err != nil {
		t.Errorf("the largest status: %v", err)
	}
}

func TestAReplyCarriesABodyOrACode(t *testing.T) {
	body, err := query.DecodeReply(query.EncodeReply([]byte("answer"), nil), 64)
	if err != nil || string(body) != "answer" {
		t.Errorf("%q, %v", body, err)
	}
	long := strings.Repeat("é", 2000) // the cut falls inside a character
	for _, detail := range []string{"no such block", long[1:] + long} {
		reply := query.EncodeReply(nil, wire.Faultf(wire.ErrNotCovered, "%s", detail))
		if _, err := query.DecodeReply(reply, 2048); wire.CodeOf(err) != wire.ErrNotCovered {
			t.Errorf("code lost: %v", err)
		}
	}
	for name, r := range map[string]query.Reply{
		"a code and a body":       {Code: wire.ErrBusy, Detail: "busy", Body: []byte{1}},
		"a code without a reason": {Code: wire.ErrBusy},
		"a reason without a code": {Detail: "busy"},
		"a long reason":           {Code: wire.ErrBusy, Detail: strings.Repeat("a", 1025)},
	} {
		if _, err := query.DecodeReply(wire.Marshal(&r), 4096); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	w := newWorld()
	f.Add(w.state([]byte("3"), false).Encode())
	f.Add(w.state([]byte("absent"), true).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := query.DecodeState(b)
		if err != nil {
			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("accepted an encoding that is not the value's own")
		}
		_, err = s.Verify(chain, epochs, "token", []byte("3"))
		value := w.state([]byte("3"), false).Value
		if err == nil && !(s.Present && bytes.Equal(s.Value, value)) {
			t.Fatalf("proved that the key holds %q (present %t)", s.Value, s.Present)
		}
	})
}

func FuzzDecodeStateRequest(f *testing.F) {
	f.Add((&query.StateRequest{Family: "token", Key: []byte("k"), AtLeast: 9}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := query.DecodeStateRequest(b)
		if err == nil && !bytes.Equal(r.Encode(), b) {
			t.Fatal("accepted an encoding that is not the value's own")
		}
		if err != nil && wire.CodeOf(err) != wire.ErrBadRequest {
			t.Fatal(err)
		}
	})
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add((&query.Status{Version: "1", Peers: []query.Peer{{Slot: 3}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := query.DecodeStatus(b); err == nil && !bytes.Equal(s.Encode(), b) {
			t.Fatal("accepted an encoding that is not the value's own")
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add(query.EncodeReply([]byte{1}, nil))
	f.Add(query.EncodeReply(nil, wire.ErrBusy))
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := query.DecodeReply(b, 1<<16)
		if err == nil && !bytes.Equal(query.EncodeReply(body, nil), b) {
			t.Fatal("accepted an encoding that is not the value's own")
		}
	})
}
