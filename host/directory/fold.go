package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cloister/host/api/factom"
	"cloister/host/archive"
	"cloister/wire"
)

// Bounds of one group of blocks, and of what is over and not closed.
const (
	groupBlocks = 64
	groupBytes  = 4 << 20 // of blocks
	batchBytes  = 4 << 20 // of a batch that is written in parts
	maxUnclosed = 8       // periods that are over, by which the fold may be ahead of closing
)

// askAgain spaces the questions to a ledger that does not know yet. While no block
// comes the pause is doubled, mostPatient times.
const (
	askAgain    = 250 * time.Millisecond
	mostPatient = 4
)

// folder is the goroutine that turns blocks into rows.
type folder struct {
	x    *Index
	pos  position
	next uint32 // the period to hand over to closing
	told uint64 // ledger block that watchers were told of

	askAgain time.Duration
}

func newFolder(x *Index, v *view) *folder {
	f := &folder{x: x, pos: v.position, next: v.Count, told: v.Height}
	f.drop(v.Count)
	return f
}

// undecided is why the fold cannot go on just now: the ledger does not say where a
// period ends, or closing is too far behind.
type undecided struct{ error }

func (u undecided) Unwrap() error { return u.error }

// run folds until ctx ends. Errors: ErrCorrupt; of the archive, the disk and ctx.
func (f *folder) run(ctx context.Context) error {
	quiet, idle := false, 0
	for {
		folded, err := f.step(ctx)
		var back *misplaced
		var later undecided
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &back):
			if err := f.takeBack(back.from); err != nil {
				return err
			}
			continue
		case errors.As(err, &later):
			if !quiet {
				f.x.log.Info("the data layer waits", "height", f.pos.Height, "err", err)
			}
			quiet = true
			if err := f.pause(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if quiet = false; folded {
			idle = 0
			continue
		}
		if err := f.await(ctx, f.askAgain<<min(idle, mostPatient)); err != nil {
			return err
		}
		idle++
	}
}

