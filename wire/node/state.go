package node

import (
	"fmt"

	"cloister/wire"
)

// Key is the state key of a Node within the family.
func Key(id wire.NodeID) []byte { return append([]byte("n"), id[:]...) }

// VRFKey is the state key of who showed a VRF key first: a node id, for ever.
func VRFKey(vrf [32]byte) []byte { return append([]byte("v"), vrf[:]...) }

// SetKey is the state key of the wire.MemberSet of an epoch.
func SetKey(epoch uint64) []byte { return append([]byte("members/"), wire.U64(epoch)...) }

// State keys of which there is one each.
var (
	RosterKey = []byte("r") // wire.Roster
	ListKey   = []byte("l") // []Listed
	QueueKey  = []byte("q") // []Change; absent if none waits
	MetaKey   = []byte("m") // Meta
	ClockKey  = []byte("c") // []Sample
)

// Listed is one registered node in the list of all of them, which ascends by ID.
// Registrations that ran out stay until their room is needed.
type Listed struct {
	_         struct{} `cbor:",toarray"`
	ID        wire.NodeID
	Roles     Roles
	Operator  wire.Account
	Device    wire.Hash // zero if its evidence names none
	ExpiresMs uint64
}

// Meta is the rest of the family's state.
type Meta struct {
	_          struct{} `cbor:",toarray"`
	MaxNodes   uint64
	FoundingMs uint64 // how long founders have to register; 0: for ever
	StartMs    uint64 // block time of the first block; 0 before it
	NextSlot   uint64 // never given yet
	Revision   uint64 // of the hardware family's tables at the last judgement
	JudgeMs    uint64 // block time of the next, if nothing changes before
	DueMs      uint64 // block time at which a member's standing changes by itself
	Touched    bool   // by a transaction of this block
}

// ChangeKind says what a waiting change does.
type ChangeKind uint8

// Kinds of change. Wire values, never reused.
const (
	Add   ChangeKind = 1 // as learner or audit member
	Raise ChangeKind = 2 // a learner to voter
	Expel ChangeKind = 3 // a member
)

// Change is one wanted change of the member set; they are made one at a time.
type Change struct {
	_      struct{} `cbor:",toarray"`
	Kind   ChangeKind
	Node   wire.NodeID
	Role   wire.Role // Add: the member's first role
	Cause  wire.Code // Expel: why, if the rules themselves want it; it is dropped if that no longer holds
	Height uint64    // at which it was wanted
}

// Sample says that the block of a height had a time. The family keeps one a
// minute, to tell how old a block is that evidence names.
type Sample struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	TimeMs uint64
}

// Reader returns the value of a key of the family's state, nil if there is none.
type Reader func(key []byte) ([]byte, error)

func read[T any](get Reader, key []byte, limit int) (v *T, err error) {
	b, err := get(key)
	if err != nil || b == nil {
		return nil, err
	}
	v = new(T)
	if err := wire.Unmarshal(b, v, limit); err != nil {
		return nil, fmt.Errorf("state of nodes under %q: %w", key, err)
	}
	return v, nil
}

// Of returns a node, nil if the ledger knows none with this id.
func Of(get Reader, id wire.NodeID) (*Node, error) { return read[Node](get, Key(id), maxNode) }

// RosterOf returns who orders blocks, nil if the chain has no such state.
func RosterOf(get Reader) (*wire.Roster, error) {
	return read[wire.Roster](get, RosterKey, wire.MaxRoster)
}

// SetOf returns the member set of an epoch, nil if there was none yet.
func SetOf(get Reader, epoch uint64) (*wire.MemberSet, error) {
	return read[wire.MemberSet](get, SetKey(epoch), wire.MaxMemberSet)
}

// List returns all registered nodes.
func List(get Reader) ([]Listed, error) { return list[Listed](get, ListKey, MaxNodes*128) }

// Queue returns the waiting changes, the next one first.
func Queue(get Reader) ([]Change, error) { return list[Change](get, QueueKey, maxQueued*64) }

func list[T any](get Reader, key []byte, limit int) ([]T, error) {
	l, err := read[[]T](get, key, limit)
	if l == nil {
		return nil, err
	}
	return *l, err
}

// MayVote reports whether a node is a voter that nobody refuses a channel.
func MayVote(r *wire.Roster, id wire.NodeID) bool {
	m, s := r.Set.ByID(id), r.Of(id)
	return m != nil && s != nil && m.Role == wire.Voter && s.Barred == wire.OK
}
