package node

import (
	"bytes"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// expelled reports whether a node's removal waits.
func expelled(q []node.Change, id wire.NodeID) bool {
	return slices.ContainsFunc(q, func(c node.Change) bool { return c.Node == id && c.Kind == node.Expel })
}

// without is a copy of the queue without the changes of a node.
func without(q []node.Change, id wire.NodeID) []node.Change {
	kept := make([]node.Change, 0, len(q)+1)
	for _, c := range q {
		if c.Node != id {
			kept = append(kept, c)
		}
	}
	return kept
}

// verdict says what becomes of a waiting change.
type verdict uint8

const (
	moot  verdict = 1 // it is dropped
	early verdict = 2 // it waits on
	ripe  verdict = 3
)

// advance makes the first waiting change that can be made, and returns the new
// set, nil if there is none. b is the newest set, which ordered this block.
func advance(e *ledger.End, b *bench, bars []wire.Code) (*wire.MemberSet, error) {
	st := e.State(node.Name)
	q, err := queueOf(st)
	if err != nil {
		return nil, err
	}
	var kept []node.Change
	var next *wire.MemberSet
	for i, c := range q {
		n, err := nodeOf(st, c.Node)
		if err != nil {
			return nil, err
		}
		switch b.verdict(c, n, bars) {
		case moot:
			if err := forget(st, b, c, n); err != nil {
				return nil, err
			}
			continue
		case early:
			kept = append(kept, c)
			continue
		}
		if next, err = change(e, b.set, c, n); err != nil {
			return nil, err
		}
		kept = append(kept, q[i+1:]...)
		break
	}
	if len(kept) == len(q) {
		return next, nil
	}
	return next, saveQueue(st, kept)
}

// verdict judges a change of the set; n is nil if nobody knows the node.
func (b *bench) verdict(c node.Change, n *node.Node, bars []wire.Code) verdict {
	at := slices.IndexFunc(b.set.Members, func(m wire.Member) bool { return m.ID == c.Node })
	member := at >= 0
	switch {
	case n == nil:
		return moot
	case c.Kind == node.Add:
		if member || n.Standing(b.timeMs) != wire.OK || !fits(n.Roles, c.Role) || len(b.set.Members) >= wire.MaxGenesisMembers {
			return moot
		}
	case c.Kind == node.Raise:
		if !member || b.set.Members[at].Role != wire.Learner || bars[at] != wire.OK || n.Standing(b.timeMs) != wire.OK || b.set.Voters() >= node.MaxVoters {
			return moot
		}
	case !member || c.Cause != wire.OK && bars[at] == wire.OK:
		return moot
	case !b.spares(at, bars), b.makesUniform(at):
		return early
	}
	return ripe
}

// spares reports whether the set can do without a member: voters are left, and
// those without a bar are a quorum of them. A barred one may be there for long, if
// its removal waits for voters on other hardware.
func (b *bench) spares(at int, bars []wire.Code) bool {
	if b.set.Members[at].Role != wire.Voter {
		return true
	}
	left, free := 0, 0
	for i := range b.nodes {
		if i != at && b.set.Members[i].Role == wire.Voter {
			left++
			if bars[i] == wire.OK {
				free++
			}
		}
	}
	return free >= left/2+1
}

// forget ends the admission of a node that did not become a member.
func forget(st ledger.State, b *bench, c node.Change, n *node.Node) error {
	if c.Kind != node.Add || n == nil || b.set.ByID(c.Node) != nil {
		return nil
	}
	n.Admitted = 0
	return saveNode(st, n)
}

// change makes the set that follows and saves it. The node's own state follows.
func change(e *ledger.End, set *wire.MemberSet, c node.Change, n *node.Node) (*wire.MemberSet, error) {
	st := e.State(node.Name)
	next := &wire.MemberSet{Epoch: set.Epoch + 1, From: e.Height + 1, Members: slices.Clone(set.Members)}
	switch c.Kind {
	case node.Add:
		m, err := metaOf(st)
		if err != nil {
			return nil, err
		}
		next.Members = append(next.Members, wire.Member{ID: c.Node, Slot: m.NextSlot, Weight: 1, Role: c.Role, Key: n.Identity})
		m.NextSlot++
		if err := ledger.Save(st, node.MetaKey, m); err != nil {
			return nil, err
		}
	case node.Raise:
		next.ByID(c.Node).Role = wire.Voter
	case node.Expel:
		next.Members = slices.DeleteFunc(next.Members, func(m wire.Member) bool { return bytes.Equal(m.ID[:], c.Node[:]) })
		if err := dismiss(st, n); err != nil {
			return nil, err
		}
	}
	return next, st.Set(node.SetKey(next.Epoch), wire.Marshal(next))
}

// dismiss writes down that a node is no member any more. A founder that never
// registered is forgotten: what remains of it is its key, which anybody may show.
func dismiss(st ledger.State, n *node.Node) error {
	n.Admitted = 0
	switch n.Status {
	case node.Awaited:
		return st.Delete(node.Key(n.ID()))
	case node.Leaving:
		n.Status = node.Retired
		if err := unlist(st, n.ID()); err != nil {
			return err
		}
	}
	return saveNode(st, n)
}
