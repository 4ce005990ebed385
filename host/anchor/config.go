package anchor

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Defaults of Config.
const (
	DefaultDepth    = 6   // blocks
	DefaultSettle   = 100 // blocks
	DefaultQueue    = 1024
	DefaultMaxChain = 20 // nodes relay up to 25
	DefaultPoll     = 10 * time.Second
	DefaultMaxPause = 5 * time.Minute
)

// Times that bound what is asked outside.
const (
	callTime   = 30 * time.Second // one question to the node
	scanTime   = 30 * time.Minute // looking up the wallet's outputs
	recordTime = 2 * time.Minute  // recording one anchor
	// gatherTime lets heights that close together be handled together.
	gatherTime = 50 * time.Millisecond
)

// maxPoll and maxQueue bound what can be configured.
const (
	maxPoll  = time.Hour
	maxQueue = 10_000
)

// Config says what to anchor where. Network, Key, Ledger, Bitcoin and Dir must be
// set; zero values of the rest are their defaults.
type Config struct {
	Network *bitcoin.Network
	Key     *Key
	Ledger  Ledger
	Bitcoin Bitcoin
	Dir     string // for the state; it is made. One process at a time

	From  uint32 // first height to anchor, where there is no state yet
	Birth uint32 // first block that can pay the key, for nodes that do not look up unspent outputs; 0: the first of all

	Depth    uint32 // blocks that make an anchor deep enough to be recorded
	Settle   uint32 // blocks until a height is no longer watched; at least Depth
	Queue    int    // heights on their way; more wait in the ledger
	MaxChain int    // unconfirmed anchors that build on each other
	Fees     Fees

	Poll     time.Duration // between two looks at the node
	MaxPause time.Duration // between two tries while the node is out

	Log     *slog.Logger
	Metrics prometheus.Registerer // nil for none
	// After is the clock and Random draws below n; both are for tests.
	After  func(time.Duration) <-chan time.Time
	Random func(n int64) int64
}

// complete checks and fills in defaults. Errors carry ErrBadRequest.
func (c *Config) complete() error {
	bad := func(what string) error { return wire.Faultf(wire.ErrBadRequest, "anchor: %s", what) }
	if c.Network == nil || c.Key == nil || c.Ledger == nil || c.Bitcoin == nil || c.Dir == "" {
		return bad("a network, a key, a ledger, a Bitcoin node and a folder are needed")
	}
	if c.Birth == 0 {
		c.Birth = 1
	}
	if c.Depth == 0 {
		c.Depth = DefaultDepth
	}
	if c.Settle == 0 {
		c.Settle = max(DefaultSettle, c.Depth)
	}
	if c.Queue == 0 {
		c.Queue = DefaultQueue
	}
	if c.MaxChain == 0 {
		c.MaxChain = DefaultMaxChain
	}
	if c.Poll == 0 {
		c.Poll = DefaultPoll
	}
	if c.MaxPause == 0 {
		c.MaxPause = max(DefaultMaxPause, c.Poll)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Random == nil {
		c.Random = rand.Int64N
	}
	switch {
	case c.Settle < c.Depth || c.Settle > trailLength/2:
		return bad("settling takes at least as many blocks as depth, and at most 144")
	case c.Queue < 1 || c.Queue > maxQueue:
		return bad("the queue has room for 1 to 10000 heights")
	case c.MaxChain < 1 || c.MaxChain > 24:
		return bad("a chain of unconfirmed anchors has 1 to 24 ancestors")
	case c.Poll < 0 || c.Poll > maxPoll || c.MaxPause < c.Poll:
		return bad("the node is asked at least once an hour, and pauses are not shorter than that time")
	}
	return c.Fees.complete()
}
