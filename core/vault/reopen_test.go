package vault

import (
	"bytes"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
	"cloister/wire"
)

// The rows of gate.md §6.3. Each begins with the same store: two closed files
// of equal size and an irregular one.
func reopenStore(t *testing.T) (disk *gatetest.Memory, a, b, c uint64) {
	disk = gatetest.NewMemory()
	v := mustOpen(t, disk)
	a = writeFile(t, v, "a", pattern(1, 3*chunkSize+100))
	b = writeFile(t, v, "b", pattern(2, 3*chunkSize+100))
	f, err := v.FS().Create("c", "")
	must(t, err)
	for i := range 4 {
		_, err = f.Write(pattern(i, 5000))
		must(t, err)
		must(t, f.Sync())
	}
	must(t, f.Close())
	must(t, v.Close())
	return disk, a, b, objectOf(v, "c")
}

// refused opens the store and reads everything; it returns the first error.
func refused(host gate.Objects) error {
	v, err := Open(host, options())
	if err != nil {
		return err
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, err := readFile(v, name); err != nil {
			return err
		}
	}
	return nil
}

func TestReopenRefusesWhatNoCrashExplains(t *testing.T) {
	exchange := func(disk *gatetest.Memory, obj uint64, i, j int) {
		raw := disk.Bytes(obj)
		x, y := raw[i*chunkStride:][:chunkStride], raw[j*chunkStride:][:chunkStride]
		keep := bytes.Clone(x)
		copy(x, y)
		copy(y, keep)
		disk.Put(obj, gate.ClassTable, raw)
	}
	cases := []struct {
		name string
		did  func(disk *gatetest.Memory, a, b, c uint64)
	}{
		{"flipped a bit of a length", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(a, 3, 0) }},
		{"flipped a bit of synced", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(a, 11, 0) }},
		{"flipped a bit of the content", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(a, 2*chunkStride+500, 3) }},
		{"flipped a bit of a tag", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(a, chunkStride-1, 7) }},
		{"flipped a bit of the irregular file", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(c, 6000, 1) }},
		{"swapped objects", func(d *gatetest.Memory, a, b, c uint64) { d.Swap(a, b) }},
		{"exchanged chunks", func(d *gatetest.Memory, a, b, c uint64) { exchange(d, a, 0, 2) }},
		{"took a chunk of another object", func(d *gatetest.Memory, a, b, c uint64) {
			raw := d.Bytes(a)
			copy(raw[chunkStride:2*chunkStride], d.Bytes(b)[chunkStride:])
			d.Put(a, gate.ClassTable, raw)
		}},
		{"cut a closed object", func(d *gatetest.Memory, a, b, c uint64) { d.Cut(a, 3*chunkStride) }},
		{"cut a closed object by a byte", func(d *gatetest.Memory, a, b, c uint64) { d.Cut(c, len(d.Bytes(c))-1) }},
		{"lost a closed object", func(d *gatetest.Memory, a, b, c uint64) { d.Hide(a, true) }},
		{"removed a chunk from the middle", func(d *gatetest.Memory, a, b, c uint64) {
			raw := d.Bytes(c)
			d.Put(c, gate.ClassTable, append(raw[:5028:5028], raw[2*5028:]...))
		}},
		{"lost the catalogue", func(d *gatetest.Memory, a, b, c uint64) { d.Hide(catalogues(d)[0], true) }},
		{"damaged the catalogue's head", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(catalogues(d)[0], 0, 0) }},
		{"damaged the catalogue's salt", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(catalogues(d)[0], 20, 0) }},
		{"damaged the catalogue's snapshot", func(d *gatetest.Memory, a, b, c uint64) { d.FlipBit(catalogues(d)[0], 70, 0) }},
		{"renamed the catalogue", func(d *gatetest.Memory, a, b, c uint64) {
			d.Put(catalogues(d)[0]+1, gate.ClassCatalogue, d.Bytes(catalogues(d)[0]))
			d.Hide(catalogues(d)[0], true)
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			disk, a, b, c := reopenStore(t)
			must(t, refused(disk.Snapshot()))
			tc.did(disk, a, b, c)
			wantErr(t, refused(disk), ErrCorrupt)
		})
	}
}

func TestReopenRefusesOldDataUnderAKeptCatalogue(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	f, err := v.FS().Create("a", "")
	must(t, err)
	_, err = f.Write(pattern(1, 20_000))
	must(t, err)
	must(t, f.Sync())
	old := disk.Snapshot()
	_, err = f.Write(pattern(2, 20_000))
	must(t, err)
	must(t, f.Close())
	must(t, v.Close())
	disk.RollBack(objectOf(v, "a"), old)
	_, err = Open(disk, options())
	wantErr(t, err, ErrCorrupt)
}

func TestReopenAfterALieAboutSync(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	disk.LieOnSync(true)
	writeFile(t, v, "a", pattern(1, 20_000))
	disk.LieOnSync(false)
	must(t, v.Sync()) // the catalogue alone is durable
	_, err := Open(disk.Crash(nil), options())
	wantErr(t, err, ErrCorrupt)
}

func TestReopenDeletesUnknownObjects(t *testing.T) {
	disk, _, _, _ := reopenStore(t)
	disk.Put(500_000, gate.ClassTable, []byte("planted"))
	disk.Put(catalogueBit|7_000, gate.ClassCatalogue, []byte("planted"))
	disk.Put(catalogueBit-1, gate.ClassLog, nil)
	must(t, refused(disk))
	if has(disk, 500_000) || has(disk, catalogueBit|7_000) || has(disk, catalogueBit-1) {
		t.Fatal("planted objects are still there")
	}
}

