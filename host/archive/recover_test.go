package archive

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cloister/gate"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/receipt"
)

// long makes a chain with a transaction in every block; every third is sealed.
func long(name string, blocks int) *archivetest.Chain {
	c := archivetest.New(name, 1)
	for h := range blocks {
		c.Add(archivetest.Block{Txs: []*wire.Tx{c.AddEntry("c", fmt.Append(nil, h))}, Sealed: h%3 == 2})
	}
	return c
}

// sound checks that an archive holds exactly the first blocks of a chain, with
// every index in step.
func sound(t testing.TB, a *Archive, c *archivetest.Chain) {
	t.Helper()
	newest := a.Height()
	if newest > uint64(len(c.Finals)) {
		t.Fatalf("height %d of %d", newest, len(c.Finals))
	}
	sealed, entries := uint64(0), uint64(0)
	for _, f := range c.Finals[:newest] {
		if len(f.Seal) > 0 {
			sealed = f.Height
		}
	}
	for _, f := range c.Finals {
		b, err := a.Block(f.Height)
		if f.Height > newest {
			if wire.CodeOf(err) != wire.ErrNotFound {
				t.Fatalf("block %d above the height %d: %v", f.Height, newest, err)
			}
			continue
		}
		if err != nil || !slices.Equal(b.Body, f.Body) || !slices.Equal(b.Header, f.Header) {
			t.Fatalf("block %d of %d: %v", f.Height, newest, err)
		}
		bodies, err := wire.DecodeList(f.Body, wire.MaxBodyItems, wire.MaxTx)
		if err != nil {
			t.Fatal(err)
		}
		for i, body := range bodies {
			tx, err := wire.DecodeTx(body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Transaction(tx.ID())
			if err != nil || got.Height != f.Height || got.Index != uint32(i) {
				t.Fatalf("transaction %d of block %d: %+v, %v", i, f.Height, got, err)
			}
			entries++
			checkReceipt(t, a, c, tx, receipt.Ordered, f.Height <= sealed, wire.OK)
		}
	}
	if a.Sealed() != sealed {
		t.Fatalf("sealed %d, want %d", a.Sealed(), sealed)
	}
	if entries == 0 {
		return
	}
	if info, err := a.Chain(archivetest.EntryChain("c")); err != nil || info.Entries != entries {
		t.Fatalf("chain: %+v, %v; %d entries are stored", info, err, entries)
	}
}

func TestADeletedIndexIsRebuilt(t *testing.T) {
	c := long("rebuild", 200)
	dir := t.TempDir()
	a := openAt(t, dir, c.Genesis)
	appendAll(t, a, c.Finals[:150])
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openAt(t, dir, c.Genesis) // a second segment
	appendAll(t, a, c.Finals[150:])
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	a = openAt(t, dir, c.Genesis)
	defer a.Close()
	if a.Height() != 200 {
		t.Fatalf("height %d", a.Height())
	}
	sound(t, a, c)
}

func TestATornTailIsLeftOut(t *testing.T) {
	c := long("torn", 6)
	dir := t.TempDir()
	a := openAt(t, dir, c.Genesis)
	appendAll(t, a, c.Finals[:3])
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	file := segmentName(filepath.Join(dir, "blocks"), 0)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// What a crash may leave of the group of blocks 4 and 5: any part of it,
	// also the later block without the earlier.
	group := whole
	at := len(whole)
	for _, f := range c.Finals[3:5] {
		p, err := parts(f)
		if err != nil {
			t.Fatal(err)
		}
		group = appendRecord(group, f.Height, uint64(len(whole)), p.Encode())
		if f.Height == 4 {
			at = len(group)
		}
	}
	hole := slices.Clone(group)
	clear(hole[len(whole)+40 : at])
	for name, torn := range map[string]struct {
		bytes  []byte
		height uint64
	}{
		"nothing of it":          {whole, 3},
		"a record's head cut":    {group[:len(whole)+recordHead-1], 3},
		"a block cut":            {group[:at-1], 3},
		"one block whole":        {group[:at], 4},
		"the next cut":           {group[:len(group)-1], 4},
		"all of it":              {group, 5},
		"the first one missing":  {hole, 3},
		"zeros behind the whole": {append(slices.Clone(whole), make([]byte, 5000)...), 3},
	} {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(segmentName(filepath.Join(copied, "blocks"), 0), torn.bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // opening changes nothing that opening again would see
			a := openAt(t, copied, c.Genesis)
			if a.Height() != torn.height {
				t.Errorf("%s: height %d, want %d", name, a.Height(), torn.height)
			}
			sound(t, a, c)
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
		a := openAt(t, copied, c.Genesis)
		appendAll(t, a, c.Finals)
		sound(t, a, c)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamageToWhatWasDurableIsNotTakenForATear(t *testing.T) {
	c := long("damage", 9)
	dir := t.TempDir()
	a := openAt(t, dir, c.Genesis)
	for _, f := range c.Finals { // a group each, so that each names the one before as durable
		appendAll(t, a, []*gate.Final{f})
	}
	row, err := a.row(5)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	file := segmentName(filepath.Join(dir, "blocks"), 0)
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	at := int64(row.offset) + recordHead + 100 // in the header
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	a = openAt(t, dir, c.Genesis)
	if _, err := a.Block(5); !errors.Is(err, ErrCorrupt) {
		t.Errorf("reading the damaged block: %v", err)
	}
	if _, err := a.Header(5); !errors.Is(err, ErrCorrupt) {
		t.Errorf("reading the damaged header: %v", err)
	}
	if _, err := a.Block(6); err != nil {
		t.Errorf("reading its neighbour: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// Rebuilding would have to end at the damage, with later blocks lost.
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Genesis: c.Genesis}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("rebuilding over damage: %v", err)
	}
}

func TestMissingSegmentsAreNoticed(t *testing.T) {
	c := long("missing", 9)
	for _, index := range []bool{true, false} {
		dir := t.TempDir()
		for i := range 3 {
			a := openAt(t, dir, c.Genesis)
			appendAll(t, a, c.Finals[3*i:3*i+3])
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
		gone := uint64(4) // the middle one
		if index {
			gone = 7 // the one the index stands in
		} else if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(segmentName(filepath.Join(dir, "blocks"), gone)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{Genesis: c.Genesis}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("segment %d missing, index %t: %v", gone, index, err)
		}
	}
}

// TestPowerLossLeavesAPrefixWithEverythingVisible crashes an in-memory disk
// that keeps a random part of what was not synced, and opens what is left.
func TestPowerLossLeavesAPrefixWithEverythingVisible(t *testing.T) {
	c := long("power", 400)
	rng := rand.New(rand.NewPCG(7, 11))
	for round := range 30 {
		disk := vfs.NewCrashableMem()
		done := 0
		for life := range 3 {
			a, err := Open("archive", Options{Genesis: c.Genesis, GroupInterval: 1, fs: disk})
			if err != nil {
				t.Fatalf("round %d, life %d: %v", round, life, err)
			}
			if a.Height() < uint64(done) {
				t.Fatalf("round %d: %d blocks were visible, %d survived", round, done, a.Height())
			}
			sound(t, a, c)
			from := int(a.Height())
			for _, f := range c.Finals[from:min(len(c.Finals), from+rng.IntN(60))] {
				if err := a.Append(f); err != nil {
					t.Fatal(err)
				}
				if rng.IntN(40) == 0 {
					if err := a.index.rows.DB.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			done = int(a.Height())
			crashed := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			_ = a.Close() // late writes reach nobody
			disk = crashed
		}
	}
}

// TestRefusedWritesEndTheArchiveLoudly makes the disk refuse one kind of write
// after another.
func TestRefusedWritesEndTheArchiveLoudly(t *testing.T) {
	c := long("refusing", 40)
	for _, kind := range []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSyncData, errorfs.OpOpenDir} {
		disk := vfs.NewMem()
		refusing := false
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if refusing && op.Kind == kind && filepath.Ext(op.Path) != ".sst" {
				return errorfs.ErrInjected
			}
			return nil
		})
		a, err := Open("archive", Options{Genesis: c.Genesis, fs: errorfs.Wrap(disk, inject)})
		if err != nil {
			t.Fatal(err)
		}
		if kind == errorfs.OpFileWrite || kind == errorfs.OpFileSyncData {
			appendAll(t, a, c.Finals[:10])
		} else { // opening a segment is what fails
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if a, err = Open("archive", Options{Genesis: c.Genesis, fs: errorfs.Wrap(disk, inject)}); err != nil {
				t.Fatal(err)
			}
		}
		before := a.Height()
		refusing = true
		for _, f := range c.Finals[before:] {
			if err = a.Append(f); err != nil {
				break
			}
		}
		if err == nil {
			err = a.Sync()
		}
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("kind %d: %v", kind, err)
		}
		<-a.Failed()
		if a.Height() != before {
			t.Errorf("kind %d: height %d, was %d", kind, a.Height(), before)
		}
		if before > 0 {
			if _, err := a.Block(before); err != nil {
				t.Errorf("kind %d: reading goes on: %v", kind, err)
			}
		}
		if err := a.Append(c.Finals[before]); !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("kind %d: the failure sticks: %v", kind, err)
		}
		if err := a.Close(); !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("kind %d: close tells of it: %v", kind, err)
		}
		refusing = false
		a, err = Open("archive", Options{Genesis: c.Genesis, fs: disk})
		if err != nil {
			t.Fatal(err)
		}
		appendAll(t, a, c.Finals)
		sound(t, a, c)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, 7, 48, []byte("block")))
	f.Add([]byte(recordMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, block, ok := parseRecord(b)
		if !ok {
			return
		}
		if again := appendRecord(nil, r.height, r.synced, block); !slices.Equal(again, b[:len(again)]) {
			t.Fatalf("accepted %x, which is not what is written for it", b)
		}
	})
}

func FuzzSegmentHead(f *testing.F) {
	f.Add(appendSegmentHead(nil, 9, wire.Hash{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkSegmentHead(b, 9, wire.Hash{1}) == nil && !slices.Equal(b, appendSegmentHead(nil, 9, wire.Hash{1})) {
			t.Fatalf("accepted %x", b)
		}
	})
}

// bytesAt lets recordAt and durableAfter read from memory.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func FuzzSegmentScan(f *testing.F) {
	two := appendRecord(appendRecord(nil, 1, 0, []byte("one")), 2, 31, []byte("two"))
	f.Add(two)
	f.Add(append([]byte{0, 1}, two...))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := uint64(len(b))
		for at := uint64(0); at < size; {
			rec, data, err := recordAt(bytesAt(b), at, size)
			if err != nil {
				t.Fatal(err)
			}
			if data == nil {
				break
			}
			at += recordHead + uint64(rec.size)
			if at > size {
				t.Fatal("a record longer than the file")
			}
		}
		if _, err := durableAfter(bytesAt(b), 0, size); err != nil {
			t.Fatal(err)
		}
	})
}
