package vault

import (
	"math/rand/v2"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
)

// The hosts of these benchmarks are in memory: what is measured is the vault's
// own work, not the gate's or the disk's.

// sink takes writes and keeps nothing, so that a long benchmark does not
// measure the growth of a test disk.
type sink struct{ *gatetest.Memory }

func (sink) Create(uint64, gate.Class, uint64) error { return nil }
func (sink) Append(_, _ uint64, _ []byte) error      { return nil }
func (sink) Sync(uint64) error                       { return nil }

func BenchmarkLogAppendSync100KiB(b *testing.B) {
	l := mustLog(b, mustOpen(b, sink{gatetest.NewMemory()}), LogOptions{})
	batch := make([]Record, 200)
	size := 0
	for i := range batch {
		batch[i] = Record{1, pattern(i, 512)}
		size += recordHead + 512
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(batch...); err != nil {
			b.Fatal(err)
		}
		must(b, l.Sync())
	}
}

func benchmarkRead(b *testing.B, size int, next func(i, most int) int) {
	const length = 64 << 20
	v := mustOpen(b, gatetest.NewMemory())
	writeFile(b, v, "a", pattern(1, length))
	f, err := v.FS().Open("a")
	must(b, err)
	p := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := f.ReadAt(p, int64(next(i, length-size))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadSequential16KiB(b *testing.B) {
	benchmarkRead(b, 16<<10, func(i, most int) int { return i * (16 << 10) % (most + 1) })
}

func BenchmarkReadRandom16KiB(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	benchmarkRead(b, 16<<10, func(_, most int) int { return rng.IntN(most) })
}

func BenchmarkReplay64MiB(b *testing.B) {
	l := mustLog(b, mustOpen(b, gatetest.NewMemory()), LogOptions{})
	for i := range 512 {
		if _, err := l.Append(Record{1, pattern(i, 128<<10)}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		must(b, l.Replay(func(uint64, uint8, []byte) error { return nil }))
	}
}
