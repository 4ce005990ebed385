package supervise

import (
	"errors"
	"net"
	"time"
)

// acceptPause keeps a host without free file descriptors from spinning.
const acceptPause = 50 * time.Millisecond

// accept gives connections from peers to the core that is ready, until the
// listener is closed. Who they are is for the cores to find out; how many there
// may be is bounded by the gate.
func (s *Supervisor) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.cfg.Log.Warn("peer.accept", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		g, absent := s.current()
		if absent != nil {
			conn.Close() // the peer dials again
			continue
		}
		if err := g.Accepted(0, conn.RemoteAddr().String(), conn); err != nil {
			s.cfg.Log.Debug("peer.refused", "from", conn.RemoteAddr().String(), "error", err)
		}
	}
}
