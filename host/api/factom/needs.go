package factom

import (
	"context"

	"cloister/wire"
	"cloister/wire/factom"
)

// Source is what the interface reads from: the data layer as this host holds
// it. Answers are the host's word, as with factomd; whoever wants proof takes
// receipts. All methods are safe for concurrent use; what they return is never
// changed later, by neither side. Unknown things are errors that carry
// ErrNotFound, unknown chains ErrUnknownChain; every other error is shown to
// users as "database error" and logged.
type Source interface {
	// Now is the period in progress and how far closing has come.
	Now() Moment
	// Directory gives a closed period with its four special blocks.
	Directory(height uint32) (*Directory, error)
	// Block finds a closed block by its key: directory KeyMR, admin lookup hash,
	// entry credit header hash, factoid KeyMR, entry block KeyMR.
	Block(key wire.Hash) (*Block, error)
	// Entry finds the newest recording of an entry that is ordered.
	Entry(hash wire.Hash) (*Entry, error)
	// Commit finds an ordered commit by its TXID, CommitOf the newest for an entry.
	Commit(txid wire.Hash) (*Commit, error)
	CommitOf(entry wire.Hash) (*Commit, error)
	// Transaction finds an ordered factoid transaction by its TXID.
	Transaction(txid wire.Hash) (*Transaction, error)
	// ChainHead is the key of a chain's newest entry block, zero if it has none
	// yet; pending says that entries are ordered that are in no closed block.
	// It answers for the reserved chains too.
	ChainHead(chain wire.Hash) (head wire.Hash, pending bool, err error)
	// Pending lists what is ordered in the period in progress, at most limit of
	// each, oldest first.
	Pending(limit int) ([]Commit, []Entry, []Transaction, error)
	// Receipt leads from an entry's newest recording to its directory block.
	// It carries ErrNotCovered while the period is not closed.
	Receipt(entry wire.Hash) (*factom.Receipt, error)
	// Anchor is the Bitcoin anchor of a directory block by the newest record in
	// the anchor chain; nil if there is none.
	Anchor(height uint32) (*factom.AnchorRecord, error)
}

// State is what the interface asks the trusted core. All methods are safe for
// concurrent use.
type State interface {
	// Submit hands a message over: family "record" or "token" and its payload.
	// nil means admitted, not ordered; payload is the callee's to keep. Errors
	// carry the code of the ledger's rules; ErrBusy, ErrNotReady and
	// ErrUnavailable mean that the same message may be welcome a moment later.
	Submit(ctx context.Context, family string, payload []byte) error
	// Balances of accounts, one for each in order: now, and as of the last closed
	// period.
	Balances(ctx context.Context, accounts []wire.Account) ([]Balance, error)
	// Rate is factoshis per entry credit now, and the rate that is decided to
	// come, 0 if none is.
	Rate(ctx context.Context) (now, pending uint64, err error)
	// Authorities are the servers, federated ones first.
	Authorities(ctx context.Context) ([]Authority, error)
	// Identity is this node's id and its identity key; zero if it has none yet.
	Identity() (wire.NodeID, wire.PublicKey)
}

// Moment is where the ledger stands in the data layer's time.
type Moment struct {
	Height         uint32 // of the directory block in progress
	Saved          uint32 // of the newest closed one
	HasSaved       bool   // false until the first is closed
	Minute         uint8  // 1..10
	OpenedMs       uint64 // when the period began
	MinuteOpenedMs uint64
	PeriodMs       uint64
	BlockTimeMs    uint64 // newest block time
	Entries        uint64 // recorded since the start, for rates
	Transactions   uint64
}

// Directory is a closed period.
type Directory struct {
	Height                        uint32
	OpenedMs                      uint64
	KeyMR                         wire.Hash
	Block, Admin, Credit, Factoid []byte // the blocks' bytes; nil where Source.Block is cheaper asked for them
	AdminKey, CreditKey, FactKey  wire.Hash
}

// Kind says what a block is.
type Kind uint8

// Kinds of blocks.
const (
	DirectoryBlock Kind = iota + 1
	AdminBlock
	CreditBlock
	FactoidBlock
	EntryBlock
)

// Block is one closed block.
type Block struct {
	Kind     Kind
	Key      wire.Hash
	Raw      []byte
	Height   uint32 // of its directory block
	OpenedMs uint64 // of its period
}

// Place says where in the data layer something stands.
type Place struct {
	Height    uint32    // of the directory block that has or will have it
	Minute    uint8     // 1..10
	OrderedMs uint64    // block time
	OpenedMs  uint64    // of the period
	Closed    bool      // the period is closed; then the block that has it:
	Block     wire.Hash // entry block KeyMR, entry credit header hash, factoid KeyMR
	Directory wire.Hash // directory KeyMR
}

// Entry is one recording of an entry.
type Entry struct {
	Hash, Chain wire.Hash
	Raw         []byte
	Place
}

// Commit is an ordered commit.
type Commit struct {
	Raw    []byte
	Parsed *factom.Commit
	Used   bool // its entry is recorded
	Place
}

// Transaction is an ordered factoid transaction.
type Transaction struct {
	Raw    []byte
	Parsed *factom.Transaction
	Place
}

// Balance of one account.
type Balance struct {
	Factoshis, Credits           uint64 // with everything ordered
	SavedFactoshis, SavedCredits uint64 // as of the last closed period
}

// Authority is a server as factomd lists them.
type Authority struct {
	ID         wire.NodeID
	SigningKey wire.PublicKey
	Federated  bool
	AnchorKeys []AnchorKey
	Payout     wire.Account
	Efficiency uint16 // in 1/100 percent
}

// AnchorKey is a Bitcoin key that may anchor.
type AnchorKey struct {
	Level, Type uint8
	Key         [20]byte
}

// Ordered is what one block put in order. Server.Ordered is told of it when
// Source knows it: what it names is then asked of Source alone.
type Ordered struct {
	TimeMs   uint64
	Commits  []wire.Hash    // entry hashes that were paid for
	Chains   []wire.Hash    // chains that were created
	Credited []wire.Account // accounts that got credits or factoids
	Entries  []wire.Hash    // entry hashes recorded
	TXIDs    []wire.Hash    // commit and factoid TXIDs ordered
	Refused  []wire.Hash    // TXIDs, of reveals entry hashes, that it carried and the rules refused
}
