package directory

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/token"
)

const periodMs = archivetest.PeriodMs

// TestBlocksAreThoseOfTheLedger: entries over minutes and periods, a period without
// data, chain and entries in one minute, the same entry twice, money.
func TestBlocksAreThoseOfTheLedger(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.add(100, w.c.CreateChain("a", []byte("first")), w.c.AddEntry("a", []byte("x")), w.c.AddEntry("a", []byte("x")))
	w.add(900, w.c.AddEntry("a", []byte("y")))
	w.add(3000, w.c.Transfer(nil, []token.Purchase{{For: archivetest.Payer.Public(), Amount: 123_456}}), w.c.CreateChain("b", nil))
	w.add(periodMs)
	w.add(2*periodMs, w.c.AddEntry("a", []byte("x")))
	w.add(10, w.c.AddEntry("b", []byte("z")), w.c.Transfer([]token.Output{{To: wire.Account{7}, Amount: 5}}, nil))
	w.add(periodMs, w.c.Tx("node", []byte("other families leave no trace")))
	w.same()
	if v := w.caughtUp(); v.Count < 3 {
		t.Fatalf("%d periods are closed", v.Count)
	}
}

// TestAnyStory folds random stories while the state lags and closing takes long,
// and stops and crashes in between.
func TestAnyStory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		defer w.halt()
		w.l.slow = rapid.IntRange(1, 6).Draw(rt, "slow")
		w.l.lag = rapid.Uint64Range(0, 3).Draw(rt, "lag")
		names := []string{"a", "b", "c"}
		made := map[string]bool{}
		content := func() []byte { return fmt.Append(nil, rapid.IntRange(0, 3).Draw(rt, "content")) }
		var unpaid [][]byte
		for range rapid.IntRange(1, 40).Draw(rt, "blocks") {
			switch rapid.IntRange(0, 9).Draw(rt, "what happens") {
			case 0:
				w.halt()
			case 1:
				w.crash()
			case 2:
				if w.x != nil {
					if err := w.x.store.DB.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			case 3:
				w.l.mu.Lock()
				w.l.unready = 3
				w.l.mu.Unlock()
			default:
				if w.x == nil {
					w.run()
				}
			}
			b := archivetest.Block{AfterMs: rapid.SampledFrom([]uint64{1, 500, 1000, 4000, periodMs, 3 * periodMs}).Draw(rt, "after")}
			for range rapid.IntRange(0, 4).Draw(rt, "messages") {
				name := rapid.SampledFrom(names).Draw(rt, "chain")
				var tx *wire.Tx
				code := wire.OK
				switch kind := rapid.IntRange(0, 6).Draw(rt, "kind"); {
				case kind == 0:
					tx = w.c.Transfer([]token.Output{{To: wire.Account{1}, Amount: 10}}, []token.Purchase{{For: archivetest.Payer.Public(), Amount: 54_321}})
				case kind == 1:
					e := archivetest.Entry(name, content())
					unpaid = append(unpaid, e)
					tx = w.c.Pay(w.c.Commit(e))
				case kind == 2 && len(unpaid) > 0:
					tx = w.c.Reveal(unpaid[0])
					unpaid = unpaid[1:]
				case kind == 3:
					tx, code = w.c.Reveal(archivetest.Entry(name, content())), wire.ErrNoCommit
				case !made[name]:
					tx = w.c.CreateChain(name, content())
					made[name] = true
				default:
					tx = w.c.AddEntry(name, content())
				}
				b.Txs, b.Codes = append(b.Txs, tx), append(b.Codes, code)
			}
			w.addBlock(b)
		}
		for range 2 * (w.l.slow + int(w.l.lag) + 2) { // until everything above is closed
			w.add(periodMs)
		}
		if w.x == nil {
			w.run()
		}
		w.same()
		if err := w.halt(); err != nil {
			t.Fatal(err)
		}
	})
}
