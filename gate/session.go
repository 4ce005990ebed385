package gate

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// session is what the three lanes of one end share: they die together.
type session struct {
	at    end
	lanes [laneCount]*lane

	mu      sync.Mutex
	done    chan struct{} // closed when the session has ended
	err     error         // why; written before done is closed
	readers sync.WaitGroup
}

// newSession takes over three connections that have been greeted.
func newSession(at end, conns [laneCount]net.Conn, frame int) *session {
	s := &session{at: at, done: make(chan struct{})}
	for i, c := range conns {
		s.lanes[i] = newLane(s, Lane(i), c, frame)
	}
	return s
}

// run starts the reader of every lane.
func (s *session) run() {
	for _, l := range s.lanes {
		s.readers.Go(l.readAll)
	}
}

// fail ends the session; only the first reason counts. A core that ends because
// of the host's bytes says so in a last event.
func (s *session) fail(err error) {
	s.mu.Lock()
	if s.ended() {
		s.mu.Unlock()
		return
	}
	s.err = err
	close(s.done)
	s.mu.Unlock()

	s.lanes[Storage].kill()
	s.lanes[Streaming].kill()
	if broken := (*ProtocolError)(nil); s.at == coreEnd && errors.As(err, &broken) {
		s.lanes[Control].lastWords(broken.event().frame())
	}
	s.lanes[Control].kill()
}

// close ends the session on purpose: what is pending leaves first, for at most
// closeLinger. It returns when no reader runs any more.
func (s *session) close() {
	deadline := time.Now().Add(closeLinger)
	var flushed sync.WaitGroup
	for _, l := range s.lanes {
		flushed.Go(func() { l.flush(deadline) })
	}
	flushed.Wait()
	if s.at == coreEnd {
		s.partFromHost(deadline)
	}
	s.fail(ErrGateClosed)
	s.readers.Wait()
}

// partFromHost ends the core's direction of the control lane and waits until
// the host has closed its own. Were all lanes closed at once, the host could
// see the end of another one before it has read the last frames of this one.
func (s *session) partFromHost(deadline time.Time) {
	half, ok := s.lanes[Control].conn.(interface{ CloseWrite() error })
	if !ok || s.ended() || half.CloseWrite() != nil {
		return
	}
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case <-s.done:
	case <-late.C:
	}
}

// broken ends the session because of err, found by the reader of a lane.
func (s *session) broken(l *lane, err error) {
	if !errors.Is(err, ErrProtocol) {
		err = fmt.Errorf("%w: %s lane: %v", ErrGateClosed, l.kind, err)
	}
	s.fail(err)
}

func (s *session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// reason is the error of everything asked for after the end.
func (s *session) reason() error {
	if errors.Is(s.err, ErrProtocol) {
		return fmt.Errorf("%w: %w", ErrGateClosed, s.err)
	}
	return s.err
}
