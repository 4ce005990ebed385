package core

import (
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/query"
)

// keepPoints is how many executed heights below the tip stay usable as parents
// and as execution commitments to compare with.
const keepPoints = 1200

// slot is a decided block on its way to the archive.
type slot struct {
	block *wire.Block
	seal  []byte
	final *step.Final // nil until executed
	kept  bool        // it came from this node's own archive
}

// proofPoint is the newest sealed header, which state proofs start from.
type proofPoint struct {
	header *wire.Header
	sealed query.SealedHeader
}

// Sealed implements consensus.App.
func (a *app) Sealed(_ step.Now, height uint64, hash wire.Hash, seal []byte) {
	n := a.node()
	if height > n.sealedH {
		n.covered(height, hash, seal)
		n.publish()
	}
}

// covered takes a verified seal: it covers every block up to this one.
func (n *Node) covered(height uint64, hash wire.Hash, seal []byte) {
	n.sealedH = max(n.sealedH, height)
	if p := n.points[hash]; p != nil && len(seal) > 0 {
		n.proof = proofPoint{header: p.header, sealed: query.SealedHeader{Header: wire.Marshal(p.header), Seal: seal}}
		n.sealedEpoch(p.header.Epoch)
	}
	for _, s := range n.pending {
		if s.block.Header.Height == height && s.block.Hash == hash {
			s.seal = seal
		}
	}
	n.wake = true
}

func (n *Node) onExecuted(s *slot, result any, err error) {
	done, ok := result.(*step.Executed)
	if err != nil || !ok {
		n.fatal(ExitCorrupt, NoteExecFailed, s.block.Header.Height)
		return
	}
	s.final = done.Final
	n.tip = done.Tip
	h := done.Tip.Header.Height
	n.onRoster(done.Tip.Roster)
	n.executed(&done.Tip)
	n.points[done.Tip.Hash] = &point{header: done.Tip.Header, history: done.Tip.History}
	delete(n.execs, h-keepPoints)
	n.prunePoints(h)
	n.sinceB += len(s.block.Body)
	n.pool.expire(n.tip.Header.TimeMs)
	n.judgeAll()
	n.publish()
	n.maybeFlush()
	n.advanceCatchUp()
	n.wake = true
}

// executed remembers what later headers commit to as of a block.
func (n *Node) executed(t *step.Tip) {
	n.execs[t.Exec.Height] = execPoint{t.Exec.Root(), t.DataRoot, t.Header.Epoch, n.decidedAt(t.Roster)}
}

// prunePoints forgets blocks no child can name any more, now and then.
func (n *Node) prunePoints(height uint64) {
	if len(n.points) < 2*keepPoints || height < keepPoints {
		return
	}
	for hash, p := range n.points { //deterministic: deletes by comparison only
		if p.header.Height < height-keepPoints {
			delete(n.points, hash)
		}
	}
	for hash, c := range n.checks { //deterministic: deletes by comparison only
		if c.block.Header.Height < height {
			delete(n.checks, hash)
		}
	}
}

// publish hands blocks to the archive in height order: decided, under a seal,
// and executed. What the archive has not stored yet is bounded.
func (n *Node) publish() {
	for len(n.pending) > 0 {
		s := n.pending[0]
		h := s.block.Header
		if s.final == nil || h.Height > n.sealedH || len(n.flight) >= maxUnarchived || n.flightB >= maxUnarchivedB {
			return
		}
		n.pending = n.pending[1:]
		s.final.Seal = s.seal
		if h.Height <= n.archived {
			continue
		}
		if s.kept && n.offered == 0 {
			n.archived = h.Height // the host gave it, so the host has it
			continue
		}
		// Once a run has published, it publishes every height: the gate takes no gaps.
		n.offered = h.Height
		size := len(s.block.Body)
		n.flight = append(n.flight, published{h.Height, size})
		n.flightB += size
		n.out.Add(step.Publish{Final: s.final})
	}
}

// onArchived believes the host only as far as freeing room and cutting the log
// go; what a peer or client relies on never rests on it.
func (n *Node) onArchived(height uint64) {
	if !n.booted || height <= n.archived || len(n.flight) == 0 || height > n.flight[len(n.flight)-1].height {
		return
	}
	n.archived = height
	for len(n.flight) > 0 && n.flight[0].height <= height {
		n.flightB -= n.flight[0].bytes
		n.flight = n.flight[1:]
	}
	n.publish()
	n.maybeFlush()
	n.wake = true
}

// maybeFlush makes state durable now and then, in the background, so that a
// restart executes little again and the log stays short.
func (n *Node) maybeFlush() {
	due := n.tip.Header.Height >= n.flushed+flushBlocks || n.sinceB >= flushBytes || len(n.membership.known) > flushSets
	if n.flushing || !due {
		return
	}
	n.flushing, n.sinceB = true, 0
	n.out.Add(step.Flush{Archived: n.archived, Token: n.ask(func(now step.Now, result any, err error) {
		height, ok := result.(uint64)
		if err != nil || !ok {
			n.fatal(ExitCorrupt, NoteIOFailed)
			return
		}
		n.flushing, n.flushed = false, height
		n.note(NoteFlushed, height)
		n.forget(height)
		if n.engine != nil {
			n.cutLog(n.engine.Durable(now, min(n.flushed, n.archived)))
		}
	})})
}
