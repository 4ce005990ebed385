package raft

import (
	etcd "go.etcd.io/raft/v3"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// watchLeadership notices when this node gains or loses the right to propose.
func (e *Engine) watchLeadership(now step.Now) {
	st := e.rn.BasicStatus()
	term := st.HardState.GetTerm()
	leads := st.SoftState.RaftState == etcd.StateLeader
	switch {
	case leads && e.leadTerm == term:
		return
	case !leads:
		if e.leadTerm != 0 {
			e.leadTerm, e.tail = 0, nil
			e.heard = now.Elapsed // until now it heard itself
			clear(e.acks)
		}
		return
	}
	e.leadTerm, e.ackedIdx = term, e.base.Index
	clear(e.acks)
	clear(e.snapSince)
	e.app.Note(NoteLeader, term)
	e.adopt(now)
}

// adopt finds what the leader builds on: the last block of its log that
// extends the decided chain.
func (e *Engine) adopt(now step.Now) {
	e.tail = e.decided
	var undecided []*wire.Block
	for i := range e.items {
		it := &e.items[i]
		if it.change != nil && it.index > e.decidedIdx {
			break // what may follow is known once it is in force
		}
		if it.index > e.decidedIdx && it.block != nil && it.block.Header.Parent == e.tail.Hash &&
			it.block.Header.Epoch == e.config.set.Epoch && it.verdict != consensus.Reject {
			e.tail = it.block
			undecided = append(undecided, it.block)
		}
	}
	e.app.Adopt(now, undecided)
}

// propose builds blocks while the window is open. A new leader that holds
// blocks without a seal of its own term builds at once, even an empty one:
// blocks of older terms are only ever covered by a descendant's seal.
func (e *Engine) propose(now step.Now) {
	switch {
	case e.leadTerm == 0 || e.jumping:
		return
	case e.changing() && !e.trial.OldEpoch:
		return // no block is of the epoch that ends, and none yet of the one that begins
	case e.yielded == e.leadTerm && e.rn.BasicStatus().LeadTransferee != 0:
		return // raft would refuse it
	case e.next != nil && !e.changing():
		e.handOver(now)
		return
	}
	for e.open() {
		// The set before is released by the first seal of this one, so that has a block at once.
		empty := e.stale() || e.tail.Header.Epoch != e.config.set.Epoch
		if !empty && !e.app.Wanted(now) {
			return
		}
		if !e.build(now, empty, wire.Hash{}) {
			return
		}
	}
}

// open reports whether one more block may be in flight.
func (e *Engine) open() bool {
	return e.tail.Header.Height-min(e.sealedH, e.tail.Header.Height) < maxInFlight || e.stale()
}

// stale reports whether the newest block to build on is of an older term and
// not known to be sealed.
func (e *Engine) stale() bool {
	h := e.tail.Header
	if h.Height <= e.sealedH || h.Height == 0 {
		return false
	}
	part, err := quorum.EngineOf(h)
	return err != nil || part.View != e.leadTerm
}
