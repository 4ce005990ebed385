package gate

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheStartVariableIsReadStrictly(t *testing.T) {
	token := strings.Repeat("0a", 32)
	for _, v := range []string{"fd:3,5,6", "fd:7,8,900", "tcp:127.0.0.1:1/" + token, "tcp:127.0.0.1:65535/" + token} {
		if _, err := parsePlace(v); err != nil {
			t.Errorf("%q: %v", v, err)
		}
	}
	for _, v := range []string{
		"", "fd:", "fd:3,5", "fd:3,5,6,7", "fd:3,5,5", "fd:5,3,6", "fd:0,1,2", "fd:3,5,x", "fd:3,5,-6", "fd:3,5,+6",
		"fd:3,5, 6", "fd:03,5,6", "fd:3,5,99999999999", "FD:3,5,6",
		"tcp:127.0.0.1:0/" + token, "tcp:127.0.0.1:65536/" + token, "tcp:127.0.0.1:/" + token, "tcp:127.0.0.1:+9/" + token,
		"tcp:127.0.0.1:09/" + token, "tcp:127.0.0.1:9/" + token[2:], "tcp:127.0.0.1:9/" + token + "0a", "tcp:127.0.0.1:9/zz" + token[2:],
		"tcp:127.0.0.1:9", "tcp:10.0.0.1:9/" + token, "tcp:localhost:9/" + token, "unix:/tmp/x",
	} {
		if p, err := parsePlace(v); err == nil {
			t.Errorf("%q was read as %+v", v, p)
		}
		if _, err := Open(v); !errors.Is(err, ErrLanes) || ExitCode(err) != ExitLanes {
			t.Errorf("Open(%q): %v", v, err)
		}
	}
}

