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
	catchRetryMs = 1000 // asked again after this
	fetchBlock   = 1    // Fetch kind: a block by height
)

// catchUp fetches blocks up to a target the engine trusts: first from this
// node's own archive, then from members. Every block must be linked, by parent
// hashes, to a header a quorum sealed or to the target itself.
type catchUp struct {
	target consensus.Tip
	from   uint64 // next height to decide
	have   map[uint64]*archivedBlock
	asked  int64 // elapsed ms of the last request
	tries  int   // picks the source: 0 is the own archive
	hint   wire.NodeID
}

type archivedBlock struct {
	block *wire.Block
	seal  []byte
	good  bool // linked to something trusted
}

// CatchUp implements consensus.App.
func (a *app) CatchUp(now step.Now, target consensus.Tip, hint wire.NodeID) {
	n := a.node()
	n.note(NoteCatchUp, n.decided.Header.Height+1, target.Height)
	n.catch = &catchUp{
		target: target, from: n.decided.Header.Height + 1, have: map[uint64]*archivedBlock{}, hint: hint,
	}
	n.askBlocks()
}

func (n *Node) retryCatchUp() {
	if n.catch != nil && n.now.Elapsed-n.catch.asked >= catchRetryMs {
		n.catch.tries++
		n.askBlocks()
	}
}

// askBlocks asks the present source for what is missing of the window.
func (n *Node) askBlocks() {
	c := n.catch
	c.asked = n.now.Elapsed
	source := n.source()
	for h := c.from; h < c.from+catchWindow && h <= c.target.Height; h++ {
		if c.have[h] != nil {
			continue
		}
		if source == nil {
			n.out.Add(step.Fetch{Kind: fetchBlock, Key: wire.U64(h), Token: n.ask(func(_ step.Now, result any, err error) {
				if b, ok := result.([]byte); ok && err == nil {
					n.onBlock(b)
				} else if n.catch != nil && n.catch.tries == 0 {
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
// then each in turn.
func (n *Node) source() *peer {
	c := n.catch
	if c.tries == 0 {
		return nil
	}
	if p := n.peers[c.hint]; c.tries == 1 && p != nil && p.up {
		return p
	}
	for i := range n.members.Members {
		m := n.members.Members[(c.tries+i)%len(n.members.Members)]
		if p := n.peers[m.ID]; p != nil && p.up {
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
func (n *Node) onBlock(b []byte) {
	c := n.catch
	if c == nil {
		return
	}
	ab, err := archived.Decode(b)
	if err != nil {
		return
	}
	h, err := wire.DecodeHeader(ab.Header)
	if err != nil || h.Height < c.from || h.Height >= c.from+catchWindow || c.have[h.Height] != nil || h.ChainID != n.chainID {
		return
	}
	blk := &wire.Block{Header: h, Hash: wire.HeaderHash(ab.Header), Body: ab.Body}
	x := &archivedBlock{block: blk, seal: ab.Seal}
	if len(x.seal) > 0 && rules.Seal(n.members, h, blk.Hash, x.seal) != nil {
		return
	}
	c.have[h.Height] = x
	n.advanceCatchUp()
}

// advanceCatchUp decides what is linked to something trusted, as far as
// execution keeps up, and asks for more.
func (n *Node) advanceCatchUp() {
	c := n.catch
	if c == nil {
		return
	}
	n.linkBack()
	for {
		x := c.have[c.from]
		if x == nil || !x.good || c.from-n.tip.Header.Height > uint64(n.cfg.Genesis.Limits.ExecLag) {
			break
		}
		if x.block.Header.Parent != n.decided.Hash {
			delete(c.have, c.from) // not of this chain: cannot be once linked, unless the source mixed forks
			break
		}
		chk := n.checks[x.block.Hash]
		if chk == nil {
			chk = &check{block: x.block, committed: true}
			n.checks[x.block.Hash] = chk
			n.start(chk)
			if chk.verdict == 0 {
				chk.then = n.advanceCatchUp
			}
		}
		if chk.verdict == 0 {
			return // its body is being verified, or execution has to come further
		}
		if chk.verdict == consensus.Reject {
			n.note(NoteReject, c.from, 9)
			delete(c.have, c.from)
			delete(n.checks, x.block.Hash)
			c.tries++
			break
		}
		delete(c.have, c.from)
		c.from++
		n.decide(x.block, x.seal)
		n.sealedH = max(n.sealedH, x.block.Header.Height)
	}
	if n.decided.Header.Height >= c.target.Height {
		tip := n.decided
		n.catch = nil
		n.note(NoteCaughtUp, tip.Header.Height)
		n.deferred = append(n.deferred, func() { n.engine.Jumped(n.now, tip) })
		return
	}
	if len(c.have) == 0 {
		n.askBlocks()
	}
}

// linkBack marks every held block that a sealed one, or the target, descends from.
func (n *Node) linkBack() {
	c := n.catch
	var want wire.Hash // parent a good block names
	linked := false
	for h := min(c.from+catchWindow-1, c.target.Height); h >= c.from && h > 0; h-- {
		x := c.have[h]
		if x == nil {
			linked = false
			continue
		}
		x.good = x.good || len(x.seal) > 0 || (linked && x.block.Hash == want) ||
			(h == c.target.Height && x.block.Hash == c.target.Hash)
		if linked = x.good; linked {
			want = x.block.Header.Parent
		}
	}
}