func TestReopenCutsTheOpenTail(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	o, err := v.create("log", gate.ClassLog, 0)
	must(t, err)
	must(t, v.Sync())
	want := pattern(1, 3*chunkSize)
	must(t, o.write(want))
	must(t, o.sync())
	whole := len(disk.Bytes(o.id))
	for n := 0; n <= whole; n += 997 {
		cut := disk.Snapshot()
		cut.Cut(o.id, n)
		v := mustOpen(t, cut)
		wantFile(t, v, "log", want[:n/chunkStride*chunkSize])
		if (v.Info().Cut == 1) != (n%chunkStride != 0) {
			t.Fatalf("cut at %d: %+v", n, v.Info())
		}
	}
}

func TestReopenRefusesAHoleBelowWhatWasDurable(t *testing.T) {
	// Batches of 1 to 40 chunks, each synced. Whatever is damaged before the
	// last batch was durable when a later chunk was sealed.
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	o, err := v.create("log", gate.ClassLog, 0)
	must(t, err)
	must(t, v.Sync())
	var ends []int
	for _, n := range []int{100, 20_000, 40 * chunkSize, 300} {
		must(t, o.write(pattern(n, n)))
		must(t, o.sync())
		ends = append(ends, len(disk.Bytes(o.id)))
	}
	last := ends[len(ends)-2]
	damage := map[string]func(raw []byte, at int){
		"bit":         func(raw []byte, at int) { raw[at] ^= 1 },
		"zero page":   func(raw []byte, at int) { clear(raw[at:min(at+4096, last)]) },
		"zero to end": func(raw []byte, at int) { clear(raw[at:last]) },
	}
	for name, do := range damage {
		for _, at := range []int{0, 3, 50, 128, 140, 5000, 20_100, 300_000, last - 1} {
			raw := disk.Bytes(o.id)
			do(raw, at)
			hurt := disk.Snapshot()
			hurt.Put(o.id, gate.ClassLog, raw)
			if _, err := Open(hurt, options()); err == nil {
				t.Errorf("%s at %d: the file was cut as if it had torn", name, at)
			} else {
				wantErr(t, err, ErrCorrupt)
			}
		}
	}
	// The same damage in the last batch is a torn tail.
	raw := disk.Bytes(o.id)
	raw[last+40] ^= 1
	torn := disk.Snapshot()
	torn.Put(o.id, gate.ClassLog, raw)
	if v := mustOpen(t, torn); v.Info().Cut != 1 {
		t.Fatalf("torn tail: %+v", v.Info())
	}
}

func TestReopenRefusesAHoleInTheCatalogue(t *testing.T) {
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	var ends []int
	for range 5 {
		writeFile(t, v, "a", []byte("x"))
		must(t, v.Sync())
		ends = append(ends, len(disk.Bytes(v.cat.obj)))
	}
	hurt := disk.Snapshot()
	hurt.FlipBit(v.cat.obj, uint64(ends[1]+1), 0)
	_, err := Open(hurt, options())
	wantErr(t, err, ErrCorrupt)

	// Without its last chunk the catalogue is an earlier one: names an object
	// that was deleted since, so it does not pass either.
	hurt = disk.Snapshot()
	hurt.Cut(v.cat.obj, ends[3])
	_, err = Open(hurt, options())
	wantErr(t, err, ErrCorrupt)
}

func TestReopenAcceptsAnOlderWholeStore(t *testing.T) {
	// Not a wish but a fact to rely on elsewhere: only freshness can tell.
	disk := gatetest.NewMemory()
	v := mustOpen(t, disk)
	writeFile(t, v, "a", []byte("old"))
	must(t, v.Close())
	old := disk.Snapshot()
	v = mustOpen(t, disk)
	writeFile(t, v, "a", []byte("new"))
	must(t, v.Close())
	boots := mustOpen(t, disk).Info().Boots
	v = mustOpen(t, old)
	wantFile(t, v, "a", []byte("old"))
	if v.Info().Boots >= boots {
		t.Fatal("boots does not show the rollback")
	}
}

func TestReopenOfNothingIsNew(t *testing.T) {
	disk, _, _, _ := reopenStore(t)
	before := mustOpen(t, disk).Info()
	after := mustOpen(t, gatetest.NewMemory()).Info()
	if after.Mode != ModeNew || after.Boots != 1 || after.StoreID == before.StoreID {
		t.Fatalf("an empty store opens as %+v", after)
	}
}

func TestReopenAfterACrashInTheVeryFirstStart(t *testing.T) {
	disk := gatetest.NewMemory()
	mustOpen(t, disk)
	first := catalogues(disk)[0]
	for n := range len(disk.Bytes(first)) {
		torn := gatetest.NewMemory()
		torn.Put(first, gate.ClassCatalogue, disk.Bytes(first)[:n])
		if v := mustOpen(t, torn); v.Info().Mode != ModeNew {
			t.Fatalf("cut at %d: %+v", n, v.Info())
		}
	}
}

func TestReopenWithAnotherKeyTouchesNothing(t *testing.T) {
	disk, _, _, _ := reopenStore(t)
	before, _ := disk.List()
	opts := options()
	opts.SealKey = [32]byte{9}
	_, err := Open(disk, opts)
	wantErr(t, err, ErrCorrupt)
	opts = options()
	opts.ChainID = wire.Hash{9}
	_, err = Open(disk, opts)
	wantErr(t, err, ErrWrongStore)
	after, _ := disk.List()
	if len(before) != len(after) {
		t.Fatal("objects were created or deleted")
	}
	must(t, refused(disk))
}
