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
