package query

import (
	"fmt"

	"cloister/wire"
)

// Bounds of a status.
const (
	MaxStatus = 64 << 10
	MaxPeers  = 128
	maxText   = 64
)

// Status is what a core says of itself. Nobody can check it; it is for
// operators and never for a decision.
type Status struct {
	_       struct{} `cbor:",toarray"`
	Version string   // of the core's program
	ChainID wire.Hash
	Node    wire.NodeID
	Slot    uint64 // of this incarnation; 0 if it is no member
	Role    string // "voter", "learner", "audit" or "observer"

	Engine      string // as in the genesis file
	Restart     string // restart mode in force, as in the genesis file
	Mode        string // how this run began: "new", "resumed" and the like
	Simulated   bool   // no real hardware protects this core
	DevSealKey  bool   // its store is sealed with a key the host chose
	Quarantined bool   // it found a contradiction and neither votes nor serves

	Height   uint64 // newest decided block
	Sealed   uint64 // newest block under a seal
	Executed uint64 // newest block whose effects are in state
	Flushed  uint64 // newest block whose effects are on stable storage
	TimeMs   uint64 // block time of Height

	Leader   wire.NodeID // zero when unknown
	View     uint64      // raft: the term
	Leading  bool
	InFlight uint32 // blocks proposed and not sealed
	Peers    []Peer

	PoolTxs   uint32
	PoolBytes uint64
}

// Peer is another member as this core sees it.
type Peer struct {
	_         struct{} `cbor:",toarray"`
	ID        wire.NodeID
	Slot      uint64
	Connected bool
	Match     uint64 // leader only: log position known durable there
}

// Encode is the status's encoding.
func (s *Status) Encode() []byte { return wire.Marshal(s) }

// DecodeStatus reads a status strictly. Errors wrap wire.ErrEncoding.
func DecodeStatus(b []byte) (*Status, error) {
	s := new(Status)
	if err := wire.Unmarshal(b, s, MaxStatus); err != nil {
		return nil, fmt.Errorf("core status: %w", err)
	}
	if len(s.Peers) > MaxPeers {
		return nil, fmt.Errorf("core status: %w: %d peers, at most %d", wire.ErrEncoding, len(s.Peers), MaxPeers)
	}
	for _, text := range []string{s.Version, s.Role, s.Engine, s.Restart, s.Mode} {
		if len(text) > maxText {
			return nil, fmt.Errorf("core status: %w: text of %d bytes, at most %d", wire.ErrEncoding, len(text), maxText)
		}
	}
	return s, nil
}
