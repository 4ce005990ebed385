package core

import (
	"cloister/core/step"
	"cloister/wire"
)

// Bounds of frames between nodes.
const (
	MaxFrame   = 8 << 20 // encoded frame
	maxItems   = 4096    // items of a frame
	forwardB   = 256 << 10
	forwardMs  = 2000
	forwardMax = MaxSubmit
)

// Kinds of items, the first byte of each. The first item of a frame is the
// sender's clock, eight bytes.
const (
	itemEngine byte = 1 // an engine message
	itemTxs    byte = 2 // wire.EncodeList of transactions for the leader
	itemAsk    byte = 3 // blockRequest
	itemBlock  byte = 4 // Archived
)

// peer is another member.
type peer struct {
	id      wire.NodeID
	slot    uint64
	up      bool
	clockMs int64 // its Unix clock as last reported, 0 never
	clockAt int64 // when that came, in this node's elapsed ms
	items   [][]byte
	bytes   int
}

// send puts an item into the peer's next frame. What is over a frame's bound is
// lost, as on any network.
func (n *Node) send(to wire.NodeID, kind byte, body []byte) {
	p := n.peers[to]
	if p == nil || !p.up || len(p.items) >= maxItems-1 || p.bytes+len(body)+16 > MaxFrame {
		return
	}
	p.items = append(p.items, append([]byte{kind}, body...))
	p.bytes += len(body) + 6
}

// Send implements consensus.App.
func (a *app) Send(to wire.NodeID, msg []byte) { a.node().send(to, itemEngine, msg) }

// sendFrames makes one frame per peer of what this step had for it, in member
// order so that a run can be repeated.
func (n *Node) sendFrames() {
	for _, p := range n.circle {
		if len(p.items) == 0 {
			continue
		}
		items := append([][]byte{wire.U64(n.localMs())}, p.items...)
		n.out.Add(step.Send{To: p.id, Msg: wire.EncodeList(items)})
		p.items, p.bytes = nil, 0
	}
}

// MapEngineMessages passes each engine message of a frame through f and returns
// the frame with what f returned, for who stands on the wire.
func MapEngineMessages(frame []byte, f func(msg []byte) []byte) []byte {
	items, err := wire.DecodeList(frame, maxItems, MaxFrame)
	if err != nil {
		return frame
	}
	out := make([][]byte, len(items))
	for i, item := range items {
		if out[i] = item; i > 0 && len(item) > 0 && item[0] == itemEngine {
			out[i] = append([]byte{itemEngine}, f(item[1:])...)
		}
	}
	return wire.EncodeList(out)
}

func (n *Node) onPeerUp(id wire.NodeID) {
	p := n.peers[id]
	if p == nil {
		return
	}
	p.up = true
	if n.booted {
		n.deferred = append(n.deferred, func() {
			if n.engine != nil {
				n.engine.PeerUp(n.now, id)
			}
		})
	}
}

// onPeerMsg takes a frame apart. A frame that is not well formed is dropped
// whole; the channel already proved who sent it.
func (n *Node) onPeerMsg(m step.PeerMsg) {
	p := n.peers[m.From]
	if p == nil || !n.booted || len(m.Msg) > MaxFrame {
		return
	}
	items, err := wire.DecodeList(m.Msg, maxItems, MaxFrame)
	if err != nil || len(items) == 0 || len(items[0]) != 8 {
		return
	}
	p.up = true
	clock := uint64(0)
	for _, b := range items[0] {
		clock = clock<<8 | uint64(b)
	}
	p.clockMs, p.clockAt = int64(clock&(1<<62-1)), n.now.Elapsed
	for _, item := range items[1:] {
		if len(item) == 0 {
			continue
		}
		body := item[1:]
		switch item[0] {
		case itemEngine:
			n.deferred = append(n.deferred, func() {
				if n.engine != nil {
					n.engine.Message(n.now, m.From, body)
				}
			})
		case itemTxs:
			if raws, err := wire.DecodeList(body, forwardMax, wire.MaxTx); err == nil && !n.crowded() && n.engine != nil {
				n.judge(raws, nil, false)
			}
		case itemAsk:
			n.onAsk(m.From, body)
		case itemBlock:
			n.onBlock(body, false)
		}
	}
}

// forward gives the leader the transactions that came in through this node's
// gate. They stay pooled here until a block holds them.
func (n *Node) forward() {
	if n.pool.fresh == 0 || n.stopping || n.engine == nil {
		return
	}
	s := n.engine.Status()
	p := n.peers[s.Leader]
	if s.Leading || p == nil || !p.up {
		return
	}
	// A frame may be lost on its way, so what is still waiting goes again every
	// other second, and at once to a new leader. Zero means never sent.
	stamp := (s.View+1)<<32 | uint64(n.now.Elapsed/forwardMs)
	var batch [][]byte
	bytes := 0
	flush := func() {
		if len(batch) > 0 {
			n.send(s.Leader, itemTxs, wire.EncodeList(batch))
			batch, bytes = nil, 0
		}
	}
	for i := n.pool.unsent(stamp); i < len(n.pool.queue); i++ {
		w := n.pool.queue[i]
		if w == nil || w.gone || w.proposed || !w.local || w.sentTo == stamp {
			continue
		}
		w.sentTo = stamp
		batch, bytes = append(batch, w.raw), bytes+len(w.raw)
		if len(batch) == forwardMax || bytes > forwardB {
			flush()
		}
	}
	n.pool.sent(stamp)
	flush()
}
