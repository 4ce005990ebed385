package core

import (
	"cloister/core/consensus"
	"cloister/core/consensus/rules"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/archived"
)

// Bounds of catch-up.
const (
	catchWindow  = 32   // blocks asked for at a time
	catchMost    = 1024 // the same when so many blocks pass without a seal
	catchRetryMs = 1000 // asked again after this
	followMs     = 500  // an observer asks for the next block so often
	deafMs       = 4000 // a member that hears no leader for so long follows its archive
	fetchBlock   = 1    // Fetch kind: a block by height
)

// catchUp fetches blocks up to a target the engine trusts: first from this
// node's own archive, then from members. Every block must be linked, by parent
// hashes, to a header a quorum sealed or to the target itself. Seals are judged
// epoch by epoch: that of a block whose members are not known yet waits until
// execution tells them.
type catchUp struct {
	open   bool // there is no target: it follows the archive for good
	target consensus.Tip
	from   uint64 // next height to decide
	window uint64
	have   map[uint64]*archivedBlock
	asked  int64 // elapsed ms of the last request
	came   int64 // the same of the last block that was taken
	idle   bool  // open: the archive did not have the next block
	tries  int   // picks the source: 0 is the own archive
	hint   wire.NodeID
}

type archivedBlock struct {
	block  *wire.Block
	seal   []byte
	own    bool   // the own archive gave it
	check  *check // of this very body; nil until it is linked
	judged bool   // its seal, if it has one, was found good
	sealed bool   // it, or one that descends from it, is under a good seal
	good   bool   // the same, or the target descends from it
}

// catching reports whether the engine waits for blocks.
func (n *Node) catching() bool { return n.catch != nil && !n.catch.open }

// CatchUp implements consensus.App.
func (a *app) CatchUp(now step.Now, target consensus.Tip, hint wire.NodeID) {
	n := a.node()
	n.note(NoteCatchUp, n.decided.Header.Height+1, target.Height)
	n.catch = &catchUp{
		target: target, from: n.decided.Header.Height + 1, window: catchWindow, have: map[uint64]*archivedBlock{}, hint: hint,
	}
	n.askBlocks()
}

// follow keeps an observer, and a member no leader talks to, at the end of its own
// archive, which its host fills from others: a member that was away may have
// been removed, and learns of it in no other way.
func (n *Node) follow() {
	deaf := n.engine == nil
	if !deaf {
		s := n.engine.Status()
		deaf = !s.Leading && n.now.Elapsed-max(s.Heard, n.began) > deafMs
	}
	switch {
	case !deaf && n.catch != nil && n.catch.open:
		n.catch = nil
	case !deaf || n.catch != nil || n.membership.keeping > 0: // state must not go ahead of what its record says
	case n.engine != nil && !n.membership.ahead:
		// State may from now on be ahead of the engine's log, and that is no damage.
		n.membership.ahead = true
		n.keep(func() {})
	default:
		n.catch = &catchUp{
			open: true, from: n.decided.Header.Height + 1, window: 1, idle: true, have: map[uint64]*archivedBlock{},
		}
		n.askBlocks()
	}
}

func (n *Node) retryCatchUp() {
	c := n.catch
	if c == nil {
		return
	}
	if c.from <= n.decided.Header.Height { // the engine was faster
		n.restart(c)
	}
	wait := int64(catchRetryMs)
	if c.idle {
		wait = followMs
	}
	if n.now.Elapsed-c.asked >= wait {
		if n.now.Elapsed-c.came >= catchRetryMs && n.tip.Hash == n.decided.Hash {
			// Nothing comes any more and nothing links up: what is held may be forged,
			// and would keep the right blocks out.
			for h, x := range c.have { //deterministic: deletes by a property of each
				if !x.good {
					delete(c.have, h)
				}
			}
		}
		c.tries++
		n.askBlocks()
	}
}

// restart makes a catch-up go on after the newest decided block.
func (n *Node) restart(c *catchUp) {
	c.from = n.decided.Header.Height + 1
	for h := range c.have { //deterministic: deletes by comparison only
		if h < c.from {
			delete(c.have, h)
		}
	}
}

// askBlocks asks the present source for what is missing of the window.
func (n *Node) askBlocks() {
	c := n.catch
	c.asked = n.now.Elapsed
	source := n.source()
	for h := c.from; h < c.from+c.window && (c.open || h <= c.target.Height); h++ {
		if c.have[h] != nil || n.crowded() {
			continue
		}
		if source == nil {
			n.out.Add(step.Fetch{Kind: fetchBlock, Key: wire.U64(h), Token: n.ask(func(_ step.Now, result any, err error) {
				b, ok := result.([]byte)
				switch {
				case ok && err == nil:
					n.onBlock(b, true)
				case n.catch == nil:
				case n.catch.open:
					if h == n.catch.from {
						n.catch.idle, n.catch.window = true, 1
					}
				case n.catch.tries == 0:
					n.catch.tries++ // the archive does not have it: ask the members at once
					n.askBlocks()
				}
			})})
			continue
		}
		n.send(source.id, itemAsk, wire.U64(h))
	}
}

// source is who to ask: nil for the own archive, else the hinted member first,
// then each in turn, and the own archive again.
func (n *Node) source() *peer {
	c := n.catch
	if c.open || c.tries == 0 {
		return nil
	}
	if p := n.peers[c.hint]; c.tries == 1 && p != nil && p.up {
		return p
	}
	for i := range n.circle {
		if turn := (c.tries + i) % (len(n.circle) + 1); turn == len(n.circle) {
			return nil
		} else if p := n.circle[turn]; p.up {
			return p
		}
	}
	return nil
}

