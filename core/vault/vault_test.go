package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/gate"
	"cloister/gate/gatetest"
	"cloister/wire"
)

var (
	testSeal  = [32]byte{1, 2, 3}
	testChain = wire.Hash{0xc1}
)

// tb is what *testing.T, *testing.B and *rapid.T have in common.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func options() Options {
	return Options{SealKey: testSeal, Random: rand.Reader, ChainID: testChain}
}

func mustOpen(t tb, host gate.Objects) *Vault {
	t.Helper()
	v, err := Open(host, options())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func must(t tb, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t tb, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// pattern returns n bytes that differ from place to place and by seed.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i*7 + i>>8 + i>>14)
	}
	return b
}

// writeFile makes a closed file. Its name is durable only after v.Sync.
func writeFile(t tb, v *Vault, name string, data []byte) (obj uint64) {
	t.Helper()
	f, err := v.FS().Create(name, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write(bytes.Clone(data))
	must(t, err)
	must(t, f.Close())
	return objectOf(v, name)
}

func objectOf(v *Vault, name string) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.names[cleanPath(name)].id
}

func readFile(v *Vault, name string) ([]byte, error) {
	f, err := v.FS().Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func wantFile(t tb, v *Vault, name string, want []byte) {
	t.Helper()
	got, err := readFile(v, name)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes, want %d, or they differ", name, len(got), len(want))
	}
}

func wantGone(t tb, v *Vault, name string) {
	t.Helper()
	_, err := v.FS().Stat(name)
	wantErr(t, err, fs.ErrNotExist)
}

func has(m *gatetest.Memory, obj uint64) bool {
	rows, err := m.List()
	if err != nil {
		panic(err)
	}
	for _, r := range rows {
		if r.ID == obj {
			return true
		}
	}
	return false
}

