package archive

import (
	"context"
	"iter"

	"cloister/wire"
)

// Appended is one newly stored block as watchers see it.
type Appended struct {
	Height  uint64
	Sealed  bool // has a seal of its own, which also covers every earlier block
	TimeMs  uint64
	Results []wire.Result // one per transaction, in order; carries the id
}

type watcher struct{ f func(Appended) }

// Watch calls f for every block from then on, in height order and one call at
// a time, after the block is visible to every method. f must return quickly
// and must not call stop, or a method that waits for the archive. A block is
// shown to f, or was visible before Watch returned, or both. stop ends the
// calls and returns when none is running.
func (a *Archive) Watch(f func(Appended)) (stop func()) {
	w := &watcher{f}
	a.watching.Lock()
	defer a.watching.Unlock()
	a.watchers[w] = struct{}{}
	return func() {
		a.watching.Lock()
		defer a.watching.Unlock()
		delete(a.watchers, w)
	}
}

// tell shows a group to the watchers. It holds the lock while f runs, so that
// stop waits for it and Watch either finds the group visible or is told of it.
func (a *Archive) tell(group []*block) {
	a.watching.Lock()
	defer a.watching.Unlock()
	close(a.grown)
	a.grown = make(chan struct{})
	for _, b := range group {
		for w := range a.watchers {
			w.f(b.shown)
		}
	}
}

// endWatchers wakes everyone who waits for a block that will not come.
func (a *Archive) endWatchers() {
	a.watching.Lock()
	defer a.watching.Unlock()
	close(a.grown)
	a.grown = nil
}

// Follow gives every block from height from on, the present ones and then the
// coming ones, until ctx ends or the consumer stops. It reads from disk at the
// consumer's pace, so a slow consumer costs one block of memory and holds up
// nobody. An error is given once and ends it: that of ctx, of reading, or
// ErrClosed.
func (a *Archive) Follow(ctx context.Context, from uint64) iter.Seq2[*Block, error] {
	return func(yield func(*Block, error) bool) {
		for next := from; ; next++ {
			if err := a.reach(ctx, next); err != nil {
				yield(nil, err)
				return
			}
			b, err := a.Block(next)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// reach waits until height is visible.
func (a *Archive) reach(ctx context.Context, height uint64) error {
	for {
		a.watching.Lock()
		grown := a.grown
		a.watching.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case a.Height() >= height:
			return nil
		case grown == nil:
			return ErrClosed
		}
		select {
		case <-grown:
		case <-ctx.Done():
		}
	}
}
