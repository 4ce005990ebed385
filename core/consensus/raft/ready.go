package raft

import (
	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

type etcdProgress = tracker.Progress

func isSnapshot(pr etcdProgress) bool { return pr.State == tracker.StateSnapshot }

// drain carries out everything raft and the log allow now, until nothing is left.
func (e *Engine) drain(now step.Now) {
	for {
		for e.rn.HasReady() {
			rd := e.rn.Ready()
			var votes []*raftpb.Message
			for _, m := range rd.Messages {
				if m.GetType() == raftpb.MsgVote {
					votes = append(votes, m)
					continue
				}
				switch m.GetTo() {
				case etcd.LocalAppendThread:
					e.persist(now, m)
				case etcd.LocalApplyThread:
					for _, ent := range m.GetEntries() {
						e.committedIdx = max(e.committedIdx, ent.GetIndex())
					}
					for _, r := range m.GetResponses() {
						e.step(r)
					}
				default:
					e.sendRaft(m)
				}
			}
			e.askVotes(votes)
		}
		e.watchLeadership(now)
		e.requestChecks(now)
		e.advanceChecked()
		e.decide(now)
		e.acknowledge(now)
		e.assembleSeal(now)
		e.deliverSeals(now)
		e.propose(now)
		if !e.rn.HasReady() {
			return
		}
	}
}

// askVotes sends a candidate's requests once its new term is durable. The
// library lets them go at once and counts only its own vote after the sync; but
// the others' votes can be enough, and a leader that crashes before the sync
// would come back and lead the same term again, with other entries.
func (e *Engine) askVotes(votes []*raftpb.Message) {
	if p := e.pending[e.nextRef]; p != nil && len(votes) > 0 && !e.trial.Unsynced {
		p.after = append(p.after, votes...)
		return
	}
	for _, m := range votes {
		e.sendRaft(m)
	}
}

func (e *Engine) sendRaft(m *raftpb.Message) {
	to := e.boot.Members.BySlot(m.GetTo())
	if to == nil {
		return
	}
	b, err := proto.MarshalOptions{}.MarshalAppend([]byte{msgRaft}, m)
	if err != nil {
		e.app.Fatal(NotePanic, m.GetTerm())
		return
	}
	e.app.Send(to.ID, b)
}

// persist asks for durability of what raft wants stored; Logged releases the
// promises that depend on it.
func (e *Engine) persist(now step.Now, m *raftpb.Message) {
	p := &appending{msg: m}
	var recs []step.Record
	if s := m.GetSnapshot(); s != nil {
		var b base
		if wire.Unmarshal(s.GetData(), &b, 128) != nil || b.Index != s.GetMetadata().GetIndex() {
			e.app.Fatal(NoteLog, s.GetMetadata().GetIndex())
			return
		}
		recs = append(recs, step.Record{Type: recBase, Data: s.GetData()})
	}
	p.skip = len(recs)
	if es := m.GetEntries(); len(es) > 0 {
		p.first = es[0].GetIndex()
		e.truncate(p.first)
		for _, ent := range es {
			recs = append(recs, encodeEntry(ent))
			if err := e.push(ent); err != nil {
				e.app.Fatal(NoteLog, ent.GetIndex())
				return
			}
		}
	}
	if hs := (&raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}); !etcd.IsEmptyHardState(hs) {
		// A commit index that moved alone needs no record: it is only a hint. Term
		// and vote are promises, to be kept whether or not an answer waits here.
		if hs.GetTerm() != e.state.GetTerm() || hs.GetVote() != e.state.GetVote() || len(recs) > 0 {
			recs = append(recs, encodeState(hs))
		}
		e.state = hs
	}
	recs = append(recs, e.late...)
	e.late = nil
	p.count = len(recs)
	e.nextRef++
	e.pending[e.nextRef] = p
	e.app.Append(e.nextRef, recs...)
	if e.trial.Unsynced {
		e.release(now, p, 0)
	}
}

