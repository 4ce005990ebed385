package gate

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(childMain())
	}
	goleak.VerifyTestMain(m)
}

// coreStub is a Handler whose answers a test chooses; what it does not choose
// is answered at once with something empty.
type coreStub struct {
	start    func(Start, *Reply[Ready])
	submit   func([][]byte, *Reply[[]SubmitResult])
	query    func(uint16, []byte, *Reply[[]byte])
	status   func(*Reply[[]byte])
	stop     func(time.Duration, *Reply[struct{}])
	archived func(uint64)
}

func (c *coreStub) Start(s Start, r *Reply[Ready]) {
	if c.start == nil {
		r.Answer(Ready{Mode: "new"})
		return
	}
	c.start(s, r)
}

func (c *coreStub) Submit(txs [][]byte, r *Reply[[]SubmitResult]) {
	if c.submit == nil {
		r.Answer(make([]SubmitResult, len(txs)))
		return
	}
	c.submit(txs, r)
}

func (c *coreStub) Query(kind uint16, body []byte, r *Reply[[]byte]) {
	if c.query == nil {
		r.Answer(body)
		return
	}
	c.query(kind, body, r)
}

func (c *coreStub) Status(r *Reply[[]byte]) {
	if c.status == nil {
		r.Answer([]byte("fine"))
		return
	}
	c.status(r)
}

func (c *coreStub) Stop(grace time.Duration, r *Reply[struct{}]) {
	if c.stop == nil {
		r.Answer(struct{}{})
		return
	}
	c.stop(grace, r)
}

func (c *coreStub) Archived(h uint64) {
	if c.archived != nil {
		c.archived(h)
	}
}

// hostStub is a HostHandler that keeps what it was told.
type hostStub struct {
	dial  func(context.Context, string) (net.Conn, error)
	fetch func(context.Context, FetchKind, []byte) ([]byte, error)
	final func(Final)

	mu     sync.Mutex
	finals []Final
	undos  []Undo
	events []Event
	fatals []Fatal
}

func (h *hostStub) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if h.dial == nil {
		return nil, ErrRefused
	}
	return h.dial(ctx, addr)
}

func (h *hostStub) Fetch(ctx context.Context, k FetchKind, key []byte) ([]byte, error) {
	if h.fetch == nil {
		return nil, ErrNotFound
	}
	return h.fetch(ctx, k, key)
}

func (h *hostStub) Final(f Final) {
	if h.final != nil {
		h.final(f)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finals = append(h.finals, f)
}

func (h *hostStub) Undo(u Undo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.undos = append(h.undos, u)
}

func (h *hostStub) Event(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *hostStub) Fatal(f Fatal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fatals = append(h.fatals, f)
}

// noObjects is a store for tests that do not use the storage lane.
type noObjects struct{ Objects }

// connect joins a core and a host in this process.
func connect(t testing.TB, c Handler, objects Objects, h HostHandler) (*Core, *Host) {
	t.Helper()
	coreConns, hostConns, err := Pairs()
	if err != nil {
		t.Fatal(err)
	}
	var host *Host
	var hostErr error
	var up sync.WaitGroup
	up.Go(func() { host, hostErr = Serve(hostConns[:], Token{}, objects, h) })
	core, err := NewCore(coreConns, Token{})
	up.Wait()
	if err != nil || hostErr != nil {
		t.Fatal(err, hostErr)
	}
	core.Handle(c)
	t.Cleanup(func() {
		core.Close()
		host.Close()
	})
	return core, host
}

// started is connect followed by a successful Start.
func started(t testing.TB, c Handler, objects Objects, h HostHandler) (*Core, *Host) {
	t.Helper()
	core, host := connect(t, c, objects, h)
	if _, err := host.Start(context.Background(), nil, Options{}); err != nil {
		t.Fatal(err)
	}
	return core, host
}

// peer is a raw other end: a test writes and reads frames by hand.
type peer struct {
	t     testing.TB
	conns [laneCount]net.Conn
}

// rawHost returns a core and the host end of its lanes after a proper greeting.
func rawHost(t testing.TB, h Handler) (*Core, *peer) {
	t.Helper()
	coreConns, hostConns, err := Pairs()
	if err != nil {
		t.Fatal(err)
	}
	var up sync.WaitGroup
	up.Go(func() { _, err = greet(hostConns[:], Token{}, time.Now().Add(LanesTimeout)) })
	core, coreErr := NewCore(coreConns, Token{})
	up.Wait()
	if err != nil || coreErr != nil {
		t.Fatal(err, coreErr)
	}
	core.Handle(h)
	p := &peer{t, hostConns}
	t.Cleanup(func() {
		closeAll(p.conns[:])
		core.Close()
	})
	return core, p
}

// rawCore returns a host and the core end of its lanes.
func rawCore(t testing.TB, objects Objects, h HostHandler) (*Host, *peer) {
	t.Helper()
	coreConns, hostConns, err := Pairs()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t, coreConns}
	var up sync.WaitGroup
	var host *Host
	up.Go(func() { host, err = Serve(hostConns[:], Token{}, objects, h) })
	for i, c := range coreConns {
		if _, err := sayHello(c, Lane(i), Token{}, time.Now().Add(LanesTimeout)); err != nil {
			t.Fatal(err)
		}
	}
	up.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeAll(p.conns[:])
		host.Close()
	})
	return host, p
}

func raw(typ Type, id uint64, payload ...byte) []byte {
	return append(header{n: len(payload), typ: typ, id: id}.append(nil), payload...)
}

func (p *peer) send(l Lane, frames ...[]byte) {
	p.t.Helper()
	for _, f := range frames {
		if _, err := p.conns[l].Write(f); err != nil {
			p.t.Logf("the other end stopped reading: %v", err)
			return
		}
	}
}

// next reads one frame that the other end sent.
func (p *peer) next(l Lane) (h header, payload []byte) {
	p.t.Helper()
	var b [headerSize]byte
	readFull(p.t, p.conns[l], b[:])
	at := coreEnd | hostEnd
	h, broken := parseHeader(&b, l, at)
	if broken != "" {
		p.t.Fatalf("received a frame that breaks a rule: %s", broken)
	}
	payload = make([]byte, h.n)
	readFull(p.t, p.conns[l], payload)
	return h, payload
}

// expect reads one frame and demands its type.
func (p *peer) expect(l Lane, typ Type) (h header, payload []byte) {
	p.t.Helper()
	h, payload = p.next(l)
	if h.typ != typ {
		p.t.Fatalf("frame %#02x on the %v lane, want %#02x", h.typ, l, typ)
	}
	return h, payload
}
