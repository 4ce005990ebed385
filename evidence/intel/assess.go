package intel

import (
	"cloister/evidence"
	"cloister/wire"
)

// tuple is what a platform's status depends on besides collateral: the content
// of Result.Level. Serials are at most maxSerial bytes, so that it encodes to
// at most 127 (TEE specification §5).
type tuple struct {
	_            struct{} `cbor:",toarray"`
	FMSPC        [6]byte
	PCEID        [2]byte
	Components   [16]byte
	PCESVN       uint16
	QESVN        uint16
	TEETCBSVN    [16]byte  // SGX: zero
	Issuer       wire.Hash // of the PCK certificate: names its revocation list
	Serial       []byte    // of the PCK certificate
	IssuerSerial []byte    // of the PCK CA's certificate
}

// decodeLevel reads a Level strictly.
func decodeLevel(level []byte) (*tuple, error) {
	t := new(tuple)
	if err := wire.Unmarshal(level, t, evidence.MaxLevel); err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "security level: %v", err)
	}
	if len(t.Serial) > maxSerial || len(t.IssuerSerial) > maxSerial {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "security level: a serial number of more than %d bytes", maxSerial)
	}
	return t, nil
}

// held is the collateral a tuple is judged by, verified and in force.
type held struct {
	anchor evidence.Anchor
	tcb    *tcbInfo
	qe     *qeIdentity
}

// Assess judges a stored Result.Level again under the collateral now in force,
// at a time in Unix seconds; advisories are ascending, each once. A platform on
// a revocation list has status Revoked. Who made the quoting enclave and the
// TDX module, and the certificates' own windows, are Verify's to judge.
//
// Errors say that no judgement is possible: ErrEvidenceMalformed for a level
// that Verify did not make, otherwise those of collateral.
func Assess(kind evidence.Kind, level []byte, src evidence.Source, at int64) (status evidence.Status, advisories []string, err error) {
	if kind.Vendor() != evidence.Intel {
		return 0, nil, wire.Faultf(wire.ErrEvidenceUnsupported, "%s is not Intel's", kind)
	}
	t, err := decodeLevel(level)
	if err != nil {
		return 0, nil, err
	}
	b := &basis{src: src, at: at, until: forever}
	h, err := b.gather(kind, t, nil)
	switch {
	case wire.CodeOf(err) == wire.ErrEvidenceRevoked:
		return evidence.Revoked, nil, nil
	case err != nil:
		return 0, nil, err
	}
	s := stand(kind, t, h.tcb, h.qe)
	return s.status, s.advisories, nil
}

// gather takes from the source what a tuple is judged by and verifies it: both
// revocation lists, TCB info, QE identity, all under one anchor, which has to
// be the evidence's if that is given.
func (b *basis) gather(kind evidence.Kind, t *tuple, anchor *evidence.Anchor) (*held, error) {
	ca, root, err := b.lists(t)
	if err != nil {
		return nil, err
	}
	h := &held{anchor: ca.anchor}
	if anchor != nil {
		h.anchor = *anchor
	}
	if err := h.same(ca.anchor, "revocation list"); err != nil {
		return nil, err
	}
	if err := t.revoked(ca, root); err != nil {
		return nil, err
	}
	if err := stands(ca.chain, root); err != nil {
		return nil, err
	}
	b.pass(PassedRevocation)

	tcb, err := current(b, h, root, tcbInfoKey(kind, t.FMSPC[:]), parseTCBInfo, func(t *tcbInfo) *envelope { return &t.envelope })
	if err != nil {
		return nil, err
	}
	if err := tcb.fits(kind, t); err != nil {
		return nil, err
	}
	b.pass(PassedTCBInfo)

	qe, err := current(b, h, root, qeIdentityKey(kind), parseQEIdentity, func(q *qeIdentity) *envelope { return &q.envelope })
	if err != nil {
		return nil, err
	}
	if qe.ID != qeIdentityIDs[kind] {
		return nil, wire.Faultf(wire.ErrCollateralMismatch, "QE identity %s does not fit %s", qe.ID, kind)
	}
	b.pass(PassedQEIdentity)
	h.tcb, h.qe = tcb, qe
	return h, nil
}

// same checks that collateral ends in the anchor everything else ends in.
func (h *held) same(a evidence.Anchor, what string) error {
	if a.ID() != h.anchor.ID() {
		return wire.Faultf(wire.ErrCollateralMismatch, "%s ends in root %s, the evidence in %s", what, a.ID(), h.anchor.ID())
	}
	return nil
}

// lists opens the revocation lists of the PCK CA and of the root above it.
func (b *basis) lists(t *tuple) (ca, root *revocations, err error) {
	if ca, err = b.listOf(t.Issuer); err != nil {
		return nil, nil, err
	}
	if ca.chain == nil {
		return nil, nil, wire.Faultf(wire.ErrCollateralMismatch, "revocation list of a root where a PCK CA's belongs")
	}
	if root, err = b.listOf(issuerID(ca.chain.root())); err != nil {
		return nil, nil, err
	}
	if root.chain != nil {
		return nil, nil, wire.Faultf(wire.ErrCollateralMismatch, "revocation list of a PCK CA where a root's belongs")
	}
	return ca, root, nil
}

// listOf opens the revocation list of an issuer.
func (b *basis) listOf(issuer wire.Hash) (*revocations, error) {
	item, err := b.inForce(crlKey(issuer))
	if err != nil {
		return nil, err
	}
	r, err := b.openCRL(item)
	switch {
	case err != nil:
		return nil, err
	case issuerID(r.issuer) != issuer:
		return nil, wire.Faultf(wire.ErrCollateralMismatch, "revocation list of issuer %s under the name of %s", issuerID(r.issuer), issuer)
	}
	return r, b.currentCRL(r)
}

// current takes a document from the source and verifies it against an anchor
// and the root's revocation list.
func current[T any](b *basis, h *held, root *revocations, key evidence.Key, parse func([]byte) (*T, error), head func(*T) *envelope) (*T, error) {
	item, err := b.inForce(key)
	if err != nil {
		return nil, err
	}
	d, err := openDocument(b, item, parse)
	if err != nil {
		return nil, err
	}
	if err := h.same(d.signer.anchor, key.String()); err != nil {
		return nil, err
	}
	if err := stands(d.signer, root); err != nil {
		return nil, err
	}
	return d.content, b.current(head(d.content), d.signer, key.String())
}
