package raft

import (
	"slices"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// acknowledge signs the newest block that is durable and checked here with all
// its ancestors, if it is of the current term. With up to three voters any one
// acknowledgement completes a seal, so the newest block is enough; with more,
// every block is signed, so that different voters' batches meet in one height.
func (e *Engine) acknowledge(now step.Now) {
	if e.jumping || e.leadTerm != 0 || e.proving != nil || !e.votes() {
		return
	}
	term := e.term()
	lead := e.leader()
	if lead == nil {
		return
	}
	every := e.config.quorum > 2
	upTo := min(e.durableIdx, e.checkedIdx)
	var newest *item
	for i := e.ackedIdx + 1; i <= upTo; i++ {
		it := e.item(i)
		if it == nil || it.block == nil || it.void || !e.ofTerm(it, term) || !e.ofEpoch(it) || it.block.Header.Height <= e.sealedH {
			continue
		}
		if newest != nil && every {
			e.sendAck(lead, newest, term)
		}
		newest = it
	}
	e.ackedIdx = max(e.ackedIdx, upTo)
	if newest != nil {
		e.sendAck(lead, newest, term)
	}
}

func (e *Engine) sendAck(lead *wire.Member, it *item, term uint64) {
	e.ackedH = it.block.Header.Height
	e.lastAck = encodeMsg(msgAck, wire.Marshal(ack{
		Height: it.block.Header.Height, Hash: it.block.Hash, Sig: e.sign(it, term),
	}))
	e.app.Send(lead.ID, e.lastAck)
}

func (e *Engine) sign(it *item, term uint64) wire.Signature {
	if e.trial.OldTerm {
		term = it.term
	}
	return e.boot.Key.Sign(quorum.Statement(it.block.Header, it.block.Hash, e.boot.Slot, term))
}

// ofTerm is the seal rule: only blocks of the current term are signed. A
// majority that holds a block of an older term does not keep a later leader
// from replacing it (Raft, figure 8).
func (e *Engine) ofTerm(it *item, term uint64) bool { return it.term == term || e.trial.OldTerm }

// onAck collects a voter's signature.
func (e *Engine) onAck(now step.Now, from *wire.Member, a *ack) {
	voter := e.config.set.BySlot(from.Slot)
	if e.leadTerm == 0 || a.Height <= e.sealedH || voter == nil || voter.Role != wire.Voter {
		return
	}
	it := e.at(a.Height)
	if it == nil || it.block.Hash != a.Hash || !e.ofTerm(it, e.leadTerm) || !e.ofEpoch(it) {
		return
	}
	if _, have := e.acks[a.Height][from.Slot]; have {
		return
	}
	if !voter.Key.Verify(quorum.Statement(it.block.Header, a.Hash, from.Slot, it.term), a.Sig) {
		return
	}
	if e.acks[a.Height] == nil {
		e.acks[a.Height] = map[uint64]wire.Signature{}
	}
	e.acks[a.Height][from.Slot] = a.Sig
	e.recallAck(from.Slot, it.term, a.Height)
}

// assembleSeal looks for the highest block a majority has signed; the leader's
// own signature counts once its own copy is durable and checked.
func (e *Engine) assembleSeal(now step.Now) {
	if e.leadTerm == 0 {
		return
	}
	own := min(e.durableIdx, e.checkedIdx)
	best := (*item)(nil)
	try := func(it *item) {
		if it == nil || it.block == nil || it.void || !e.ofTerm(it, e.leadTerm) || !e.ofEpoch(it) || it.block.Header.Height <= e.sealedH {
			return
		}
		n := len(e.acks[it.block.Header.Height])
		if it.index <= own {
			n++
		}
		if n >= e.config.quorum && (best == nil || it.index > best.index) {
			best = it
		}
	}
	if e.config.quorum == 1 {
		for i := own; i > e.base.Index && best == nil; i-- {
			it := e.item(i)
			if it.block != nil && it.block.Header.Height <= e.sealedH {
				break
			}
			try(it)
		}
	}
	for height := range e.acks { //deterministic: the maximum over a set
		try(e.at(height))
	}
	if best == nil {
		return
	}
	h := best.block.Header.Height
	s := &wire.Seal{View: best.term}
	for slot, sig := range e.acks[h] { //deterministic: sorted below
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: sig})
	}
	slices.SortFunc(s.Sigs, func(a, b wire.SlotSig) int { return int(a.Slot) - int(b.Slot) })
	if best.index <= own {
		s.Sigs = append(s.Sigs[:min(len(s.Sigs), e.config.quorum-1)], wire.SlotSig{Slot: e.boot.Slot, Sig: e.sign(best, e.leadTerm)})
		slices.SortFunc(s.Sigs, func(a, b wire.SlotSig) int { return int(a.Slot) - int(b.Slot) })
	}
	e.accept(sealed{Height: h, Hash: best.block.Hash, Seal: wire.Marshal(s)})
	e.broadcast(e.lastSeal)
}

// onSeal takes a seal from a leader.
func (e *Engine) onSeal(now step.Now, s *sealed) {
	if s.Height <= e.sealedH {
		return
	}
	it := e.at(s.Height)
	if it == nil || it.block.Hash != s.Hash || it.block.Header.Epoch > e.config.set.Epoch {
		if e.early == nil || s.Height > e.early.Height {
			e.early = s
		}
		return
	}
	if quorum.VerifySeal(e.config.set, it.block.Header, s.Hash, s.Seal) != nil {
		return
	}
	if it.verdict == consensus.Reject {
		// A majority of attested nodes accepted what this one rejects: this one
		// is broken, and going on would mean serving another state.
		e.app.Fatal(NoteOdd, s.Height)
		return
	}
	e.accept(*s)
}

// accept keeps a verified seal until its block is decided.
func (e *Engine) accept(s sealed) {
	e.sealedH, e.seal = s.Height, s
	e.recallSeal(&s)
	body := wire.Marshal(&s)
	e.lastSeal = encodeMsg(msgSeal, body)
	e.late = append(e.late[:0], step.Record{Type: recSeal, Data: body})
	e.ready = append(e.ready, s)
	for height := range e.acks { //deterministic: deletes by comparison only
		if height <= s.Height {
			delete(e.acks, height)
		}
	}
}

// deliverSeals tells the node of seals whose block it has decided.
func (e *Engine) deliverSeals(now step.Now) {
	if s := e.early; s != nil && (s.Height <= e.sealedH || e.judges(s.Height)) {
		e.early = nil
		e.onSeal(now, s)
	}
	for len(e.ready) > 0 && e.ready[0].Height <= e.decided.Header.Height {
		s := e.ready[0]
		e.ready = e.ready[1:]
		e.app.Sealed(now, s.Height, s.Hash, s.Seal)
	}
}

// judges reports whether the log holds the block of a height, in an epoch whose
// seals can be verified here.
func (e *Engine) judges(height uint64) bool {
	it := e.at(height)
	return it != nil && it.block.Header.Epoch <= e.config.set.Epoch
}
