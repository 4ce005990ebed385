package ledger_test

import (
	"strings"
	"testing"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/record"
	"cloister/wire/token"
)

// eachStore runs a test on every driver.
func eachStore(t *testing.T, test func(t *testing.T, c *ledgertest.Chain)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, newChain(t, open(t))) })
	}
}

// eachStoreCounting does so for a chain with the families token, record and counter.
func eachStoreCounting(t *testing.T, test func(t *testing.T, c *ledgertest.Chain)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, counting(t, open(t))) })
	}
}

func TestGenesisIsHeightZeroAndTheSameEverywhere(t *testing.T) {
	roots := map[wire.Hash]bool{}
	eachStore(t, func(t *testing.T, c *ledgertest.Chain) {
		tip := c.Ledger.Tip()
		if tip.Height() != 0 || tip.Hash != c.Genesis.Header().Hash() || tip.History.Size() != 1 {
			t.Fatalf("tip %d %s, history %d", tip.Height(), tip.Hash, tip.History.Size())
		}
		// One leaf for height 0: the root over no results.
		if want := merkle.LeafHash(wire.EmptyRoot[:]); tip.Exec.ResultsRoot != want {
			t.Errorf("results root %s, want %s", tip.Exec.ResultsRoot, want)
		}
		if tip.DataRoot != wire.EmptyRoot {
			t.Errorf("data root %s", tip.DataRoot)
		}
		roots[tip.Exec.StateRoot] = true
	})
	if len(roots) != 1 {
		t.Fatalf("%d different state roots", len(roots))
	}
}

// What a block commits to is recomputed here from its results and entries.
func TestRootsAreThoseOfTheSpecification(t *testing.T) {
	eachStore(t, func(t *testing.T, c *ledgertest.Chain) {
		var history, results, data merkle.Range
		genesis := c.Genesis.Header().Hash()
		history.Append(merkle.LeafHash(genesis[:]))
		results.Append(merkle.LeafHash(wire.EmptyRoot[:]))
		for _, txs := range [][]*wire.Tx{
			{c.CreateChain(ledgertest.Alice, "a"), c.AddEntry(ledgertest.Bob, "a", "second"), c.AddEntry(ledgertest.Bob, "unknown", "x")},
			{},
			{c.AddEntry(ledgertest.Alice, "a", "third"), c.Transfer(ledgertest.Alice, 5, ledgertest.Account(ledgertest.Bob))},
		} {
			done := c.Run(txs...)
			hash := done.Header.Hash()
			history.Append(merkle.LeafHash(hash[:]))
			var block []wire.Hash
			for _, r := range done.Results {
				block = append(block, merkle.LeafHash(r))
			}
			root := merkle.Root(block)
			results.Append(merkle.LeafHash(root[:]))
			for _, leaf := range done.Entries {
				data.Append(leaf)
			}
			if done.History != history || done.Exec.ResultsRoot != results.Root() || done.DataRoot != data.Root() {
				t.Fatalf("height %d: roots differ", done.Height())
			}
			if done.Exec.Height != done.Height() {
				t.Fatalf("exec height %d at %d", done.Exec.Height, done.Height())
			}
		}
		if data.Size() != 3 {
			t.Fatalf("%d entries, want 3: refused ones leave none", data.Size())
		}
	})
}

