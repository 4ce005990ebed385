package sim

import (
	"cloister/core/consensus/raft"
	"cloister/core/ledger/store"
	"cloister/core/step"
)

// putBack has a host put an old disk back: what a drawn node had durable at one
// moment is what it starts from later. Another node crashes with it, now and then, and
// comes back too. With spares the victim is one of them, and its disk is from
// before it was a member.
func (n *Network) putBack() {
	victim := n.nodes[n.rng.IntN(n.opts.Nodes)]
	taken := n.between(2*second, 3*second)
	if n.opts.Spares > 0 {
		victim, taken = n.nodes[n.opts.Nodes], 0
	}
	n.after(taken, -1, func() {
		if victim.machine == nil {
			return
		}
		image := append([]step.Record(nil), victim.log...)
		used := n.between(second, 2*second)
		if n.opts.Spares > 0 {
			used += 7 * second // to become a member and a voter
		}
		n.after(used, -1, func() {
			if n.rng.IntN(3) == 0 {
				n.crashFor(n.nodes[(victim.index+1)%n.opts.Nodes], n.between(10*millisecond, second))
			}
			victim.crash()
			forgot := len(victim.log) - len(image)
			victim.log, victim.store = image, store.NewMemory()
			if victim.nextSeq = 0; len(image) > 0 {
				victim.nextSeq = image[len(image)-1].Seq
			}
			victim.rolledBack = true
			n.after(n.between(10*millisecond, second), -1, func() {
				if forgot > 0 {
					victim.start()
				}
			})
		})
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
