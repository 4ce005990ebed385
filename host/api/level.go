package api

import (
	"context"
	"sync"
)

// level is a height that only rises, and a way to wait until it does.
type level struct {
	mu     sync.Mutex
	height uint64
	risen  chan struct{} // closed at the next rise; nil while nobody waits
}

// raise sets the height if it is higher than before.
func (l *level) raise(height uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if height <= l.height {
		return
	}
	l.height = height
	if l.risen != nil {
		close(l.risen)
		l.risen = nil
	}
}

// now is the height reached.
func (l *level) now() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.height
}

// reach waits until the height is at least the given one. Errors: ctx's.
func (l *level) reach(ctx context.Context, height uint64) error {
	for {
		l.mu.Lock()
		if l.height >= height {
			l.mu.Unlock()
			return nil
		}
		if l.risen == nil {
			l.risen = make(chan struct{})
		}
		risen := l.risen
		l.mu.Unlock()
		select {
		case <-risen:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
