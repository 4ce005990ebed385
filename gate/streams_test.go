package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// sockets returns two ends of a loopback TCP connection, the kind of socket the
// host splices.
func sockets(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan net.Conn, 1)
	go func() { c, _ := l.Accept(); got <- c }()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), (<-got).(*net.TCPConn)
}

// dialled returns a stream of the core and the far end of its socket.
func dialled(t testing.TB) (*Stream, *net.TCPConn) {
	far, near := sockets(t)
	core, _ := connect(t, &coreStub{}, noObjects{}, &hostStub{dial: func(_ context.Context, addr string) (net.Conn, error) {
		if addr != "peer:1" {
			return nil, ErrRefused
		}
		return near, nil
	}})
	s, err := core.Streams().Dial(ctx, "peer:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, far
}

func TestAStreamCarriesBytesBothWaysAndEndsEachWay(t *testing.T) {
	for _, wide := range []bool{false, true} {
		s, far := dialled(t)
		if wide {
			s.Authenticated()
		}
		rng := rand.NewChaCha8([32]byte{1})
		data := make([]byte, 5<<20)
		rng.Read(data)
		var both sync.WaitGroup
		send := func(w io.Writer, closeWrite func() error) {
			if _, err := w.Write(data); err != nil {
				t.Error(err)
			}
			if err := closeWrite(); err != nil {
				t.Error(err)
			}
		}
		receive := func(r io.Reader) {
			h := sha256.New()
			if n, err := io.Copy(h, r); err != nil || n != int64(len(data)) {
				t.Errorf("%d bytes, %v", n, err)
			}
			if sum := sha256.Sum256(data); !bytes.Equal(h.Sum(nil), sum[:]) {
				t.Error("bytes differ")
			}
		}
		both.Go(func() { send(s, s.CloseWrite) })
		both.Go(func() { send(far, far.CloseWrite) })
		both.Go(func() { receive(s) })
		both.Go(func() { receive(far) })
		both.Wait()
	}
}

func TestNothingIsWrittenAfterCloseWrite(t *testing.T) {
	s, _ := dialled(t)
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}

func TestTheWindowWidensOnBothEndsAfterAuthenticated(t *testing.T) {
	s, far := dialled(t)
	s.Authenticated()
	s.Authenticated() // once is enough
	far.Write([]byte("x"))
	p := make([]byte, 1)
	readFull(t, s, p)
	for credit := 0; credit != WideWindow; runtime.Gosched() {
		s.mu.Lock()
		credit = s.credit
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window != WideWindow {
		t.Fatalf("receive window %d", s.window)
	}
}

func TestWhatWasSentBeforeCloseStillArrives(t *testing.T) {
	s, far := dialled(t)
	data := bytes.Repeat([]byte("z"), 50_000)
	if _, err := s.Write(data); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}

func TestTheFarEndClosingEndsTheStream(t *testing.T) {
	s, far := dialled(t)
	far.Write([]byte("last"))
	far.Close()
	if got, err := io.ReadAll(s); err != nil || string(got) != "last" {
		t.Fatalf("%q, %v", got, err)
	}
	for {
		if _, err := s.Write(make([]byte, 1000)); err != nil {
			if !errors.Is(err, ErrStreamClosed) {
				t.Fatal(err)
			}
			return
		}
	}
}

func TestADialThatTheHostRefusesSaysWhy(t *testing.T) {
	core, _ := connect(t, &coreStub{}, noObjects{}, &hostStub{dial: func(_ context.Context, addr string) (net.Conn, error) {
		if addr == "busy" {
			return nil, ErrBusy
		}
		return nil, errors.New("connection refused at 10.1.2.3")
	}})
	if _, err := core.Streams().Dial(ctx, "busy"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if _, err := core.Streams().Dial(ctx, "other"); !errors.Is(err, ErrIO) {
		t.Error(err)
	}
	for _, addr := range []string{"", string(make([]byte, MaxAddr+1))} {
		if _, err := core.Streams().Dial(ctx, addr); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	}
	if live := core.Streams().count(); live != 0 {
		t.Errorf("%d streams are left", live)
	}
}

func (m *Streams) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live
}

func TestADialGivenUpStopsTheHost(t *testing.T) {
	asked, stopped := make(chan struct{}), make(chan struct{})
	core, host := connect(t, &coreStub{}, noObjects{}, &hostStub{dial: func(ctx context.Context, _ string) (net.Conn, error) {
		close(asked)
		<-ctx.Done()
		close(stopped)
		return nil, ctx.Err()
	}})
	short, cancel := context.WithCancel(ctx)
	got := make(chan error, 1)
	go func() { _, err := core.Streams().Dial(short, "x"); got <- err }()
	<-asked
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-stopped
	for host.streams.count() != 0 {
		runtime.Gosched()
	}
}

func TestAcceptedStreamsComeInOrderWithTheirHints(t *testing.T) {
	core, host := connect(t, &coreStub{}, noObjects{}, &hostStub{})
	var fars []net.Conn
	for i := range 3 {
		far, near := sockets(t)
		fars = append(fars, far)
		if err := host.Accepted(uint8(i), string(rune('a'+i)), near); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		s, hint, err := core.Streams().Accept(ctx)
		if err != nil || hint != string(rune('a'+i)) || s.Listener() != uint8(i) || s.RemoteAddr().String() != hint {
			t.Fatalf("stream %d: %q %v", i, hint, err)
		}
		s.Write([]byte{byte(i)})
		p := make([]byte, 1)
		readFull(t, fars[i], p)
		if p[0] != byte(i) {
			t.Fatalf("stream %d reached another socket", i)
		}
		s.Close()
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := core.Streams().Accept(short); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	core.Close()
	if _, _, err := core.Streams().Accept(ctx); !errors.Is(err, ErrGateClosed) {
		t.Fatal(err)
	}
}

func TestDeadlinesEndReadsAndWrites(t *testing.T) {
	s, _ := dialled(t)
	past := time.Unix(1, 0)
	s.SetReadDeadline(past)
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	s.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := s.Read(make([]byte, 1))
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("%v is not a timeout", err)
	}
	s.SetReadDeadline(time.Time{})
	s.SetWriteDeadline(time.Now().Add(time.Millisecond))
	for err = nil; err == nil; { // until the far end's buffers and the window are full
		_, err = s.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	s.SetDeadline(past)
	if _, err := s.Write([]byte{1}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

// A host that does not read at all must not hold a write past its deadline.
func TestAWriteDeadlineHoldsAgainstAHostThatDoesNotRead(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	const streams = 120
	var all []*Stream
	for i := range uint64(streams) {
		p.send(Streaming, raw(typeAccepted, 2*i+1, 0))
		s, _, err := core.Streams().Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.Authenticated()
		all = append(all, s)
	}
	for i := range uint64(streams) {
		p.send(Streaming, raw(typeWindow, 2*i+1, u32(WideWindow-Window)...))
	}
	errs := make(chan error, streams)
	for _, s := range all {
		s.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		go func() {
			var err error
			for err == nil {
				_, err = s.Write(make([]byte, MaxData))
			}
			errs <- err
		}()
	}
	for range all {
		if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	l := core.streams.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > pendingBytes+pendingReserve {
		t.Fatalf("%d bytes are pending", len(l.pending))
	}
}

func TestASlowReaderHoldsAtMostItsWindow(t *testing.T) {
	s, far := dialled(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		io.Copy(far, rand.NewChaCha8([32]byte{}))
	}()
	state := func() (held, allowed int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.in.n, s.allowed
	}
	for held, _ := state(); held < Window; held, _ = state() {
		runtime.Gosched()
	}
	if held, allowed := state(); held != Window || allowed != 0 {
		t.Fatalf("%d bytes held, %d more allowed", held, allowed)
	}
	readFull(t, s, make([]byte, Window/4-1))
	if _, allowed := state(); allowed != 0 {
		t.Fatalf("%d bytes allowed before a quarter of the window was read", allowed)
	}
	readFull(t, s, make([]byte, 1))
	for held, _ := state(); held < Window; held, _ = state() { // the quarter is filled again
		runtime.Gosched()
	}
	far.SetWriteDeadline(time.Unix(1, 0))
	<-stopped
}

func TestFramesForAStreamClosedHereAreDropped(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	p.send(Streaming, raw(typeAccepted, 1, 0), raw(typeBytes, 1, 'x'))
	s, _, err := core.Streams().Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	p.expect(Streaming, typeClose)
	p.send(Streaming, raw(typeBytes, 1, make([]byte, MaxData)...), raw(typeBytes, 1, make([]byte, MaxData)...),
		raw(typeWindow, 1, u32(1<<31)...), raw(typeShut, 1), raw(typeClose, 1, 0, 0), raw(typeClose, 1, 0, 0), raw(typeAccepted, 3, 0))
	if s, _, err = core.Streams().Accept(ctx); err != nil {
		t.Fatal(err)
	}
	p.send(Streaming, raw(typeBytes, 3, 'y'))
	b := make([]byte, 1)
	readFull(t, s, b)
}

func TestTheCoreTakesAtMost1024Streams(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	for i := range uint64(MaxStreams) {
		p.send(Streaming, raw(typeAccepted, 2*i+1, 0))
		s, _, err := core.Streams().Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s.Authenticated()
		p.expect(Streaming, typeWindow)
	}
	p.send(Streaming, raw(typeAccepted, 2*MaxStreams+1, 0))
	if h, payload := p.expect(Streaming, typeClose); h.id != 2*MaxStreams+1 || payload[1] != 4 {
		t.Fatalf("stream %d closed with %d", h.id, payload)
	}
	if _, err := core.Streams().Dial(ctx, "x"); !errors.Is(err, ErrBusy) {
		t.Fatal(err)
	}
}

func TestTheOldestUnauthenticatedStreamIsPushedOut(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	var kept *Stream
	for i := range uint64(maxGreeted + 1) {
		p.send(Streaming, raw(typeAccepted, 2*i+1, 0))
		s, _, err := core.Streams().Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			s.Authenticated()
			p.expect(Streaming, typeWindow)
			kept = s
		}
	}
	p.send(Streaming, raw(typeAccepted, 999, 0))
	if h, _ := p.expect(Streaming, typeClose); h.id != 3 {
		t.Fatalf("stream %d was pushed out", h.id)
	}
	p.send(Streaming, raw(typeBytes, kept.id, 'x'))
	readFull(t, kept, make([]byte, 1))
}

func TestAStreamWithoutHandshakeIsDropped(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	core.streams.handshake = time.Millisecond
	p.send(Streaming, raw(typeAccepted, 1, 0))
	if h, _ := p.expect(Streaming, typeClose); h.id != 1 {
		t.Fatalf("stream %d", h.id)
	}
	if n := core.streams.count(); n != 0 {
		t.Fatalf("%d streams are left", n)
	}
}

func TestAnIdleStreamIsDropped(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	core.streams.idle = 2 * time.Millisecond
	p.send(Streaming, raw(typeAccepted, 1, 0))
	if h, _ := p.expect(Streaming, typeClose); h.id != 1 {
		t.Fatalf("stream %d", h.id)
	}
	if n := core.streams.count(); n != 0 {
		t.Fatalf("%d streams are left", n)
	}
}

func TestAStreamClosedBeforeItWasAcceptedIsForgotten(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	for i := range uint64(500) {
		p.send(Streaming, raw(typeAccepted, 2*i+1, 0), raw(typeBytes, 2*i+1, make([]byte, 1000)...), raw(typeClose, 2*i+1, 0, 0))
	}
	p.send(Streaming, raw(typeAccepted, 2001, 0))
	s, _, err := core.Streams().Accept(ctx)
	for err == nil && s.id != 2001 {
		s.Close() // taken just before the host closed it
		s, _, err = core.Streams().Accept(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := core.streams.count(); n != 1 {
		t.Fatalf("%d streams are left", n)
	}
}

func TestTheLaneGoneEndsEveryStream(t *testing.T) {
	core, p := rawHost(t, &coreStub{})
	p.send(Streaming, raw(typeAccepted, 1, 0))
	s, _, err := core.Streams().Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 3)
	go func() { _, err := s.Read(make([]byte, 1)); got <- err }()
	go func() { _, err := s.Write(make([]byte, WideWindow)); got <- err }()
	go func() { _, err := core.Streams().Dial(ctx, "x"); got <- err }()
	p.conns[Storage].Close() // another lane takes all with it
	for range 3 {
		if err := <-got; !errors.Is(err, ErrGateClosed) {
			t.Error(err)
		}
	}
	if _, err := core.Streams().Dial(ctx, "x"); !errors.Is(err, ErrGateClosed) {
		t.Error(err)
	}
}

func TestTheRingGivesBackWhatItWasGiven(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q ring
	var want []byte
	next := byte(0)
	for range 5000 {
		if n := rng.IntN(3000); len(want)+n <= WideWindow && n > 0 && rng.IntN(3) > 0 {
			a, b := q.reserve(n)
			if rng.IntN(2) == 0 { // a reader takes while the bytes are on their way
				p := make([]byte, rng.IntN(5000))
				p = p[:q.take(p)]
				if !bytes.Equal(p, want[:len(p)]) {
					t.Fatal("bytes differ while filling")
				}
				want = want[len(p):]
			}
			for _, part := range [][]byte{a, b} {
				for i := range part {
					part[i] = next
					want = append(want, next)
					next++
				}
			}
			q.publish()
			continue
		}
		p := make([]byte, rng.IntN(4000))
		p = p[:q.take(p)]
		if !bytes.Equal(p, want[:len(p)]) {
			t.Fatal("bytes differ")
		}
		want = want[len(p):]
		if len(want) == 0 && q.buf != nil {
			t.Fatal("an empty ring keeps its buffer")
		}
	}
	q.drop()
	if q.buf != nil || q.take(make([]byte, 1)) != 0 {
		t.Fatal("a dropped ring keeps bytes")
	}
}
