package sim

import (
	"slices"

	"cloister/core/consensus/raft"
	"cloister/core/ledger/store"
	"cloister/core/step"
	"cloister/wire"
)

// putBack has a host put an old disk back: what a drawn node had durable at one
// moment is what it starts from later. Another node crashes with it, now and then, and
// comes back too. With spares the victim is one of them, and its disk is from
// before it was a member.
func (n *Network) putBack() {
	victim := n.nodes[n.rng.IntN(n.opts.Nodes)]
	if n.opts.Spares > 0 {
		victim = n.nodes[n.opts.Nodes]
		n.putBackVoter(victim, nil)
		return
	}
	n.after(n.between(2*second, 3*second), -1, func() {
		if victim.machine == nil {
			return
		}
		n.putBackVoter(victim, append([]step.Record(nil), victim.log...))
	})
}

// putBackVoter puts an image of its log back under a node, and a state from
// before, when it has been a voter for a while.
func (n *Network) putBackVoter(victim *node, image []step.Record) {
	wait := n.between(second, 2*second)
	if n.opts.Spares > 0 {
		wait += 2 * second // who has just come is silent, and promises nothing yet
	}
	n.after(wait, -1, func() {
		if m := n.newest.ByID(victim.id); m == nil || m.Role != wire.Voter || n.voted != victim {
			if n.voted = nil; m != nil && m.Role == wire.Voter {
				n.voted = victim // from now on it promises
			}
			n.putBackVoter(victim, image)
			return
		}
		if n.rng.IntN(3) == 0 {
			n.crashFor(n.nodes[(victim.index+1)%n.opts.Nodes], n.between(10*millisecond, second))
		}
		victim.crash()
		if len(victim.log) == len(image) {
			return // nothing is forgotten
		}
		victim.log, victim.store, victim.nextSeq = image, store.NewMemory(), 0
		if len(image) > 0 {
			victim.nextSeq = image[len(image)-1].Seq
		}
		victim.rolledBack = true
		n.after(n.between(10*millisecond, second), -1, victim.start)
	})
}

// caught is the end of a node that found its disk put back. Its host keeps it down.
func (n *node) caught(e step.Fatal) bool {
	if !n.rolledBack || e.Note.ID != raft.NoteRolledBack {
		return false
	}
	n.net.caught = true
	n.life++
	n.machine, n.circle = nil, nil
	n.net.link(n)
	return true
}

// Caught says whether a node found that its disk had been put back.
func (n *Network) Caught() bool { return n.caught }

// PutBack says whether a node was started on an old disk.
func (n *Network) PutBack() bool {
	return slices.ContainsFunc(n.nodes, func(nd *node) bool { return nd.rolledBack })
}
