package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"testing"
	"time"

	"cloister/wire"
)

func certificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func wrapped(der []byte) []byte {
	return append(binary.BigEndian.AppendUint16(bytes.Clone(wrapper), uint16(len(der))), der...)
}

func TestStoredCertificatesAreFreedOfWrapperAndPadding(t *testing.T) {
	der := certificate(t)
	for form, stored := range map[string][]byte{
		"bare": der, "padded": append(bytes.Clone(der), 0xFF, 0xFF), "wrapped": wrapped(der), "wrapped and padded": append(wrapped(der), 0, 0),
	} {
		if got, err := unwrap(stored); err != nil || !bytes.Equal(got, der) {
			t.Errorf("%s: %x, %v", form, got, err)
		}
	}
	for form, stored := range map[string][]byte{
		"nothing": nil, "cut": der[:len(der)-1], "wrapped and cut": wrapped(der)[:50], "a wrapper alone": wrapper, "something else": {0x30, 0x00},
	} {
		if got, err := unwrap(stored); err == nil {
			t.Errorf("%s: %x", form, got)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	der := certificate(f)
	f.Add(der)
	f.Add(wrapped(der))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := unwrap(b)
		if err != nil {
			return
		}
		if _, err := x509.ParseCertificate(got); err != nil || !bytes.Contains(b, got) {
			t.Fatalf("%x is no certificate in it, %v", got, err)
		}
	})
}

func FuzzDecodeSealed(f *testing.F) {
	f.Add(wire.Marshal(&sealed{Selection: 1, Public: []byte{1}, Private: []byte{2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := decodeSealed(b)
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(in), b) {
			t.Fatalf("%x reads as %+v", b, in)
		}
	})
}