func TestACoreOpensItsLanesOverLoopbackDespiteStrangers(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	addr := l.l.Addr().String()
	stranger := func(first []byte) net.Conn {
		c, err := net.Dial("tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(first)
		return c
	}
	wrong := hello{Version, Control, Token{1}}.payload()
	for _, c := range []net.Conn{
		stranger([]byte("GET / HTTP/1.1\r\n\r\n")),
		stranger(raw(typeHello, 0, wrong...)),
		stranger(raw(typeHello, 0, hello{2, Control, l.token}.payload()...)),
		stranger(raw(typeHello, 0, hello{Version, 3, l.token}.payload()...)),
		stranger(nil),
	} {
		defer c.Close()
	}
	var host *Host
	var hostErr error
	var up sync.WaitGroup
	up.Go(func() { host, hostErr = l.Serve(ctx, noObjects{}, &hostStub{}) })
	core, err := Open(l.Variable())
	up.Wait()
	if err != nil || hostErr != nil {
		t.Fatal(err, hostErr)
	}
	core.Handle(&coreStub{})
	if _, err := host.Start(ctx, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp4", addr); err == nil {
		t.Error("the port is still open")
	}
	core.Close()
	host.Close()
}

func TestWaitingForACoreEndsWithTheContext(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Serve(short, noObjects{}, &hostStub{}); !errors.Is(err, ErrLanes) || !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestServeRefusesTwoConnectionsForOneLane(t *testing.T) {
	coreConns, hostConns, err := Pairs()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(coreConns[:])
	for i, c := range coreConns {
		go sayHello(c, Lane(i%2), Token{}, time.Now().Add(LanesTimeout))
	}
	if _, err := Serve(hostConns[:], Token{}, noObjects{}, &hostStub{}); !errors.Is(err, ErrLanes) {
		t.Fatal(err)
	}
	if _, err := Serve(nil, Token{}, noObjects{}, &hostStub{}); !errors.Is(err, ErrLanes) {
		t.Fatal(err)
	}
}

func TestTheCoreRefusesAWrongWelcome(t *testing.T) {
	small := func(l limits) []byte { return raw(typeWelcome, 0, l.payload()...) }
	for name, answer := range map[string][]byte{
		"another version":   patch(small(ownLimits), headerSize+1, 2),
		"frames too small":  small(limits{minFrame - 1, maxUnwritten, 1, 1}),
		"no credit":         small(limits{maxFrame, 0, 1, 1}),
		"no requests":       small(limits{maxFrame, maxUnwritten, 0, 1}),
		"another frame":     raw(typeDone, 1),
		"a hello":           raw(typeHello, 0, hello{}.payload()...),
		"4 GiB announced":   length(typeWelcome, 0, 1<<32-1),
		"closed at once":    nil,
		"cut in the middle": small(ownLimits)[:20],
	} {
		coreConns, hostConns, err := Pairs()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range hostConns {
			c.Write(answer)
			c.(*net.UnixConn).CloseWrite()
		}
		if _, err := NewCore(coreConns, Token{}); !errors.Is(err, ErrLanes) || ExitCode(err) != ExitLanes {
			t.Errorf("%s: %v", name, err)
		}
		closeAll(hostConns[:])
	}
}

func TestTheHostsLimitsAreLoweredAndNeverRaised(t *testing.T) {
	huge, err := parseWelcome(limits{1<<32 - 1, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1}.payload())
	if err != nil || huge != ownLimits {
		t.Fatalf("%+v, %v", huge, err)
	}
	low := limits{minFrame, minFrame, 1, 1}
	if got, err := parseWelcome(low.payload()); err != nil || got != low {
		t.Fatalf("%+v, %v", got, err)
	}
}

// With the smallest limits a host may ask for everything still works, in
// smaller pieces.
func TestSmallLimitsOfTheHostAreKept(t *testing.T) {
	coreConns, hostConns, err := Pairs()
	if err != nil {
		t.Fatal(err)
	}
	low := limits{minFrame, minFrame, 1, 1}
	store := &countingObjects{}
	host := newHost(hostConns, store, &hostStub{})
	core := newCore(coreConns, [laneCount]limits{low, low, low})
	core.Handle(&coreStub{})
	o := core.Objects()
	if err := o.Append(1, 0, make([]byte, MaxAppend)); err != nil {
		t.Fatal(err)
	}
	if err := o.Sync(1); err != nil {
		t.Fatal(err)
	}
	if store.total != MaxAppend || core.objects.unwritten > minFrame {
		t.Fatalf("%d bytes arrived, %d without credit", store.total, core.objects.unwritten)
	}
	if err := core.Final(Final{Height: 1, Body: make([]byte, 300_000)}); err != nil {
		t.Fatal(err)
	}
	core.Close()
	host.Close()
	if n := len(host.handler.(*hostStub).finals); n != 1 {
		t.Fatalf("%d blocks arrived", n)
	}
}

const childVariable = "GATE_TEST_CHILD"

// childMain is what this test program does as the child of the next test.
func childMain() int {
	core, err := Open(os.Getenv(Variable))
	if err != nil {
		return ExitCode(err)
	}
	hole := os.NewFile(4, "hole") // the backend's place must be open and no lane
	if st, err := hole.Stat(); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return 1
	}
	if err := core.Objects().Sync(1); err != nil {
		return 1
	}
	core.Handle(&coreStub{stop: func(_ time.Duration, r *Reply[struct{}]) {
		r.Answer(struct{}{})
		go core.Close()
	}})
	<-core.Done()
	return ExitCode(core.Err())
}

func TestAChildProcessFindsItsLanes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]struct {
		do   func(*Host)
		code int
	}{
		"stop":     {func(h *Host) { h.Stop(ctx, time.Second) }, ExitClosed},
		"close":    {func(h *Host) { h.Close() }, ExitClosed},
		"protocol": {func(h *Host) { h.control.tell(frame{typ: typeStatus, id: 1}) }, ExitProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			conns, files, variable, err := NewChild()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self)
			cmd.Env = []string{Variable + "=" + variable, childVariable + "=1"}
			cmd.ExtraFiles = files
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				f.Close()
			}
			host, err := Serve(conns, Token{}, fixedObjects{}, &hostStub{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := host.Start(ctx, nil, Options{}); err != nil {
				t.Fatal(err)
			}
			end.do(host)
			<-host.Done()
			cmd.Wait()
			host.Close()
			if code := cmd.ProcessState.ExitCode(); code != end.code {
				t.Fatalf("exit code %d, want %d", code, end.code)
			}
		})
	}
}
