package sim

import (
	"cloister/core/consensus/rules"
	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
)

// families are the program's, and the one that decides who orders blocks.
func (n *Network) families() []ledger.Family {
	if n.opts.Spares == 0 {
		return families.All()
	}
	return append(families.All(), seats{n.genesis.MemberSet()})
}

// meet takes a machine's word for whom it keeps channels to. A channel exists
// while both ends want it.
func (n *node) meet(r step.Roster) {
	n.circle = map[wire.NodeID]bool{}
	for _, m := range append(append([]wire.Member(nil), r.Roster.Set.Members...), r.Leaving...) {
		if s := r.Roster.Of(m.ID); s == nil || s.Barred == wire.OK {
			n.circle[m.ID] = true
		}
	}
	if w := n.net; r.Roster.Set.Epoch > w.newest.Epoch {
		w.newest = r.Roster.Set
	}
	n.net.link(n)
}

// link brings channels of a node in line with what both ends want.
func (n *Network) link(nd *node) {
	for _, p := range n.nodes {
		if p == nd {
			continue
		}
		want := nd.machine != nil && p.machine != nil && nd.circle[p.id] && p.circle[nd.id] && nd.circle[nd.id] && p.circle[p.id]
		key := [2]int{min(nd.index, p.index), max(nd.index, p.index)}
		if want == n.linked[key] {
			continue
		}
		n.linked[key] = want
		for _, x := range [][2]*node{{nd, p}, {p, nd}} {
			at, of := x[0], x[1]
			n.after(0, at.index, func() {
				if n.linked[key] {
					at.step(step.PeerUp{Peer: of.id})
				} else {
					at.step(step.PeerDown{Peer: of.id})
				}
			})
		}
	}
}

// pull is what hosts do for each other: blocks one archive lacks come from
// another, now and then.
func (n *Network) pull() {
	for _, nd := range n.nodes {
		p := n.nodes[n.rng.IntN(len(n.nodes))]
		from := nd.archive.height() + 1
		for h := from; h <= p.archive.height() && h < from+50; h++ {
			nd.archive.blocks = append(nd.archive.blocks, p.archive.at(h))
		}
		if nd.archive.height() >= from {
			nd.archive.durable = len(nd.archive.blocks)
			nd.step(step.Archived{Height: nd.archive.height()})
		}
	}
	n.after(n.between(50*millisecond, 300*millisecond), -1, n.pull)
}

// reseat asks for a drawn change of members, again and again.
func (n *Network) reseat() {
	n.after(n.between(200*millisecond, 1500*millisecond), -1, func() {
		if n.now >= int64(n.opts.Load)*second {
			return
		}
		nd := n.nodes[n.rng.IntN(len(n.nodes))]
		do := uint8(seatGive)
		if m := n.newest.ByID(nd.id); m != nil {
			do = seatTake
			if !n.opts.Rollback && n.rng.IntN(4) == 0 {
				do = seatBar
			}
			if m.Role == wire.Learner && n.rng.IntN(4) > 0 {
				do = seatPromote
			}
			if m.Role == wire.Voter && n.newest.Voters() <= 2 && n.rng.IntN(3) > 0 {
				do = 0 // mostly stay a network worth the name
			}
		}
		if do == seatTake && n.opts.Rollback {
			do = 0 // whoever joined is to be a voter when its disk is put back
		}
		if do != 0 {
			c := &n.client
			p := c.sign(seatsName, wire.Marshal(seat{Do: do, Key: nd.key.Public()}))
			c.open[p.id] = p
			c.order = append(c.order, p)
			c.send(p)
		}
		n.reseat()
	})
}

// followSets walks the chain as an auditor does who has the genesis only: from set to
// set over handovers, each seal by the set of its block.
func (n *Network) followSets(nd *node) {
	set := n.genesis.MemberSet()
	for i, f := range nd.archive.blocks {
		h := f.Header
		if h.Epoch != set.Epoch {
			last := nd.archive.blocks[i-1]
			next, err := rules.Follow(set, &wire.Handover{Header: last.Header, Seal: last.Seal, Next: n.sets[h.MembersHash]})
			if err != nil {
				n.fail("node %d: block %d hands over from epoch %d: %v", nd.index, h.Height-1, set.Epoch, err)
				return
			}
			set = next
		}
		if h.MembersHash != set.Hash() {
			n.fail("node %d: block %d is of other members than epoch %d", nd.index, h.Height, set.Epoch)
			return
		}
		if len(f.Seal) == 0 {
			continue
		}
		if err := rules.Seal(set, h, f.Hash, f.Seal); err != nil {
			n.fail("node %d: seal of block %d: %v", nd.index, h.Height, err)
			return
		}
	}
}

// learnSets remembers every set a machine speaks of, for the auditor.
func (n *Network) learnSets(r *wire.Roster) { n.sets[r.Set.Hash()] = r.Set }

// Epochs is how many member sets ordered blocks.
func (n *Network) Epochs() uint64 {
	top := uint64(0)
	for _, nd := range n.nodes {
		if h := nd.archive.height(); h > 0 {
			top = max(top, nd.archive.at(h).Header.Epoch)
		}
	}
	return top
}
