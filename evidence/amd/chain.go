package amd

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"cloister/evidence"
	"cloister/evidence/certificate"
	"cloister/wire"
)

// endorser is the pair of certificates above a leaf.
type endorser struct {
	ask    *x509.Certificate // ASK or ASVK
	ark    *x509.Certificate
	anchor evidence.Anchor
}

// roleName is the second part of a collateral name.
func roleName(vlek bool) string {
	if vlek {
		return "vlek"
	}
	return "vcek"
}

// endorserOf looks up who endorses leaves of a product and checks that the
// intermediate is a trusted root's. Times are the caller's to check.
func endorserOf(product string, vlek bool, src evidence.Source, at int64) (*endorser, error) {
	key := evidence.Key{Type: evidence.AMDChain, Name: product + "/" + roleName(vlek)}
	if len(anchorsOf(product, src)) == 0 {
		return nil, wire.Faultf(wire.ErrUnknownAnchor, "no root of product %s is trusted", product)
	}
	item, ok := src.Item(key)
	if !ok {
		return nil, wire.Faultf(wire.ErrCollateralMissing, "%s", key)
	}
	e, gotVLEK, err := checkIntermediate(item, anchorsOf(product, src), at)
	if err != nil {
		return nil, err
	}
	if gotVLEK != vlek || e.anchor.Product != product {
		return nil, wire.Faultf(wire.ErrCollateralMismatch, "the item under %s is of %s/%s", key, e.anchor.Product, roleName(gotVLEK))
	}
	return e, nil
}

// anchorsOf lists the trusted roots of a product, of every product for "".
func anchorsOf(product string, src evidence.Source) (out []evidence.Anchor) {
	for _, a := range src.Anchors(evidence.AMD) {
		if product == "" || a.Product == product {
			out = append(out, a)
		}
	}
	return out
}

// checkIntermediate finds the root that signed an ASK or ASVK and says which of
// the two it is. The common name decides: it ends in SEV-<product> or
// SEV-VLEK-<product>.
func checkIntermediate(item evidence.Item, anchors []evidence.Anchor, at int64) (*endorser, bool, error) {
	if len(item.Chain) != 0 || len(item.Signature) != 0 {
		return nil, false, wire.Faultf(wire.ErrCollateralMalformed, "an AMD intermediate comes alone: its issuer is a root")
	}
	ask, err := parseCertificate(item.Body)
	if err != nil {
		return nil, false, wire.Faultf(wire.ErrCollateralMalformed, "AMD intermediate: %v", err)
	}
	e, err := issuedBy(ask, anchors, at)
	if err != nil {
		return nil, false, err
	}
	switch name := ask.Subject.CommonName; {
	case strings.HasSuffix(name, "SEV-VLEK-"+e.anchor.Product):
		return e, true, nil
	case strings.HasSuffix(name, "SEV-"+e.anchor.Product):
		return e, false, nil
	}
	return nil, false, wire.Faultf(wire.ErrCollateralMismatch, "%.64q is no intermediate of product %s", ask.Subject.CommonName, e.anchor.Product)
}

// issuedBy finds the anchor under which ask is valid at a time.
func issuedBy(ask *x509.Certificate, anchors []evidence.Anchor, at int64) (*endorser, error) {
	named := false
	for _, a := range anchors {
		ark, err := parseCertificate(a.DER)
		if err != nil || !bytes.Equal(ark.RawSubject, ask.RawIssuer) {
			continue
		}
		named = true
		if ask.CheckSignatureFrom(ark) != nil {
			continue
		}
		if !ask.IsCA {
			return nil, wire.Faultf(wire.ErrCollateralMalformed, "AMD intermediate is not a certificate authority's")
		}
		for _, c := range []*x509.Certificate{ask, ark} {
			if err := validAt(c, at, wire.ErrCollateralNotYet, wire.ErrCollateralExpired); err != nil {
				return nil, err
			}
		}
		return &endorser{ask: ask, ark: ark, anchor: a}, nil
	}
	if named {
		return nil, wire.Faultf(wire.ErrCollateralSignature, "AMD intermediate %.64q is not signed by the root it names", ask.Subject.CommonName)
	}
	return nil, wire.Faultf(wire.ErrUnknownAnchor, "AMD intermediate %.64q is of no trusted root", ask.Subject.CommonName)
}

// verifyLeaf checks that the endorser signed the leaf, with every rule of
// crypto/x509, and that the leaf is valid.
func (e *endorser) verifyLeaf(l *leaf, at int64) error {
	if err := validAt(l.cert, at, wire.ErrEvidenceNotYet, wire.ErrEvidenceExpired); err != nil {
		return err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(e.ark)
	between.AddCert(e.ask)
	_, err := l.cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: time.Unix(at, 0), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return wire.Faultf(wire.ErrEvidenceChain, "AMD leaf certificate: %v", err)
	}
	return nil
}

// validAt checks a certificate's window, both ends inclusive.
func validAt(c *x509.Certificate, at int64, early, late wire.Code) error {
	switch {
	case at < c.NotBefore.Unix():
		return wire.Faultf(early, "certificate %.64q is valid from %s", c.Subject.CommonName, c.NotBefore.UTC().Format(time.RFC3339))
	case at > c.NotAfter.Unix():
		return wire.Faultf(late, "certificate %.64q was valid until %s", c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// crlKey names the revocation list of an issuer.
func crlKey(issuer *x509.Certificate) evidence.Key {
	spki := sha256.Sum256(issuer.RawSubjectPublicKeyInfo)
	return evidence.Key{Type: evidence.CRL, Name: hex.EncodeToString(spki[:])}
}

// revocations is a root's list, if the source has one. A list that has expired
// still revokes what it lists, and refuses everything else.
func revocations(ark *x509.Certificate, src evidence.Source, at int64) (*x509.RevocationList, error) {
	item, ok := src.Item(crlKey(ark))
	if !ok {
		return nil, nil
	}
	list, err := parseCRL(item)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(list.RawIssuer, ark.RawSubject) || list.CheckSignatureFrom(ark) != nil {
		return nil, wire.Faultf(wire.ErrCollateralSignature, "revocation list is not signed by %.64q", ark.Subject.CommonName)
	}
	if at < list.ThisUpdate.Unix() {
		return nil, wire.Faultf(wire.ErrCollateralNotYet, "revocation list is of %s", list.ThisUpdate.UTC().Format(time.RFC3339))
	}
	return list, nil
}

// parseCRL reads a revocation list of a root.
func parseCRL(item evidence.Item) (*x509.RevocationList, error) {
	if len(item.Chain) != 0 || len(item.Signature) != 0 {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "an AMD revocation list comes alone: its issuer is a root")
	}
	if len(item.Body) > evidence.MaxItemBody {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "revocation list of %d bytes", len(item.Body))
	}
	list, err := certificate.ParseList(item.Body)
	if err != nil {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "revocation list: %v", err)
	}
	return list, nil
}

// lists reports whether a serial number is on a list.
func lists(list *x509.RevocationList, serial []byte) bool {
	for _, r := range list.RevokedCertificateEntries {
		if bytes.Equal(r.SerialNumber.Bytes(), serial) {
			return true
		}
	}
	return false
}

// expired is the error for a list whose next update is overdue.
func expired(list *x509.RevocationList, at int64) error {
	if at > list.NextUpdate.Unix() {
		return wire.Faultf(wire.ErrCollateralExpired, "revocation list was due to be renewed at %s", list.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}
