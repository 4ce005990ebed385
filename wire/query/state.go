package query

import (
	"fmt"
	"strings"

	"cloister/wire"
	"cloister/wire/smt"
)

// Kinds of query.
const (
	KindState  uint16 = 1 // body StateRequest, answer State
	KindStatus uint16 = 2 // no body, answer Status
	// KindRegistration: body wire/node.Application, answer the payload of a
	// node.Register with fresh evidence, for the operator to sign.
	KindRegistration uint16 = 3
	// KindAnchor: body wire/record.AnchorClaim, answer the hash of the entry that
	// records the anchor.
	KindAnchor uint16 = 4
)

// Bounds of keys and values in public state.
const (
	MaxKey   = 256      // bytes of a key within its family
	MaxValue = 64 << 10 // bytes of a value
	maxState = MaxValue + smt.MaxProof + 2*wire.MaxHeader + wire.MaxSeal + 8<<10
)

// StateKey is the application key (wire/smt) under which a family's key stands
// in the state tree: family ‖ 0x00 ‖ key. No family's name holds a zero byte, so
// two families never meet in one key.
func StateKey(family string, key []byte) []byte {
	b := make([]byte, 0, len(family)+1+len(key))
	return append(append(append(b, family...), 0), key...)
}

// StateRequest asks for one key of public state.
type StateRequest struct {
	_      struct{} `cbor:",toarray"`
	Family string
	Key    []byte // within the family, as package wire/token and the like name it
	// AtLeast asks for state not older than after this block. The core answers
	// ErrNotCovered while no sealed header commits to such state.
	AtLeast uint64
}

// Encode is the request's encoding.
func (r *StateRequest) Encode() []byte { return wire.Marshal(r) }

// DecodeStateRequest reads a request strictly. Errors carry ErrBadRequest.
func DecodeStateRequest(b []byte) (*StateRequest, error) {
	r := new(StateRequest)
	if err := wire.Unmarshal(b, r, MaxKey+wire.MaxFamily+16); err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "state request: %v", err)
	}
	if r.Family == "" || len(r.Family) > wire.MaxFamily || strings.ContainsRune(r.Family, 0) || len(r.Key) > MaxKey {
		return nil, wire.Faultf(wire.ErrBadRequest, "family has %d bytes, 1 to %d, none zero; key has %d, at most %d",
			len(r.Family), wire.MaxFamily, len(r.Key), MaxKey)
	}
	return r, nil
}

// State is the value of one key after block Exec.Height, or its absence, with
// the proof: the value's path in the state tree, the execution commitment, and
// a sealed or covered header that carries it.
type State struct {
	_       struct{} `cbor:",toarray"`
	At      SealedHeader
	Exec    wire.Exec
	Present bool
	Value   []byte // stored bytes; empty if absent
	Proof   []byte // smt.Proof.Encode
}

// Encode is the answer's encoding.
func (s *State) Encode() []byte { return wire.Marshal(s) }

// DecodeState reads an answer strictly. Errors wrap wire.ErrEncoding.
func DecodeState(b []byte) (*State, error) {
	s := new(State)
	if err := wire.Unmarshal(b, s, maxState); err != nil {
		return nil, fmt.Errorf("state proof: %w", err)
	}
	if err := s.At.check(); err != nil {
		return nil, fmt.Errorf("state proof: %w", err)
	}
	if len(s.Value) > MaxValue || len(s.Proof) > smt.MaxProof || (!s.Present && len(s.Value) > 0) {
		return nil, fmt.Errorf("state proof: %w: value of %d bytes, present %t", wire.ErrEncoding, len(s.Value), s.Present)
	}
	return s, nil
}

// Verify checks that the chain's public state holds Value under the key, or,
// if Present is false, nothing, after block Exec.Height. It returns the header
// that proves it. It says nothing of what later blocks did: the caller decides
// how old an answer may be. Errors: those of SealedHeader.Verify; ErrProof.
func (s *State) Verify(chain wire.Hash, epochs *wire.Epochs, family string, key []byte) (*wire.Header, error) {
	h, _, err := s.At.Verify(chain, epochs)
	if err != nil {
		return nil, fmt.Errorf("state of %s: %w", family, err)
	}
	if h.ExecHeight != s.Exec.Height || h.ExecRoot != s.Exec.Root() {
		return nil, wire.Faultf(wire.ErrProof, "block %d does not commit to this state", h.Height)
	}
	p, err := smt.DecodeProof(s.Proof)
	if err != nil {
		return nil, wire.Faultf(wire.ErrProof, "state of %s: %v", family, err)
	}
	value := s.Value // nil asks smt for absence, empty for a key that holds nothing
	switch {
	case !s.Present:
		value = nil
	case value == nil:
		value = []byte{}
	}
	err = smt.Verify(s.Exec.StateRoot, StateKey(family, key), value, p)
	if err != nil {
		return nil, fmt.Errorf("state of %s after block %d: %w", family, s.Exec.Height, err)
	}
	return h, nil
}
