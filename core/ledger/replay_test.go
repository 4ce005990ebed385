package ledger_test

import (
	"encoding/binary"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/smt"
	"cloister/wire/token"
)

// story is a random chain: blocks of transactions of every kind, good and bad.
func story(t *rapid.T, c *ledgertest.Chain) []*wire.Block {
	keys := []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob, ledgertest.Pauper}
	names := []string{"a", "b", "c"}
	var blocks []*wire.Block
	var past []*wire.Tx
	for range rapid.IntRange(1, 12).Draw(t, "blocks") {
		var txs []*wire.Tx
		for range rapid.IntRange(0, 8).Draw(t, "transactions") {
			k := rapid.SampledFrom(keys).Draw(t, "payer")
			name := rapid.SampledFrom(names).Draw(t, "chain")
			switch rapid.IntRange(0, 6).Draw(t, "kind") {
			case 0:
				txs = append(txs, c.CreateChain(k, name))
			case 1, 2:
				txs = append(txs, c.AddEntry(k, name, rapid.String().Draw(t, "content")))
			case 3:
				amount := rapid.Uint64Range(1, ledgertest.Rich).Draw(t, "amount")
				txs = append(txs, c.Transfer(k, amount, ledgertest.Account(rapid.SampledFrom(keys).Draw(t, "to")), wire.Account{7}))
			case 4:
				txs = append(txs, c.Buy(k, rapid.Uint64Range(1, 50*ledgertest.Rate).Draw(t, "amount"), k.Public()))
			case 5:
				commit, reveal := c.Halves(k, name, rapid.String().Draw(t, "content"))
				txs = append(txs, commit, reveal)
				past = append(past, reveal)
			case 6:
				if len(past) > 0 {
					txs = append(txs, rapid.SampledFrom(past).Draw(t, "again"))
				}
			}
		}
		past = append(past, txs...)
		step := rapid.SampledFrom([]uint64{1, 1000, 59_000, 61_000, 3_600_000, 90_000_000}).Draw(t, "ms later")
		b := c.Block(c.Ledger.Tip().Header.TimeMs+step, txs...)
		if _, err := c.Ledger.Execute(b); err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// TestSameBlocksGiveTheSameRootsHoweverTheyAreRun executes one chain in one go,
// and again on each driver with restarts, lost memory, views in the way and
// other numbers of processors: all roots agree.
func TestSameBlocksGiveTheSameRootsHoweverTheyAreRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	rapid.Check(t, func(rt *rapid.T) {
		first := newChain(t, store.NewMemory())
		blocks := story(rt, first)
		want := first.Ledger.Tip()

		memory := store.NewMemory()
		again := newChain(t, memory)
		durable := uint64(0)
		for next := uint64(1); next <= uint64(len(blocks)); {
			if _, err := again.Ledger.Execute(blocks[next-1]); err != nil {
				rt.Fatal(err)
			}
			next++
			switch rapid.SampledFrom([]string{"go on", "flush", "reopen", "crash"}).Draw(rt, "then") {
			case "flush":
				h, err := again.Ledger.Flush()
				if err != nil || h != next-1 {
					rt.Fatalf("flushed %d of %d, %v", h, next-1, err)
				}
				durable = h
			case "reopen":
				again.Open(memory)
			case "crash":
				memory = memory.Survivor()
				again.Open(memory)
				if again.Ledger.Height() != durable {
					rt.Fatalf("height %d after a crash, %d was durable", again.Ledger.Height(), durable)
				}
				next = durable + 1
			}
		}
		if got := again.Ledger.Tip(); got.Hash != want.Hash || got.Exec != want.Exec || got.DataRoot != want.DataRoot || got.History != want.History {
			rt.Fatalf("with restarts: %+v\nwant %+v", got.Exec, want.Exec)
		}

		runtime.GOMAXPROCS(rapid.SampledFrom([]int{1, 2, 8}).Draw(rt, "processors"))
		pebble := newChain(t, stores["pebble"](t))
		for _, b := range blocks {
			view := pebble.Ledger.View()
			if _, err := pebble.Ledger.Execute(b); err != nil {
				rt.Fatal(err)
			}
			if err := view.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		if got := pebble.Ledger.Tip(); got.Exec != want.Exec || got.DataRoot != want.DataRoot {
			rt.Fatalf("on Pebble: %+v\nwant %+v", got.Exec, want.Exec)
		}
	})
}

// TestStateIsProvedAsOfEveryKeptHeight compares values and proofs as of old
// heights with what was read when they were new, up to the edge of what is kept
// and beyond.
func TestStateIsProvedAsOfEveryKeptHeight(t *testing.T) {
	eachStore(t, func(t *testing.T, c *ledgertest.Chain) {
		// One account changes in every block, one in every seventh, one once.
		keys := [][]byte{
			token.BalanceKey(ledgertest.Account(ledgertest.Alice)),
			token.BalanceKey(wire.Account{7}),
			token.BalanceKey(wire.Account{1}),
			token.BalanceKey(wire.Account{2}),
		}
		const heights = ledger.Kept + 3*64
		history := make([]map[string]string, heights+1)
		execs := make([]wire.Exec, heights+1)
		for h := range history {
			if h > 0 {
				to := []wire.Account{{9}}
				if h%7 == 0 {
					to = append(to, wire.Account{7})
				}
				if h == heights/2 {
					to = append(to, wire.Account{1})
				}
				c.OK(c.Transfer(ledgertest.Alice, 1, to...))
				c.Ledger.Prune(uint64(h))
			}
			execs[h] = c.Ledger.Tip().Exec
			history[h] = map[string]string{}
			c.View(func(v *ledger.View) {
				for _, key := range keys {
					b, err := v.Get(token.Name, key)
					if err != nil {
						t.Fatal(err)
					}
					history[h][string(key)] = string(b)
				}
			})
		}
		c.View(func(v *ledger.View) {
			for h := range history {
				exec, _, err := v.Checkpoint(uint64(h))
				if kept := h > heights-ledger.Kept; !kept {
					if _, _, perr := v.Prove(uint64(h), token.Name, keys[0]); wire.CodeOf(err) != wire.ErrNotFound || wire.CodeOf(perr) != wire.ErrNotFound {
						t.Fatalf("height %d is too old: %v, %v", h, err, perr)
					}
					continue
				}
				if err != nil || exec != execs[h] {
					t.Fatalf("checkpoint %d: %v", h, err)
				}
				if h%5 != 0 && h < heights-10 && h > heights-ledger.Kept+10 {
					continue // enough of the middle
				}
				for _, key := range keys {
					value, proof, err := v.Prove(uint64(h), token.Name, key)
					if err != nil || string(value) != history[h][string(key)] {
						t.Fatalf("key %x as of %d: %x, %v; want %x", key, h, value, err, history[h][string(key)])
					}
					if err := smt.Verify(exec.StateRoot, ledger.ApplicationKey(token.Name, key), value, proof); err != nil {
						t.Fatalf("key %x as of %d: %v", key, h, err)
					}
				}
			}
			if _, _, err := v.Prove(heights+1, token.Name, keys[0]); wire.CodeOf(err) != wire.ErrNotFound {
				t.Fatalf("a height to come: %v", err)
			}
		})
		// What is kept does not grow with the chain: no undo entry, checkpoint or
		// stale list is older than the heights asked for, but for a span of undo.
		count := func(kind byte) (n int) {
			if err := c.Store.Iter([]byte{kind}, []byte{kind + 1}, func(_, _ []byte) bool { n++; return true }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if got := count('p'); got != ledger.Kept {
			t.Errorf("%d checkpoints, want %d", got, ledger.Kept)
		}
		if got, most := count('x'), ledger.Kept; got > most {
			t.Errorf("%d lists of stale pages, at most %d", got, most)
		}
		if got, most := count('u'), (ledger.Kept+64)*4; got > most {
			t.Errorf("%d undo entries, at most %d", got, most)
		}
		old := 0
		if err := c.Store.Iter([]byte{'t'}, []byte{'u'}, func(key, _ []byte) bool {
			if binary.BigEndian.Uint64(key[1:]) <= heights-ledger.Kept {
				old++
			}
			return true
		}); err != nil || old > 4 {
			t.Errorf("%d tree pages of heights no longer kept, %v; the whole tree has at most 4", old, err)
		}
		if got, most := count('o'), 1; got > most {
			t.Errorf("%d outcomes, at most %d", got, most)
		}
	})
}

// A view neither moves nor breaks while blocks are executed, and any number of
// goroutines may read it.
func TestViewsAreReadWhileBlocksAreExecuted(t *testing.T) {
	eachStore(t, func(t *testing.T, c *ledgertest.Chain) {
		c.OK(c.CreateChain(ledgertest.Alice, "a"))
		checked := c.Check(c.AddEntry(ledgertest.Alice, "a", "x"))
		failed := make(chan error, 200)
		done := make(chan struct{})
		const blocks = 30
		for range blocks {
			view, want := c.Ledger.View(), c.Balance(ledgertest.Alice)
			c.OK(c.AddEntry(ledgertest.Alice, "a", "y"))
			for range 2 {
				go func() {
					defer func() { done <- struct{}{} }()
					for range 20 {
						value, proof, err := view.Prove(view.Height(), token.Name, token.BalanceKey(ledgertest.Account(ledgertest.Alice)))
						if err == nil {
							err = smt.Verify(view.Tip().Exec.StateRoot, ledger.ApplicationKey(token.Name, token.BalanceKey(ledgertest.Account(ledgertest.Alice))), value, proof)
						}
						if err == nil && string(value) != string(wire.Marshal(want)) {
							err = wire.Faultf(wire.ErrInternal, "the view of %d moved", view.Height())
						}
						if err == nil {
							err = view.Admit(&checked.Request, view.Tip().Header.TimeMs)
						}
						if err != nil {
							failed <- err
							return
						}
					}
				}()
			}
			<-done
			<-done
			if err := view.Close(); err != nil {
				t.Fatal(err)
			}
		}
		close(failed)
		for err := range failed {
			t.Fatal(err)
		}
	})
}

func TestFamiliesOfAViewAreThoseOfTheGenesis(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(ledgertest.Money()), families.All())
	c.View(func(v *ledger.View) {
		if got := v.Families(); len(got) != 1 || got[0] != token.Name {
			t.Fatalf("%v", got)
		}
	})
	if r := c.One(c.CreateChain(ledgertest.Alice, "a")); r.Code != wire.ErrUnknownFamily {
		t.Fatalf("a family that is not enabled: %s", r.Code)
	}
}
