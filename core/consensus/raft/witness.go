package raft

import (
	"go.etcd.io/raft/v3/raftpb"

	"cloister/core/step"
	"cloister/wire"
)

// A disk that was put back to an earlier state has forgotten votes and
// acknowledgements. So a voter that restarts is silent at first: it asks the
// others for the newest promise they hold of its slot, and goes on only when
// enough of them know of none that its own log has forgotten (consensus
// specification §5). That catches a rollback whenever a lost promise reached
// somebody who is still up; it is no proof. Voters in this phase answer too, so
// that a simultaneous restart does not wait for itself.

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

func (p *promise) signed(term, height uint64) {
	if term > p.SigTerm || term == p.SigTerm && height > p.Height {
		p.SigTerm, p.Height = term, height
	}
	p.Term = max(p.Term, term)
}

// witness is the phase of a restarted voter; nil once it is over.
type witness struct {
	since, asked int64 // elapsed ms
	answers      map[uint64]promise
}

// startWitness begins the phase, unless there is nobody to ask or nothing that
// could have been promised.
func (e *Engine) startWitness(now step.Now) {
	if e.boot.Fresh || !e.votes() || e.config.quorum == 1 {
		return
	}
	e.proving = &witness{since: now.Elapsed, asked: now.Elapsed - repeatMs, answers: map[uint64]promise{}}
}

// prove asks, and ends the phase when enough answered.
func (e *Engine) prove(now step.Now) {
	w := e.proving
	if now.Elapsed-w.asked >= repeatMs {
		w.asked = now.Elapsed
		for i := range e.config.set.Members {
			m := &e.config.set.Members[i]
			if _, have := w.answers[m.Slot]; m.Role == wire.Voter && m.Slot != e.boot.Slot && !have {
				e.app.Send(m.ID, []byte{msgAsk})
			}
		}
	}
	answers := len(w.answers)
	if answers < e.config.quorum-1 {
		return
	}
	// A chain that is just born has nothing on its way.
	born := answers == e.config.set.Voters()-1 && e.lastIndex() == 1 && e.decided.Header.Height == 0
	for _, p := range w.answers { //deterministic: all of them are looked at
		born = born && p == promise{}
	}
	if born || now.Elapsed-w.since >= electionMs {
		e.proving = nil
		e.ticked = now.Elapsed
	}
}

// onWitness judges an answer.
func (e *Engine) onWitness(from *wire.Member, p promise) {
	voter := e.config.set.BySlot(from.Slot)
	if e.proving == nil || voter == nil || voter.Role != wire.Voter {
		return
	}
	e.proving.answers[from.Slot] = p
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

// onAsk tells a voter what is known of its slot.
func (e *Engine) onAsk(from *wire.Member) {
	e.app.Send(from.ID, encodeMsg(msgWitness, wire.Marshal(e.promises[from.Slot])))
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
