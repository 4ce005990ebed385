package vault

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
)

// The list "Storage, hostile" of gate.md §10, as far as it is not in
// rules_test.go and reopen_test.go.

func TestStaleCatalogueWithNewData(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	writeFile(t, v, "a", []byte("a1"))
	must(t, v.Sync())
	old := disk.Snapshot()

	writeFile(t, v, "b", []byte("b1"))
	must(t, v.Sync())
	added := disk.Snapshot()
	added.RollBack(v.cat.obj, old)
	reopened := mustOpen(t, added) // a whole older moment: consistent
	wantFile(t, reopened, "a", []byte("a1"))
	wantGone(t, reopened, "b")

	writeFile(t, v, "a", []byte("a2"))
	must(t, v.Sync())
	replaced := disk.Snapshot()
	replaced.RollBack(v.cat.obj, old)
	_, err := Open(replaced, options())
	wantErr(t, err, ErrCorrupt)
}

func TestHiddenGenerationIsRewrittenUnderAnotherKey(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	writeFile(t, v, "a", []byte("a"))
	must(t, v.Close())
	fork := disk.Snapshot()
	mustOpen(t, disk)
	mustOpen(t, fork) // never sees the generation the other wrote
	ids := catalogues(disk)
	if len(ids) != 1 || ids[0] != catalogues(fork)[0] {
		t.Fatal("the two boots did not write the same generation")
	}
	x, y := disk.Bytes(ids[0]), fork.Bytes(ids[0])
	if bytes.Equal(x[16:headSize], y[16:headSize]) {
		t.Fatal("two catalogues have one salt")
	}
	// Same first record under one key and nonce would give equal ciphertext.
	if bytes.Equal(x[headSize+chunkHead:headSize+chunkHead+24], y[headSize+chunkHead:headSize+chunkHead+24]) {
		t.Fatal("two catalogues have one key stream")
	}
}

func TestEmptyFilesSurviveRestarts(t *testing.T) {
	disk := gatetest.NewMemory()
	for range 3 {
		v := mustOpen(t, disk)
		writeFile(t, v, "empty", nil)
		obj := writeFile(t, v, "full", []byte("acknowledged"))
		_, err := v.create("left open", gate.ClassTable, 0)
		must(t, err)
		must(t, v.Sync())
		if has(disk, obj-1) {
			t.Fatal("an empty file has an object; the test is about those without")
		}
		disk = disk.Crash(nil)
		v = mustOpen(t, disk)
		wantFile(t, v, "empty", nil)
		wantFile(t, v, "left open", nil)
		wantFile(t, v, "full", []byte("acknowledged"))
	}
}

func TestDeletedObjectsOfferedAgainAreIgnored(t *testing.T) {
	disk := gatetest.NewMemory()
	disk.KeepDeleted(true)
	used := map[uint64]bool{}
	for i := range 4 {
		v := mustOpen(t, disk)
		if i > 0 {
			wantFile(t, v, "a", pattern(i-1, 100))
		}
		obj := writeFile(t, v, "a", pattern(i, 100))
		if used[obj] {
			t.Fatalf("object %d used twice", obj)
		}
		used[obj] = true
		must(t, v.Close())
	}
	if rows, _ := disk.List(); len(rows) != 8 {
		t.Fatalf("the host kept %d objects, the test expects all 8", len(rows))
	}
}

func TestBytesBeyondTheRecordedEndAreNeverRead(t *testing.T) {
	disk, a, _, c := reopenStore(t)
	for _, obj := range []uint64{a, c} {
		disk.Put(obj, gate.ClassTable, append(disk.Bytes(obj), pattern(1, 50_000)...))
	}
	v := mustOpen(t, disk)
	wantFile(t, v, "a", pattern(1, 3*chunkSize+100))
	got, err := readFile(v, "c")
	must(t, err)
	if len(got) != 20_000 {
		t.Fatalf("the irregular file has %d bytes", len(got))
	}
}

func TestTailHeldBackCannotReturnLater(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	o, err := v.create("log", gate.ClassLog, 0)
	must(t, err)
	must(t, v.Sync())
	must(t, o.write(pattern(1, 100)))
	must(t, o.sync())
	short := disk.Snapshot()
	must(t, o.write(pattern(2, 100)))
	must(t, o.sync())
	whole := disk.Bytes(o.id)

	mustOpen(t, short)
	short.Put(o.id, gate.ClassLog, whole)
	wantFile(t, mustOpen(t, short), "log", pattern(1, 100))
}

