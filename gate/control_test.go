package gate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"cloister/wire"
)

func readFull(t testing.TB, c net.Conn, b []byte) {
	t.Helper()
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("reading %d bytes: %v", len(b), err)
	}
}

var ctx = context.Background()

func TestStartGivesTheConfigurationAndReturnsReady(t *testing.T) {
	want := Ready{Node: [32]byte{1}, Key: [32]byte{2}, ChainID: wire.Hash{3}, Height: 4, Flushed: 3, Mode: "resumed", Simulated: true}
	var got Start
	_, host := connect(t, &coreStub{start: func(s Start, r *Reply[Ready]) {
		got = s
		r.Answer(want)
	}}, noObjects{}, &hostStub{})
	ready, err := host.Start(ctx, []byte("config"), Options{DevSealKey: []byte("key"), Archived: 7, MemoryMiB: 512})
	if err != nil || ready != want {
		t.Fatalf("Start: %+v, %v", ready, err)
	}
	if string(got.Config) != "config" || string(got.Options.DevSealKey) != "key" || got.Options.Archived != 7 || got.Options.MemoryMiB != 512 {
		t.Fatalf("the core was given %+v", got)
	}
}

func TestEverythingButStartIsNotReadyUntilReady(t *testing.T) {
	release := make(chan *Reply[Ready], 1)
	_, host := connect(t, &coreStub{start: func(_ Start, r *Reply[Ready]) { release <- r }}, noObjects{}, &hostStub{})
	ask := map[string]func() error{
		"submit": func() error { _, err := host.Submit(ctx, [][]byte{{1}}); return err },
		"query":  func() error { _, err := host.Query(ctx, 1, nil); return err },
		"status": func() error { _, err := host.Status(ctx); return err },
		"stop":   func() error { return host.Stop(ctx, time.Second) },
	}
	for name, f := range ask {
		if err := f(); !errors.Is(err, ErrNotReady) {
			t.Errorf("%s before Start: %v", name, err)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := host.Start(ctx, nil, Options{})
		done <- err
	}()
	reply := <-release
	for name, f := range ask {
		if err := f(); !errors.Is(err, ErrNotReady) {
			t.Errorf("%s between Start and Ready: %v", name, err)
		}
	}
	reply.Answer(Ready{})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for name, f := range ask {
		if err := f(); err != nil {
			t.Errorf("%s after Ready: %v", name, err)
		}
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	_, host := started(t, &coreStub{}, noObjects{}, &hostStub{})
	if _, err := host.Start(ctx, nil, Options{}); !errors.Is(err, ErrBadRequest) {
		t.Fatal(err)
	}
}

func TestAFailedStartCarriesItsText(t *testing.T) {
	_, host := connect(t, &coreStub{start: func(_ Start, r *Reply[Ready]) {
		r.Fail(&Failure{Err: ErrRefused, Text: "the configuration is not the measured one"})
	}}, noObjects{}, &hostStub{})
	_, err := host.Start(ctx, nil, Options{})
	var f *Failure
	if !errors.Is(err, ErrRefused) || !errors.As(err, &f) || f.Text != "the configuration is not the measured one" {
		t.Fatal(err)
	}
	if _, err := host.Status(ctx); !errors.Is(err, ErrNotReady) {
		t.Fatalf("status after a failed start: %v", err)
	}
}

func TestOversizedRequestsAreRefusedBeforeTheyAreSent(t *testing.T) {
	_, host := started(t, &coreStub{}, noObjects{}, &hostStub{})
	if _, err := host.Start(ctx, make([]byte, MaxConfig+1), Options{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("configuration: %v", err)
	}
	if _, err := host.Submit(ctx, make([][]byte, MaxSubmit+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("257 transactions: %v", err)
	}
	if _, err := host.Submit(ctx, [][]byte{make([]byte, MaxSubmitBytes)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("1 MiB of transactions: %v", err)
	}
	if _, err := host.Query(ctx, 1, make([]byte, MaxQuery+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("query: %v", err)
	}
	if _, err := host.Query(ctx, 1, make([]byte, MaxQuery)); err != nil {
		t.Errorf("the largest query: %v", err)
	}
	if _, err := host.Start(ctx, make([]byte, MaxConfig), Options{}); !errors.Is(err, ErrBadRequest) {
		t.Errorf("the largest configuration: %v", err)
	}
}

func TestTheCoreRefuses257TransactionsItself(t *testing.T) {
	_, p := rawHost(t, &coreStub{})
	p.send(Control, raw(typeStart, 1, wire.Marshal(Start{})...))
	p.expect(Control, typeReady)
	p.send(Control, raw(typeSubmit, 2, wire.Marshal(make([][]byte, MaxSubmit+1))...))
	h, payload := p.expect(Control, typeFail)
	if h.id != 2 || parseFail(payload) != ErrTooLarge {
		t.Fatalf("answer %+v %v", h, parseFail(payload))
	}
	p.send(Control, raw(typeSubmit, 3, wire.Marshal([][]byte{{1}})...))
	p.expect(Control, typeData)
}

func TestSubmitAnswersOncePerTransactionAndOutOfOrder(t *testing.T) {
	replies := make(chan *Reply[[]SubmitResult], 2)
	_, host := started(t, &coreStub{submit: func(_ [][]byte, r *Reply[[]SubmitResult]) { replies <- r }}, noObjects{}, &hostStub{})
	first, second := make(chan []SubmitResult, 1), make(chan []SubmitResult, 1)
	go func() { r, _ := host.Submit(ctx, [][]byte{{1}}); first <- r }()
	r1 := <-replies
	go func() { r, _ := host.Submit(ctx, [][]byte{{1}, {2}}); second <- r }()
	r2 := <-replies
	r2.Answer([]SubmitResult{{Code: 1}, {Code: 2}})
	if got := <-second; len(got) != 2 || got[1].Code != 2 {
		t.Fatalf("second: %+v", got)
	}
	r1.Answer([]SubmitResult{{TxID: wire.Hash{9}}})
	r1.Answer([]SubmitResult{{TxID: wire.Hash{8}}}) // ignored
	if got := <-first; len(got) != 1 || got[0].TxID != (wire.Hash{9}) {
		t.Fatalf("first: %+v", got)
	}
	if _, err := host.Status(ctx); err != nil {
		t.Fatalf("after a doubled answer: %v", err)
	}
}

func TestAWrongNumberOfResultsIsNotSent(t *testing.T) {
	_, host := started(t, &coreStub{submit: func(_ [][]byte, r *Reply[[]SubmitResult]) { r.Answer(nil) }}, noObjects{}, &hostStub{})
	if _, err := host.Submit(ctx, [][]byte{{1}}); !errors.Is(err, ErrIO) {
		t.Fatal(err)
	}
}

func TestLargeQueryAnswersArriveInParts(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcde\n"), MaxQueryAnswer/16)
	size := len(want)
	_, host := started(t, &coreStub{query: func(kind uint16, _ []byte, r *Reply[[]byte]) {
		r.Answer(append(want, make([]byte, kind)...)[:size+int(kind)])
	}}, noObjects{}, &hostStub{})
	got, err := host.Query(ctx, 0, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := host.Query(ctx, 1, nil); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("one byte over: %v", err)
	}
	size = 0
	if got, err := host.Query(ctx, 0, nil); err != nil || len(got) != 0 {
		t.Fatalf("empty answer: %d bytes, %v", len(got), err)
	}
}

func TestAQueryIsAnsweredBusyAtItsDeadline(t *testing.T) {
	replies := make(chan *Reply[[]byte], 1)
	core, host := connect(t, &coreStub{query: func(_ uint16, _ []byte, r *Reply[[]byte]) { replies <- r }}, noObjects{}, &hostStub{})
	core.queryDeadline = time.Millisecond
	if _, err := host.Start(ctx, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := host.Query(ctx, 1, nil); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
	r := <-replies
	if r.Open() {
		t.Error("an answer is still wanted after the deadline")
	}
	r.Answer([]byte("late"))
	if _, err := host.Status(ctx); err != nil {
		t.Fatalf("after a late answer: %v", err)
	}
}

func TestMoreOpenQueriesThanAllowedAreBusy(t *testing.T) {
	replies := make(chan *Reply[[]byte], maxQueryOpen)
	_, host := started(t, &coreStub{query: func(_ uint16, _ []byte, r *Reply[[]byte]) { replies <- r }}, noObjects{}, &hostStub{})
	answers := make(chan error, maxQueryOpen)
	for range maxQueryOpen {
		go func() {
			_, err := host.Query(ctx, 1, nil)
			answers <- err
		}()
	}
	var open []*Reply[[]byte]
	for range maxQueryOpen {
		open = append(open, <-replies)
	}
	if _, err := host.Query(ctx, 1, nil); !errors.Is(err, ErrBusy) {
		t.Fatalf("query %d: %v", maxQueryOpen+1, err)
	}
	for _, r := range open {
		r.Answer(nil)
	}
	for range open {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	go func() { (<-replies).Answer([]byte("x")) }()
	if got, err := host.Query(ctx, 1, nil); err != nil || string(got) != "x" {
		t.Fatalf("after the places became free: %q, %v", got, err)
	}
}

func TestAnAbandonedRequestDoesNotDisturbLaterOnes(t *testing.T) {
	replies := make(chan *Reply[[]byte], 2)
	_, host := started(t, &coreStub{query: func(_ uint16, _ []byte, r *Reply[[]byte]) { replies <- r }}, noObjects{}, &hostStub{})
	short, cancel := context.WithCancel(ctx)
	gone := make(chan error, 1)
	go func() { _, err := host.Query(short, 1, nil); gone <- err }()
	r := <-replies
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.Answer(make([]byte, 3<<20))
	go func() { (<-replies).Answer([]byte("second")) }()
	if got, err := host.Query(ctx, 1, nil); err != nil || string(got) != "second" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestStopPassesTheGrace(t *testing.T) {
	var grace time.Duration
	_, host := started(t, &coreStub{stop: func(g time.Duration, r *Reply[struct{}]) { grace = g; r.Answer(struct{}{}) }}, noObjects{}, &hostStub{})
	if err := host.Stop(ctx, time.Hour); err != nil || grace != time.Minute {
		t.Fatalf("grace %v, %v", grace, err)
	}
}

func TestFetchReturnsWhatTheHostHas(t *testing.T) {
	block := bytes.Repeat([]byte{7}, 3<<20)
	core, _ := started(t, &coreStub{}, noObjects{}, &hostStub{fetch: func(_ context.Context, k FetchKind, key []byte) ([]byte, error) {
		if h, ok := BlockHeight(key); k == FetchBlock && ok && h == 12 {
			return block, nil
		}
		return nil, ErrNotFound
	}})
	if got, err := core.FetchHeight(ctx, 12); err != nil || !bytes.Equal(got, block) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := core.Fetch(ctx, FetchEntry, []byte("key")); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := core.Fetch(ctx, 5, nil); !errors.Is(err, ErrBadRequest) {
		t.Fatal(err)
	}
}

func TestEventsOverTheRateAreDroppedAndCounted(t *testing.T) {
	host := &hostStub{}
	core, h := started(t, &coreStub{}, noObjects{}, host)
	now := time.Unix(100, 0)
	core.events.now = func() time.Time { return now }
	for i := range MaxEvents + 10 {
		core.Event(Event{ID: FirstCoreEvent, Numbers: []uint64{uint64(i)}})
	}
	now = now.Add(time.Second)
	core.Event(Event{ID: FirstCoreEvent + 1})
	if _, err := h.Status(ctx); err != nil { // same lane: everything before has arrived
		t.Fatal(err)
	}
	host.mu.Lock()
	defer host.mu.Unlock()
	if len(host.events) != MaxEvents+2 {
		t.Fatalf("%d events arrived", len(host.events))
	}
	if lost := host.events[MaxEvents]; lost.ID != EventDropped || lost.Numbers[0] != 10 {
		t.Fatalf("instead of the count of dropped events: %+v", lost)
	}
}

func TestFatalIsTheLastFrame(t *testing.T) {
	host := &hostStub{}
	core, h := started(t, &coreStub{}, noObjects{}, host)
	want := Fatal{Code: ExitCorrupt, Event: FirstCoreEvent, Hash: wire.Hash{5}}
	core.Fatal(want)
	<-h.Done()
	h.Close()
	if len(host.fatals) != 1 || host.fatals[0] != want {
		t.Fatalf("%+v", host.fatals)
	}
	if err := core.Err(); !errors.Is(err, ErrGateClosed) || ExitCode(err) != ExitClosed {
		t.Fatal(err)
	}
	if _, err := core.Fetch(ctx, FetchBlock, nil); !errors.Is(err, ErrGateClosed) {
		t.Fatal(err)
	}
}

func TestTheHostDyingFailsEverythingOpen(t *testing.T) {
	asked := make(chan struct{})
	core, host := started(t, &coreStub{}, noObjects{}, &hostStub{fetch: func(ctx context.Context, _ FetchKind, _ []byte) ([]byte, error) {
		close(asked)
		<-ctx.Done()
		return nil, ErrIO
	}})
	got := make(chan error, 1)
	go func() { _, err := core.FetchHeight(ctx, 1); got <- err }()
	<-asked
	host.Close()
	if err := <-got; !errors.Is(err, ErrGateClosed) {
		t.Fatal(err)
	}
	<-core.Done()
	if err := core.Err(); ExitCode(err) != ExitClosed {
		t.Fatal(err)
	}
}
