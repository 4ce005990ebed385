package intel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"

	"cloister/evidence"
	"cloister/wire"
)

// Checks in the order Verify makes them: what Result.Passed lists.
const (
	PassedFormat     = "format"                  // parsed, nothing left over
	PassedChain      = "certificate-chain"       // PCK certificate up to an anchor
	PassedValidity   = "certificate-validity"    // each certificate's window
	PassedQEReport   = "qe-report-signature"     // by the PCK key
	PassedBinding    = "attestation-key-binding" // attestation key in the QE report
	PassedQuote      = "quote-signature"         // by the attestation key
	PassedRevocation = "revocation"              // both lists in force, no certificate on them
	PassedTCBInfo    = "tcb-info"                // signed, in force, of this platform
	PassedQEIdentity = "qe-identity"             // signed, in force
	PassedQE         = "quoting-enclave"         // is the one described
	PassedModule     = "tdx-module"              // TDX: is of the maker listed
	PassedTCBLevel   = "tcb-level"               // a level was found and is not revoked
)

// pckChain is what errors call the certificates of a quote.
const pckChain = "PCK certificate chain"

// Verify judges a quote under the collateral of src at a time in Unix seconds.
// The result has facts and the vendor's status; NotSupported and Revoked are
// statuses too, as debug mode is a fact. A certificate on a revocation list is
// an error. Result.Passed is set beside an error as well.
//
// Errors: ErrEvidenceMalformed, ErrEvidenceUnsupported, ErrUnknownAnchor,
// ErrEvidenceChain, ErrEvidenceNotYet, ErrEvidenceExpired,
// ErrEvidenceSignature, ErrEvidenceBinding, ErrEvidenceRevoked;
// ErrCollateralMissing and the other codes of collateral, which must be in
// force at the same time. TEE specification §2.6.
func Verify(e *evidence.Evidence, src evidence.Source, at int64) (evidence.Result, error) {
	b := &basis{src: src, at: at, until: forever}
	r, err := b.verify(e)
	if err != nil {
		return evidence.Result{Passed: b.passed}, err
	}
	r.Passed, r.NotAfter = b.passed, b.until
	return *r, nil
}

func (b *basis) verify(e *evidence.Evidence) (*evidence.Result, error) {
	q, err := b.open(e)
	if err != nil {
		return nil, err
	}
	certs, pck, err := b.endorsed(q)
	if err != nil {
		return nil, err
	}
	if err := b.bound(q, certs); err != nil {
		return nil, err
	}
	t := tupleOf(q, pck, certs)
	h, err := b.gather(q.Kind, t, &certs.anchor)
	if err != nil {
		return nil, err
	}
	if err := b.known(q, h); err != nil {
		return nil, err
	}
	s := stand(q.Kind, t, h.tcb, h.qe)
	if s.status != evidence.NotSupported && s.status != evidence.Revoked {
		b.pass(PassedTCBLevel)
	}
	return &evidence.Result{
		Measurement: measure(q, pck),
		Status:      s.status,
		Advisories:  s.advisories,
		ReportData:  q.ReportData(),
		Anchor:      certs.anchor.ID(),
		Simulated:   certs.anchor.Simulated,
		Product:     hex.EncodeToString(pck.FMSPC[:]),
		Signed:      sha256.Sum256(q.Signed),
		Level:       wire.Marshal(t),
		TCBNumber:   min(h.tcb.Number, h.qe.Number),
	}, nil
}

// open parses the evidence; it is the quote and nothing else.
func (b *basis) open(e *evidence.Evidence) (*Quote, error) {
	if e.Kind.Vendor() != evidence.Intel {
		return nil, unsupported("%s is not Intel's", e.Kind)
	}
	if len(e.Aux) != 0 {
		return nil, malformed("%d further parts, a quote has none", len(e.Aux))
	}
	q, err := ParseQuote(e.Quote)
	switch {
	case err != nil:
		return nil, err
	case q.Kind != e.Kind:
		return nil, malformed("it is of %s, the evidence says %s", q.Kind, e.Kind)
	}
	b.pass(PassedFormat)
	return q, nil
}

