package node

import (
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// retire ends a registration on its operator's word. A member is taken out of
// the set in good order first, and keeps its standing until then.
func (f Family) retire(c *ledger.Call, op *node.Retire) (effect, error) {
	st := c.State(node.Name)
	n, err := known(st, op.Node)
	if err != nil {
		return nil, err
	}
	switch {
	case n.Operator != c.Payer:
		return nil, wire.Faultf(wire.ErrNotOperator, "node %s belongs to %s, the payer is %s", op.Node, n.Operator, c.Payer)
	case n.Status == node.Awaited:
		return nil, wire.Faultf(wire.ErrNotRegistered, "node %s", op.Node)
	case n.Status != node.Active:
		return nil, wire.Faultf(retiredOr(n, c.TimeMs), "node %s", op.Node)
	}
	r, err := rosterOf(st)
	if err != nil {
		return nil, err
	}
	if r.Set.ByID(op.Node) != nil {
		return f.leave(c, r, n)
	}
	return func() ([]byte, error) {
		n.Status, n.Admitted = node.Retired, 0
		if err := unlist(st, op.Node); err != nil {
			return nil, err
		}
		return nil, saveNode(st, n)
	}, nil
}

func retiredOr(n *node.Node, timeMs uint64) wire.Code {
	if n.Status == node.Leaving {
		return wire.ErrNodeRetired
	}
	return n.Standing(timeMs)
}

func (f Family) leave(c *ledger.Call, r *wire.Roster, n *node.Node) (effect, error) {
	st := c.State(node.Name)
	expel, err := f.expulsion(c, r, n.ID())
	if err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		n.Status = node.Leaving
		if err := saveNode(st, n); err != nil {
			return nil, err
		}
		return nil, expel()
	}, nil
}

// expulsion queues the removal of a member, which must leave a voter, and
// hardware of as many vendors as the voters have to keep. If it is wanted already,
// it becomes unconditional.
func (f Family) expulsion(c *ledger.Call, r *wire.Roster, id wire.NodeID) (func() error, error) {
	st := c.State(node.Name)
	q, err := queueOf(st)
	if err != nil {
		return nil, err
	}
	if lastVoter(r.Set, q, id) {
		return nil, wire.Faultf(wire.ErrLastVoter, "node %s", id)
	}
	if err := f.diverse(c, r, q, id); err != nil {
		return nil, err
	}
	return func() error {
		kept := make([]node.Change, 0, len(q)+1)
		for _, waiting := range q {
			if waiting.Node != id { // a promotion, or a removal on a condition
				kept = append(kept, waiting)
			}
		}
		if err := enqueue(st, kept, node.Change{Kind: node.Expel, Node: id, Height: c.Height}); err != nil {
			return err
		}
		return touch(st)
	}, nil
}

// diverse checks that the voters keep hardware of enough vendors without id and
// all those that wait for removal for good.
func (f Family) diverse(c *ledger.Call, r *wire.Roster, q []node.Change, id wire.NodeID) error {
	if r.Set.ByID(id).Role != wire.Voter {
		return nil
	}
	classes, err := f.classes(c.State(hardwareFamily))
	if err != nil {
		return err
	}
	b, err := newBench(c.State(node.Name), r.Set, c.Epoch, c.TimeMs)
	if err != nil {
		return err
	}
	n, err := known(c.State(node.Name), id)
	if err != nil {
		return err
	}
	goes := func(member wire.NodeID) bool {
		return member == id || slices.ContainsFunc(q, func(c node.Change) bool {
			return c.Node == member && c.Kind == node.Expel && c.Cause == wire.OK
		})
	}
	if n.Status != node.Revoked && b.uniform(classes, goes) {
		return wire.Faultf(wire.ErrVendorClasses, "without node %s the voters have hardware of fewer than %d vendors", id, classes)
	}
	return nil
}

// lastVoter reports whether no voter would be left without id and all those
// that wait for removal for good.
func lastVoter(set *wire.MemberSet, q []node.Change, id wire.NodeID) bool {
	if m := set.ByID(id); m == nil || m.Role != wire.Voter {
		return false
	}
	left := set.Voters() - 1
	for _, c := range q {
		if m := set.ByID(c.Node); c.Kind == node.Expel && c.Cause == wire.OK && c.Node != id && m != nil && m.Role == wire.Voter {
			left--
		}
	}
	return left < 1
}

// promote queues a learner's promotion on a voter's word.
func promote(c *ledger.Call, op *node.Promote) (effect, error) {
	st := c.State(node.Name)
	r, err := rosterOf(st)
	if err != nil {
		return nil, err
	}
	if voter := wire.NodeIDOf(c.Tx.Payer); !node.MayVote(r, voter) {
		return nil, wire.Faultf(wire.ErrNotVoter, "node %s", voter)
	}
	m, s := r.Set.ByID(op.Node), r.Of(op.Node)
	if m == nil {
		return nil, wire.Faultf(wire.ErrNotMember, "node %s", op.Node)
	}
	n, err := known(st, op.Node)
	if err != nil {
		return nil, err
	}
	q, err := queueOf(st)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Role != wire.Learner || n.Admitted != wire.Voter || s.Barred != wire.OK:
		return nil, wire.Faultf(wire.ErrNotLearner, "node %s", op.Node)
	case waits(q, op.Node):
		return nil, wire.Faultf(wire.ErrChangePending, "node %s", op.Node)
	case voters(r.Set, q) >= node.MaxVoters:
		return nil, wire.Faultf(wire.ErrVotersFull, "%d nodes vote or will", voters(r.Set, q))
	}
	if err := roomFor(q); err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		if err := enqueue(st, q, node.Change{Kind: node.Raise, Node: op.Node, Height: c.Height}); err != nil {
			return nil, err
		}
		return nil, touch(st)
	}, nil
}

// voters counts those of the set and those that wait to become one.
func voters(set *wire.MemberSet, q []node.Change) int {
	n := set.Voters()
	for _, c := range q {
		if c.Kind == node.Raise {
			n++
		}
	}
	return n
}
