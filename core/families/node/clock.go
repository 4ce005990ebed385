package node

import (
	"cmp"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/node"
)

// The times of past blocks are not kept, only those of one block a minute. So
// the age of a block comes out at most a minute too high.
const (
	sampleMs = 60_000
	samples  = 90 // evidence that names an older block is refused, whatever a policy says
)

// sample remembers the time of a block if it is a minute since the last one
// that is remembered. The first stands for the genesis too: time begins with it.
func sample(st ledger.State, height, timeMs uint64) error {
	s, _, err := ledger.Load[[]node.Sample](st, node.ClockKey)
	switch {
	case err != nil:
		return err
	case len(s) == 0:
		return saveClock(st, []node.Sample{{Height: 0, TimeMs: timeMs}})
	case timeMs-s[len(s)-1].TimeMs < sampleMs:
		return nil
	}
	s = append(slices.Clone(s), node.Sample{Height: height, TimeMs: timeMs})
	return saveClock(st, s[max(0, len(s)-samples):])
}

func saveClock(st ledger.State, s []node.Sample) error {
	return st.Set(node.ClockKey, wire.Marshal(s))
}

// timeOf is the time of the block of a height, or up to a minute less. nowMs is
// the time of the block in hand.
func timeOf(st ledger.State, height, nowMs uint64) (timeMs uint64, err error) {
	s, _, err := ledger.Load[[]node.Sample](st, node.ClockKey)
	if err != nil || len(s) == 0 {
		return nowMs, err // the first block: nothing is older
	}
	i, found := slices.BinarySearchFunc(s, height, func(s node.Sample, height uint64) int {
		return cmp.Compare(s.Height, height)
	})
	if !found {
		i--
	}
	if i < 0 {
		return 0, wire.Faultf(wire.ErrEvidenceStale, "block %d is older than the oldest whose time is known, %d", height, s[0].Height)
	}
	return s[i].TimeMs, nil
}
