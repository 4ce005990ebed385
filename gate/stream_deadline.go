package gate

import (
	"sync/atomic"
	"time"
)

// timeLimit is one direction's deadline; Stream.mu guards all but expired.
type timeLimit struct {
	timer   *time.Timer
	expired atomic.Bool
}

// SetDeadline sets both deadlines.
func (s *Stream) SetDeadline(t time.Time) error {
	s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the
// zero time removes it.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.setLimit(&s.readLimit, t) }

// SetWriteDeadline does the same for writes, also for those that wait for the
// window or for a host that does not read.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.setLimit(&s.writeLimit, t) }

func (s *Stream) setLimit(d *timeLimit, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	d.stop()
	d.expired.Store(false)
	if t.IsZero() {
		return nil
	}
	if left := time.Until(t); left > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(left, func() {
			s.mu.Lock()
			current := d.timer == timer
			if current {
				s.expire(d)
			}
			s.mu.Unlock()
			if current {
				s.m.l.wake()
			}
		})
		d.timer = timer
		return nil
	}
	s.expire(d)
	go s.m.l.wake() // the lane's lock is never taken under a stream's
	return nil
}

func (s *Stream) expire(d *timeLimit) {
	d.expired.Store(true)
	s.readable.Broadcast()
	s.writable.Broadcast()
}

func (d *timeLimit) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
