package vault

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
)

// One test for each rule of gate.md §6.2.

func TestRule1ObjectNumbersNeverComeBack(t *testing.T) {
	disk := gatetest.NewMemory()
	highest := uint64(0)
	for boot := range 4 {
		v := mustOpen(t, disk)
		for i := range numberGrant + 10 { // more than one grant
			o, err := v.create(fmt.Sprintf("f%d", i), gate.ClassTable, 0)
			must(t, err)
			if i == 0 && o.id <= highest {
				t.Fatalf("boot %d begins with object %d, %d was used before", boot, o.id, highest)
			}
			highest = max(highest, o.id)
			if i%2 == 0 { // every other file stays empty and has no object
				must(t, o.write([]byte("x")))
				must(t, o.sync())
			}
		}
		disk = disk.Crash(nil) // none of the names was synced
	}
}

func TestRule2DeleteWaitsForTheCatalogue(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	obj := writeFile(t, v, "a", pattern(1, 100))
	must(t, v.Sync())
	must(t, v.FS().Remove("a"))
	if !has(disk, obj) {
		t.Fatal("deleted before the catalogue was synced")
	}
	wantFile(t, mustOpen(t, disk.Crash(nil)), "a", pattern(1, 100))
	must(t, v.Sync())
	if has(disk, obj) {
		t.Fatal("not deleted after the catalogue was synced")
	}
	wantGone(t, mustOpen(t, disk.Crash(nil)), "a")
}

func TestRule2HoldsForAFileStillOpenWhenItsNameGoes(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	obj := writeFile(t, v, "a", pattern(1, 100))
	must(t, v.Sync())
	f, err := v.FS().Open("a")
	must(t, err)
	must(t, v.FS().Remove("a"))
	must(t, f.Close())
	wantFile(t, mustOpen(t, disk.Crash(nil)), "a", pattern(1, 100))
	must(t, v.Sync())
	if has(disk, obj) {
		t.Fatal("not deleted after the catalogue was synced")
	}
}

func TestRule3CloseSyncsThenRecordsTheSize(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	obj := writeFile(t, v, "a", pattern(1, 40_000))
	if disk.Durable(obj) != 40_000+3*chunkOverhead {
		t.Fatalf("%d bytes durable after Close", disk.Durable(obj))
	}
	if n := v.state.names["a"]; !n.closed || n.size != 40_000 || !n.regular {
		t.Fatalf("recorded %+v", n)
	}
	f, err := v.FS().Create("b", "")
	must(t, err)
	_, err = f.Write([]byte("lost"))
	must(t, err)
	disk.FailOnce(gatetest.OpSync, objectOf(v, "b"), gate.ErrIO)
	wantErr(t, f.Close(), gate.ErrIO)
	if v.state.names["b"].closed {
		t.Fatal("a size was recorded although the sync failed")
	}
}

func TestRule4DirectoriesLiveInTheCatalogue(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	fsys := v.FS()
	writeFile(t, v, "d/a", []byte("a"))
	must(t, v.Sync())
	touched := map[uint64]int{}
	disk.SetFault(func(_ gatetest.Op, obj uint64) error { touched[obj]++; return nil })
	must(t, fsys.MkdirAll("e/f", 0o755))
	must(t, fsys.Rename("d/a", "d/b"))
	must(t, fsys.Link("d/b", "d/c"))
	names, err := fsys.List("d")
	must(t, err)
	info, err := fsys.Stat("d/c")
	must(t, err)
	lock, err := fsys.Lock("LOCK")
	must(t, err)
	if _, err := fsys.Lock("LOCK"); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	must(t, lock.Close())
	if strings.Join(names, " ") != "b c" || info.Size() != 1 || len(touched) != 0 {
		t.Fatalf("names %v, size %d, the host was asked %v", names, info.Size(), touched)
	}
	d, err := fsys.OpenDir("d")
	must(t, err)
	must(t, d.Sync())
	if len(touched) != 1 || touched[v.cat.obj] != 2 { // Append and Sync
		t.Fatalf("syncing a directory touched %v", touched)
	}
	v = mustOpen(t, disk.Crash(nil))
	wantFile(t, v, "d/b", []byte("a"))
	wantFile(t, v, "d/c", []byte("a"))
	wantGone(t, v, "d/a")
}

func TestRule5JournalSyncReachesTheCatalogue(t *testing.T) {
	for _, c := range []struct {
		name    string
		refused bool
	}{{"db/MANIFEST-000001", true}, {"db/000001.sst", false}} {
		disk := gatetest.NewMemory()
		v := mustOpen(t, disk)
		f, err := v.FS().Create(c.name, "")
		must(t, err)
		must(t, v.Sync())
		var early *gatetest.Memory
		for i, part := range []string{"first edit", "second edit"} {
			_, err = f.Write([]byte(part))
			must(t, err)
			must(t, f.Sync())
			if i == 0 {
				early = disk.Snapshot()
			}
		}
		wantFile(t, mustOpen(t, disk.Crash(nil)), c.name, []byte("first editsecond edit"))
		after := disk.Crash(nil)
		after.RollBack(objectOf(v, c.name), early)
		_, err = Open(after, options())
		if errors.Is(err, ErrCorrupt) != c.refused {
			t.Fatalf("new catalogue with stale %s: %v", c.name, err)
		}
	}
}

