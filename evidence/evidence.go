package evidence

import (
	"fmt"

	"cloister/wire"
)

// Kind is the technology that made the evidence. Wire values, never reused.
type Kind uint8

// Kinds.
const (
	SGX Kind = 1
	TDX Kind = 2
	SNP Kind = 3
	TPM Kind = 4
)

// Vendor is who endorses the hardware; a device is named by vendor and key.
type Vendor uint8

// Vendors.
const (
	Intel    Vendor = 1
	AMD      Vendor = 2
	TPMMaker Vendor = 3
)

// String is the short name people use.
func (k Kind) String() string {
	switch k {
	case SGX:
		return "sgx"
	case TDX:
		return "tdx"
	case SNP:
		return "snp"
	case TPM:
		return "tpm"
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Vendor is who endorses hardware of this kind; 0 for an unknown kind.
func (k Kind) Vendor() Vendor {
	switch k {
	case SGX, TDX:
		return Intel
	case SNP:
		return AMD
	case TPM:
		return TPMMaker
	}
	return 0
}

// String is the vendor's name.
func (v Vendor) String() string {
	switch v {
	case Intel:
		return "Intel"
	case AMD:
		return "AMD"
	case TPMMaker:
		return "TPM maker"
	}
	return fmt.Sprintf("vendor-%d", uint8(v))
}

// Bounds of encoded evidence.
const (
	MaxQuote    = 16 << 10
	MaxAux      = 8
	MaxAuxItem  = 256 << 10 // an event log
	MaxEvidence = 300 << 10
)

// Evidence is what hardware said, exactly as it said it (TEE specification §1).
type Evidence struct {
	_     struct{} `cbor:",toarray"`
	Kind  Kind
	Quote []byte // quote, report or TPMS_ATTEST; zero padding removed
	// Aux: SNP has the leaf certificate (VCEK or VLEK, DER); TPM see evidence/tpm;
	// SGX and TDX have none.
	Aux [][]byte
}

// Bytes is the encoding.
func (e *Evidence) Bytes() []byte { return wire.Marshal(e) }

// Decode reads evidence strictly and checks its bounds; the quote itself is the
// verifier's. Errors wrap wire.ErrEncoding.
func Decode(b []byte) (*Evidence, error) {
	e := new(Evidence)
	if err := wire.Unmarshal(b, e, MaxEvidence); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if e.Kind.Vendor() == 0 || len(e.Quote) == 0 || len(e.Quote) > MaxQuote || len(e.Aux) > MaxAux {
		return nil, fmt.Errorf("evidence: %w: %s, quote of %d bytes, %d further parts", wire.ErrEncoding, e.Kind, len(e.Quote), len(e.Aux))
	}
	for _, a := range e.Aux {
		if len(a) > MaxAuxItem {
			return nil, fmt.Errorf("evidence: %w: part of %d bytes", wire.ErrEncoding, len(a))
		}
	}
	return e, nil
}

// Measurement says which code ran where (TEE specification §1).
type Measurement struct {
	_      struct{} `cbor:",toarray"`
	Kind   Kind
	Code   wire.Hash // CodeID
	Signer wire.Hash // SGX: MRSIGNER; SNP: SHA-256 of ID_KEY_DIGEST, zero if that is; else zero
	ProdID uint16
	SVN    uint16
	Debug  bool
	Device wire.Hash // DeviceID; zero if the evidence names no device (SNP under a VLEK)
}

// CodeID names code: TH("cloister/code/v1", u8 kind, fields). Fields, each a
// part of its own: SGX MRENCLAVE; TDX MRTD, RTMR0..3, MRCONFIGID, XFAM,
// TDATTRIBUTES; SNP MEASUREMENT, HOST_DATA, policy as u64be; TPM PCR selection,
// PCR digest.
func CodeID(k Kind, fields ...[]byte) wire.Hash {
	return wire.TH("cloister/code/v1", append([][]byte{{byte(k)}}, fields...)...)
}

// DeviceID names a piece of hardware: TH("cloister/device/v1", u8 vendor,
// platform key). Platform keys: Intel the PPID (16 bytes), AMD CHIP_ID (64
// bytes), TPM the DER SubjectPublicKeyInfo of the EK, encoded again from the
// parsed key.
func DeviceID(v Vendor, platformKey []byte) wire.Hash {
	return wire.TH("cloister/device/v1", []byte{byte(v)}, platformKey)
}

// Result is what a verifier found. Policy judges it.
type Result struct {
	Measurement
	Status     Status
	Advisories []string  // ascending, each once
	ReportData [64]byte  // what the program bound; TPM: extraData, then zeros
	Anchor     wire.Hash // SHA-256 of the trust anchor's DER
	Simulated  bool      // the anchor belongs to a simulated vendor
	Product    string    // AMD: product line; Intel: FMSPC in hex; TPM: maker
	Signed     wire.Hash // SHA-256 of the signed bytes: the identity of this evidence
	Level      []byte    // what Assess judges again under other collateral; at most MaxLevel bytes
	TCBNumber  uint64    // Intel: lowest tcbEvaluationDataNumber used
	VMPL       uint8     // SNP
	NotAfter   int64     // Unix seconds at which the first thing relied on expires
	Passed     []string  // names of the checks that held, in order; also set beside an error
}

// MaxLevel bounds Result.Level.
const MaxLevel = 128
