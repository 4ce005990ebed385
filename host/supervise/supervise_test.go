package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloister/gate"
	"cloister/gate/gatetest"
	"cloister/host/archive"
	"cloister/host/archive/archivetest"
	"cloister/wire"
)

// orphanVariable makes the test binary a host that runs until it is killed.
const orphanVariable = "CLOISTER_SUPERVISE_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if v := os.Getenv(gate.Variable); v != "" {
		os.Exit(play(v))
	}
	if dir := os.Getenv(orphanVariable); dir != "" {
		hostUntilKilled(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// records is a log a test can wait on.
type records struct {
	mu   sync.Mutex
	more *sync.Cond
	list []record
}

type record struct {
	name  string
	attrs map[string]slog.Value
}

func newRecords() *records {
	r := &records{}
	r.more = sync.NewCond(&r.mu)
	return r
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

func (r *records) Handle(_ context.Context, s slog.Record) error {
	rec := record{s.Message, map[string]slog.Value{}}
	s.Attrs(func(a slog.Attr) bool { rec.attrs[a.Key] = a.Value; return true })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, rec)
	r.more.Broadcast()
	return nil
}

// await waits for the n-th record (from 1) of a name, whose event id is right
// if one is given.
func (r *records) await(name string, event gate.EventID, n int) record {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		found := 0
		for _, rec := range r.list {
			if rec.name != name || event != 0 && rec.attrs["event"].Int64() != int64(event) {
				continue
			}
			if found++; found == n {
				return rec
			}
		}
		r.more.Wait()
	}
}

// stage is a supervisor with everything around it.
type stage struct {
	t       *testing.T
	log     *records
	archive *archive.Archive
	s       *Supervisor
	cfg     Config
	stop    context.CancelFunc
	ended   chan error
}

// prepare makes a stage for a part of the played core.
func prepare(t *testing.T, part string) *stage {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	genesis := archivetest.New(part, 1).Genesis
	a, err := archive.Open(t.TempDir(), archive.Options{Genesis: genesis})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	log := newRecords()
	return &stage{t: t, log: log, archive: a, ended: make(chan error, 1), cfg: Config{
		CorePath: program, Genesis: genesis, DevSealKey: []byte("seal key of this test's hardware"), MemoryMiB: 77,
		Objects: gatetest.NewMemory(), Archive: a, Log: slog.New(log),
	}}
}

func (st *stage) run() {
	ctx, cancel := context.WithCancel(context.Background())
	st.stop, st.s = cancel, New(st.cfg)
	st.t.Cleanup(cancel)
	go func() { st.ended <- st.s.Run(ctx) }()
}

func TestACoreIsServedFromStartToStop(t *testing.T) {
	st := prepare(t, "steady")
	if err := New(st.cfg).Ready(); wire.CodeOf(err) != wire.ErrNotReady {
		t.Errorf("before Run: %v", err)
	}
	st.run()
	st.log.await("core.event", playedFetched, 1) // published, archived, told, fetched
	if st.archive.Height() != 5 || st.archive.Sealed() != 5 {
		t.Errorf("archive at %d, sealed %d", st.archive.Height(), st.archive.Sealed())
	}
	if err := st.s.Ready(); err != nil {
		t.Errorf("a ready core: %v", err)
	}
	ctx := context.Background()
	results, err := st.s.Submit(ctx, [][]byte{[]byte("a"), {}})
	if err != nil || len(results) != 2 || results[0].Code != 0 || results[0].TxID != wire.TH("test/tx", []byte("a")) || wire.Code(results[1].Code) != wire.ErrMalformed {
		t.Errorf("submit: %+v, %v", results, err)
	}
	if _, err := st.s.Submit(ctx, [][]byte{{1}, {2}, {3}}); wire.CodeOf(err) != wire.ErrBusy {
		t.Errorf("a full pool: %v", err)
	}
	if _, err := st.s.Submit(ctx, make([][]byte, gate.MaxSubmit+1)); wire.CodeOf(err) != wire.ErrTooLarge {
		t.Errorf("too many: %v", err)
	}
	if b, err := st.s.Query(ctx, 9, []byte("q")); err != nil || string(b) != "\x09q" {
		t.Errorf("query: %q, %v", b, err)
	}
	if _, err := st.s.Query(ctx, 404, nil); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("the core's own code: %v", err)
	}
	if _, err := st.s.Query(ctx, 500, nil); err == nil {
		t.Error("an answer that is no reply was accepted")
	}
	if status, err := st.s.Status(ctx); err != nil || status.Version != "played" {
		t.Errorf("status: %+v, %v", status, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := st.s.Query(ended, 1, nil); wire.CodeOf(err) != wire.ErrDeadline {
		t.Errorf("an asker that gave up: %v", err)
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Fatalf("orderly end: %v", err)
	}
	if code := st.log.await("core.exit", 0, 1).attrs["exit_code"].Int64(); code != 0 {
		t.Errorf("the core exited with %d", code)
	}
	if _, err := st.s.Submit(ctx, [][]byte{{1}}); wire.CodeOf(err) != wire.ErrStopping {
		t.Errorf("after the end: %v", err)
	}
}

func TestTheCoreGetsTheGateAndNothingElse(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HOST", "1")
	st := prepare(t, "environment")
	st.run()
	if n := st.log.await("core.event", playedCheck, 1).attrs["n0"].Uint64(); n != 1 {
		t.Error("the core saw more, or other options, than it should")
	}
}

// clock is a clock that tests move; whoever waits is told of by waits.
type clock struct {
	mu    sync.Mutex
	t     time.Time
	waits chan time.Duration
	wake  chan time.Time
}

func newClock() *clock {
	return &clock{t: time.Unix(1_700_000_000, 0), waits: make(chan time.Duration), wake: make(chan time.Time)}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	c.waits <- d
	return c.wake
}

func TestRestartsBackOffAndASteadyCoreBeginsAgain(t *testing.T) {
	st := prepare(t, "exit 1")
	c := newClock()
	st.cfg.now, st.cfg.after = c.now, c.after
	st.run()
	var waited []time.Duration
	for range 8 {
		waited = append(waited, <-c.waits)
		if err := st.s.Ready(); wire.CodeOf(err) != wire.ErrUnavailable {
			t.Errorf("while the core is down: %v", err)
		}
		c.wake <- c.now()
	}
	s := time.Second
	if want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}; !slices.Equal(waited, want) {
		t.Errorf("waited %v, want %v", waited, want)
	}
	<-c.waits
	if n := st.s.Restarts(); n != 8 {
		t.Errorf("%d restarts", n)
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Errorf("stopped while waiting: %v", err)
	}

	// A core that served for a minute had no trouble starting.
	st = prepare(t, "steady")
	c = newClock()
	st.cfg.now, st.cfg.after = c.now, c.after
	st.run()
	for i := range 3 {
		pid := st.log.await("core.event", playedPid, i+1).attrs["n0"].Uint64()
		st.log.await("core.ready", 0, i+1)
		if i == 2 {
			c.advance(steadyTime)
		}
		if err := syscall.Kill(int(pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if d, want := <-c.waits, []time.Duration{s, 2 * s, s}[i]; d != want {
			t.Errorf("wait %d: %v, want %v", i, d, want)
		}
		if i < 2 {
			c.wake <- c.now()
		}
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

func TestARestartedCoreGoesOnWhereTheArchiveIs(t *testing.T) {
	st := prepare(t, "once")
	c := newClock()
	st.cfg.now, st.cfg.after = c.now, c.after
	st.run()
	<-c.waits
	c.wake <- c.now()
	ready := st.log.await("core.ready", 0, 2)
	if h := ready.attrs["archived"].Uint64(); h != 5 {
		t.Errorf("started again with %d blocks archived", h)
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

// others puts blocks of the played chain into the archive, as a follower does.
func (st *stage) others(from, to int) {
	st.t.Helper()
	c := archivetest.New(st.cfg.Genesis.Name, 1)
	for range 4 {
		c.Add(archivetest.Block{Txs: []*wire.Tx{c.AddEntry("c", []byte("x"))}})
	}
	c.Add(archivetest.Block{Sealed: true})
	for _, f := range c.Finals[from-1 : to] {
		if err := st.archive.Append(f); err != nil {
			st.t.Fatal(err)
		}
	}
}

func TestWhatACorePublishesAheadOfItsArchiveWaitsForTheBlocksBefore(t *testing.T) {
	st := prepare(t, "ahead")
	st.cfg.Filled = true
	st.run()
	if n := st.log.await("archive.behind", 0, 1).attrs["published"].Uint64(); n != 3 || st.archive.Height() != 0 {
		t.Errorf("block %d waits, %d are stored", n, st.archive.Height())
	}
	st.others(1, 2)
	st.log.await("core.event", playedCheck, 1) // told that its blocks are archived
	if st.archive.Height() != 5 {
		t.Errorf("archive at %d", st.archive.Height())
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

func TestBlocksThatOthersBroughtAreTakenAgainAndReported(t *testing.T) {
	st := prepare(t, "late")
	st.cfg.Filled = true
	st.run()
	st.log.await("core.ready", 0, 1)
	st.others(1, 5)
	st.log.await("core.event", playedCheck, 1)
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

func TestBlocksThatWaitAreBounded(t *testing.T) {
	st := prepare(t, "steady")
	f := finals{archive: st.archive, filled: true, log: st.cfg.Log, more: make(chan struct{}, 1)}
	c := archivetest.New("steady", 1)
	for range gate.MaxUnarchived + 2 {
		c.Add(archivetest.Block{Sealed: true})
	}
	for i, b := range c.Finals[1:] {
		err := f.take(*b)
		if i < gate.MaxUnarchived && err != nil {
			t.Fatalf("block %d: %v", b.Height, err)
		}
		if i == gate.MaxUnarchived && !errors.Is(err, archive.ErrGap) {
			t.Fatalf("block %d: %v, want ErrGap", b.Height, err)
		}
	}
	if err := f.take(*c.Finals[0]); err != nil || f.published() != 1+gate.MaxUnarchived {
		t.Errorf("after the end: %v, published %d", err, f.published())
	}
}

func TestANodeThatNoTableNamesIsLookedUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	st := prepare(t, "steady")
	st.cfg.Lookup = func(_ context.Context, id wire.NodeID) (string, error) {
		if id == knownPeer {
			return l.Addr().String(), nil
		}
		return "", wire.Faultf(wire.ErrNotRegistered, "node %s", id)
	}
	h := newHandler(New(st.cfg))
	conn, err := h.Dial(context.Background(), knownPeer.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := h.Dial(context.Background(), lostPeer.String()); !errors.Is(err, gate.ErrNotFound) {
		t.Errorf("a node nobody knows: %v", err)
	}
}

func TestWhatNeedsAnOperatorIsNotRestarted(t *testing.T) {
	for part, want := range map[string]struct {
		code int // of the core
		is   error
	}{
		"exit 4":  {4, ErrOperator},
		"exit 6":  {6, ErrOperator},
		"exit 7":  {7, ErrOperator},
		"fatal":   {7, ErrOperator},
		"refuse":  {7, gate.ErrRefused},
		"foreign": {4, gate.ErrProtocol},
		"junk":    {4, gate.ErrProtocol},
		"garbage": {-2, archive.ErrRefused},
		"gap":     {-2, archive.ErrGap},
		"fork":    {-2, archive.ErrFork},
		"undo":    {-2, ErrUndo},
	} {
		t.Run(part, func(t *testing.T) {
			st := prepare(t, part)
			if part == "fork" {
				other := archivetest.New(part, 1)
				if err := st.archive.Append(other.Add(archivetest.Block{Sealed: true})); err != nil {
					t.Fatal(err)
				}
			}
			st.run()
			err := <-st.ended
			if !errors.Is(err, ErrOperator) || !errors.Is(err, want.is) {
				t.Fatalf("ended with %v, want %v", err, want.is)
			}
			var stopped *StoppedError
			if errors.As(err, &stopped) && stopped.Code != want.code || stopped == nil && want.code != -2 {
				t.Errorf("ended with %v, want code %d", err, want.code)
			}
			if part == "refuse" && !strings.Contains(err.Error(), "not my genesis") {
				t.Errorf("the core's reason is lost: %v", err)
			}
			if st.s.Restarts() != 0 {
				t.Errorf("%d restarts", st.s.Restarts())
			}
			if h := st.archive.Height(); part != "undo" && h > 1 {
				t.Errorf("archive at %d", h)
			}
		})
	}
}

func TestAFailedProgramSaysWhatToDo(t *testing.T) {
	st := prepare(t, "steady")
	st.cfg.CorePath = "/nowhere/cloister-core"
	st.run()
	if err := <-st.ended; err == nil || !strings.Contains(err.Error(), "node.toml") {
		t.Errorf("a program that is not there: %v", err)
	}
	st = prepare(t, "steady")
	c := newClock()
	st.cfg.now, st.cfg.after = c.now, c.after
	st.cfg.CorePath = "/bin/false" // a program, but no core
	st.run()
	<-c.waits
	st.stop()
	if err := <-st.ended; err != nil {
		t.Errorf("a program that is no core: %v", err)
	}
}

func TestAStubbornCoreIsKilled(t *testing.T) {
	st := prepare(t, "stubborn")
	st.cfg.grace = time.Millisecond
	st.run()
	st.log.await("core.event", playedFetched, 1)
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
	st.log.await("core.stop", 0, 1)
}

func TestACoreThatIsNotReadyCanBeStopped(t *testing.T) {
	st := prepare(t, "silent")
	st.run()
	if err := st.s.Ready(); wire.CodeOf(err) != wire.ErrNotReady {
		t.Errorf("a core that never says it is ready: %v", err)
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

func TestEventsAreBounded(t *testing.T) {
	c, kept := newClock(), newRecords()
	log := eventLog{log: slog.New(kept), now: c.now}
	for range 3 * gate.MaxEvents {
		log.event(gate.Event{ID: 0x0015, Numbers: []uint64{1, 2}})
	}
	c.advance(time.Second)
	log.event(gate.Event{ID: 0x0016, Numbers: []uint64{2}, Hashes: []wire.Hash{{1}}})
	if n := len(kept.list); n != gate.MaxEvents+2 {
		t.Errorf("%d records, want %d", n, gate.MaxEvents+2)
	}
	if n := kept.await("core.events_dropped", 0, 1).attrs["count"].Int64(); n != 2*gate.MaxEvents {
		t.Errorf("%d were dropped", n)
	}
	if r := kept.await("node.caught_up", 0, 1); r.attrs["height"].Uint64() != 2 || r.attrs["h0"].String() != (wire.Hash{1}).String() {
		t.Errorf("logged as %+v", r)
	}
}

func TestTheCoreReachesKnownPeersOnly(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	})
	defer served.Wait()
	defer echo.Close()
	st := prepare(t, "dial")
	st.cfg.Peers = map[wire.NodeID]string{knownPeer: echo.Addr().String()}
	st.run()
	if n := st.log.await("core.event", playedCheck, 1).attrs["n0"].Uint64(); n != 1 {
		t.Error("dialling went wrong")
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
}

func TestPeersReachTheCoreWhileItIsReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	st := prepare(t, "listen")
	st.cfg.Listener = l
	st.run()
	st.log.await("core.event", playedCheck, 1)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "HELLO" {
		t.Errorf("answered %q, %v", got, err)
	}
	st.stop()
	if err := <-st.ended; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener outlived Run")
	}
}

func TestTheIdentityIsMadeOnceAndKept(t *testing.T) {
	st := prepare(t, "identity")
	cfg := IdentityConfig{st.cfg.CorePath, nil, st.cfg.DevSealKey, st.cfg.Objects, st.cfg.Log}
	for _, known := range []bool{false, true} {
		key, was, err := Identity(context.Background(), cfg)
		if err != nil || was != known || key != playedKey(cfg.DevSealKey) {
			t.Errorf("key %s, known %t, %v", key, was, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Identity(ctx, cfg); err == nil {
		t.Error("a cancelled asker got an identity")
	}
	cfg.CorePath = "/bin/false"
	if _, _, err := Identity(context.Background(), cfg); !errors.Is(err, gate.ErrLanes) {
		t.Errorf("a program that is no core: %v", err)
	}
}

// hostUntilKilled runs a core that does not notice its gate closing and says
// its process id.
func hostUntilKilled(dir string) {
	genesis := archivetest.New("deaf", 1).Genesis
	a, err := archive.Open(dir, archive.Options{Genesis: genesis})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := newRecords()
	program, _ := os.Executable()
	s := New(Config{
		CorePath: program, Genesis: genesis, Archive: a, Objects: gatetest.NewMemory(), Log: slog.New(log),
		DevSealKey: []byte("seal key of this test's hardware"),
	})
	go func() { fmt.Println(s.Run(context.Background())) }()
	fmt.Println(log.await("core.event", playedPid, 1).attrs["n0"].Uint64())
	select {}
}

func TestTheCoreDiesWithItsHost(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host := exec.Command(program)
	host.Env = append(os.Environ(), orphanVariable+"="+t.TempDir())
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 32)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("the host said %q", line[:n])
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the core is not there: %v", err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	// The orphan is reaped by init when it is dead; a zombie is dead too.
	for alive(pid) {
		time.Sleep(time.Millisecond)
	}
}

// alive tells a running process from one that is gone or only a zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}
