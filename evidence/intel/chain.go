package intel

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"

	"cloister/evidence"
	"cloister/evidence/certificate"
	"cloister/wire"
)

// maxSerial is the longest serial number of a certificate in bytes (RFC 5280
// §4.1.2.2). A Level has room for two of them.
const maxSerial = 20

// maxChain is the longest chain there is: PCK certificate, its CA, the root.
const maxChain = 3

// faults are the codes of one sort of input: evidence or collateral.
type faults struct{ malformed, broken, notYet, expired wire.Code }

var (
	ofEvidence   = faults{wire.ErrEvidenceChain, wire.ErrEvidenceChain, wire.ErrEvidenceNotYet, wire.ErrEvidenceExpired}
	ofCollateral = faults{wire.ErrCollateralMalformed, wire.ErrCollateralSignature, wire.ErrCollateralNotYet, wire.ErrCollateralExpired}
)

// basis is what one judgement rests on. It remembers when the first thing that
// was relied on expires.
type basis struct {
	src   evidence.Source
	at    int64 // Unix seconds
	until int64 // Unix seconds

	passed []string
}

// pass notes a check that held, for Result.Passed.
func (b *basis) pass(check string) { b.passed = append(b.passed, check) }

const forever = 1<<63 - 1

// during checks that the time of judgement is in a window, both ends included.
func (b *basis) during(from, to int64, f faults, what string) error {
	switch {
	case b.at < from:
		return wire.Faultf(f.notYet, "%s is valid from %s, the time is %s", what, stamp(from), stamp(b.at))
	case b.at > to:
		return wire.Faultf(f.expired, "%s is valid until %s, the time is %s", what, stamp(to), stamp(b.at))
	}
	b.until = min(b.until, to)
	return nil
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// chain is a verified chain of certificates, leaf first.
type chain struct {
	certs  []*x509.Certificate
	anchor evidence.Anchor // its last
}

func (c *chain) leaf() *x509.Certificate { return c.certs[0] }
func (c *chain) root() *x509.Certificate { return c.certs[len(c.certs)-1] }

// openChain verifies that n certificates end in an anchor and sign each other
// in order. The last has to be the anchor byte for byte: comparing only its key
// would leave the rest of it open to change. Windows are checked by alive.
func (b *basis) openChain(der [][]byte, n int, f faults, what string) (*chain, error) {
	if len(der) != n {
		return nil, wire.Faultf(f.malformed, "%s: a chain of %d certificates, not %d", what, len(der), n)
	}
	c := &chain{certs: make([]*x509.Certificate, n)}
	found := false
	for _, a := range b.src.Anchors(evidence.Intel) {
		if bytes.Equal(a.DER, der[n-1]) {
			c.anchor, found = a, true
		}
	}
	if !found {
		id := sha256.Sum256(der[n-1])
		return nil, wire.Faultf(wire.ErrUnknownAnchor, "%s ends in root certificate %x", what, id)
	}
	for i, d := range der {
		cert, err := certificate.Parse(d)
		if err != nil {
			return nil, wire.Faultf(f.malformed, "%s: certificate %d: %v", what, i+1, err)
		}
		if s := cert.SerialNumber; s.Sign() <= 0 || len(s.Bytes()) > maxSerial {
			return nil, wire.Faultf(f.malformed, "%s: certificate %d has no serial number of 1 to %d bytes", what, i+1, maxSerial)
		}
		// Before any signature: a huge RSA key would make checking one costly.
		if _, err := keyOf(cert, f); err != nil {
			return nil, err
		}
		c.certs[i] = cert
	}
	return c, c.linked(f, what)
}

// linked checks the signatures with the rules of crypto/x509 (path length, key
// usage, critical extensions). Its time is the leaf's own: windows have error
// codes of their own here.
func (c *chain) linked(f faults, what string) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(c.root())
	for _, cert := range c.certs[1 : len(c.certs)-1] {
		between.AddCert(cert)
	}
	begun := c.lastStart()
	if begun.IsZero() { // which crypto/x509 takes as the order to read a clock
		return wire.Faultf(f.malformed, "%s: no certificate says when it begins", what)
	}
	paths, err := c.leaf().Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: begun,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return wire.Faultf(f.broken, "%s: %v", what, err)
	}
	for _, path := range paths {
		if len(path) == len(c.certs) {
			return nil
		}
	}
	return wire.Faultf(f.broken, "%s: the certificates do not sign each other in the order given", what)
}

// lastStart is the first moment at which every certificate has begun.
func (c *chain) lastStart() time.Time {
	t := c.certs[0].NotBefore
	for _, cert := range c.certs[1:] {
		if cert.NotBefore.After(t) {
			t = cert.NotBefore
		}
	}
	return t
}

// alive checks every certificate's window.
func (b *basis) alive(c *chain, f faults, what string) error {
	for _, cert := range c.certs {
		name := what + ": certificate " + cert.Subject.CommonName
		if err := b.during(cert.NotBefore.Unix(), cert.NotAfter.Unix(), f, name); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is a certificate's P-256 key.
func keyOf(cert *x509.Certificate, f faults) (*ecdsa.PublicKey, error) {
	k, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, wire.Faultf(f.malformed, "certificate %s has no P-256 key", cert.Subject.CommonName)
	}
	return k, nil
}

// signedBy checks a raw ECDSA signature r‖s over SHA-256 of a message.
func signedBy(key *ecdsa.PublicKey, message, sig []byte) bool {
	if len(sig) != SignatureSize {
		return false
	}
	h := sha256.Sum256(message)
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	return ecdsa.Verify(key, h[:], r, s)
}

// pointOf reads a raw public key x‖y and checks that it is on the curve.
func pointOf(raw [PublicKeySize]byte) (*ecdsa.PublicKey, error) {
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, raw[:]...))
}

// certificates reads PEM that is exactly what encoding/pem writes: no headers,
// no text around the blocks, 64 columns. There is one such form of a chain, so
// nothing in it can change unnoticed.
func certificates(text []byte) ([][]byte, bool) {
	var out [][]byte
	for len(text) > 0 {
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) != 0 || len(out) == maxChain {
			return nil, false
		}
		own := pem.EncodeToMemory(block)
		if !bytes.HasPrefix(text, own) {
			return nil, false
		}
		out, text = append(out, block.Bytes), text[len(own):]
	}
	return out, true
}

// chain reads the certification data: PEM, then nothing or one NUL.
func (c *Certification) chain() ([][]byte, error) {
	if c.Type != CertPCKChain {
		return nil, unsupported("certification data of type %d; only type %d has the PCK certificate chain", c.Type, CertPCKChain)
	}
	der, ok := certificates(bytes.TrimSuffix(c.Data, []byte{0}))
	if !ok {
		return nil, wire.Faultf(wire.ErrEvidenceChain, "the certificates are not in plain PEM")
	}
	return der, nil
}

// issuerID names an issuer of revocation lists: SHA-256 of its
// SubjectPublicKeyInfo.
func issuerID(cert *x509.Certificate) wire.Hash { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }
