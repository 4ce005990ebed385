package client

import (
	"context"
	"sync"
	"time"
)

// MaxAhead is how far the times of Stamps run ahead of the clock in a burst. The
// ledger takes what is within twelve hours; the rest is for clocks that are wrong.
const MaxAhead = 10 * time.Minute

// Stamps hands out times for messages that carry their own signature, Unix
// milliseconds. The ledger takes one commit per key and millisecond and knows it
// again by that, so whoever signs many needs a time of its own for each. The zero
// value is ready; safe for concurrent use. Two Stamps for one key at the same time
// can hand out the same: the message that comes second is refused as replayed.
type Stamps struct {
	mu   sync.Mutex
	last uint64
	now  func() time.Time // nil: the clock
}

// Next is the clock's time, or one more than the last time handed out if that is
// later. More than a thousand a second run ahead of the clock; at MaxAhead Next
// waits for it. The error is that of ctx.
func (s *Stamps) Next(ctx context.Context) (uint64, error) {
	at, ahead := s.take()
	if ahead <= MaxAhead {
		return at, nil
	}
	return at, sleep(ctx, ahead-MaxAhead)
}

// After lets no time be handed out from now on that is not later than one, which
// another process may have come to in a burst; but not more than MaxAhead of the clock.
func (s *Stamps) After(timeMs uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, min(timeMs, s.clock()+uint64(MaxAhead.Milliseconds())))
}

// Last is the newest time that was handed out, or that After gave; 0 for none.
func (s *Stamps) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *Stamps) take() (at uint64, ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clock := s.clock()
	s.last = max(clock, s.last+1)
	return s.last, time.Duration(s.last-clock) * time.Millisecond
}

func (s *Stamps) clock() uint64 {
	if s.now != nil {
		return uint64(s.now().UnixMilli())
	}
	return uint64(time.Now().UnixMilli())
}
