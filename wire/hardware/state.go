package hardware

import (
	"encoding/binary"

	"cloister/wire"
)

// Status of a device. A device without an ordinal is Pending; of all others the
// status is in its status page.
type Status uint8

// Statuses (specification §3.2).
const (
	NoStatus  Status = 0
	Pending   Status = 1
	Active    Status = 2
	Stale     Status = 3
	Suspended Status = 4
	Revoked   Status = 5
)

var statusNames = [...]string{"none", "pending", "active", "stale", "suspended", "revoked"}

// String is the status's name.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return "unknown"
}

// Barred reports whether nothing may run on a device with this status that the
// ledger relies on.
func (s Status) Barred() bool { return s == Suspended || s == Revoked }

// Device is a piece of hardware, stored under DeviceKey. Its status, credit and
// tickets are in pages, by ordinal, so that what touches all devices at once
// touches few values.
type Device struct {
	_       struct{} `cbor:",toarray"`
	Ordinal uint32   // from 1; 0 while it is pending
	Kind    uint8
	Class   uint8 // of its root
	Root    wire.Hash
	Owner   wire.Account
	NodeKey wire.PublicKey
	// VRFKey counts from VRFActive on, PrevVRFKey before: one key at any height.
	VRFKey, PrevVRFKey wire.PublicKey
	VRFActive          uint64

	Joined       uint64 // height; of a pending device that of its request
	LastPass     uint64 // height of the last task that passed; 0 if none did
	LastTask     wire.Hash
	LastEnd      uint64 // height at which the last task ended
	Measurements []wire.Hash
	Fails        uint16
	Cooldown     uint64 // height before which it cannot be reinstated
	Challenges   uint16 // in ChallengeEpoch
	ChallengedIn uint64 // that epoch
	Results      uint32 // ever
	Pruned       uint32 // of those, dropped

	// What the chip said of its age in the newest evidence, accepted at Shown.
	Reset, Restart uint32
	Clock, Counter uint64
	Shown          uint64

	Certificate wire.Hash   // TPM: SHA-256 of the endorsement certificate
	Keys        []wire.Hash // SHA-256 of the SubjectPublicKeyInfo of its certificates, for revocation
	EKPub       []byte      // TPM: DER SubjectPublicKeyInfo, re-encoded
	AKPub       []byte      // TPM: TPMT_PUBLIC
	AKName      []byte
}

// Phase is what a task waits for.
type Phase uint8

// Phases; the package comment says who acts in each.
const (
	PhaseAnchor    Phase = 1
	PhaseEvidence  Phase = 2
	PhaseBeacon    Phase = 3
	PhaseClaim     Phase = 4
	PhaseChallenge Phase = 5
	PhaseAnswer    Phase = 6
	PhaseCommit    Phase = 7
	PhaseReveal    Phase = 8
	PhaseClosed    Phase = 9
)

// Task is one attestation of a device, stored under TaskKey.
type Task struct {
	_        struct{} `cbor:",toarray"`
	Device   wire.Hash
	Kind     uint8
	Attempt  uint32 // from 1
	Phase    Phase
	Deadline uint64 // last height of the phase; 0: it does not end by itself
	Opened   uint64
	OpenTx   wire.Hash // zero if the schedule opened it
	Payer    wire.Account
	Prepaid  bool   // what is left goes to the payer's prepaid gas
	Escrow   uint64 // gas held for the committee
	Price    uint64 // gas that was paid in all
	Params   uint32 // version of the parameters it is held by

	Anchor   uint64 // h_a: the height whose block hash is in Nonce
	Nonce    wire.Hash
	Revision uint64 // of the trust tables at the anchor

	EvidenceDigest  wire.Hash // zero before there is any
	EvidenceTx      wire.Hash
	EvidenceAt      uint64
	NodeKey, VRFKey wire.PublicKey // those the evidence answers for
	AK              []byte         // TPM: the attestation key it was made with
	// The chip's age before this evidence.
	PrevReset, PrevRestart uint32
	PrevClock, PrevCounter uint64

	WaitFrom uint64 // the beacon value has to become final above this height
	Beacon   wire.Hash
	Selected uint64 // h_sel
	Alpha    wire.Hash
	Tickets  uint64 // T
	Epoch    uint64 // whose snapshot counts
	Snapshot wire.Hash
	Claims   uint32

	// The heights at whose end the times to commit and to reveal began.
	CommitFrom, RevealFrom uint64

	Seats     uint32
	Verdict   uint8 // 0 while open
	Reason    uint16
	Digest    wire.Hash // the majority's
	Final     uint64    // height of the verdict
	Percent   uint8     // of the issue, by the root's rule
	Taken     uint64    // what the pay-out really took from the device
	Disputed  bool
	Logged    bool // as line ResultSeq of the device's log
	ResultSeq uint32
}

