package gate

import (
	"sync"
	"time"
)

// shelf counts the blocks that were published and not yet archived.
type shelf struct {
	mu    sync.Mutex
	tip   uint64 // newest height published
	any   bool   // tip is set
	sizes []int  // encoded bytes of the newest blocks, the last one at tip
	bytes int
}

// add takes the next block, or says why not.
func (s *shelf) add(height uint64, size int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.any && height != s.tip+1 {
		return ErrBadRequest
	}
	if len(s.sizes) >= MaxUnarchived || len(s.sizes) > 0 && s.bytes+size > MaxUnarchivedSz {
		return ErrBusy
	}
	s.tip, s.any = height, true
	s.sizes = append(s.sizes, size)
	s.bytes += size
	return nil
}

// archived drops everything up to height. It reports the newest height
// published and whether height is not above it.
func (s *shelf) archived(height uint64) (tip uint64, published bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.any || height > s.tip {
		return s.tip, false
	}
	for keep := s.tip - height; uint64(len(s.sizes)) > keep; {
		s.bytes -= s.sizes[0]
		s.sizes = s.sizes[1:]
	}
	return s.tip, true
}

// undo forgets everything above height.
func (s *shelf) undo(height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.any && s.tip > height && len(s.sizes) > 0 {
		last := len(s.sizes) - 1
		s.bytes -= s.sizes[last]
		s.sizes = s.sizes[:last]
		s.tip--
	}
	s.tip, s.any = height, true
}

func (s *shelf) size() (blocks, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sizes), s.bytes
}

// rate allows MaxEvents a second and counts the rest.
type rate struct {
	now func() time.Time

	mu      sync.Mutex
	second  time.Time // start of the present second
	sent    int
	dropped uint64
}

// take reports whether one more may be sent, and how many were dropped before,
// which the caller now reports.
func (r *rate) take() (allowed bool, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.second) >= time.Second {
		r.second, r.sent = now, 0
	}
	if r.sent >= MaxEvents {
		r.dropped++
		return false, 0
	}
	r.sent++
	dropped, r.dropped = r.dropped, 0
	return true, dropped
}

func (r *rate) lose(n uint64) {
	r.mu.Lock()
	r.dropped += n
	r.mu.Unlock()
}
