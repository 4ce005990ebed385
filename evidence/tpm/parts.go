package tpm

import (
	"bytes"
	"crypto/sha256"

	"cloister/evidence"
	"cloister/wire"
)

// Places of the parts in evidence.Evidence.Aux. Quote is the TPMS_ATTEST of the
// quote. The chain of the endorsement key is not part of evidence: it is shown
// once, when a device joins.
const (
	auxSignature   = 0 // TPMT_SIGNATURE over Quote
	auxAK          = 1 // TPMT_PUBLIC of the attestation key
	auxPCRs        = 2 // values of the quoted PCRs, 32 bytes each, by ascending index
	auxBootLog     = 3 // TCG PC Client log, crypto-agile; empty if there is none
	auxAppLog      = 4 // AppLog.Bytes
	auxNV          = 5 // TPMS_ATTEST of TPM2_NV_Certify; empty if no counter is shown
	auxNVSignature = 6 // TPMT_SIGNATURE over it; empty with it
	auxParts       = 7
)

// Parts is TPM evidence taken apart, each part in its one encoding.
type Parts struct {
	Quoted      []byte // TPMS_ATTEST
	Signature   []byte
	AK          AK
	PCRs        []wire.Hash // of Statement.Quote.Selection, ascending
	BootLog     []byte
	AppLog      AppLog
	NV          []byte
	NVSignature []byte

	// Statement is Quoted read; Counter is NV read, nil without one. Neither is
	// believed before VerifyQuote and VerifyNV.
	Statement *Attest
	Counter   *Attest
}

// Parse takes evidence apart strictly. It checks no signature. Errors are
// ErrEvidence, ErrQuoteMagic, ErrPCRSelection, ErrAKTemplate and ErrEventLog.
func Parse(e *evidence.Evidence) (*Parts, error) {
	if e.Kind != evidence.TPM || len(e.Aux) != auxParts {
		return nil, refuse(ErrEvidence, "TPM evidence is a quote and %d parts; got %s with %d", auxParts, e.Kind, len(e.Aux))
	}
	p := &Parts{
		Quoted: e.Quote, Signature: e.Aux[auxSignature], BootLog: e.Aux[auxBootLog],
		NV: e.Aux[auxNV], NVSignature: e.Aux[auxNVSignature],
	}
	var err error
	if p.Statement, err = ParseAttest(e.Quote); err != nil {
		return nil, err
	}
	if p.Statement.Quote == nil {
		return nil, refuse(ErrQuoteMagic, "not a statement about PCRs")
	}
	if p.AK, err = ParseAK(e.Aux[auxAK]); err != nil {
		return nil, err
	}
	if p.PCRs, err = readPCRs(e.Aux[auxPCRs], p.Statement.Quote.Selection); err != nil {
		return nil, err
	}
	if p.AppLog, err = ParseAppLog(e.Aux[auxAppLog]); err != nil {
		return nil, err
	}
	if len(p.NV) == 0 {
		if len(p.NVSignature) != 0 {
			return nil, refuse(ErrEvidence, "a signature without a counter")
		}
		return p, nil
	}
	if p.Counter, err = ParseAttest(p.NV); err != nil {
		return nil, err
	}
	if p.Counter.NV == nil {
		return nil, refuse(ErrNVName, "not a statement about an NV index")
	}
	return p, nil
}

func readPCRs(b []byte, s Selection) ([]wire.Hash, error) {
	n := len(s.PCRs())
	if len(b) != n*sha256.Size {
		return nil, refuse(ErrEvidence, "%d bytes of PCR values for %d PCRs", len(b), n)
	}
	values := make([]wire.Hash, n)
	for i := range values {
		values[i] = wire.Hash(b[i*sha256.Size:])
	}
	return values, nil
}

// Evidence puts the parts together again.
func (p *Parts) Evidence() *evidence.Evidence {
	return &evidence.Evidence{Kind: evidence.TPM, Quote: p.Quoted, Aux: [][]byte{
		p.Signature, p.AK.Public, p.pcrBytes(), p.BootLog, p.AppLog.Bytes(), p.NV, p.NVSignature,
	}}
}

func (p *Parts) pcrBytes() []byte {
	var b []byte
	for _, v := range p.PCRs {
		b = append(b, v[:]...)
	}
	return b
}

// covered are the parts that qualifying data vouches for: those no signature
// covers otherwise. The attestations carry the qualifying data, so they, their
// signatures and the key that made them stay out.
type covered struct {
	_       struct{} `cbor:",toarray"`
	PCRs    []byte
	BootLog []byte
	AppLog  []byte
}

// Digest is SHA-256 of the encoding of PCR values, boot log and application
// log: what Qualify takes as rest.
func (p *Parts) Digest() [32]byte {
	return sha256.Sum256(wire.Marshal(&covered{PCRs: p.pcrBytes(), BootLog: p.BootLog, AppLog: p.AppLog.Bytes()}))
}

// Qualify is the qualifying data of a device's quote and counter certification:
// TH("cloister/ra/qualify/v1", nonce, node key, VRF key, rest), rest being
// Parts.Digest. With the node's keys in it, a clean machine cannot answer for a
// dirty one that holds them.
func Qualify(nonce, nodePK, vrfPK, rest [32]byte) [32]byte {
	return wire.TH("cloister/ra/qualify/v1", nonce[:], nodePK[:], vrfPK[:], rest[:])
}

// digestHolds checks the quoted digest against the values shown.
func (p *Parts) digestHolds() error {
	h := sha256.Sum256(p.pcrBytes())
	if !bytes.Equal(p.Statement.Quote.Digest, h[:]) {
		return refuse(ErrPCRDigest, "the PCR values hash to %x, the TPM signed %x", h, p.Statement.Quote.Digest)
	}
	return nil
}
