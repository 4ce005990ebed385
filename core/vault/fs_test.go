package vault

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"cloister/gate/gatetest"
)

// conformance runs the same operations on the vault and on Pebble's in-memory
// file system and compares every answer.
type conformance struct {
	disk      *gatetest.Memory
	v         *Vault
	mem       vfs.FS
	writers   map[string][2]vfs.File // by the name they were created under
	readers   [][2]vfs.File
	nameDraw  *rapid.Generator[string]
	sizeDraw  *rapid.Generator[int]
	generated int
}

func newConformance(t tb) *conformance {
	c := &conformance{
		disk: gatetest.NewMemory(), mem: vfs.NewMem(), writers: map[string][2]vfs.File{},
		nameDraw: rapid.SampledFrom([]string{"a", "b", "d/a", "d/b", "d/e/c", "MANIFEST-1", "d/MANIFEST-2"}),
		sizeDraw: rapid.SampledFrom([]int{0, 1, 100, chunkSize - 1, chunkSize, chunkSize + 1, 50_000, 300_000}),
	}
	c.v = mustOpen(t, c.disk)
	c.mkdirs(t)
	return c
}

func (c *conformance) mkdirs(t tb) {
	for _, f := range []vfs.FS{c.v.FS(), c.mem} {
		must(t, f.MkdirAll("d/e", 0o755))
	}
}

// outcome reduces an error to what callers can tell apart.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case err == io.EOF:
		return "EOF"
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrExist):
		return "exists"
	}
	return "fails"
}

func same(t *rapid.T, doing string, a, b error) bool {
	if outcome(a) != outcome(b) {
		t.Fatalf("%s: the vault says %v, memory says %v", doing, a, b)
	}
	return a == nil
}

func (c *conformance) actions() map[string]func(*rapid.T) {
	both := func(f func(vfs.FS) error) (error, error) { return f(c.v.FS()), f(c.mem) }
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			name := c.nameDraw.Draw(t, "name")
			if w, ok := c.writers[name]; ok {
				must(t, w[0].Close())
				must(t, w[1].Close())
			}
			a, errA := c.v.FS().Create(name, "")
			b, errB := c.mem.Create(name, "")
			if same(t, "create "+name, errA, errB) {
				c.writers[name] = [2]vfs.File{a, b}
			}
		},
		"write": func(t *rapid.T) {
			w, _, ok := c.writer(t)
			if !ok {
				return
			}
			c.generated++
			p := pattern(c.generated, c.sizeDraw.Draw(t, "size"))
			_, errA := w[0].Write(bytes.Clone(p))
			_, errB := w[1].Write(p)
			same(t, "write", errA, errB)
		},
		"sync": func(t *rapid.T) {
			if w, _, ok := c.writer(t); ok {
				same(t, "sync", w[0].Sync(), w[1].Sync())
			}
		},
		"close": func(t *rapid.T) {
			if w, name, ok := c.writer(t); ok {
				same(t, "close", w[0].Close(), w[1].Close())
				delete(c.writers, name)
			}
		},
		"open": func(t *rapid.T) {
			name := c.nameDraw.Draw(t, "name")
			a, errA := c.v.FS().Open(name)
			b, errB := c.mem.Open(name)
			if same(t, "open "+name, errA, errB) {
				c.readers = append(c.readers, [2]vfs.File{a, b})
			}
		},
		"read": func(t *rapid.T) {
			if len(c.readers) == 0 {
				return
			}
			r := rapid.SampledFrom(c.readers).Draw(t, "reader")
			n, off := c.sizeDraw.Draw(t, "n"), int64(rapid.IntRange(0, 400_000).Draw(t, "off"))
			for range rapid.IntRange(1, 6).Draw(t, "times") { // several in a row open a window
				p, q := make([]byte, n), make([]byte, n)
				na, errA := r[0].ReadAt(p, off)
				nb, errB := r[1].ReadAt(q, off)
				same(t, "read", errA, errB)
				if na != nb || !bytes.Equal(p, q) {
					t.Fatalf("read of %d at %d: the vault gave %d, memory %d, or they differ", n, off, na, nb)
				}
				off += int64(n)
			}
		},
		"read on": func(t *rapid.T) {
			if len(c.readers) == 0 {
				return
			}
			r := rapid.SampledFrom(c.readers).Draw(t, "reader")
			p, q := make([]byte, c.sizeDraw.Draw(t, "n")), make([]byte, 0)
			q = append(q, p...)
			na, errA := r[0].Read(p)
			nb, errB := r[1].Read(q)
			if na != nb || outcome(errA) != outcome(errB) || !bytes.Equal(p, q) {
				t.Fatalf("the vault gave %d, %v, memory %d, %v", na, errA, nb, errB)
			}
		},
		"close reader": func(t *rapid.T) {
			if len(c.readers) == 0 {
				return
			}
			i := rapid.IntRange(0, len(c.readers)-1).Draw(t, "reader")
			same(t, "close", c.readers[i][0].Close(), c.readers[i][1].Close())
			c.readers = slices.Delete(c.readers, i, i+1)
		},
		"remove": func(t *rapid.T) {
			name := c.nameDraw.Draw(t, "name")
			errA, errB := both(func(f vfs.FS) error { return f.Remove(name) })
			same(t, "remove "+name, errA, errB)
		},
		"remove all": func(t *rapid.T) {
			name := rapid.SampledFrom([]string{"a", "d/e/c", "d/none", "none/x"}).Draw(t, "name")
			errA, errB := both(func(f vfs.FS) error { return f.RemoveAll(name) })
			same(t, "remove all "+name, errA, errB)
		},
		"rename": func(t *rapid.T) {
			from, to := c.nameDraw.Draw(t, "from"), c.nameDraw.Draw(t, "to")
			errA, errB := both(func(f vfs.FS) error { return f.Rename(from, to) })
			same(t, "rename "+from+" to "+to, errA, errB)
		},
		"link": func(t *rapid.T) {
			from, to := c.nameDraw.Draw(t, "from"), c.nameDraw.Draw(t, "to")
			errA, errB := both(func(f vfs.FS) error { return f.Link(from, to) })
			same(t, "link "+from+" to "+to, errA, errB)
		},
		"sync directory": func(t *rapid.T) {
			d, err := c.v.FS().OpenDir("d")
			must(t, err)
			must(t, d.Sync())
			must(t, d.Close())
		},
		"restart": func(t *rapid.T) {
			// An orderly one: everything closed, so both keep everything.
			for _, name := range slices.Sorted(maps.Keys(c.writers)) {
				same(t, "close", c.writers[name][0].Close(), c.writers[name][1].Close())
			}
			for _, r := range c.readers {
				same(t, "close", r[0].Close(), r[1].Close())
			}
			c.writers, c.readers = map[string][2]vfs.File{}, nil
			must(t, c.v.Close())
			c.disk = c.disk.Crash(nil)
			c.v = mustOpen(t, c.disk)
			c.mkdirs(t)
		},
		"": c.compareNames,
	}
}

