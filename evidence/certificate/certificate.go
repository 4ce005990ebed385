package certificate

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Bounds of an RSA key. Whoever sends a chain chooses the keys in it, and a
// signature by one of 50 000 bits with the largest exponent costs a validator a
// tenth of a second. The roots a ledger takes have at most as many bits.
const (
	MaxRSABits     = 8192
	MaxRSAExponent = 65537
)

var errSpare = errors.New("it has parts that its signature does not cover")

// Parse reads a certificate in its one encoding, with a key that is cheap
// enough to use.
func Parse(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if !whole(der) {
		return nil, errSpare
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && (k.N.BitLen() > MaxRSABits || k.E > MaxRSAExponent) {
		return nil, fmt.Errorf("an RSA key of %d bits with exponent %d, at most %d and %d are accepted", k.N.BitLen(), k.E, MaxRSABits, MaxRSAExponent)
	}
	return c, nil
}

// ParseList reads a revocation list in its one encoding, with a number of 64
// bits and the time at which the next is due. It refuses what would make a list
// mean less than all revocations of its issuer: a critical extension marks
// partial, indirect and delta lists (RFC 5280 §5.2, §5.3).
func ParseList(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	switch {
	case err != nil:
		return nil, err
	case !whole(der):
		return nil, errSpare
	case list.NextUpdate.IsZero():
		return nil, errors.New("it does not say when the next is due")
	case list.Number == nil || !list.Number.IsUint64():
		return nil, errors.New("it has no number, or one of more than 64 bits")
	}
	for _, e := range list.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("critical extension %v", e.Id)
		}
	}
	for i := range list.RevokedCertificateEntries {
		for _, e := range list.RevokedCertificateEntries[i].Extensions {
			if e.Critical {
				return nil, fmt.Errorf("critical extension %v in an entry", e.Id)
			}
		}
	}
	return list, nil
}

// whole reports whether what is signed, the algorithm and the signature are all
// there is.
func whole(der []byte) bool {
	var outer struct {
		Signed    asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return false
	}
	again, err := asn1.Marshal(outer)
	return err == nil && bytes.Equal(again, der)
}