// onAsk answers a member's request from this node's archive; what the host
// gives is the asker's to check.
func (n *Node) onAsk(from wire.NodeID, body []byte) {
	if len(body) != 8 || n.crowded() {
		return
	}
	n.out.Add(step.Fetch{Kind: fetchBlock, Key: body, Token: n.ask(func(_ step.Now, result any, err error) {
		raw, _ := result.([]byte)
		if b, bad := archived.Decode(raw); err == nil && bad == nil {
			b.Outcome = nil // the asker computes it
			n.send(from, itemBlock, b.Encode())
		}
	})})
}

// onBlock takes a block of any origin and believes nothing of it yet.
func (n *Node) onBlock(b []byte, own bool) {
	c := n.catch
	if c == nil {
		return
	}
	ab, err := archived.Decode(b)
	if err != nil {
		return
	}
	h, err := wire.DecodeHeader(ab.Header)
	if err != nil || h.Height < c.from || h.Height >= c.from+c.window || c.have[h.Height] != nil || h.ChainID != n.chainID {
		return
	}
	c.have[h.Height] = &archivedBlock{block: &wire.Block{Header: h, Hash: wire.HeaderHash(ab.Header), Body: ab.Body}, seal: ab.Seal, own: own}
	c.came = n.now.Elapsed
	if c.open && c.idle {
		c.idle, c.window = false, catchWindow
	}
	n.advanceCatchUp()
}

// advanceCatchUp decides what is linked to something trusted, as far as
// execution keeps up, and asks for more.
func (n *Node) advanceCatchUp() {
	c := n.catch
	if c == nil {
		return
	}
	if c.from <= n.decided.Header.Height {
		n.restart(c)
	}
	n.linkBack()
	advanced := false
	for n.takeLinked() {
		advanced = true
	}
	if advanced {
		n.publish()
		if c.window > catchWindow {
			c.window = catchWindow
		}
	}
	switch tip := n.decided; {
	case !c.open && tip.Header.Height >= c.target.Height:
		n.catch = nil
		n.note(NoteCaughtUp, tip.Header.Height)
		n.jumped(tip)
		return
	case advanced && c.open:
		n.jumped(tip)
	}
	switch stuck := uint64(len(c.have)) >= c.window && c.have[c.from] != nil && !c.have[c.from].good; {
	case stuck && c.window < catchMost && n.epochOf(c.have[c.from].block.Header.Epoch) != nil:
		c.window *= 2 // no seal among them: it stands further on
		n.askBlocks()
	case len(c.have) == 0 && !c.idle:
		n.askBlocks()
	}
}

// takeLinked decides the next block if it is held, linked and found good, and
// reports whether it did. The check is the block's own: header and seal say
// nothing of the body that came with them, and what the engine checked under the
// same hash may have had another. So neither is judged for the other.
func (n *Node) takeLinked() bool {
	c := n.catch
	x := c.have[c.from]
	if x == nil || !x.good || c.from-n.tip.Header.Height > uint64(n.cfg.Genesis.Limits.ExecLag) {
		return false
	}
	if x.block.Header.Parent != n.decided.Hash {
		delete(c.have, c.from) // not of this chain: cannot be once linked, unless the source mixed forks
		return false
	}
	if x.check == nil {
		x.check = &check{block: x.block, committed: true, apart: true}
		n.start(x.check)
	}
	switch x.check.verdict {
	case consensus.Accept:
	case consensus.Reject:
		n.note(NoteReject, c.from, 9)
		delete(c.have, c.from)
		c.tries++
		return false
	default:
		x.check.then = n.advanceCatchUp
		return false // its body is being verified, or execution has to come further
	}
	delete(c.have, c.from)
	c.from++
	s := &slot{block: x.block, kept: x.own}
	if x.judged {
		s.seal = x.seal
	}
	n.decide(s, x.check.ids)
	if x.sealed {
		n.covered(x.block.Header.Height, x.block.Hash, s.seal)
	}
	return true
}

// jumped tells the engine that the node went on without it.
func (n *Node) jumped(tip *wire.Block) {
	if e := n.engine; e != nil {
		n.deferred = append(n.deferred, func() {
			if n.engine == e {
				e.Jumped(n.now, tip)
			}
		})
	}
}

// linkBack marks every held block that a sealed one, or the target, descends
// from, and drops those whose seal does not hold.
func (n *Node) linkBack() {
	c := n.catch
	var want wire.Hash // parent a good block names
	linked, sealed := false, false
	for h := c.from + c.window - 1; h >= c.from && h > 0; h-- {
		x := c.have[h]
		if x != nil && len(x.seal) > 0 && !x.judged {
			if e := n.epochOf(x.block.Header.Epoch); e != nil {
				if rules.Seal(e.set, x.block.Header, x.block.Hash, x.seal) != nil {
					delete(c.have, h)
					x = nil
				} else {
					x.judged = true
				}
			}
		}
		if x == nil {
			linked, sealed = false, false
			continue
		}
		child := linked && x.block.Hash == want
		x.sealed = x.sealed || x.judged || child && sealed
		x.good = x.good || x.sealed || child || !c.open && h == c.target.Height && x.block.Hash == c.target.Hash
		linked, sealed = x.good, x.sealed
		want = x.block.Header.Parent
	}
}
