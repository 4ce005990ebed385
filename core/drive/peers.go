package drive

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"cloister/core"
	"cloister/core/channel"
	"cloister/core/step"
	"cloister/gate"
	"cloister/wire"
)

// Bounds of connections to peers.
const (
	peerQueue     = 256
	handshakeTime = 10 * time.Second
	idleTime      = 120 * time.Second
	redialMin     = 50 * time.Millisecond
	redialMax     = time.Second
	maxAge        = time.Hour // TEE specification §6.3
)

// peers keeps one connection to each other member, as the machine's newest
// roster says. The member with the lower slot dials; the other waits.
type peers struct {
	d    *driver
	ctx  context.Context // of the run: events are told under it, whatever ends a dialling
	id   *channel.Identity
	self wire.NodeID

	mu    sync.Mutex
	known map[wire.NodeID]*contact
	slot  uint64 // this node's own, 0: it is no member
	live  map[wire.NodeID]*link
}

// contact is somebody to keep a channel to.
type contact struct {
	slot     uint64
	standing wire.Standing
	hangUp   context.CancelFunc // ends what dials it; nil when it dials
}

// link is one connection and its queue.
type link struct {
	conn  *channel.Conn
	queue chan []byte
	gone  chan struct{}
	once  sync.Once
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		l.conn.Close()
	})
}

func newPeers(ctx context.Context, d *driver) *peers {
	id := &channel.Identity{
		Chain: d.genesis.ChainID(), Key: d.key, Boots: d.boots, BootID: d.bootID, Random: rand.Reader,
		Unix: func() int64 { return time.Now().Unix() },
	}
	return &peers{
		d: d, ctx: ctx, id: id, self: wire.NodeIDOf(d.key.Public()), known: map[wire.NodeID]*contact{}, live: map[wire.NodeID]*link{},
	}
}

func (p *peers) run(ctx context.Context) {
	p.d.group.Go(func() { p.accept(ctx) })
}

// meet takes the machine's newest roster: it dials who is new and ends what is
// kept to anybody who left or is barred.
func (p *peers) meet(ctx context.Context, r step.Roster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := map[wire.NodeID]*contact{}
	slot := uint64(0)
	for _, m := range append(append([]wire.Member(nil), r.Roster.Set.Members...), r.Leaving...) {
		if m.ID == p.self {
			slot = m.Slot
			continue
		}
		c := &contact{slot: m.Slot, standing: wire.Standing{ID: m.ID}}
		if s := r.Roster.Of(m.ID); s != nil {
			c.standing = *s
		}
		if c.standing.Barred == wire.OK {
			fresh[m.ID] = c
		}
	}
	for id, old := range p.known {
		c := fresh[id]
		stays := c != nil && c.slot == old.slot && slot == p.slot
		if stays {
			c.hangUp = old.hangUp
		} else if old.hangUp != nil {
			old.hangUp()
		}
		if l := p.live[id]; l != nil && !(stays && c.admits(l.conn.Peer)) {
			l.close()
		}
	}
	p.slot = slot
	for id, c := range fresh {
		if c.hangUp == nil && p.dials(c) {
			dial, hangUp := context.WithCancel(ctx)
			c.hangUp = hangUp
			p.d.group.Go(func() { p.keep(dial, id) })
		}
	}
	p.known = fresh
}

// dials reports whether this node is the one to open the channel. Called with
// mu held.
func (p *peers) dials(c *contact) bool { return p.slot != 0 && c.slot > p.slot }

// admits reports whether a run of the contact may hold a channel: not one before
// the newest the ledger knows, nor another of the same number. One after it may
// be a restart the ledger has not heard of yet.
func (c *contact) admits(claim channel.Claim) bool {
	known := c.standing.Boots
	return claim.Boots > known || known == 0 || claim.Boots == known && claim.BootID == c.standing.BootID
}

// awaits reports whether a node may open a channel to this one now.
func (p *peers) awaits(claim channel.Claim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.known[claim.ID]
	return c != nil && p.slot != 0 && c.slot < p.slot && c.admits(claim)
}

// knows reports whether a channel to a node may be kept now.
func (p *peers) knows(claim channel.Claim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.known[claim.ID]
	return c != nil && c.admits(claim)
}

// keep dials a member again and again while there is no connection to it.
func (p *peers) keep(ctx context.Context, id wire.NodeID) {
	wait := redialMin
	for ctx.Err() == nil {
		began := time.Now()
		if s, err := p.d.gate.Streams().Dial(ctx, id.String()); err == nil {
			p.serve(ctx, s, false, func(got channel.Claim) bool { return got.ID == id && p.knows(got) })
		}
		if time.Since(began) > redialMax {
			wait = redialMin
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, redialMax)
	}
}

func (p *peers) accept(ctx context.Context) {
	for {
		s, _, err := p.d.gate.Streams().Accept(ctx)
		if err != nil {
			return
		}
		p.d.group.Go(func() { p.serve(ctx, s, true, p.awaits) })
	}
}

// serve authenticates a stream and reads from it until it ends. A new
// connection replaces the old one: the other end would not dial if it had it.
func (p *peers) serve(ctx context.Context, s *gate.Stream, server bool, accept channel.Accept) {
	_ = s.SetDeadline(time.Now().Add(handshakeTime))
	conn, err := channel.Open(s, p.id, server, core.MaxFrame, accept)
	if err != nil {
		return
	}
	_ = s.SetDeadline(time.Time{})
	peer := conn.Peer.ID
	l := &link{conn: conn, queue: make(chan []byte, peerQueue), gone: make(chan struct{})}
	defer l.close()
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	age := time.AfterFunc(maxAge, l.close) // it is opened again, with a new key
	defer age.Stop()
	p.mu.Lock()
	if c := p.known[peer]; c == nil || !c.admits(conn.Peer) { // it left during the handshake
		p.mu.Unlock()
		return
	}
	if old := p.live[peer]; old != nil {
		old.close()
	}
	p.live[peer] = l
	p.mu.Unlock()
	p.d.note(NotePeerUp, nil, []wire.Hash{peer})
	p.d.post(p.ctx, step.PeerUp{Peer: peer})
	p.d.group.Go(func() { p.write(l) })
	for {
		_ = s.SetReadDeadline(time.Now().Add(idleTime))
		b, err := conn.Receive()
		if err != nil {
			break
		}
		p.d.post(p.ctx, step.PeerMsg{From: peer, Msg: b})
	}
	p.mu.Lock()
	current := p.live[peer] == l
	if current {
		delete(p.live, peer)
	}
	p.mu.Unlock()
	if current {
		p.d.note(NotePeerDown, nil, []wire.Hash{peer})
		p.d.post(p.ctx, step.PeerDown{Peer: peer})
	}
}

// write sends what waits in the queue together.
func (p *peers) write(l *link) {
	defer l.close()
	var batch [][]byte
	for {
		select {
		case m := <-l.queue:
			batch = append(batch[:0], m)
		case <-l.gone:
			return
		}
		for more := true; more && len(batch) < peerQueue; {
			select {
			case m := <-l.queue:
				batch = append(batch, m)
			default:
				more = false
			}
		}
		if l.conn.Send(batch) != nil {
			return
		}
	}
}

// send queues a message, or drops it when the peer is away or slow: engines
// expect losses.
func (p *peers) send(to wire.NodeID, msg []byte) {
	p.mu.Lock()
	l := p.live[to]
	p.mu.Unlock()
	if l == nil {
		return
	}
	select {
	case l.queue <- msg:
	default:
	}
}
