package wire

import (
	"fmt"
	"math"
)

// NodeID names a running trusted node: the tagged hash of its identity key.
type NodeID = Hash

// NodeIDOf derives the id of the node that holds key.
func NodeIDOf(key PublicKey) NodeID { return TH("cloister/node/v1", key[:]) }

// HeaderVersion is the only header version this code writes and accepts.
const HeaderVersion = 1

// Header flags.
const (
	// FlagBarrier makes commit wait for execution: a block that changes
	// members, parameters or measurements carries it.
	FlagBarrier uint16 = 1 << 0
	// FlagHandover marks a block whose engine part names the member set of the
	// next epoch: sealed by the set in force, it vouches for that one.
	FlagHandover uint16 = 1 << 1
)

// Engine kinds, as in Header.EngineKind.
const (
	EngineSolo uint8 = 1
	EngineRaft uint8 = 2
)

// MaxHeader bounds an encoded header.
const MaxHeader = 1024

// Header is what a block's hash covers. Field order is the encoding
// (consensus specification §8).
type Header struct {
	_           struct{} `cbor:",toarray"`
	Version     uint16
	Flags       uint16
	ChainID     Hash
	Height      uint64
	Epoch       uint64 // of the member set that orders this height
	TimeMs      uint64 // block time, Unix milliseconds, above the parent's
	Parent      Hash
	Proposer    NodeID
	TxCount     uint32
	TxRoot      Hash   // RFC 6962 over encoded transactions
	DataRoot    Hash   // RFC 6962 over every entry recorded up to ExecHeight
	ExecHeight  uint64 // newest height whose effects ExecRoot commits to; below Height
	ExecRoot    Hash   // Exec.Root at ExecHeight
	HistoryRoot Hash   // RFC 6962 over the header hashes of heights 0..Height-1
	MembersHash Hash   // MemberSet.Hash of the set in force
	EngineKind  uint8
	Engine      []byte // the engine's own part; at most 256 bytes
}

// Hash is the header's tagged hash, the identity of the block.
func (h *Header) Hash() Hash { return HeaderHash(Marshal(h)) }

// HeaderHash is Hash over a header's encoding.
func HeaderHash(encoded []byte) Hash { return TH("cloister/header/v1", encoded) }

// DecodeHeader reads one header strictly.
func DecodeHeader(b []byte) (*Header, error) {
	h := new(Header)
	if err := Unmarshal(b, h, MaxHeader); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if h.Version != HeaderVersion || len(h.Engine) > 256 {
		return nil, fmt.Errorf("header: %w: version %d, engine part %d bytes", ErrEncoding, h.Version, len(h.Engine))
	}
	return h, nil
}

// Block is what engines order. They read Header and never Body.
type Block struct {
	Header *Header
	Hash   Hash   // of Header; always set
	Body   []byte // EncodeList of encoded transactions, committed to by TxRoot
}

// Exec is the effect of executing all blocks up to Height.
type Exec struct {
	_         struct{} `cbor:",toarray"`
	Height    uint64
	StateRoot Hash // sparse Merkle root of public state
	// ResultsRoot is the RFC 6962 root over one leaf per height 0..Height, the
	// leaf being that block's own RFC 6962 root over its results. It is
	// cumulative because headers may skip heights: any later header then
	// proves any earlier result.
	ResultsRoot Hash
}

// Root is what a header commits to.
func (e *Exec) Root() Hash {
	return TH("cloister/exec/v1", U64(e.Height), e.StateRoot[:], e.ResultsRoot[:])
}

// Result is what execution did with one transaction; results stand in the
// order of the block's transactions.
type Result struct {
	_       struct{} `cbor:",toarray"`
	TxID    Hash
	Code    Code   // OK, or why nothing but the fee changed
	Credits uint64 // entry credits spent
	Fee     uint64 // factoshis burnt
	Output  []byte // family-specific, at most MaxOutput bytes
}