// Claimed is a claim in a page under ClaimKey.
type Claimed struct {
	_       struct{} `cbor:",toarray"`
	Device  wire.Hash
	Owner   wire.Account
	Root    wire.Hash
	Beta    []byte // VRF output
	Tickets uint16
	Payer   wire.Account // of the bond
}

// Seat is a committee member, in the list under CommitteeKey.
type Seat struct {
	_          struct{} `cbor:",toarray"`
	Device     wire.Hash
	Seats      uint16
	Payer      wire.Account // of the bond
	Challenged bool         // has posted its challenge
	Challenge  wire.Hash    // of ChallengeDigest
	SecretSum  wire.Hash    // its SecretCommit
	Answered   bool
	Commitment wire.Hash // zero before
	Revealed   bool
	Verdict    uint8
	Reason     uint16
	Digest     wire.Hash
	Taken      uint64 // what the pay-out really took
}

// ChallengeDigest names the wrapped secret a reveal has to reproduce.
func ChallengeDigest(blob, encSecret []byte) wire.Hash {
	return wire.TH("cloister/ra/blob/v1", blob, encSecret)
}

// Posted is a challenge of a joining, stored under ChallengeKey.
type Posted struct {
	_         struct{} `cbor:",toarray"`
	Verifier  wire.Hash
	Blob      []byte
	EncSecret []byte
}

// Outcome is a line of a device's log, stored under ResultKey.
type Outcome struct {
	_                          struct{} `cbor:",toarray"`
	Task                       wire.Hash
	Kind                       uint8
	Attempt                    uint32
	Height                     uint64
	Verdict                    uint8
	Reason                     uint16
	Pass, Fail, Missing, Total uint32 // seats
	Evidence                   wire.Hash
	Measurements               []wire.Hash
	Overturned                 bool
}

// OpenTask is a device's open task, stored under OpenKey.
type OpenTask struct {
	_    struct{} `cbor:",toarray"`
	Task wire.Hash
	Slot uint32 // place of the device in the list of those with an open task
}

// Totals are stored under TotalsKey.
type Totals struct {
	_          struct{} `cbor:",toarray"`
	Devices    uint32   // ordinals given
	Active     uint32
	Open       uint32 // devices with an open task
	Waiting    uint32 // of those, tasks that wait for a beacon value
	WaitHead   uint64 // number of the first of them
	Credit     uint64 // of all devices
	Params     uint32 // version in force
	Epoch      uint64
	EpochStart uint64
	Joins      uint32 // in this epoch
	JoinLimit  uint32
	Minted     uint64 // in this epoch by other parts of the ledger
	Tickets    uint64 // T of the snapshot at the start of the epoch
	Snapshot   wire.Hash
	NextDue    uint64 // lowest height whose duties may be unfinished
	Prepaid    uint64 // gas of all prepaid accounts
	Held       uint64 // gas of escrows and bonds
	Treasury   uint64
	Normalised uint64 // height of the last normalisation
	// Barrings counts how often a device was suspended, revoked or let in again,
	// so that whoever relies on devices knows when to look again.
	Barrings uint64
}

// Run is a stretch of blocks of one proposer, up to the next Run. The newest
// MaxRuns are in the list under RunsKey, ascending.
type Run struct {
	_        struct{} `cbor:",toarray"`
	From     uint64   // height
	Proposer wire.NodeID
}

// MaxRuns bounds what is remembered of who proposed blocks.
const MaxRuns = 64

// Banned is why a device that was dropped cannot join yet, stored under BanKey.
type Banned struct {
	_     struct{} `cbor:",toarray"`
	Until uint64   // height
	Fails uint16
}

// Page sizes, in devices.
const (
	PageDevices = 1024 // of credit, status, ticket and id pages
	PageBits    = 8192 // of set pages
	PageOpen    = 64   // of open pages
)

// TotalsKey is where Totals is.
var TotalsKey = []byte("T")

// DeviceKey is where a Device is: a state key within the family, as all below.
func DeviceKey(device wire.Hash) []byte { return append([]byte("d"), device[:]...) }

