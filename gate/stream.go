package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons a stream ends for.
var (
	// ErrStreamClosed is returned by writes after the other side closed.
	ErrStreamClosed = errors.New("gate: the stream was closed by the other side")
	// ErrStreamDropped ends a stream that this end gave up: no handshake in
	// time, idle for too long, or pushed out by newer ones.
	ErrStreamDropped = errors.New("gate: the stream was dropped")
)

// Stream is one byte stream through the gate. It implements net.Conn with
// deadlines and half-close. Nothing it carries is authentic: TLS runs above it.
// It must be closed, also after the other side did.
type Stream struct {
	m        *Streams
	id       uint64
	addr     Addr
	listener uint8

	writing sync.Mutex // held for one Write, so that writes do not mix

	mu       sync.Mutex
	readable *sync.Cond
	writable *sync.Cond
	in       ring
	allowed  int // bytes the peer may still send
	consumed int // bytes read and not yet given back to the peer's window
	window   int
	credit   int  // bytes we may still send
	opening  bool // dialled and not yet Opened
	opened   chan struct{}
	shut     bool  // we sent Shut
	peerShut bool  // the peer sent Shut
	peerErr  error // the peer sent Close: io.EOF, or its reason
	err      error // this end closed or dropped it
	over     atomic.Bool
	trusted  bool // Authenticated was called

	readLimit, writeLimit timeLimit
	guards                []*time.Timer
	hook                  func()      // called when the stream is over; mu
	busy                  atomic.Bool // bytes moved since the idle guard looked
}

var _ net.Conn = (*Stream)(nil)

// Addr is what a stream was dialled to, or the hint it was accepted with. The
// hint is the host's word: for logs, never for a decision.
type Addr string

// Network returns "gate".
func (Addr) Network() string { return "gate" }

func (a Addr) String() string { return string(a) }

func newStream(m *Streams, id uint64, addr string) *Stream {
	s := &Stream{m: m, id: id, addr: Addr(addr), allowed: Window, window: Window, credit: Window}
	s.readable, s.writable = sync.NewCond(&s.mu), sync.NewCond(&s.mu)
	return s
}

// Read returns bytes as soon as there are any. After the other side's Shut or
// Close what it sent before is still read, then io.EOF.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for {
		switch {
		case s.err != nil:
			defer s.mu.Unlock()
			return 0, s.err
		case s.readLimit.expired.Load():
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0 || s.in.n > 0:
			n := s.in.take(p)
			give := s.consume(n)
			s.mu.Unlock()
			if give > 0 {
				s.m.l.urge(s.windowFrame(give))
			}
			return n, nil
		case s.peerErr != nil:
			defer s.mu.Unlock()
			return 0, s.peerErr
		case s.peerShut:
			s.mu.Unlock()
			return 0, io.EOF
		}
		s.readable.Wait()
	}
}

// consume returns how many bytes to give back to the peer's window now. The
// caller holds mu and sends the frame after releasing it.
func (s *Stream) consume(n int) (give int) {
	s.consumed += n
	if s.consumed < s.window/4 || s.peerShut || s.peerErr != nil {
		return 0
	}
	give, s.consumed = s.consumed, 0
	s.allowed += give
	return give
}

// Write sends p within the other side's window and returns how much of it left.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for n < len(p) {
		part, err := s.acquire(len(p) - n)
		if err != nil {
			return n, err
		}
		f := frame{typ: typeBytes, id: s.id, body: p[n : n+part]}
		sent, err := s.m.l.send(f, s.unwritable)
		if err != nil {
			return n, err
		}
		if !sent {
			s.release(part)
			continue // acquire finds the reason
		}
		n += part
	}
	return n, nil
}

// acquire waits until some of the window is free and takes up to n bytes of it.
func (s *Stream) acquire(n int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.err != nil:
			return 0, s.err
		case s.peerErr != nil:
			return 0, ErrStreamClosed
		case s.shut:
			return 0, net.ErrClosed
		case s.writeLimit.expired.Load():
			return 0, os.ErrDeadlineExceeded
		case s.credit > 0 && !s.opening:
			n = min(n, s.credit, MaxData)
			s.credit -= n
			s.busy.Store(true)
			return n, nil
		}
		s.writable.Wait()
	}
}

