package objects

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
)

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, s *Store, id uint64, data []byte) {
	t.Helper()
	must(t, s.Create(id, gate.ClassLog, 0))
	must(t, s.Append(id, 0, data))
	must(t, s.Sync(id))
}

func TestStoreKeepsTheContract(t *testing.T) {
	gatetest.Contract(t, func(t *testing.T) gate.Objects {
		return open(t, filepath.Join(t.TempDir(), "objects"), Options{})
	})
}

func TestStoreBehindTheGateKeepsTheContract(t *testing.T) {
	gatetest.Contract(t, func(t *testing.T) gate.Objects {
		core, _ := gatetest.Connect(t, gatetest.Idle{}, open(t, t.TempDir(), Options{MaxOpen: 2}), gatetest.Idle{})
		return core.Objects()
	})
}

func TestAFullTableOfOpenFilesStillServesAll(t *testing.T) {
	gatetest.Contract(t, func(t *testing.T) gate.Objects {
		return open(t, t.TempDir(), Options{MaxOpen: 1})
	})
}

func TestOpenFilesAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxOpen: 4})
	for id := range uint64(40) {
		must(t, s.Create(id, gate.ClassTable, 0))
		must(t, s.Append(id, 0, []byte{byte(id)})) // unsynced when it is closed
	}
	files := 0
	for _, o := range s.objects {
		if o.file != nil {
			files++
		}
	}
	if files > 4 || s.open.Len() != files {
		t.Fatalf("%d files are open, the list has %d", files, s.open.Len())
	}
	for id := range uint64(40) {
		must(t, s.Append(id, 1, []byte{1}))
		must(t, s.Sync(id))
		p := make([]byte, 3)
		if n, err := s.Read(id, 0, p); err != nil || n != 2 || p[0] != byte(id) {
			t.Fatalf("object %d: %v %d %v", id, p, n, err)
		}
	}
}

func TestWhatIsInTheFolderIsFoundAgainAndNothingElseIsTouched(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	write(t, s, 0xabc, []byte("kept"))
	s.Close()
	others := map[string]string{"0000000000000ABC": "upper case", "notes.txt": "x", "abc": "short", "0000000000000abcd": "long"}
	for name, content := range others {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	must(t, os.Mkdir(filepath.Join(dir, "0000000000000def"), 0o700))
	must(t, os.Symlink("notes.txt", filepath.Join(dir, "0000000000000aaa")))

	s = open(t, dir, Options{})
	list, err := s.List()
	must(t, err)
	if len(list) != 1 || list[0] != (gate.ObjectInfo{ID: 0xabc, Len: 4}) {
		t.Fatalf("%v", list)
	}
	must(t, s.Create(0xaaa, gate.ClassTable, 0))
	if err := s.Sync(0xaaa); !errors.Is(err, gate.ErrIO) {
		t.Fatalf("creating over a link: %v", err)
	}
	must(t, s.Append(0xabc, 4, []byte(" on")))
	must(t, s.Sync(0xabc))
	for name, content := range others {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != content {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestTheFolderIsUsedByOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	s.Close()
	open(t, dir, Options{})
}

func TestTheCapIsNoSpaceAndSticks(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 10})
	write(t, s, 1, []byte("12345"))
	must(t, s.Create(2, gate.ClassLog, 1<<40)) // the hint does not fit and is ignored
	s.Append(2, 0, []byte("123456"))
	if err := s.Sync(2); !errors.Is(err, gate.ErrNoSpace) {
		t.Fatal(err)
	}
	must(t, s.Delete(1))
	s.Append(2, 0, []byte("1"))
	if err := s.Sync(2); !errors.Is(err, gate.ErrNoSpace) {
		t.Fatalf("after space became free: %v", err)
	}
	write(t, s, 3, []byte("1234567890"))
	if free, used, err := s.Usage(); err != nil || free != 0 || used != 10 {
		t.Fatalf("free %d, used %d, %v", free, used, err)
	}
}

func TestAHintReservesAndIsNotALength(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1 << 20})
	must(t, s.Create(1, gate.ClassLog, 1<<19))
	reserved := s.reserved
	if reserved != 0 && reserved != 1<<19 { // 0 where the file system cannot
		t.Fatalf("%d bytes reserved", reserved)
	}
	must(t, s.Append(1, 0, make([]byte, 1000)))
	must(t, s.Sync(1))
	if list, _ := s.List(); list[0].Len != 1000 {
		t.Fatalf("length %d", list[0].Len)
	}
	if reserved > 0 && s.reserved != reserved-1000 {
		t.Fatalf("%d bytes reserved after an append", s.reserved)
	}
	must(t, s.Delete(1))
	if s.reserved != 0 || s.used != 0 {
		t.Fatalf("reserved %d, used %d of nothing", s.reserved, s.used)
	}
}

func TestAFileThatDisappearedIsAnErrorNotARepair(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	write(t, s, 1, []byte("12345"))
	s.Close()
	s = open(t, dir, Options{})
	must(t, os.Remove(filepath.Join(dir, fileName(1))))
	s.Append(1, 5, []byte("x"))
	if err := s.Sync(1); !errors.Is(err, gate.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, fileName(1))); !os.IsNotExist(err) {
		t.Fatalf("the file came back: %v", err)
	}
}

func TestTryReadReadsWhatIsInMemoryOrNothing(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	data := bytes.Repeat([]byte("0123456789"), 1000)
	write(t, s, 1, data)
	p := make([]byte, 100)
	if n, ok := s.TryRead(1, 9950, p); ok && (n != 50 || !bytes.Equal(p[:n], data[9950:])) {
		t.Fatalf("%d bytes %q", n, p[:n])
	}
	if _, ok := s.TryRead(2, 0, p); ok {
		t.Fatal("read an object that is not there")
	}
	s.objects[1].mu.Lock()
	_, ok := s.TryRead(1, 0, p)
	s.objects[1].mu.Unlock()
	if ok {
		t.Fatal("read an object that is in use")
	}
}

func TestConcurrentUseOfManyObjects(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxOpen: 3})
	var all sync.WaitGroup
	for id := range uint64(12) {
		all.Go(func() {
			if s.Create(id, gate.ClassLog, 4096) != nil {
				t.Error("create")
			}
			for i := range uint64(50) {
				s.Append(id, i*3, []byte{byte(id), byte(i), 7})
				if i%10 == 0 {
					if err := s.Sync(id); err != nil {
						t.Error(err)
					}
				}
				p := make([]byte, 3)
				if n, err := s.Read(id, i*3, p); err != nil || n != 3 || p[1] != byte(i) {
					t.Errorf("object %d at %d: %v, %v", id, i, p, err)
				}
				s.List()
			}
			if id%2 == 0 {
				if err := s.Delete(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if list, _ := s.List(); len(list) != 6 || s.used != 6*150 {
		t.Fatalf("%d objects with %d bytes", len(list), s.used)
	}
}
