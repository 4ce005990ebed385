package archive

import (
	"context"
	"iter"

	"cloister/wire"
)

// Appended is one new block as watchers see it.
type Appended struct {
	Height  uint64
	Sealed  bool // has a seal of its own, which also covers every earlier block
	TimeMs  uint64
	Results []wire.Result // one per transaction, in order; carries the id
}

type watcher struct{ f func(Appended) }

// Watch calls f for every block from then on, in height order and one call at
// a time, as soon as the block was checked. It is durable a little later: what a
// user is told rests on the block's seal, behind which a majority of cores
// stands, and not on this host's disk. Whoever reads a block, or misses what is
// in one, that f was shown waits until it is durable.
//
// f must return quickly and must call neither stop nor a method of the archive.
// A block is shown to f, or was visible before Watch returned, or both. stop
// ends the calls and returns when none is running.
func (a *Archive) Watch(f func(Appended)) (stop func()) {
	w := &watcher{f}
	a.watching.Lock()
	a.watchers[w] = struct{}{}
	a.watching.Unlock()
	_ = a.Sync() // what was shown to others only becomes visible; a failure ends the archive anyway
	return func() {
		a.watching.Lock()
		defer a.watching.Unlock()
		delete(a.watchers, w)
	}
}

// show gives a block to the watchers. It holds the lock while f runs, so that
// stop waits for it.
func (a *Archive) show(b *block) {
	a.watching.Lock()
	defer a.watching.Unlock()
	for w := range a.watchers {
		w.f(b.shown)
	}
}

// grow wakes everyone who waits for height.
func (a *Archive) grow() {
	a.watching.Lock()
	defer a.watching.Unlock()
	close(a.grown)
	a.grown = make(chan struct{})
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
			if err := a.Await(ctx, next); err != nil {
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

// Await waits until a height is durable and visible, whether it was appended yet
// or not. Errors: that of ctx; ErrClosed, also after a failed write.
func (a *Archive) Await(ctx context.Context, height uint64) error {
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
