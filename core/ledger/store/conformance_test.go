package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// driver is a store under test with a disk that can lose power.
type driver struct {
	Store
	crash func() *driver // gives up this one, returns what is found afterwards
}

func memoryDriver(s *Memory) *driver {
	return &driver{s, func() *driver {
		survivor := s.Survivor()
		if err := s.Close(); err != nil {
			panic(err)
		}
		return memoryDriver(survivor)
	}}
}

func pebbleDriver(fs *vfs.MemFS, tame bool) *driver {
	s, err := OpenPebble(PebbleOptions{FS: fs, Dir: "state", CacheBytes: 1 << 20, Tame: tame})
	if err != nil {
		panic(err)
	}
	return &driver{s, func() *driver {
		found := fs.CrashClone(vfs.CrashCloneCfg{})
		if err := s.Close(); err != nil { // its late writes reach only the abandoned disk
			panic(err)
		}
		return pebbleDriver(found, tame)
	}}
}

var drivers = map[string]func() *driver{
	"memory":      func() *driver { return memoryDriver(NewMemory()) },
	"pebble":      func() *driver { return pebbleDriver(vfs.NewCrashableMem(), false) },
	"tame pebble": func() *driver { return pebbleDriver(vfs.NewCrashableMem(), true) },
}

// model is what a store must answer, as a plain map.
type model map[string]string

func (m model) apply(b *Batch) {
	for _, o := range b.ops {
		switch o.kind {
		case opSet:
			m[string(o.key)] = string(o.value)
		case opDelete:
			delete(m, string(o.key))
		case opDeleteRange:
			maps.DeleteFunc(m, func(k, _ string) bool { return k >= string(o.key) && k < string(o.value) })
		}
	}
}

// mustEqual compares a reader with the model: each key by Get, the range by Iter.
func (m model) mustEqual(t interface{ Fatalf(string, ...any) }, r Reader, lo, hi string) {
	var want, got []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v, err := r.Get([]byte(k))
		if err != nil || string(v) != m[k] {
			t.Fatalf("Get(%x) = %x, %v; want %x", k, v, err, m[k])
		}
		if k >= lo && (hi == "" || k < hi) {
			want = append(want, k+"="+m[k])
		}
	}
	err := r.Iter([]byte(lo), []byte(hi), func(k, v []byte) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("Iter(%x, %x) = %q, %v; want %q", lo, hi, got, err, want)
	}
}

func genKey(first byte) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string([]byte{first}) + fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "key"))
	})
}

func genBatch(t *rapid.T) *Batch {
	b := NewBatch(0)
	for range rapid.IntRange(0, 60).Draw(t, "changes") {
		key := genKey(byte(rapid.IntRange(1, 2).Draw(t, "room"))).Draw(t, "key")
		switch rapid.IntRange(0, 9).Draw(t, "what") {
		default:
			b.Set([]byte(key), []byte(rapid.StringN(1, 4, -1).Draw(t, "value")))
		case 0, 1, 2:
			b.Delete([]byte(key))
		case 3:
			b.DeleteRange([]byte(key), []byte(key+"9"))
		}
	}
	return b
}

// TestDriversAreOrderedMapsWithSnapshotsAndCrashes runs random histories on
// every driver against a map: reads, snapshots that must not move, and crashes
// which must bring back the state after a block not older than the last Flush.
func TestDriversAreOrderedMapsWithSnapshotsAndCrashes(t *testing.T) {
	for name, open := range drivers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := open()
				defer func() { s.Close() }()
				history := []model{{}} // by height
				flushed := uint64(0)
				type kept struct {
					Snapshot
					model
				}
				var snaps []kept
				release := func() {
					for _, k := range snaps {
						k.mustEqual(t, k, "", "")
						if err := k.Snapshot.Close(); err != nil {
							t.Fatalf("closing a snapshot: %v", err)
						}
					}
					snaps = nil
				}
				for range rapid.IntRange(1, 25).Draw(t, "steps") {
					now := history[len(history)-1]
					switch rapid.SampledFrom([]string{"apply", "apply", "apply", "read", "snapshot", "release", "flush", "crash"}).Draw(t, "step") {
					case "apply":
						b := genBatch(t)
						next := maps.Clone(now)
						next.apply(b)
						if err := s.Apply(uint64(len(history)), b); err != nil {
							t.Fatalf("Apply: %v", err)
						}
						history = append(history, next)
					case "read":
						now.mustEqual(t, s, genKey(1).Draw(t, "lo"), genKey(2).Draw(t, "hi"))
					case "snapshot":
						snaps = append(snaps, kept{s.Snapshot(), now})
					case "release":
						release()
					case "flush":
						h, err := s.Flush()
						if err != nil || h != s.Height() {
							t.Fatalf("Flush = %d, %v at height %d", h, err, s.Height())
						}
						flushed = h
					case "crash":
						release()
						s = s.crash()
						if s.Height() < flushed || s.Height() >= uint64(len(history)) {
							t.Fatalf("height %d after a crash, flushed at %d of %d", s.Height(), flushed, len(history)-1)
						}
						history = history[:s.Height()+1]
					}
					if s.Height() != uint64(len(history)-1) {
						t.Fatalf("Height = %d, want %d", s.Height(), len(history)-1)
					}
				}
				release()
				history[len(history)-1].mustEqual(t, s, "", "")
			})
		})
	}
}

