package gate

import (
	"context"
	"io"
	"net"
	"time"
)

// dial answers a Dial of the core. It does not wait.
func (h *Host) dial(s *Stream, addr string) {
	ctx, cancel := context.WithCancel(h.ctx)
	s.whenOver(cancel) // the core gave up
	h.tasks.Go(func() {
		defer cancel()
		conn, err := h.handler.Dial(ctx, addr)
		if err != nil {
			s.drop(net.ErrClosed, failCode(err))
			return
		}
		if !s.open() {
			conn.Close()
			s.Close()
			return
		}
		h.splice(s, conn)
	})
}

// open tells the core that its stream is connected; false if it gave up.
func (s *Stream) open() bool {
	s.mu.Lock()
	if s.over.Load() {
		s.mu.Unlock()
		return false
	}
	s.opening = false
	close(s.opened)
	s.mu.Unlock()
	s.m.l.urge(frame{typ: typeOpened, id: s.id})
	return true
}

// Accepted gives a connection that a listener of the host accepted to the core.
// The hint (cut to MaxAddr bytes) is for the core's logs. It owns conn, which is
// closed on error, and does not wait.
func (h *Host) Accepted(listener uint8, hint string, conn net.Conn) error {
	hint = hint[:min(len(hint), MaxAddr)]
	h.closing.Lock()
	defer h.closing.Unlock()
	if h.closed {
		conn.Close()
		return ErrGateClosed
	}
	s, err := h.streams.open(hint, func(s *Stream) frame {
		return frame{typ: typeAccepted, id: s.id, head: append([]byte{listener}, hint...)}
	})
	if err != nil {
		conn.Close()
		return err
	}
	h.tasks.Go(func() { h.splice(s, conn) })
	return nil
}

// splice copies bytes between a stream and a socket until both directions have
// ended, and closes both. It looks at nothing it copies.
func (h *Host) splice(s *Stream, conn net.Conn) {
	defer conn.Close()
	defer s.Close()
	s.whenOver(func() {
		// The core wants no more. What it sent before still leaves, if the
		// far end takes it.
		conn.SetReadDeadline(time.Unix(1, 0))
		conn.SetWriteDeadline(time.Now().Add(HandshakeTimeout))
	})
	out := make(chan struct{})
	h.tasks.Go(func() {
		defer close(out)
		if !copyBytes(conn, s) {
			s.Close()
			conn.Close()
		}
	})
	if !copyBytes(s, conn) && !s.over.Load() {
		s.Close()
		conn.Close()
	}
	<-out
}

type writeCloser interface {
	io.Writer
	CloseWrite() error
}

// copyBytes moves src to dst and passes the end on; false means that either
// side failed or cannot be closed in one direction.
func copyBytes(dst io.Writer, src io.Reader) bool {
	b := takeBuffer(MaxData)
	defer giveBuffer(b)
	for {
		n, err := src.Read(b)
		if n > 0 {
			if _, err := dst.Write(b[:n]); err != nil {
				return false
			}
		}
		if err == io.EOF {
			half, ok := dst.(writeCloser)
			return ok && half.CloseWrite() == nil
		}
		if err != nil {
			return false
		}
	}
}
