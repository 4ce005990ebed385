package api

import (
	"context"

	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/receipt"
)

// Everything this package needs from the rest of the host. archive.Archive is
// Archive; host/supervise is Submitter, Queries and Core. All methods are
// called from many goroutines at a time. Byte slices an implementation returns
// are the caller's to keep and never to change; slices it is given are its to
// keep and never to change.
//
// Errors carry a wire.Code (wire.CodeOf). One that carries none is shown to
// users as ErrInternal, so its text must not hold what users may not see.

// Submitter hands transactions to the trusted core.
type Submitter interface {
	// Submit returns once the core has checked and pooled, or refused, every
	// transaction: one item for each, in order. txs has 1 to gate.MaxSubmit
	// encoded transactions that fit one Submit frame of the gate
	// (gate.MaxSubmitBytes). It must not change the order: an item at the wrong
	// place would tell a user the fate of somebody else's transaction.
	//
	// Errors concern the batch: ErrBusy, ErrNotReady, ErrStopping,
	// ErrUnavailable (no core), ErrDeadline (ctx ended). Some of the batch may
	// be pooled nevertheless; submitting again is safe, an id counts once.
	Submit(ctx context.Context, txs [][]byte) ([]SubmitItem, error)
}

// SubmitItem is what admission did with one transaction. OK means pooled, not
// recorded. TxID is zero if the bytes could not be decoded.
type SubmitItem struct {
	TxID wire.Hash
	Code wire.Code
}

// Queries asks the trusted core for public state or status.
type Queries interface {
	// Query takes a kind and body of package wire/query and returns the answer
	// of that kind: the body of the core's query.Reply, whose code, if it is not
	// OK, comes as the error. The answer is unverified. Errors: those of the core, ErrNotReady,
	// ErrStopping, ErrUnavailable, ErrDeadline.
	Query(ctx context.Context, kind uint16, body []byte) ([]byte, error)
}

// Core tells whether the trusted core can be used at this moment.
type Core interface {
	// Ready is nil when the core has said Ready and its gate is up; else an
	// error with ErrNotReady (starting), ErrStopping or ErrUnavailable (down, and
	// why). It never blocks.
	Ready() error
	// Restarts counts how often the core was started again since the host runs.
	Restarts() uint64
}

// Archive holds every final block and what is indexed from them. Reads see a
// block and all its indexes, or nothing of it.
type Archive interface {
	// Height is the newest block stored: the chain from block 0 (genesis) to it
	// has no gap. It never falls.
	Height() uint64
	// Sealed is the newest stored block that has a seal of its own, 0 if there
	// is none; blocks up to it are proved by that seal. Sealed <= Height. It
	// never falls.
	Sealed() uint64
	// Block returns one block. Errors: ErrNotFound above Height.
	Block(height uint64) (*archive.Block, error)
	// Header returns the parts of a block that Headers serves, without reading
	// its body. Errors: ErrNotFound above Height.
	Header(height uint64) (*archive.SealedHeader, error)
	// SealedFrom is the lowest height at or above the given one whose block has
	// a seal of its own: the seal that covers it. Errors: ErrNotCovered.
	SealedFrom(height uint64) (uint64, error)
	// HeightOf finds a block by its header's hash. Errors: ErrNotFound.
	HeightOf(hash wire.Hash) (uint64, error)
	// Transaction finds a recorded transaction. Errors: ErrNotFound.
	Transaction(id wire.Hash) (*archive.Transaction, error)
	// Entry finds the first recording of an entry. Errors: ErrNotFound.
	Entry(hash wire.Hash) (*archive.Entry, error)
	// Chain returns what is stored of a chain. Errors: ErrUnknownChain.
	Chain(id wire.Hash) (*archive.Chain, error)
	// Entries returns up to limit entries of a chain in order, from number
	// from (counted from 0) on; fewer only where the chain, as stored, ends.
	// With bytes false, Entry.Bytes is nil. Errors: ErrUnknownChain.
	Entries(chain wire.Hash, from uint64, limit int, bytes bool) ([]archive.Entry, error)
	// Receipt makes the receipt file of a recorded transaction, as package
	// wire/receipt verifies it. Errors: ErrNotFound, ErrNotCovered while no
	// sealed header proves what kind asks for.
	Receipt(tx wire.Hash, kind receipt.Kind) (*receipt.Receipt, error)
	// Handover is a sealed header of an epoch that names the members of the
	// next. Errors: ErrNotFound while there is none.
	Handover(epoch uint64) (header, seal []byte, err error)
	// Inclusion proves block height within the history of the given size
	// (merkle.VerifyInclusion). Errors: ErrBadRequest unless height < size <= Height()+1.
	Inclusion(height, size uint64) ([]wire.Hash, error)
	// Consistency proves that the history of size from begins that of size to
	// (merkle.VerifyConsistency). Errors: ErrBadRequest unless from <= to <= Height()+1.
	Consistency(from, to uint64) ([]wire.Hash, error)
	// Settle waits until a block that Watch has shown is visible to every method
	// above. Errors: those of the disk.
	Settle(height uint64) error
	// Watch calls f for every block from then on, in height order and one call
	// at a time, when the block is final; it becomes visible to the methods above
	// a little later. f returns quickly and calls no method of the archive. A
	// block is shown to f or was visible before Watch returned, or both; never
	// neither. stop ends the calls and returns when none is running.
	Watch(f func(archive.Appended)) (stop func())
}

var _ Archive = (*archive.Archive)(nil)
