package factomd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"cloister/wire"
)

// DefaultMaxAnswer bounds an answer unless Options say otherwise: blocks come as
// hex, sometimes beside their JSON.
const DefaultMaxAnswer = 64 << 20

// idleConnections are kept alive for requests to come, so that a reader with
// many workers does not open one for each request.
const idleConnections = 64

// Options fit a client to its use. The zero value is good for most.
type Options struct {
	// User and Password are sent by basic authentication if User is set. They
	// are readable on the way unless the endpoint is https.
	User, Password string
	// MaxAnswer bounds one answer in bytes. Zero: DefaultMaxAnswer.
	MaxAnswer int64
	// Transport carries the requests. nil: one of its own, closed by Close.
	Transport http.RoundTripper
}

// Client talks to one node. Its methods may be called from many goroutines.
type Client struct {
	endpoint string
	options  Options
	http     *http.Client
	own      *http.Transport // nil if the caller gave one
	next     atomic.Uint64   // id of the last request
}

// New makes a client of a node: "host:8088" or "http(s)://host:8088"; the path
// /v2 is added unless there is one. It does not talk to the node yet. Errors
// carry ErrBadRequest.
func New(endpoint string, o Options) (*Client, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "an endpoint is host:port, or http or https with them, without user, query and fragment")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v2"
	}
	if o.MaxAnswer <= 0 {
		o.MaxAnswer = DefaultMaxAnswer
	}
	c := &Client{endpoint: u.String(), options: o}
	if o.Transport == nil {
		c.own = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections,
			// Hex compresses to half, and unpacking hostile data costs more than that saves.
			DisableCompression: true,
		}
		o.Transport = c.own
	}
	c.http = &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Endpoint is the node's address, as used.
func (c *Client) Endpoint() string { return c.endpoint }

// Close gives up idle connections. Calls under way go on.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// request and answer are JSON-RPC 2.0's, as factomd's own library writes them.
type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   *Error          `json:"error"`
}

// Call runs one method. params is what JSON makes of it, nil for none; result is
// decoded into, unless it is nil. Members of the answer that result does not know
// are ignored: nodes differ in them.
//
// Errors: *Error, the node's own; else with ErrUnavailable, the node is not
// reached or does not answer as one; ErrTooLarge; ErrDeadline; and the context's
// error if the caller cancelled it.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	if err := c.call(ctx, method, params, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

func (c *Client) call(ctx context.Context, method string, params, result any) error {
	id := c.next.Add(1)
	body, err := json.Marshal(request{"2.0", id, method, params})
	if err != nil {
		return wire.Faultf(wire.ErrBadRequest, "parameters: %v", err)
	}
	text, err := c.post(ctx, body)
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return notOne("its answer is no JSON-RPC: %v", err)
	}
	switch {
	case a.Version != "2.0":
		return notOne("its answer is of JSON-RPC version %q", printable(a.Version))
	case a.Error != nil: // before the id, which is null if the node made nothing of the request
		return a.Error
	case string(a.ID) != strconv.FormatUint(id, 10):
		return notOne("its answer belongs to another request")
	case len(a.Result) == 0:
		return notOne("its answer has neither result nor error")
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return notOne("its result is none of this method: %v", err)
	}
	return nil
}

// post sends one request and returns the answer's body. The status says nothing
// that the body does not say: errors of the protocol come with 400.
func (c *Client) post(ctx context.Context, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.options.User != "" {
		r.SetBasicAuth(c.options.User, c.options.Password)
	}
	reply, err := c.http.Do(r)
	if err != nil {
		return nil, unreached(ctx, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, c.options.MaxAnswer+1))
	switch {
	case err != nil:
		return nil, unreached(ctx, err)
	case int64(len(text)) > c.options.MaxAnswer:
		return nil, wire.Faultf(wire.ErrTooLarge, "an answer of more than %d bytes", c.options.MaxAnswer)
	case reply.StatusCode == http.StatusUnauthorized:
		return nil, wire.Faultf(wire.ErrBadRequest, "the node wants a user name and its password")
	case reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusBadRequest:
		return nil, wire.Faultf(wire.ErrUnavailable, "HTTP status %d", reply.StatusCode)
	}
	return text, nil
}

// unreached is the error of a request that has no answer.
func unreached(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return wire.Faultf(wire.ErrDeadline, "the time given is over")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return wire.Faultf(wire.ErrUnavailable, "%s", printable(err.Error()))
}

// notOne refuses an answer that no such node gives.
func notOne(format string, args ...any) error {
	return wire.Faultf(wire.ErrUnavailable, "%s", printable(fmt.Sprintf(format, args...)))
}
