package tpm

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"time"

	"cloister/evidence"
	"cloister/evidence/certificate"
	"cloister/wire"
)

// Bounds of an endorsement certificate chain.
const (
	MaxChain      = 4        // certificates
	MaxChainBytes = 16 << 10 // together
)

var (
	oidEKCertificate  = asn1.ObjectIdentifier{2, 23, 133, 8, 1}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidRSAOAEP        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 7}
)

// EK is an endorsed key: a TPM, as its maker's certificates name it.
type EK struct {
	SPKI        []byte      // DER SubjectPublicKeyInfo, encoded again from the key
	Device      wire.Hash   // evidence.DeviceID of it
	Certificate wire.Hash   // SHA-256 of the leaf certificate
	Keys        []wire.Hash // SHA-256 of each chain key's SubjectPublicKeyInfo, leaf first, for revocation lists
	Anchor      wire.Hash   // evidence.Anchor.ID of the root
	Simulated   bool        // the root's
	NotAfter    int64       // Unix seconds at which the first certificate expires
	Identity
}

// Identity is what the leaf certificate's alternative name says of the TPM.
type Identity struct{ Manufacturer, Model, Version string }

// ParseChain reads certificates, leaf first. Errors are ErrChainTooLong and
// ErrCertParse.
func ParseChain(der [][]byte) ([]*x509.Certificate, error) {
	total := 0
	for _, d := range der {
		total += len(d)
	}
	if len(der) > MaxChain || total > MaxChainBytes {
		return nil, refuse(ErrChainTooLong, "%d certificates of %d bytes, at most %d of %d are accepted", len(der), total, MaxChain, MaxChainBytes)
	}
	if len(der) == 0 {
		return nil, refuse(ErrCertParse, "no certificate")
	}
	chain := make([]*x509.Certificate, len(der))
	for i, d := range der {
		c, err := certificate.Parse(d)
		if err != nil {
			return nil, refuse(ErrCertParse, "certificate %d: %v", i, err)
		}
		chain[i] = c
	}
	return chain, nil
}

// VerifyEK checks that a maker endorsed a key: chain, leaf first, without or
// with the root itself, leads to one of the anchors at a time (Unix seconds)
// through all submitted certificates in their order, and no other; nothing is
// fetched. The leaf is an endorsement certificate by TCG's profile for an
// RSA-2048 key. Which keys are revoked is the caller's, by EK.Keys.
// Errors: ErrChainTooLong, ErrCertParse, ErrChainInvalid (code
// wire.ErrEvidenceNotYet or wire.ErrEvidenceExpired outside of a certificate's
// window), ErrEKProfile, ErrEKClass.
func VerifyEK(chain [][]byte, anchors []evidence.Anchor, at int64) (EK, error) {
	certs, err := ParseChain(chain)
	if err != nil {
		return EK{}, err
	}
	leaf := certs[0]
	leaf.UnhandledCriticalExtensions = withoutSAN(leaf.UnhandledCriticalExtensions)
	ek := EK{Certificate: sha256.Sum256(leaf.Raw)}
	if err := ek.anchor(certs, anchors, at); err != nil {
		return EK{}, err
	}
	if ek.Identity, err = checkProfile(leaf); err != nil {
		return EK{}, err
	}
	key, err := endorsedKey(leaf)
	if err != nil {
		return EK{}, err
	}
	if ek.SPKI, err = x509.MarshalPKIXPublicKey(key); err != nil {
		return EK{}, refuse(ErrEKClass, "endorsement key: %v", err)
	}
	ek.Device = evidence.DeviceID(evidence.TPMMaker, ek.SPKI)
	ek.Keys = append(ek.Keys, sha256.Sum256(ek.SPKI))
	for _, c := range certs {
		if h := sha256.Sum256(c.RawSubjectPublicKeyInfo); h != ek.Keys[0] {
			ek.Keys = append(ek.Keys, h)
		}
	}
	return ek, nil
}

