package factom

import (
	"testing"

	"cloister/wire"
)

func TestTheOldestFateMakesPlace(t *testing.T) {
	f := newFates(3)
	for i := range 10 {
		f.add(&message{kind: entryCommit, id: wire.Hash{byte(i)}, entry: wire.Hash{100, byte(i)}}, 0)
	}
	for i := range 10 {
		_, byID := f.find(byTXID, wire.Hash{byte(i)})
		_, paid := f.find(byPaidFor, wire.Hash{100, byte(i)})
		if byID != (i >= 7) || paid != byID {
			t.Errorf("number %d: %t, %t", i, byID, paid)
		}
	}
	if len(f.known) != 6 || len(f.queue)-f.first != 3 || len(f.queue) > 6 {
		t.Errorf("%d keys, queue of %d from %d", len(f.known), len(f.queue), f.first)
	}
}

func TestAFateEndsOnlyItsOwnKeys(t *testing.T) {
	f := newFates(10)
	entry := wire.Hash{9}
	f.add(&message{kind: entryCommit, id: wire.Hash{1}, entry: entry}, 0)
	f.add(&message{kind: entryCommit, id: wire.Hash{2}, entry: entry}, 0) // pays more
	f.ordered(&Ordered{TXIDs: []wire.Hash{{1}}})
	if x, ok := f.find(byPaidFor, entry); !ok || x.id != (wire.Hash{2}) {
		t.Errorf("the newer commit is %v, %t", x, ok)
	}
	if _, ok := f.find(byTXID, wire.Hash{1}); ok {
		t.Error("an ordered commit is still on its way")
	}
}

func TestOrderedEntriesAndCommitsOfOneHashAreApart(t *testing.T) {
	f := newFates(10)
	h := wire.Hash{1}
	f.add(&message{kind: reveal, id: h, entry: h}, 0)
	f.add(&message{kind: factoids, id: h}, 0)
	f.ordered(&Ordered{Entries: []wire.Hash{h}})
	if _, ok := f.find(byEntry, h); ok {
		t.Error("the entry is still on its way")
	}
	if _, ok := f.find(byTXID, h); !ok {
		t.Error("the transaction is gone with it")
	}
}
