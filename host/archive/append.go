package archive

import (
	"fmt"
	"time"

	"cloister/gate"
	"cloister/wire"
)

// Append checks the next final block, queues it and shows it to the watchers; it
// is visible and durable a little later (Sync and Settle wait for that). A block
// that is held already is accepted again without effect. Append waits while 64
// blocks are queued. It keeps no slice of f.
//
// Errors: ErrRefused, ErrGap, ErrFork (a *ForkError); ErrClosed; or the failed
// write that ended the archive.
func (a *Archive) Append(f *gate.Final) error {
	p, err := parts(f)
	if err != nil {
		return err
	}
	a.appending.Lock()
	defer a.appending.Unlock()
	if err := a.writable(); err != nil {
		return err
	}
	if f.Height <= a.tip.height {
		return a.held(f.Height, wire.HeaderHash(f.Header))
	}
	if f.Height != a.tip.height+1 {
		return fmt.Errorf("%w: height %d, the newest is %d", ErrGap, f.Height, a.tip.height)
	}
	b, err := a.tip.checked(p, a.execRoot)
	if err != nil {
		return err
	}
	select {
	case a.queue <- b:
	case <-a.failed:
		return a.Err()
	case <-a.stop:
		return ErrClosed
	}
	a.tip.advance(b)
	a.shown.Store(b.height)
	a.show(b)
	return nil
}

func (a *Archive) writable() error {
	select {
	case <-a.stop:
		return ErrClosed
	case <-a.failed:
		return a.Err()
	default:
		return nil
	}
}

// held compares a block offered again with the one that is held. The header
// commits to all of a block but its seal, of which any valid one will do.
func (a *Archive) held(height uint64, offered wire.Hash) error {
	held := a.tip.hash
	if height != a.tip.height {
		if err := a.settle(height); err != nil {
			return err
		}
		row, err := a.row(height)
		if err != nil {
			return err
		}
		held = row.hash
	}
	if held != offered {
		return &ForkError{height, held, offered}
	}
	return nil
}

// execRoot is what a header with this execution height must commit to.
func (a *Archive) execRoot(height uint64) (wire.Hash, error) {
	if height+recentExecs > a.tip.height {
		return a.tip.execs[height%recentExecs], nil
	}
	row, err := a.row(height)
	if err != nil {
		return wire.Hash{}, err
	}
	exec := row.exec(height)
	return exec.Root(), nil
}

// Sync waits until every block appended before the call is durable and visible.
func (a *Archive) Sync() error {
	a.appending.Lock()
	height := a.tip.height
	a.appending.Unlock()
	return a.settle(height)
}

// Settle waits until a block that was appended is visible, and hurries it.
// Errors: ErrClosed, the failed write that ended the archive.
func (a *Archive) Settle(height uint64) error {
	if a.Height() >= height {
		return nil
	}
	return a.settle(height)
}

// behind waits for blocks that watchers have been shown and readers cannot see
// yet. It reports whether there were any.
func (a *Archive) behind() bool {
	shown := a.shown.Load()
	return a.Height() < shown && a.settle(shown) == nil
}

// caughtUp reads, and when it misses something reads once more after the blocks
// that watchers were shown before: what they heard of is never missed.
func caughtUp[T any](a *Archive, read func() (T, error)) (T, error) {
	v, err := read()
	switch wire.CodeOf(err) {
	case wire.ErrNotFound, wire.ErrNotCovered, wire.ErrUnknownChain:
		if a.behind() {
			return read()
		}
	}
	return v, err
}

// settle waits until height, which was appended, is visible.
func (a *Archive) settle(height uint64) error {
	for a.Height() < height {
		done := make(chan struct{})
		select {
		case a.flush <- done:
			<-done
		case <-a.ended:
			if err := a.Err(); err != nil {
				return err
			}
			if a.Height() < height {
				return ErrClosed
			}
		}
	}
	return a.Err()
}

// own is the archive's one goroutine. It ends after the first failed write, or
// when the archive is closed and the queue is empty.
func (a *Archive) own() {
	defer close(a.ended)
	defer a.endWatchers()
	var began time.Time
	for {
		var group []*block
		select {
		case <-a.failed: // the index could not be written in the background
			return
		case b := <-a.queue:
			group = append(group, b)
		case done := <-a.flush:
			close(done) // nothing is queued, or the next round takes it
			continue
		case <-a.stop:
			group = a.gather(nil)
			if len(group) == 0 {
				return
			}
		}
		asked := a.rest(began)
		began = time.Now()
		if err := a.store(a.gather(group)); err != nil {
			a.fail(err)
			release(asked)
			return
		}
		release(asked)
	}
}

// rest waits until the interval since the last group is over, or somebody
// asks for a sync, or the archive closes.
func (a *Archive) rest(began time.Time) (asked chan struct{}) {
	left := a.interval - time.Since(began)
	if left <= 0 || len(a.queue) == cap(a.queue) {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case asked = <-a.flush:
	case <-timer.C:
	case <-a.stop:
	}
	return asked
}

func release(asked chan struct{}) {
	if asked != nil {
		close(asked)
	}
}

// gather adds what is queued to a group, within its bounds.
func (a *Archive) gather(group []*block) []*block {
	size := 0
	for _, b := range group {
		size += len(b.encoded)
	}
	for len(group) < groupBlocks && size < groupBytes {
		select {
		case b := <-a.queue:
			group, size = append(group, b), size+len(b.encoded)
		default:
			return group
		}
	}
	return group
}

// store makes a group durable, then indexed, then visible.
func (a *Archive) store(group []*block) error {
	if err := a.blocks.write(group); err != nil {
		return err
	}
	if err := a.index.add(group, a.blocks.end); err != nil {
		return err
	}
	a.publish(group)
	return nil
}

// publish shows a stored group to readers.
func (a *Archive) publish(group []*block) {
	for _, b := range group {
		if b.row.seal > 0 {
			a.sealed.Store(b.height)
		}
	}
	a.height.Store(group[len(group)-1].height)
	a.grow()
}
