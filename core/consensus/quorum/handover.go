package quorum

import "cloister/wire"

// Follow checks that a handover passes the ordering of blocks on from set, and
// returns the set it names: a handover header of set's epoch, sealed by a
// majority of set, that holds the hash of Next, which is of the epoch after.
// Errors carry ErrSealInvalid.
func Follow(set *wire.MemberSet, h *wire.Handover) (*wire.MemberSet, error) {
	if h.Header.Flags&wire.FlagHandover == 0 {
		return nil, wire.Faultf(wire.ErrSealInvalid, "block %d hands nothing over", h.Header.Height)
	}
	if err := VerifySeal(set, h.Header, h.Header.Hash(), h.Seal); err != nil {
		return nil, err
	}
	e, err := EngineOf(h.Header)
	switch {
	case err != nil:
		return nil, wire.Faultf(wire.ErrSealInvalid, "engine part of the header: %v", err)
	case h.Next.Epoch != set.Epoch+1:
		return nil, wire.Faultf(wire.ErrSealInvalid, "epoch %d does not follow epoch %d", h.Next.Epoch, set.Epoch)
	case h.Next.Hash() != e.Next:
		return nil, wire.Faultf(wire.ErrSealInvalid, "block %d hands over to another member set", h.Header.Height)
	}
	return h.Next, nil
}

// Change is the one difference between a member set and the next.
type Change struct {
	Slot uint64
	Role wire.Role // from now on; 0: no member any more
}

// Step finds the one change that leads from set to next. Old and new majorities
// overlap only when sets differ in one member, so anything else is refused: an
// epoch that does not follow, slots out of order, nobody to vote, a slot whose
// key changed. Errors carry ErrBadRequest.
func Step(set, next *wire.MemberSet) (Change, error) {
	refuse := func(format string, args ...any) (Change, error) {
		return Change{}, wire.Faultf(wire.ErrBadRequest, format, args...)
	}
	if next.Epoch != set.Epoch+1 {
		return refuse("epoch %d does not follow epoch %d", next.Epoch, set.Epoch)
	}
	if next.Voters() == 0 || len(next.Members) > wire.MaxGenesisMembers {
		return refuse("%d voters of %d members", next.Voters(), len(next.Members))
	}
	var changes []Change
	last := uint64(0)
	for i := range next.Members {
		m := &next.Members[i]
		if m.Slot <= last || m.Role < wire.Voter || m.Role > wire.Audit || wire.NodeIDOf(m.Key) != m.ID {
			return refuse("slot %d is out of order, or no member", m.Slot)
		}
		last = m.Slot
		switch old := set.BySlot(m.Slot); {
		case old == nil && set.ByID(m.ID) != nil:
			return refuse("node %s is in two slots", m.ID)
		case old == nil:
			changes = append(changes, Change{m.Slot, m.Role})
		case old.ID != m.ID:
			return refuse("slot %d changed hands", m.Slot)
		case old.Role != m.Role:
			changes = append(changes, Change{m.Slot, m.Role})
		}
	}
	for i := range set.Members {
		if slot := set.Members[i].Slot; next.BySlot(slot) == nil {
			changes = append(changes, Change{Slot: slot})
		}
	}
	if len(changes) != 1 {
		return refuse("%d members change at once", len(changes))
	}
	return changes[0], nil
}
