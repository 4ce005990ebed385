package ledger_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// stores are the drivers every test of this package holds for.
var stores = map[string]func(testing.TB) store.Store{
	"memory": func(testing.TB) store.Store { return store.NewMemory() },
	"pebble": func(t testing.TB) store.Store {
		s, err := store.OpenPebble(store.PebbleOptions{FS: vfs.NewMem(), Dir: "state", CacheBytes: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	},
}

func newChain(t testing.TB, s store.Store) *ledgertest.Chain {
	return ledgertest.New(t, s, ledgertest.Genesis(), families.All())
}

// benchmarkBlocks times Execute for blocks which prepare makes, untimed.
func benchmarkBlocks(b *testing.B, c *ledgertest.Chain, perBlock int, prepare func(round int) []*wire.Tx) {
	b.ReportAllocs()
	round := 0
	for b.Loop() {
		b.StopTimer()
		block := c.Block(c.NextMs(), prepare(round)...)
		c.Ledger.Prune(c.Ledger.Height())
		round++
		b.StartTimer()
		done, err := c.Ledger.Execute(block)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for i := range done.Results {
			if r := c.Result(done, i); r.Code != wire.OK {
				b.Fatalf("transaction %d: %s", i, r.Code)
			}
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*perBlock), "ns/tx")
}

// BenchmarkEntries executes blocks of 1000 entries of 256 bytes by 3 payers
// into 1, 50 or 1000 chains.
func BenchmarkEntries(b *testing.B) {
	payers := []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob, ledgertest.Carol}
	content := string(make([]byte, 256))
	for name, open := range stores {
		for _, chains := range []int{1, 50, 1000} {
			b.Run(fmt.Sprintf("%s/chains=%d", name, chains), func(b *testing.B) {
				c := newChain(b, open(b))
				var create []*wire.Tx
				for i := range chains {
					create = append(create, c.CreateChain(payers[i%3], fmt.Sprint("chain ", i)))
				}
				c.OK(create...)
				benchmarkBlocks(b, c, 1000, func(int) []*wire.Tx {
					txs := make([]*wire.Tx, 1000)
					for i := range txs {
						txs[i] = c.AddEntry(payers[i%3], fmt.Sprint("chain ", i%chains), content)
					}
					return txs
				})
			})
		}
	}
}

// BenchmarkHalves executes blocks of 1000 commits of entries of 256 bytes, and then
// of their reveals; ns/tx is for one of each.
func BenchmarkHalves(b *testing.B) {
	content := string(make([]byte, 256))
	for name, open := range stores {
		b.Run(name, func(b *testing.B) {
			c := newChain(b, open(b))
			c.OK(c.CreateChain(ledgertest.Alice, "chain"))
			benchmarkBlocks(b, c, 1000, func(round int) []*wire.Tx {
				txs := make([]*wire.Tx, 2000)
				for i := range 1000 {
					txs[i], txs[1000+i] = c.Halves(ledgertest.Alice, "chain", fmt.Sprint(round*1000+i, content))
				}
				return txs
			})
		})
	}
}

// BenchmarkTransfers executes blocks of 1000 transfers between 100 000 accounts.
func BenchmarkTransfers(b *testing.B) {
	const population = 100_000
	for name, open := range stores {
		b.Run(name, func(b *testing.B) {
			c := newChain(b, open(b))
			for n := 0; n < population; n += 5000 {
				var fund []*wire.Tx
				for i := n; i < n+5000; i += 250 {
					fund = append(fund, c.Transfer(ledgertest.Alice, 10_000, ledgertest.Accounts(i, 250)...))
				}
				c.OK(fund...)
				c.Ledger.Prune(c.Ledger.Height())
			}
			payers := make([]wire.PrivateKey, 1000)
			for i := range payers {
				payers[i] = ledgertest.Key(100 + i)
			}
			for i := 0; i < len(payers); i += 250 {
				var to []wire.Account
				for _, k := range payers[i : i+250] {
					to = append(to, ledgertest.Account(k))
				}
				c.OK(c.Transfer(ledgertest.Bob, 100_000_000, to...))
			}
			benchmarkBlocks(b, c, 1000, func(round int) []*wire.Tx {
				txs := make([]*wire.Tx, 1000)
				for i := range txs {
					txs[i] = c.Transfer(payers[i], 1, ledgertest.Accounts((round*1000+i*7919)%population, 1)...)
				}
				return txs
			})
		})
	}
}

// BenchmarkAdmit judges one entry on a view, without signature.
func BenchmarkAdmit(b *testing.B) {
	for name, open := range stores {
		b.Run(name, func(b *testing.B) {
			c := newChain(b, open(b))
			c.OK(c.CreateChain(ledgertest.Alice, "chain"))
			tx := c.AddEntry(ledgertest.Alice, "chain", string(make([]byte, 256)))
			checked := ledger.CheckTxs([][]byte{tx.Bytes()}, c.Genesis.ChainID(), c.Ledger.Families(), nil)[0]
			v := c.Ledger.View()
			now := c.NextMs()
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Admit(&checked.Request, now); err != nil {
					b.Fatal(err)
				}
			}
			if err := v.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
