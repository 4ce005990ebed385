package directory

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"cloister/host/api/factom"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/token"
)

// readable is a world with a closed period and one in progress.
func readable(t testing.TB) (w *world, txs map[string]*wire.Tx) {
	w = newWorld(t)
	c := w.c
	second, never := archivetest.Entry("diary", []byte("second")), archivetest.Entry("diary", []byte("never"))
	paid := c.Commit(second)
	txs = map[string]*wire.Tx{
		"create": c.CreateChain("diary", []byte("first")), "pay": c.Pay(paid), "reveal": c.Reveal(second),
		"move": c.Transfer([]token.Output{{To: wire.Account{7}, Amount: 50}}, []token.Purchase{{For: archivetest.Payer.Public(), Amount: 5000}}),
		"late": c.Pay(c.Commit(never)), "again": c.AddEntry("diary", []byte("first")), "refused": c.AddEntry("diary", []byte("refused")),
		"other": c.CreateChain("other", nil), "now": c.Transfer([]token.Output{{To: wire.Account{8}, Amount: 9}}, nil),
	}
	w.run()
	w.add(100, txs["create"], txs["pay"], txs["move"])
	w.add(4000, txs["reveal"])
	w.addBlock(archivetest.Block{
		AfterMs: periodMs, Txs: []*wire.Tx{txs["late"], txs["again"], txs["refused"], txs["other"], txs["now"]},
		Codes: []wire.Code{wire.OK, wire.OK, wire.ErrInsufficientCredits, wire.OK, wire.OK},
	})
	w.until("one period is closed", func(v *view) bool { return v.Count == 1 && v.Height == 3 })
	return w, txs
}

func TestEntriesCommitsAndTransactionsAreFound(t *testing.T) {
	w, txs := readable(t)
	start, s := w.c.Genesis.TimeMs, w.l.sets[0]
	closed := func(minute uint8, afterMs uint64, block wire.Hash) factom.Place {
		return factom.Place{Height: 0, Minute: minute, OrderedMs: start + afterMs, OpenedMs: start, Closed: true, Block: block, Directory: s.directory.KeyMR()}
	}
	open := factom.Place{Height: 1, Minute: 5, OrderedMs: start + 4100 + periodMs, OpenedMs: start + periodMs}
	diary := archivetest.EntryChain("diary")

	for content, want := range map[string]factom.Place{"second": closed(5, 4100, s.blocks[diary].KeyMR()), "first": open} {
		e, err := w.x.Entry(hash("diary", content))
		if err != nil || e.Place != want || e.Chain != diary || e.Hash != hash("diary", content) || !bytes.Equal(e.Raw, archivetest.Entry("diary", []byte(content))) {
			t.Errorf("%s: %+v, want at %+v, %v", content, e, want, err)
		}
	}
	for _, content := range []string{"never", "refused"} {
		if _, err := w.x.Entry(hash("diary", content)); wire.CodeOf(err) != wire.ErrNotFound {
			t.Errorf("%s: %v", content, err)
		}
	}

	for name, want := range map[string]struct {
		entry wire.Hash
		used  bool
		place factom.Place
	}{
		"create": {hash("diary", "first"), true, closed(1, 100, s.credit.HeaderHash())},
		"pay":    {hash("diary", "second"), true, closed(1, 100, s.credit.HeaderHash())},
		"late":   {hash("diary", "never"), false, open},
		"again":  {hash("diary", "first"), true, open},
	} {
		k := commitOf(txs[name])
		c, err := w.x.Commit(k.TXID())
		if err != nil || c.Used != want.used || c.Place != want.place || !bytes.Equal(c.Raw, k.Bytes()) || c.Parsed.EntryHash != want.entry {
			t.Errorf("%s: %+v, want at %+v, %v", name, c, want, err)
		}
	}
	if c, err := w.x.CommitOf(hash("diary", "first")); err != nil || c.Parsed.TXID() != commitOf(txs["again"]).TXID() {
		t.Errorf("the newest commit for an entry: %+v, %v", c, err)
	}
	if _, err := w.x.Commit(commitOf(txs["refused"]).TXID()); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("a commit that was refused: %v", err)
	}

	move, err := w.x.Transaction(txid(txs["move"]))
	if err != nil || move.Place != closed(1, 100, s.factoid.KeyMR()) || !bytes.Equal(move.Raw, txs["move"].Payload) {
		t.Errorf("%+v, %v", move, err)
	}
	if now, err := w.x.Transaction(txid(txs["now"])); err != nil || now.Place != open {
		t.Errorf("%+v, %v", now, err)
	}
	base, err := w.x.Transaction(s.transactions[0].Transaction.TXID())
	if err != nil || base.Block != s.factoid.KeyMR() || len(base.Parsed.Inputs) != 0 || !base.Closed {
		t.Errorf("coinbase: %+v, %v", base, err)
	}
	for name, err := range map[string]error{
		"entry": second(w.x.Entry(wire.Hash{1})), "commit": second(w.x.Commit(wire.Hash{1})), "commit of": second(w.x.CommitOf(wire.Hash{1})),
		"transaction": second(w.x.Transaction(wire.Hash{1})), "block": second(w.x.Block(wire.Hash{1})),
		"directory": second(w.x.Directory(1)), "receipt": second(w.x.Receipt(wire.Hash{1})),
	} {
		if wire.CodeOf(err) != wire.ErrNotFound {
			t.Errorf("unknown %s: %v", name, err)
		}
	}
}

