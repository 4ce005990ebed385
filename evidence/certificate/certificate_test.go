package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// authority is a certificate that may sign others and lists, and its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var begun = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{0x5A}, 32))
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: begun, NotAfter: begun.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}}
	if a.cert, err = x509.ParseCertificate(a.certify(t, &key.PublicKey)); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) certify(t testing.TB, pub any) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, pub, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *authority) list(t testing.TB, change func(*x509.RevocationList)) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: begun, NextUpdate: begun.AddDate(0, 1, 0)}
	l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(9), RevocationTime: begun}}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// stretched is a sequence with one more element at its end.
func stretched(t testing.TB, der []byte) []byte {
	t.Helper()
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	longer, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(bytes.Clone(outer.Bytes), 5, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return longer
}

func TestNothingCanBeAddedToACertificate(t *testing.T) {
	a := newAuthority(t)
	der := a.certify(t, &a.key.PublicKey)
	if c, err := Parse(der); err != nil || !bytes.Equal(c.Raw, der) {
		t.Fatal(err)
	}
	if _, err := x509.ParseCertificate(stretched(t, der)); err != nil {
		t.Fatalf("the standard library refuses it too: %v", err)
	}
	for what, bad := range map[string][]byte{
		"an element within": stretched(t, der), "a byte behind": append(bytes.Clone(der), 0), "a byte less": der[:len(der)-1], "nothing": nil,
	} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func TestNothingCanBeAddedToAList(t *testing.T) {
	a := newAuthority(t)
	der := a.list(t, nil)
	if l, err := ParseList(der); err != nil || l.CheckSignatureFrom(a.cert) != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{
		"an element within": stretched(t, der), "a byte behind": append(bytes.Clone(der), 0), "a byte less": der[:len(der)-1], "nothing": nil,
	} {
		if _, err := ParseList(bad); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func TestKeysThatAreMadeToBeSlowAreRefused(t *testing.T) {
	a := newAuthority(t)
	key := func(bits uint, e int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: e}
	}
	for _, row := range []struct {
		bits     uint
		e        int
		accepted bool
	}{
		{2048, 65537, true}, {MaxRSABits, MaxRSAExponent, true}, {MaxRSABits + 1, 65537, false}, {50_000, 65537, false}, {2048, MaxRSAExponent + 2, false},
	} {
		if _, err := Parse(a.certify(t, key(row.bits, row.e))); (err == nil) != row.accepted {
			t.Errorf("%d bits with exponent %d: %v", row.bits, row.e, err)
		}
	}
}

func TestAListThatMeansLessThanAllIsRefused(t *testing.T) {
	a := newAuthority(t)
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}} // delta (RFC 5280 §5.2.4)
	for what, bad := range map[string][]byte{
		"a delta":           a.list(t, func(l *x509.RevocationList) { l.ExtraExtensions = critical }),
		"an indirect entry": a.list(t, func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ExtraExtensions = critical }),
		"a number too long": a.list(t, func(l *x509.RevocationList) { l.Number = new(big.Int).Lsh(big.NewInt(1), 64) }),
	} {
		if _, err := ParseList(bad); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

func FuzzParse(f *testing.F) {
	a := newAuthority(f)
	f.Add(a.cert.Raw)
	f.Add(stretched(f, a.cert.Raw))
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := Parse(der); err != nil {
			return
		}
		if _, err := Parse(stretched(t, der)); err == nil {
			t.Error("something can be added")
		}
	})
}

func FuzzParseList(f *testing.F) {
	der := newAuthority(f).list(f, nil)
	f.Add(der)
	f.Add(stretched(f, der))
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := ParseList(der); err != nil {
			return
		}
		if _, err := ParseList(stretched(t, der)); err == nil {
			t.Error("something can be added")
		}
	})
}
