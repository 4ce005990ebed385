package simtee

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

// Validity of every certificate. Fixed, so that a test network may run at any
// block time.
var (
	notBefore = time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
)

// pair is a key and its certificate.
type pair struct {
	Key  []byte // PKCS #8
	Cert []byte // DER
}

// signer parses the key.
func (p pair) signer() (crypto.Signer, error) {
	k, err := x509.ParsePKCS8PrivateKey(p.Key)
	if err != nil {
		return nil, fmt.Errorf("simtee: key: %w", err)
	}
	s, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("simtee: a %T does not sign", k)
	}
	return s, nil
}

func (p pair) ecdsa() (*ecdsa.PrivateKey, error) {
	s, err := p.signer()
	if err != nil {
		return nil, err
	}
	k, ok := s.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("simtee: %T where an ECDSA key belongs", s)
	}
	return k, nil
}

func (p pair) certificate() (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("simtee: certificate: %w", err)
	}
	return c, nil
}

func newECDSA(c elliptic.Curve) (crypto.Signer, error) { return ecdsa.GenerateKey(c, rand.Reader) }

func newRSA(bits int) (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, bits) }

// cert says what a certificate is for.
type cert struct {
	name       string // subject CN, after "Simulated "
	ca         bool
	pathLen    int
	usage      x509.KeyUsage
	extensions []pkix.Extension
	change     func(*x509.Certificate)
}

// issue makes a key's certificate, signed by issuer, or by itself if issuer is
// nil. RSA issuers sign with PSS, as AMD does, unless change says otherwise.
func issue(key crypto.Signer, issuer *pair, c cert) (p pair, err error) {
	serial := make([]byte, 16)
	if _, err := rand.Read(serial); err != nil {
		return p, fmt.Errorf("simtee: %w", err)
	}
	serial[0] = serial[0]&0x7f | 0x01 // positive, and always of one length
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: "Simulated " + c.name, Organization: []string{"Cloister test network"}},
		NotBefore:    notBefore, NotAfter: notAfter,
		KeyUsage: c.usage, IsCA: c.ca, BasicConstraintsValid: true, MaxPathLen: c.pathLen, MaxPathLenZero: c.ca && c.pathLen == 0,
		ExtraExtensions: c.extensions,
	}
	parent, by := t, key
	if issuer != nil {
		if parent, err = issuer.certificate(); err != nil {
			return p, err
		}
		if by, err = issuer.signer(); err != nil {
			return p, err
		}
	}
	if _, isRSA := by.(*rsa.PrivateKey); isRSA {
		t.SignatureAlgorithm = x509.SHA384WithRSAPSS
	}
	if c.change != nil {
		c.change(t)
	}
	if p.Cert, err = x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by); err != nil {
		return p, fmt.Errorf("simtee: %s: %w", c.name, err)
	}
	if p.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return p, fmt.Errorf("simtee: %s: %w", c.name, err)
	}
	return p, nil
}

// revokedList signs issuer's CRL of the given serial numbers (hex), in order.
func revokedList(issuer pair, serials []string, number uint64, now time.Time) ([]byte, error) {
	parent, err := issuer.certificate()
	if err != nil {
		return nil, err
	}
	by, err := issuer.signer()
	if err != nil {
		return nil, err
	}
	t := &x509.RevocationList{
		Number: new(big.Int).SetUint64(number), ThisUpdate: now.UTC().Truncate(time.Second), NextUpdate: now.UTC().Truncate(time.Second).Add(fresh),
	}
	if _, isRSA := by.(*rsa.PrivateKey); isRSA {
		t.SignatureAlgorithm = parent.SignatureAlgorithm
	}
	for _, s := range serials {
		n, ok := new(big.Int).SetString(s, 16)
		if !ok {
			return nil, fmt.Errorf("simtee: serial %q", s)
		}
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: notBefore})
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, parent, by)
	if err != nil {
		return nil, fmt.Errorf("simtee: CRL: %w", err)
	}
	return der, nil
}

// issuerName is the collateral name of an issuer's CRL.
func issuerName(c *x509.Certificate) string {
	h := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(h[:])
}

// rawSignature is r‖s of an ECDSA signature over a digest, each of size bytes.
func rawSignature(k *ecdsa.PrivateKey, digest []byte, size int) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k, digest)
	if err != nil {
		return nil, fmt.Errorf("simtee: signing: %w", err)
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}

// rawPoint is x‖y of a P-256 key.
func rawPoint(k *ecdsa.PublicKey) ([]byte, error) {
	p, err := k.Bytes()
	if err != nil {
		return nil, fmt.Errorf("simtee: %w", err)
	}
	return p[1:], nil // without the byte that says uncompressed
}
