package node

import (
	"bytes"
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

func nodeOf(st ledger.State, id wire.NodeID) (*node.Node, error) {
	n, ok, err := ledger.Load[node.Node](st, node.Key(id))
	if err != nil || !ok {
		return nil, err
	}
	return &n, nil
}

// known is nodeOf for those that must be there.
func known(st ledger.State, id wire.NodeID) (*node.Node, error) {
	n, err := nodeOf(st, id)
	if err == nil && n == nil {
		err = wire.Faultf(wire.ErrNotRegistered, "node %s", id)
	}
	return n, err
}

func saveNode(st ledger.State, n *node.Node) error {
	return st.Set(node.Key(n.ID()), wire.Marshal(n))
}

func metaOf(st ledger.State) (node.Meta, error) {
	m, ok, err := ledger.Load[node.Meta](st, node.MetaKey)
	if err == nil && !ok {
		err = fmt.Errorf("nodes: nothing is in state")
	}
	return m, err
}

// touch makes the end of the block look at the roster.
func touch(st ledger.State) error {
	m, err := metaOf(st)
	if err != nil || m.Touched {
		return err
	}
	m.Touched = true
	return ledger.Save(st, node.MetaKey, m)
}

func rosterOf(st ledger.State) (*wire.Roster, error) {
	r, ok, err := ledger.Load[wire.Roster](st, node.RosterKey)
	if err == nil && !ok {
		err = fmt.Errorf("nodes: no roster is in state")
	}
	return &r, err
}

func queueOf(st ledger.State) ([]node.Change, error) {
	q, _, err := ledger.Load[[]node.Change](st, node.QueueKey)
	return q, err
}

func saveQueue(st ledger.State, q []node.Change) error {
	if len(q) == 0 {
		return st.Delete(node.QueueKey)
	}
	return st.Set(node.QueueKey, wire.Marshal(q))
}

// waits reports whether a change of a node's membership is wanted already.
func waits(q []node.Change, id wire.NodeID) bool {
	return slices.ContainsFunc(q, func(c node.Change) bool { return c.Node == id })
}

// enqueue adds a wanted change. Removals always have room: no node has two.
func enqueue(st ledger.State, q []node.Change, c node.Change) error {
	return saveQueue(st, append(slices.Clone(q), c))
}

// roomFor checks that one more admission or promotion may wait.
func roomFor(q []node.Change) error {
	n := 0
	for i := range q {
		if q[i].Kind != node.Expel {
			n++
		}
	}
	if n >= node.MaxQueue {
		return wire.Faultf(wire.ErrChangesFull, "%d changes of the membership wait", n)
	}
	return nil
}

func listOf(st ledger.State) ([]node.Listed, error) {
	l, _, err := ledger.Load[[]node.Listed](st, node.ListKey)
	return l, err
}

func saveList(st ledger.State, l []node.Listed) error {
	if len(l) == 0 {
		return st.Delete(node.ListKey)
	}
	return st.Set(node.ListKey, wire.Marshal(l))
}

func place(l []node.Listed, id wire.NodeID) (int, bool) {
	return slices.BinarySearchFunc(l, id, func(e node.Listed, id wire.NodeID) int { return bytes.Compare(e.ID[:], id[:]) })
}

// list puts a registered node on the list, or brings its entry up to date.
func list(st ledger.State, l []node.Listed, n *node.Node) error {
	e := node.Listed{ID: n.ID(), Roles: n.Roles, Operator: n.Operator, Device: n.Platform.Device, ExpiresMs: n.ExpiresMs}
	l = slices.Clone(l)
	if i, found := place(l, e.ID); found {
		l[i] = e
	} else {
		l = slices.Insert(l, i, e)
	}
	return saveList(st, l)
}

// unlist takes a node off the list, if it is on it.
func unlist(st ledger.State, id wire.NodeID) error {
	l, err := listOf(st)
	if err != nil {
		return err
	}
	i, found := place(l, id)
	if !found {
		return nil
	}
	return saveList(st, slices.Delete(slices.Clone(l), i, i+1))
}
