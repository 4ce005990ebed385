package notary

import (
	"context"
	"iter"

	"cloister/wire"
)

// Ledger is what this package needs from outside. Implementations are safe for
// concurrent use; errors carry a wire.Code.
type Ledger interface {
	// Entries yields every entry of a chain in order, each one verified to be
	// recorded and none left out. An implementation that trusts a host here
	// makes Verify worthless. The first error ends the sequence: ErrUnknownChain
	// if there is no such chain.
	Entries(ctx context.Context, chain wire.Hash) iter.Seq2[Entry, error]
	// Hashes returns the hash of every entry of a chain in order, verified like
	// Entries, as of a state that includes every Create and Submit that returned.
	Hashes(ctx context.Context, chain wire.Hash) ([]wire.Hash, error)
	// Create records the first entry of a new chain and returns once it is final.
	Create(ctx context.Context, entry []byte) (Recorded, error)
	// Prepare makes the encoded transaction that pays for an entry of an existing
	// chain and records it. An entry that is prepared twice is paid twice. The
	// commit's time is later than afterMs, up to which an earlier run used all.
	Prepare(ctx context.Context, entry []byte, afterMs uint64) (tx []byte, err error)
	// Submit records 1 to MaxBatch transactions of Prepare and returns one answer
	// each (Entry is left out), in order, once each is final or refused; it retries
	// what can be retried. One that was recorded before is answered like then and not paid
	// again. ErrReplayed and ErrOutsideWindow mean that it is not recorded and
	// never will be. Called from up to Flights goroutines at a time.
	Submit(ctx context.Context, txs [][]byte) ([]Recorded, []error)
}

// Entry is a recorded entry of a chain.
type Entry struct {
	Bytes []byte // as hashed
	Recorded
}

// Recorded says where the ledger holds something, by the word of whoever was
// asked; the receipt of Tx or Entry proves it.
type Recorded struct {
	Tx     wire.Hash // transaction
	Entry  wire.Hash // the entry's hash
	Height uint64    // block
	TimeMs uint64    // block time, Unix milliseconds
}
