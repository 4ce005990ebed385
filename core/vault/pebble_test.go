package vault

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cloister/gate/gatetest"
)

// quiet drops Pebble's log and turns a fatal one into a test failure.
type quiet struct{ t tb }

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (q quiet) Fatalf(f string, args ...any) { q.t.Fatalf(f, args...) }

func openPebble(t tb, v *Vault) *pebble.DB {
	t.Helper()
	db, err := pebble.Open("state", &pebble.Options{
		FS: v.FS(), DisableWAL: true, MemTableSize: 256 << 10, L0CompactionThreshold: 2,
		FormatMajorVersion: pebble.FormatNewest, Logger: quiet{t},
	})
	must(t, err)
	return db
}

const batchKeys = 20

// writeBatches writes blocks from..to, each a batch that sets the height and
// batchKeys keys to values naming the height.
func writeBatches(t tb, db *pebble.DB, from, to uint64) {
	t.Helper()
	for h := from; h <= to; h++ {
		b := db.NewBatch()
		must(t, b.Set([]byte("height"), binary.BigEndian.AppendUint64(nil, h), nil))
		for i := range batchKeys {
			must(t, b.Set(batchKey(h, i), pattern(int(h)+i, 400), nil))
		}
		must(t, b.Commit(pebble.NoSync))
	}
}

func batchKey(h uint64, i int) []byte { return fmt.Appendf(nil, "k%02d-%03d", i, h%50) }

// checkBatches demands the exact state after some block and returns its height.
func checkBatches(t tb, db *pebble.DB) uint64 {
	t.Helper()
	height := uint64(0)
	if val, closer, err := db.Get([]byte("height")); err == nil {
		height = binary.BigEndian.Uint64(val)
		must(t, closer.Close())
	} else if err != pebble.ErrNotFound {
		t.Fatal(err)
	}
	want := map[string]string{}
	for h := uint64(1); h <= height; h++ {
		for i := range batchKeys {
			want[string(batchKey(h, i))] = string(pattern(int(h)+i, 400))
		}
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte("k"), UpperBound: []byte("l")})
	must(t, err)
	n := 0
	for it.First(); it.Valid(); it.Next() {
		if want[string(it.Key())] != string(it.Value()) {
			t.Fatalf("key %s is not as of height %d", it.Key(), height)
		}
		n++
	}
	must(t, it.Error())
	must(t, it.Close())
	if n != len(want) {
		t.Fatalf("%d keys at height %d, want %d", n, height, len(want))
	}
	return height
}

func TestPebbleWithoutLogReopensAtABatchBoundary(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		disk := gatetest.NewMemory()
		tip, flushed := uint64(0), uint64(0)
		for boot := range 5 {
			v := mustOpen(t, disk)
			db := openPebble(t, v)
			h := checkBatches(t, db)
			if h < flushed || h > tip {
				t.Fatalf("seed %d, boot %d: height %d, %d was flushed, %d written", seed, boot, h, flushed, tip)
			}
			tip = h
			for range 3 {
				n := uint64(1 + rng.IntN(60))
				writeBatches(t, db, tip+1, tip+n)
				tip += n
				if rng.IntN(2) == 0 {
					must(t, db.Flush())
					flushed = tip
				}
			}
			// The power fails while flushes and compactions may be at work; what
			// the closing program still writes goes to the abandoned disk.
			crashed := powerLoss(disk, func() bool { return rng.IntN(2) == 0 })
			must(t, db.Close())
			disk = crashed
		}
	}
}

func TestPebbleSurvivesAnOrderlyRestart(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	db := openPebble(t, v)
	writeBatches(t, db, 1, 200)
	must(t, db.Flush())
	must(t, db.Compact(t.Context(), []byte("a"), []byte("z"), false))
	must(t, db.Checkpoint("copy"))
	must(t, db.Close())
	must(t, v.Close())
	v = mustOpen(t, disk.Crash(nil))
	db = openPebble(t, v)
	if h := checkBatches(t, db); h != 200 {
		t.Fatalf("height %d", h)
	}
	must(t, db.Close())
	copied, err := pebble.Open("copy", &pebble.Options{FS: v.FS(), FormatMajorVersion: pebble.FormatNewest, Logger: quiet{t}})
	must(t, err)
	if h := checkBatches(t, copied); h != 200 {
		t.Fatalf("checkpoint at height %d", h)
	}
	must(t, copied.Close())
}

func TestPebbleReadsRightOrFails(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	db := openPebble(t, v)
	writeBatches(t, db, 1, 300)
	must(t, db.Flush())
	must(t, db.Close())

	var armed atomic.Bool // Pebble reads from its own goroutines too
	var reads atomic.Int64
	failing := errorfs.Wrap(v.FS(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind == errorfs.OpFileReadAt && reads.Add(1)%11 == 0 {
			return errorfs.ErrInjected
		}
		return nil
	}))
	db, err := pebble.Open("state", &pebble.Options{FS: failing, DisableWAL: true, CacheSize: 1, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{t}})
	must(t, err)
	armed.Store(true)
	failed, right := 0, 0
	for h := uint64(251); h <= 300; h++ {
		val, closer, err := db.Get(batchKey(h, 3))
		if err != nil {
			wantErr(t, err, errorfs.ErrInjected)
			failed++
			continue
		}
		if string(val) != string(pattern(int(h)+3, 400)) {
			t.Fatalf("height %d: wrong value", h)
		}
		must(t, closer.Close())
		right++
	}
	armed.Store(false)
	if failed == 0 || right == 0 {
		t.Fatalf("%d reads failed, %d were right; the test needs both", failed, right)
	}
	checkBatches(t, db)
	must(t, db.Close())
}

func TestPebbleNeverSeesTamperedBytes(t *testing.T) {
	// Any flipped bit in any object is an error or nothing, never another value.
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	db := openPebble(t, v)
	writeBatches(t, db, 1, 60)
	must(t, db.Flush())
	must(t, db.Close())
	must(t, v.Close())
	rng := rand.New(rand.NewPCG(5, 6))
	rows, err := disk.List()
	must(t, err)
	refusals := 0
	for range 120 {
		r := rows[rng.IntN(len(rows))]
		hurt := disk.Snapshot()
		hurt.FlipBit(r.ID, rng.Uint64N(r.Len), uint(rng.IntN(8)))
		v, err := Open(hurt, options())
		if err != nil {
			wantErr(t, err, ErrCorrupt)
			refusals++
			continue
		}
		opened, err := pebble.Open("state", &pebble.Options{FS: v.FS(), DisableWAL: true, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{t}})
		if err != nil {
			wantErr(t, err, ErrCorrupt)
			refusals++
			continue
		}
		it, err := opened.NewIter(nil)
		must(t, err)
		for it.First(); it.Valid(); it.Next() {
			if it.Key()[0] != 'k' {
				continue
			}
			var i int
			var h uint64
			_, err := fmt.Sscanf(string(it.Key()), "k%02d-%03d", &i, &h)
			must(t, err)
			if h < 11 {
				h += 50
			}
			if string(it.Value()) != string(pattern(int(h)+i, 400)) {
				t.Fatalf("key %s has another value", it.Key())
			}
		}
		if it.Error() != nil {
			wantErr(t, it.Error(), ErrCorrupt)
			refusals++
		}
		if err := it.Close(); err != nil {
			wantErr(t, err, ErrCorrupt)
		}
		must(t, opened.Close())
	}
	if refusals == 0 {
		t.Fatal("no flipped bit was noticed")
	}
}
