package api

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"

	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/gen/grpc/health/v1/healthv1connect"
	"cloister/wire"
)

// bounds limits what all requests together may take. Every count falls when
// its request ends.
type bounds struct {
	limits   Limits
	requests atomic.Int64
	streams  atomic.Int64
	buffered atomic.Int64 // bytes read of requests in progress
}

func newBounds(l Limits) *bounds { return &bounds{limits: l} }

// streaming are the paths whose requests may stay open.
var streaming = map[string]bool{
	cloisterv1connect.LedgerBlocksProcedure: true,
	healthv1connect.HealthWatchProcedure:    true,
}

// limit refuses requests above the bounds with ErrBusy or ErrTooLarge, in the
// protocol the request speaks, and gives each its deadlines.
func (b *bounds) limit(next http.Handler, errs *connect.ErrorWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paced := pace(w)
		defer paced.finish()
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			next.ServeHTTP(paced, r) // a busy host is alive, and says so
			return
		}
		count, most := &b.requests, b.limits.Requests
		if streaming[r.URL.Path] {
			count, most = &b.streams, b.limits.Streams
		}
		defer count.Add(-1)
		if n := count.Add(1); n > int64(most) {
			refuse(paced, r, errs, wire.Faultf(wire.ErrBusy, "%d requests are in progress", most))
			return
		}
		if r.ContentLength > MaxRequest {
			refuse(paced, r, errs, wire.Faultf(wire.ErrTooLarge, "request of %d bytes, at most %d", r.ContentLength, MaxRequest))
			return
		}
		if r.ContentLength != 0 {
			body := &countedBody{ReadCloser: r.Body, bounds: b, received: paced.received}
			defer body.release()
			r.Body = body
			paced.receiving()
		}
		next.ServeHTTP(paced, r)
	})
}

// refuse answers without reading the request.
func refuse(w http.ResponseWriter, r *http.Request, errs *connect.ErrorWriter, err error) {
	if errs.IsSupported(r) {
		_ = errs.Write(w, r, connectError(err)) // the connection is gone: nobody to tell
		return
	}
	http.Error(w, err.Error(), wire.CodeOf(err).Info().HTTP)
}

// countedBody refuses to read further when a request, or all together, hold too
// much.
type countedBody struct {
	io.ReadCloser
	bounds   *bounds
	received func() // called at the end of the body
	held     int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.held += int64(n)
	total := c.bounds.buffered.Add(int64(n))
	switch {
	case c.held > MaxRequest:
		return n, connectError(wire.Faultf(wire.ErrTooLarge, "request of more than %d bytes", MaxRequest))
	case total > c.bounds.limits.Buffered:
		return n, connectError(wire.Faultf(wire.ErrBusy, "requests of %d bytes are in progress", total))
	case err != nil:
		c.received()
	}
	return n, err
}

func (c *countedBody) release() { c.bounds.buffered.Add(-c.held) }

// limitListener accepts only so many connections at a time; others wait in the
// system's queue.
type limitListener struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitListener(l net.Listener, most int) *limitListener {
	return &limitListener{Listener: l, free: make(chan struct{}, most), closed: make(chan struct{})}
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
