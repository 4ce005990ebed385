package directory

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"cloister/host/archive/archivetest"
	"cloister/wire"
)

// filled is a world with blocks of perBlock pairs, and as many new chains as
// said, over 100 s of block time.
func filled(b *testing.B, blocks, perBlock, chains int) (w *world, entries []wire.Hash) {
	b.Helper()
	w = newWorld(b)
	content := make([]byte, 200)
	for i := range blocks {
		var txs []*wire.Tx
		for n := range perBlock {
			name, text := fmt.Sprint("c", (i*perBlock+n)*7919%chains), fmt.Append(content, i, "-", n)
			txs = append(txs, w.c.AddEntry(name, text))
			entries = append(entries, archivetest.EntryHash(name, text))
		}
		w.add(uint64(100_000/blocks), txs...)
	}
	return w, entries
}

// BenchmarkFold takes in pairs of commit and entry; one operation is one pair,
// from the archive to rows, and to closed blocks. It uses more than one core.
func BenchmarkFold(b *testing.B) {
	for _, chains := range []int{16, 1 << 20} {
		b.Run(fmt.Sprintf("chains=%d", chains), func(b *testing.B) {
			const perBlock = 500
			w, _ := filled(b, max(1, b.N/perBlock), perBlock, chains)
			x, err := Open(b.TempDir(), Options{Genesis: w.c.Genesis, Archive: w.a, Ledger: w.l, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			w.x = x
			b.ResetTimer()
			w.run()
			w.caughtUp()
			b.StopTimer()
		})
	}
}

// BenchmarkTake makes the rows of blocks alone, on one core.
func BenchmarkTake(b *testing.B) {
	const perBlock = 500
	w, _ := filled(b, 20, perBlock, 1000)
	x := w.open()
	f := x.fold
	b.ResetTimer()
	for n := 0; n < b.N; n += 20 * perBlock {
		f.pos = position{}
		if _, err := f.step(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEntry reads entries of closed periods at random.
func BenchmarkEntry(b *testing.B) {
	w, entries := filled(b, 200, 250, 1000)
	w.add(periodMs)
	x, err := Open(b.TempDir(), Options{Genesis: w.c.Genesis, Archive: w.a, Ledger: w.l, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	w.x = x
	w.run()
	w.caughtUp()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if _, err := x.Entry(entries[i*7919%len(entries)]); err != nil {
			b.Fatal(err)
		}
	}
}
