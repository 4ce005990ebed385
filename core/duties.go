package core

import (
	"errors"

	"cloister/core/duty"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
)

// Pace of the core's own submissions, in elapsed milliseconds.
const (
	dutyMs   = 100   // between two looks at what is due
	attestMs = 5000  // between two attempts to show evidence
	ownMs    = 60000 // how long an own transaction stays valid

	repeatDutyMs = 3000 // when a payload that had no effect is submitted again
)

// duties is what a node does by itself, besides ordering: see package duty.
type duties struct {
	looking  bool  // a look is under way
	lookedAt int64 // elapsed ms of the last one
	attested int64 // elapsed ms of the last attempt to show evidence; 0: none yet
	nonce    uint64
	sent     map[wire.Hash]int64 // payloads submitted lately → elapsed ms
}

// attendDuties looks at what the core owes, now and then.
func (n *Node) attendDuties() {
	d := &n.duties
	if n.cfg.Self == nil || d.looking || n.stopping || n.membership.slot == 0 || n.crowded() || n.now.Elapsed-d.lookedAt < dutyMs {
		return
	}
	d.looking, d.lookedAt = true, n.now.Elapsed
	type found struct {
		jobs []duty.Job
		err  error
	}
	self, timeMs, caughtUp := n.cfg.Self, max(n.tip.Header.TimeMs, n.clock(n.now)), n.caughtUp()
	n.out.Add(step.Read{F: func(view any) any {
		v, ok := view.(*ledger.View)
		if !ok {
			return nil
		}
		jobs, err := duty.Look(v, self, timeMs, func(id wire.NodeID) bool { return caughtUp[id] })
		return found{jobs, err}
	}, Token: n.ask(func(_ step.Now, result any, err error) {
		d.looking = false
		f, ok := result.(found)
		switch code := wire.CodeOf(f.err); {
		case err != nil || !ok:
			return
		case errors.Is(f.err, wire.ErrBootReplayed), code == wire.ErrNodeRevoked, code == wire.ErrNodeRetired:
			// This run must not order blocks any more: another one does, or nobody may.
			n.fatal(ExitQuarantine, NoteSuperseded, uint64(code))
			return
		}
		for i := range f.jobs {
			n.do(&f.jobs[i])
		}
	})})
}

// do submits one job, after having evidence made if it needs that.
func (n *Node) do(j *duty.Job) {
	d := &n.duties
	if j.Claims == nil {
		if d.again(wire.TH("cloister/duty/v1", []byte(j.Family), j.Payload), n.now.Elapsed) {
			n.submitOwn(j.Family, j.Payload)
		}
		return
	}
	if d.attested != 0 && n.now.Elapsed-d.attested < attestMs {
		return
	}
	d.attested = max(1, n.now.Elapsed)
	n.out.Add(step.Attest{Data: j.Claims.ReportData(), Token: n.ask(func(_ step.Now, result any, err error) {
		made, ok := result.([]byte)
		if err != nil || !ok {
			n.note(NoteNoEvidence)
			return
		}
		n.submitOwn(j.Family, j.Finish(made))
	})})
}

// again reports whether a payload should be submitted now: it was not, or so long
// ago that it must have been lost.
func (d *duties) again(payload wire.Hash, elapsed int64) bool {
	if at, ok := d.sent[payload]; ok && elapsed-at < repeatDutyMs {
		return false
	}
	for h, at := range d.sent { //deterministic: what is old goes, in any order
		if elapsed-at >= repeatDutyMs {
			delete(d.sent, h)
		}
	}
	if d.sent == nil {
		d.sent = map[wire.Hash]int64{}
	}
	d.sent[payload] = elapsed
	return true
}

// submitOwn signs a payload with the identity key and pools it like anybody's.
func (n *Node) submitOwn(family string, payload []byte) {
	d := &n.duties
	d.nonce++
	tx := &wire.Tx{
		ChainID: n.chainID, Family: family, Payload: payload, NotAfterMs: max(n.tip.Header.TimeMs, n.clock(n.now)) + ownMs,
	}
	copy(tx.Nonce[:], wire.U64(d.nonce))
	copy(tx.Nonce[8:], n.cfg.Self.BootID[:])
	tx.Sign(n.cfg.Key)
	n.judge([][]byte{tx.Bytes()}, func(items []step.SubmitItem) {
		for _, it := range items {
			if it.Code != wire.OK && it.Code != wire.ErrBusy {
				n.note(NoteRefused, uint64(it.Code))
			}
		}
	}, true)
}

// caughtUp lists the members whose logs the leader knows to be near its own.
func (n *Node) caughtUp() map[wire.NodeID]bool {
	near := map[wire.NodeID]bool{}
	if n.engine == nil {
		return near
	}
	s := n.engine.Status()
	if !s.Leading {
		return near
	}
	newest := uint64(0)
	for _, p := range s.Peers {
		newest = max(newest, p.Match)
	}
	for _, p := range s.Peers {
		near[p.ID] = p.Match > 0 && newest-p.Match < nearBlocks
	}
	return near
}

// nearBlocks is how far a learner's log may be behind to be made a voter.
const nearBlocks = 1000
