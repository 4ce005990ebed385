package gate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"time"
)

// Listener waits for one core on loopback, where connections cannot be
// inherited (Gramine).
type Listener struct {
	l     net.Listener
	token Token
}

// Listen opens a loopback port with a fresh token.
func Listen() (*Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	n := &Listener{l: l}
	rand.Read(n.token[:])
	return n, nil
}

// Variable returns the value of the environment variable Variable for the core.
func (n *Listener) Variable() string {
	return "tcp:" + n.l.Addr().String() + "/" + hex.EncodeToString(n.token[:])
}

// Close stops listening; only needed when Serve is not called.
func (n *Listener) Close() error { return n.l.Close() }

type greeted struct {
	conn net.Conn
	lane Lane
	err  error
}

// Connections being greeted at a time, and for how long one may take.
const (
	maxStrangers = 16
	greetTimeout = 3 * time.Second
)

// Serve waits until a core with the token has opened its three lanes, and
// serves it as the function Serve does; it stops listening then. Other local users may connect too: what
// does not say the right hello is closed and does not disturb.
func (n *Listener) Serve(ctx context.Context, objects Objects, h HostHandler) (*Host, error) {
	ctx, cancel := context.WithTimeout(ctx, LanesTimeout)
	defer cancel()
	came := make(chan greeted)
	defer n.l.Close() // ends accept
	go n.accept(ctx, came)

	var conns [laneCount]net.Conn
	for have := 0; have < int(laneCount); {
		var g greeted
		select {
		case g = <-came:
		case <-ctx.Done():
			closeAll(conns[:])
			return nil, fmt.Errorf("%w: %d of 3 came: %w", ErrLanes, have, ctx.Err())
		}
		if g.conn == nil {
			closeAll(conns[:])
			return nil, fmt.Errorf("%w: %w", ErrLanes, g.err)
		}
		if g.err != nil || conns[g.lane] != nil {
			g.conn.Close()
			continue
		}
		conns[g.lane] = g.conn
		have++
	}
	return newHost(conns, objects, h), nil
}

// accept greets what connects until ctx ends.
func (n *Listener) accept(ctx context.Context, came chan<- greeted) {
	slots := make(chan struct{}, maxStrangers)
	for {
		conn, err := n.l.Accept()
		if err != nil {
			pass(ctx, came, greeted{err: err})
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		go func() {
			defer func() { <-slots }()
			lane, err := welcome(conn, n.token, time.Now().Add(greetTimeout))
			pass(ctx, came, greeted{conn, lane, err})
		}()
	}
}

func pass(ctx context.Context, came chan<- greeted, g greeted) {
	select {
	case came <- g:
	case <-ctx.Done():
		if g.conn != nil {
			g.conn.Close()
		}
	}
}
