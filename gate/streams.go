package gate

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"
)

// Streams is one end of the streams lane. Both ends keep the same table; the
// core opens even streams with Dial, the host odd ones with Accepted.
type Streams struct {
	l     *lane
	at    end
	limit int // streams at a time
	// dial starts the work for a Dial of the core; host end only. It must not
	// wait.
	dial func(s *Stream, addr string)

	handshake, idle time.Duration // 0: not enforced at this end

	mu       sync.Mutex
	table    map[uint64]*Stream // what frames can still come for
	live     int                // streams not yet closed by this end
	next     uint64             // id the next stream of this end gets: even in the core
	lastPeer uint64             // newest id given out by the other
	greeted  []*Stream          // accepted, not authenticated, oldest first; core end only
	queue    []*Stream          // accepted, not yet taken by Accept; core end only
	queued   chan struct{}      // capacity 1: the queue is not empty
	ended    chan struct{}      // the lane is gone
}

func newStreams(s *session, limit int) *Streams {
	m := &Streams{
		l: s.lanes[Streaming], at: s.at, limit: limit,
		table: map[uint64]*Stream{}, queued: make(chan struct{}, 1), ended: s.done, next: 1,
	}
	if m.at == coreEnd {
		m.handshake, m.idle = HandshakeTimeout, IdleTimeout
		m.next = 2
	}
	m.l.recv = m.receive
	m.l.gone = m.laneGone
	return m
}

// Dial asks the host for a connection to addr (1..MaxAddr bytes) and waits for
// it. Errors: ErrBusy at MaxStreams, ErrTooLarge, the context's error, the
// host's refusal, or ErrGateClosed.
func (m *Streams) Dial(ctx context.Context, addr string) (*Stream, error) {
	if len(addr) == 0 || len(addr) > MaxAddr {
		return nil, ErrTooLarge
	}
	s, err := m.open(addr, func(s *Stream) frame {
		s.opening, s.opened = true, make(chan struct{})
		return frame{typ: typeDial, id: s.id, head: []byte(addr)}
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-s.opened:
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	}
	s.mu.Lock()
	err = s.err
	if err == nil {
		err = s.peerErr
	}
	s.mu.Unlock()
	if err != nil {
		s.Close()
		if err == io.EOF {
			err = ErrRefused
		}
		return nil, err
	}
	m.guard(s)
	return s, nil
}

// open gives out the next id and tells the other side about it, both under one
// lock so that ids increase on the wire.
func (m *Streams) open(addr string, first func(*Stream) frame) (*Stream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.l.s.ended() {
		return nil, m.l.s.reason()
	}
	if m.live >= m.limit {
		return nil, ErrBusy
	}
	s := newStream(m, m.next, addr)
	m.next += 2
	f := first(s)
	m.table[s.id] = s
	m.live++
	m.l.urge(f)
	return s, nil
}

// Accept returns the next stream that a peer opened through the host. The hint
// is the host's word about where it came from: for logs only.
func (m *Streams) Accept(ctx context.Context) (s *Stream, hint string, err error) {
	for {
		m.mu.Lock()
		if len(m.queue) > 0 {
			s, m.queue = m.queue[0], m.queue[1:]
		}
		if len(m.queue) > 0 {
			m.signal()
		}
		m.mu.Unlock()
		if s != nil {
			return s, string(s.addr), nil
		}
		select {
		case <-m.queued:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-m.ended:
			return nil, "", m.l.s.reason()
		}
	}
}

func (m *Streams) signal() {
	select {
	case m.queued <- struct{}{}:
	default:
	}
}

// guard starts the handshake and idle limits of an open stream.
func (m *Streams) guard(s *Stream) {
	if m.handshake == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return
	}
	s.guards = append(s.guards, time.AfterFunc(m.handshake, func() {
		s.mu.Lock()
		trusted := s.trusted
		s.mu.Unlock()
		if !trusted {
			s.drop(ErrStreamDropped, 0)
		}
	}))
	quiet := 0 // half periods without a byte
	var idle *time.Timer
	idle = time.AfterFunc(m.idle/2, func() {
		if s.busy.Swap(false) {
			quiet = 0
		} else if quiet++; quiet == 2 {
			s.drop(ErrStreamDropped, 0)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.over.Load() {
			idle.Reset(m.idle / 2)
		}
	})
	s.guards = append(s.guards, idle)
}

// trust takes s off the list of streams that may be pushed out.
func (m *Streams) trust(s *Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.greeted = without(m.greeted, s)
}

// forget is called once per stream, when this end is done with it.
func (m *Streams) forget(s *Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.table, s.id)
	m.live--
	m.greeted = without(m.greeted, s)
	m.queue = without(m.queue, s)
}

func without(list []*Stream, s *Stream) []*Stream {
	if i := slices.Index(list, s); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// laneGone ends every stream; the reader calls it when it stops.
func (m *Streams) laneGone() {
	m.mu.Lock()
	var all []*Stream
	for _, s := range m.table {
		all = append(all, s)
	}
	m.mu.Unlock()
	for _, s := range all {
		s.drop(m.l.s.reason(), 0)
	}
}
