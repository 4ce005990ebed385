package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"cloister/gate"
	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/host/archive"
	"cloister/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chain makes a ledger with blocks of which every third has a seal of its own,
// and the last.
func chain(n int) *apitest.Ledger {
	l := apitest.New(3)
	l.Manual()
	grow(l, n)
	return l
}

func grow(l *apitest.Ledger, n int) {
	for i := 1; i <= n; i++ {
		pay(l, i)
		l.Append(i%3 == 0 || i == n)
	}
}

// pay pools a transaction.
func pay(l *apitest.Ledger, i int) {
	tx := l.Pay(wire.Account{1}, uint64(i), l.Told()+1)
	if _, err := l.Submit(context.Background(), [][]byte{tx.Bytes()}); err != nil {
		panic(err)
	}
}

// serve is a host with that ledger.
func serve(t *testing.T, l *apitest.Ledger) (url string) {
	t.Helper()
	server, err := api.New(api.Config{
		Genesis: l.Genesis, Version: "test", Submitter: l, Queries: l, Core: l, Archive: l, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// liar serves an honest host's answers, changed.
type liar struct {
	cloisterv1connect.UnimplementedLedgerHandler
	honest cloisterv1connect.LedgerClient
	block  func(*pb.BlockResponse)
	mute   bool // it sends no block at all
}

func (l *liar) Status(ctx context.Context, r *connect.Request[pb.StatusRequest]) (*connect.Response[pb.StatusResponse], error) {
	return l.honest.Status(ctx, connect.NewRequest(r.Msg))
}

func (l *liar) Blocks(ctx context.Context, r *connect.Request[pb.BlocksRequest], out *connect.ServerStream[pb.BlocksResponse]) error {
	if l.mute {
		<-ctx.Done()
		return ctx.Err()
	}
	in, err := l.honest.Blocks(ctx, connect.NewRequest(r.Msg))
	if err != nil {
		return err
	}
	defer in.Close()
	for in.Receive() {
		l.block(in.Msg().Block)
		if err := out.Send(in.Msg()); err != nil {
			return err
		}
	}
	return in.Err()
}

// lying serves a liar in front of a host.
func lying(t *testing.T, honest string, l *liar) (url string) {
	t.Helper()
	transport := &http.Transport{}
	l.honest = cloisterv1connect.NewLedgerClient(&http.Client{Transport: transport}, honest)
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(l))
	return plain(t, mux, transport.CloseIdleConnections)
}

func plain(t *testing.T, h http.Handler, end func()) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
		end()
	})
	return "http://" + listener.Addr().String()
}

