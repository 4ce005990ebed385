package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"cloister/core/step"
	"cloister/wire"
)

// A disk that was put back to an earlier state has forgotten votes and
// acknowledgements. So whoever begins is silent at first: it asks the voters for
// the newest promise they hold of its slot, and goes on only when enough of them
// know of none that its own log has forgotten (consensus specification §5). That
// catches a rollback whenever a lost promise reached somebody who is still up; it
// is no proof. Nodes in this phase answer too, so that a simultaneous restart does
// not wait for itself.
//
// It asks also in a slot its log says nothing of: the disk may be from before
// the slot was taken. And it asks the newest set the node knows of: the voters of
// an older one may have left for good.

// electionMs is the longest election timeout: what was on its way when the
// replica stopped has arrived after it.
const electionMs = 2 * 20 * tickMs

// promise is what a slot is known to have promised: terms it voted or led in, and
// the newest block it signed for.
type promise struct {
	_       struct{} `cbor:",toarray"`
	Term    uint64
	SigTerm uint64 // term and
	Height  uint64 // height of the newest block it signed for
}

// question asks what a voter knows of the asker's slot; testimony is the answer.
type question struct {
	_    struct{} `cbor:",toarray"`
	Slot uint64
}

type testimony struct {
	_       struct{} `cbor:",toarray"`
	Slot    uint64
	Promise promise
}

func (p *promise) signed(term, height uint64) {
	if term > p.SigTerm || term == p.SigTerm && height > p.Height {
		p.SigTerm, p.Height = term, height
	}
	p.Term = max(p.Term, term)
}

// witness is the phase of silence; nil once it is over.
type witness struct {
	since, asked int64 // elapsed ms
	answers      map[wire.NodeID]promise
}

// startWitness begins the phase, unless there is nobody to ask.
func (e *Engine) startWitness(now step.Now) {
	if _, enough := e.witnesses(); enough > 0 {
		e.proving = &witness{since: now.Elapsed, asked: now.Elapsed - repeatMs, answers: map[wire.NodeID]promise{}}
	}
}

// witnesses are the other voters of the newest set known to be in force, and how
// many of them are a majority together with this node.
func (e *Engine) witnesses() (ask []wire.Member, enough int) {
	set := e.config.set
	if now := e.told[0]; now != nil && now.Epoch > set.Epoch {
		set = now
	}
	enough = set.Quorum()
	for _, m := range set.Members {
		switch {
		case m.Role != wire.Voter:
		case m.Slot == e.boot.Slot:
			enough--
		default:
			ask = append(ask, m)
		}
	}
	return ask, enough
}

// prove asks, and ends the phase when enough answered.
func (e *Engine) prove(now step.Now) {
	w := e.proving
	ask, enough := e.witnesses()
	again := now.Elapsed-w.asked >= repeatMs
	if again {
		w.asked = now.Elapsed
	}
	answers, clean := 0, true
	for i := range ask {
		if p, have := w.answers[ask[i].ID]; have {
			answers++
			clean = clean && p == promise{}
		} else if again {
			e.app.Send(ask[i].ID, encodeMsg(msgAsk, wire.Marshal(question{Slot: e.boot.Slot})))
		}
	}
	// A chain that is just born has nothing on its way.
	born := clean && answers == len(ask) && e.lastIndex() == 1 && e.decided.Header.Height == 0
	if born || answers >= enough && now.Elapsed-w.since >= electionMs {
		e.proving = nil
		e.ticked = now.Elapsed
	}
}

// onWitness judges an answer.
func (e *Engine) onWitness(from *wire.Member, t *testimony) {
	if e.proving == nil || t.Slot != e.boot.Slot {
		return
	}
	p := t.Promise
	e.proving.answers[from.ID] = p
	term, height := e.base.Term, e.base.Header.Height
	for i := len(e.items) - 1; i >= 0; i-- {
		if it := &e.items[i]; i == len(e.items)-1 {
			term = it.term
			height = max(height, e.boot.Executed.Header.Height)
		}
		if b := e.items[i].block; b != nil {
			height = max(height, b.Header.Height)
			break
		}
	}
	// What was signed for stays in the log until a later term replaces it.
	if p.Term > e.state.GetTerm() || p.SigTerm > term || p.SigTerm == term && p.Height > height {
		e.app.Fatal(NoteRolledBack, p.Height, p.Term)
	}
}

// onAsk tells a member what is known of its slot. A slot this node has not heard
// of yet is no slot without promises; and the member may have had another before.
func (e *Engine) onAsk(from *wire.Member, q question) {
	if m := e.member(q.Slot); m != nil && m.ID == from.ID {
		e.app.Send(from.ID, encodeMsg(msgWitness, wire.Marshal(testimony{Slot: q.Slot, Promise: e.promises[q.Slot]})))
	}
}

// recall keeps what a raft message promises: those that are sent only after
// what they say is durable.
func (e *Engine) recall(slot uint64, m *raftpb.Message) {
	switch m.GetType() {
	case raftpb.MsgVoteResp:
		if m.GetReject() {
			return
		}
	case raftpb.MsgVote, raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgAppResp:
	default:
		return
	}
	if p := e.promises[slot]; m.GetTerm() > p.Term {
		p.Term = m.GetTerm()
		e.promises[slot] = p
	}
}

// recallSeal keeps what a verified seal shows its voters to have signed.
func (e *Engine) recallSeal(s *sealed) {
	x, err := wire.DecodeSeal(s.Seal)
	if err != nil {
		return
	}
	for _, sig := range x.Sigs {
		e.recallAck(sig.Slot, x.View, s.Height)
	}
}

func (e *Engine) recallAck(slot, term, height uint64) {
	p := e.promises[slot]
	p.signed(term, height)
	e.promises[slot] = p
}
