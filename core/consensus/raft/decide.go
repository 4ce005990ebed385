package raft

import (
	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
)

// requestChecks asks for a verdict on every new block, parent first. Blocks after
// a change that is not in force yet have to wait for it.
func (e *Engine) requestChecks(now step.Now) {
	if e.jumping {
		return
	}
	for e.requestedIdx < e.lastIndex() {
		it := e.item(e.requestedIdx + 1)
		if e.pends(it) {
			return
		}
		e.requestedIdx++
		if it.block != nil && it.verdict == 0 && e.ofEpoch(it) && it.block.Header.Height > e.decided.Header.Height {
			e.app.Check(now, it.block, false)
		}
	}
}

// pends reports whether the item is a change that is not in force yet.
func (e *Engine) pends(it *item) bool {
	return it.change != nil && it.index > e.decidedIdx && !e.trial.OldEpoch
}

// ofEpoch reports whether a block above decidedIdx is of the epoch of its
// position in the log. Any other is void, whatever else speaks for it.
func (e *Engine) ofEpoch(it *item) bool { return it.block.Header.Epoch == e.config.set.Epoch }

func (e *Engine) advanceChecked() {
	for e.checkedIdx < e.lastIndex() {
		it := e.item(e.checkedIdx + 1)
		passed := it.index <= e.decidedIdx || !e.pends(it) && (it.block == nil || it.verdict == consensus.Accept && e.ofEpoch(it))
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
		if it.change != nil && !e.apply(now, it) {
			return
		}
		if it.block != nil {
			h := it.block.Header
			switch {
			case h.Height <= e.decided.Header.Height:
				if e.extends(it) || it.block.Hash == e.decided.Hash {
					e.newest = it.block
				}
				// Executed before a restart, or void because its height was taken.
				if h.Height == e.decided.Header.Height && it.block.Hash != e.decided.Hash && h.Parent == e.decided.Header.Parent && it.verdict == consensus.Accept {
					e.app.Fatal(NoteFork, h.Height)
					return
				}
			case h.Parent != e.decided.Hash || h.Height != e.decided.Header.Height+1 || !e.ofEpoch(it) || it.verdict == consensus.Reject:
				e.void(it)
			case it.verdict == 0:
				if !it.forced {
					it.forced = true
					e.app.Check(now, it.block, true)
				}
				return
			default:
				e.decided, e.newest = it.block, it.block
				e.app.Decide(now, it.block)
			}
		}
		e.decidedIdx++
		e.advanceChecked()
		if it.change != nil && e.leadTerm != 0 {
			if e.watchLeadership(now); e.leadTerm != 0 { // a leader that was removed is none any more
				e.adopt(now)
			}
		}
	}
}

// extends reports whether a block the node has already, from elsewhere, is by its
// place the next one in the log.
func (e *Engine) extends(it *item) bool {
	return it.block.Header.Parent == e.newest.Hash && it.block.Header.Height == e.newest.Header.Height+1 && e.ofEpoch(it) && it.verdict != consensus.Reject
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
