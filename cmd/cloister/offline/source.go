package offline

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"cloister/evidence"
	"cloister/evidence/anchors"
	"cloister/evidence/intel"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

// Source is what evidence is judged by before anything is added: the real
// vendors' roots, and AMD's intermediates.
func Source() *evidence.Set {
	return &evidence.Set{Trusted: anchors.Real(), Items: anchors.AMDChains()}
}

// AddRoots trusts the certificates of a file, PEM or DER. Whose they are, and
// whether of simulated hardware, only their names tell. Errors carry
// ErrRootMalformed or ErrBadRequest.
func AddRoots(src *evidence.Set, b []byte) error {
	certs, err := x509.ParseCertificates(derOf(b))
	if err != nil || len(certs) == 0 {
		return wire.Faultf(wire.ErrRootMalformed, "there is no certificate in it, PEM or DER")
	}
	for _, c := range certs {
		if !isRoot(c) {
			return wire.Faultf(wire.ErrBadRequest, "%.64q is no root but collateral: another certificate signed it", c.Subject.CommonName)
		}
		a := evidence.Anchor{DER: c.Raw, Simulated: strings.HasPrefix(c.Subject.CommonName, "Simulated ")}
		_, line, isARK := strings.Cut(c.Subject.CommonName, "ARK-")
		switch _, elliptic := c.PublicKey.(*ecdsa.PublicKey); {
		case isARK:
			a.Vendor, a.Product = evidence.AMD, line
		case elliptic:
			a.Vendor = evidence.Intel
		default:
			return wire.Faultf(wire.ErrBadRequest, "%.64q is neither a root of Intel's form nor of AMD's", c.Subject.CommonName)
		}
		src.Trusted = append(src.Trusted, a)
	}
	return nil
}

func isRoot(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignatureFrom(c) == nil
}

// AddCollateral adds a file of collateral. Intel's bundle is taken as it is,
// since verifying evidence verifies it; anything else says only when it is
// verified, at a time in Unix seconds, what it is for. Of two items for one
// purpose the later counts. Errors carry ErrCollateralXxx or ErrUnknownAnchor.
func AddCollateral(src *evidence.Set, b []byte, at int64) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		items, err := intel.ParseBundle(b)
		if err != nil {
			return err
		}
		return intel.Fill(src, items)
	}
	items, err := looseItems(src, b)
	if err != nil {
		return err
	}
	for i := range items {
		key, _, err := verify.CheckItem(&items[i], src, at)
		if err != nil {
			return err
		}
		src.Add(key, items[i])
	}
	return nil
}

// looseItems reads collateral that is not a bundle: an item in this project's
// encoding, a revocation list, or AMD's certificates, in which a root may stand
// that is trusted already.
func looseItems(src *evidence.Set, b []byte) ([]evidence.Item, error) {
	if item, err := trust.DecodeItem(b); err == nil {
		return []evidence.Item{*item}, nil
	}
	der := derOf(b)
	if _, err := x509.ParseRevocationList(der); err == nil {
		return []evidence.Item{{Type: evidence.CRL, Body: der}}, nil
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "this is no bundle, certificate or revocation list")
	}
	var items []evidence.Item
	for _, c := range certs {
		switch {
		case !isRoot(c):
			items = append(items, evidence.Item{Type: evidence.AMDChain, Body: c.Raw})
		case !isTrusted(src, c.Raw):
			return nil, wire.Faultf(wire.ErrUnknownAnchor, "root %.64q is not trusted", c.Subject.CommonName)
		}
	}
	return items, nil
}

func isTrusted(src *evidence.Set, der []byte) bool {
	for i := range src.Trusted {
		if bytes.Equal(src.Trusted[i].DER, der) {
			return true
		}
	}
	return false
}

// derOf is the content of all PEM blocks in a file, or the file if it has none.
func derOf(b []byte) []byte {
	var der []byte
	block, rest := pem.Decode(b)
	for ; block != nil; block, rest = pem.Decode(rest) {
		der = append(der, block.Bytes...)
	}
	if der == nil {
		return b
	}
	return der
}
