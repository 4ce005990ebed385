package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"cloister/client"
	"cloister/gate"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/host/archive"
	"cloister/wire"
)

// Waiting times.
const (
	// quietTime without a new block from the own core makes a follower begin. It
	// is longer than an idle network with a beacon is silent.
	quietTime = 3 * time.Second
	// stallTime without a block makes it ask the next host.
	stallTime = 10 * time.Second
	// pauseTime is between two attempts.
	pauseTime = time.Second
	// askTime bounds one question.
	askTime = 5 * time.Second
	// progressTime is between two lines about progress in the log.
	progressTime = 5 * time.Second
)

// enough blocks in a row that the archive had already mean that the own core is
// faster.
const enough = 16

// maxMessage bounds one answer: the largest block with its outcome.
const maxMessage = 12 << 20

// Archive is what a follower fills. *archive.Archive is one.
type Archive interface {
	// Height is the newest block stored.
	Height() uint64
	// Append takes the next final block; one that is held already, with the same
	// header, changes nothing. It keeps no slice of f. Errors are those of
	// package archive.
	Append(f *gate.Final) error
}

// Config says whom to follow. All fields but Web must be set.
type Config struct {
	Endpoints []string // URLs of other hosts' public API, asked in turn
	Genesis   *wire.Genesis
	Archive   Archive
	Log       *slog.Logger
	Web       connect.HTTPClient // nil for one of its own

	quiet, stall, pause time.Duration // 0 for the constants above
}

// Status is how far a follower is.
type Status struct {
	Active   bool   // blocks come in now
	Endpoint string // the host they come from, or that was asked last
	From     uint64 // first block taken from it since it began
	Height   uint64 // newest block taken from anybody; 0: none yet
	Target   uint64 // newest sealed block the host said it has
	Problem  string // why the last attempt ended, if it ended badly
}

// Follower fills one archive.
type Follower struct {
	cfg   Config
	trust *client.Trust // grows with the handovers that were proved
	epoch uint64        // newest it knows; only Run's goroutine uses it
	hosts []host

	mu     sync.Mutex
	status Status
}

// host is one endpoint.
type host struct {
	url    string
	ledger cloisterv1connect.LedgerClient
}

// New makes a follower; it contacts nobody before Run.
func New(cfg Config) (*Follower, error) {
	if len(cfg.Endpoints) == 0 || cfg.Genesis == nil || cfg.Archive == nil || cfg.Log == nil {
		return nil, errors.New("follow: incomplete configuration")
	}
	for _, t := range []struct {
		have *time.Duration
		def  time.Duration
	}{{&cfg.quiet, quietTime}, {&cfg.stall, stallTime}, {&cfg.pause, pauseTime}} {
		if *t.have == 0 {
			*t.have = t.def
		}
	}
	if cfg.Web == nil {
		cfg.Web = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10}}
	}
	f := &Follower{cfg: cfg, trust: client.NewTrust(cfg.Genesis), epoch: 1}
	for _, url := range cfg.Endpoints {
		f.hosts = append(f.hosts, host{url, cloisterv1connect.NewLedgerClient(cfg.Web, url,
			connect.WithReadMaxBytes(maxMessage),
			connect.WithAcceptCompression("gzip", nil, nil), // hosts send none, and a bomb would be one
		)})
	}
	return f, nil
}

// Status says how far the follower is.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Run follows until ctx ends, then returns nil. It returns earlier with an error
// that wraps archive.ErrFork when a proved block contradicts the archive, and
// with that of an archive that takes no more blocks.
func (f *Follower) Run(ctx context.Context) error {
	if web, ok := f.cfg.Web.(*http.Client); ok {
		defer web.CloseIdleConnections()
	}
	quiet := true
	for i := 0; ; i++ {
		if quiet && !f.still(ctx) || !quiet && !sleep(ctx, f.cfg.pause) {
			return nil
		}
		h := &f.hosts[i%len(f.hosts)]
		err := f.from(ctx, h)
		f.left(h, err)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, archive.ErrFork), errors.Is(err, errArchive):
			return fmt.Errorf("follow: %s: %w", h.url, err)
		}
		quiet = errors.Is(err, errEnough)
	}
}

var (
	// errEnough ends a stream: the own core is faster.
	errEnough = errors.New("the own core is as far")
	// errArchive is an archive that takes no more blocks, which its owner sees too.
	errArchive = errors.New("the archive takes no more blocks")
)

// still waits until the archive has not grown for a while. It reports whether
// that came before ctx ended.
func (f *Follower) still(ctx context.Context) bool {
	for {
		height := f.cfg.Archive.Height()
		if !sleep(ctx, f.cfg.quiet) {
			return false
		}
		if f.cfg.Archive.Height() == height {
			return true
		}
	}
}

// left notes how an attempt ended. What repeats is logged once.
func (f *Follower) left(h *host, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.status
	f.status.Active, f.status.Problem = false, ""
	if err != nil && !errors.Is(err, errEnough) && !errors.Is(err, context.Canceled) {
		f.status.Problem = h.url + ": " + err.Error()
	}
	switch {
	case f.status.Problem != "" && f.status.Problem != was.Problem:
		f.cfg.Log.Warn("follow.left", "endpoint", h.url, "height", was.Height, "error", err)
	case was.Active:
		f.cfg.Log.Info("follow.left", "endpoint", h.url, "height", was.Height)
	}
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
