package quorum

import (
	"fmt"

	"cloister/wire"
)

// labels keep a signature made for one engine from meaning anything in another.
var labels = map[uint8]string{
	wire.EngineSolo: "cloister/solo-ack/v1",
	wire.EngineRaft: "cloister/raft-ack/v1",
}

// Engine is the engine's part of a header under a quorum engine: which view
// (raft: term) the block was proposed in, and by which slot.
type Engine struct {
	_    struct{} `cbor:",toarray"`
	View uint64
	Slot uint64
	Next wire.Hash // of the member set of the next epoch; zero without wire.FlagHandover
}

// EngineOf reads the engine part of a header. Next stands in it exactly when
// the header has wire.FlagHandover. Errors wrap wire.ErrEncoding.
func EngineOf(h *wire.Header) (e Engine, err error) {
	if err := wire.Unmarshal(h.Engine, &e, 64); err != nil {
		return e, err
	}
	if (h.Flags&wire.FlagHandover != 0) != (e.Next != wire.Hash{}) {
		return e, fmt.Errorf("engine part: %w: a handover names the next members, and nothing else does", wire.ErrEncoding)
	}
	return e, nil
}

// Statement is what the voter in slot signs: that it holds the block and all
// its ancestors durably, in view.
func Statement(h *wire.Header, hash wire.Hash, slot, view uint64) wire.Hash {
	return wire.TH(labels[h.EngineKind], h.ChainID[:], wire.U64(h.Epoch), wire.U64(slot),
		wire.U64(view), wire.U64(h.Height), hash[:])
}

// VerifySeal checks that seal is signatures of a majority of set's voters over
// the header with this hash, in the header's own view, ascending by slot, every
// one of them good. Errors carry ErrSealInvalid.
func VerifySeal(set *wire.MemberSet, h *wire.Header, hash wire.Hash, seal []byte) error {
	s, err := wire.DecodeSeal(seal)
	if err != nil {
		return wire.Faultf(wire.ErrSealInvalid, "%v", err)
	}
	e, err := EngineOf(h)
	switch {
	case err != nil:
		return wire.Faultf(wire.ErrSealInvalid, "engine part of the header: %v", err)
	case labels[h.EngineKind] == "":
		return wire.Faultf(wire.ErrSealInvalid, "engine kind %d has no quorum seal", h.EngineKind)
	case h.Epoch != set.Epoch || h.MembersHash != set.Hash():
		return wire.Faultf(wire.ErrSealInvalid, "header is of another member set")
	case s.View != e.View:
		return wire.Faultf(wire.ErrSealInvalid, "seal of view %d on a block of view %d", s.View, e.View)
	case len(s.Sigs) < set.Quorum():
		return wire.Faultf(wire.ErrSealInvalid, "%d signatures, %d are a majority", len(s.Sigs), set.Quorum())
	}
	last := uint64(0)
	for _, x := range s.Sigs {
		m := set.BySlot(x.Slot)
		switch {
		case m == nil || m.Role != wire.Voter || x.Slot <= last:
			return wire.Faultf(wire.ErrSealInvalid, "slot %d is no voter, or out of order", x.Slot)
		case !m.Key.Verify(Statement(h, hash, x.Slot, s.View), x.Sig):
			return wire.Faultf(wire.ErrSealInvalid, "signature of slot %d does not hold", x.Slot)
		}
		last = x.Slot
	}
	return nil
}
