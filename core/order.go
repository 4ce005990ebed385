package core

import (
	"slices"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Pace of building.
const (
	cutMs   = 5  // with blocks in flight, the next is built when a transaction has waited so long
	proofMs = 20 // after so long without work an empty block commits to the newest results
)

// built is what this node proposed last.
type built struct {
	height     uint64
	execHeight uint64
	at         int64 // elapsed ms
}

// check is a block on its way to a verdict.
type check struct {
	block     *wire.Block
	committed bool
	bodyDone  bool
	bodyOK    bool
	verdict   consensus.Verdict // 0: none yet
	ids       []wire.Hash       // of its transactions, once bodyDone
	then      func()            // catch-up waits for the verdict
	apart     bool              // catch-up's own: the engine did not ask
}

// app is Node as its engine sees it (consensus.App).
type app Node

func (a *app) node() *Node { return (*Node)(a) }

// Wanted implements consensus.App.
func (a *app) Wanted(now step.Now) bool {
	n := a.node()
	if n.stopping || n.catching() || len(n.pending) > maxUnpublished {
		return false
	}
	if n.pool.fresh == 0 {
		return n.owesProof(now) || n.due(now)
	}
	if n.built.height <= n.sealedH {
		return true
	}
	l := n.cfg.Genesis.Limits
	if n.pool.fresh >= int(l.BlockTxs) || n.pool.freshB >= int(l.BodyBytes)/2 {
		return true
	}
	since, ok := n.pool.oldest()
	return ok && now.Elapsed-since >= cutMs && now.Elapsed-n.built.at >= cutMs
}

// owesProof reports whether results exist that no header commits to yet, and
// nothing else is coming that would. What the genesis set is such a result:
// without a first block no balance could be proved.
func (n *Node) owesProof(now step.Now) bool {
	if n.tip.Header.Height == 0 && n.built.height == 0 {
		return true
	}
	return n.tip.Busy > n.built.execHeight && n.tip.Busy > n.tip.Header.ExecHeight &&
		n.tip.Hash == n.decided.Hash && n.built.height <= n.sealedH && now.Elapsed-n.built.at >= proofMs
}

// due reports whether the rules want a block now, whoever submitted what.
func (n *Node) due(now step.Now) bool {
	return n.tip.DueMs != 0 && n.clock(now) >= n.tip.DueMs &&
		n.tip.Hash == n.decided.Hash && n.built.height <= n.sealedH && now.Elapsed-n.built.at >= cutMs
}

// Build implements consensus.App.
func (a *app) Build(now step.Now, want consensus.Proposal) *wire.Block {
	n, parent := a.node(), want.Parent
	p, ok := n.points[parent.Hash]
	switch {
	case !ok:
		return nil
	case n.tip.Exec.Height < p.header.ExecHeight:
		return nil // after a restart: what the parent commits to is not executed here yet
	case parent.Header.Height-min(n.tip.Header.Height, parent.Header.Height) >= uint64(n.cfg.Genesis.Limits.ExecLag):
		return nil
	case n.epochOf(want.Epoch) == nil:
		return nil
	}
	timeMs := max(p.header.TimeMs+1, n.clock(now))
	var txs []*waiting
	if !n.stopping {
		txs = n.pool.take(timeMs)
	}
	if len(txs) == 0 && !want.Empty && !n.owesProof(now) && !n.due(now) {
		return nil
	}
	raws, leaves, ids := make([][]byte, len(txs)), make([]wire.Hash, len(txs)), make([]wire.Hash, len(txs))
	for i, w := range txs {
		raws[i], leaves[i], ids[i] = w.raw, w.leaf, w.id
	}
	exec := n.execs[n.tip.Exec.Height]
	h := &wire.Header{
		Version: wire.HeaderVersion, Flags: want.Flags, ChainID: n.chainID, Height: p.header.Height + 1, Epoch: want.Epoch,
		TimeMs: timeMs, Parent: parent.Hash, Proposer: n.id,
		TxCount: uint32(len(txs)), TxRoot: merkle.Root(leaves),
		DataRoot: exec.data, ExecHeight: n.tip.Exec.Height, ExecRoot: exec.root,
		HistoryRoot: p.history.Root(), MembersHash: want.Members,
		EngineKind: p.header.EngineKind, Engine: want.Engine,
	}
	fault := n.headerFault(p, h)
	if fault == 0 && n.foreignHandover(h) {
		fault = 10
	}
	if fault != 0 {
		n.fatal(ExitQuarantine, NoteReject, h.Height, fault) // others would refuse it: this node is broken
		return nil
	}
	b := &wire.Block{Header: h, Hash: h.Hash(), Body: wire.EncodeList(raws)}
	n.extend(p, b)
	// This node built it from checked transactions on its own state.
	n.checks[b.Hash] = &check{block: b, bodyDone: true, bodyOK: true, verdict: consensus.Accept, ids: ids}
	n.built = built{height: h.Height, execHeight: h.ExecHeight, at: now.Elapsed}
	return b
}

// extend remembers a block so that children can name it as parent.
func (n *Node) extend(parent *point, b *wire.Block) {
	history := parent.history.Clone()
	history.Append(merkle.LeafHash(b.Hash[:]))
	n.points[b.Hash] = &point{header: b.Header, history: history}
}

// Adopt implements consensus.App.
func (a *app) Adopt(_ step.Now, undecided []*wire.Block) {
	n := a.node()
	kept := map[wire.Hash]bool{}
	for _, b := range undecided {
		for _, id := range n.idsOf(b) {
			kept[id] = true
		}
	}
	n.pool.release(func(id wire.Hash) bool { return kept[id] })
	n.built = built{}
}

// idsOf are the ids of a block's transactions, also of one that is still being
// checked: proposing them again would record each twice, once without effect.
func (n *Node) idsOf(b *wire.Block) []wire.Hash {
	if c := n.checks[b.Hash]; c != nil && c.bodyDone {
		return c.ids
	}
	raws, err := wire.DecodeList(b.Body, wire.MaxBodyItems, wire.MaxTx)
	if err != nil {
		return nil
	}
	var ids []wire.Hash
	for _, raw := range raws {
		if tx, err := wire.DecodeTx(raw); err == nil {
			ids = append(ids, tx.ID())
		}
	}
	return ids
}

// Check implements consensus.App.
func (a *app) Check(now step.Now, b *wire.Block, committed bool) {
	n := a.node()
	c := n.checks[b.Hash]
	if c == nil {
		c = &check{block: b}
		n.checks[b.Hash] = c
		n.start(c)
	}
	c.committed = c.committed || committed
	if c.verdict != 0 {
		n.tell(c)
		return
	}
	n.decideVerdict(c)
}

// start makes every test that needs nothing but the parent, and asks for the
// body's signatures to be verified.
func (n *Node) start(c *check) {
	if n.epochOf(c.block.Header.Epoch) == nil {
		n.parked = append(n.parked, c) // execution has to tell first who its members are
		return
	}
	p, ok := n.points[c.block.Header.Parent]
	if !ok {
		c.verdict = consensus.Reject // engines ask parent first, so there is no parent
		return
	}
	if reason := n.headerFault(p, c.block.Header); reason != 0 {
		n.note(NoteReject, c.block.Header.Height, reason)
		c.verdict = consensus.Reject
		return
	}
	n.extend(p, c.block)
	n.order = append(n.order, c)
	h, body := c.block.Header, c.block.Body
	chainID, families, limits, verified := n.chainID, n.cfg.Families, n.cfg.Genesis.Limits, n.verified
	n.out.Add(step.Compute{F: func() any { return checkBody(chainID, families, limits, verified, h, body) }, Token: n.ask(func(_ step.Now, result any, err error) {
		v, _ := result.(bodyVerdict)
		c.bodyDone, c.bodyOK, c.ids = true, err == nil && v.ok, v.ids
		n.decideVerdict(c)
		n.judgeAll()
	})})
}

// unpark starts what waited for a member set, in the order it came.
func (n *Node) unpark() {
	waited := n.parked
	n.parked = nil
	for _, c := range waited {
		if n.start(c); c.verdict != 0 {
			n.tell(c)
		}
	}
}

type bodyVerdict struct {
	ok  bool
	ids []wire.Hash
}

// checkBody is pure: the body has the transactions the header commits to, each
// well formed and signed, valid at the block's time, none twice.
func checkBody(chainID wire.Hash, families []ledger.Family, limits wire.Limits, verified *ledger.Verified, h *wire.Header, body []byte) bodyVerdict {
	raws, _, err := ledger.CheckBody(h, body, limits)
	if err != nil {
		return bodyVerdict{}
	}
	ids := make([]wire.Hash, len(raws))
	seen := make(map[wire.Hash]struct{}, len(raws))
	for i, c := range ledger.CheckTxs(raws, chainID, families, verified) {
		if _, twice := seen[c.ID]; c.Code != wire.OK || twice || !timely(&c, h.TimeMs) {
			return bodyVerdict{}
		}
		seen[c.ID] = struct{}{}
		ids[i] = c.ID
	}
	return bodyVerdict{ok: true, ids: ids}
}

// timely reports whether a block of this time may record the transaction; what
// carries a message is judged by the message's own time, by its family.
func timely(c *ledger.Checked, timeMs uint64) bool {
	return c.Carried || c.Tx.NotAfterMs >= timeMs && c.Tx.NotAfterMs <= timeMs+wire.MaxValidity
}

// headerFault is the deterministic part of judging a header: 0, or a reason.
func (n *Node) headerFault(p *point, h *wire.Header) uint64 {
	l := n.cfg.Genesis.Limits
	part, err := quorum.EngineOf(h)
	var proposer *wire.Member
	if x := n.epochOf(h.Epoch); x != nil {
		proposer = x.set.BySlot(part.Slot)
	}
	switch {
	case h.Version != wire.HeaderVersion || h.Flags&^wire.FlagHandover != 0 || h.ChainID != n.chainID:
		return 1
	case h.Height != p.header.Height+1 || h.TimeMs <= p.header.TimeMs:
		return 2
	case !orderedAfter(p.header, h) || h.EngineKind != p.header.EngineKind:
		return 3
	case err != nil || proposer == nil || proposer.ID != h.Proposer || proposer.Role != wire.Voter:
		return 4
	case h.TxCount > l.BlockTxs:
		return 5
	case h.HistoryRoot != p.history.Root():
		return 6
	case h.ExecHeight >= h.Height || h.ExecHeight < p.header.ExecHeight || h.Height-h.ExecHeight > uint64(l.ExecLag)+1:
		return 7
	}
	return 0
}

// orderedAfter reports whether the set that ordered h is the one that ordered
// its parent, or the one the parent hands over to.
func orderedAfter(parent, h *wire.Header) bool {
	if h.Epoch == parent.Epoch {
		return h.MembersHash == parent.MembersHash
	}
	if h.Epoch != parent.Epoch+1 || parent.Flags&wire.FlagHandover == 0 {
		return false
	}
	part, err := quorum.EngineOf(parent)
	return err == nil && h.MembersHash == part.Next
}

// decideVerdict gives a verdict if everything it needs is known.
func (n *Node) decideVerdict(c *check) {
	h := c.block.Header
	switch {
	case c.verdict != 0:
	case !c.bodyDone:
		return
	case !c.bodyOK:
		n.note(NoteReject, h.Height, 8)
		c.verdict = consensus.Reject
	case h.ExecHeight > n.tip.Exec.Height:
		return // later: this node has not executed so far
	case n.otherState(h) || n.foreignHandover(h):
		n.note(NoteExecRoot, h.Height, h.ExecHeight)
		c.verdict = consensus.Reject
	case !c.committed && h.TimeMs > n.localMs()+uint64(n.cfg.Genesis.Limits.ClockSkewMs) && n.aheadOfParent(h):
		return // later: its time is ahead of this node's clock
	default:
		c.verdict = consensus.Accept
	}
	n.tell(c)
}

// otherState reports whether the header commits to another state than this
// node computed. Heights below those remembered were final long ago.
func (n *Node) otherState(h *wire.Header) bool {
	e, ok := n.execs[h.ExecHeight]
	return ok && (e.root != h.ExecRoot || e.data != h.DataRoot)
}

// foreignHandover reports whether the header hands over to other members than
// the state it commits to had decided.
func (n *Node) foreignHandover(h *wire.Header) bool {
	if h.Flags&wire.FlagHandover == 0 {
		return false
	}
	e, ok := n.execs[h.ExecHeight]
	if !ok { // below where this run began; nothing more was decided since, or h is long final
		e = n.execs[n.tip.Exec.Height]
	}
	part, err := quorum.EngineOf(h)
	if err != nil || h.Epoch < n.members.Epoch {
		return err != nil
	}
	return e.next != part.Next
}

func (n *Node) aheadOfParent(h *wire.Header) bool {
	p, ok := n.points[h.Parent]
	return ok && h.TimeMs > p.header.TimeMs+uint64(n.cfg.Genesis.Limits.ClockSkewMs)
}

// tell passes a verdict on, after the engine's own call has ended.
func (n *Node) tell(c *check) {
	hash, v := c.block.Hash, c.verdict
	if !c.apart {
		n.deferred = append(n.deferred, func() {
			if n.engine != nil {
				n.engine.Checked(n.now, hash, v)
			}
		})
	}
	if then := c.then; then != nil {
		c.then = nil
		n.deferred = append(n.deferred, then)
	}
}

// judgeAll looks again at blocks that waited, oldest first.
func (n *Node) judgeAll() {
	if len(n.order) == 0 {
		return
	}
	for _, c := range n.order {
		if c.verdict == 0 {
			n.decideVerdict(c)
		}
	}
	n.order = slices.DeleteFunc(n.order, func(c *check) bool { return c.verdict != 0 })
}

// Decide implements consensus.App.
func (a *app) Decide(_ step.Now, b *wire.Block) {
	n := a.node()
	if h := b.Header.Height; h <= n.decided.Header.Height {
		if h == n.decided.Header.Height && b.Hash != n.decided.Hash {
			n.fatal(ExitQuarantine, NoteReject, h, 11) // the archive's seal and the engine contradict each other
		}
		return // this node followed its archive so far
	}
	var ids []wire.Hash
	if c := n.checks[b.Hash]; c != nil {
		ids = c.ids
	}
	n.decide(&slot{block: b}, ids)
}

// decide makes a block that of the next height and has it executed. ids are its
// transactions.
func (n *Node) decide(s *slot, ids []wire.Hash) {
	b := s.block
	n.decided = b
	if b.Header.Epoch != n.members.Epoch {
		n.enforce(b.Header.Epoch)
	}
	for _, id := range ids {
		n.pool.remove(id)
	}
	delete(n.checks, b.Hash)
	n.pending = append(n.pending, s)
	n.out.Add(step.Execute{Block: b, Token: n.ask(func(_ step.Now, result any, err error) {
		n.onExecuted(s, result, err)
	})})
}

// Append implements consensus.App.
func (a *app) Append(ref uint64, recs ...step.Record) {
	n := a.node()
	e := n.engine
	n.out.Add(step.Append{Recs: recs, Token: n.ask(func(now step.Now, result any, err error) {
		done, ok := result.(step.LogDone)
		if err != nil || !ok {
			// A sync that failed gives no second chance: nothing may be promised.
			n.fatal(ExitCorrupt, NoteIOFailed)
			return
		}
		if n.engine == e {
			e.Logged(now, ref, done.LastSeq)
		}
	})})
}

// Note implements consensus.App.
func (a *app) Note(id uint16, numbers ...uint64) { a.node().note(id, numbers...) }

// Fatal implements consensus.App.
func (a *app) Fatal(id uint16, numbers ...uint64) { a.node().fatal(ExitQuarantine, id, numbers...) }

// clock is the time a proposer gives a block: the median of the clocks the
// voters reported last, this node's included, so that one bad clock moves nothing.
func (n *Node) clock(now step.Now) uint64 {
	clocks := []int64{now.Unix}
	for _, m := range n.members.Members {
		if p := n.peers[m.ID]; p != nil && p.clockMs != 0 && m.Role == wire.Voter {
			clocks = append(clocks, p.clockMs+now.Elapsed-p.clockAt)
		}
	}
	slices.Sort(clocks)
	return uint64(max(0, clocks[(len(clocks)-1)/2]))
}

func (n *Node) localMs() uint64 { return uint64(max(0, n.now.Unix)) }