// MaxOutput bounds Result.Output; MaxResult an encoded result.
const (
	MaxOutput = 1024
	MaxResult = MaxOutput + 128
)

// Bytes is the encoding, the leaf of a block's results. Written by hand like Tx.Bytes.
func (r *Result) Bytes() []byte {
	const fixed = 1 + 34 + 5 + 9 + 9 + 3 // heads, and the fields of bounded size
	b := append(make([]byte, 0, fixed+len(r.Output)), 4<<5|5)
	b = appendBytes(b, r.TxID[:])
	b = appendHead(b, 0, uint64(r.Code))
	b = appendHead(b, 0, r.Credits)
	b = appendHead(b, 0, r.Fee)
	return appendBytes(b, r.Output)
}

// DecodeResult reads one result strictly and does not keep b. Errors wrap ErrEncoding.
func DecodeResult(b []byte) (*Result, error) {
	res, r := new(Result), reader{rest: b}
	r.limit(MaxResult)
	r.array(5)
	r.fixed(res.TxID[:])
	res.Code = Code(r.uint(math.MaxUint32))
	res.Credits = r.uint(math.MaxUint64)
	res.Fee = r.uint(math.MaxUint64)
	res.Output = r.bytes(MaxOutput)
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	return res, nil
}

// Role is a member's part in consensus.
type Role uint8

// Roles of members.
const (
	Voter   Role = 1
	Learner Role = 2
	Audit   Role = 3
)

// Member is one incarnation of a node in the member set.
type Member struct {
	_      struct{} `cbor:",toarray"`
	ID     NodeID
	Slot   uint64 // number of this incarnation; never used twice on a chain
	Weight uint64
	Role   Role
	Key    PublicKey // identity key; signs blocks and acknowledgements
}

// MemberSet is who orders blocks from height From on. Members ascend by slot.
type MemberSet struct {
	_       struct{} `cbor:",toarray"`
	Epoch   uint64
	From    uint64
	Members []Member
}

// Hash is what headers carry as MembersHash.
func (s *MemberSet) Hash() Hash { return TH("cloister/members/v1", Marshal(s)) }

// BySlot finds a member by slot, or returns nil.
func (s *MemberSet) BySlot(slot uint64) *Member {
	for i := range s.Members {
		if s.Members[i].Slot == slot {
			return &s.Members[i]
		}
	}
	return nil
}

// ByID finds a member by node id, or returns nil.
func (s *MemberSet) ByID(id NodeID) *Member {
	for i := range s.Members {
		if s.Members[i].ID == id {
			return &s.Members[i]
		}
	}
	return nil
}

// Voters counts members with role Voter.
func (s *MemberSet) Voters() (n int) {
	for i := range s.Members {
		if s.Members[i].Role == Voter {
			n++
		}
	}
	return n
}

// Quorum is the number of voters that is a majority.
func (s *MemberSet) Quorum() int { return s.Voters()/2 + 1 }

// Seal proves that a quorum made a block durable: one signature per voter over
// the engine's own statement about (chain, epoch, slot, view, height, hash).
type Seal struct {
	_    struct{} `cbor:",toarray"`
	View uint64   // raft: the term
	Sigs []SlotSig
}

// SlotSig is one voter's signature. Sigs ascend by slot.
type SlotSig struct {
	_    struct{} `cbor:",toarray"`
	Slot uint64
	Sig  Signature
}

// MaxSeal bounds an encoded seal: a signature of each of MaxGenesisMembers fits.
const MaxSeal = 5120

// DecodeSeal reads one seal strictly.
func DecodeSeal(b []byte) (*Seal, error) {
	s := new(Seal)
	if err := Unmarshal(b, s, MaxSeal); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s, nil
}

// Outcome is what execution of one block produced, as it leaves the core for
// the archive.
type Outcome struct {
	_       struct{} `cbor:",toarray"`
	Exec    Exec     // after the block
	Results []byte   // EncodeList of encoded Result, one per transaction
}
