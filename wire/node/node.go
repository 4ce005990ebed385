package node

import "cloister/wire"

// Name is the family's name in transactions.
const Name = "node"

// Bounds.
const (
	MaxName     = 64   // bytes of a node's name
	MaxEndpoint = 256  // bytes of where it is reached
	MaxReason   = 128  // bytes of why it was revoked
	MaxClaims   = 512  // bytes of encoded claims
	MaxKeys     = 8    // keys of certificates that are kept of a node's evidence
	MaxNodes    = 256  // registrations a chain can be set to keep at a time
	MaxVoters   = 7    // consensus specification §4.4
	MaxQueue    = 64   // admissions and promotions that wait; removals always have room
	maxNode     = 2048 // bytes of an encoded Node
	maxQueued   = 2 * MaxQueue
)

// Roles is a set of roles a node registers for; evidence is judged by the
// policy of each.
type Roles uint8

// Roles. The number of a role in policies is the position of its bit, counted
// from 1.
const (
	VoterRole      Roles = 1 << 0 // orders blocks
	GatekeeperRole Roles = 1 << 1 // holds and hands out contract keys
	WorkerRole     Roles = 1 << 2 // runs confidential contracts
	AuditRole      Roles = 1 << 3 // keeps data and executes again; holds no secret

	allRoles = VoterRole | GatekeeperRole | WorkerRole | AuditRole
)

// Valid reports whether there is at least one role and none that is unknown.
func (r Roles) Valid() bool { return r != 0 && r&^allRoles == 0 }

// Numbers lists the roles by their number in policies, ascending.
func (r Roles) Numbers() (numbers []uint8) {
	for n := uint8(1); n <= 8; n++ {
		if r&(1<<(n-1)) != 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// Status is where a node stands with its operator and the authorities. Wire
// values, never reused.
type Status uint8

// Statuses.
const (
	Awaited Status = 1 // a founder that has not registered yet
	Active  Status = 2
	Leaving Status = 3 // retired by its operator, but still a member
	Retired Status = 4
	Revoked Status = 5 // by the authorities, for good
)

// Node is what the ledger knows of one trusted core, stored under Key.
type Node struct {
	_          struct{} `cbor:",toarray"`
	Identity   wire.PublicKey
	Box        [32]byte // X25519
	VRF        [32]byte
	Operator   wire.Account // zero: a founder without a named one
	Roles      Roles
	Status     Status
	Name       string
	Endpoint   string
	Platform   Platform
	Boots      uint64    // number of the newest registered run
	BootID     wire.Hash // that run's id
	Registered uint64    // height
	Attested   uint64    // height of the block its newest evidence names
	AttestedMs uint64    // block time at which that evidence was accepted
	ExpiresMs  uint64    // block time
	Admitted   wire.Role // what the authorities admitted it for; 0: nothing
	Suspended  wire.Code // OK, or why its evidence no longer satisfies the policies
	GraceMs    uint64    // block time since which its status is only tolerated; 0: it is not
	Reason     string    // why it was revoked
}

// Platform is what a node's evidence showed, as far as it is judged again when
// collateral or policies change. Numbers are those of package evidence.
type Platform struct {
	_           struct{} `cbor:",toarray"`
	Kind        uint8
	Code        wire.Hash
	Signer      wire.Hash
	ProdID      uint16
	SVN         uint16
	CodeVersion uint32    // as the core claims
	Device      wire.Hash // zero if the evidence names none
	Status      uint8     // of the platform when the evidence was accepted
	Anchor      wire.Hash
	Product     string
	Level       []byte
	TCBNumber   uint64
	VMPL        uint8
	Simulated   bool
	Evidence    wire.Hash // SHA-256 of its signed bytes
	// Keys are the SHA-256 of the SubjectPublicKeyInfo of the evidence's
	// certificates, leaf first, for their revocation to reach the node.
	Keys []wire.Hash
}

// ID is the node's.
func (n *Node) ID() wire.NodeID { return wire.NodeIDOf(n.Identity) }

// Registered reports whether the node has shown evidence and was neither
// retired nor revoked since.
func (s Status) Registered() bool { return s == Active || s == Leaving }

// Standing is OK if the node may do its work at a block time, else why not:
// ErrNotRegistered, ErrNodeRetired, ErrNodeRevoked, ErrNodeExpired or
// ErrNodeSuspended. What it means for a member, the roster says.
func (n *Node) Standing(timeMs uint64) wire.Code {
	switch {
	case n.Status == Revoked:
		return wire.ErrNodeRevoked
	case n.Status == Retired:
		return wire.ErrNodeRetired
	case n.Status == Awaited:
		return wire.ErrNotRegistered
	case timeMs >= n.ExpiresMs:
		return wire.ErrNodeExpired
	case n.Suspended != wire.OK:
		return wire.ErrNodeSuspended
	}
	return wire.OK
}
