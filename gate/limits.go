package gate

import "time"

// Version is the protocol version both ends must have.
const Version = 1

// Process exit codes of the core (gate.md §2, §5). The host does not restart
// after 4, 6 and 7 without an operator.
const (
	ExitOK         = 0
	ExitLanes      = 3 // the lanes were not up in time
	ExitProtocol   = 4 // the other side broke a rule of the gate
	ExitClosed     = 5 // the host is gone
	ExitCorrupt    = 6 // the store is corrupt
	ExitQuarantine = 7 // the node must not run until an operator looked
)

// Fixed bounds of the storage lane.
const (
	MaxAppend   = 1_048_560 // bytes of one Append
	MaxRead     = 524_288   // bytes of one Read or ReadMany
	MaxReadMany = 64        // ranges of one ReadMany
	MaxDelete   = 4096      // objects of one Delete
	MaxList     = 4096      // objects of one List frame
	MaxListed   = 1 << 20   // objects of a whole List answer

	maxStorageOpen = 256      // storage requests without an answer
	maxUnwritten   = 16 << 20 // bytes of Append without Credit
	maxQueuedOps   = 16_384   // storage operations the host keeps waiting
	storageWorkers = 8
)

// Bounds of the control lane.
const (
	MaxConfig       = 256 << 10 // bytes of the configuration in Start
	MaxSealKey      = 64        // bytes of Options.DevSealKey
	MaxSubmit       = 256       // transactions of one Submit
	MaxSubmitBytes  = 1 << 20   // encoded bytes of one Submit
	MaxQuery        = 64 << 10  // bytes of a query's body
	MaxQueryAnswer  = 16 << 20  // bytes of a query's whole answer
	MaxStatus       = 64 << 10  // bytes of a Status answer
	MaxFinal        = 16 << 20  // encoded bytes of one Final
	MaxUnarchived   = 64        // blocks published and not archived
	MaxUnarchivedSz = 16 << 20  // encoded bytes of those blocks
	MaxFetchKey     = 256       // bytes of the key of a Fetch
	MaxFetchAnswer  = 16 << 20  // bytes of what Fetch returns
	MaxEvents       = 1000      // Event frames a second
	MaxNumbers      = 8         // numbers in an Event
	MaxHashes       = 4         // hashes in an Event
	MaxFailText     = 200       // bytes of text in a Fail

	maxControlOpen = 256 // requests of the host without an answer, of all kinds
	maxSubmitOpen  = 64
	maxQueryOpen   = 64
	maxStatusOpen  = 4
	maxFetchOpen   = 32
	// maxStopGrace is the longest grace a Stop may ask for.
	maxStopGrace = 60 * time.Second
)

// Bounds of the streams lane.
const (
	MaxAddr    = 255      // bytes of a Dial address or of an Accepted hint
	MaxStreams = 1024     // streams at a time
	MaxData    = 65_536   // bytes of one Data frame
	Window     = 64 << 10 // receive window until Authenticated
	WideWindow = 1 << 20  // receive window after it
	maxGreeted = 128      // accepted streams not yet authenticated
)

// Bounds of a lane.
const (
	maxFrame     = 1 << 20   // payload bytes this end accepts and ever sends
	minFrame     = 64 << 10  // a peer that accepts less cannot be served
	readerSize   = 256 << 10 // buffered reader of a lane
	holdBytes    = 64 << 10  // one-way storage frames leave at this size
	pendingBytes = 4 << 20   // senders wait above this
	// The reader cannot wait, so what it must answer may exceed pendingBytes
	// by this much. A peer that lets it grow further does not read.
	pendingReserve = 1 << 20
)

// Deadlines.
const (
	LanesTimeout     = 30 * time.Second  // all three lanes up
	QueryDeadline    = 5 * time.Second   // measured in the core
	HandshakeTimeout = 10 * time.Second  // from an open stream to Authenticated
	IdleTimeout      = 120 * time.Second // without data in either direction
	SlowStorage      = 10 * time.Second  // event, give up leadership
	StalledStorage   = 120 * time.Second // fatal
	// closeLinger bounds how long the last frames may take to leave; the core
	// must be gone within a second of losing its host.
	closeLinger = 900 * time.Millisecond
)
