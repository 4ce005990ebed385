package node

import (
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// CheckOrder implements ledger.Governed.
func (Family) CheckOrder(order []byte) error {
	_, err := node.DecodeOrder(order)
	return err
}

// Govern implements ledger.Governed. No order to this family needs everybody.
func (f Family) Govern(c *ledger.Call, order []byte, _ bool) ([]byte, error) {
	o, err := node.DecodeOrder(order)
	if err != nil {
		return nil, err
	}
	st := c.State(node.Name)
	r, err := rosterOf(st)
	if err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case *node.Admit:
		err = admit(c, r, o)
	case *node.Remove:
		err = f.remove(c, r, o.Node)
	case *node.Revoke:
		err = revoke(c, r, o)
	case *node.SetParams:
		err = setParams(st, o)
	}
	return nil, err
}

// fits reports whether a node registered for roles may be a member in one.
func fits(roles node.Roles, as wire.Role) bool {
	return roles&node.VoterRole != 0 || as == wire.Audit && roles&node.AuditRole != 0
}

func admit(c *ledger.Call, r *wire.Roster, o *node.Admit) error {
	st := c.State(node.Name)
	n, err := known(st, o.Node)
	if err != nil {
		return err
	}
	q, err := queueOf(st)
	if err != nil {
		return err
	}
	m := r.Set.ByID(o.Node)
	switch code := n.Standing(c.TimeMs); {
	case code != wire.OK:
		return wire.Faultf(code, "node %s", o.Node)
	case n.Status == node.Leaving:
		return wire.Faultf(wire.ErrNodeRetired, "node %s leaves the set of members", o.Node)
	case !fits(n.Roles, o.Role):
		return wire.Faultf(wire.ErrNodeRole, "node %s is registered for roles %#x", o.Node, uint8(n.Roles))
	case waits(q, o.Node):
		return wire.Faultf(wire.ErrChangePending, "node %s", o.Node)
	case m != nil && m.Role == wire.Learner && n.Admitted != wire.Voter && o.Role == wire.Voter:
		n.Admitted = wire.Voter // it may be promoted from now on
		return saveNode(st, n)
	case m != nil:
		return wire.Faultf(wire.ErrAlreadyMember, "node %s", o.Node)
	case len(r.Set.Members)+additions(q) >= wire.MaxGenesisMembers:
		return wire.Faultf(wire.ErrMembersFull, "%d nodes are members or will be", len(r.Set.Members)+additions(q))
	}
	if err := roomFor(q); err != nil {
		return err
	}
	n.Admitted = o.Role
	if err := saveNode(st, n); err != nil {
		return err
	}
	as := o.Role
	if as == wire.Voter {
		as = wire.Learner
	}
	if err := enqueue(st, q, node.Change{Kind: node.Add, Node: o.Node, Role: as, Height: c.Height}); err != nil {
		return err
	}
	return touch(st)
}

func additions(q []node.Change) (n int) {
	for i := range q {
		if q[i].Kind == node.Add {
			n++
		}
	}
	return n
}

// remove queues a member's removal, or takes back an admission that still waits.
func (f Family) remove(c *ledger.Call, r *wire.Roster, id wire.NodeID) error {
	st := c.State(node.Name)
	if r.Set.ByID(id) != nil {
		expel, err := f.expulsion(c, r, id)
		if err != nil {
			return err
		}
		return expel()
	}
	q, err := queueOf(st)
	if err != nil {
		return err
	}
	if !waits(q, id) {
		return wire.Faultf(wire.ErrNotMember, "node %s", id)
	}
	n, err := known(st, id)
	if err != nil {
		return err
	}
	n.Admitted = 0
	if err := saveNode(st, n); err != nil {
		return err
	}
	return saveQueue(st, without(q, id))
}

// revoke bars a node at once and for good. What it waits for is found to be moot
// when its turn comes; its removal, if it is a member, is queued with the bar.
func revoke(c *ledger.Call, r *wire.Roster, o *node.Revoke) error {
	st := c.State(node.Name)
	n, err := known(st, o.Node)
	if err != nil {
		return err
	}
	if n.Status == node.Revoked {
		return wire.Faultf(wire.ErrNodeRevoked, "node %s: %s", o.Node, n.Reason)
	}
	n.Status, n.Reason = node.Revoked, o.Reason
	if err := saveNode(st, n); err != nil {
		return err
	}
	b, err := newBench(st, r.Set, c.Epoch, c.TimeMs)
	if err != nil {
		return err
	}
	if m := r.Set.ByID(o.Node); m != nil && m.Role == wire.Voter && !b.quorate(b.revoked()) {
		return wire.Faultf(wire.ErrQuorumAtRisk, "without node %s fewer than %d voters are left", o.Node, r.Set.Quorum())
	}
	if err := unlist(st, o.Node); err != nil {
		return err
	}
	return touch(st)
}

func setParams(st ledger.State, o *node.SetParams) error {
	m, err := metaOf(st)
	if err != nil {
		return err
	}
	m.MaxNodes, m.FoundingMs, m.Touched = o.MaxNodes, o.FoundingMs, true
	return ledger.Save(st, node.MetaKey, m)
}