// truncate forgets items from index on: another leader's log replaced them.
func (e *Engine) truncate(index uint64) {
	if index > e.lastIndex() {
		return
	}
	for i := index; i <= e.lastIndex(); i++ {
		if it := e.item(i); it.block != nil && e.byH[it.block.Header.Height] == i {
			delete(e.byH, it.block.Header.Height)
		}
	}
	e.items = e.items[:index-e.base.Index-1]
	for _, p := range []*uint64{&e.durableIdx, &e.requestedIdx, &e.checkedIdx, &e.ackedIdx} {
		*p = min(*p, index-1)
	}
	// A height may have moved to a replaced item; point it at the survivor.
	for i := range e.items {
		if b := e.items[i].block; b != nil {
			if _, ok := e.byH[b.Header.Height]; !ok {
				e.byH[b.Header.Height] = e.items[i].index
			}
		}
	}
}

// Logged implements consensus.Engine.
func (e *Engine) Logged(now step.Now, ref uint64, lastSeq uint64) {
	p := e.pending[ref]
	delete(e.pending, ref)
	if p == nil || e.rn == nil {
		return
	}
	if p.base != nil {
		e.cut = lastSeq - uint64(p.count) + 1
		if len(e.items) > 0 && e.items[0].seq > 0 {
			e.cut = min(e.cut, e.items[0].seq)
		}
		e.drain(now)
		return
	}
	if !e.trial.Unsynced {
		e.release(now, p, lastSeq)
	}
	e.drain(now)
}

// release keeps what became durable in raft's storage and gives the promises
// that waited for it.
func (e *Engine) release(now step.Now, p *appending, lastSeq uint64) {
	m := p.msg
	if s := m.GetSnapshot(); s != nil {
		e.restart(now, s)
	}
	if es := m.GetEntries(); len(es) > 0 {
		if err := e.ms.Append(es); err != nil {
			e.app.Fatal(NoteLog, p.first)
			return
		}
		firstSeq := lastSeq - uint64(p.count) + 1 + uint64(p.skip)
		for i, ent := range es {
			// A conflicting append may have replaced the item since.
			if it := e.item(ent.GetIndex()); it != nil && it.term == ent.GetTerm() {
				it.seq = firstSeq + uint64(i)
				e.durableIdx = max(e.durableIdx, it.index)
			}
		}
	}
	if hs := (&raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}); !etcd.IsEmptyHardState(hs) {
		_ = e.ms.SetHardState(hs)
	}
	for _, r := range m.GetResponses() {
		if r.GetTo() == e.boot.Slot {
			e.step(r)
		} else {
			e.sendRaft(r)
		}
	}
	for _, v := range p.after {
		e.sendRaft(v)
	}
}

