package gate

import (
	"encoding/binary"
	"io"
	"slices"
)

// receive handles one frame of the lane; only the reader calls it.
func (m *Streams) receive(h header) error {
	switch h.typ {
	case typeBytes:
		return m.takeBytes(h)
	case typeDial, typeAccepted:
		return m.takeNew(h)
	case typeOpened, typeClose, typeWindow, typeShut:
		return m.takeSignal(h)
	}
	return m.l.violation(h.typ, "greeting on an open lane")
}

// find returns the stream a frame is for, nil if it has ended here already. A
// frame for an id that was never given out breaks the protocol.
func (m *Streams) find(h header) (*Stream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.table[h.id]
	if s != nil {
		return s, nil
	}
	unused := m.lastPeer + 1
	if m.ours(h.id) {
		unused = m.next
	}
	if h.id >= unused {
		return nil, m.l.violation(h.typ, "stream %d was never opened", h.id)
	}
	return nil, nil
}

func (m *Streams) ours(id uint64) bool { return id%2 == 0 == (m.at == coreEnd) }

func (m *Streams) takeBytes(h header) error {
	s, err := m.find(h)
	if err != nil {
		return err
	}
	if s == nil {
		_, err := m.l.r.Discard(h.n)
		return err
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		_, err := m.l.r.Discard(h.n)
		return err
	}
	if s.opening || s.peerShut || h.n > s.allowed {
		defer s.mu.Unlock()
		return m.l.violation(h.typ, "stream %d: %d bytes, window %d, opening %v, shut %v", h.id, h.n, s.allowed, s.opening, s.peerShut)
	}
	s.allowed -= h.n
	a, b := s.in.reserve(h.n)
	s.mu.Unlock()
	// The reader may wait here for the rest of the frame; the stream stays
	// usable, so its deadlines hold.
	if _, err := io.ReadFull(m.l.r, a); err != nil {
		return err
	}
	if _, err := io.ReadFull(m.l.r, b); err != nil {
		return err
	}
	s.mu.Lock()
	s.in.publish()
	s.busy.Store(true)
	s.readable.Broadcast()
	s.mu.Unlock()
	return nil
}

// takeNew handles Dial at the host and Accepted at the core.
func (m *Streams) takeNew(h header) error {
	p, err := m.l.payload(h)
	if err != nil {
		return err
	}
	text := string(p)
	giveBuffer(p)
	m.mu.Lock()
	if m.ours(h.id) || h.id <= m.lastPeer {
		m.mu.Unlock()
		return m.l.violation(h.typ, "id %d after %d", h.id, m.lastPeer)
	}
	m.lastPeer = h.id
	if m.live >= m.limit {
		m.mu.Unlock()
		return m.l.reply(frame{typ: typeClose, id: h.id, head: binary.BigEndian.AppendUint16(nil, failCode(ErrBusy))})
	}
	s := newStream(m, h.id, text)
	m.table[s.id] = s
	m.live++
	if h.typ == typeDial {
		s.opening, s.opened = true, make(chan struct{})
		m.mu.Unlock()
		m.dial(s, text)
		return nil
	}
	s.listener, s.addr = text[0], Addr(text[1:])
	var oldest *Stream
	if len(m.greeted) >= maxGreeted {
		oldest = m.greeted[0]
	}
	m.greeted = append(m.greeted, s)
	m.queue = append(m.queue, s)
	m.signal()
	m.mu.Unlock()
	if oldest != nil {
		oldest.drop(ErrStreamDropped, failCode(ErrBusy))
	}
	m.guard(s)
	return nil
}

// takeSignal handles the small frames about one stream.
func (m *Streams) takeSignal(h header) error {
	p, err := m.l.payload(h)
	if err != nil {
		return err
	}
	defer giveBuffer(p)
	s, err := m.find(h)
	if s == nil {
		return err
	}
	switch h.typ {
	case typeClose:
		m.mu.Lock()
		delete(m.table, s.id)
		waiting := slices.Index(m.queue, s)
		m.mu.Unlock()
		s.peerClosed(binary.BigEndian.Uint16(p))
		if waiting >= 0 {
			s.Close() // nobody else will
		}
		return nil
	case typeWindow:
		return m.takeWindow(h, s, int64(binary.BigEndian.Uint32(p)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil
	}
	if h.typ == typeOpened {
		if !s.opening || !m.ours(s.id) {
			return m.l.violation(h.typ, "stream %d was not being opened", h.id)
		}
		s.opening = false
		close(s.opened)
		s.writable.Broadcast()
		return nil
	}
	if s.opening || s.peerShut {
		return m.l.violation(h.typ, "stream %d: shut out of turn", h.id)
	}
	s.peerShut = true
	s.readable.Broadcast()
	return nil
}

func (m *Streams) takeWindow(h header, s *Stream, n int64) error {
	s.mu.Lock()
	if s.err == nil && (s.opening || n == 0 || int64(s.credit)+n > WideWindow) {
		s.mu.Unlock()
		return m.l.violation(h.typ, "window of stream %d grows by %d", h.id, n)
	}
	if s.err != nil {
		s.mu.Unlock()
		return nil
	}
	s.credit += int(n)
	give := 0
	if m.at == hostEnd && s.credit > Window {
		// The core trusts the peer now; the host cannot tell by itself and
		// follows with its own window.
		give = s.widen()
	}
	s.writable.Broadcast()
	s.mu.Unlock()
	if give == 0 {
		return nil
	}
	return m.l.reply(s.windowFrame(give))
}
