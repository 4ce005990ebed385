package node

import (
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// A flaw of one vendor's hardware lets whoever knows it forge evidence for every
// machine of that kind. So voters keep hardware of as many vendors as their
// policy says, once they have it (TEE specification §8).

// classes is how many vendors' hardware the voters have to keep.
func (f Family) classes(hw ledger.State) (int, error) {
	p, err := f.hardware().Policy(hw, policy.Voter)
	if err != nil {
		return 0, err
	}
	return int(p.MinVendorClasses), nil
}

// vendors counts those whose hardware the voters have, by their newest evidence.
// Founders that have shown none and nodes that were revoked count for nobody; who
// is barred otherwise may come back, and counts.
func (b *bench) vendors(without func(wire.NodeID) bool) int {
	seen := map[evidence.Vendor]bool{}
	for i, n := range b.nodes {
		m := &b.set.Members[i]
		vendor := evidence.Kind(n.Platform.Kind).Vendor()
		if m.Role == wire.Voter && n.Status != node.Revoked && vendor != 0 && !without(m.ID) {
			seen[vendor] = true
		}
	}
	return len(seen)
}

// uniform reports whether voters who have hardware of enough vendors would not,
// without some of them. A demand for one vendor is none: it could only keep the
// last registered voter among founders from leaving.
func (b *bench) uniform(classes int, without func(wire.NodeID) bool) bool {
	if classes < 2 {
		return false
	}
	nobody := func(wire.NodeID) bool { return false }
	return b.vendors(nobody) >= classes && b.vendors(without) < classes
}

// makesUniform reports whether a member's removal has to wait for voters on other
// hardware. That of a revoked node never does.
func (b *bench) makesUniform(at int) bool {
	out := b.set.Members[at].ID
	return b.nodes[at].Status != node.Revoked && b.uniform(b.classes, func(id wire.NodeID) bool { return id == out })
}