func TestAFailedSyncStaysFailed(t *testing.T) {
	disk := gatetest.NewMemory()
	var told []error
	opts := options()
	opts.Failed = func(class gate.Class, err error) { told = append(told, fmt.Errorf("%d: %w", class, err)) }
	v, err := Open(disk, opts)
	must(t, err)

	f, err := v.FS().Create("a", "")
	must(t, err)
	_, err = f.Write([]byte("x"))
	must(t, err)
	// Fails above the disk's own stickiness too: the disk forgets, the vault must not.
	v.host = &forgetful{Objects: disk, fail: 1}
	for range 3 {
		wantErr(t, f.Sync(), gate.ErrIO)
	}
	if _, err := f.Write([]byte("y")); !errors.Is(err, gate.ErrIO) {
		t.Fatalf("Write after a failed Sync: %v", err)
	}
	wantErr(t, f.Close(), gate.ErrIO)
	writeFile(t, v, "b", []byte("other files go on"))

	v.cat.host = &forgetful{Objects: disk, fail: 1}
	for range 3 {
		wantErr(t, v.Sync(), gate.ErrIO)
	}
	if _, err := v.FS().Create("c", ""); !errors.Is(err, gate.ErrIO) {
		t.Fatalf("Create after the catalogue failed: %v", err)
	}
	wantErr(t, v.Put("k", nil), gate.ErrIO)
	if len(told) != 2 {
		t.Fatalf("the node was told %v", told)
	}
}

// forgetful fails the first syncs and then claims success, like a kernel that
// drops dirty pages after an error.
type forgetful struct {
	gate.Objects
	fail int
}

func (f *forgetful) Sync(obj uint64) error {
	if f.fail > 0 {
		f.fail--
		return gate.ErrIO
	}
	return f.Objects.Sync(obj)
}

func TestNoSpaceAtEachWrite(t *testing.T) {
	for stop := 0; ; stop++ {
		disk := gatetest.NewMemory()
		told := 0
		opts := options()
		opts.Failed = func(gate.Class, error) { told++ }
		v, err := Open(disk, opts)
		must(t, err)
		writes, hit := 0, false
		disk.SetFault(func(op gatetest.Op, _ uint64) error {
			if op == gatetest.OpAppend {
				if writes++; writes > stop {
					hit = true
					return gate.ErrNoSpace
				}
			}
			return nil
		})
		acked, err := noSpaceWork(v)
		disk.SetFault(nil)
		if hit != (err != nil) || hit && (!errors.Is(err, gate.ErrNoSpace) || told == 0) {
			t.Fatalf("stop %d: hit %v, error %v, told %d times", stop, hit, err, told)
		}
		v = mustOpen(t, disk.Crash(nil))
		for _, name := range acked {
			wantFile(t, v, name, pattern(len(name), 300_000))
		}
		if !hit {
			break
		}
	}
}

// noSpaceWork writes files until one fails and returns those made durable.
func noSpaceWork(v *Vault) (acked []string, err error) {
	for _, name := range []string{"a", "MANIFEST-1", "ccc"} {
		f, err := v.FS().Create(name, "")
		if err != nil {
			return acked, err
		}
		if _, err := f.Write(pattern(len(name), 300_000)); err != nil {
			return acked, err
		}
		if err := f.Close(); err != nil {
			return acked, err
		}
		if err := v.Sync(); err != nil {
			return acked, err
		}
		acked = append(acked, name)
	}
	return acked, nil
}

