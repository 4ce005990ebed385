package directory

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"cloister/host/archive"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/record"
)

// TestAKeyThatIsNotTheLedgersEndsTheRoom: whatever the state says otherwise than
// the archived blocks, nothing is served any more.
func TestAKeyThatIsNotTheLedgersEndsTheRoom(t *testing.T) {
	for name, wrong := range map[string]func(d *record.Directory){
		"directory key": func(d *record.Directory) { d.KeyMR[0] ^= 1 },
		"full hash":     func(d *record.Directory) { d.FullHash[0] ^= 1 },
		"admin key":     func(d *record.Directory) { d.Admin[0] ^= 1 },
		"admin block":   func(d *record.Directory) { d.AdminBlock = append(d.AdminBlock, 0) },
		"credit key":    func(d *record.Directory) { d.Credit[0] ^= 1 },
		"factoid key":   func(d *record.Directory) { d.Factoid[0] ^= 1 },
		"coinbase":      func(d *record.Directory) { d.Coinbase = d.Coinbase[1:] },
		"rate":          func(d *record.Directory) { d.Rate++ },
		"opening":       func(d *record.Directory) { d.OpenedMs -= periodMs },
		"first block":   func(d *record.Directory) { d.First++ },
		"height":        func(d *record.Directory) { d.Height++ },
	} {
		w := newWorld(t)
		w.l.wrong = func(d *record.Directory) {
			if d.Height == 1 {
				wrong(d)
			}
		}
		w.run()
		w.add(100, w.c.CreateChain("a", nil))
		w.add(periodMs, w.c.AddEntry("a", []byte("x")))
		w.add(periodMs)
		err := <-w.ran
		if !errors.Is(err, ErrCorrupt) || w.x.Err() == nil {
			t.Errorf("%s: %v", name, err)
		}
		if v := w.x.now.Load(); v.Count != 1 {
			t.Errorf("%s: %d periods are served", name, v.Count)
		}
		for what, err := range map[string]error{
			"entry": second(w.x.Entry(hash("a", ""))), "block": second(w.x.Block(w.l.closed[0].KeyMR)), "directory": second(w.x.Directory(0)),
		} {
			if wire.CodeOf(err) != wire.ErrUnavailable {
				t.Errorf("%s: %s is served: %v", name, what, err)
			}
		}
		w.ran <- nil
	}
}

// TestAnIndexIsFilledAgain when it is gone, ahead of the archive, or of another one.
func TestAnIndexIsFilledAgain(t *testing.T) {
	fill := func(w *world, content string) {
		w.run()
		w.add(100, w.c.CreateChain("a", []byte(content)))
		for range 3 {
			w.add(periodMs, w.c.AddEntry("a", nil))
		}
		w.same()
		if err := w.halt(); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t)
	fill(w, "x")
	if err := w.fs.RemoveAll("data/directory"); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.same()
	w.halt()

	longer := newWorld(t) // of the same genesis, with other blocks
	fill(longer, "another")
	longer.run()
	longer.add(periodMs)
	longer.add(periodMs)
	longer.same()
	longer.halt()
	w.fs = longer.fs
	w.run()
	w.same()
	w.halt()

	other := newWorld(t)
	fill(other, "third")
	w.fs = other.fs
	w.run()
	w.same()
	if e, err := w.x.Entry(hash("a", "third")); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("an entry of another archive: %+v, %v", e, err)
	}
	if e, err := w.x.Entry(hash("a", "x")); err != nil || e.Chain != archivetest.EntryChain("a") {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestBytesAreHeldAgainstTheirHash: a row that leads elsewhere gives nothing away.
func TestBytesAreHeldAgainstTheirHash(t *testing.T) {
	w, txs := readable(t)
	commit, move := commitOf(txs["create"]), txid(txs["move"])
	for what, x := range map[string]struct {
		table byte
		hash  wire.Hash
		read  func() error
	}{
		"entry":       {tableEntry, hash("diary", "second"), func() error { return second(w.x.Entry(hash("diary", "second"))) }},
		"commit":      {tableCommit, commit.TXID(), func() error { return second(w.x.Commit(commit.TXID())) }},
		"commit of":   {tablePaid, hash("diary", "second"), func() error { return second(w.x.CommitOf(hash("diary", "second"))) }},
		"transaction": {tableFactoid, move, func() error { return second(w.x.Transaction(move)) }},
	} {
		if err := x.read(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		key := hashKey(x.table, x.hash)
		s, _, err := row(w.x.store, key, decodeSpot)
		if err != nil {
			t.Fatal(err)
		}
		for name, wrong := range map[string][]byte{
			"another place": (&spot{moment: s.moment, from: s.from - 1, n: s.n, timeMs: s.timeMs}).append(nil),
			"another block": (&spot{moment: moment{height: 3}, from: s.from, n: s.n, timeMs: s.timeMs}).append(nil),
			"no row":        {1},
		} {
			if err := w.x.store.DB.Set(key, wrong, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
			if err := x.read(); !errors.Is(err, ErrCorrupt) && !errors.Is(err, archive.ErrCorrupt) {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
	}
}
