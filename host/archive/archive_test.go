package archive

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"cloister/gate"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/factom"
	"cloister/wire/merkle"
	"cloister/wire/receipt"
	"cloister/wire/record"
)

func openAt(t testing.TB, dir string, g *wire.Genesis) *Archive {
	t.Helper()
	a, err := Open(dir, Options{Genesis: g})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// stored opens an archive with every block of a chain in it.
func stored(t testing.TB, c *archivetest.Chain) *Archive {
	t.Helper()
	a := openAt(t, t.TempDir(), c.Genesis)
	t.Cleanup(func() { _ = a.Close() })
	appendAll(t, a, c.Finals)
	return a
}

func appendAll(t testing.TB, a *Archive, finals []*gate.Final) {
	t.Helper()
	for _, f := range finals {
		if err := a.Append(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Sync(); err != nil {
		t.Fatal(err)
	}
}

// story is a chain of four blocks: a chain of entries created, two more
// entries of which one is refused, a block without transactions, and a block
// with the same entry again.
func story() (c *archivetest.Chain, txs map[string]*wire.Tx) {
	c = archivetest.New("story", 3)
	txs = map[string]*wire.Tx{}
	txs["create"] = c.CreateChain("diary", []byte("first"))
	c.Add(archivetest.Block{Txs: []*wire.Tx{txs["create"]}})
	txs["pay"] = c.Tx("token", []byte("moved"))
	txs["add"] = c.AddEntry("diary", []byte("second"))
	txs["refused"] = c.AddEntry("diary", []byte("unpaid"))
	c.Add(archivetest.Block{
		Txs:    []*wire.Tx{txs["pay"], txs["add"], txs["refused"]},
		Codes:  []wire.Code{wire.OK, wire.OK, wire.ErrInsufficientCredits},
		Sealed: true,
	})
	c.Add(archivetest.Block{Sealed: true})
	txs["again"] = c.AddEntry("diary", []byte("second"))
	c.Add(archivetest.Block{Txs: []*wire.Tx{txs["again"]}, Sealed: true})
	return c, txs
}

func TestBlocksAreReadAsTheyWerePublished(t *testing.T) {
	c, _ := story()
	a := stored(t, c)
	if a.Height() != 4 || a.Sealed() != 4 {
		t.Fatalf("height %d, sealed %d", a.Height(), a.Sealed())
	}
	for _, f := range c.Finals {
		b, err := a.Block(f.Height)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.Header, f.Header) || !slices.Equal(b.Body, f.Body) || !slices.Equal(b.Seal, f.Seal) || !slices.Equal(b.Outcome, f.Results) {
			t.Fatalf("block %d is not what was published", f.Height)
		}
		h, err := a.Header(f.Height)
		if err != nil || !slices.Equal(h.Header, f.Header) || !slices.Equal(h.Seal, f.Seal) || h.Hash != wire.HeaderHash(f.Header) {
			t.Fatalf("header %d: %v", f.Height, err)
		}
		if n, err := a.HeightOf(h.Hash); err != nil || n != f.Height {
			t.Fatalf("height of %s: %d, %v", h.Hash, n, err)
		}
		data, err := a.Encoded(f.Height)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := archived.Decode(data); err != nil || !slices.Equal(p.Body, f.Body) {
			t.Fatalf("encoding of block %d: %v", f.Height, err)
		}
	}
	zero, err := a.Block(0)
	if err != nil || zero.Hash != c.Genesis.Header().Hash() || len(zero.Outcome) != 0 || len(zero.Seal) != 0 {
		t.Fatalf("block 0: %+v, %v", zero, err)
	}
	if _, err := a.Block(5); wire.CodeOf(err) != wire.ErrNotFound {
		t.Fatalf("block above the newest: %v", err)
	}
	if _, err := a.HeightOf(wire.Hash{1}); wire.CodeOf(err) != wire.ErrNotFound {
		t.Fatalf("unknown hash: %v", err)
	}
}

func TestTransactionsAndEntriesAreFound(t *testing.T) {
	c, txs := story()
	a := stored(t, c)
	for name, want := range map[string]struct {
		height uint64
		index  uint32
		code   wire.Code
	}{
		"create":  {1, 0, wire.OK},
		"pay":     {2, 0, wire.OK},
		"add":     {2, 1, wire.OK},
		"refused": {2, 2, wire.ErrInsufficientCredits},
		"again":   {4, 0, wire.OK},
	} {
		tx, err := a.Transaction(txs[name].ID())
		if err != nil {
			t.Fatal(err)
		}
		if tx.Height != want.height || tx.Index != want.index || tx.Result.Code != want.code || !slices.Equal(tx.Bytes, txs[name].Bytes()) {
			t.Errorf("%s: %+v, want %+v", name, tx, want)
		}
	}
	if _, err := a.Transaction(wire.Hash{9}); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("unknown transaction: %v", err)
	}

	second := archivetest.EntryHash("diary", []byte("second"))
	e, err := a.Entry(second)
	if err != nil || e.Tx != txs["add"].ID() || e.Seq != 1 || e.Height != 2 || e.Chain != archivetest.EntryChain("diary") {
		t.Fatalf("first recording: %+v, %v", e, err)
	}
	both, err := a.Recordings(second, 10)
	if err != nil || len(both) != 2 || both[1].Tx != txs["again"].ID() || both[1].Seq != 2 {
		t.Fatalf("recordings: %+v, %v", both, err)
	}
	if _, err := a.Entry(archivetest.EntryHash("diary", []byte("unpaid"))); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("an entry that execution refused is not recorded: %v", err)
	}
}