func TestRule6UnfinishedGenerationIsIgnored(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	writeFile(t, v, "a", []byte("a"))
	must(t, v.Sync())

	// The next boot's generation, cut at every length up to whole.
	next := disk.Snapshot()
	mustOpen(t, next)
	newer := catalogues(next)[0]
	whole := next.Bytes(newer)
	for n := 0; n <= len(whole); n += 13 {
		cut := disk.Snapshot()
		cut.Put(newer, gate.ClassCatalogue, whole[:n])
		v := mustOpen(t, cut)
		wantFile(t, v, "a", []byte("a"))
		if got := catalogues(cut); len(got) != 1 || got[0] != newer {
			t.Fatalf("cut at %d: catalogues %x", n, got)
		}
	}
}

func TestRule6OlderGenerationStaysUntilTheNewerIsDurable(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	writeFile(t, v, "a", []byte("a"))
	must(t, v.Sync())
	old := v.cat.obj
	disk.FailOnce(gatetest.OpSync, old+1, gate.ErrIO)
	_, err := Open(disk, options())
	wantErr(t, err, gate.ErrIO)
	if !has(disk, old) {
		t.Fatal("the older generation was deleted")
	}
	wantFile(t, mustOpen(t, disk.Crash(nil)), "a", []byte("a"))
}

func TestRule6GrownCatalogueStartsAGeneration(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	before := v.cat.obj
	v.rotateAt = 20_000
	for i := range 300 {
		writeFile(t, v, fmt.Sprintf("file-%d", i%40), pattern(i, 10))
		must(t, v.Sync())
		v.rotateAt = min(v.rotateAt, 20_000)
	}
	if v.cat.obj == before || len(catalogues(disk)) != 1 {
		t.Fatalf("began as %x, now %x on disk", before, catalogues(disk))
	}
	v = mustOpen(t, disk.Crash(nil))
	for i := 260; i < 300; i++ {
		wantFile(t, v, fmt.Sprintf("file-%d", i%40), pattern(i, 10))
	}
	if v.Info().Unknown != 0 {
		t.Fatalf("%d objects were left over", v.Info().Unknown)
	}
}

func TestRule7Limits(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)

	o, err := v.create("big", gate.ClassTable, 0)
	must(t, err)
	o.size.Store(MaxFile - 3)
	must(t, o.write([]byte("123")))
	wantErr(t, o.write([]byte("4")), ErrLimit)

	long := strings.Repeat("x", MaxNameLength)
	writeFile(t, v, long, nil)
	if _, err := v.FS().Create(long+"x", ""); err == nil {
		t.Fatal("a name of 256 bytes was accepted")
	}

	v.cursor, v.granted, v.state.next = MaxObjects-1, MaxObjects, MaxObjects
	writeFile(t, v, "last", nil)
	_, err = v.FS().Create("too many", "")
	wantErr(t, err, ErrLimit)
}

func TestRule7EveryNameInUseFitsTheCatalogue(t *testing.T) {
	st := newState()
	st.begun, st.ended, st.next = true, true, MaxObjects
	for i := range uint64(MaxNames) {
		name := fmt.Sprintf("%0*d", MaxNameLength, i)
		obj := MaxObjects - 1 - i
		must(t, st.apply(&nameRecord{Name: name, Obj: obj, Class: gate.ClassJournal}))
		must(t, st.apply(&durableRecord{Obj: obj, Size: MaxFile}))
		must(t, st.apply(&closedRecord{Obj: obj, Size: MaxFile, Stored: 29 * MaxFile}))
	}
	if st.apply(&nameRecord{Name: "one more", Obj: 1, Class: gate.ClassTable}) == nil {
		t.Fatal("more names than the limit")
	}
	// A generation grows to twice its snapshot before the next is begun.
	if size := st.snapshot().size; 2*size+maxPending > MaxCatalogue*9/10 {
		t.Fatalf("the largest snapshot has %d bytes", size)
	}
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	v.state.next, v.granted = st.next, st.next
	st.root = v.state.root
	v.state = st
	must(t, v.syncTo(0, true))
	got, _, err := readGeneration(disk, v.key, st.root.Generation, uint64(len(disk.Bytes(v.cat.obj))))
	must(t, err)
	a, b := st.snapshot(), got.snapshot()
	if !bytes.Equal(bytes.Join(a.chunks, nil), bytes.Join(b.chunks, nil)) {
		t.Fatal("the largest catalogue does not read back")
	}
}