func TestMomentSaysHowFarThingsAre(t *testing.T) {
	w := newWorld(t)
	start := w.c.Genesis.TimeMs
	if got, want := w.open().Now(), (factom.Moment{Minute: 1, OpenedMs: start, MinuteOpenedMs: start, PeriodMs: periodMs, BlockTimeMs: start}); got != want {
		t.Errorf("before the first block: %+v, want %+v", got, want)
	}
	w.halt()
	w, _ = readable(t)
	want := factom.Moment{
		Height: 1, Saved: 0, HasSaved: true, Minute: 5, OpenedMs: start + periodMs, MinuteOpenedMs: start + periodMs + 4000,
		PeriodMs: periodMs, BlockTimeMs: start + periodMs + 4100, Entries: 4, Transactions: 7,
	}
	if got := w.x.Now(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestChainHeads(t *testing.T) {
	w, _ := readable(t)
	s := w.l.sets[0]
	for name, want := range map[string]struct {
		chain, head wire.Hash
		pending     bool
	}{
		"with blocks and more to come": {archivetest.EntryChain("diary"), s.blocks[archivetest.EntryChain("diary")].KeyMR(), true},
		"in no block yet":              {archivetest.EntryChain("other"), wire.Hash{}, true},
		"admin":                        {wirefactom.AdminChain, s.adminB.LookupHash(), true},
		"entry credits":                {wirefactom.EntryCreditChain, s.credit.HeaderHash(), true},
		"directory":                    {wirefactom.DirectoryChain, s.directory.KeyMR(), true},
		"factoids":                     {wirefactom.FactoidChain, s.factoid.KeyMR(), true},
	} {
		head, pending, err := w.x.ChainHead(want.chain)
		if err != nil || head != want.head || pending != want.pending {
			t.Errorf("%s: %s, %t, %v", name, head, pending, err)
		}
	}
	if _, _, err := w.x.ChainHead(wire.Hash{1}); wire.CodeOf(err) != wire.ErrUnknownChain {
		t.Errorf("unknown chain: %v", err)
	}
	w.add(periodMs)
	w.until("two periods are closed", func(v *view) bool { return v.Count == 2 })
	head, pending, err := w.x.ChainHead(archivetest.EntryChain("other"))
	if err != nil || pending || head != w.l.sets[1].blocks[archivetest.EntryChain("other")].KeyMR() {
		t.Errorf("after its block was closed: %s, %t, %v", head, pending, err)
	}
}

func TestPendingIsWhatIsInNoClosedBlock(t *testing.T) {
	w, txs := readable(t)
	commits, entries, list, err := w.x.Pending(10)
	if err != nil || len(commits) != 3 || len(entries) != 2 || len(list) != 1 {
		t.Fatalf("%d commits, %d entries, %d transactions, %v", len(commits), len(entries), len(list), err)
	}
	for i, want := range []struct {
		tx   string
		used bool
	}{{"late", false}, {"again", true}, {"other", true}} {
		if commits[i].Parsed.TXID() != commitOf(txs[want.tx]).TXID() || commits[i].Used != want.used || commits[i].Closed || commits[i].Height != 1 {
			t.Errorf("commit %d: %+v", i, commits[i])
		}
	}
	if entries[0].Hash != hash("diary", "first") || entries[1].Chain != archivetest.EntryChain("other") || entries[1].Minute != 5 {
		t.Errorf("%+v", entries)
	}
	if list[0].Parsed.TXID() != txid(txs["now"]) || !bytes.Equal(list[0].Raw, txs["now"].Payload) {
		t.Errorf("%+v", list)
	}
	commits, entries, list, err = w.x.Pending(1)
	if err != nil || len(commits) != 1 || len(entries) != 1 || len(list) != 1 {
		t.Errorf("one of each: %d, %d, %d, %v", len(commits), len(entries), len(list), err)
	}
}

func TestReceiptsVerify(t *testing.T) {
	w, _ := readable(t)
	s := w.l.sets[0]
	r, err := w.x.Receipt(hash("diary", "second"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Verify()
	if err != nil || p.DirectoryBlockKeyMR != s.directory.KeyMR() || p.ChainID != archivetest.EntryChain("diary") || r.CheckHeader(&s.directory.Header) != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if want := int64(w.c.Genesis.TimeMs+periodMs/2) / 1000; r.Entry.Timestamp != want {
		t.Errorf("the end of its minute is %d, not %d", want, r.Entry.Timestamp)
	}
	// Its newest recording is in no closed block.
	if _, err := w.x.Receipt(hash("diary", "first")); wire.CodeOf(err) != wire.ErrNotCovered {
		t.Errorf("before the period is closed: %v", err)
	}
}

// A commit is used by the reveals after it; one that was refused changes nothing.
func TestCommitsAreUsedByTheRevealsAfterThem(t *testing.T) {
	w := newWorld(t)
	entry := archivetest.Entry("diary", []byte("x"))
	step := func(code wire.Code, tx *wire.Tx) {
		w.addBlock(archivetest.Block{Txs: []*wire.Tx{tx}, Codes: []wire.Code{code}})
	}
	used := func(k *wirefactom.Commit) bool {
		w.until("folded", func(v *view) bool { return v.Height == w.a.Height() })
		c, err := w.x.Commit(k.TXID())
		if err != nil {
			t.Fatal(err)
		}
		return c.Used
	}
	w.run()
	first, second, third := w.c.Commit(entry), w.c.Commit(entry), w.c.Commit(entry)
	step(wire.ErrNoCommit, w.c.Reveal(entry))
	step(wire.OK, w.c.Pay(first))
	step(wire.ErrUnderpaid, w.c.Reveal(entry))
	if used(first) {
		t.Error("used before any reveal was accepted")
	}
	step(wire.OK, w.c.Reveal(entry))
	step(wire.OK, w.c.Pay(second))
	if !used(first) || used(second) {
		t.Error("the reveal uses the commit before it, not one after it")
	}
	step(wire.OK, w.c.AddRaw(entry))
	if used(second) {
		t.Error("a pair has its own commit")
	}
	step(wire.ErrWrongChainID, w.c.Reveal(entry))
	if used(second) {
		t.Error("a reveal that was refused uses nothing")
	}
	step(wire.OK, w.c.Reveal(entry))
	step(wire.OK, w.c.Pay(third))
	if !used(second) || used(third) {
		t.Error("the second reveal uses the second commit")
	}
	if e, err := w.x.Entry(wirefactom.EntryHash(entry)); err != nil || e.OrderedMs != w.l.times[8] {
		t.Errorf("the newest recording: %+v, %v", e, err)
	}
}

func TestWatchersHearWhatWasOrderedWhenItCanBeRead(t *testing.T) {
	w := newWorld(t)
	c := w.c
	w.open()
	var seen []factom.Ordered
	unread := 0
	stop := w.x.Watch(func(o factom.Ordered) {
		seen = append(seen, o)
		for _, e := range o.Entries {
			if _, err := w.x.Entry(e); err != nil {
				unread++
			}
		}
	})
	create, add := c.CreateChain("diary", nil), c.AddEntry("diary", []byte("x"))
	late := c.Pay(c.Commit(archivetest.Entry("diary", []byte("y"))))
	move := c.Transfer([]token.Output{{To: wire.Account{7}, Amount: 50}}, []token.Purchase{{For: archivetest.Payer.Public(), Amount: 5000}})
	refused := c.Reveal(archivetest.Entry("diary", []byte("z")))
	poor := c.Pay(c.Commit(archivetest.Entry("diary", []byte("z"))))
	w.run()
	w.addBlock(archivetest.Block{
		Txs:   []*wire.Tx{create, add, late, move, refused, poor},
		Codes: []wire.Code{wire.OK, wire.OK, wire.OK, wire.OK, wire.ErrNoCommit, wire.ErrInsufficientCredits},
	})
	w.add(100)
	w.until("folded", func(v *view) bool { return v.Height == 2 })
	stop()
	if len(seen) != 2 || unread > 0 {
		t.Fatalf("%d blocks, %d entries could not be read", len(seen), unread)
	}
	o := seen[0]
	empty := hash("diary", "")
	for name, pair := range map[string][2][]wire.Hash{
		"commits": {o.Commits, {empty, hash("diary", "x"), hash("diary", "y")}},
		"entries": {o.Entries, {empty, hash("diary", "x")}},
		"chains":  {slices.Compact(o.Chains), {archivetest.EntryChain("diary")}},
		"txids":   {o.TXIDs, {commitOf(create).TXID(), commitOf(add).TXID(), commitOf(late).TXID(), txid(move)}},
		"refused": {o.Refused, {hash("diary", "z"), commitOf(poor).TXID()}},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %s, want %s", name, pair[0], pair[1])
		}
	}
	if want := []wire.Account{{7}, wire.AccountOf(archivetest.Payer.Public())}; !slices.Equal(o.Credited, want) || o.TimeMs != w.l.times[1] {
		t.Errorf("credited %v at %d", o.Credited, o.TimeMs)
	}
}

func TestNothingIsReadAfterClose(t *testing.T) {
	w, _ := readable(t)
	x := w.x
	if err := w.halt(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"entry": second(x.Entry(hash("diary", "first"))), "block": second(x.Block(wire.Hash{})), "directory": second(x.Directory(0)),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
