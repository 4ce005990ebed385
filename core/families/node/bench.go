package node

import (
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// bench is the members of a set before their judge: what the ledger knows of
// each, and which set orders blocks while the newest one waits for its turn.
type bench struct {
	set    *wire.MemberSet
	before *wire.MemberSet // the set in force, if another; else nil
	nodes  []*node.Node    // in slot order
	timeMs uint64
	// foundedMs is the block time at which founders have to be registered.
	foundedMs uint64
	classes   int // vendors whose hardware voters keep once they have it
}

func newBench(st ledger.State, set *wire.MemberSet, epoch, timeMs uint64) (*bench, error) {
	b := &bench{set: set, timeMs: timeMs, foundedMs: forever}
	m, err := metaOf(st)
	if err != nil {
		return nil, err
	}
	if m.FoundingMs != 0 && m.StartMs != 0 {
		b.foundedMs = m.StartMs + m.FoundingMs
	}
	for i := range set.Members {
		n, err := known(st, set.Members[i].ID)
		if err != nil {
			return nil, err
		}
		b.nodes = append(b.nodes, n)
	}
	if epoch != set.Epoch {
		before, _, err := ledger.Load[wire.MemberSet](st, node.SetKey(epoch))
		if err != nil {
			return nil, err
		}
		b.before = &before
	}
	return b, nil
}

// forever is a block time that does not come.
const forever = 1<<64 - 1

// causes says of each member what speaks against it, OK if nothing does.
func (b *bench) causes() []wire.Code {
	out := make([]wire.Code, len(b.nodes))
	for i, n := range b.nodes {
		if n.Status != node.Awaited || b.timeMs >= b.foundedMs {
			out[i] = n.Standing(b.timeMs)
		}
	}
	return out
}

// revoked is causes reduced to the authorities' word.
func (b *bench) revoked() []wire.Code {
	out := b.causes()
	for i := range out {
		if out[i] != wire.ErrNodeRevoked {
			out[i] = wire.OK
		}
	}
	return out
}

// bars says of each member why it is barred. What the rules alone hold against
// voters rests while it would leave fewer than a quorum: a chain that stops
// cannot order its own repair (see the package's comment).
func (b *bench) bars() (bars []wire.Code, resting bool) {
	bars = b.causes()
	if b.quorate(bars) {
		return bars, false
	}
	for i := range bars {
		if b.set.Members[i].Role == wire.Voter && bars[i] != wire.ErrNodeRevoked {
			bars[i] = wire.OK
		}
	}
	return bars, true
}

// quorate reports whether enough voters have no bar to order blocks: of the set,
// and of the one in force until it has handed over. Who is no member any more
// does not count there.
func (b *bench) quorate(bars []wire.Code) bool {
	free := func(id wire.NodeID) bool {
		for i := range b.set.Members {
			if b.set.Members[i].ID == id {
				return bars[i] == wire.OK
			}
		}
		return false
	}
	return enough(b.set, free) && (b.before == nil || enough(b.before, free))
}

func enough(set *wire.MemberSet, free func(wire.NodeID) bool) bool {
	n := 0
	for i := range set.Members {
		if set.Members[i].Role == wire.Voter && free(set.Members[i].ID) {
			n++
		}
	}
	return n >= set.Quorum()
}

// dueMs is the next block time at which a cause appears by itself.
func (b *bench) dueMs() uint64 {
	due := uint64(forever)
	for _, n := range b.nodes {
		at := n.ExpiresMs
		if n.Status == node.Awaited {
			at = b.foundedMs
		}
		if at > b.timeMs {
			due = min(due, at)
		}
	}
	return due
}

// roster is the set with the standing of each member.
func (b *bench) roster(bars []wire.Code) *wire.Roster {
	r := &wire.Roster{Set: b.set}
	for i, n := range b.nodes {
		r.Nodes = append(r.Nodes, wire.Standing{ID: b.set.Members[i].ID, Boots: n.Boots, BootID: n.BootID, Barred: bars[i]})
	}
	return r
}