// pause waits until it is worth to ask again.
func (f *folder) pause(ctx context.Context) error {
	t := time.NewTimer(f.askAgain)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-f.x.closer.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for the next block; only for a while if a period is over, which may
// be closed without one.
func (f *folder) await(ctx context.Context, while time.Duration) error {
	if n := len(f.pos.Spans); n == 0 || f.pos.Spans[n-1].Period == f.next {
		return f.x.archive.Await(ctx, f.pos.Height+1)
	}
	wait, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	err := f.x.archive.Await(wait, f.pos.Height+1)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// step hands over what is closed and folds one group; folded is false if there
// is no block to fold.
func (f *folder) step(ctx context.Context) (folded bool, err error) {
	f.drop(f.x.now.Load().Count)
	// A ledger that does not answer is no reason yet not to take in blocks.
	silent := f.handOver(ctx)
	if later := (undecided{}); silent != nil && !errors.As(silent, &later) {
		return false, silent
	}
	top := f.x.archive.Height()
	if f.pos.Height >= top {
		return false, silent
	}
	g := &group{f: f, pos: f.pos, batch: f.x.store.Batch()}
	for size := 0; err == nil && g.pos.Height < top && len(g.told) < groupBlocks && size < groupBytes; {
		var b *archive.Block
		if b, err = f.x.archive.Block(g.pos.Height + 1); err == nil {
			size += len(b.Body) + len(b.Outcome)
			err = g.add(ctx, b)
		}
	}
	if len(g.told) == 0 {
		return false, errors.Join(err, g.batch.Close())
	}
	// What came before the error is folded, and the error comes again.
	return true, g.store()
}

// group is some consecutive blocks on their way into the index.
type group struct {
	f     *folder
	pos   position
	batch *pebble.Batch
	told  []factom.Ordered
}

func (g *group) add(ctx context.Context, b *archive.Block) error {
	h, err := wire.DecodeHeader(b.Header)
	if err != nil {
		return corrupt("block %d: %v", b.Height, err)
	}
	pos := g.pos
	if err := g.f.enter(ctx, &pos, b.Height, h.TimeMs); err != nil {
		return err
	}
	t := &taking{
		moment: moment{height: b.Height}, timeMs: h.TimeMs, period: pos.Spans[len(pos.Spans)-1].Period,
		rows: &rows{batch: g.batch},
	}
	if err := t.take(b); err != nil {
		return err
	}
	pos.Height, pos.Hash, pos.TimeMs = b.Height, b.Hash, h.TimeMs
	pos.Entries, pos.Txs = pos.Entries+t.entries, pos.Txs+t.txs
	g.pos, g.told = pos, append(g.told, t.ordered)
	return nil
}

// enter finds the period of the next block and begins it if it is a new one.
func (f *folder) enter(ctx context.Context, pos *position, height, timeMs uint64) error {
	c := f.x.calendar
	var now *span
	if n := len(pos.Spans); n > 0 {
		now = &pos.Spans[n-1]
		turns, err := c.turn(ctx, *now, height, timeMs)
		var back *misplaced
		switch {
		case errors.As(err, &back):
			return err
		case err != nil:
			return undecided{err}
		case !turns:
			return nil
		case n > maxUnclosed:
			return undecided{fmt.Errorf("%d periods are over and not closed", n)}
		}
	}
	// Views share the slice, so it is never changed.
	pos.Spans = append(slices.Clip(pos.Spans), c.next(now, height, timeMs))
	return nil
}

// store writes the group and shows it.
func (g *group) store() error {
	f := g.f
	f.pos = g.pos
	if err := f.write(g.batch); err != nil {
		return err
	}
	for i := range g.told {
		if height := f.pos.Height - uint64(len(g.told)-1-i); height > f.told {
			f.told = height
			f.x.show(g.told[i])
		}
	}
	return nil
}

// write applies a batch with the position it leads to, and shows it.
func (f *folder) write(batch *pebble.Batch) error {
	f.drop(f.x.now.Load().Count)
	if err := batch.Set([]byte{tablePosition}, wire.Marshal(f.pos), nil); err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := f.x.store.Apply(batch); err != nil {
		return err
	}
	f.x.publish(func(v *view) { v.position = f.pos })
	return nil
}

// drop forgets the spans of periods that are closed.
func (f *folder) drop(count uint32) {
	for len(f.pos.Spans) > 0 && f.pos.Spans[0].Period < count {
		f.pos.Spans = f.pos.Spans[1:]
	}
}

// handOver gives to closing every period that is over and closed in the ledger's
// state. Errors: *misplaced, undecided, ErrCorrupt.
func (f *folder) handOver(ctx context.Context) error {
	for i := 0; i+1 < len(f.pos.Spans); i++ {
		s, following := f.pos.Spans[i], f.pos.Spans[i+1]
		if s.Period < f.next {
			continue
		}
		d, err := f.x.calendar.ledger.Directory(ctx, s.Period)
		switch {
		case errors.Is(err, wire.ErrNotFound):
			return f.check(ctx)
		case err != nil:
			return undecided{err}
		case d.Height != s.Period || d.First != s.First || d.OpenedMs != s.OpenedMs || d.Last < d.First:
			return corrupt("period %d begins with block %d at %d, in the ledger's state it is period %d with blocks %d to %d at %d",
				s.Period, s.First, s.OpenedMs, d.Height, d.First, d.Last, d.OpenedMs)
		case d.Last+1 != following.First:
			return &misplaced{min(d.Last+1, following.First)}
		}
		if !f.x.closer.give(d) {
			return nil
		}
		f.next++
	}
	return nil
}

// check asks whether the periods that are over end where the fold has them end.
// Errors: *misplaced, undecided.
func (f *folder) check(ctx context.Context) error {
	p, asOf, err := f.x.calendar.ledger.Progress(ctx)
	if err != nil {
		return undecided{err}
	}
	return f.x.calendar.check(f.pos.Spans, f.pos.Height, p, asOf)
}

// takeBack removes the rows of the blocks from a height on: the newest first, so
// that the position is right whenever it is cut short.
func (f *folder) takeBack(from uint64) error {
	f.x.log.Info("blocks are folded again: the ledger ends a period elsewhere", "from", from, "to", f.pos.Height)
	for f.pos.Height >= from {
		batch := f.x.store.Batch()
		for f.pos.Height >= from && batch.Len() < batchBytes {
			if err := f.takeBackOne(batch); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
		if err := f.write(batch); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) takeBackOne(batch *pebble.Batch) error {
	height := f.pos.Height
	b, err := f.x.archive.Block(height)
	if err != nil {
		return err
	}
	before, err := f.x.archive.Header(height - 1)
	if err != nil {
		return err
	}
	h, err := wire.DecodeHeader(before.Header)
	if err != nil {
		return corrupt("block %d: %v", height-1, err)
	}
	s, ok := spanOf(f.pos.Spans, height)
	if !ok || s.Period < f.next {
		return corrupt("block %d is in a closed period and misplaced", height)
	}
	t := &taking{moment: moment{height: height}, timeMs: f.pos.TimeMs, period: s.Period, rows: &rows{batch: batch, back: true}}
	if err := t.take(b); err != nil {
		return fmt.Errorf("taking back: %w", err)
	}
	if s.First == height {
		n := len(f.pos.Spans) - 1
		f.pos.Spans = f.pos.Spans[:n:n]
	}
	f.pos.Height, f.pos.Hash, f.pos.TimeMs = height-1, before.Hash, h.TimeMs
	f.pos.Entries, f.pos.Txs = f.pos.Entries-t.entries, f.pos.Txs-t.txs
	return nil
}
