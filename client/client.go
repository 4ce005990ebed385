package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/wire"
)

// Bounds of what a client accepts and keeps.
const (
	maxResponse  = 12 << 20 // bytes of one answer: the largest block with its results
	maxEndpoints = 64
	maxPage      = 1000             // the server's bound for headers and entries
	maxCover     = 30 * time.Second // the server's bound for waiting
)

// Options fit a client to its use. The zero value is good for most.
type Options struct {
	Retry Retry // zero: DefaultRetry
	// Wait bounds how long Submit waits for the seal when its context has no
	// earlier end. Zero: DefaultWait.
	Wait time.Duration
	// Cover bounds how long a host waits for the seal that proves a receipt.
	// Zero: DefaultCover.
	Cover time.Duration
	// Queue bounds the transactions that wait to be sent. Zero: DefaultQueue.
	Queue int
	TLS   *tls.Config // for https endpoints; nil: the system's roots
	GRPC  bool        // speak gRPC instead of Connect, for proxies that want it
	JSON  bool        // encode messages as JSON instead of binary
}

// Defaults of Options.
const (
	DefaultWait  = 60 * time.Second
	DefaultCover = 10 * time.Second
	DefaultQueue = 16_384
)

// Client talks to the hosts of one network. Its methods may be called from many
// goroutines at a time.
type Client struct {
	trust     *Trust
	opts      Options
	endpoints []endpoint
	current   atomic.Uint32 // index of the endpoint in use; moves on when it fails
	transport *http.Transport

	seen     seen
	poll     time.Duration // pollWait, but for tests
	stamps   Stamps        // of all that this client signs, whatever the key
	sealing  *coalescer
	pooling  *coalescer
	lifetime context.Context // of batches, which outlive the callers of Submit
	end      context.CancelCauseFunc
	batches  sync.WaitGroup
}

type endpoint struct {
	url    string
	ledger cloisterv1connect.LedgerClient
}

// Dial prepares a client; it contacts nobody yet. Endpoints are URLs, or
// host:port for clear text. The first is preferred. genesis must come from a
// source the user trusts. Errors: ErrBadRequest. Close frees what it holds.
func Dial(endpoints []string, genesis *wire.Genesis, opts Options) (*Client, error) {
	switch n := len(endpoints); {
	case genesis == nil:
		return nil, wire.Faultf(wire.ErrBadRequest, "a client needs the genesis file")
	case n == 0 || n > maxEndpoints:
		return nil, wire.Faultf(wire.ErrBadRequest, "%d endpoints, 1 to %d", n, maxEndpoints)
	}
	if opts.Retry == (Retry{}) {
		opts.Retry = DefaultRetry
	}
	if opts.Wait == 0 {
		opts.Wait = DefaultWait
	}
	if opts.Cover == 0 {
		opts.Cover = DefaultCover
	}
	opts.Cover = min(opts.Cover, maxCover)
	if opts.Queue == 0 {
		opts.Queue = DefaultQueue
	}
	c := &Client{trust: NewTrust(genesis), opts: opts, poll: pollWait, transport: newTransport(opts.TLS)}
	settings := []connect.ClientOption{
		connect.WithReadMaxBytes(maxResponse),
		connect.WithAcceptCompression("gzip", nil, nil), // hosts send none, and a bomb would be one
	}
	if opts.GRPC {
		settings = append(settings, connect.WithGRPC())
	}
	if opts.JSON {
		settings = append(settings, connect.WithProtoJSON())
	}
	web := &http.Client{Transport: c.transport}
	for _, text := range endpoints {
		base, err := endpointURL(text)
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, endpoint{base, cloisterv1connect.NewLedgerClient(web, base, settings...)})
	}
	c.lifetime, c.end = context.WithCancelCause(context.Background())
	c.sealing = newCoalescer(c, true)
	c.pooling = newCoalescer(c, false)
	return c, nil
}

// Close ends everything under way with ErrStopping and returns when nothing of
// the client runs any more.
func (c *Client) Close() {
	c.end(errClosed)
	c.sealing.close()
	c.pooling.close()
	c.batches.Wait()
	c.transport.CloseIdleConnections()
}

var errClosed = wire.Faultf(wire.ErrStopping, "the client is closed")

// Trust is what this client verifies against.
func (c *Client) Trust() *Trust { return c.trust }

func newTransport(tls *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		Protocols:              protocols,
		TLSClientConfig:        tls,
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 64 << 10,
		// A host that vanished without closing is noticed by pings.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

func endpointURL(text string) (string, error) {
	full := text
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return "", wire.Faultf(wire.ErrBadRequest, "endpoint %q: give host:port or an http or https URL", text)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// Endpoints are the URLs in use, in order of preference.
func (c *Client) Endpoints() []string {
	out := make([]string, len(c.endpoints))
	for i := range c.endpoints {
		out[i] = c.endpoints[i].url
	}
	return out
}

func (e *endpoint) String() string { return fmt.Sprintf("host %s", e.url) }