// The same entry, revealed again, is the same transaction: it is known by where
// it first had its effect, and until it has had one by where it first was refused.
func TestATransactionIsWhereItFirstHadItsEffect(t *testing.T) {
	entry := archivetest.Entry("diary", []byte("twice"))
	type step struct {
		codes []wire.Code // of the occurrences in one block
		at    uint64      // where it is known to stand after it
		index uint32
		code  wire.Code
	}
	for name, steps := range map[string][]step{
		"refused, accepted, accepted, refused": {
			{[]wire.Code{wire.ErrNoCommit}, 1, 0, wire.ErrNoCommit},
			{[]wire.Code{wire.ErrUnderpaid}, 1, 0, wire.ErrNoCommit},
			{[]wire.Code{wire.OK}, 3, 0, wire.OK},
			{[]wire.Code{wire.OK}, 3, 0, wire.OK},
			{[]wire.Code{wire.ErrNoCommit}, 3, 0, wire.OK},
		},
		"several times in one block": {
			{[]wire.Code{wire.ErrNoCommit, wire.OK, wire.OK, wire.ErrNoCommit}, 1, 1, wire.OK},
		},
		"refused twice in one block": {
			{[]wire.Code{wire.ErrUnderpaid, wire.ErrNoCommit}, 1, 0, wire.ErrUnderpaid},
			{[]wire.Code{wire.ErrNoCommit, wire.OK}, 2, 1, wire.OK},
		},
	} {
		for _, whole := range []bool{false, true} { // block by block, and in one group
			c := archivetest.New("occurrences", 1)
			a := openAt(t, t.TempDir(), c.Genesis)
			for i, s := range steps {
				b := archivetest.Block{Codes: s.codes}
				for range s.codes {
					b.Txs = append(b.Txs, c.Reveal(entry))
				}
				f := c.Add(b)
				if whole && i < len(steps)-1 {
					continue
				}
				if whole {
					appendAll(t, a, c.Finals)
				} else {
					appendAll(t, a, []*gate.Final{f})
				}
				got, err := a.Transaction(c.Reveal(entry).ID())
				if err != nil || got.Height != s.at || got.Index != s.index || got.Result.Code != s.code {
					t.Errorf("%s, after block %d: %+v, %v", name, i+1, got, err)
				}
			}
			accepted := 0
			for _, s := range steps {
				for _, code := range s.codes {
					if code == wire.OK {
						accepted++
					}
				}
			}
			if all, err := a.Recordings(factom.EntryHash(entry), 10); err != nil || len(all) != accepted {
				t.Errorf("%s: %d recordings of %d, %v", name, len(all), accepted, err)
			}
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What pays is no entry, whatever it pays for.
func TestOnlyRevealsAndPairsRecord(t *testing.T) {
	c := archivetest.New("kinds", 1)
	first, second := archivetest.Entry("diary", []byte("first")), archivetest.Entry("diary", []byte("second"))
	c.Add(archivetest.Block{Txs: []*wire.Tx{
		c.Pay(c.CommitChain(first)), c.Pay(c.Commit(second)), c.Reveal(first),
		c.Tx(record.Name, record.SignDirectory(0, make([]byte, 113), archivetest.Payer)),
	}})
	a := stored(t, c)
	entries, err := a.Entries(archivetest.EntryChain("diary"), 0, 10, true)
	if err != nil || len(entries) != 1 || !slices.Equal(entries[0].Bytes, first) {
		t.Fatalf("%+v, %v", entries, err)
	}
	if _, err := a.Entry(factom.EntryHash(second)); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("an entry nobody revealed: %v", err)
	}
}

func TestItemsAreWhereTheySayTheyAre(t *testing.T) {
	c, _ := story()
	a := stored(t, c)
	for height := uint64(0); height <= a.Height(); height++ {
		b, err := a.Block(height)
		if err != nil {
			t.Fatal(err)
		}
		items, err := b.Items()
		if err != nil {
			t.Fatal(err)
		}
		for i, it := range items {
			got, err := a.Bytes(height, it.At, uint32(len(it.Bytes)))
			if err != nil || !slices.Equal(got, it.Bytes) {
				t.Errorf("item %d of block %d: %v", i, height, err)
			}
			tx, err := wire.DecodeTx(it.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := wire.DecodeResult(it.Result); err != nil || r.TxID != tx.ID() {
				t.Errorf("item %d of block %d has the result of another, %v", i, height, err)
			}
		}
	}
	if _, err := a.Bytes(1, 1<<31, 1<<31); !errors.Is(err, ErrCorrupt) {
		t.Errorf("bytes behind a block: %v", err)
	}
	if _, err := a.Bytes(99, 0, 1); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("bytes of a block that is not there: %v", err)
	}
}

func TestChainsListTheirEntriesInOrder(t *testing.T) {
	c, txs := story()
	a := stored(t, c)
	id := archivetest.EntryChain("diary")
	info, err := a.Chain(id)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := a.Entries(id, 0, 10, true)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	var head wire.Hash
	for i, e := range entries {
		content := []byte([]string{"first", "second", "second"}[i])
		if e.Seq != uint64(i) || e.Hash != archivetest.EntryHash("diary", content) || factom.EntryHash(e.Bytes) != e.Hash {
			t.Errorf("entry %d: %+v", i, e)
		}
		head = record.NextHead(head, e.Seq, e.Hash)
	}
	if want := (Chain{id, 3, head, 1, 4}); *info != want {
		t.Errorf("chain %+v, want %+v", *info, want)
	}
	some, err := a.Entries(id, 1, 1, false)
	if err != nil || len(some) != 1 || some[0].Tx != txs["add"].ID() || some[0].Bytes != nil {
		t.Errorf("one entry from 1 on: %+v, %v", some, err)
	}
	if past, err := a.Entries(id, 3, 5, true); err != nil || len(past) != 0 {
		t.Errorf("past the end: %d, %v", len(past), err)
	}
	if _, err := a.Entries(wire.Hash{7}, 0, 1, true); wire.CodeOf(err) != wire.ErrUnknownChain {
		t.Errorf("unknown chain: %v", err)
	}
}

func TestReceiptsComeAsSoonAsASealCoversThem(t *testing.T) {
	c := archivetest.New("covers", 3)
	tx := c.CreateChain("c", nil)
	a := stored(t, c)
	kinds := func() (ordered, executed wire.Code) {
		_, o := a.Receipt(tx.ID(), receipt.Ordered)
		_, e := a.Receipt(tx.ID(), receipt.Executed)
		return wire.CodeOf(o), wire.CodeOf(e)
	}
	for i, step := range []struct {
		block             archivetest.Block
		ordered, executed wire.Code
	}{
		{archivetest.Block{Txs: []*wire.Tx{tx}}, wire.ErrNotCovered, wire.ErrNotCovered},
		// Sealed, but it commits to execution before the transaction.
		{archivetest.Block{Sealed: true, Lag: 1}, wire.OK, wire.ErrNotCovered},
		// Commits to the execution, but no seal covers it yet.
		{archivetest.Block{}, wire.OK, wire.ErrNotCovered},
		{archivetest.Block{Sealed: true}, wire.OK, wire.OK},
	} {
		appendAll(t, a, []*gate.Final{c.Add(step.block)})
		if o, e := kinds(); o != step.ordered || e != step.executed {
			t.Errorf("after block %d: ordered %v, executed %v; want %v, %v", i+1, o, e, step.ordered, step.executed)
		}
	}
	if _, err := a.Receipt(wire.Hash{1}, receipt.Ordered); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("unknown transaction: %v", err)
	}
	if _, err := a.Receipt(tx.ID(), "signed"); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestAppendIsIdempotentAndNeverForks(t *testing.T) {
	c, _ := story()
	a := stored(t, c)
	for _, f := range c.Finals {
		if err := a.Append(f); err != nil {
			t.Errorf("block %d again: %v", f.Height, err)
		}
	}
	other := archivetest.New("story", 3)
	for range 3 {
		other.Add(archivetest.Block{Sealed: true, Txs: []*wire.Tx{other.Tx("token", []byte("other"))}})
	}
	for _, f := range other.Finals {
		err := a.Append(f)
		var fork *ForkError
		if !errors.Is(err, ErrFork) || !errors.As(err, &fork) || fork.Height != f.Height || fork.Offered != wire.HeaderHash(f.Header) {
			t.Errorf("another block %d: %v", f.Height, err)
		}
		if b, err := a.Header(f.Height); err != nil || !slices.Equal(b.Header, c.Finals[f.Height-1].Header) {
			t.Errorf("block %d after a fork was offered: %v", f.Height, err)
		}
	}
	c.Add(archivetest.Block{Sealed: true})
	skipped := c.Add(archivetest.Block{Sealed: true})
	if err := a.Append(skipped); !errors.Is(err, ErrGap) {
		t.Errorf("a gap: %v", err)
	}
	if a.Height() != 4 {
		t.Errorf("height %d", a.Height())
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	edit := func(change func(h *wire.Header, o *wire.Outcome, f *gate.Final)) error {
		c := archivetest.New("edit", 2)
		c.Add(archivetest.Block{Sealed: true})
		a := stored(t, c)
		f := *c.Add(archivetest.Block{Sealed: true, Txs: []*wire.Tx{c.CreateChain("x", nil), c.Tx("token", nil)}})
		h, err := wire.DecodeHeader(f.Header)
		if err != nil {
			t.Fatal(err)
		}
		var o wire.Outcome
		if err := wire.Unmarshal(f.Results, &o, archived.MaxOutcome); err != nil {
			t.Fatal(err)
		}
		f.Header, f.Results = nil, nil
		change(h, &o, &f)
		if f.Header == nil {
			f.Header = wire.Marshal(h)
		}
		if f.Results == nil {
			f.Results = wire.Marshal(o)
		}
		err = a.Append(&f)
		if a.Sync() != nil || a.Height() != 1 && err != nil {
			t.Errorf("the archive changed: height %d", a.Height())
		}
		return err
	}
	if err := edit(func(*wire.Header, *wire.Outcome, *gate.Final) {}); err != nil {
		t.Fatalf("the unchanged block: %v", err)
	}
	foreign := wire.TH("foreign")
	for name, change := range map[string]func(h *wire.Header, o *wire.Outcome, f *gate.Final){
		"header bytes":       func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Header = []byte{0x80} },
		"header too long":    func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Header = make([]byte, wire.MaxHeader+1) },
		"height":             func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.Height++ },
		"chain":              func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.ChainID = foreign },
		"parent":             func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.Parent = foreign },
		"time":               func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.TimeMs -= 100 },
		"history":            func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.HistoryRoot = foreign },
		"transactions":       func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.TxRoot = foreign },
		"count":              func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.TxCount++ },
		"execution height":   func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.ExecHeight = h.Height },
		"execution root":     func(h *wire.Header, _ *wire.Outcome, _ *gate.Final) { h.ExecRoot = foreign },
		"seal":               func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Seal = []byte{1} },
		"body":               func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Body = wire.EncodeList([][]byte{{1}}) },
		"body bytes":         func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Body = []byte{0x9f} },
		"outcome bytes":      func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Results = []byte{0x80} },
		"outcome's height":   func(_ *wire.Header, o *wire.Outcome, _ *gate.Final) { o.Exec.Height++ },
		"results root":       func(_ *wire.Header, o *wire.Outcome, _ *gate.Final) { o.Exec.ResultsRoot = foreign },
		"results dropped":    func(_ *wire.Header, o *wire.Outcome, _ *gate.Final) { o.Results = wire.EncodeList(nil) },
		"result of another":  func(_ *wire.Header, o *wire.Outcome, _ *gate.Final) { o.Results[10] ^= 1 },
		"final of no height": func(_ *wire.Header, _ *wire.Outcome, f *gate.Final) { f.Seal = make([]byte, wire.MaxSeal+1) },
	} {
		if err := edit(change); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		}
	}
}