// Every code a transaction in a block can get, and what is left of it.
func TestRefusedTransactionsChangeNothingButTheirFee(t *testing.T) {
	type refused struct {
		tx     func(c *ledgertest.Chain) *wire.Tx
		code   wire.Code
		priced bool
	}
	alice, pauper := ledgertest.Alice, ledgertest.Pauper
	data := func(payload []byte) func(c *ledgertest.Chain) *wire.Tx {
		return func(c *ledgertest.Chain) *wire.Tx { return c.Carry(record.Name, payload) }
	}
	count := func(k wire.PrivateKey, payload ...byte) func(c *ledgertest.Chain) *wire.Tx {
		return func(c *ledgertest.Chain) *wire.Tx { return c.Tx(k, counterName, payload) }
	}
	cases := map[string]refused{
		"another chain's": {func(c *ledgertest.Chain) *wire.Tx {
			tx := c.AddEntry(alice, "a", "x")
			tx.ChainID[0]++
			return tx
		}, wire.ErrWrongChain, false},
		"no such family":    {func(c *ledgertest.Chain) *wire.Tx { return c.Tx(alice, "nonsense", []byte{1}) }, wire.ErrUnknownFamily, false},
		"malformed payload": {data([]byte{9}), wire.ErrMalformed, false},
		"malformed commit":  {data([]byte{1, 2}), wire.ErrCommitMalformed, false},
		"malformed entry":   {data([]byte{2, 2}), wire.ErrEntryMalformed, false},
		"entry too large":   {data(append([]byte{2}, make([]byte, 10_276)...)), wire.ErrEntryTooLarge, false},
		"malformed money":   {func(c *ledgertest.Chain) *wire.Tx { return c.Carry(token.Name, []byte{0x80}) }, wire.ErrTransactionMalformed, false},
		"not signed": {func(c *ledgertest.Chain) *wire.Tx {
			return c.Carry(counterName, []byte{adds})
		}, wire.ErrBadSignature, false},
		"expired": {func(c *ledgertest.Chain) *wire.Tx { return c.TxUntil(c.NextMs()-1, alice, counterName, []byte{adds}) }, wire.ErrExpired, false},
		"too far ahead": {func(c *ledgertest.Chain) *wire.Tx {
			return c.TxUntil(c.NextMs()+wire.MaxValidity+1, alice, counterName, []byte{adds})
		}, wire.ErrTooFarAhead, false},
		"no credits":          {count(pauper, adds), wire.ErrInsufficientCredits, false},
		"no credits for data": {func(c *ledgertest.Chain) *wire.Tx { return c.AddEntry(pauper, "a", "x") }, wire.ErrInsufficientCredits, false},
		"no funds":            {func(c *ledgertest.Chain) *wire.Tx { return c.Transfer(pauper, 1, wire.Account{1}) }, wire.ErrInsufficientFunds, false},
		"more than owned":     {func(c *ledgertest.Chain) *wire.Tx { return c.Transfer(alice, ledgertest.Rich, wire.Account{1}) }, wire.ErrInsufficientFunds, false},
		"no such chain":       {func(c *ledgertest.Chain) *wire.Tx { return c.AddEntry(alice, "unknown", "x") }, wire.ErrUnknownChain, false},
		"chain exists":        {func(c *ledgertest.Chain) *wire.Tx { return c.CreateChain(alice, "a") }, wire.ErrChainExists, false},
		"family refuses":      {count(alice, refuses), wire.ErrBusy, true},
	}
	eachStoreCounting(t, func(t *testing.T, c *ledgertest.Chain) {
		c.OK(c.CreateChain(alice, "a"))
		for name, want := range cases {
			before, balance, supply := c.Ledger.Tip(), c.Balance(alice), c.Supply()
			tx := want.tx(c)
			if code := c.Admit(tx); code != want.code && !want.priced {
				t.Errorf("%s: admission says %s, want %s", name, code, want.code)
			}
			done := c.Run(tx)
			r := c.Result(done, 0)
			if r.Code != want.code || r.TxID != tx.ID() || len(r.Output) != 0 {
				t.Errorf("%s: %s, output %x; want %s", name, r.Code, r.Output, want.code)
			}
			if len(done.Entries) != 0 || done.DataRoot != before.DataRoot {
				t.Errorf("%s: data was recorded", name)
			}
			if !want.priced {
				if r.Credits != 0 || r.Fee != 0 || done.Exec.StateRoot != before.Exec.StateRoot {
					t.Errorf("%s: it cost %d credits and %d factoshis, or state changed", name, r.Credits, r.Fee)
				}
				continue
			}
			if r.Credits+r.Fee == 0 {
				t.Errorf("%s: no price", name)
			}
			balance.Credits -= r.Credits
			supply.Credits, supply.Spent = supply.Credits-r.Credits, supply.Spent+r.Credits
			if c.Balance(alice) != balance || c.Supply() != supply {
				t.Errorf("%s: balance %+v, supply %+v; want %+v, %+v", name, c.Balance(alice), c.Supply(), balance, supply)
			}
		}
	})
}

