package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// MaxAnswer bounds an answer in bytes: a block in hex with what stands around it.
const MaxAnswer = 2*bitcoin.MaxBlock + 64<<10

// maxCookie bounds a file with a node's password.
const maxCookie = 1 << 10

// Config says where a node is and who asks.
type Config struct {
	URL      string // http://host:port or https://host:port, with a path if the node wants one
	User     string
	Password string
	Cookie   string // file with user:password that Bitcoin Core writes; used if Password is empty
	// Certificate, in PEM, is trusted instead of the system's roots: btcd signs
	// its own.
	Certificate []byte
}

// Client speaks JSON-RPC 1.0.
type Client struct {
	cfg  Config
	http *http.Client
}

// Error is what a node answered instead of a result.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error is the node's words, shortened.
func (e *Error) Error() string {
	m := e.Message
	if len(m) > 300 {
		m = m[:300] + "…"
	}
	return fmt.Sprintf("the Bitcoin node refuses: %q (%d)", m, e.Code)
}

// New makes a client; it connects with the first call. Errors carry
// ErrBadRequest.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, wire.Faultf(wire.ErrBadRequest, "Bitcoin node: give an http or https URL, with user and password apart")
	}
	transport := &http.Transport{MaxIdleConns: 2}
	if len(cfg.Certificate) > 0 {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(cfg.Certificate) {
			return nil, wire.Faultf(wire.ErrBadRequest, "Bitcoin node: the certificate is not in PEM")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &Client{cfg: cfg, http: &http.Client{
		Transport: transport,
		// The password goes where it was meant to go.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// URL is where the node is asked.
func (c *Client) URL() string { return c.cfg.URL }

// Login is the configured user and password.
func (c *Client) Login() (user, password string) { return c.cfg.User, c.cfg.Password }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call asks for a method and decodes the result into out, unless that is nil.
// Errors are *Error where the node answered with one; others carry
// ErrUnavailable.
func (c *Client) Call(ctx context.Context, out any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(struct {
		Version string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  []any  `json:"params"`
	}{"1.0", 1, method, params})
	if err != nil {
		return fmt.Errorf("rpc: %s: %w", method, err)
	}
	answer, status, err := c.post(ctx, body)
	if err != nil {
		return wire.Faultf(wire.ErrUnavailable, "Bitcoin node: %s: %v", method, err)
	}
	var r struct {
		Result json.RawMessage `json:"result"`
		Error  *Error          `json:"error"`
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		// Without JSON, what is left is the status: a wrong password, or no node.
		return wire.Faultf(wire.ErrUnavailable, "Bitcoin node: %s: answered %s", method, status)
	}
	if r.Error != nil {
		return r.Error
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.Result, out); err != nil {
		return wire.Faultf(wire.ErrUnavailable, "Bitcoin node: %s: the answer is of another form", method)
	}
	return nil
}

func (c *Client) post(ctx context.Context, body []byte) (answer []byte, status string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	user, password, err := c.credentials()
	if err != nil {
		return nil, "", err
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err == nil && len(answer) > MaxAnswer {
		err = fmt.Errorf("answer of more than %d bytes", MaxAnswer)
	}
	return answer, resp.Status, err
}

// credentials reads the cookie anew for every call: the node changes it when it
// starts.
func (c *Client) credentials() (user, password string, err error) {
	if c.cfg.Password != "" || c.cfg.Cookie == "" {
		return c.cfg.User, c.cfg.Password, nil
	}
	f, err := os.Open(c.cfg.Cookie)
	if err != nil {
		return "", "", fmt.Errorf("cookie: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCookie))
	if err != nil {
		return "", "", fmt.Errorf("cookie: %w", err)
	}
	user, password, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
	if !ok {
		return "", "", fmt.Errorf("cookie: %s is not user:password", c.cfg.Cookie)
	}
	return user, password, nil
}
