package backend

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"cloister/evidence"
)

// Client is the program's end. Its methods wait for the answer and may be
// called concurrently; requests go one after the other.
type Client struct {
	conn io.ReadWriteCloser
	info Info

	turn    sync.Mutex    // held for the whole of one request
	answers chan frame    // filled by the reader
	gone    chan struct{} // closed when the reader has ended

	mu   sync.Mutex
	owed kind  // the request that is open, 0 if none
	err  error // why the connection ended
}

type frame struct {
	kind kind
	body []byte
}

var _ Hardware = (*Client)(nil)

// NewClient asks the hardware at the other end what it is. It owns conn, also
// when it fails.
func NewClient(conn io.ReadWriteCloser) (*Client, error) {
	c := &Client{conn: conn, answers: make(chan frame, 1), gone: make(chan struct{})}
	go c.read() // ends with the connection
	err := c.ask(askInfo, nil, &c.info)
	if err == nil {
		err = checkInfo(c.info)
	}
	if err != nil {
		c.fail(err)
		<-c.gone
		return nil, err
	}
	return c, nil
}

// Gone is closed when the connection has ended, by either side.
func (c *Client) Gone() <-chan struct{} { return c.gone }

// Close ends the connection; calls under way fail with ErrGone.
func (c *Client) Close() error {
	c.fail(ErrGone)
	<-c.gone
	return nil
}

// read takes answers off the connection.
func (c *Client) read() {
	defer close(c.gone)
	for {
		// Nothing may come that was not asked for: every frame is checked against
		// the request that is open when it arrives.
		k, body, err := readFrame(c.conn, c.expected)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				err = fmt.Errorf("%w: %w", ErrGone, err)
			}
			c.fail(err)
			return
		}
		c.mu.Lock()
		c.owed = 0
		c.mu.Unlock()
		c.answers <- frame{k, body} // has room: one request, one answer
	}
}

func (c *Client) expected(k kind) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed != 0 && (k == answer|c.owed || k == refuse)
}

// fail ends the connection; the first reason stays.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.conn.Close()
}

func (c *Client) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// ask sends a request and decodes its answer into out.
func (c *Client) ask(k kind, body, out any) error {
	p, err := c.exchange(k, body)
	if err != nil {
		return err
	}
	if err := decode(p, out); err != nil {
		c.fail(err)
		return err
	}
	return nil
}

func (c *Client) exchange(k kind, body any) ([]byte, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	c.owed = k
	c.mu.Unlock()
	if err := writeFrame(c.conn, k, body); err != nil {
		c.fail(fmt.Errorf("%w: %w", ErrGone, err))
	}
	var f frame
	select {
	case f = <-c.answers:
	case <-c.gone:
		select {
		case f = <-c.answers: // came just before the end
		default:
			return nil, c.reason()
		}
	}
	if f.kind != refuse {
		return f.body, nil
	}
	var r refusal
	if err := decode(f.body, &r); err != nil {
		c.fail(err)
		return nil, err
	}
	return nil, failure(r.Code)
}

// Info is what the hardware said when the connection began.
func (c *Client) Info() Info { return c.info }

// Attest implements Hardware.
func (c *Client) Attest(data [64]byte) (*evidence.Evidence, error) {
	p, err := c.exchange(askAttest, &attestBody{Data: data})
	if err != nil {
		return nil, err
	}
	e, err := decodeEvidence(p, c.info.Kind)
	if err != nil {
		c.fail(err)
	}
	return e, err
}

// SealKey implements Hardware.
func (c *Client) SealKey(p SealPolicy, label string) ([32]byte, error) {
	var out keyBody
	if err := checkSeal(p, label); err != nil {
		return out.Key, err
	}
	err := c.ask(askSealKey, &sealBody{Policy: p, Label: label}, &out)
	return out.Key, err
}

// ReadCounter implements Hardware.
func (c *Client) ReadCounter(name string) (uint64, error) { return c.counter(askRead, name) }

// IncrementCounter implements Hardware.
func (c *Client) IncrementCounter(name string) (uint64, error) { return c.counter(askIncrement, name) }

func (c *Client) counter(k kind, name string) (uint64, error) {
	var out numberBody
	if err := checkName(name); err != nil {
		return 0, err
	}
	err := c.ask(k, &nameBody{Name: name}, &out)
	return out.N, err
}

// Elapsed implements Hardware.
func (c *Client) Elapsed() (time.Duration, error) {
	var out numberBody
	if err := c.ask(askElapsed, nil, &out); err != nil {
		return 0, err
	}
	return time.Duration(min(out.N, math.MaxInt64)), nil
}

// Random implements Hardware.
func (c *Client) Random(p []byte) error {
	if len(p) == 0 || len(p) > MaxRandom {
		return fmt.Errorf("%w: %d random bytes", ErrBadRequest, len(p))
	}
	var out bytesBody
	if err := c.ask(askRandom, &randomBody{N: uint16(len(p))}, &out); err != nil {
		return err
	}
	if len(out.Bytes) != len(p) {
		err := fmt.Errorf("%w: %d random bytes for %d", ErrProtocol, len(out.Bytes), len(p))
		c.fail(err)
		return err
	}
	copy(p, out.Bytes)
	return nil
}
