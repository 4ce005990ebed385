package core

import (
	"testing"

	"cloister/wire"
)

// TestAPoolBeginsEmptyAgain: a node that stops ordering forgets what waited. Were
// anything left in the queue, the same transaction could come into it twice, and
// twice into one block.
func TestAPoolBeginsEmptyAgain(t *testing.T) {
	var p pool
	p.init(wire.DefaultLimits)
	w := func() *waiting { return &waiting{raw: make([]byte, 100), id: wire.Hash{1}, notAfterMs: 1000} }
	p.add(w())
	p.init(wire.DefaultLimits)
	if p.fresh != 0 || p.bytes != 0 {
		t.Errorf("%d transactions of %d bytes are left", p.fresh, p.bytes)
	}
	p.add(w())
	if got := p.take(500); len(got) != 1 {
		t.Errorf("a transaction that was added twice was taken %d times", len(got))
	}
}