// run follows until the test ends or the function it returns is called, which
// gives Run's error.
func run(t *testing.T, a Archive, l *apitest.Ledger, log *slog.Logger, urls ...string) (f *Follower, end func() error) {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f, err := New(Config{
		Endpoints: urls, Genesis: l.Genesis, Archive: a, Log: log,
		quiet: time.Millisecond, stall: 200 * time.Millisecond, pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	end = sync.OnceValue(func() error {
		stop()
		return <-ended
	})
	t.Cleanup(func() { _ = end() }) // tests that care have asked before
	return f, end
}

// empty opens a new archive.
func empty(t *testing.T, l *apitest.Ledger) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.TempDir(), archive.Options{Genesis: l.Genesis, GroupInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// reaches waits for a height; it is Await with the test's end as bound.
func reaches(t *testing.T, a *archive.Archive, height uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := a.Await(ctx, height); err != nil {
		t.Fatalf("block %d does not come, the newest is %d: %v", height, a.Height(), err)
	}
}

// same holds an archive against the ledger it was filled from.
func same(t *testing.T, a *archive.Archive, l *apitest.Ledger) {
	t.Helper()
	for h := uint64(1); h <= a.Height(); h++ {
		got, err := a.Block(h)
		if err != nil {
			t.Fatal(err)
		}
		want, err := l.Block(h)
		if err != nil {
			t.Fatal(err)
		}
		if got.Hash != want.Hash || !bytes.Equal(got.Seal, want.Seal) || !bytes.Equal(got.Body, want.Body) || !bytes.Equal(got.Outcome, want.Outcome) {
			t.Errorf("block %d is not the host's", h)
		}
	}
}

func TestAnArchiveIsFilledUpToWhatIsProvedAndGoesOn(t *testing.T) {
	l := chain(40)
	a := empty(t, l)
	f, end := run(t, a, l, nil, serve(t, l))
	reaches(t, a, 39)
	// Nothing commits to the outcome of the newest.
	if s := f.Status(); !s.Active || s.Height < 39 || s.Target != 40 || s.From != 1 || s.Problem != "" {
		t.Errorf("status %+v", s)
	}
	if a.Height() != 39 {
		t.Errorf("block %d is held, its outcome is one host's word", a.Height())
	}
	grow(l, 5)
	reaches(t, a, 44)
	same(t, a, l)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	grow(l, 5)
	_, end = run(t, a, l, nil, serve(t, l)) // another run goes on where this one stopped
	reaches(t, a, 49)
	same(t, a, l)
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// lies are what a host may do to the blocks it sends, from block 7 on.
var lies = map[string]func(*pb.BlockResponse){
	"another header": func(b *pb.BlockResponse) { b.Header.Header[len(b.Header.Header)-1] ^= 1 },
	"no header":      func(b *pb.BlockResponse) { b.Header = nil },
	"no seal":        func(b *pb.BlockResponse) { b.Header.Seal, b.Header.Cover = nil, nil },
	"another's seal": func(b *pb.BlockResponse) { b.Header.Cover = nil; b.Header.Seal = []byte{0x83, 1, 2, 3} },
	"a seal changed": func(b *pb.BlockResponse) { b.Header.Seal[len(b.Header.Seal)-1] ^= 1 },
	"a path changed": func(b *pb.BlockResponse) {
		if b.Header.Cover != nil {
			b.Header.Cover.Path = append(b.Header.Cover.Path, []byte{1})
			return
		}
		b.Header.Seal = nil
	},
	"another body":    func(b *pb.BlockResponse) { b.Body = wire.EncodeList(nil) },
	"no body":         func(b *pb.BlockResponse) { b.Body = nil },
	"no outcome":      func(b *pb.BlockResponse) { b.Outcome = nil },
	"another outcome": func(b *pb.BlockResponse) { b.Outcome[len(b.Outcome)-1] ^= 1 },
	"another state":   otherState,
}

func otherState(b *pb.BlockResponse) {
	var o wire.Outcome
	if err := wire.Unmarshal(b.Outcome, &o, len(b.Outcome)); err == nil {
		o.Exec.StateRoot[0] ^= 1
		b.Outcome = wire.Marshal(o)
	}
}

func TestNothingOfALieIsStoredAndAnHonestHostIsAskedNext(t *testing.T) {
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			l := chain(30)
			honest := serve(t, l)
			bad := lying(t, honest, &liar{block: func(b *pb.BlockResponse) {
				if b.Header.Height >= 7 {
					lie(b)
				}
			}})
			a := empty(t, l)
			said := new(lines)
			_, end := run(t, a, l, slog.New(slog.NewTextHandler(said, nil)), bad)
			for !strings.Contains(said.String(), "follow.left") {
				time.Sleep(time.Millisecond)
			}
			if a.Height() > 6 {
				t.Errorf("block %d came of a host that lies from block 7 on", a.Height())
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			_, end = run(t, a, l, nil, bad, honest)
			reaches(t, a, 29)
			same(t, a, l)
			if err := end(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestHostsOfNoUseAreLeft(t *testing.T) {
	l, other := chain(20), apitest.New(1)
	other.Append(true)
	honest := serve(t, l)
	mute := lying(t, honest, &liar{block: func(*pb.BlockResponse) {}, mute: true})
	short := apitest.New(3)
	a := empty(t, l)
	f, end := run(t, a, l, nil, "http://127.0.0.1:1", serve(t, other), serve(t, short), mute, honest)
	reaches(t, a, 19)
	if s := f.Status(); s.Endpoint != honest {
		t.Errorf("status %+v", s)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestAForkEndsIt(t *testing.T) {
	one := chain(10)
	two := apitest.New(3) // the same members seal something else
	two.Manual()
	two.Append(true)
	grow(two, 20)
	a := empty(t, one)
	_, end := run(t, a, one, nil, serve(t, one))
	reaches(t, a, 9)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	f, err := New(Config{
		Endpoints: []string{serve(t, two)}, Genesis: two.Genesis, Archive: a, Log: slog.New(slog.DiscardHandler), quiet: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(context.Background()); !errors.Is(err, archive.ErrFork) {
		t.Fatalf("ended with %v, want ErrFork", err)
	}
	if a.Height() != 9 {
		t.Errorf("the archive has %d blocks", a.Height())
	}
}

// ahead is an archive that its own core fills.
type ahead struct{ height uint64 }

func (a *ahead) Height() uint64             { h := a.height; a.height = 1000; return h }
func (a *ahead) Append(f *gate.Final) error { return nil }

func TestItLeavesAnArchiveThatTheCoreFills(t *testing.T) {
	l := chain(40)
	f, err := New(Config{Endpoints: []string{serve(t, l)}, Genesis: l.Genesis, Archive: &ahead{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.from(context.Background(), &f.hosts[0]); !errors.Is(err, errEnough) {
		t.Errorf("left with %v", err)
	}
	f.cfg.Web.(*http.Client).CloseIdleConnections()
}

// failing is an archive whose disk is full.
type failing struct{}

func (failing) Height() uint64             { return 0 }
func (failing) Append(f *gate.Final) error { return errors.New("no space left") }

func TestAFailedArchiveEndsIt(t *testing.T) {
	l := chain(10)
	f, err := New(Config{Endpoints: []string{serve(t, l)}, Genesis: l.Genesis, Archive: failing{}, Log: slog.New(slog.DiscardHandler), quiet: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("ended with %v", err)
	}
}

func TestWhatIsHeldBackIsBounded(t *testing.T) {
	var w held
	for h := uint64(1); ; h++ {
		_, err := w.add(&wire.Header{Height: h}, &gate.Final{Height: h})
		if err == nil && h <= maxHeld {
			continue
		}
		if wire.CodeOf(err) != wire.ErrTooLarge || h != maxHeld+1 {
			t.Fatalf("block %d: %v", h, err)
		}
		break
	}
	w = held{}
	if _, err := w.add(&wire.Header{Height: 1}, &gate.Final{Height: 1, Body: make([]byte, maxHeldBytes+1)}); wire.CodeOf(err) != wire.ErrTooLarge {
		t.Fatalf("too many bytes: %v", err)
	}
}

func TestAnIncompleteConfigurationIsRefused(t *testing.T) {
	if f, err := New(Config{Endpoints: []string{"http://h:1"}}); err == nil {
		t.Errorf("%+v", f)
	}
}

// FuzzBlock: whatever a host sends, nothing that is not proved reaches the archive.
func FuzzBlock(f *testing.F) {
	l := chain(3)
	b, err := l.Block(1)
	if err != nil {
		b, err = settled(l, 1)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Header, b.Seal, b.Header, []byte{1}, b.Body, b.Outcome, uint8(1))
	f.Fuzz(func(t *testing.T, header, seal, cover, path, body, outcome []byte, shape uint8) {
		follower, err := New(Config{Endpoints: []string{"http://h:1"}, Genesis: l.Genesis, Archive: never{t}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		m := &pb.BlockResponse{Header: &pb.SealedHeader{Header: header, Seal: seal}, Body: body, Outcome: outcome}
		if shape&1 != 0 {
			m.Header.Cover = &pb.Cover{Header: cover, Path: [][]byte{path, path}}
		}
		if shape&2 != 0 {
			m.Header = nil
		}
		s := &intake{f: follower, host: &follower.hosts[0], next: 1}
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // handovers are asked of nobody
		_ = s.block(ctx, m)
	})
}

// settled shows a block of the ledger to readers.
func settled(l *apitest.Ledger, height uint64) (*archive.Block, error) {
	if err := l.Settle(height); err != nil {
		return nil, fmt.Errorf("settle: %w", err)
	}
	return l.Block(height)
}

// never is an archive that must not be touched.
type never struct{ t *testing.T }

func (never) Height() uint64 { return 0 }
func (n never) Append(f *gate.Final) error {
	n.t.Errorf("block %d was stored", f.Height)
	return nil
}