// catalogues returns the object numbers of all generations on the disk, ascending.
func catalogues(m *gatetest.Memory) (ids []uint64) {
	rows, _ := m.List()
	for _, r := range rows {
		if r.ID >= catalogueBit {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// powerLoss is the disk after a power failure at this moment: everything that
// was durable and, of the rest of each object, any subset of its chunks, as keep
// says. A chunk missing before one that is kept reads as zeros. Programs still
// running go on writing to the abandoned disk.
func powerLoss(disk *gatetest.Memory, keep func() bool) *gatetest.Memory {
	unsynced := map[uint64]int{}
	after := disk.Crash(func(obj uint64, n int) int { unsynced[obj] = n; return n })
	for _, obj := range slices.Sorted(maps.Keys(unsynced)) {
		raw := after.Bytes(obj)
		end := len(raw) - unsynced[obj]
		for pos := end; pos < len(raw); {
			n := headSize
			if pos > 0 || obj < catalogueBit {
				n = int(binary.BigEndian.Uint32(raw[pos:])) + chunkOverhead
			}
			if keep() {
				end = pos + n
			} else {
				clear(raw[pos : pos+n])
			}
			pos += n
		}
		if end > 0 {
			after.Put(obj, after.Class(obj), raw[:end])
		} else if err := after.Delete(obj); err != nil {
			panic(err)
		}
	}
	return after
}

func TestFileSizesAroundTheChunkSurviveARestart(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	sizes := []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, outLimit, 700_001}
	for i, n := range sizes {
		writeFile(t, v, string(rune('a'+i)), pattern(i, n))
		wantFile(t, v, string(rune('a'+i)), pattern(i, n))
	}
	must(t, v.Close())
	v = mustOpen(t, disk.Crash(nil))
	for i, n := range sizes {
		wantFile(t, v, string(rune('a'+i)), pattern(i, n))
	}
	if v.Info().Cut != 0 || v.Info().Unknown != 0 || v.Info().Mode != ModeReopened {
		t.Fatalf("a clean restart reports %+v", v.Info())
	}
}

func TestIrregularFileReadsAtEveryOffset(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	f, err := v.FS().Create("x", "")
	must(t, err)
	var want []byte
	for i, n := range []int{5, 0, chunkSize, 1, 2*chunkSize + 3, 40, 100_000, 7} {
		p := pattern(i, n)
		want = append(want, p...)
		_, err := f.Write(p)
		must(t, err)
		if i != 3 {
			must(t, f.Sync())
		}
	}
	check := func(f vfs.File) {
		t.Helper()
		for off := 0; off < len(want); off += 4099 {
			p := make([]byte, 9000)
			n, err := f.ReadAt(p, int64(off))
			if n != min(9000, len(want)-off) || (err == io.EOF) != (n < 9000) || !bytes.Equal(p[:n], want[off:off+n]) {
				t.Fatalf("read at %d: %d, %v", off, n, err)
			}
		}
	}
	check(f)
	_, err = f.Write([]byte("unsealed tail"))
	must(t, err)
	want = append(want, "unsealed tail"...)
	check(f)
	must(t, f.Close())
	must(t, v.Sync())
	v = mustOpen(t, disk)
	g, err := v.FS().Open("x")
	must(t, err)
	check(g)
	must(t, g.Close())
}

func TestBlobIsOldOrNewAfterACrashAtAnyHostCall(t *testing.T) {
	for stop := 0; ; stop++ {
		disk := gatetest.NewMemory()
		v := mustOpen(t, disk)
		must(t, v.Put("identity", []byte("old")))
		calls, failed := 0, false
		disk.SetFault(func(op gatetest.Op, _ uint64) error {
			if calls++; calls > stop {
				failed = true
				return gate.ErrIO
			}
			return nil
		})
		err := v.Put("identity", []byte("new"))
		disk.SetFault(nil)
		v = mustOpen(t, disk.Crash(nil))
		got, gerr := v.Get("identity")
		must(t, gerr)
		if err == nil && string(got) != "new" || string(got) != "new" && string(got) != "old" {
			t.Fatalf("after %d calls, Put %v: %q", stop, err, got)
		}
		if !failed {
			break
		}
	}
}

func TestBlobs(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	_, err := v.Get("none")
	wantErr(t, err, fs.ErrNotExist)
	must(t, v.Put("empty", nil))
	must(t, v.Put("key", []byte("v1")))
	first := objectOf(v, "blob/key")
	must(t, v.Put("key", []byte("v2")))
	if has(disk, first) {
		t.Fatal("the replaced value is still with the host")
	}
	wantErr(t, v.Put("big", make([]byte, MaxBlob+1)), ErrLimit)
	v = mustOpen(t, disk.Crash(nil))
	b, err := v.Get("key")
	must(t, err)
	e, err := v.Get("empty")
	must(t, err)
	if string(b) != "v2" || len(e) != 0 {
		t.Fatalf("got %q and %q", b, e)
	}
	must(t, v.Forget("key"))
	v = mustOpen(t, disk.Crash(nil))
	_, err = v.Get("empty")
	must(t, err)
}

func TestEphemeralStoreForgetsEverything(t *testing.T) {
	disk := gatetest.NewMemory()
	opts := options()
	opts.SealKey, opts.Ephemeral = [32]byte{}, true
	v, err := Open(disk, opts)
	must(t, err)
	must(t, v.Put("k", []byte("v")))
	v, err = Open(disk, opts)
	must(t, err)
	if _, err := v.Get("k"); !errors.Is(err, fs.ErrNotExist) || v.Info().Mode != ModeNew {
		t.Fatalf("Get %v, mode %s", err, v.Info().Mode)
	}
	opts.Ephemeral = false
	if _, err := Open(disk, opts); err == nil {
		t.Fatal("a zero seal key was accepted")
	}
}

func TestIdentityOfTheStore(t *testing.T) {
	disk := gatetest.NewMemory()
	opts := options()
	opts.Counter = 7
	v, err := Open(disk, opts)
	must(t, err)
	first := v.Info()
	must(t, v.SetNode(wire.Hash{9}))
	must(t, v.SetNode(wire.Hash{9}))
	wantErr(t, v.SetNode(wire.Hash{8}), ErrWrongStore)

	opts.Counter = 8
	v, err = Open(disk.Crash(nil), opts)
	must(t, err)
	info := v.Info()
	if info.StoreID != first.StoreID || info.Boots != 2 || info.LastCounter != 7 || info.Node != (wire.Hash{9}) ||
		info.Generation <= first.Generation || first.Mode != ModeNew || info.Mode != ModeReopened {
		t.Fatalf("first %+v, then %+v", first, info)
	}
	opts.Node = wire.Hash{8}
	_, err = Open(disk, opts)
	wantErr(t, err, ErrWrongStore)
	opts.Node, opts.ChainID = wire.Hash{9}, wire.Hash{2}
	_, err = Open(disk, opts)
	wantErr(t, err, ErrWrongStore)
}

func TestOpenFileOutlivesItsName(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	obj := writeFile(t, v, "a", pattern(1, 50_000))
	must(t, v.Sync())
	f, err := v.FS().Open("a")
	must(t, err)
	must(t, v.FS().Remove("a"))
	must(t, v.Sync())
	got := make([]byte, 50_000)
	_, err = f.ReadAt(got, 0)
	must(t, err)
	if !bytes.Equal(got, pattern(1, 50_000)) {
		t.Fatal("content changed")
	}
	must(t, f.Close())
	if has(disk, obj) {
		t.Fatal("the object was not deleted with its last handle")
	}
}
