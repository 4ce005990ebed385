package intel

import (
	"bytes"
	"crypto/x509"
	"math/big"

	"cloister/evidence"
	"cloister/evidence/certificate"
	"cloister/wire"
)

// revocations is a revocation list whose signature was verified.
type revocations struct {
	list   *x509.RevocationList
	issuer *x509.Certificate
	anchor evidence.Anchor
	chain  *chain // of the issuer; nil if that is the anchor
}

func crlKey(issuer wire.Hash) evidence.Key {
	return evidence.Key{Type: evidence.CRL, Name: issuer.String()}
}

// lists reports whether a certificate with this serial number is revoked. An
// entry counts whatever its date and reason.
func (r *revocations) lists(serial *big.Int) bool {
	for i := range r.list.RevokedCertificateEntries {
		if r.list.RevokedCertificateEntries[i].SerialNumber.Cmp(serial) == 0 {
			return true
		}
	}
	return false
}

// window is the time the list is for, in Unix seconds.
func (r *revocations) window() (from, to int64) {
	return r.list.ThisUpdate.Unix(), r.list.NextUpdate.Unix()
}

// openCRL verifies a list's form and signature, not its window. Lists of an
// anchor itself have no chain or only the anchor, those of a PCK CA have the
// CA and the anchor.
func (b *basis) openCRL(item *evidence.Item) (*revocations, error) {
	list, err := parseCRL(item)
	if err != nil {
		return nil, err
	}
	r := &revocations{list: list}
	if len(item.Chain) < 2 {
		return r, b.ofAnchor(r, item)
	}
	if r.chain, err = b.openChain(item.Chain, 2, ofCollateral, "revocation list"); err != nil {
		return nil, err
	}
	r.issuer, r.anchor = r.chain.leaf(), r.chain.anchor
	return r, r.signed()
}

// ofAnchor finds the anchor that signed a list.
func (b *basis) ofAnchor(r *revocations, item *evidence.Item) error {
	for _, a := range b.src.Anchors(evidence.Intel) {
		if len(item.Chain) == 1 && !bytes.Equal(item.Chain[0], a.DER) {
			continue
		}
		cert, err := x509.ParseCertificate(a.DER)
		if err != nil {
			return wire.Faultf(wire.ErrUnknownAnchor, "anchor %s is not a certificate: %v", a.ID(), err)
		}
		r.issuer, r.anchor = cert, a
		if r.signed() == nil {
			return nil
		}
	}
	if r.issuer == nil {
		return wire.Faultf(wire.ErrUnknownAnchor, "revocation list of a root that is not trusted")
	}
	return r.signed()
}

func (r *revocations) signed() error {
	if !bytes.Equal(r.list.RawIssuer, r.issuer.RawSubject) {
		return wire.Faultf(wire.ErrCollateralSignature, "revocation list names another issuer than %s", r.issuer.Subject.CommonName)
	}
	if err := r.list.CheckSignatureFrom(r.issuer); err != nil {
		return wire.Faultf(wire.ErrCollateralSignature, "revocation list of %s: %v", r.issuer.Subject.CommonName, err)
	}
	return nil
}

func parseCRL(item *evidence.Item) (*x509.RevocationList, error) {
	if len(item.Signature) != 0 {
		return nil, badItem("revocation list: a separate signature")
	}
	list, err := certificate.ParseList(item.Body)
	if err != nil {
		return nil, badItem("revocation list: %v", err)
	}
	return list, nil
}

func badItem(format string, args ...any) error {
	return wire.Faultf(wire.ErrCollateralMalformed, format, args...)
}
