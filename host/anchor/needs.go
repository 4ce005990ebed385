package anchor

import (
	"context"
	"errors"

	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// Ledger is what is anchored. Its errors are passing: the loop reports them and
// asks again.
type Ledger interface {
	// Closed waits until the directory block of a height is closed and returns its
	// KeyMR. Heights count from 0. A KeyMR of a block that is not final would be
	// anchored for ever: another host's anchor of the right one then looks like a
	// fork.
	Closed(ctx context.Context, height uint32) (wire.Hash, error)
	// Turn says whether this host is due to anchor a height now: it is its turn, or
	// whoever's turn it was has missed it. If nobody's Turn is ever true the height
	// is not anchored; if everybody's is, each of them pays.
	Turn(ctx context.Context, height uint32) (bool, error)
	// Recorded returns the newest anchor record of a height that the ledger has
	// under a signature it accepts. It must not return what anybody wrote into the
	// chain: the height would not be anchored at all.
	Recorded(ctx context.Context, height uint32) (*factom.AnchorRecord, bool, error)
	// Record has the core check an anchor and sign its record, writes that into the
	// anchor chain, and returns when it is recorded. Called again for what is
	// recorded already it costs a second record, nothing else. If it returns nil
	// without a record, the height looks done until this host looks again.
	Record(ctx context.Context, height uint32, proof *bitcoin.Proof, address string) error
}

// Bitcoin is a node of the network that is anchored in. A node that lies can make
// this host wait, send a transaction again, or record a block that is not
// Bitcoin's, where it spends the work for one; it cannot make it pay twice over
// the ceiling or change what is anchored. rpc.Node is one.
type Bitcoin interface {
	// Height is that of the best chain's newest block.
	Height(ctx context.Context) (uint32, error)
	// BlockHash is the best chain's block at a height; ErrNoBlock above the newest.
	BlockHash(ctx context.Context, height uint32) (bitcoin.Hash, error)
	// Header and Block return what the node has under a hash; the answer is held
	// against the hash.
	Header(ctx context.Context, hash bitcoin.Hash) (bitcoin.Header, error)
	Block(ctx context.Context, hash bitcoin.Hash) ([]byte, error)
	// Send gives a transaction to the node. It returns nil also if the node has it
	// already, and *Refused if the node will not have it.
	Send(ctx context.Context, tx []byte) error
	// Rate estimates the fee in satoshi per virtual byte for being mined within so
	// many blocks, or returns ErrNoEstimate.
	Rate(ctx context.Context, blocks uint32) (uint64, error)
	// Unspent looks up all unspent outputs of a script at the tip it names. It may
	// take minutes. Nodes that cannot return ErrNoScan.
	Unspent(ctx context.Context, script []byte) (Unspent, error)
}

var (
	// ErrNoBlock means that the best chain is not that high.
	ErrNoBlock = errors.New("anchor: no block of that height")
	// ErrNoEstimate means that the node cannot tell a fee: the floor is taken.
	ErrNoEstimate = errors.New("anchor: no estimate of fees")
	// ErrNoScan means that blocks have to be read from Config.Birth on.
	ErrNoScan = errors.New("anchor: the node does not look up unspent outputs")
)

// Refused is a node's no to a transaction.
type Refused struct {
	Reason string // the node's words
	Fee    bool   // a higher fee would help
}

// Error is the node's words.
func (r *Refused) Error() string { return r.Reason }

// Place is a block of Bitcoin.
type Place struct {
	_      struct{} `cbor:",toarray"`
	Height uint32
	Hash   bitcoin.Hash
}

// Coin is an output that the key can spend.
type Coin struct {
	_        struct{} `cbor:",toarray"`
	Out      bitcoin.Outpoint
	Value    uint64 // satoshi
	Born     uint32 // height of its block
	Coinbase bool   // it can be spent only coinbaseMaturity blocks later
	Spent    uint32 // height of the block that spends it; 0 for none
	Undone   uint32 // height of the block that it was in and that is gone; 0: it is there
}

// Unspent is a script's coins as of a block.
type Unspent struct {
	Tip   Place
	Coins []Coin
}
