package beacon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"cloister/wire"
)

// Name is the family's name in transactions.
const Name = "beacon"

// Sizes, of RFC 9381 suite ECVRF-EDWARDS25519-SHA512-ELL2.
const (
	ProofSize = 80
	BetaSize  = 64
)

// Prove brings one voter's proof for the open round. The payer is the voter's
// identity key.
type Prove struct {
	_     struct{} `cbor:",toarray"`
	Round uint64
	Proof []byte // ProofSize bytes
}

// Bytes is the payload.
func (p *Prove) Bytes() []byte { return wire.Marshal(p) }

// Decode reads a payload strictly. Errors carry ErrMalformed.
func Decode(b []byte) (*Prove, error) {
	p := new(Prove)
	if err := wire.Unmarshal(b, p, ProofSize+32); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "beacon payload: %v", err)
	}
	if p.Round == 0 || len(p.Proof) != ProofSize {
		return nil, wire.Faultf(wire.ErrMalformed, "round %d, a proof of %d bytes; rounds count from 1, proofs have %d", p.Round, len(p.Proof), ProofSize)
	}
	return p, nil
}

// Alpha is what is proved in a round; last is the value of the round before.
func Alpha(chain wire.Hash, round uint64, last wire.Hash) wire.Hash {
	return wire.TH("cloister/beacon/alpha/v1", chain[:], wire.U64(round), last[:])
}

// Output is what a voter's proof gave.
type Output struct {
	_    struct{} `cbor:",toarray"`
	Node wire.NodeID
	Beta []byte // BetaSize bytes
}

// Combine is the value of a round: the last one and the outputs, each of another
// node, in the order of their nodes' ids whatever order they are given in.
func Combine(last wire.Hash, outputs []Output) wire.Hash {
	sorted := slices.Clone(outputs)
	slices.SortFunc(sorted, func(a, b Output) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	parts := [][]byte{last[:]}
	for i := range sorted {
		parts = append(parts, sorted[i].Beta)
	}
	return wire.TH("cloister/beacon/v1", parts...)
}

// Start is the value of round 0, before anybody proved anything. It is no
// secret and no randomness.
func Start() wire.Hash { return wire.TH("cloister/beacon/start/v1") }

// Params are the family's genesis parameters.
type Params struct {
	IntervalMs uint64 `json:"interval_ms"` // from one value to the opening of the next round, block time
}

// Bounds of the interval.
const (
	DefaultIntervalMs = 1000
	MaxIntervalMs     = 24 * 3600 * 1000
)

// ParseParams reads and checks parameters; none at all are the defaults.
func ParseParams(params json.RawMessage) (*Params, error) {
	p := &Params{IntervalMs: DefaultIntervalMs}
	if len(params) == 0 {
		return p, nil
	}
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	if p.IntervalMs == 0 || p.IntervalMs > MaxIntervalMs {
		return nil, fmt.Errorf("interval_ms must be 1 to %d", uint64(MaxIntervalMs))
	}
	return p, nil
}
