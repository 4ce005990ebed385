package factom

import "time"

// Bounds of one call. Clients may rely on them.
const (
	MaxRequest = 64 << 10 // bytes of a request's body: the hex of the largest entry is 20,550
	MaxBlock   = 8 << 20  // bytes of a block that is shown, which is up to 6 times as long as JSON
	MaxPending = 1000     // of each kind in one listing of what is pending
)

// Bounds of what is held because the ledger cannot order it yet
// (specification §7: one hour, bounded count and bytes per peer).
const (
	HoldMs            = 3_600_000 // of block time
	maxHeld           = 16_384    // messages
	maxHeldBytes      = 64 << 20
	maxHeldByOne      = 1024 // messages of one remote address
	maxHeldBytesByOne = 4 << 20
)

// maxFates bounds the messages whose fate is remembered until they are ordered:
// some seconds of a network at its limit, hours of an ordinary one.
const maxFates = 1 << 17

// Blocks above largeBlock bytes are rendered only maxLarge at a time.
const (
	largeBlock = 128 << 10
	maxLarge   = 8
)

const (
	retryPause  = 100 * time.Millisecond // at least, between two rounds of retries
	namesEachMs = 60_000                 // of block time, between retries of reveals whose chain's name is taken

	// A core that is busy is asked again within the call, a little later each time.
	busyTries = 4
	busyPause = 50 * time.Millisecond // before the second try; doubled each time

	rateWindow = 3 * time.Second // of the instant rate

	pooledBuffer = 256 << 10 // larger answer buffers are not kept
)
