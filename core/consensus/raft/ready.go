package raft

import (
	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

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
					e.committed(m)
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
		e.sayApplied()
		e.acknowledge(now)
		e.assembleSeal(now)
		e.deliverSeals(now)
		e.propose(now)
		if !e.rn.HasReady() {
			return
		}
	}
}

// committed hears of entries raft committed. Raft must not go on as if a change
// of the configuration among them were in force before it is, so its word for
// having applied them waits for that; words are given in order.
func (e *Engine) committed(m *raftpb.Message) {
	a := applied{says: m.GetResponses()}
	for _, ent := range m.GetEntries() {
		e.committedIdx = max(e.committedIdx, ent.GetIndex())
		if ent.GetType() == raftpb.EntryConfChangeV2 {
			a.upTo = ent.GetIndex()
		}
	}
	e.applied = append(e.applied, a)
	e.sayApplied()
}

func (e *Engine) sayApplied() {
	for len(e.applied) > 0 && e.applied[0].upTo <= e.decidedIdx {
		a := e.applied[0]
		e.applied = e.applied[1:]
		for _, r := range a.says {
			e.step(r)
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
	to := e.member(m.GetTo())
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
		if b, err := decodeBase(s.GetData()); err != nil || b.Index != s.GetMetadata().GetIndex() {
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
	if e.changeIdx >= index {
		e.changeIdx = e.lastChange()
	}
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
	b, err := decodeBase(s.GetData())
	if err != nil {
		e.app.Fatal(NoteLog, s.GetMetadata().GetIndex())
		return
	}
	e.items, e.byH, e.changeIdx = nil, map[uint64]uint64{}, 0
	e.begin(b)
	e.durableIdx, e.requestedIdx, e.checkedIdx, e.ackedIdx = b.Index, b.Index, b.Index, b.Index
	e.committedIdx, e.decidedIdx = b.Index, b.Index
	if e.decided.Header.Height < b.Header.Height {
		e.jump(now)
	}
}

// begin makes b what the log begins after.
func (e *Engine) begin(b *base) {
	e.base = *b
	e.newest = &wire.Block{Header: b.Header, Hash: b.Header.Hash()}
	e.before, e.configs = nil, nil
	e.config = newConfig(b.Index, b.Members)
	if e.next != nil && e.next.Epoch <= b.Members.Epoch {
		e.next, e.nextHash = nil, wire.Hash{}
	}
	e.meet()
}

// lastChange is the index of the newest item that changes the configuration.
func (e *Engine) lastChange() uint64 {
	for i := len(e.items) - 1; i >= 0; i-- {
		if e.items[i].change != nil {
			return e.items[i].index
		}
	}
	return 0
}
