package api

import "time"

// Bounds of the protocol. Clients may rely on them.
const (
	MaxRequest  = 8 << 20  // bytes of a request message
	MaxResponse = 12 << 20 // bytes of a response message: the largest block with its results
	MaxTxs      = 256      // transactions of one Submit
	MaxPage     = 1000     // headers or entries of one answer
	DefaultPage = 100
	MaxBlocks   = 100_000 // blocks of one stream

	// maxBehind is how many blocks behind a request's wish a host still waits to
	// catch up; further behind it refuses at once.
	maxBehind = 1024

	maxPageBytes = 4 << 20 // entries of one answer, in bytes
	maxText      = 256     // bytes of an id or address as text that are looked at
)

// Waiting. A request that waits holds no lock and no goroutine but its own.
const (
	DefaultWait = 10 * time.Second // for a seal, unless the request says otherwise
	MaxWait     = 30 * time.Second // for a seal, at most
	behindWait  = 5 * time.Second  // for a block the request wants this host to have

	statusTimeout = 2 * time.Second // for the core's answer within Status
	queryTimeout  = 5 * time.Second // for one query; the core has the same deadline
	submitTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second  // to receive a request
	writeTimeout  = 30 * time.Second  // to send one message
	idleTimeout   = 120 * time.Second // of a connection without a request
	headerTimeout = 10 * time.Second
	shutdownGrace = 5 * time.Second
	healthPeriod  = time.Second // between looks at readiness for a health watch
)

// Limits are the bounds an operator may fit to the machine.
type Limits struct {
	Connections int   // open at a time
	Requests    int   // in progress at a time, streams not counted
	Streams     int   // Blocks and health streams at a time
	Waiting     int   // transactions somebody waits for
	Buffered    int64 // bytes of requests in memory
	Pending     int   // accepted transactions remembered until they are recorded
}

// DefaultLimits suit 10 000 transactions a second on a small machine.
var DefaultLimits = Limits{
	Connections: 4096,
	Requests:    8192,
	Streams:     256,
	Waiting:     1 << 17,
	Buffered:    256 << 20,
	Pending:     1 << 18,
}
