package directory

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/host/api/factom"
	"cloister/host/archive"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/record"
)

// world is an archive that is filled, the ledger it is of, and an index over both.
type world struct {
	t testing.TB
	c *archivetest.Chain
	a *archive.Archive
	l *ledger

	fs  *vfs.MemFS
	x   *Index
	end context.CancelFunc
	ran chan error
}

func newWorld(t testing.TB, edit ...func(*wire.Genesis)) *world {
	t.Helper()
	c := archivetest.New("directory", 2, edit...)
	a, err := archive.Open(t.TempDir(), archive.Options{Genesis: c.Genesis, GroupInterval: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, c: c, a: a, l: newLedger(t, c.Genesis), fs: vfs.NewCrashableMem()}
	t.Cleanup(func() {
		w.halt()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// add makes the next block, afterMs after the one before, and archives it.
func (w *world) add(afterMs uint64, txs ...*wire.Tx) {
	w.addBlock(archivetest.Block{AfterMs: afterMs, Txs: txs})
}

func (w *world) addBlock(b archivetest.Block) {
	w.t.Helper()
	f := w.c.Add(b)
	h, err := wire.DecodeHeader(f.Header)
	if err != nil {
		w.t.Fatal(err)
	}
	w.l.execute(h.Height, h.TimeMs, b)
	if err := w.a.Append(f); err != nil {
		w.t.Fatal(err)
	}
	if err := w.a.Sync(); err != nil {
		w.t.Fatal(err)
	}
}

// open opens the index without following.
func (w *world) open() *Index {
	w.t.Helper()
	x, err := Open("data/directory", Options{
		Genesis: w.c.Genesis, Archive: w.a, Ledger: w.l, Log: slog.New(slog.DiscardHandler), fs: w.fs, askAgain: time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.x = x
	return x
}

// run follows the archive until halt.
func (w *world) run() {
	w.t.Helper()
	if w.x == nil {
		w.open()
	}
	ctx, end := context.WithCancel(context.Background())
	w.end, w.ran = end, make(chan error, 1)
	go func() { w.ran <- w.x.Run(ctx) }()
}

// halt ends following and closes the index. It gives what Run gave.
func (w *world) halt() (err error) {
	if w.end != nil {
		w.end()
		err = <-w.ran
	}
	if w.x != nil {
		if err := w.x.Close(); err != nil && !errors.Is(err, ErrClosed) {
			w.t.Error(err)
		}
	}
	w.end, w.x = nil, nil
	return err
}

// until waits for a condition of what is served, or for the index to fail.
func (w *world) until(what string, is func(v *view) bool) *view {
	w.t.Helper()
	for range 20_000 {
		if v := w.x.now.Load(); is(v) {
			return v
		} else if v.err != nil {
			w.t.Fatalf("%s: %v", what, v.err)
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Fatalf("%s: %+v", what, w.x.now.Load())
	return nil
}

// caughtUp waits until all blocks are folded and all closed periods are closed here.
func (w *world) caughtUp() *view {
	w.t.Helper()
	w.l.mu.Lock()
	closed := uint32(0)
	for _, at := range w.l.closedAt {
		if at <= w.l.asOf() {
			closed++
		}
	}
	w.l.mu.Unlock()
	return w.until("caught up", func(v *view) bool { return v.Height == w.a.Height() && v.Count == closed })
}

// same compares every block of the closed periods with the ledger's.
func (w *world) same() {
	w.t.Helper()
	v := w.caughtUp()
	for _, s := range w.l.sets[:v.Count] {
		d, err := w.x.Directory(s.height)
		if err != nil {
			w.t.Fatal(err)
		}
		if d.KeyMR != s.directory.KeyMR() || d.OpenedMs != s.opened || !bytes.Equal(d.Admin, s.adminB.Bytes()) ||
			d.AdminKey != s.adminB.LookupHash() || d.CreditKey != s.credit.HeaderHash() || d.FactKey != s.factoid.KeyMR() {
			w.t.Fatalf("directory %d: %+v", s.height, d)
		}
		w.block(factom.DirectoryBlock, s, d.KeyMR, s.directory.Bytes())
		w.block(factom.AdminBlock, s, d.AdminKey, s.adminB.Bytes())
		w.block(factom.CreditBlock, s, d.CreditKey, s.credit.Bytes())
		w.block(factom.FactoidBlock, s, d.FactKey, s.factoid.Bytes())
		for _, b := range s.blocks {
			w.block(factom.EntryBlock, s, b.KeyMR(), b.Bytes())
		}
	}
	// Nothing is left of closed periods, and what is pending is of the others.
	for _, table := range dated {
		end := periodKey(table, v.Count)
		if err := w.x.store.Scan([]byte{table}, end, func(key, _ []byte) (bool, error) {
			w.t.Fatalf("row %x of a closed period", key)
			return false, nil
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) block(kind factom.Kind, s *set, key wire.Hash, raw []byte) {
	w.t.Helper()
	b, err := w.x.Block(key)
	if err != nil {
		w.t.Fatalf("block of kind %d in period %d: %v", kind, s.height, err)
	}
	if b.Kind != kind || b.Key != key || b.Height != s.height || b.OpenedMs != s.opened || !bytes.Equal(b.Raw, raw) {
		w.t.Fatalf("block of kind %d in period %d is another", kind, s.height)
	}
}

// hash is the hash of an entry of a chain.
func hash(name, content string) wire.Hash { return archivetest.EntryHash(name, []byte(content)) }

func txid(tx *wire.Tx) wire.Hash {
	t, _, err := wirefactom.ParseTransaction(tx.Payload)
	if err != nil {
		panic(err)
	}
	return t.TXID()
}

// crash ends the index as a power cut does: of what was not flushed, nothing or
// a part is left.
func (w *world) crash() {
	w.t.Helper()
	if w.x == nil {
		return
	}
	left := w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.halt()
	w.fs = left
}

func commitOf(tx *wire.Tx) *wirefactom.Commit {
	p, err := record.Decode(tx.Payload)
	if err != nil {
		panic(err)
	}
	return p.Commit
}
