package directory

import (
	"context"

	"cloister/host/archive"
	"cloister/wire/record"
)

// Ledger is what the trusted core's state says of the data layer. Answers are
// believed, as this host believes its own core. Core implements it.
//
// Any error that is not ErrNotFound means "ask again later": the fold waits.
type Ledger interface {
	// Progress is the period in progress after block height. An answer may be a
	// few blocks old, and never is older than an earlier one.
	Progress(ctx context.Context) (p *record.Progress, height uint64, err error)
	// Directory is a closed period. Errors: ErrNotFound while it is not closed.
	Directory(ctx context.Context, height uint32) (*record.Directory, error)
}

// Archive holds the ledger's blocks; *archive.Archive is one. All methods are
// safe for concurrent use.
type Archive interface {
	// Height is the newest block that is durable. It never falls.
	Height() uint64
	// Await waits until a block is. Errors: that of ctx, ErrClosed of the archive.
	Await(ctx context.Context, height uint64) error
	// Block gives a block up to Height.
	Block(height uint64) (*archive.Block, error)
	// Header gives a block's header alone.
	Header(height uint64) (*archive.SealedHeader, error)
	// Bytes reads a part of a block's encoding, as archive.Item tells it.
	Bytes(height uint64, from, n uint32) ([]byte, error)
}

var _ Archive = (*archive.Archive)(nil)