// endorsed verifies the PCK certificate and reads which platform it is of.
func (b *basis) endorsed(q *Quote) (*chain, *PCK, error) {
	der, err := q.chain()
	if err != nil {
		return nil, nil, err
	}
	c, err := b.openChain(der, 3, ofEvidence, pckChain)
	if err != nil {
		return nil, nil, err
	}
	pck, err := ParsePCK(c.leaf())
	if err != nil {
		return nil, nil, err
	}
	b.pass(PassedChain)
	if err := b.alive(c, ofEvidence, pckChain); err != nil {
		return nil, nil, err
	}
	b.pass(PassedValidity)
	return c, pck, nil
}

// bound verifies the way from the PCK key to the signed bytes: PCK key, QE
// report, attestation key, quote.
func (b *basis) bound(q *Quote, c *chain) error {
	key, err := keyOf(c.leaf(), ofEvidence)
	if err != nil {
		return err
	}
	if !signedBy(key, q.QEReportRaw, q.QESignature[:]) {
		return wire.Faultf(wire.ErrEvidenceSignature, "the PCK key did not sign the QE report")
	}
	b.pass(PassedQEReport)
	own := sha256.Sum256(slices.Concat(q.AttestationKey[:], q.AuthData))
	if got := q.QEReport.ReportData; !bytes.Equal(got[:], append(own[:], make([]byte, 32)...)) {
		return wire.Faultf(wire.ErrEvidenceBinding, "the QE report does not have the attestation key")
	}
	b.pass(PassedBinding)
	point, err := pointOf(q.AttestationKey)
	if err != nil {
		return wire.Faultf(wire.ErrEvidenceSignature, "the attestation key is not on the curve")
	}
	if !signedBy(point, q.Signed, q.Signature[:]) {
		return wire.Faultf(wire.ErrEvidenceSignature, "the attestation key did not sign the quote")
	}
	b.pass(PassedQuote)
	return nil
}

// known checks quoting enclave and TDX module against their descriptions.
func (b *basis) known(q *Quote, h *held) error {
	if err := h.qe.describes(&q.QEReport); err != nil {
		return err
	}
	b.pass(PassedQE)
	if q.TD == nil {
		return nil
	}
	if err := h.tcb.made(q.TD); err != nil {
		return err
	}
	b.pass(PassedModule)
	return nil
}

// revoked checks that neither the PCK certificate nor its CA's is on a list.
func (t *tuple) revoked(ca, root *revocations) error {
	serial, above := new(big.Int).SetBytes(t.Serial), new(big.Int).SetBytes(t.IssuerSerial)
	switch {
	case root.lists(above):
		return wire.Faultf(wire.ErrEvidenceRevoked, "the PCK CA's certificate %x is revoked", t.IssuerSerial)
	case ca.lists(serial):
		return wire.Faultf(wire.ErrEvidenceRevoked, "the PCK certificate %x is revoked", t.Serial)
	}
	return nil
}

func tupleOf(q *Quote, pck *PCK, c *chain) *tuple {
	t := &tuple{
		FMSPC: pck.FMSPC, PCEID: pck.PCEID, Components: pck.Components, PCESVN: pck.PCESVN,
		QESVN:        q.QEReport.ISVSVN,
		Issuer:       issuerID(c.certs[1]),
		Serial:       c.leaf().SerialNumber.Bytes(),
		IssuerSerial: c.certs[1].SerialNumber.Bytes(),
	}
	if q.TD != nil {
		t.TEETCBSVN = q.TD.TEETCBSVN
	}
	return t
}

// measure says which code ran on which device.
func measure(q *Quote, pck *PCK) evidence.Measurement {
	m := evidence.Measurement{Kind: q.Kind, Code: q.CodeID(), Device: evidence.DeviceID(evidence.Intel, pck.PPID[:])}
	if q.TD != nil {
		m.Debug = q.TD.Debug()
		return m
	}
	m.Signer, m.ProdID, m.SVN, m.Debug = q.SGX.MRSIGNER, q.SGX.ISVProdID, q.SGX.ISVSVN, q.SGX.Debug()
	return m
}

// CodeID names the code of a quote; see evidence.CodeID for the fields.
func (q *Quote) CodeID() wire.Hash {
	if r := q.TD; r != nil {
		return evidence.CodeID(evidence.TDX, r.MRTD[:], r.RTMR[0][:], r.RTMR[1][:], r.RTMR[2][:], r.RTMR[3][:],
			r.MRConfigID[:], r.XFAM[:], r.TDAttributes[:])
	}
	return evidence.CodeID(evidence.SGX, q.SGX.MRENCLAVE[:])
}