func (c *conformance) writer(t *rapid.T) (w [2]vfs.File, name string, ok bool) {
	if len(c.writers) == 0 {
		return w, "", false
	}
	name = rapid.SampledFrom(slices.Sorted(maps.Keys(c.writers))).Draw(t, "writer")
	return c.writers[name], name, true
}

func (c *conformance) compareNames(t *rapid.T) {
	for _, dir := range []string{"", "/", "d", "d/e", "none"} {
		a, errA := c.v.FS().List(dir)
		b, errB := c.mem.List(dir)
		same(t, "list "+dir, errA, errB)
		slices.Sort(b)
		if strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("list %q: the vault has %v, memory %v", dir, a, b)
		}
		for _, name := range a {
			p := c.mem.PathJoin(dir, name)
			x, errX := c.v.FS().Stat(p)
			y, errY := c.mem.Stat(p)
			if same(t, "stat "+p, errX, errY) && (x.Size() != y.Size() || x.IsDir() != y.IsDir() || x.Name() != y.Name()) {
				t.Fatalf("stat %s: the vault says %s %d, memory %s %d", p, x.Name(), x.Size(), y.Name(), y.Size())
			}
		}
	}
}

func TestVFSBehavesAsPebblesMemoryFileSystem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { rt.Repeat(newConformance(rt).actions()) })
}

func TestVFSRefusesWhatWriteOnceFilesCannotDo(t *testing.T) {
	v := mustOpen(t, gatetest.NewMemory())
	fsys := v.FS()
	writeFile(t, v, "a", []byte("a"))
	_, err := fsys.OpenReadWrite("a", "")
	wantErr(t, err, ErrUnsupported)
	f, err := fsys.OpenReadWrite("new", "")
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	wantErr(t, err, ErrUnsupported)
	must(t, f.Close())
	wantErr(t, f.Close(), ErrClosed)
	wantErr(t, f.Sync(), ErrClosed)

	g, err := fsys.ReuseForWrite("a", "b", "")
	must(t, err)
	_, err = g.Write([]byte("fresh"))
	must(t, err)
	must(t, g.Close())
	wantGone(t, v, "a")
	wantFile(t, v, "b", []byte("fresh"))

	for _, name := range []string{"", "/", "b/below a file", "..", strings.Repeat("n", MaxNameLength+1)} {
		if _, err := fsys.Create(name, ""); err == nil {
			t.Errorf("created %q", name)
		}
	}
	if err := fsys.MkdirAll("b", 0); err == nil {
		t.Error("made a directory where a file is")
	}
	writeFile(t, v, "d/x", nil)
	if err := fsys.Remove("d"); err == nil {
		t.Error("removed a directory with a file in it")
	}
	if _, err := fsys.Open("d"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened a directory as a file: %v", err)
	}
}

func TestDiskUsageSurvivesAbsurdClaims(t *testing.T) {
	v := mustOpen(t, &absurd{gatetest.NewMemory()})
	u, err := v.FS().GetDiskUsage("")
	must(t, err)
	if u.TotalBytes < u.AvailBytes || u.TotalBytes < u.UsedBytes {
		t.Fatalf("%+v", u)
	}
}

