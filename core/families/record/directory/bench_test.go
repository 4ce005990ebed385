package directory_test

import (
	"fmt"
	"testing"

	"cloister/core/families/record"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// BenchmarkClose closes periods of 4000 entries in 1 or 4000 chains, with empty
// blocks; ns/entry is all of it.
func BenchmarkClose(b *testing.B) {
	const entries = 4000
	for _, chains := range []int{1, entries} {
		b.Run(fmt.Sprintf("chains=%d", chains), func(b *testing.B) {
			c := ledgertest.New(b, store.NewMemory(), genesis(b), []ledger.Family{token.Family{}, record.Family{}, authority{}})
			known := map[string]bool{}
			blocks := 0
			for b.Loop() {
				b.StopTimer()
				for n := 0; n < entries; n += 1000 {
					var txs []*wire.Tx
					for i := range 1000 {
						name := fmt.Sprint("chain ", (n+i)%chains)
						if !known[name] {
							known[name] = true
							txs = append(txs, c.CreateChain(ledgertest.Alice, name))
							continue
						}
						txs = append(txs, c.AddEntry(ledgertest.Alice, name, fmt.Sprint(n+i)))
					}
					c.RunAt(c.Ledger.Tip().Header.TimeMs+1, txs...)
				}
				c.Ledger.Prune(c.Ledger.Height())
				at := c.Ledger.Tip().Header.TimeMs + periodMs
				b.StartTimer()
				for c.RunAt(at); c.Ledger.Tip().DueMs == 1; blocks++ {
					at++
					c.RunAt(at)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
			b.ReportMetric(float64(blocks)/float64(b.N), "blocks")
		})
	}
}
