package gatetest

import (
	"errors"
	"testing"

	"cloister/gate"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	Contract(t, func(*testing.T) gate.Objects { return NewMemory() })
}

// disk has object 1 with 4 durable and 3 other bytes, object 2 with 2 bytes
// and no durable directory entry.
func disk(t *testing.T) *Memory {
	m := NewMemory()
	write(t, m, 1, []byte("durA"))
	must(t, m.Append(1, 4, []byte("vol")))
	must(t, m.Create(2, gate.ClassLog, 0))
	must(t, m.Append(2, 0, []byte("zz")))
	return m
}

func TestACrashKeepsThePrefixThatWasSynced(t *testing.T) {
	for _, c := range []struct {
		keep     func(uint64, int) int
		one, two string
	}{
		{nil, "durA", ""},
		{func(uint64, int) int { return -5 }, "durA", ""},
		{func(_ uint64, n int) int { return n + 9 }, "durAvol", "zz"},
		{func(obj uint64, n int) int { return int(obj) - 1 }, "durA", "z"},
	} {
		after := disk(t).Crash(c.keep)
		if got := string(after.Bytes(1)); got != c.one {
			t.Errorf("object 1: %q, want %q", got, c.one)
		}
		list, _ := after.List()
		if c.two == "" && len(list) != 1 {
			t.Errorf("an object that was never synced survived: %v", list)
		}
		if c.two != "" && string(after.Bytes(2)) != c.two {
			t.Errorf("object 2: %q, want %q", after.Bytes(2), c.two)
		}
	}
}

func TestLateWritesOfTheOldProgramReachNobody(t *testing.T) {
	old := disk(t)
	after := old.Crash(nil)
	must(t, old.Append(1, 7, []byte("late")))
	must(t, after.Append(1, 4, []byte("NEW")))
	must(t, old.Sync(1))
	if got := string(after.Bytes(1)); got != "durANEW" {
		t.Fatalf("new disk: %q", got)
	}
	if got := string(old.Bytes(1)); got != "durAvollate" {
		t.Fatalf("old disk: %q", got)
	}
	after.FlipBit(1, 0, 0)
	if got := string(old.Bytes(1)); got != "durAvollate" {
		t.Fatalf("old disk after a change on the new one: %q", got)
	}
}

func TestALyingSyncMakesNothingDurable(t *testing.T) {
	m := NewMemory()
	m.LieOnSync(true)
	write(t, m, 1, []byte("gone"))
	if list, _ := m.Crash(nil).List(); len(list) != 0 {
		t.Fatalf("%v", list)
	}
}

func TestHostileSettingsDoWhatTheySay(t *testing.T) {
	m := disk(t)
	before := m.Snapshot()
	m.Cut(1, 2)
	m.Swap(1, 2)
	if string(m.Bytes(1)) != "zz" || string(m.Bytes(2)) != "du" {
		t.Fatalf("%q %q", m.Bytes(1), m.Bytes(2))
	}
	m.RollBack(1, before)
	if string(m.Bytes(1)) != "durAvol" {
		t.Fatalf("%q", m.Bytes(1))
	}
	m.Hide(1, true)
	_, err := m.Read(1, 0, make([]byte, 1))
	want(t, err, gate.ErrNotFound)
	m.Hide(1, false)
	m.KeepDeleted(true)
	must(t, m.Delete(1))
	if string(m.Bytes(1)) != "durAvol" {
		t.Fatal("a delete that should be ignored was not")
	}
	m.KeepDeleted(false)
	must(t, m.Delete(1))
	m.RollBack(2, NewMemory())
	if list, _ := m.List(); len(list) != 0 {
		t.Fatalf("%v", list)
	}
	if _, used, _ := m.Usage(); used != 0 {
		t.Fatalf("%d bytes used by nothing", used)
	}
}

func TestAnErrorInjectedOnceSticksToItsObject(t *testing.T) {
	m := disk(t)
	m.FailOnce(OpSync, 1, gate.ErrIO)
	want(t, m.Sync(1), gate.ErrIO)
	want(t, m.Sync(1), gate.ErrIO)
	must(t, m.Sync(2))
	m.FailOnce(OpRead, 2, gate.ErrIO)
	_, err := m.Read(2, 0, make([]byte, 1))
	want(t, err, gate.ErrIO)
	_, err = m.Read(2, 0, make([]byte, 1))
	must(t, err)
}

func TestTheCapacityIsNoSpace(t *testing.T) {
	m := NewMemory()
	m.SetCapacity(5)
	write(t, m, 1, []byte("12345"))
	must(t, m.Create(2, gate.ClassTable, 0))
	must(t, m.Append(2, 0, []byte("6")))
	want(t, m.Sync(2), gate.ErrNoSpace)
	must(t, m.Delete(1))
	write(t, m, 3, []byte("12345"))
}

func TestHeldSyncsAnswerWhenReleased(t *testing.T) {
	m := disk(t)
	m.HoldSyncs(true)
	done := make(chan error)
	go func() { done <- m.Sync(1) }()
	for m.HeldSyncs() == 0 {
		select {
		case err := <-done:
			t.Fatalf("a held sync answered %v", err)
		default:
		}
	}
	if m.Durable(1) != 4 {
		t.Fatal("a held sync made bytes durable")
	}
	m.HoldSyncs(false)
	if err := <-done; err != nil || m.Durable(1) != 7 {
		t.Fatalf("%v, %d durable", err, m.Durable(1))
	}
	if errors.Is(m.Sync(9), gate.ErrNotFound) != true {
		t.Fatal("a missing object was synced")
	}
}
