package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"time"

	"cloister/gate"
	"cloister/host/archive"
	"cloister/wire"
)

// Waiting times (gate specification §5).
const (
	firstDelay = time.Second
	lastDelay  = 60 * time.Second
	// A core that served this long was sound: its next restart begins with the
	// first delay again.
	steadyTime = 60 * time.Second
	// StopGrace is how long the core may take to finish in good order.
	StopGrace = 20 * time.Second
	// dieTime is how long a core whose gate is gone may take to exit.
	dieTime = 3 * time.Second
)

// Config says which core is supervised and with what. All but CoreArgs,
// DevSealKey, Peers, Lookup, Filled, Listener and MemoryMiB must be set.
type Config struct {
	CorePath   string   // the program, or simulated hardware that starts it
	CoreArgs   []string // then that one's arguments
	Genesis    *wire.Genesis
	DevSealKey []byte // seal key chosen by this host, where no hardware has one; else empty
	MemoryMiB  uint32 // memory the core may use; 0 for its default
	Objects    gate.Objects
	Archive    *archive.Archive
	Peers      map[wire.NodeID]string // host:port by node id
	// Lookup finds host:port of a node that Peers does not name. The core's
	// channel proves who answers there. Errors mean that it is not known.
	Lookup func(context.Context, wire.NodeID) (string, error)
	// Filled says that blocks come into the archive from others too. A block the
	// core publishes above the archive's end then waits for those before it;
	// without that it ends Run.
	Filled   bool
	Listener net.Listener // for peers; Run closes it
	Log      *slog.Logger

	now   func() time.Time // nil for the clock
	after func(time.Duration) <-chan time.Time
	grace time.Duration // 0 for StopGrace
}

// Supervisor keeps one core running.
type Supervisor struct {
	cfg Config

	mu       sync.Mutex
	host     *gate.Host // the gate of a ready core, else nil
	absent   error      // why host is nil
	restarts uint64
}

// New makes a supervisor; Run starts the core.
func New(cfg Config) *Supervisor {
	if cfg.now == nil {
		cfg.now, cfg.after = time.Now, time.After
	}
	if cfg.grace == 0 {
		cfg.grace = StopGrace
	}
	return &Supervisor{cfg: cfg, absent: notReady("the core has not been started")}
}

func notReady(format string, args ...any) error {
	return wire.Faultf(wire.ErrNotReady, format, args...)
}

// ErrOperator is what Run ends with when restarting the core would not help.
var ErrOperator = errors.New("supervise: the core needs an operator")

// StoppedError says why a core is not started again. It wraps ErrOperator and,
// if there is one, the reason known to the host.
type StoppedError struct {
	Code   int // exit code of the core, -1 if a signal ended it
	Reason error
}

func (e *StoppedError) Error() string {
	text := fmt.Sprintf("%v: exit code %d (%s)", ErrOperator, e.Code, advice(e.Code))
	if e.Reason != nil {
		text += ": " + e.Reason.Error()
	}
	return text
}

// Unwrap gives both meanings.
func (e *StoppedError) Unwrap() []error { return []error{ErrOperator, e.Reason} }

// advice is what an operator should know about an exit code.
func advice(code int) string {
	switch code {
	case gate.ExitProtocol:
		return "the gate's protocol was broken: install this program and cloister-core from one release"
	case gate.ExitCorrupt:
		return "its store cannot be opened: another program or machine made it, which must be used again; or it is damaged, and a new node has to join in its place"
	case gate.ExitQuarantine:
		return "it refuses to go on: its configuration is not for it, or it contradicts the ledger; read the events before"
	}
	return "stopped by the host"
}

func forGood(code int) bool {
	return code == gate.ExitProtocol || code == gate.ExitCorrupt || code == gate.ExitQuarantine
}

// Run keeps the core running until ctx ends, then stops it in good order and
// returns nil. It returns earlier, with the core gone, when going on needs an
// operator: a *StoppedError, a failed archive, a core program that is missing.
func (s *Supervisor) Run(ctx context.Context) error {
	defer s.away(wire.Faultf(wire.ErrStopping, "this host is shutting down"))
	var accepting sync.WaitGroup
	if l := s.cfg.Listener; l != nil {
		accepting.Go(func() { s.accept(l) })
		defer accepting.Wait()
		defer l.Close()
	}
	delay := firstDelay
	for {
		s.away(notReady("the core is starting"))
		e := s.live(ctx)
		switch {
		case e.fatal != nil:
			s.cfg.Log.Error("core.stopped", "exit_code", e.code, "error", e.fatal)
			return e.fatal
		case ctx.Err() != nil:
			s.cfg.Log.Info("core.exit", "exit_code", e.code)
			return nil
		}
		if e.served >= steadyTime {
			delay = firstDelay
		}
		s.cfg.Log.Warn("core.exit", "exit_code", e.code, "reason", text(e.reason), "restart_in", delay.String())
		s.away(wire.Faultf(wire.ErrUnavailable, "the core ended with exit code %d and is started again soon", e.code))
		select {
		case <-s.cfg.after(delay):
		case <-ctx.Done():
			return nil
		}
		delay = min(2*delay, lastDelay)
		s.mu.Lock()
		s.restarts++
		s.mu.Unlock()
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// present lets requests reach a ready core.
func (s *Supervisor) present(h *gate.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host, s.absent = h, nil
}

// away makes requests fail with why.
func (s *Supervisor) away(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host, s.absent = nil, why
}

// current is the gate of a ready core, or why there is none.
func (s *Supervisor) current() (*gate.Host, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host, s.absent
}

// Ready is nil while the core can be asked; else an error with ErrNotReady,
// ErrStopping or ErrUnavailable.
func (s *Supervisor) Ready() error {
	_, err := s.current()
	return err
}

// Restarts counts how often the core was started again.
func (s *Supervisor) Restarts() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts
}

// cannotStart tells a program that is not there from a system that is busy.
func cannotStart(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}