// TaskKey is where a Task is.
func TaskKey(task wire.Hash) []byte { return append([]byte("q"), task[:]...) }

// OpenKey is where a device's OpenTask is.
func OpenKey(device wire.Hash) []byte { return append([]byte("o"), device[:]...) }

// OpenPageKey holds the ids of PageOpen devices with an open task, 32 bytes each.
func OpenPageKey(page uint32) []byte { return numbered("O", page) }

// EvidenceKey holds the Evidence of an open task.
func EvidenceKey(task wire.Hash) []byte { return append([]byte("e"), task[:]...) }

// ClaimBuckets is how many keys the claims of a task are spread over.
const ClaimBuckets = 32

// ClaimKey holds a list of Claimed, of devices whose id's first byte is bucket
// modulo ClaimBuckets.
func ClaimKey(task wire.Hash, bucket byte) []byte {
	return append(append([]byte("k"), task[:]...), bucket)
}

// CommitteeKey holds a list of Seat, ascending by device.
func CommitteeKey(task wire.Hash) []byte { return append([]byte("s"), task[:]...) }

// ChallengeKey holds the Posted of the seat at a place of the committee.
func ChallengeKey(task wire.Hash, place uint16) []byte {
	return binary.BigEndian.AppendUint16(append([]byte("a"), task[:]...), place)
}

// MeasuredKey holds the measurements behind a digest revealed in an open task.
func MeasuredKey(task, digest wire.Hash) []byte {
	return append(append([]byte("m"), task[:]...), digest[:]...)
}

// ResultKey holds the n-th Outcome of a device.
func ResultKey(device wire.Hash, n uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte("l"), device[:]...), n)
}

// CreditKey holds the credit of PageDevices devices by ordinal, u64 big-endian
// each; ordinal n is at place n modulo PageDevices of page n / PageDevices.
func CreditKey(page uint32) []byte { return numbered("c", page) }

// StatusKey holds their statuses: the low three bits of a byte each.
func StatusKey(page uint32) []byte { return numbered("u", page) }

// TicketKey holds their tickets in the snapshot an epoch began with, u16 each.
// The last two snapshots are kept: a draw goes on under the one it began with.
func TicketKey(epoch uint64, page uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{'v', byte(epoch % 2)}, page)
}

// IDKey holds their ids, 32 bytes each.
func IDKey(page uint32) []byte { return numbered("i", page) }

// Sets of devices are kept as bits by ordinal: of a root, of those whose chain
// has a key, of those whose last pass relied on a measurement.
const (
	SetRoot        byte = 1
	SetKey         byte = 2
	SetMeasurement byte = 3
)

// SetKeyOf holds PageBits bits, the lowest ordinal in the lowest bit of the
// first byte.
func SetKeyOf(set byte, id wire.Hash, page uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{'g', set}, id[:]...), page)
}

// OwnerKey holds the ordinals of an account's devices, u32 each.
func OwnerKey(a wire.Account) []byte { return append([]byte("w"), a[:]...) }

// Sorts of keys that belong to one device.
const (
	UseAK   byte = 1 // by SHA-256 of its TPMT_PUBLIC
	UseNode byte = 2
	UseVRF  byte = 3
)

// UseKey holds the id of the device a key belongs to.
func UseKey(use byte, key wire.Hash) []byte { return append([]byte{'x', use}, key[:]...) }

// BanKey is where Banned is.
func BanKey(device wire.Hash) []byte { return append([]byte("z"), device[:]...) }

// PrepaidKey holds the prepaid gas of an account, u64 big-endian.
func PrepaidKey(a wire.Account) []byte { return append([]byte("g"), a[:]...) }

// ParamsKey holds a version of the parameters.
func ParamsKey(version uint32) []byte { return numbered("P", version) }

// NextParamsKey holds parameters that take effect with the next epoch.
var NextParamsKey = []byte("N")

// RunsKey holds a list of Run.
var RunsKey = []byte("L")

// FounderKey holds the device that took a founder's credit, zero before.
func FounderKey(a wire.Account) []byte { return append([]byte("f"), a[:]...) }

// BeaconKey holds the n-th task that waits for a beacon value.
func BeaconKey(n uint64) []byte { return append([]byte("B"), wire.U64(n)...) }

// DueKey holds the n-th page of duties of a height; the rules' own.
func DueKey(height uint64, page uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte("D"), wire.U64(height)...), page)
}

func numbered(prefix string, n uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte(prefix), n)
}
