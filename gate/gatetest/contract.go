package gatetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"cloister/gate"
)

// Contract is what every gate.Objects must keep, whatever is behind it: run it
// against each implementation. open returns an empty store.
func Contract(t *testing.T, open func(t *testing.T) gate.Objects) {
	for name, rule := range map[string]func(*testing.T, gate.Objects){
		"what was synced is read back":               readBack,
		"a read is short only at the end":            shortAtEnd,
		"ReadMany concatenates or fails":             readMany,
		"an object is created once":                  createdOnce,
		"an append must be at the end":               appendAtEnd,
		"an append needs an object":                  appendNeedsObject,
		"the first refusal sticks":                   refusalSticks,
		"List is ascending and complete":             listed,
		"Delete removes and ignores what is missing": deleted,
		"limits are kept":                            limitsKept,
	} {
		t.Run(name, func(t *testing.T) { rule(t, open(t)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

// write creates obj with data and syncs it.
func write(t *testing.T, s gate.Objects, obj uint64, data []byte) {
	t.Helper()
	must(t, s.Create(obj, gate.ClassTable, uint64(len(data))))
	must(t, s.Append(obj, 0, data))
	must(t, s.Sync(obj))
}

func readBack(t *testing.T, s gate.Objects) {
	must(t, s.Create(7, gate.ClassLog, 1<<20))
	var all []byte
	for i := range 200 {
		part := bytes.Repeat([]byte{byte(i)}, 1+i*37)
		must(t, s.Append(7, uint64(len(all)), part))
		all = append(all, part...)
		if i%50 == 0 {
			must(t, s.Sync(7))
		}
	}
	must(t, s.Sync(7))
	for off := 0; off < len(all); off += 100_000 {
		p := make([]byte, min(100_000, len(all)-off))
		n, err := s.Read(7, uint64(off), p)
		must(t, err)
		if n != len(p) || !bytes.Equal(p, all[off:off+n]) {
			t.Fatalf("%d bytes at %d differ from what was appended", n, off)
		}
	}
}

func shortAtEnd(t *testing.T, s gate.Objects) {
	write(t, s, 1, []byte("0123456789"))
	for off, left := range map[uint64]int{0: 10, 4: 6, 9: 1, 10: 0, 11: 0, 1 << 62: 0} {
		p := make([]byte, 16)
		n, err := s.Read(1, off, p)
		must(t, err)
		if n != left || string(p[:n]) != "0123456789"[10-left:] {
			t.Errorf("read at %d: %q", off, p[:n])
		}
	}
	_, err := s.Read(2, 0, make([]byte, 1))
	want(t, err, gate.ErrNotFound)
}

func readMany(t *testing.T, s gate.Objects) {
	write(t, s, 1, []byte("alpha"))
	write(t, s, 2, []byte("beta"))
	got, err := s.ReadMany([]gate.Range{{ID: 2, Off: 1, N: 2}, {ID: 1, Off: 0, N: 5}, {ID: 2, Off: 0, N: 1}})
	must(t, err)
	if string(got) != "etalphab" {
		t.Fatalf("%q", got)
	}
	_, err = s.ReadMany([]gate.Range{{ID: 1, Off: 0, N: 1}, {ID: 3, Off: 0, N: 1}})
	want(t, err, gate.ErrNotFound)
	if got, err = s.ReadMany([]gate.Range{{ID: 1, Off: 4, N: 9}}); err != nil || string(got) != "a" {
		t.Fatalf("at the end: %q, %v", got, err)
	}
}

func createdOnce(t *testing.T, s gate.Objects) {
	write(t, s, 1, []byte("first"))
	must(t, s.Create(1, gate.ClassTable, 0))
	want(t, s.Sync(1), gate.ErrBadRequest)
	p := make([]byte, 5)
	if n, err := s.Read(1, 0, p); err != nil || string(p[:n]) != "first" {
		t.Fatalf("content after a second Create: %q, %v", p[:n], err)
	}
}

func appendAtEnd(t *testing.T, s gate.Objects) {
	for obj, off := range map[uint64]uint64{1: 4, 2: 6, 3: 0, 4: 1 << 63} {
		write(t, s, obj, []byte("12345"))
		must(t, s.Append(obj, off, []byte("x")))
		want(t, s.Sync(obj), gate.ErrBadRequest)
		p := make([]byte, 9)
		if n, err := s.Read(obj, 0, p); err != nil || string(p[:n]) != "12345" {
			t.Fatalf("content after an append at %d: %q, %v", off, p[:n], err)
		}
	}
}

func appendNeedsObject(t *testing.T, s gate.Objects) {
	must(t, s.Append(1, 0, []byte("x")))
	want(t, s.Sync(1), gate.ErrNotFound)
	want(t, s.Sync(2), gate.ErrNotFound)
}

func refusalSticks(t *testing.T, s gate.Objects) {
	write(t, s, 1, []byte("12345"))
	must(t, s.Append(1, 9, []byte("x")))
	want(t, s.Sync(1), gate.ErrBadRequest)
	must(t, s.Append(1, 5, []byte("good")))
	want(t, s.Sync(1), gate.ErrBadRequest)
	write(t, s, 2, []byte("others are not touched"))
}

func listed(t *testing.T, s gate.Objects) {
	ids := []uint64{1<<63 | 5, 3, 1, 1 << 40, 2}
	for i, id := range ids {
		write(t, s, id, make([]byte, i+1))
	}
	must(t, s.Append(99, 0, []byte("refused")))
	got, err := s.List()
	must(t, err)
	expected := []gate.ObjectInfo{{ID: 1, Len: 3}, {ID: 2, Len: 5}, {ID: 3, Len: 2}, {ID: 1 << 40, Len: 4}, {ID: 1<<63 | 5, Len: 1}}
	if !slices.Equal(got, expected) {
		t.Fatalf("%v", got)
	}
	_, used, err := s.Usage()
	must(t, err)
	if used != 15 {
		t.Fatalf("%d bytes used", used)
	}
}

func deleted(t *testing.T, s gate.Objects) {
	for id := range uint64(10) {
		write(t, s, id+1, []byte("x"))
	}
	must(t, s.Delete(1, 3, 5, 77, 3))
	must(t, s.Delete())
	got, err := s.List()
	must(t, err)
	if len(got) != 7 || got[0].ID != 2 {
		t.Fatalf("%v", got)
	}
	_, err = s.Read(3, 0, make([]byte, 1))
	want(t, err, gate.ErrNotFound)
	want(t, s.Sync(3), gate.ErrNotFound)
}

func limitsKept(t *testing.T, s gate.Objects) {
	must(t, s.Create(1, gate.ClassTable, 0))
	want(t, s.Append(1, 0, make([]byte, gate.MaxAppend+1)), gate.ErrTooLarge)
	must(t, s.Append(1, 0, make([]byte, gate.MaxAppend)))
	must(t, s.Sync(1))
	_, err := s.Read(1, 0, make([]byte, gate.MaxRead+1))
	want(t, err, gate.ErrTooLarge)
	n, err := s.Read(1, 0, make([]byte, gate.MaxRead))
	if err != nil || n != gate.MaxRead {
		t.Fatalf("%d, %v", n, err)
	}
	_, err = s.ReadMany([]gate.Range{{ID: 1, N: gate.MaxRead}, {ID: 1, N: 1}})
	want(t, err, gate.ErrTooLarge)
	_, err = s.ReadMany(make([]gate.Range, gate.MaxReadMany+1))
	if err == nil {
		t.Fatal("65 ranges were read")
	}
}
