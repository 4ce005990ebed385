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
	looking   bool  // a look is under way
	lookedAt  int64 // elapsed ms of the last one
	attesting bool  // the hardware makes evidence
	nonce     uint64
	sent      map[wire.Hash]int64 // payloads submitted lately → elapsed ms
	shown     map[wire.Hash]int64 // occasions on which evidence was asked for lately → elapsed ms

	// Duties to the hardware registry change with blocks alone, and are more work.
	registryHeight uint64 // of the state they were looked up in last
	registryAt     int64  // elapsed ms of that
	registryAgain  bool   // there is more to find: evidence had to wait, or an entry came
	shelf          duty.Shelf
}

// attendDuties looks at what the core owes, now and then.
func (n *Node) attendDuties() {
	d := &n.duties
	if n.cfg.Self == nil || d.looking || n.stopping || n.membership.slot == 0 || n.crowded() || n.now.Elapsed-d.lookedAt < dutyMs {
		return
	}
	d.looking, d.lookedAt = true, n.now.Elapsed
	type outcome struct {
		found duty.Found
		err   error
	}
	caughtUp := n.caughtUp()
	self, now := n.cfg.Self, duty.Now{
		TimeMs: max(n.tip.Header.TimeMs, n.clock(n.now)), CaughtUp: func(id wire.NodeID) bool { return caughtUp[id] },
		Hardware: d.registryAgain || d.registryHeight != n.tip.Header.Height || n.now.Elapsed-d.registryAt >= repeatDutyMs,
	}
	if now.Hardware {
		d.registryAt, d.registryAgain = n.now.Elapsed, false
		now.Entry = d.shelf.Reader()
	}
	n.out.Add(step.Read{F: func(view any) any {
		v, ok := view.(*ledger.View)
		if !ok {
			return nil
		}
		found, err := duty.Look(v, self, now)
		return outcome{found, err}
	}, Token: n.ask(func(_ step.Now, result any, err error) {
		d.looking = false
		o, ok := result.(outcome)
		switch code := wire.CodeOf(o.err); {
		case err != nil || !ok:
			return
		case errors.Is(o.err, wire.ErrBootReplayed), code == wire.ErrNodeRevoked, code == wire.ErrNodeRetired:
			// This run must not order blocks any more: another one does, or nobody may.
			n.fatal(ExitQuarantine, NoteSuperseded, uint64(code))
			return
		}
		if now.Hardware {
			d.registryHeight = o.found.Height
			n.fetchEntries(o.found.Needs)
		}
		for i := range o.found.Jobs {
			n.do(&o.found.Jobs[i])
		}
	})})
}

// do submits one job, after having evidence made if it needs that.
func (n *Node) do(j *duty.Job) {
	d := &n.duties
	switch {
	case j.Claims == nil:
		if again(&d.sent, wire.TH("cloister/duty/v1", []byte(j.Family), j.Payload), n.now.Elapsed, repeatDutyMs) {
			n.submitOwn(j.Family, j.Payload)
		}
		return
	case d.attesting:
		d.registryAgain = true
		return
	case !again(&d.shown, j.Occasion(), n.now.Elapsed, attestMs):
		return
	}
	d.attesting = true
	n.out.Add(step.Attest{Data: j.Claims.ReportData(), Token: n.ask(func(_ step.Now, result any, err error) {
		d.attesting = false
		var payload []byte
		if made, ok := result.([]byte); ok && err == nil {
			payload = j.Finish(made)
		}
		if payload == nil {
			n.note(NoteNoEvidence)
			return
		}
		n.submitOwn(j.Family, payload)
	})})
}

// again reports whether something may be done now: it was not done, or so long ago
// that it must have been lost. It then counts as done.
func again(done *map[wire.Hash]int64, what wire.Hash, elapsed, repeatMs int64) bool {
	if at, ok := (*done)[what]; ok && elapsed-at < repeatMs {
		return false
	}
	for h, at := range *done { //deterministic: what is old goes, in any order
		if elapsed-at >= repeatMs {
			delete(*done, h)
		}
	}
	if *done == nil {
		*done = map[wire.Hash]int64{}
	}
	(*done)[what] = elapsed
	return true
}

// fetchEntry is the kind of Fetch for an entry by its hash.
const fetchEntry = 2

// fetchEntries asks the archive for entries that a duty needs.
func (n *Node) fetchEntries(needs []wire.Hash) {
	d := &n.duties
	for _, h := range d.shelf.Ask(needs, n.now.Elapsed) {
		n.out.Add(step.Fetch{Kind: fetchEntry, Key: h[:], Token: n.ask(func(_ step.Now, result any, err error) {
			if b, ok := result.([]byte); ok && err == nil && d.shelf.Put(h, b) {
				d.registryAgain = true
			}
		})})
	}
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