func TestHistoryProofsHold(t *testing.T) {
	c := archivetest.New("history", 1)
	for i := range 300 {
		c.Add(archivetest.Block{Sealed: i%7 == 0})
	}
	a := stored(t, c)
	var all merkle.Range
	roots := []wire.Hash{merkle.EmptyRoot}
	for h := uint64(0); h <= a.Height(); h++ {
		b, err := a.Header(h)
		if err != nil {
			t.Fatal(err)
		}
		all.Append(merkle.LeafHash(b.Hash[:]))
		roots = append(roots, all.Root())
	}
	for _, p := range [][2]uint64{{0, 0}, {0, 301}, {1, 2}, {5, 256}, {255, 257}, {256, 301}, {300, 301}, {17, 17}} {
		path, err := a.Consistency(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := merkle.VerifyConsistency(p[0], roots[p[0]], p[1], roots[p[1]], path); err != nil {
			t.Errorf("%v: %v", p, err)
		}
		if p[0] == p[1] {
			continue
		}
		path, err = a.Inclusion(p[0], p[1])
		if err != nil {
			t.Fatal(err)
		}
		b, _ := a.Header(p[0])
		if err := merkle.VerifyInclusion(merkle.LeafHash(b.Hash[:]), p[0], p[1], path, roots[p[1]]); err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
	for _, p := range [][2]uint64{{2, 1}, {0, 302}, {1, 1<<64 - 1}} {
		if _, err := a.Consistency(p[0], p[1]); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("consistency of %v: %v", p, err)
		}
		if _, err := a.Inclusion(p[0], p[1]); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("inclusion of %v: %v", p, err)
		}
	}
	if s, err := a.SealedFrom(2); err != nil || s != 8 {
		t.Errorf("sealed from 2: %d, %v", s, err)
	}
	if _, err := a.SealedFrom(300); wire.CodeOf(err) != wire.ErrNotCovered {
		t.Errorf("above the newest seal: %v", err)
	}
}

