package rules

import (
	"cloister/core/consensus/quorum"
	"cloister/wire"
)

// VerifySeal checks a seal against the member set in force at its header.
type VerifySeal func(set *wire.MemberSet, h *wire.Header, hash wire.Hash, seal []byte) error

// seals has one line per engine kind.
var seals = map[uint8]VerifySeal{
	wire.EngineSolo: quorum.VerifySeal,
	wire.EngineRaft: quorum.VerifySeal,
}

// Seal checks a seal by the rule of the header's engine. Errors carry ErrSealInvalid.
func Seal(set *wire.MemberSet, h *wire.Header, hash wire.Hash, seal []byte) error {
	verify, ok := seals[h.EngineKind]
	if !ok {
		return wire.Faultf(wire.ErrSealInvalid, "engine kind %d is unknown", h.EngineKind)
	}
	return verify(set, h, hash, seal)
}

// follow has one line per engine kind.
var follow = map[uint8]func(set *wire.MemberSet, h *wire.Handover) (*wire.MemberSet, error){
	wire.EngineSolo: quorum.Follow,
	wire.EngineRaft: quorum.Follow,
}

// Follow checks that a handover passes the ordering of blocks on from set and
// returns the set it names, by the rule of the header's engine. The caller has
// checked that the header is of its chain. Errors carry ErrSealInvalid.
func Follow(set *wire.MemberSet, h *wire.Handover) (*wire.MemberSet, error) {
	rule, ok := follow[h.Header.EngineKind]
	if !ok {
		return nil, wire.Faultf(wire.ErrSealInvalid, "engine kind %d is unknown", h.Header.EngineKind)
	}
	return rule(set, h)
}

// All is both rules together.
var All = wire.SealRules{Seal: Seal, Follow: Follow}