type absurd struct{ *gatetest.Memory }

func (absurd) Usage() (uint64, uint64, error) { return 1<<64 - 1, 1<<64 - 1, nil }

func TestReadAheadFetchesInGrowingWindows(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	data := pattern(3, 4<<20)
	obj := writeFile(t, v, "a", data)
	f, err := v.FS().Open("a")
	must(t, err)
	reads := 0
	disk.SetFault(func(op gatetest.Op, id uint64) error {
		if op == gatetest.OpRead && id == obj {
			reads++
		}
		return nil
	})
	p := make([]byte, 4096)
	for off := 0; off < len(data); off += len(p) {
		n, err := f.ReadAt(p, int64(off))
		if n != len(p) || err != nil || !bytes.Equal(p, data[off:off+n]) {
			t.Fatalf("at %d: %d, %v", off, n, err)
		}
	}
	// 4 MiB in windows of 256 KiB are 16 reads; the start costs a few more.
	if reads > 20 {
		t.Fatalf("a scan of 4 MiB took %d reads", reads)
	}
	if v.readWindows.Load() != 1 {
		t.Fatalf("%d windows are open", v.readWindows.Load())
	}
	reads = 0
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		off := rng.IntN(len(data) - len(p))
		_, err := f.ReadAt(p, int64(off))
		must(t, err)
	}
	if reads < 40 || v.readWindows.Load() > 1 {
		t.Fatalf("50 random reads took %d reads of the host", reads)
	}
	must(t, f.Close())
	if v.readWindows.Load() != 0 {
		t.Fatal("the window was not given back")
	}
}

func TestReadAheadWindowsAreBounded(t *testing.T) {
	v := mustOpen(t, gatetest.NewMemory())
	data := pattern(3, 300_000)
	writeFile(t, v, "a", data)
	for range 3 * maxWindows {
		f, err := v.FS().Open("a", vfs.SequentialReadsOption)
		must(t, err)
		got := make([]byte, 100)
		for off := 0; off < 5000; off += 100 {
			_, err := f.ReadAt(got, int64(off))
			must(t, err)
		}
		if !bytes.Equal(got, data[4900:5000]) {
			t.Fatal("wrong bytes")
		}
	}
	if n := v.readWindows.Load(); n != maxWindows {
		t.Fatalf("%d windows are open, the bound is %d", n, maxWindows)
	}
}

func TestNoLockIsHeldAcrossTheSyncOfAFile(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	f, err := v.FS().Create("a", "")
	must(t, err)
	_, err = f.Write([]byte("x"))
	must(t, err)
	host := &gated{Memory: disk, obj: objectOf(v, "a"), entered: make(chan struct{}), leave: make(chan struct{})}
	v.host = host
	done := make(chan error)
	go func() { done <- f.Sync() }()
	<-host.entered
	// While that Sync waits, everything else goes on, the same file's reads too.
	wantFile(t, v, "a", []byte("x"))
	writeFile(t, v, "b", []byte("b"))
	must(t, v.Sync())
	must(t, v.FS().Rename("a", "c"))
	close(host.leave)
	must(t, <-done)
}

// gated stops the Sync of one object until leave is closed.
type gated struct {
	*gatetest.Memory
	obj            uint64
	entered, leave chan struct{}
}

func (g *gated) Sync(obj uint64) error {
	if obj == g.obj {
		close(g.entered)
		<-g.leave
	}
	return g.Memory.Sync(obj)
}

func TestConcurrentUse(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	v.rotateAt = 50_000
	shared := pattern(9, 500_000)
	writeFile(t, v, "shared", shared)
	f, err := v.FS().Open("shared")
	must(t, err)
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			name := string(rune('a' + g))
			for i := range 40 {
				w, err := v.FS().Create(name, "")
				if err != nil {
					t.Error(err)
					return
				}
				data := pattern(i, rng.IntN(60_000))
				_, werr := w.Write(bytes.Clone(data))
				cerr := errors.Join(werr, w.Sync(), w.Close(), v.FS().Rename(name, name+"x"), v.Put(name, data), v.Sync())
				got, rerr := readFile(v, name+"x")
				if err := errors.Join(cerr, rerr); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s round %d: %v, %d bytes", name, i, err, len(got))
					return
				}
				p := make([]byte, rng.IntN(40_000))
				off := rng.IntN(len(shared) - len(p))
				if _, err := f.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, shared[off:off+len(p)]) {
					t.Errorf("shared read: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	must(t, f.Close())
	v = mustOpen(t, disk.Crash(nil))
	for g := range 6 {
		name := string(rune('a' + g))
		b, err := v.Get(name)
		must(t, err)
		wantFile(t, v, name+"x", b)
	}
	if rows, _ := disk.List(); len(rows) > 2*6+1+1 {
		t.Fatalf("%d objects are left for 13 files", len(rows))
	}
}