func TestWatchersSeeEveryBlockOnceInOrder(t *testing.T) {
	c, txs := story()
	a := openAt(t, t.TempDir(), c.Genesis)
	var seen []uint64
	var last Appended
	stop := a.Watch(func(b Appended) { seen, last = append(seen, b.Height), b })
	appendAll(t, a, c.Finals[:2])
	appendAll(t, a, c.Finals) // two of them again
	stop()
	extra := c.Add(archivetest.Block{})
	appendAll(t, a, []*gate.Final{extra})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, []uint64{1, 2, 3, 4}) {
		t.Errorf("shown: %v", seen)
	}
	if !last.Sealed || len(last.Results) != 1 || last.Results[0].TxID != txs["again"].ID() || last.TimeMs == 0 {
		t.Errorf("the last one: %+v", last)
	}
	for name, err := range map[string]error{
		"append": a.Append(extra),
		"block":  second(a.Block(1)),
		"header": second(a.Header(1)),
		"chain":  second(a.Chain(archivetest.EntryChain("diary"))),
		"seal":   second(a.SealedFrom(1)),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// TestWhatWatchersWereShownIsNeverMissed reads right after Append, with a group
// interval that would keep the blocks from being stored for an hour.
func TestWhatWatchersWereShownIsNeverMissed(t *testing.T) {
	first, again := archivetest.EntryHash("diary", []byte("first")), archivetest.EntryHash("diary", []byte("second"))
	for name, read := range map[string]func(a *Archive, c *archivetest.Chain, txs map[string]*wire.Tx) error{
		"block":  func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error { return second(a.Block(4)) },
		"header": func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error { return second(a.Header(4)) },
		"transaction": func(a *Archive, _ *archivetest.Chain, txs map[string]*wire.Tx) error {
			return second(a.Transaction(txs["again"].ID()))
		},
		"entry": func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error {
			return errors.Join(second(a.Entry(first)), second(a.Entry(again)))
		},
		"chain": func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error {
			return second(a.Chain(archivetest.EntryChain("diary")))
		},
		"seal":      func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error { return second(a.SealedFrom(4)) },
		"inclusion": func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error { return second(a.Inclusion(4, 5)) },
		"consistency": func(a *Archive, _ *archivetest.Chain, _ map[string]*wire.Tx) error {
			return second(a.Consistency(4, 5))
		},
		"ordered": func(a *Archive, _ *archivetest.Chain, txs map[string]*wire.Tx) error {
			return second(a.Receipt(txs["again"].ID(), receipt.Ordered))
		},
		"executed": func(a *Archive, _ *archivetest.Chain, txs map[string]*wire.Tx) error {
			return second(a.Receipt(txs["add"].ID(), receipt.Executed))
		},
		"hash": func(a *Archive, c *archivetest.Chain, _ map[string]*wire.Tx) error {
			return second(a.HeightOf(wire.HeaderHash(c.Finals[3].Header)))
		},
	} {
		c, txs := story()
		a, err := Open(t.TempDir(), Options{Genesis: c.Genesis, GroupInterval: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		appendAll(t, a, c.Finals[:1]) // from here on the interval runs
		for _, f := range c.Finals[1:] {
			if err := a.Append(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := read(a, c, txs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFollowersReadAtTheirOwnPace(t *testing.T) {
	c, _ := story()
	a := openAt(t, t.TempDir(), c.Genesis)
	appendAll(t, a, c.Finals[:1])
	got := make(chan uint64)
	end := make(chan error, 1)
	go func() {
		for b, err := range a.Follow(context.Background(), 0) {
			if err != nil {
				end <- err
				return
			}
			got <- b.Height
		}
	}()
	if h := <-got; h != 0 {
		t.Fatalf("first block %d", h)
	}
	appendAll(t, a, c.Finals) // the follower holds nobody up
	for want := uint64(1); want <= 4; want++ {
		if h := <-got; h != want {
			t.Fatalf("block %d, want %d", h, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range a.Follow(ctx, 5) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled follower: %v", err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-end; !errors.Is(err, ErrClosed) {
		t.Errorf("follower of a closed archive: %v", err)
	}
}

func TestAnotherChainsDirectoryIsRefused(t *testing.T) {
	c, _ := story()
	dir := t.TempDir()
	a := openAt(t, dir, c.Genesis)
	appendAll(t, a, c.Finals)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Genesis: archivetest.New("other", 1).Genesis}); !errors.Is(err, ErrForeign) {
		t.Fatalf("opened with another genesis: %v", err)
	}
	a = openAt(t, dir, c.Genesis)
	defer a.Close()
	if a.Height() != 4 || a.Sealed() != 4 {
		t.Fatalf("height %d, sealed %d after opening again", a.Height(), a.Sealed())
	}
}