func (s *Stream) release(n int) {
	s.mu.Lock()
	s.credit += n
	s.mu.Unlock()
}

func (s *Stream) unwritable() bool { return s.over.Load() || s.writeLimit.expired.Load() }

// CloseWrite ends this direction; the other side reads io.EOF.
func (s *Stream) CloseWrite() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.err != nil || s.shut || s.peerErr != nil {
		defer s.mu.Unlock()
		return s.err
	}
	s.shut = true
	s.mu.Unlock()
	s.m.l.urge(frame{typ: typeShut, id: s.id})
	return nil
}

// Close ends both directions at once and drops what was not read. It does not
// wait for the host.
func (s *Stream) Close() error {
	s.drop(net.ErrClosed, 0)
	return nil
}

// drop ends the stream from this side and tells the other one, if it does not
// know. The first reason counts.
func (s *Stream) drop(reason error, code uint16) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = reason
	tell := s.peerErr == nil
	s.settle()
	s.in.drop()
	s.mu.Unlock()
	s.m.forget(s)
	if tell {
		s.m.l.urge(s.closeFrame(code))
	}
	s.m.l.wake()
}

// peerClosed takes the other side's Close.
func (s *Stream) peerClosed(code uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peerErr = io.EOF
	if code != 0 {
		s.peerErr = fmt.Errorf("%w: %w", ErrStreamClosed, parseFail(binary.BigEndian.AppendUint16(nil, code)))
	}
	s.settle()
}

// settle wakes everybody and stops the timers. The caller holds mu and has set
// err or peerErr.
func (s *Stream) settle() {
	s.over.Store(true)
	if s.hook != nil {
		s.hook()
		s.hook = nil
	}
	if s.opening {
		s.opening = false
		close(s.opened)
	}
	for _, t := range s.guards {
		t.Stop()
	}
	if s.err != nil {
		s.readLimit.stop()
		s.writeLimit.stop()
	}
	s.readable.Broadcast()
	s.writable.Broadcast()
}

// whenOver has f called once when either end has closed the stream. f must not
// wait and must not use the stream. A later f replaces an earlier one.
func (s *Stream) whenOver(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		f()
		return
	}
	s.hook = f
}

// Wire is a byte stream that can be told that its peer proved who it is. Stream is one.
type Wire interface {
	net.Conn
	Authenticated()
}

// Authenticated says that the peer at the far end has proved who it is: the
// receive window grows and the stream no longer counts as unauthenticated.
func (s *Stream) Authenticated() {
	s.mu.Lock()
	s.trusted = true
	give := s.widen()
	s.mu.Unlock()
	s.m.trust(s)
	if give > 0 {
		s.m.l.urge(s.windowFrame(give))
	}
}

// widen grows the receive window and returns what to tell the peer. The caller
// holds mu.
func (s *Stream) widen() (give int) {
	if s.window == WideWindow || s.over.Load() {
		return 0
	}
	give = WideWindow - s.window
	s.window = WideWindow
	s.allowed += give
	return give
}

// Listener returns the number of the host's listener that accepted the stream.
func (s *Stream) Listener() uint8 { return s.listener }

// LocalAddr returns an address that says nothing.
func (s *Stream) LocalAddr() net.Addr { return Addr("core") }

// RemoteAddr returns the dialled address or the host's hint.
func (s *Stream) RemoteAddr() net.Addr { return s.addr }

func (s *Stream) windowFrame(n int) frame {
	return frame{typ: typeWindow, id: s.id, head: binary.BigEndian.AppendUint32(nil, uint32(n))}
}

func (s *Stream) closeFrame(code uint16) frame {
	return frame{typ: typeClose, id: s.id, head: binary.BigEndian.AppendUint16(nil, code)}
}
