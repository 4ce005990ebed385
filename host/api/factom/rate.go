package factom

import (
	"sync"
	"time"
)

// rate measures how many messages are ordered per second.
type rate struct {
	mu     sync.Mutex
	began  time.Time
	total  uint64
	recent []burst // of the last rateWindow, oldest first
}

// burst is what one block ordered.
type burst struct {
	at time.Time
	n  uint64
}

func newRate(now time.Time) *rate { return &rate{began: now} }

func (r *rate) add(now time.Time, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += uint64(n)
	r.forget(now)
	r.recent = append(r.recent, burst{now, uint64(n)})
}

func (r *rate) forget(now time.Time) {
	for len(r.recent) > 0 && now.Sub(r.recent[0].at) > rateWindow {
		r.recent = r.recent[1:]
	}
}

// perSecond is the rate since the start and that of the last moments.
func (r *rate) perSecond(now time.Time) (total, instant float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	var n uint64
	for _, b := range r.recent {
		n += b.n
	}
	if since := now.Sub(r.began).Seconds(); since > 0 {
		total = float64(r.total) / since
	}
	return total, float64(n) / rateWindow.Seconds()
}
