package node

import (
	"cloister/core/ledger"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// judgedAgainMs is how often registrations are judged again when nothing
// happened: time alone ends grace and the validity of collateral.
const judgedAgainMs = 3_600_000

// EndBlock implements ledger.Ender. Most blocks cost two reads.
func (f Family) EndBlock(e *ledger.End) error {
	st := e.State(node.Name)
	if err := sample(st, e.Height, e.TimeMs); err != nil {
		return err
	}
	m, err := metaOf(st)
	if err != nil {
		return err
	}
	revision, again, err := f.changed(e, &m)
	if err != nil {
		return err
	}
	waiting, err := st.Get(node.QueueKey)
	if err != nil {
		return err
	}
	if !again && !m.Touched && e.TimeMs < m.DueMs && waiting == nil {
		return nil
	}
	if m.StartMs == 0 {
		m.StartMs = e.TimeMs
	}
	if again {
		m.Revision = revision
		if m.JudgeMs, err = f.rejudge(e); err != nil {
			return err
		}
	}
	m.Touched = false
	if err := ledger.Save(st, node.MetaKey, m); err != nil {
		return err
	}
	return f.convene(e)
}

// changed reports whether registrations have to be judged again.
func (f Family) changed(e *ledger.End, m *node.Meta) (revision uint64, again bool, err error) {
	hw := e.State(hardwareFamily)
	if revision, err = f.hardware().Revision(hw); err != nil {
		return 0, false, err
	}
	due, err := f.hardware().Due(hw, e.Height)
	return revision, due || revision != m.Revision || e.TimeMs >= m.JudgeMs, err
}

// rejudge judges every registration by what is kept of its evidence, and says
// at which block time to do so again. There are at most node.MaxNodes.
func (f Family) rejudge(e *ledger.End) (againMs uint64, err error) {
	st := e.State(node.Name)
	l, err := listOf(st)
	if err != nil {
		return 0, err
	}
	againMs = e.TimeMs + judgedAgainMs
	for i := range l {
		n, err := known(st, l[i].ID)
		if err != nil {
			return 0, err
		}
		code, grace, err := f.standing(e, n)
		if err != nil {
			return 0, err
		}
		if grace.SinceMs != 0 && grace.UntilMs >= e.TimeMs {
			againMs = min(againMs, grace.UntilMs+1)
		}
		if code == n.Suspended && grace.SinceMs == n.GraceMs {
			continue
		}
		n.Suspended, n.GraceMs = code, grace.SinceMs
		if err := saveNode(st, n); err != nil {
			return 0, err
		}
	}
	return againMs, nil
}

// standing is what the policies of a node's roles say of it now: the first
// refusal, and of all graces the one that began and the one that ends first.
func (f Family) standing(e *ledger.End, n *node.Node) (code wire.Code, grace Grace, err error) {
	for _, role := range n.Roles.Numbers() {
		g, err := f.hardware().Rejudge(e.State(hardwareFamily), policy.Role(role), &n.Platform, n.GraceMs, e.Height, e.TimeMs)
		switch refusal := wire.CodeOf(err); {
		case refusal == wire.ErrInternal:
			return 0, Grace{}, err
		case refusal != wire.OK:
			g = Grace{SinceMs: n.GraceMs} // a grace that ended does not begin again
			if code == wire.OK {
				code = refusal
			}
		}
		if g.SinceMs == 0 {
			continue
		}
		if grace.SinceMs == 0 {
			grace = g
		}
		grace = Grace{min(grace.SinceMs, g.SinceMs), min(grace.UntilMs, g.UntilMs)}
	}
	return code, grace, nil
}

// convene decides the roster: who is barred, and whether a waiting change can be made.
func (f Family) convene(e *ledger.End) error {
	st := e.State(node.Name)
	r, err := rosterOf(st)
	if err != nil {
		return err
	}
	b, err := newBench(st, r.Set, e.Epoch, e.TimeMs)
	if err != nil {
		return err
	}
	if b.classes, err = f.classes(e.State(hardwareFamily)); err != nil {
		return err
	}
	bars, resting := b.bars()
	if err := expelBarred(e, b, bars); err != nil {
		return err
	}
	if e.Epoch == r.Set.Epoch {
		next, err := advance(e, b, bars)
		if err != nil {
			return err
		}
		if next != nil {
			if b, err = newBench(st, next, e.Epoch, e.TimeMs); err != nil {
				return err
			}
			bars, resting = b.bars()
		}
	}
	m, err := metaOf(st)
	if err != nil {
		return err
	}
	if m.DueMs = b.dueMs(); resting {
		m.DueMs = 0 // look again after every block
	}
	if err := ledger.Save(st, node.MetaKey, m); err != nil {
		return err
	}
	return st.Set(node.RosterKey, wire.Marshal(b.roster(bars)))
}

// expelBarred puts the removal of every barred member that does not wait for it
// before all other changes: while a revoked voter is in the set, any other change
// could leave too few.
func expelBarred(e *ledger.End, b *bench, bars []wire.Code) error {
	st := e.State(node.Name)
	q, err := queueOf(st)
	if err != nil {
		return err
	}
	var first []node.Change
	for i, cause := range bars {
		id := b.set.Members[i].ID
		if cause != wire.OK && !expelled(q, id) {
			first = append(first, node.Change{Kind: node.Expel, Node: id, Cause: cause, Height: e.Height})
			q = without(q, id)
		}
	}
	if len(first) == 0 {
		return nil
	}
	return saveQueue(st, append(first, q...))
}
