package node

import "cloister/wire"

// Self is what a running core knows of itself.
type Self struct {
	Identity wire.PublicKey
	Boots    uint64 // number of this run
	BootID   wire.Hash
}

// Duty is something a core should submit now.
type Duty struct {
	Kind byte        // KindRegister, KindRenew, KindBoot or KindPromote
	Node wire.NodeID // KindPromote: a learner to promote once it has caught up
}

// Due says what a core should submit about itself at a block time, and, if it is
// a voter, which learners wait to be promoted. Submitting it is free for members;
// a core that is none has its operator pay. It carries ErrBootReplayed if a
// later run of the core is registered: then this one must stop for good.
// ErrNodeRevoked and ErrNodeRetired say that nothing can be submitted.
func Due(get Reader, self Self, timeMs uint64) ([]Duty, error) {
	id := wire.NodeIDOf(self.Identity)
	n, err := Of(get, id)
	if err != nil {
		return nil, err
	}
	own, err := dueOf(n, self, timeMs)
	if err != nil {
		return nil, err
	}
	var due []Duty
	if own != 0 {
		due = append(due, Duty{Kind: own})
	}
	learners, err := ripe(get, id, timeMs)
	return append(due, learners...), err
}

func dueOf(n *Node, self Self, timeMs uint64) (kind byte, err error) {
	switch {
	case n == nil || n.Status == Awaited:
		return KindRegister, nil
	case n.Status == Revoked || n.Status == Retired:
		return 0, wire.Faultf(n.Standing(timeMs), "node %s", n.ID())
	case n.Boots == self.Boots && n.BootID == self.BootID:
	case n.Boots < self.Boots:
		return KindBoot, nil
	default:
		return 0, wire.Faultf(wire.ErrBootReplayed, "run %d of the core is registered, this is run %d", n.Boots, self.Boots)
	}
	// The last third of its life is for renewing: time enough to try again.
	if n.Suspended != wire.OK || timeMs >= n.ExpiresMs-min(n.ExpiresMs, (n.ExpiresMs-n.AttestedMs)/3) {
		return KindRenew, nil
	}
	return 0, nil
}

// ripe lists the learners that a voter may promote, in slot order.
func ripe(get Reader, voter wire.NodeID, timeMs uint64) ([]Duty, error) {
	r, err := RosterOf(get)
	if err != nil || r == nil || !MayVote(r, voter) {
		return nil, err
	}
	waiting, err := Queue(get)
	if err != nil {
		return nil, err
	}
	var due []Duty
	for i := range r.Set.Members {
		m := &r.Set.Members[i]
		if m.Role != wire.Learner || r.Nodes[i].Barred != wire.OK || queued(waiting, m.ID) {
			continue
		}
		n, err := Of(get, m.ID)
		if err != nil {
			return nil, err
		}
		if n != nil && n.Admitted == wire.Voter && n.Standing(timeMs) == wire.OK {
			due = append(due, Duty{Kind: KindPromote, Node: m.ID})
		}
	}
	return due, nil
}

func queued(waiting []Change, id wire.NodeID) bool {
	for i := range waiting {
		if waiting[i].Node == id {
			return true
		}
	}
	return false
}
