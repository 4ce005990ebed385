package archive

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"cloister/host/archive/archivetest"
	"cloister/wire"
)

// BenchmarkAppend stores blocks of 500 entries of 256 bytes each; one
// operation is one transaction, from what the core publishes to a durable,
// indexed block. cpu-µs/op counts all goroutines; index-B and blocks-B are what
// reached the disk for it.
func BenchmarkAppend(b *testing.B) {
	const perBlock = 500
	for _, chains := range []int{16, 1 << 20} {
		b.Run(fmt.Sprintf("chains=%d", chains), func(b *testing.B) {
			c := archivetest.New("bench", 3)
			content := make([]byte, 200)
			for i := range (b.N + perBlock - 1) / perBlock {
				block := archivetest.Block{Sealed: true}
				for n := range min(perBlock, b.N-i*perBlock) {
					block.Txs = append(block.Txs, c.AddEntry(fmt.Sprint("c", (i*perBlock+n)*7919%chains), content))
				}
				c.Add(block)
			}
			a := openAt(b, b.TempDir(), c.Genesis)
			before := cpuTime(b)
			b.ResetTimer()
			for _, f := range c.Finals {
				if err := a.Append(f); err != nil {
					b.Fatal(err)
				}
			}
			if err := a.Sync(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			cpu := cpuTime(b) - before
			if err := a.index.rows.DB.Flush(); err != nil {
				b.Fatal(err)
			}
			m := a.index.rows.DB.Metrics()
			total := m.Total()
			b.ReportMetric(float64(cpu.Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(total.TableBytesFlushed+total.TableBytesCompacted)/float64(b.N), "index-B/op")
			b.ReportMetric(float64(a.blocks.end)/float64(b.N), "blocks-B/op")
			if err := a.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkTransaction reads one transaction and its result.
func BenchmarkTransaction(b *testing.B) {
	c := archivetest.New("bench", 3)
	var ids []wire.Hash
	for range 40 {
		block := archivetest.Block{Sealed: true}
		for range 250 {
			tx := c.AddEntry("c", make([]byte, 200))
			block.Txs, ids = append(block.Txs, tx), append(ids, tx.ID())
		}
		c.Add(block)
	}
	a := stored(b, c)
	for i := 0; b.Loop(); i++ {
		if _, err := a.Transaction(ids[i*7919%len(ids)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReceipt makes an executed receipt out of a block of 250.
func BenchmarkReceipt(b *testing.B) {
	c := archivetest.New("bench", 3)
	var ids []wire.Hash
	for range 40 {
		block := archivetest.Block{Sealed: true}
		for range 250 {
			tx := c.AddEntry("c", make([]byte, 200))
			block.Txs, ids = append(block.Txs, tx), append(ids, tx.ID())
		}
		c.Add(block)
	}
	c.Add(archivetest.Block{Sealed: true})
	a := stored(b, c)
	for i := 0; b.Loop(); i++ {
		if _, err := a.Receipt(ids[i*7919%len(ids)], "executed"); err != nil {
			b.Fatal(err)
		}
	}
}

// cpuTime is what the whole process has used so far.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