func TestChargedTransactionIsReplayedUntilItExpires(t *testing.T) {
	eachStoreCounting(t, func(t *testing.T, c *ledgertest.Chain) {
		now := c.NextMs()
		until := now + 5*60_000
		tx := c.TxUntil(until, ledgertest.Alice, counterName, []byte{adds})
		failing := c.TxUntil(until, ledgertest.Alice, counterName, []byte{refuses})
		code := func(done *ledger.Executed, i int) wire.Code { return c.Result(done, i).Code }

		done := c.RunAt(now, tx, tx, failing, failing)
		if code(done, 0) != wire.OK || code(done, 1) != wire.ErrReplayed || code(done, 2) != wire.ErrBusy || code(done, 3) != wire.ErrReplayed {
			t.Fatalf("within a block: %s %s %s %s", code(done, 0), code(done, 1), code(done, 2), code(done, 3))
		}
		for _, at := range []uint64{now + 1, now + 60_000, until - 1, until} {
			if done := c.RunAt(at, tx, failing); code(done, 0) != wire.ErrReplayed || code(done, 1) != wire.ErrReplayed {
				t.Fatalf("%d ms later: %s, %s", at-now, code(done, 0), code(done, 1))
			}
		}
		if got := c.Admit(tx); got != wire.ErrExpired {
			t.Fatalf("admission a second after the end: %s", got)
		}
		for _, at := range []uint64{until + 1, until + 60_000, until + 120_000} {
			if done := c.RunAt(at, tx, failing); code(done, 0) != wire.ErrExpired || code(done, 1) != wire.ErrExpired {
				t.Fatalf("%d ms later: %s, %s", at-now, code(done, 0), code(done, 1))
			}
		}
		if n := remembered(c); n != 0 {
			t.Fatalf("%d ids remembered after they expired", n)
		}
	})
}

// remembered counts the ids in the store.
func remembered(c *ledgertest.Chain) (n int) {
	if err := c.Store.Iter([]byte{'r'}, []byte{'s'}, func(_, _ []byte) bool { n++; return true }); err != nil {
		c.Fatal(err)
	}
	return n
}

// The bounds of the window are inclusive.
func TestValidityWindowIncludesItsEnds(t *testing.T) {
	c := withCounter(t)
	c.OK(c.TxUntil(c.NextMs(), ledgertest.Alice, counterName, []byte{adds}),
		c.TxUntil(c.NextMs()+wire.MaxValidity, ledgertest.Alice, counterName, []byte{adds}))
}

// What could not be paid changed nothing, and may come again once it can be paid.
func TestUnpaidTransactionMayComeAgain(t *testing.T) {
	c := withCounter(t)
	c.OK(c.CreateChain(ledgertest.Alice, "a"))
	entry, tx := c.AddEntry(ledgertest.Pauper, "a", "x"), c.Tx(ledgertest.Pauper, counterName, []byte{adds})
	for i, done := 0, c.Run(entry, tx); i < 2; i++ {
		if r := c.Result(done, i); r.Code != wire.ErrInsufficientCredits {
			t.Fatal(r.Code)
		}
	}
	c.OK(c.Buy(ledgertest.Alice, 10*ledgertest.Rate, ledgertest.Pauper.Public()))
	c.OK(entry, tx)
}

func TestTransactionsSeeWhatEarlierOnesInTheBlockDid(t *testing.T) {
	c := newChain(t, store.NewMemory())
	poor := ledgertest.Account(ledgertest.Pauper)
	c.OK(c.Transfer(ledgertest.Alice, 100*ledgertest.Rate, poor),
		c.Buy(ledgertest.Pauper, 20*ledgertest.Rate, ledgertest.Pauper.Public()),
		c.CreateChain(ledgertest.Pauper, "p"), c.AddEntry(ledgertest.Pauper, "p", "x"))
	if got := c.Balance(ledgertest.Pauper); got.Credits != 20-12 {
		t.Fatalf("%d credits left, want 8", got.Credits)
	}
}

// The batch of a block stays below the store's limit whatever is in the block;
// what does not fit is as if it had not been there.
func TestBlockThatWritesTooMuchIsCutShort(t *testing.T) {
	c := newChain(t, store.NewMemory())
	var txs []*wire.Tx
	for i := range 40 {
		txs = append(txs, c.Transfer(ledgertest.Alice, 1, ledgertest.Accounts(i*255, 255)...))
	}
	done := c.Run(txs...)
	busy := 0
	for i := range txs {
		switch r := c.Result(done, i); {
		case r.Code == wire.ErrBusy && r.Fee == 0:
			busy++
		case r.Code != wire.OK || busy > 0:
			t.Fatalf("transaction %d: %s after %d were busy", i, r.Code, busy)
		}
	}
	if busy == 0 || busy == len(txs) {
		t.Fatalf("%d of %d did not fit", busy, len(txs))
	}
	if s := c.Supply(); s.Factoshis+s.Burnt != 3*ledgertest.Rich {
		t.Fatalf("supply %+v", s)
	}
	c.OK(txs[len(txs)-busy:]...)
}

