package node

import (
	"slices"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// register makes a core known, or known again after it retired or ran out.
func (f Family) register(c *ledger.Call, op *node.Register, s *shown) (effect, error) {
	st, id := c.State(node.Name), wire.NodeIDOf(s.claims.Identity)
	old, err := nodeOf(st, id)
	if err != nil {
		return nil, err
	}
	if err := mayRegister(c, old, s); err != nil {
		return nil, err
	}
	r, err := rosterOf(st)
	if err != nil {
		return nil, err
	}
	if m := r.Set.ByID(id); m != nil && !fits(op.Roles, m.Role) {
		return nil, wire.Faultf(wire.ErrNodeRole, "node %s is a member, and does not register for that role", id)
	}
	l, err := listOf(st)
	if err != nil {
		return nil, err
	}
	if err := f.room(c, l, id, op.Roles, s.claims); err != nil {
		return nil, err
	}
	found, err := f.attest(c, s, op.Roles, policy.Joining)
	if err != nil {
		return nil, err
	}
	if err := oneOnDevice(l, id, op.Roles, found.result.Device, c.TimeMs); err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		if err := f.enrol(c, s, found); err != nil {
			return nil, err
		}
		n := &node.Node{}
		if old != nil {
			n.Admitted = old.Admitted
		}
		n.Identity, n.Box, n.VRF = s.claims.Identity, s.claims.Box, s.claims.VRF
		n.Operator, n.Roles, n.Name = wire.Account(s.claims.Operator), op.Roles, op.Name
		n.Status, n.Registered = node.Active, c.Height
		settle(c, n, s, found)
		if err := st.Set(node.VRFKey(n.VRF), id[:]); err != nil {
			return nil, err
		}
		if l, err = vacate(st, l, id, c.TimeMs); err != nil {
			return nil, err
		}
		if err := list(st, l, n); err != nil {
			return nil, err
		}
		if err := saveNode(st, n); err != nil {
			return nil, err
		}
		return id[:], touch(st)
	}, nil
}

// mayRegister checks who asks, and that what is known of the core allows it.
func mayRegister(c *ledger.Call, old *node.Node, s *shown) error {
	operator, self := wire.Account(s.claims.Operator), wire.AccountOf(s.claims.Identity)
	founder := old != nil && old.Status == node.Awaited
	switch {
	case founder && old.Operator != (wire.Account{}) && operator != old.Operator:
		return wire.Faultf(wire.ErrNotOperator, "the genesis names %s the founder's operator, the claims name %s", old.Operator, operator)
	case c.Payer == operator:
	case founder && c.Payer == self && operator == old.Operator:
		// A founder needs nobody's account: the genesis vouches for its key.
	default:
		return wire.Faultf(wire.ErrNotOperator, "the claims name operator %s, the payer is %s", operator, c.Payer)
	}
	switch {
	case old == nil || founder:
		return nil
	case old.Status == node.Revoked:
		return wire.Faultf(wire.ErrNodeRevoked, "node %s: %s", old.ID(), old.Reason)
	case old.Status == node.Leaving || old.Status == node.Active && old.ExpiresMs > c.TimeMs:
		return wire.Faultf(wire.ErrNodeExists, "node %s is registered until block time %d", old.ID(), old.ExpiresMs)
	case s.Boots <= old.Boots:
		return wire.Faultf(wire.ErrBootReplayed, "run %d of the core was registered, this is run %d", old.Boots, s.Boots)
	case s.claims.VRF != old.VRF || s.claims.Box != old.Box:
		// A voter that could change its VRF key could try keys on the beacon's next input.
		return wire.Faultf(wire.ErrNodeKeysChanged, "node %s", old.ID())
	}
	return nil
}

// room checks that there is a place for the node, with its operator too, and
// that its VRF key is nobody else's.
func (f Family) room(c *ledger.Call, l []node.Listed, id wire.NodeID, roles node.Roles, claims *evidence.Claims) error {
	st := c.State(node.Name)
	holder, err := st.Get(node.VRFKey(claims.VRF))
	if err != nil {
		return err
	}
	if holder != nil && wire.NodeID(holder) != id {
		return wire.Faultf(wire.ErrNodeKeyUsed, "the VRF key belongs to node %x", holder)
	}
	if err := f.share(c, l, id, roles, wire.Account(claims.Operator)); err != nil {
		return err
	}
	m, err := metaOf(st)
	if err != nil {
		return err
	}
	if _, found := place(l, id); found || uint64(len(l)) < m.MaxNodes {
		return nil
	}
	if _, free, err := oldest(st, l, c.TimeMs); err != nil || free {
		return err
	}
	return wire.Faultf(wire.ErrNodesFull, "%d nodes are registered, at most %d are", len(l), m.MaxNodes)
}

// share checks that an operator may have one more node in each of these roles.
func (f Family) share(c *ledger.Call, l []node.Listed, id wire.NodeID, roles node.Roles, operator wire.Account) error {
	for _, n := range roles.Numbers() {
		p, err := f.hardware().Policy(c.State(hardwareFamily), policy.Role(n))
		if err != nil {
			return err
		}
		if err := p.Room(held(l, id, n, operator, c.TimeMs)); err != nil {
			return err
		}
	}
	return nil
}

// held counts an operator's other registrations in force in a role.
func held(l []node.Listed, id wire.NodeID, role uint8, operator wire.Account, timeMs uint64) (n uint32) {
	for i := range l {
		e := &l[i]
		if e.ID != id && e.Operator == operator && e.ExpiresMs > timeMs && slices.Contains(e.Roles.Numbers(), role) {
			n++
		}
	}
	return n
}

// oneOnDevice checks that nobody else is registered on a device in one of these roles.
// Evidence that names no device is a matter of policy.
func oneOnDevice(l []node.Listed, id wire.NodeID, roles node.Roles, device wire.Hash, timeMs uint64) error {
	for i := range l {
		e := &l[i]
		if !device.IsZero() && e.Device == device && e.ID != id && e.Roles&roles != 0 && e.ExpiresMs > timeMs {
			return wire.Faultf(wire.ErrDeviceTaken, "device %s runs node %s", device, e.ID)
		}
	}
	return nil
}

// oldest finds the registration that ran out first among those of no member.
func oldest(st ledger.State, l []node.Listed, timeMs uint64) (at int, ok bool, err error) {
	r, err := rosterOf(st)
	if err != nil {
		return 0, false, err
	}
	for i := range l {
		if l[i].ExpiresMs <= timeMs && r.Set.ByID(l[i].ID) == nil && (!ok || l[i].ExpiresMs < l[at].ExpiresMs) {
			at, ok = i, true
		}
	}
	return at, ok, nil
}

// vacate makes room on the list for a node that room found a place for. Whoever
// has to go is retired: it can register again.
func vacate(st ledger.State, l []node.Listed, id wire.NodeID, timeMs uint64) ([]node.Listed, error) {
	m, err := metaOf(st)
	if err != nil {
		return nil, err
	}
	if _, found := place(l, id); found || uint64(len(l)) < m.MaxNodes {
		return l, nil
	}
	at, ok, err := oldest(st, l, timeMs)
	if err != nil || !ok {
		return l, err
	}
	n, err := known(st, l[at].ID)
	if err != nil {
		return nil, err
	}
	n.Status, n.Admitted = node.Retired, 0
	if err := saveNode(st, n); err != nil {
		return nil, err
	}
	return slices.Delete(slices.Clone(l), at, at+1), nil
}
