package gate

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"cloister/wire"
)

func TestBlocksReachTheArchiveInOrderAndInParts(t *testing.T) {
	host := &hostStub{}
	core, h := started(t, &coreStub{}, noObjects{}, host)
	big := bytes.Repeat([]byte{7}, 5<<20)
	for height := uint64(10); height < 13; height++ {
		f := Final{Height: height, Header: []byte("h"), Body: big, Seal: []byte("s"), Results: []byte{byte(height)}}
		if height == 11 {
			f.Body = nil
		}
		if err := core.Final(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := core.Undo(Undo{ToHeight: 11, Head: wire.Hash{1}}); err != nil {
		t.Fatal(err)
	}
	if err := core.Final(Final{Height: 12}); err != nil {
		t.Fatal(err)
	}
	core.Close()
	h.Close() // waits for the handler
	if len(host.finals) != 4 || len(host.undos) != 1 || host.undos[0].Head != (wire.Hash{1}) {
		t.Fatalf("%d blocks, %d undos", len(host.finals), len(host.undos))
	}
	for i, f := range host.finals[:3] {
		if f.Height != uint64(10+i) || f.Results[0] != byte(10+i) || (i != 1) != bytes.Equal(f.Body, big) {
			t.Fatalf("block %d arrived as %d", i, f.Height)
		}
	}
}

func TestBlocksLeaveInHeightOrder(t *testing.T) {
	core, _ := started(t, &coreStub{}, noObjects{}, &hostStub{})
	for _, c := range []struct {
		height uint64
		want   error
	}{{5, nil}, {5, ErrBadRequest}, {7, ErrBadRequest}, {4, ErrBadRequest}, {6, nil}} {
		if err := core.Final(Final{Height: c.height}); !errors.Is(err, c.want) {
			t.Fatalf("height %d: %v", c.height, err)
		}
	}
	core.Undo(Undo{ToHeight: 3})
	if err := core.Final(Final{Height: 7}); !errors.Is(err, ErrBadRequest) {
		t.Fatalf("after an undo: %v", err)
	}
	if err := core.Final(Final{Height: 4}); err != nil {
		t.Fatal(err)
	}
	if err := core.Final(Final{Height: 5, Body: make([]byte, MaxFinal)}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestUnarchivedBlocksAreBounded(t *testing.T) {
	archived := make(chan uint64, 10)
	core, host := started(t, &coreStub{archived: func(h uint64) { archived <- h }}, noObjects{}, &hostStub{})
	height := uint64(0)
	publish := func(size int) error {
		err := core.Final(Final{Height: height + 1, Body: make([]byte, size)})
		if err == nil {
			height++
		}
		return err
	}
	for range MaxUnarchived {
		if err := publish(10); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(10); !errors.Is(err, ErrBusy) {
		t.Fatalf("block %d: %v", height+1, err)
	}
	host.Archived(height - 1)
	if h := <-archived; h != height-1 {
		t.Fatalf("archived %d", h)
	}
	if n, _ := core.Unarchived(); n != 1 {
		t.Fatalf("%d blocks are not archived", n)
	}
	for _, size := range []int{8 << 20, 7 << 20} {
		if err := publish(size); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(2 << 20); !errors.Is(err, ErrBusy) {
		t.Fatalf("over 16 MiB: %v", err)
	}
	host.Archived(height)
	<-archived
	if n, b := core.Unarchived(); n != 0 || b != 0 {
		t.Fatalf("%d blocks, %d bytes are not archived", n, b)
	}
	if err := publish(MaxFinal - 100); err != nil {
		t.Fatalf("the largest block alone: %v", err)
	}
	if err := publish(200); !errors.Is(err, ErrBusy) {
		t.Fatalf("with the largest block: %v", err)
	}
}

func TestAHeightNeverPublishedIsIgnoredWithAnEvent(t *testing.T) {
	stub := &hostStub{}
	core, host := started(t, &coreStub{archived: func(h uint64) { t.Errorf("archived %d was believed", h) }}, noObjects{}, stub)
	host.Archived(1)
	if _, err := host.Status(ctx); err != nil {
		t.Fatal(err)
	}
	core.Final(Final{Height: 8})
	host.Archived(9)
	host.Archived(1<<64 - 1)
	if _, err := host.Status(ctx); err != nil {
		t.Fatal(err)
	}
	if n, _ := core.Unarchived(); n != 1 {
		t.Fatalf("%d blocks are not archived", n)
	}
	stub.mu.Lock()
	defer stub.mu.Unlock()
	if len(stub.events) != 3 || stub.events[1].ID != EventArchived || stub.events[1].Numbers[0] != 9 || stub.events[1].Numbers[1] != 8 {
		t.Fatalf("events %+v", stub.events)
	}
}

// An archive that is slow holds the core back at the bound; nothing is lost.
func TestASlowArchiveHoldsTheCoreBack(t *testing.T) {
	release := make(chan struct{})
	stub := &hostStub{final: func(Final) { <-release }}
	core, host := started(t, &coreStub{}, noObjects{}, stub)
	height := uint64(0)
	for core.Final(Final{Height: height + 1, Body: make([]byte, 100_000)}) == nil {
		height++
	}
	if height != MaxUnarchived {
		t.Fatalf("%d blocks left the core", height)
	}
	if _, err := host.Status(ctx); err != nil {
		t.Fatalf("the control lane is blocked: %v", err)
	}
	close(release)
	core.Close()
	host.Close()
	if len(stub.finals) != MaxUnarchived {
		t.Fatalf("%d blocks arrived", len(stub.finals))
	}
}

func TestPublishingFromManyGoroutinesKeepsPartsTogether(t *testing.T) {
	stub := &hostStub{}
	core, host := started(t, &coreStub{}, noObjects{}, stub)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 200 {
				core.Event(Event{ID: FirstCoreEvent, Numbers: []uint64{uint64(i)}})
			}
		})
	}
	for height := uint64(1); height <= 5; height++ {
		if err := core.Final(Final{Height: height, Body: make([]byte, 3<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	core.Close()
	host.Close()
	if len(stub.finals) != 5 || len(stub.events) == 0 {
		t.Fatalf("%d blocks, %d events", len(stub.finals), len(stub.events))
	}
}

// Events never wait: a host that does not read loses them, and they are counted.
func TestEventsDoNotWaitForAHostThatDoesNotRead(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	go func() {
		for height := uint64(1); core.Final(Final{Height: height, Body: make([]byte, 1<<20)}) == nil; height++ {
		}
	}()
	for core.control.roomy(1 << 20) {
		core.Event(Event{ID: FirstCoreEvent})
	}
	for range 100_000 {
		core.Event(Event{ID: FirstCoreEvent, Numbers: make([]uint64, 8), Hashes: make([]wire.Hash, 4)})
	}
	core.events.mu.Lock()
	dropped := core.events.dropped
	core.events.mu.Unlock()
	if dropped == 0 {
		t.Fatal("nothing was dropped")
	}
	go io.Copy(io.Discard, p.conns[Control])
}
