package trust

import (
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
)

// Family is the family whose state holds the tables; all its keys in this
// package start with Prefix.
const (
	Family = "hardware"
	Prefix = "t/"
)

// Bounds of the tables.
const (
	MaxRoots        = 64   // per vendor, the revoked ones included
	MaxMeasurements = 1024 // per component
	MaxSameDigest   = 16   // versions with one digest
	MaxItemPages    = 64   // of ItemsPerPage keys
	ItemsPerPage    = 128
	MaxDue          = 256 // revocations that take effect at one height
)

// Summary is the state of the tables as a whole, under SummaryKey.
type Summary struct {
	_           struct{} `cbor:",toarray"`
	Testnet     bool
	Revision    uint64 // rises with every change
	Revocations uint64 // how many there were; the next one's number
	Items       uint32 // keys of collateral
	Mandatory   []Component
}

// Revocation is one decision that takes trust away. Stored under RevocationKey
// by number, from 0. It takes effect at the end of block Height.
type Revocation struct {
	_      struct{} `cbor:",toarray"`
	Number uint64
	Kind   OrderKind // KindRootRevoke, KindCertRevoke or KindMeasurementRevoke
	Target wire.Hash // id of the root or the measurement
	Mode   Mode      // of a root's revocation
	SPKIs  []wire.Hash
	Height uint64
}

// IDs is a list of ids, ascending.
type IDs struct {
	_    struct{} `cbor:",toarray"`
	List []wire.Hash
}

// ItemKeys is a page of the list of collateral, in the order in which the keys
// were first put.
type ItemKeys struct {
	_    struct{} `cbor:",toarray"`
	List []evidence.Key
}

// Numbers is a list of revocations by number, ascending.
type Numbers struct {
	_    struct{} `cbor:",toarray"`
	List []uint64
}

// SummaryKey is the state key of Summary.
var SummaryKey = key('s')

// RootKey is the state key of a Root.
func RootKey(id wire.Hash) []byte { return key('r', id[:]) }

// RootsKey is the state key of the IDs of a vendor's roots.
func RootsKey(v evidence.Vendor) []byte { return key('R', []byte{byte(v)}) }

// RevokedKey is the state key whose presence says that a key is revoked; the
// value is the number of the first Revocation that lists it.
func RevokedKey(spki wire.Hash) []byte { return key('k', spki[:]) }

// ItemKey is the state key of the item InForce under a key of collateral.
func ItemKey(k evidence.Key) []byte { return key('c', []byte{byte(k.Type)}, []byte(k.Name)) }

// ItemsKey is the state key of a page of ItemKeys, from 0.
func ItemsKey(page uint32) []byte { return key('C', wire.U32(page)) }

// MeasurementKey is the state key of a Measurement.
func MeasurementKey(id wire.Hash) []byte { return key('m', id[:]) }

// MeasurementsKey is the state key of the IDs of a component's measurements.
func MeasurementsKey(c Component) []byte { return key('M', []byte{byte(c)}) }

// DigestKey is the state key of the IDs of the measurements with a digest.
func DigestKey(c Component, alg uint8, digest []byte) []byte {
	return key('d', []byte{byte(c), alg}, digest)
}

// PolicyKey is the state key of a role's policy.Policy.
func PolicyKey(r policy.Role) []byte { return key('p', []byte{byte(r)}) }

// RevocationKey is the state key of a Revocation.
func RevocationKey(number uint64) []byte { return key('v', wire.U64(number)) }

// DueKey is the state key of the Numbers of the revocations that take effect at
// the end of a block.
func DueKey(height uint64) []byte { return key('h', wire.U64(height)) }

func key(table byte, parts ...[]byte) []byte {
	k := append([]byte(Prefix), table)
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}
