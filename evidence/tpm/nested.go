package tpm

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/wire"
)

// Nested is evidence of a virtual TPM that a paravisor runs inside an SEV-SNP
// machine.
type Nested struct {
	HCL       []byte // what ParseHCL reads
	Leaf      []byte // VCEK, DER
	Quoted    []byte // TPMS_ATTEST
	Signature []byte // RSASSA-PKCS1-v1_5 with SHA-256 over it
	PCRs      []byte // values of the quoted PCRs, 32 bytes each, by ascending index
}

// NestedResult is what VerifyNested found.
type NestedResult struct {
	SNP    evidence.Result // of the machine the TPM is in; its ReportData binds Claims
	Claims []byte          // the paravisor's statement, JSON
	Quote  *Attest         // the TPM's; Extra is what the caller bound
}

// VerifyNested checks the chain from AMD's root over the machine's report, whose
// data binds the paravisor's claims, to the key in them that signed the quote.
// The paravisor, not a maker of TPMs, vouches for the key; that the SNP report
// is of an approved paravisor is policy's. Errors are amd.Verify's and those of
// ParseHCL, ParseAttest and a quote.
func VerifyNested(n *Nested, src evidence.Source, at int64) (*NestedResult, error) {
	report, claims, ak, err := ParseHCL(n.HCL)
	if err != nil {
		return nil, err
	}
	snp, err := amd.Verify(&evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{n.Leaf}}, src, at)
	if err != nil {
		return nil, err
	}
	var bound [64]byte
	digest := sha256.Sum256(claims)
	copy(bound[:], digest[:])
	if snp.ReportData != bound {
		return nil, refuseAs(ErrHCL, wire.ErrEvidenceBinding, "the machine's report does not bind these claims")
	}
	signed := sha256.Sum256(n.Quoted)
	if err := rsa.VerifyPKCS1v15(ak, crypto.SHA256, signed[:], n.Signature); err != nil {
		return nil, refuse(ErrQuoteSig, "the virtual TPM's key did not sign this")
	}
	quote, err := ParseAttest(n.Quoted)
	if err != nil {
		return nil, err
	}
	if quote.Quote == nil {
		return nil, refuse(ErrQuoteMagic, "not a statement about PCRs")
	}
	values, err := readPCRs(n.PCRs, quote.Quote.Selection)
	if err != nil {
		return nil, err
	}
	p := &Parts{PCRs: values, Statement: quote}
	if err := p.digestHolds(); err != nil {
		return nil, err
	}
	return &NestedResult{SNP: snp, Claims: claims, Quote: quote}, nil
}
