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
)

// peers keeps one connection to each other member. The member with the lower
// slot dials; the other waits.
type peers struct {
	d    *driver
	id   *channel.Identity
	self *wire.Member
	mu   sync.Mutex
	live map[wire.NodeID]*link
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

func newPeers(d *driver, _ context.Context) (*peers, error) {
	id, err := channel.NewIdentity(d.genesis.ChainID(), d.key, rand.Reader)
	if err != nil {
		return nil, err
	}
	set := d.genesis.MemberSet()
	return &peers{d: d, id: id, self: set.ByID(wire.NodeIDOf(d.key.Public())), live: map[wire.NodeID]*link{}}, nil
}

func (p *peers) run(ctx context.Context) {
	if p.self == nil {
		return
	}
	p.d.group.Go(func() { p.accept(ctx) })
	for _, m := range p.d.genesis.MemberSet().Members {
		if m.Slot > p.self.Slot {
			p.d.group.Go(func() { p.keep(ctx, m.ID) })
		}
	}
}

// keep dials a member again and again while there is no connection to it.
func (p *peers) keep(ctx context.Context, id wire.NodeID) {
	wait := redialMin
	for ctx.Err() == nil {
		began := time.Now()
		if s, err := p.d.gate.Streams().Dial(ctx, id.String()); err == nil {
			p.serve(ctx, s, false, func(got wire.NodeID) bool { return got == id })
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
	members := p.d.genesis.MemberSet()
	for {
		s, _, err := p.d.gate.Streams().Accept(ctx)
		if err != nil {
			return
		}
		p.d.group.Go(func() {
			p.serve(ctx, s, true, func(id wire.NodeID) bool { m := members.ByID(id); return m != nil && m.Slot < p.self.Slot })
		})
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
	l := &link{conn: conn, queue: make(chan []byte, peerQueue), gone: make(chan struct{})}
	defer l.close()
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	p.mu.Lock()
	if old := p.live[conn.Peer]; old != nil {
		old.close()
	}
	p.live[conn.Peer] = l
	p.mu.Unlock()
	p.d.note(NotePeerUp, nil, []wire.Hash{conn.Peer})
	p.d.post(ctx, step.PeerUp{Peer: conn.Peer})
	p.d.group.Go(func() { p.write(l) })
	for {
		_ = s.SetReadDeadline(time.Now().Add(idleTime))
		b, err := conn.Receive()
		if err != nil {
			break
		}
		p.d.post(ctx, step.PeerMsg{From: conn.Peer, Msg: b})
	}
	p.mu.Lock()
	current := p.live[conn.Peer] == l
	if current {
		delete(p.live, conn.Peer)
	}
	p.mu.Unlock()
	if current {
		p.d.note(NotePeerDown, nil, []wire.Hash{conn.Peer})
		p.d.post(ctx, step.PeerDown{Peer: conn.Peer})
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