func TestListsNoHonestHostGives(t *testing.T) {
	disk, _, _, _ := reopenStore(t)
	rows, _ := disk.List()
	backwards := []gate.ObjectInfo{rows[1], rows[0]}
	twice := append([]gate.ObjectInfo{rows[0]}, rows...)
	for name, list := range map[string][]gate.ObjectInfo{
		"unsorted": backwards, "duplicates": twice, "too many": make([]gate.ObjectInfo, maxListed+1),
	} {
		_, err := Open(&liar{Objects: disk, list: list}, options())
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Lengths beyond what is there: a closed file ends early, an open one is cut.
	for i := range rows {
		rows[i].Len += 1 << 40
	}
	v := mustOpen(t, &liar{Objects: disk, list: rows})
	wantFile(t, v, "a", pattern(1, 3*chunkSize+100))
}

func TestReadsNoHonestHostGives(t *testing.T) {
	disk, a, _, _ := reopenStore(t)
	told := 0
	opts := options()
	opts.Failed = func(_ gate.Class, err error) {
		if errors.Is(err, ErrCorrupt) {
			told++
		}
	}
	host := &liar{Objects: disk}
	v, err := Open(host, opts)
	must(t, err)
	lies := []func(n int) (int, error){
		func(n int) (int, error) { return n + 1, nil },
		func(n int) (int, error) { return -1, nil },
		func(n int) (int, error) { return n - 1, nil },
		func(n int) (int, error) { return 0, gate.ErrNotFound },
	}
	for i, lie := range lies {
		host.read = func(obj uint64, n int) (int, error) {
			if obj != a {
				return n, nil
			}
			return lie(n)
		}
		_, err := readFile(v, "a")
		wantErr(t, err, ErrCorrupt)
		if told != i+1 {
			t.Fatalf("lie %d: the node was told %d times", i, told)
		}
	}
	host.read = func(uint64, int) (int, error) { return 0, gate.ErrIO }
	_, err = readFile(v, "a")
	wantErr(t, err, gate.ErrIO)
	if errors.Is(err, ErrCorrupt) {
		t.Fatal("a read that failed was taken for corruption")
	}
	host.read = nil
	wantFile(t, v, "a", pattern(1, 3*chunkSize+100))
}

// liar answers List and Read as it is told.
type liar struct {
	gate.Objects
	list []gate.ObjectInfo
	read func(obj uint64, n int) (int, error)
}

func (l *liar) List() ([]gate.ObjectInfo, error) {
	if l.list != nil {
		return l.list, nil
	}
	return l.Objects.List()
}

func (l *liar) Read(obj, off uint64, p []byte) (int, error) {
	n, err := l.Objects.Read(obj, off, p)
	if l.read != nil && err == nil {
		return l.read(obj, n)
	}
	return n, err
}

func TestReadWhileWriting(t *testing.T) {
	v := mustOpen(t, gatetest.NewMemory())
	f, err := v.FS().Create("a", "")
	must(t, err)
	var want []byte
	for i := range 60 {
		p := pattern(i, 1000*i)
		want = append(want, p...)
		_, err := f.Write(p)
		must(t, err)
		if i%20 == 19 {
			must(t, f.Sync())
		}
		g, err := v.FS().Open("a")
		must(t, err)
		got, err := io.ReadAll(g)
		must(t, err)
		must(t, g.Close())
		if !bytes.Equal(got, want) {
			t.Fatalf("after %d writes a reader sees %d bytes of %d", i+1, len(got), len(want))
		}
	}
}

// countingAEAD counts the tags that are checked.
type countingAEAD struct {
	cipher.AEAD
	opened int
}

func (c *countingAEAD) Open(dst, nonce, ct, aad []byte) ([]byte, error) {
	c.opened++
	return c.AEAD.Open(dst, nonce, ct, aad)
}

func TestSearchBehindABadChunkIsBounded(t *testing.T) {
	// Every sixteenth byte begins something that claims to be a later chunk.
	raw := make([]byte, 8<<20)
	for i := 0; i+chunkHead <= len(raw); i += 16 {
		binary.BigEndian.PutUint32(raw[i:], 1)
		binary.BigEndian.PutUint64(raw[i+4:], 1)
	}
	disk := gatetest.NewMemory()
	disk.Put(5, gate.ClassLog, raw)
	aead := &countingAEAD{AEAD: fileCipher(storeKey(testSeal), salt{}, 5)}
	s := newScanner(disk, 5, aead, 0, uint64(len(raw)))
	_, err := s.next()
	wantErr(t, err, errBadChunk)
	later, err := s.laterSynced()
	must(t, err)
	if !later || aead.opened > tries+1 {
		t.Fatalf("%d tags were checked; forged headers in this number are not a torn tail: %v", aead.opened, later)
	}
}