func TestExecuteRefusesWhatDoesNotBelongOnTheTip(t *testing.T) {
	cases := map[string]func(b *wire.Block){
		"height":         func(b *wire.Block) { b.Header.Height++ },
		"parent":         func(b *wire.Block) { b.Header.Parent[0]++ },
		"time":           func(b *wire.Block) { b.Header.TimeMs = ledgertest.StartMs },
		"unchecked body": func(b *wire.Block) { b.Body = []byte{0x81} },
		"unchecked item": func(b *wire.Block) { b.Body = wire.EncodeList([][]byte{{1, 2}}) },
	}
	for name, spoil := range cases {
		c := newChain(t, store.NewMemory())
		b := c.Block(c.NextMs(), c.CreateChain(ledgertest.Alice, "a"))
		spoil(b)
		if _, err := c.Ledger.Execute(b); err == nil {
			t.Errorf("%s: executed", name)
		}
		// A ledger that failed stays failed; the store is as it was.
		if _, err := c.Ledger.Execute(c.Block(c.NextMs())); err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("%s: went on with %v", name, err)
		}
		if _, err := c.Ledger.Flush(); err == nil {
			t.Errorf("%s: flushed", name)
		}
		c.Open(c.Store)
		c.OK(c.CreateChain(ledgertest.Alice, "a"))
	}
}

func TestOpenRefusesWhatItCannotContinue(t *testing.T) {
	c := newChain(t, store.NewMemory())
	other := ledgertest.Genesis()
	other.Name = "other"
	if _, err := ledger.Open(c.Store, other, families.All()); err == nil || !strings.Contains(err.Error(), ledger.ErrForeign.Error()) {
		t.Errorf("another chain's store: %v", err)
	}
	strange := ledgertest.GenesisOf(wire.FamilyGenesis{Name: "strange"})
	if _, err := ledger.Open(store.NewMemory(), strange, families.All()); err == nil {
		t.Error("a family this program does not have")
	}
	for name, params := range map[string]string{
		"no parameters": "", "no rate": `{"allocations":[]}`, "unknown field": `{"rate":1,"x":1}`,
		"bad address": `{"rate":1,"allocations":[{"address":"FA1","factoshis":1}]}`,
	} {
		g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: token.Name, Params: []byte(params)})
		s := store.NewMemory()
		if l, err := ledger.Open(s, g, families.All()); err == nil || l != nil {
			t.Errorf("%s: opened", name)
		}
		if b, err := s.Get([]byte{'m'}); b != nil || err != nil {
			t.Errorf("%s: a refused genesis left a tip", name)
		}
	}
	b := store.NewBatch(1)
	b.Set([]byte{'m'}, []byte("damaged"))
	if err := c.Store.Apply(0, b); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(c.Store, c.Genesis, families.All()); err == nil {
		t.Error("a damaged tip")
	}
}

func TestOutcomesAreKeptUntilArchived(t *testing.T) {
	eachStore(t, func(t *testing.T, c *ledgertest.Chain) {
		var done []*ledger.Executed
		for _, name := range []string{"a", "b", "c", "d"} {
			done = append(done, c.OK(c.CreateChain(ledgertest.Alice, name)))
		}
		kept := func(height uint64) *ledger.Outcome {
			var o *ledger.Outcome
			c.View(func(v *ledger.View) {
				var err error
				if o, err = v.Retained(height); err != nil && wire.CodeOf(err) != wire.ErrNotFound {
					t.Fatal(err)
				}
			})
			return o
		}
		for _, d := range done {
			o := kept(d.Height())
			if o == nil || o.Exec != d.Exec || o.Header.Hash() != d.Hash || len(o.Body) == 0 || string(o.Results[0]) != string(d.Results[0]) || o.Entries[0] != d.Entries[0] {
				t.Fatalf("height %d: kept %+v", d.Height(), o)
			}
		}
		c.Ledger.Prune(2)
		c.Run()
		if kept(0) != nil || kept(1) != nil || kept(2) != nil || kept(3) == nil || kept(5) == nil {
			t.Fatal("pruned up to 2: kept another part")
		}
		c.Ledger.Prune(1 << 60) // whatever the host claims, the new block's stays
		last := c.Run()
		if kept(4) != nil || kept(last.Height()) == nil {
			t.Fatal("pruned beyond the tip")
		}
	})
}
