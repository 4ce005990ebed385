package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/gen/grpc/health/v1/healthv1connect"
	"cloister/host/archive"
	"cloister/wire"
)

// Config is what a server is made of. All but Following, Mount, Registry, TLS
// and Limits must be set.
type Config struct {
	Genesis   *wire.Genesis
	Version   string // of the host program
	Submitter Submitter
	Queries   Queries
	Core      Core
	Archive   Archive
	Log       *slog.Logger

	// Following says how blocks are taken from other hosts; nil if none are.
	Following func() Following
	// Mount adds handlers to the same port, by net/http pattern: the explorer,
	// the Factom interface. They get the server's bounds on requests and bytes.
	Mount map[string]http.Handler
	// Registry is where metrics go, so that other parts of the host can add
	// theirs; nil makes a new one.
	Registry *prometheus.Registry
	TLS      *tls.Config // nil serves clear text: HTTP/1.1 and HTTP/2
	Limits   Limits      // zero fields take the default
}

// Server answers the public API.
type Server struct {
	handovers sync.Map // epoch → encoded wire.Handover
	genesis   *wire.Genesis
	chain     wire.Hash
	version   string
	submitter Submitter
	queries   Queries
	core      Core
	archive   Archive
	following func() Following
	log       *slog.Logger
	tls       *tls.Config
	limits    Limits

	waiters  *waiters
	pending  *pending
	archived level // height of the archive
	sealed   level // height up to which the archive's blocks are proved
	metrics  *metrics
	bounds   *bounds
	handler  http.Handler

	unwatch func()
	stop    func() // ends what waits
	stopped context.Context
	once    sync.Once
}

// New makes a server and starts watching the archive; Close ends that.
func New(c Config) (*Server, error) {
	if c.Genesis == nil || c.Submitter == nil || c.Queries == nil || c.Core == nil || c.Archive == nil || c.Log == nil {
		return nil, errors.New("api: incomplete configuration")
	}
	s := &Server{
		genesis: c.Genesis, chain: c.Genesis.ChainID(), version: c.Version,
		submitter: c.Submitter, queries: c.Queries, core: c.Core, archive: c.Archive, following: c.Following, log: c.Log,
		tls: c.TLS, limits: c.Limits.orDefault(),
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.waiters, s.pending = newWaiters(s.limits.Waiting), newPending(s.limits.Pending)
	s.bounds = newBounds(s.limits)
	registry := c.Registry
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	var err error
	if s.metrics, err = newMetrics(registry, s); err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	s.handler = s.routes(c.Mount, registry)

	s.unwatch = c.Archive.Watch(s.appended)
	// Blocks that came before the watch, or between these two lines.
	s.sealed.raise(c.Archive.Sealed())
	s.archived.raise(c.Archive.Height())
	return s, nil
}

// appended is the archive's news. It runs on the archive's goroutine. The levels
// rise first: who is told of a transaction and asks again must find the block
// known here.
func (s *Server) appended(a archive.Appended) {
	s.archived.raise(a.Height)
	if a.Sealed {
		s.sealed.raise(a.Height)
	}
	s.waiters.appended(a)
	s.pending.appended(a)
	s.metrics.appended(a)
}

func (s *Server) routes(mount map[string]http.Handler, registry *prometheus.Registry) http.Handler {
	opts := []connect.HandlerOption{
		connect.WithInterceptors(&interceptor{s}),
		// countedBody refuses earlier, with a code; this bounds what it cannot see.
		connect.WithReadMaxBytes(2 * MaxRequest),
		connect.WithSendMaxBytes(MaxResponse),
		// A small compressed request could unfold to MaxRequest, thousands at a
		// time; what is submitted hardly compresses.
		connect.WithCompression("gzip", nil, nil),
	}
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(s, opts...))
	mux.Handle(healthv1connect.NewHealthHandler(health{s}, opts...))
	mux.Handle("GET /metrics", metricsHandler(registry))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	for pattern, h := range mount {
		mux.Handle(pattern, h)
	}
	return registryStatus(s.bounds.limit(mux, connect.NewErrorWriter(opts...)))
}

// Handler is everything the server answers, for tests and for servers of one's own.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on l until ctx ends, then lets requests finish for a few
// seconds. It closes l. It returns nil after an orderly end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	srv := &http.Server{
		Handler:           s.handler,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 1024, MaxReceiveBufferPerConnection: 8 << 20, MaxReceiveBufferPerStream: 1 << 20},
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         s.tls,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // peers' protocol errors, not ours
	}
	l = newLimitListener(l, s.limits.Connections)
	served := make(chan error, 1)
	go func() {
		if s.tls != nil {
			served <- srv.ServeTLS(l, "", "")
			return
		}
		served <- srv.Serve(l)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("api: serving %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	s.stop() // what waits ends now, so that the grace is enough
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		srv.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("api: serving %s: %w", l.Addr(), err)
	}
	return nil
}

// Close ends whatever waits and stops watching the archive.
func (s *Server) Close() {
	s.once.Do(func() {
		s.stop()
		s.unwatch()
	})
}

// untilStopped is ctx, ending also when the server stops.
func (s *Server) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(s.stopped, func() { cancel(errStopping) })
	return ctx, func() { unhook(); cancel(nil) }
}

var errStopping = wire.Faultf(wire.ErrStopping, "this host is shutting down")

func (l Limits) orDefault() Limits {
	d := DefaultLimits
	for _, f := range []struct {
		have *int
		def  int
	}{
		{&l.Connections, d.Connections}, {&l.Requests, d.Requests}, {&l.Streams, d.Streams},
		{&l.Waiting, d.Waiting}, {&l.Pending, d.Pending},
	} {
		if *f.have == 0 {
			*f.have = f.def
		}
	}
	if l.Buffered == 0 {
		l.Buffered = d.Buffered
	}
	return l
}