// withoutSAN drops the alternative name, which Go does not handle when all it
// has is a directory name: checkProfile does.
func withoutSAN(oids []asn1.ObjectIdentifier) (rest []asn1.ObjectIdentifier) {
	for _, o := range oids {
		if !o.Equal(oidSubjectAltName) {
			rest = append(rest, o)
		}
	}
	return rest
}

// anchor verifies the chain and notes where it ends.
func (ek *EK) anchor(certs []*x509.Certificate, anchors []evidence.Anchor, at int64) error {
	ek.NotAfter = certs[0].NotAfter.Unix()
	for _, c := range certs {
		if err := inWindow(c, at); err != nil {
			return err
		}
		ek.NotAfter = min(ek.NotAfter, c.NotAfter.Unix())
	}
	var refused error // by a root of that name and key; another may be its renewal
	for _, a := range anchors {
		root, err := x509.ParseCertificate(a.DER)
		if a.Vendor != evidence.TPMMaker || err != nil || !endsIn(certs, root) {
			continue
		}
		if err := leadsTo(certs, root, at); err != nil {
			refused = cmp.Or(refused, err)
			continue
		}
		ek.Anchor, ek.Simulated = a.ID(), a.Simulated
		ek.NotAfter = min(ek.NotAfter, root.NotAfter.Unix())
		return nil
	}
	if refused != nil {
		return refused
	}
	return refuseAs(ErrChainInvalid, wire.ErrUnknownAnchor, "the chain ends in %.64q, which is no trusted root", certs[len(certs)-1].Issuer.CommonName)
}

// endsIn reports whether a root is the one, by name and key, that issued the
// last certificate, or is that certificate.
func endsIn(certs []*x509.Certificate, root *x509.Certificate) bool {
	last := certs[len(certs)-1]
	return bytes.Equal(last.Raw, root.Raw) || bytes.Equal(last.RawIssuer, root.RawSubject) && last.CheckSignatureFrom(root) == nil
}

// leadsTo checks that the certificates, in this order and all of them, are a
// path to the root.
func leadsTo(certs []*x509.Certificate, root *x509.Certificate, at int64) error {
	if n := len(certs) - 1; n > 0 && bytes.Equal(certs[n].Raw, root.Raw) {
		certs = certs[:n]
	}
	if err := inWindow(root, at); err != nil {
		return err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	paths, err := certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: time.Unix(at, 0), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return refuse(ErrChainInvalid, "%v", err)
	}
	want := append(append([]*x509.Certificate{}, certs...), root)
	for _, path := range paths {
		if samePath(path, want) {
			return nil
		}
	}
	return refuse(ErrChainInvalid, "the certificates are not, in their order, the path to the root")
}

func samePath(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

func inWindow(c *x509.Certificate, at int64) error {
	switch {
	case at < c.NotBefore.Unix():
		return refuseAs(ErrChainInvalid, wire.ErrEvidenceNotYet, "certificate %.64q is valid from %s", c.Subject.CommonName, c.NotBefore.UTC().Format(time.RFC3339))
	case at > c.NotAfter.Unix():
		return refuseAs(ErrChainInvalid, wire.ErrEvidenceExpired, "certificate %.64q was valid until %s", c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// endorsedKey is the leaf's key. Some older certificates call it an RSA-OAEP
// key, which Go does not decode; the key inside is an ordinary one.
func endorsedKey(leaf *x509.Certificate) (*rsa.PublicKey, error) {
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		var spki struct {
			Algorithm struct {
				ID   asn1.ObjectIdentifier
				Rest asn1.RawValue `asn1:"optional"`
			}
			Key asn1.BitString
		}
		rest, err := asn1.Unmarshal(leaf.RawSubjectPublicKeyInfo, &spki)
		if err != nil || len(rest) != 0 || !spki.Algorithm.ID.Equal(oidRSAOAEP) {
			return nil, refuse(ErrEKClass, "an endorsement key is RSA-2048, got %T", leaf.PublicKey)
		}
		if key, err = x509.ParsePKCS1PublicKey(spki.Key.RightAlign()); err != nil {
			return nil, refuse(ErrEKClass, "endorsement key: %v", err)
		}
	}
	return key, checkEKClass(key)
}
