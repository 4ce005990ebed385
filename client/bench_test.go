package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"cloister/client"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/host/archive"
	"cloister/wire"
)

// instant records every batch at once and keeps nothing, so that what is
// measured is the way through client, loopback HTTP/2 and API alone.
type instant struct {
	*apitest.Ledger
	mu     sync.Mutex
	height uint64
	watch  func(archive.Appended)
}

func (i *instant) Watch(f func(archive.Appended)) (stop func()) {
	i.watch = f
	return func() {}
}

func (i *instant) Submit(_ context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	items, results := make([]api.SubmitItem, len(txs)), make([]wire.Result, len(txs))
	for k, raw := range txs {
		tx, err := wire.DecodeTx(raw)
		if err != nil {
			return nil, err
		}
		items[k].TxID = tx.ID()
		results[k].TxID = items[k].TxID
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.height++
	i.watch(archive.Appended{Height: i.height, Sealed: true, TimeMs: i.height, Results: results})
	return items, nil
}

func benchLedger(b *testing.B) (*apitest.Ledger, string) {
	l := apitest.New(1)
	i := &instant{Ledger: l}
	return l, host(b, l, func(c *api.Config) { c.Submitter, c.Archive = i, i })
}

// made are transactions of 256 payload bytes, signed before the clock runs.
func made(l *apitest.Ledger, n int) []*wire.Tx {
	txs := make([]*wire.Tx, n)
	for i := range txs {
		txs[i] = l.Tx("record", make([]byte, 256), uint64(i))
	}
	return txs
}

// BenchmarkSubmitBatch sends one batch after the other and waits for seals.
func BenchmarkSubmitBatch(b *testing.B) {
	for _, size := range []int{1, 64, 256} {
		for _, sealed := range []bool{false, true} {
			b.Run(fmt.Sprintf("txs=%d/sealed=%t", size, sealed), func(b *testing.B) {
				l, endpoint := benchLedger(b)
				c := dial(b, l, client.Options{}, endpoint)
				txs := made(l, size)
				b.ReportAllocs()
				for b.Loop() {
					if _, errs := c.SubmitBatch(bg, txs, sealed); errors.Join(errs...) != nil {
						b.Fatal(errs)
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "tx/s")
			})
		}
	}
}

// BenchmarkSubmit is many callers of one transaction each, which the client
// gathers into batches.
func BenchmarkSubmit(b *testing.B) {
	l, endpoint := benchLedger(b)
	c := dial(b, l, client.Options{}, endpoint)
	txs := made(l, 1024)
	b.ReportAllocs()
	b.SetParallelism(512)
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			if _, err := c.Submit(bg, txs[i%len(txs)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