// restart puts the log behind a snapshot a leader sent: its blocks come from
// the archive or from peers.
func (e *Engine) restart(now step.Now, s *raftpb.Snapshot) {
	if e.ms.ApplySnapshot(s) != nil {
		return // older than what is here
	}
	var b base
	if err := wire.Unmarshal(s.GetData(), &b, 128); err != nil {
		e.app.Fatal(NoteLog, s.GetMetadata().GetIndex())
		return
	}
	e.base, e.items, e.byH = b, nil, map[uint64]uint64{}
	e.durableIdx, e.requestedIdx, e.checkedIdx, e.ackedIdx = b.Index, b.Index, b.Index, b.Index
	e.committedIdx, e.decidedIdx = b.Index, b.Index
	if e.decided.Header.Height < b.Height {
		e.jump(now)
	}
}

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
		if it.index > e.decidedIdx && it.block != nil && it.block.Header.Parent == e.tail.Hash &&
			it.verdict != consensus.Reject {
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
	if e.leadTerm == 0 || e.jumping {
		return
	}
	for e.tail.Header.Height-min(e.sealedH, e.tail.Header.Height) < maxInFlight || e.stale() {
		empty := e.stale()
		if !empty && !e.app.Wanted(now) {
			return
		}
		part := wire.Marshal(quorum.Engine{View: e.leadTerm, Slot: e.boot.Slot})
		b := e.app.Build(now, e.tail, part, empty)
		if b == nil {
			return
		}
		if err := e.rn.Propose(consensus.EncodeBlock(b)); err != nil {
			e.adopt(now) // refused: what was put in b is free again
			return
		}
		e.tail = b
	}
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

// requestChecks asks for a verdict on every new block, parent first.
func (e *Engine) requestChecks(now step.Now) {
	if e.jumping {
		return
	}
	for e.requestedIdx < e.lastIndex() {
		e.requestedIdx++
		if it := e.item(e.requestedIdx); it.block != nil && it.verdict == 0 && it.block.Header.Height > e.decided.Header.Height {
			e.app.Check(now, it.block, false)
		}
	}
}

func (e *Engine) advanceChecked() {
	for e.checkedIdx < e.lastIndex() {
		it := e.item(e.checkedIdx + 1)
		passed := it.block == nil || it.void || it.verdict == consensus.Accept || it.index <= e.decidedIdx
		if !passed {
			return
		}
		e.checkedIdx++
	}
}

// decide hands committed blocks to the node in height order.
func (e *Engine) decide(now step.Now) {
	for !e.jumping && e.decidedIdx < min(e.committedIdx, e.lastIndex()) {
		it := e.item(e.decidedIdx + 1)
		if it.block != nil {
			h := it.block.Header
			switch {
			case h.Height <= e.decided.Header.Height:
				// Executed before a restart, or void because its height was taken.
				if h.Height == e.decided.Header.Height && it.block.Hash != e.decided.Hash && h.Parent == e.decided.Header.Parent && it.verdict == consensus.Accept {
					e.app.Fatal(NoteFork, h.Height)
					return
				}
			case h.Parent != e.decided.Hash || h.Height != e.decided.Header.Height+1 || it.verdict == consensus.Reject:
				e.void(it)
			case it.verdict == 0:
				if !it.forced {
					it.forced = true
					e.app.Check(now, it.block, true)
				}
				return
			default:
				e.decided = it.block
				e.app.Decide(now, it.block)
			}
		}
		e.decidedIdx++
		e.advanceChecked()
	}
}

// void drops a committed entry: it has no height and no seal, on any replica.
func (e *Engine) void(it *item) {
	it.void = true
	part, _ := quorum.EngineOf(it.block.Header)
	e.app.Note(NoteVoid, it.index, it.block.Header.Height, part.Slot)
	if e.byH[it.block.Header.Height] == it.index {
		delete(e.byH, it.block.Header.Height)
	}
}

// Durable implements consensus.Engine: it moves the base of the log forward
// when enough lies below what laggards may still ask for.
func (e *Engine) Durable(now step.Now, height uint64) uint64 {
	if e.rn == nil || e.jumping || height <= e.base.Height {
		return e.cut
	}
	keep, bytes := len(e.items), 0
	for blocks := 0; keep > 0; keep-- {
		it := &e.items[keep-1]
		bytes += it.size
		if it.block != nil {
			blocks++
		}
		if blocks > retainBlocks || bytes > retainBytes {
			break
		}
	}
	// items[:keep] may go, as far as decided and durable elsewhere; the new base is the last block of them.
	for keep > 0 {
		it := &e.items[keep-1]
		if it.block != nil && !it.void && it.index <= e.decidedIdx && it.seq > 0 && it.block.Header.Height <= height && it.block.Header.Height > e.base.Height {
			break
		}
		keep--
	}
	if keep < compactStep {
		return e.cut
	}
	last := e.items[keep-1]
	nb := base{Index: last.index, Term: last.term, Height: last.block.Header.Height, Hash: last.block.Hash}
	cs := &raftpb.ConfState{}
	for _, m := range e.boot.Members.Members {
		cs.Voters = append(cs.Voters, m.Slot)
	}
	if _, err := e.ms.CreateSnapshot(nb.Index, cs, wire.Marshal(&nb)); err != nil {
		return e.cut
	}
	if err := e.ms.Compact(nb.Index); err != nil {
		return e.cut
	}
	for i := range e.items[:keep] {
		if b := e.items[i].block; b != nil && e.byH[b.Header.Height] == e.items[i].index {
			delete(e.byH, b.Header.Height)
		}
	}
	e.base = nb
	e.items = append([]item(nil), e.items[keep:]...)
	for _, p := range []*uint64{&e.durableIdx, &e.requestedIdx, &e.checkedIdx, &e.ackedIdx} {
		*p = max(*p, nb.Index)
	}
	recs := []step.Record{{Type: recBase, Data: wire.Marshal(&nb)}}
	if !etcd.IsEmptyHardState(e.state) {
		recs = append(recs, encodeState(e.state))
	}
	e.nextRef++
	e.pending[e.nextRef] = &appending{base: &nb, count: len(recs)}
	e.app.Append(e.nextRef, recs...)
	return e.cut
}
