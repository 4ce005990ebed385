package hardware

import (
	"cloister/wire"
)

// Name is the family's name in transactions.
const Name = "hardware"

// Op is the first byte of a payload; the encoding of the operation's own
// structure follows. Wire values, never reused.
type Op byte

// Operations.
const (
	OpJoinPlatform Op = 1  // JoinPlatform
	OpJoinRequest  Op = 2  // JoinRequest
	OpChallenge    Op = 3  // Challenge
	OpAnswer       Op = 4  // Answer
	OpOpen         Op = 5  // Open
	OpEvidence     Op = 6  // EvidenceSubmit
	OpClaim        Op = 7  // Claim
	OpCommit       Op = 8  // Commit
	OpReveal       Op = 9  // Reveal
	OpDispute      Op = 10 // Dispute
	OpCloneProof   Op = 11 // CloneProof
	OpRotate       Op = 12 // Rotate
	OpDeposit      Op = 13 // Deposit
	OpWithdraw     Op = 14 // Withdraw
	OpRetire       Op = 15 // Retire
	OpCollateral   Op = 16 // Collateral
)

// Kinds of tasks (specification §3.5).
const (
	KindJoin      uint8 = 1
	KindPeriodic  uint8 = 2
	KindChallenge uint8 = 3
	KindReinstate uint8 = 4
)

// Verdicts, and the sorts of evidence by the numbers of package evidence.
const (
	Pass         uint8 = 1
	Fail         uint8 = 2
	Inconclusive uint8 = 3

	SGX uint8 = 1
	TDX uint8 = 2
	SNP uint8 = 3
	TPM uint8 = 4
)

// Bounds of payloads.
const (
	MaxQuote   = 12 << 10
	MaxPart    = 4 << 10 // bytes of a log that is carried inline, and of any other part
	MaxLog     = 256 << 10
	MaxRefs    = 32 // entries a log is spread over
	MaxChain   = 4  // certificates
	MaxAnswers = 256
	MaxFound   = 128 // measurements that one appraisal relies on
	ProofSize  = 80  // bytes of a VRF proof
	BlobSize   = 68  // bytes of a credential blob
	SecretSize = 256
)

// Log is an event log: its bytes if they are at most MaxPart, else where they
// are. Size and Digest are always those of the bytes.
type Log struct {
	_      struct{} `cbor:",toarray"`
	Size   uint32
	Digest wire.Hash // SHA-256
	Inline []byte
	Refs   []wire.Hash // entries of the data layer whose contents are the log, in order
}

// Evidence is what a device shows of itself. A TPM fills all but Claims and
// Leaf; a CPU fills Quote, Claims and, for SNP, Leaf, its certificate.
type Evidence struct {
	_           struct{} `cbor:",toarray"`
	Kind        uint8
	Quote       []byte // TPMS_ATTEST, quote or report
	Signature   []byte // TPMT_SIGNATURE over Quote
	PCRs        []byte // quoted values, 32 bytes each, ascending
	Boot, App   Log
	NV          []byte    // TPMS_ATTEST of TPM2_NV_Certify
	NVSignature []byte    // TPMT_SIGNATURE over NV
	Rest        wire.Hash // what the qualifying data says of PCRs and logs (evidence/tpm Parts.Digest)
	Leaf        []byte    // DER
	Claims      []byte    // encoding of evidence.Claims
}

// Digest names evidence: it covers logs by their own digests, so that it is the
// same whether they are inline or not.
func (e *Evidence) Digest() wire.Hash {
	return wire.TH("cloister/ra/evidence/v1", []byte{e.Kind}, e.Quote, e.Signature, e.PCRs,
		wire.U32(e.Boot.Size), e.Boot.Digest[:], wire.U32(e.App.Size), e.App.Digest[:],
		e.NV, e.NVSignature, e.Rest[:], e.Leaf, e.Claims)
}

// JoinPlatform registers a CPU with a trusted execution environment. The claims
// in the evidence name chain, a recent block, node key (Identity), VRF key and,
// as Operator, the payer, who becomes the owner.
type JoinPlatform struct {
	_        struct{} `cbor:",toarray"`
	Evidence Evidence
}

