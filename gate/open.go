package gate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Variable is the environment variable whose value tells the core where its
// lanes are. The program reads it; this package does not.
const Variable = "CLOISTER_GATE"

// place is the parsed start variable.
type place struct {
	fds   [laneCount]int
	addr  string // loopback, or empty for inherited connections
	token Token
}

// parsePlace accepts "fd:3,5,6" and "tcp:127.0.0.1:PORT/TOKEN", nothing else.
func parsePlace(v string) (p place, err error) {
	if rest, ok := strings.CutPrefix(v, "fd:"); ok {
		parts := strings.Split(rest, ",")
		if len(parts) != int(laneCount) {
			return p, fmt.Errorf("%q does not name three descriptors", v)
		}
		for i, s := range parts {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil || n < 3 || s[0] == '0' || i > 0 && int(n) <= p.fds[i-1] {
				return p, fmt.Errorf("%q: descriptors must be numbers from 3 on, ascending", v)
			}
			p.fds[i] = int(n)
		}
		return p, nil
	}
	rest, ok := strings.CutPrefix(v, "tcp:127.0.0.1:")
	port, token, cut := strings.Cut(rest, "/")
	if !ok || !cut {
		return p, fmt.Errorf("%q is neither fd:a,b,c nor tcp:127.0.0.1:port/token", v)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
		return p, fmt.Errorf("%q: bad port", v)
	}
	raw, err := hex.DecodeString(token)
	if err != nil || len(raw) != len(p.token) {
		return p, errors.New("the gate token must be 64 hex digits")
	}
	copy(p.token[:], raw)
	p.addr = "127.0.0.1:" + port
	return p, nil
}

// Open connects the core to its host: variable is the value of Variable. All
// three lanes are up when it returns; errors wrap ErrLanes. Call Handle next.
func Open(variable string) (*Core, error) {
	p, err := parsePlace(variable)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLanes, err)
	}
	deadline := time.Now().Add(LanesTimeout)
	var conns [laneCount]net.Conn
	for i := range conns {
		if conns[i], err = p.connect(i, deadline); err != nil {
			closeAll(conns[:])
			return nil, fmt.Errorf("%w: %v lane: %w", ErrLanes, Lane(i), err)
		}
	}
	return openCore(conns, p.token, deadline)
}

func (p place) connect(lane int, deadline time.Time) (net.Conn, error) {
	if p.addr != "" {
		return net.DialTimeout("tcp4", p.addr, time.Until(deadline))
	}
	f := os.NewFile(uintptr(p.fds[lane]), "gate")
	if f == nil {
		return nil, fmt.Errorf("descriptor %d is not open", p.fds[lane])
	}
	defer f.Close() // FileConn works on a copy
	return net.FileConn(f)
}

// NewCore is Open over connections that exist already: control, storage and
// streams. It owns them, also when it fails.
func NewCore(conns [3]net.Conn, token Token) (*Core, error) {
	return openCore(conns, token, time.Now().Add(LanesTimeout))
}

func openCore(conns [laneCount]net.Conn, token Token, deadline time.Time) (*Core, error) {
	var lims [laneCount]limits
	var errs [laneCount]error
	var greeted sync.WaitGroup
	for i, c := range conns {
		greeted.Go(func() { lims[i], errs[i] = sayHello(c, Lane(i), token, deadline) })
	}
	greeted.Wait()
	for i, err := range errs {
		if err != nil {
			closeAll(conns[:])
			return nil, fmt.Errorf("%w: %v lane: %w", ErrLanes, Lane(i), err)
		}
	}
	return newCore(conns, lims), nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}
