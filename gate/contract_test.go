package gate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"cloister/gate"
	"cloister/gate/gatetest"
)

func TestObjectsThroughTheGateKeepTheContract(t *testing.T) {
	gatetest.Contract(t, func(t *testing.T) gate.Objects {
		core, _ := gatetest.Connect(t, gatetest.Idle{}, gatetest.NewMemory(), gatetest.Idle{})
		return core.Objects()
	})
}

func TestAMillionOneWayFramesArriveInOrder(t *testing.T) {
	disk := gatetest.NewMemory()
	core, _ := gatetest.Connect(t, gatetest.Idle{}, disk, gatetest.Idle{})
	o := core.Objects()
	const objects, each = 4, 250_000
	var all sync.WaitGroup
	for obj := range uint64(objects) {
		all.Go(func() {
			o.Create(obj, gate.ClassLog, 0)
			for i := range uint64(each) {
				if err := o.Append(obj, i, []byte{byte(i % 251)}); err != nil {
					t.Error(err)
					return
				}
			}
			if err := o.Sync(obj); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for obj := range uint64(objects) {
		b := disk.Bytes(obj)
		if len(b) != each || disk.Durable(obj) != each {
			t.Fatalf("object %d: %d bytes, %d durable", obj, len(b), disk.Durable(obj))
		}
		for i, v := range b {
			if v != byte(i%251) {
				t.Fatalf("object %d: byte %d is %d", obj, i, v)
			}
		}
	}
}

// Reads, deletes and lists must see what was asked for before them, whatever
// the workers do at the same time.
func TestOperationsOnAnObjectKeepTheirOrder(t *testing.T) {
	core, _ := gatetest.Connect(t, gatetest.Idle{}, gatetest.NewMemory(), gatetest.Idle{})
	o := core.Objects()
	var all sync.WaitGroup
	for worker := range uint64(8) {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(worker, 1))
			for round := range uint64(40) {
				a, b := worker<<32|round<<8, worker<<32|round<<8|1
				o.Create(a, gate.ClassTable, 0)
				o.Create(b, gate.ClassTable, 0)
				x, y := make([]byte, 1+rng.IntN(20_000)), make([]byte, 1+rng.IntN(20_000))
				for i := range x {
					x[i] = byte(rng.Uint32())
				}
				o.Append(a, 0, x)
				o.Append(b, 0, y)
				o.Append(a, uint64(len(x)), y)
				got, err := o.ReadMany([]gate.Range{{ID: b, N: uint32(len(y))}, {ID: a, N: uint32(len(x) + len(y))}})
				if want := append(append(bytes.Clone(y), x...), y...); err != nil || !bytes.Equal(got, want) {
					t.Errorf("ReadMany after Append: %d bytes, %v", len(got), err)
				}
				p := make([]byte, 1)
				if _, err := o.Read(a, 0, p); err != nil || p[0] != x[0] {
					t.Errorf("Read after Append: %v", err)
				}
				if rows, err := o.List(); err != nil || !has(rows, a, len(x)+len(y)) || !has(rows, b, len(y)) {
					t.Errorf("List after Append: %v, %v", rows, err)
				}
				o.Delete(a)
				if _, err := o.Read(a, 0, p); !errors.Is(err, gate.ErrNotFound) {
					t.Errorf("Read after Delete: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func has(rows []gate.ObjectInfo, id uint64, n int) bool {
	for _, r := range rows {
		if r.ID == id {
			return r.Len == uint64(n)
		}
	}
	return false
}

func TestAListOfManyObjectsArrivesWhole(t *testing.T) {
	disk := gatetest.NewMemory()
	const n = 3*gate.MaxList + 17
	for id := range uint64(n) {
		disk.Put(id*3, gate.ClassTable, []byte{1})
	}
	core, _ := gatetest.Connect(t, gatetest.Idle{}, disk, gatetest.Idle{})
	rows, err := core.Objects().List()
	if err != nil || len(rows) != n || rows[n-1].ID != 3*(n-1) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}

func TestDeleteOfManyObjectsIsSplit(t *testing.T) {
	disk := gatetest.NewMemory()
	var ids []uint64
	for id := range uint64(2*gate.MaxDelete + 1) {
		disk.Put(id, gate.ClassTable, nil)
		ids = append(ids, id)
	}
	core, _ := gatetest.Connect(t, gatetest.Idle{}, disk, gatetest.Idle{})
	core.Objects().Delete(ids...)
	if rows, err := core.Objects().List(); err != nil || len(rows) != 0 {
		t.Fatalf("%d rows left, %v", len(rows), err)
	}
}

func TestASyncErrorStaysThroughTheGate(t *testing.T) {
	disk := gatetest.NewMemory()
	core, _ := gatetest.Connect(t, gatetest.Idle{}, disk, gatetest.Idle{})
	o := core.Objects()
	o.Create(1, gate.ClassLog, 0)
	disk.FailOnce(gatetest.OpSync, 1, fmt.Errorf("bad disk: %w", gate.ErrIO))
	for range 3 {
		if err := o.Sync(1); !errors.Is(err, gate.ErrIO) || err.Error() != gate.ErrIO.Error() {
			t.Fatal(err)
		}
	}
}

func TestAStalledSyncIsSeenAndEndsWithTheGate(t *testing.T) {
	disk := gatetest.NewMemory()
	core, _ := gatetest.Connect(t, gatetest.Idle{}, disk, gatetest.Idle{})
	o := core.Objects()
	o.Create(1, gate.ClassLog, 0)
	if d := core.StorageStalled(); d != 0 {
		t.Fatalf("stalled for %v with nothing open", d)
	}
	disk.HoldSyncs(true)
	defer disk.HoldSyncs(false)
	got := make(chan error, 1)
	go func() { got <- o.Sync(1) }()
	for disk.HeldSyncs() == 0 {
		runtime.Gosched()
	}
	if core.StorageStalled() <= 0 {
		t.Fatal("an open Sync is not seen as stalled")
	}
	p := make([]byte, 1)
	if _, err := o.Read(2, 0, p); !errors.Is(err, gate.ErrNotFound) {
		t.Fatalf("another object is stalled too: %v", err)
	}
	core.Close()
	if err := <-got; !errors.Is(err, gate.ErrGateClosed) {
		t.Fatal(err)
	}
	if err := o.Append(1, 0, p); !errors.Is(err, gate.ErrGateClosed) {
		t.Fatal(err)
	}
}
