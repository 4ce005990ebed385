package directory

import (
	"context"
	"errors"
	"testing"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/record"
)

// known is a ledger that says the same all the time.
type known struct {
	progress record.Progress
	asOf     uint64
	last     map[uint32]uint64 // of closed periods
}

func (k *known) Progress(context.Context) (*record.Progress, uint64, error) {
	return &k.progress, k.asOf, nil
}

func (k *known) Directory(_ context.Context, height uint32) (*record.Directory, error) {
	if last, ok := k.last[height]; ok {
		return &record.Directory{Height: height, Last: last}, nil
	}
	return nil, notFound("not closed")
}

// TestAPeriodEndsAsTheLedgerSays, or as the rule says where the state is too old to tell. The
// period in hand is 4, which began with block 20; the block at hand is 25.
func TestAPeriodEndsAsTheLedgerSays(t *testing.T) {
	now := span{Period: 4, OpenedMs: 40_000, First: 20}
	for name, x := range map[string]struct {
		timeMs uint64
		known  known
		turns  bool
		back   uint64
		code   wire.Code
	}{
		"the time of the period":              {timeMs: 49_999, known: known{last: map[uint32]uint64{4: 24}}},
		"closed, ends before the block":       {timeMs: 50_000, known: known{last: map[uint32]uint64{4: 24}}, turns: true},
		"closed, goes on":                     {timeMs: 50_000, known: known{last: map[uint32]uint64{4: 25}}},
		"closed, ended earlier":               {timeMs: 50_000, known: known{last: map[uint32]uint64{4: 22}}, back: 23},
		"the next one began with it":          {timeMs: 50_000, known: known{progress: record.Progress{Height: 5, First: 25, Closed: 4}, asOf: 26}, turns: true},
		"the next one began earlier":          {timeMs: 50_000, known: known{progress: record.Progress{Height: 5, First: 24, Closed: 4}, asOf: 26}, back: 24},
		"the next one began later":            {timeMs: 50_000, known: known{progress: record.Progress{Height: 5, First: 27, Closed: 4}, asOf: 27}},
		"after the block it is in progress":   {timeMs: 50_000, known: known{progress: record.Progress{Height: 4, First: 20, Closed: 4}, asOf: 25}},
		"the one before was closed in time":   {timeMs: 50_000, known: known{progress: record.Progress{Height: 4, First: 20, Closed: 4}, asOf: 24}, turns: true},
		"the one before was not closed":       {timeMs: 50_000, known: known{progress: record.Progress{Height: 4, First: 20, Closed: 3}, asOf: 24}},
		"the state is older than the period":  {timeMs: 50_000, known: known{progress: record.Progress{Height: 3, First: 15, Closed: 3}, asOf: 18}, turns: true},
		"far ahead, and yet it is not closed": {timeMs: 50_000, known: known{progress: record.Progress{Height: 9, First: 90}, asOf: 91}, code: wire.ErrNotReady},
		"the very first, before any state":    {timeMs: 50_000, known: known{}, turns: true},
	} {
		c := &calendar{periodMs: 10_000, ledger: &x.known}
		turns, err := c.turn(context.Background(), now, 25, x.timeMs)
		var back *misplaced
		if errors.As(err, &back) {
			if back.from != x.back {
				t.Errorf("%s: misplaced from %d, want %d", name, back.from, x.back)
			}
			continue
		}
		if turns != x.turns || x.back != 0 || wire.CodeOf(err) != x.code {
			t.Errorf("%s: %t, %v", name, turns, err)
		}
	}
}

func TestWhatWasGuessedIsChecked(t *testing.T) {
	spans := []span{{Period: 3, First: 10}, {Period: 4, First: 20}, {Period: 5, First: 30}}
	for name, x := range map[string]struct {
		progress record.Progress
		asOf     uint64
		back     uint64
	}{
		"before the first block":     {record.Progress{}, 0, 0},
		"as it is":                   {record.Progress{Height: 5, First: 30}, 31, 0},
		"older":                      {record.Progress{Height: 4, First: 20}, 29, 0},
		"began earlier":              {record.Progress{Height: 4, First: 18}, 29, 18},
		"began later":                {record.Progress{Height: 4, First: 22}, 29, 20},
		"has not begun":              {record.Progress{Height: 4, First: 20}, 30, 30},
		"over since long":            {record.Progress{Height: 6, First: 33}, 34, 33},
		"over, with a block to come": {record.Progress{Height: 6, First: 36}, 37, 0},
	} {
		err := new(calendar).check(spans, 35, &x.progress, x.asOf)
		var back *misplaced
		if errors.As(err, &back) && back.from != x.back || err == nil && x.back != 0 {
			t.Errorf("%s: %+v, want blocks from %d on", name, err, x.back)
		}
	}
}

// TestTheFoldWaitsForALedgerThatIsBehind: nobody knows where so many periods end.
func TestTheFoldWaitsForALedgerThatIsBehind(t *testing.T) {
	w := newWorld(t)
	w.l.lag = 1000
	for range 3 * maxUnclosed {
		w.add(periodMs, w.c.AddEntry("a", nil))
	}
	w.run()
	full := func(v *view) bool { return len(v.Spans) == maxUnclosed+1 }
	w.until("full", full)
	for range 20 {
		if v := w.x.now.Load(); !full(v) || v.Height != maxUnclosed+1 || v.Count != 0 {
			t.Fatalf("%+v", v)
		}
	}
	if _, pending, err := w.x.ChainHead(archivetest.EntryChain("a")); err != nil || !pending {
		t.Errorf("what is folded is not served: %v", err)
	}
	w.l.mu.Lock()
	w.l.lag = 0
	w.l.mu.Unlock()
	w.same()
	if v := w.caughtUp(); v.Count != 3*maxUnclosed-1 {
		t.Errorf("%d periods are closed", v.Count)
	}
}
