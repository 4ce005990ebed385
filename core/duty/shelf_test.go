package duty

import (
	"slices"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
)

func entry(n int) (wire.Hash, []byte) {
	e := factom.Entry{ChainID: wire.Hash{1}, Content: wire.U64(uint64(n))}
	b, err := e.Marshal()
	if err != nil {
		panic(err)
	}
	return factom.EntryHash(b), b
}

func TestAShelfAsksOncePerWhileAndForgetsWhatIsNotNeeded(t *testing.T) {
	var s Shelf
	a, rawA := entry(1)
	b, _ := entry(2)
	for _, c := range []struct {
		needs, want []wire.Hash
		elapsed     int64
	}{
		{[]wire.Hash{a, b, a}, []wire.Hash{a, b}, 10},
		{[]wire.Hash{a, b}, nil, 10 + askMs - 1},
		{[]wire.Hash{b}, []wire.Hash{b}, 10 + askMs},
		{[]wire.Hash{a, b}, []wire.Hash{a}, 11 + askMs}, // it was not needed in between
	} {
		if got := s.Ask(c.needs, c.elapsed); !slices.Equal(got, c.want) {
			t.Errorf("at %d: %d asked for, want %d", c.elapsed, len(got), len(c.want))
		}
	}
	if !s.Put(a, rawA) {
		t.Fatal("an entry is refused")
	}
	if got := s.Ask([]wire.Hash{a, b}, 1<<40); !slices.Equal(got, []wire.Hash{b}) {
		t.Errorf("asked for %v", got)
	}
}

func TestAShelfTakesOnlyEntriesAndNotTooMany(t *testing.T) {
	var s Shelf
	h, raw := entry(0)
	if other, _ := entry(1); s.Put(other, raw) {
		t.Error("another entry is taken for it")
	}
	long := make([]byte, factom.MaxEntry+1)
	if s.Put(factom.EntryHash(long), long) {
		t.Error("more bytes than an entry has are taken")
	}
	s.Put(h, raw)
	before := s.Reader()
	for n := range shelfSize {
		h, raw := entry(n + 1)
		if !s.Put(h, raw) || !s.Put(h, raw) {
			t.Fatal("an entry is refused")
		}
	}
	if len(s.entries) != shelfSize || len(s.order) != shelfSize {
		t.Errorf("%d entries, %d in order", len(s.entries), len(s.order))
	}
	if _, ok := s.Reader()(h); ok {
		t.Error("the oldest is kept")
	}
	if b, ok := before(h); !ok || string(b) != string(raw) {
		t.Error("a reader sees what became of the shelf later")
	}
}

func TestAPursePaysAllOrNothing(t *testing.T) {
	p := new(purse)
	p.Credits, p.Factoshis = 10, 100
	for _, c := range []struct {
		credits, gas uint64
		ok           bool
	}{{11, 0, false}, {1, 101, false}, {4, 60, true}, {4, 60, false}, {7, 0, false}, {6, 40, true}, {0, 0, true}, {1, 0, false}} {
		if got := p.pay(c.credits, c.gas); got != c.ok {
			t.Errorf("pay(%d, %d) is %t with %d and %d left", c.credits, c.gas, got, p.Credits, p.Factoshis)
		}
	}
}
