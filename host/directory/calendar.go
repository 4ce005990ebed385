package directory

import (
	"context"
	"errors"

	"cloister/wire"
	"cloister/wire/record"
)

// span is a period as the fold knows it: where it begins. It ends where the next
// one does.
type span struct {
	_        struct{} `cbor:",toarray"`
	Period   uint32
	OpenedMs uint64 // Unix milliseconds
	First    uint64 // ledger block
}

// calendar says which period a ledger block is in, by the rule of the ledger: a
// period ends with the first block of a later time, unless the one before it is
// still being closed then. When closing is done only the state tells, which
// reaches this host after the blocks do.
type calendar struct {
	periodMs uint64
	ledger   Ledger
}

// misplaced is the error that a ledger block was taken for another period than
// the ledger's: what is folded from height on has to be folded again.
type misplaced struct{ from uint64 }

func (*misplaced) Error() string {
	return "directory: blocks are in another period than they were taken for"
}

// turn decides whether the block at height begins the period after now, given that the
// block before is in it. Errors: *misplaced, it is not; those of Ledger.
func (c *calendar) turn(ctx context.Context, now span, height, timeMs uint64) (bool, error) {
	if record.Period(timeMs, c.periodMs) <= now.OpenedMs {
		return false, nil
	}
	for range 3 {
		d, err := c.ledger.Directory(ctx, now.Period)
		if err == nil {
			return begins(d.Last+1, height)
		}
		if !errors.Is(err, wire.ErrNotFound) {
			return false, err
		}
		p, asOf, err := c.ledger.Progress(ctx)
		switch {
		case err != nil:
			return false, err
		case p.Height > now.Period && p.Height-now.Period > 1:
			continue // it was closed since Directory was asked
		case p.Height > now.Period:
			return begins(p.First, height)
		case p.Height == now.Period && asOf >= height:
			return false, nil
		case p.Height == now.Period && p.Closed < now.Period:
			// The one before was not closed. If that is old, it may be by now: then
			// check finds it out.
			return false, nil
		}
		// The one before is closed, so this is a turn. Or the answer is too old to
		// tell: that closing takes a whole period is the exception.
		return true, nil
	}
	return false, wire.Faultf(wire.ErrNotReady, "the state is past period %d and does not have it", now.Period)
}

// check holds the periods that were told without knowing against the state after
// block asOf. top is the newest block in them. Errors: *misplaced.
func (c *calendar) check(spans []span, top uint64, p *record.Progress, asOf uint64) error {
	if p.First == 0 { // before the first block
		return nil
	}
	for _, s := range spans {
		switch {
		case s.Period == p.Height && s.First != p.First:
			return &misplaced{min(s.First, p.First)}
		case s.Period > p.Height && s.First <= asOf:
			return &misplaced{s.First}
		}
	}
	if n := len(spans); n > 0 && spans[n-1].Period < p.Height && p.First <= top {
		return &misplaced{p.First} // or further below, which comes out then
	}
	return nil
}

// begins compares the height at hand with the one a period begins at, when all
// blocks below are taken for the period before.
func begins(first, height uint64) (bool, error) {
	if first < height {
		return false, &misplaced{first}
	}
	return first == height, nil
}

// next is the period that a block begins.
func (c *calendar) next(now *span, height, timeMs uint64) span {
	s := span{OpenedMs: record.Period(timeMs, c.periodMs), First: height}
	if now != nil {
		s.Period = now.Period + 1
	}
	return s
}

// spanOf finds the period of a ledger block.
func spanOf(spans []span, height uint64) (s span, ok bool) {
	for i := len(spans) - 1; i >= 0; i-- {
		if spans[i].First <= height {
			return spans[i], true
		}
	}
	return s, false
}