// JoinRequest asks to register a TPM; the payer becomes the owner and pays for
// the committee.
type JoinRequest struct {
	_                 struct{} `cbor:",toarray"`
	Chain             [][]byte // endorsement certificate first, DER
	AK                []byte   // TPMT_PUBLIC
	Creation          []byte   // TPMS_ATTEST of TPM2_CertifyCreation of the endorsement key
	CreationSignature []byte   // TPMT_SIGNATURE over it
	NodeKey           wire.PublicKey
	VRFKey            wire.PublicKey
	NodeSignature     wire.Signature // of JoinStatement
	VRFProof          []byte         // on JoinStatement
}

// Vote is what every message of a verifier names.
type Vote struct {
	_       struct{} `cbor:",toarray"`
	Task    wire.Hash
	Attempt uint32
	Device  wire.Hash // the verifier's
}

// Claim asks for a seat. The payer holds the bond and gets it back.
type Claim struct {
	_         struct{} `cbor:",toarray"`
	Vote      Vote
	Proof     []byte         // VRF, on Task.Alpha
	Signature wire.Signature // of ClaimStatement
}

// Challenge hides a secret from everybody but the TPM that joins.
type Challenge struct {
	_            struct{} `cbor:",toarray"`
	Vote         Vote
	Blob         []byte         // contents of TPM2B_ID_OBJECT
	EncSecret    []byte         // contents of TPM2B_ENCRYPTED_SECRET
	SecretCommit wire.Hash      // committee.ActivationSecret
	Signature    wire.Signature // of ChallengeStatement
}

// Secret answers one challenge.
type Secret struct {
	_        struct{}  `cbor:",toarray"`
	Verifier wire.Hash // device
	Secret   [32]byte
}

// Answer is what a joining device has to say: the secrets it could unwrap, by
// ascending verifier, and its evidence.
type Answer struct {
	_        struct{} `cbor:",toarray"`
	Task     wire.Hash
	Attempt  uint32
	Secrets  []Secret
	Evidence Evidence
}

// Open asks for a device to be attested: a challenge by anybody, a renewal of a
// stale or a reinstatement of a suspended device by its owner.
type Open struct {
	_      struct{} `cbor:",toarray"`
	Device wire.Hash
	Kind   uint8
}

// EvidenceSubmit answers an open task that is no joining.
type EvidenceSubmit struct {
	_        struct{} `cbor:",toarray"`
	Task     wire.Hash
	Attempt  uint32
	Evidence Evidence
}

// Commit hides a vote: Commitment is committee.Commit.
type Commit struct {
	_          struct{} `cbor:",toarray"`
	Vote       Vote
	Commitment wire.Hash
	Signature  wire.Signature // of CommitStatement
}

// Reveal opens a vote, and for a joining the challenge as well.
type Reveal struct {
	_         struct{} `cbor:",toarray"`
	Vote      Vote
	Verdict   uint8
	Reason    uint16
	Digest    wire.Hash // committee.ResultDigest
	Salt      [32]byte
	Signature wire.Signature // of committee.ResultStatement
	Seed      [32]byte       // of the challenge; zero if the task is no joining
	Secret    [32]byte       // likewise
	// Measurements are those in the digest of a PASS, ascending. They may be left
	// out if another member revealed the same digest with them.
	Measurements []wire.Hash
}

// Dispute asks every validator to appraise the evidence of a closed task. Logs
// are inline whatever their size, as far as a transaction carries them.
type Dispute struct {
	_        struct{} `cbor:",toarray"`
	Task     wire.Hash
	Evidence Evidence
	Device   wire.Hash // of the disputer, to be rewarded; zero if none
}

// Statement is one attestation of a TPM with what it was qualified by.
type Statement struct {
	_         struct{} `cbor:",toarray"`
	Attest    []byte   // TPMS_ATTEST
	Signature []byte   // TPMT_SIGNATURE
	PCRs      []byte   // of a quote: the quoted values; else empty
}

// CloneProof shows that a chip went back, or that there are two. Form 1 is a
// Quote and its NV over the nonce of a task, made after evidence that was ahead
// of it. Form 2 is two NV certifications of one counter value.
type CloneProof struct {
	_       struct{} `cbor:",toarray"`
	Device  wire.Hash
	Task    wire.Hash // form 1: whose nonce is answered; zero in form 2
	Rest    wire.Hash // form 1: as in Evidence
	NodeKey wire.PublicKey
	VRFKey  wire.PublicKey
	First   Statement // form 1: a quote or an NV certification
	Second  Statement // form 2; empty in form 1
}