// What is lost in a crash must not depend on timing in the two deterministic
// drivers: it is everything since the last Flush.
func TestDeterministicDriversLoseExactlyWhatWasNotFlushed(t *testing.T) {
	for _, name := range []string{"memory", "tame pebble"} {
		t.Run(name, func(t *testing.T) {
			s := drivers[name]()
			for h := uint64(1); h <= 40; h++ {
				b := NewBatch(1)
				b.Set([]byte("k"), bytes.Repeat([]byte{byte(h)}, 100<<10))
				must(t, s.Apply(h, b))
				if h%20 == 10 {
					if _, err := s.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			s = s.crash()
			defer s.Close()
			if v, err := s.Get([]byte("k")); s.Height() != 30 || err != nil || v[0] != 30 {
				t.Fatalf("height %d with value %d, %v; want 30", s.Height(), v[0], err)
			}
		})
	}
}

func TestTameFlushesCompactAndKeepEverything(t *testing.T) {
	s := drivers["tame pebble"]()
	defer s.Close()
	want := model{}
	for h := uint64(1); h <= 3*tameCompaction; h++ {
		b := NewBatch(2)
		b.Set(fmt.Appendf(nil, "k%d", h), []byte("v"))
		b.Delete(fmt.Appendf(nil, "k%d", h-5))
		want.apply(b)
		must(t, s.Apply(h, b))
		if _, err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	want.mustEqual(t, s, "", "")
}

func TestBatchesThatBreakARuleAreRefusedWhole(t *testing.T) {
	big := make([]byte, MaxBatch/2)
	cases := map[string]func(b *Batch){
		"empty key":               func(b *Batch) { b.Set(nil, []byte("v")) },
		"empty value":             func(b *Batch) { b.Set([]byte("k"), nil) },
		"the store's own key":     func(b *Batch) { b.Set([]byte{0, 'h'}, []byte("v")) },
		"delete of its own key":   func(b *Batch) { b.Delete([]byte{0, 'h'}) },
		"range over its own keys": func(b *Batch) { b.DeleteRange([]byte{0}, []byte{9}) },
		"range backwards":         func(b *Batch) { b.DeleteRange([]byte{9}, []byte{8}) },
		"too large":               func(b *Batch) { b.Set([]byte("k"), big); b.Set([]byte("l"), big) },
	}
	for name, open := range drivers {
		s := open()
		for what, breakRule := range cases {
			b := NewBatch(1)
			b.Set([]byte("good"), []byte("v"))
			breakRule(b)
			if err := s.Apply(1, b); !errors.Is(err, ErrBatch) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		if v, err := s.Get([]byte("good")); v != nil || err != nil || s.Height() != 0 {
			t.Errorf("%s: a refused batch left %q, %v, height %d", name, v, err, s.Height())
		}
		must(t, s.Close())
	}
}

func TestIterStopsWhenAsked(t *testing.T) {
	for name, open := range drivers {
		s := open()
		b := NewBatch(0)
		for i := range 1000 {
			b.Set(fmt.Appendf(nil, "k%04d", i), []byte("v"))
		}
		must(t, s.Apply(1, b))
		n := 0
		must(t, s.Iter([]byte("k0500"), nil, func(k, _ []byte) bool {
			if want := fmt.Sprintf("k%04d", 500+n); string(k) != want {
				t.Errorf("%s: %s, want %s", name, k, want)
			}
			n++
			return n < 3
		}))
		if n != 3 {
			t.Errorf("%s: %d calls, want 3", name, n)
		}
		must(t, s.Close())
	}
}

// Snapshots are read by other goroutines while the next block is applied.
func TestSnapshotsAreReadWhileBatchesAreApplied(t *testing.T) {
	for name, open := range drivers {
		t.Run(name, func(t *testing.T) {
			s := open()
			var readers sync.WaitGroup
			for h := uint64(1); h <= 50; h++ {
				b := NewBatch(0)
				for i := range 200 {
					b.Set(fmt.Appendf(nil, "k%d", i), fmt.Appendf(nil, "%d", h))
				}
				must(t, s.Apply(h, b))
				snap := s.Snapshot()
				readers.Go(func() {
					for i := range 200 {
						v, err := snap.Get(fmt.Appendf(nil, "k%d", i))
						if err != nil || string(v) != fmt.Sprint(h) {
							t.Errorf("snapshot of %d shows %s, %v", h, v, err)
						}
					}
					if err := snap.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			readers.Wait()
			must(t, s.Close())
		})
	}
}

func TestClosedMemoryRefuses(t *testing.T) {
	m := NewMemory()
	must(t, m.Close())
	_, get := m.Get([]byte("k"))
	_, flush := m.Flush()
	_, snap := m.Snapshot().Get([]byte("k"))
	for what, err := range map[string]error{
		"Get": get, "Flush": flush, "snapshot": snap, "Apply": m.Apply(1, NewBatch(0)),
		"Iter": m.Iter(nil, nil, func(_, _ []byte) bool { return true }),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

func TestDamagedStoreIsRefusedAtOpen(t *testing.T) {
	fs := vfs.NewMem()
	open := func() (*Pebble, error) {
		return OpenPebble(PebbleOptions{FS: fs, Dir: "state", CacheBytes: 1 << 20})
	}
	s, err := open()
	must(t, err)
	must(t, s.db.Set(heightKey, []byte("short"), pebble.NoSync))
	_, err = s.Flush()
	must(t, err)
	must(t, s.Close())
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "height") {
		t.Fatalf("opened a store with a bad height: %v", err)
	}
}

func TestPebbleMessagesReachTheCallbackAndFatalStops(t *testing.T) {
	var said []string
	l := logger{func(text string) { said = append(said, text) }}
	l.Infof("a %d", 1)
	l.Errorf("b")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Fatalf returned")
			}
		}()
		l.Fatalf("c")
	}()
	if got := strings.Join(said, ","); got != "a 1,b,c" {
		t.Fatal(got)
	}
	logger{}.Infof("nobody listens")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