// Rotate registers new keys for a device: by a quote of its TPM over
// RotateStatement, or by fresh evidence of its CPU.
type Rotate struct {
	_         struct{} `cbor:",toarray"`
	Device    wire.Hash
	NodeKey   wire.PublicKey
	VRFKey    wire.PublicKey
	Height    uint64 // TPM: the block whose hash is the nonce
	Quote     Statement
	NodeProof wire.Signature // TPM: of RotateStatement, by the new node key
	VRFProof  []byte         // TPM: on RotateStatement, by the new VRF key
	Evidence  Evidence       // CPU: as in JoinPlatform
}

// Deposit moves factoshis of the payer into its prepaid gas, Withdraw back.
type Deposit struct {
	_      struct{} `cbor:",toarray"`
	Amount uint64
}

// Withdraw is the opposite of Deposit.
type Withdraw struct {
	_      struct{} `cbor:",toarray"`
	Amount uint64
}

// Retire ends a device for ever; its owner may.
type Retire struct {
	_      struct{} `cbor:",toarray"`
	Device wire.Hash
}

// Collateral puts a vendor's signed statement on the ledger; anybody may.
type Collateral struct {
	_    struct{} `cbor:",toarray"`
	Item []byte   // encoding of evidence.Item
}

// Payload is one of the structures above, by pointer.
type Payload interface{ op() Op }

func (*JoinPlatform) op() Op   { return OpJoinPlatform }
func (*JoinRequest) op() Op    { return OpJoinRequest }
func (*Challenge) op() Op      { return OpChallenge }
func (*Answer) op() Op         { return OpAnswer }
func (*Open) op() Op           { return OpOpen }
func (*EvidenceSubmit) op() Op { return OpEvidence }
func (*Claim) op() Op          { return OpClaim }
func (*Commit) op() Op         { return OpCommit }
func (*Reveal) op() Op         { return OpReveal }
func (*Dispute) op() Op        { return OpDispute }
func (*CloneProof) op() Op     { return OpCloneProof }
func (*Rotate) op() Op         { return OpRotate }
func (*Deposit) op() Op        { return OpDeposit }
func (*Withdraw) op() Op       { return OpWithdraw }
func (*Retire) op() Op         { return OpRetire }
func (*Collateral) op() Op     { return OpCollateral }

var blank = map[Op]func() Payload{
	OpJoinPlatform: func() Payload { return new(JoinPlatform) },
	OpJoinRequest:  func() Payload { return new(JoinRequest) },
	OpChallenge:    func() Payload { return new(Challenge) },
	OpAnswer:       func() Payload { return new(Answer) },
	OpOpen:         func() Payload { return new(Open) },
	OpEvidence:     func() Payload { return new(EvidenceSubmit) },
	OpClaim:        func() Payload { return new(Claim) },
	OpCommit:       func() Payload { return new(Commit) },
	OpReveal:       func() Payload { return new(Reveal) },
	OpDispute:      func() Payload { return new(Dispute) },
	OpCloneProof:   func() Payload { return new(CloneProof) },
	OpRotate:       func() Payload { return new(Rotate) },
	OpDeposit:      func() Payload { return new(Deposit) },
	OpWithdraw:     func() Payload { return new(Withdraw) },
	OpRetire:       func() Payload { return new(Retire) },
	OpCollateral:   func() Payload { return new(Collateral) },
}

// Encode is a payload's encoding.
func Encode(p Payload) []byte { return append([]byte{byte(p.op())}, wire.Marshal(p)...) }

// Decode reads a payload strictly and checks its form. Errors carry
// ErrMalformed, or the code of the part that is out of bounds.
func Decode(b []byte) (Payload, error) {
	if len(b) == 0 || blank[Op(b[0])] == nil {
		return nil, wire.Faultf(wire.ErrMalformed, "hardware payload starts with no known operation")
	}
	p := blank[Op(b[0])]()
	if err := wire.Unmarshal(b[1:], p, wire.MaxPayload); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "hardware payload of operation %d: %v", b[0], err)
	}
	if c, ok := p.(interface{ check() error }); ok {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	return p, nil
}
