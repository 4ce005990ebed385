package tpm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

func TestAMakersCertificateNamesADevice(t *testing.T) {
	m, c := newMaker(t), newChip(t)
	chain := m.chain(t, c)
	for rule, chain := range map[string][][]byte{"without the root": chain, "with the root": append(slices.Clone(chain), m.root)} {
		ek, err := VerifyEK(chain, m.anchors(), now)
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		spki := spkiOf(t, &c.ek.PublicKey)
		if string(ek.SPKI) != string(spki) || ek.Device != evidence.DeviceID(evidence.TPMMaker, spki) || ek.Certificate != sha256.Sum256(chain[0]) ||
			ek.Anchor != sha256.Sum256(m.root) || !ek.Simulated || ek.NotAfter != issued.AddDate(20, 0, 0).Unix() ||
			ek.Identity != (Identity{"id:49424D00", "SW TPM", "id:00010001"}) {
			t.Errorf("%s: %+v", rule, ek)
		}
		if len(ek.Keys) != len(chain) || ek.Keys[0] != sha256.Sum256(spki) || ek.Keys[1] != sha256.Sum256(spkiOf(t, &issueKey().PublicKey)) {
			t.Errorf("%s: keys %v", rule, ek.Keys)
		}
	}
}

func TestEachFailingCheckOfAnEndorsementHasItsReason(t *testing.T) {
	m, c := newMaker(t), newChip(t)
	good := m.chain(t, c)
	with := func(f func(*x509.Certificate)) [][]byte {
		cert := ekTemplate(t)
		f(cert)
		return [][]byte{m.endorse(t, cert, &c.ek.PublicKey), m.issuing}
	}
	of := func(pub any, use x509.KeyUsage) [][]byte {
		cert := ekTemplate(t)
		cert.KeyUsage = use
		return [][]byte{m.endorse(t, cert, pub), m.issuing}
	}
	san := func(v []byte) [][]byte {
		return with(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: v}}
		})
	}
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := &rsa.PublicKey{N: new(big.Int).Rsh(c.ek.N, 1024), E: 65537}
	odd := &rsa.PublicKey{N: c.ek.N, E: 3}
	even := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	impostor := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated TPM root"}, NotBefore: issued, NotAfter: issued.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	other := []evidence.Anchor{{Vendor: evidence.TPMMaker, DER: create(t, impostor, impostor, &issueKey().PublicKey, issueKey())}}
	foreign := []evidence.Anchor{{Vendor: evidence.TPMMaker, DER: m.issuing}}
	for _, row := range []struct {
		rule    string
		want    *Reason
		code    wire.Code
		chain   [][]byte
		anchors []evidence.Anchor
		at      int64
	}{
		{"no certificate", ErrCertParse, wire.ErrEvidenceMalformed, nil, m.anchors(), now},
		{"five certificates", ErrChainTooLong, wire.ErrEvidenceMalformed, [][]byte{good[0], m.issuing, m.issuing, m.issuing, m.root}, m.anchors(), now},
		{"too many bytes", ErrChainTooLong, wire.ErrEvidenceMalformed, [][]byte{make([]byte, MaxChainBytes+1)}, m.anchors(), now},
		{"not a certificate", ErrCertParse, wire.ErrEvidenceMalformed, [][]byte{{0x30, 0}}, m.anchors(), now},
		{"a byte after it", ErrCertParse, wire.ErrEvidenceMalformed, [][]byte{append(slices.Clone(good[0]), 0), m.issuing}, m.anchors(), now},
		{"an issuer whose key is made to be slow", ErrCertParse, wire.ErrEvidenceMalformed, [][]byte{good[0], m.slow(t), m.issuing}, m.anchors(), now},
		{"the issuer missing", ErrChainInvalid, wire.ErrUnknownAnchor, good[:1], m.anchors(), now},
		{"the wrong order", ErrChainInvalid, wire.ErrUnknownAnchor, [][]byte{m.issuing, good[0]}, m.anchors(), now},
		{"a certificate too many", ErrChainInvalid, wire.ErrEvidenceChain, [][]byte{good[0], m.issuing, m.issuing}, m.anchors(), now},
		{"an altered signature", ErrChainInvalid, wire.ErrEvidenceChain, [][]byte{flipped(good[0], len(good[0])-1), m.issuing}, m.anchors(), now},
		{"another maker's root", ErrChainInvalid, wire.ErrUnknownAnchor, good, other, now},
		{"no root at all", ErrChainInvalid, wire.ErrUnknownAnchor, good, nil, now},
		{"a root of another vendor", ErrChainInvalid, wire.ErrUnknownAnchor, good, []evidence.Anchor{{Vendor: evidence.AMD, DER: m.root}}, now},
		{"an issuer as the anchor", nil, wire.OK, good, foreign, now},
		{"an issuer as the anchor, alone", nil, wire.OK, good[:1], foreign, now},
		{"before its time", ErrChainInvalid, wire.ErrEvidenceNotYet, good, m.anchors(), issued.Unix() - 1},
		{"after its issuer's time", ErrChainInvalid, wire.ErrEvidenceExpired, good, m.anchors(), issued.AddDate(20, 0, 1).Unix()},
		{"after its own time", ErrChainInvalid, wire.ErrEvidenceExpired, with(func(c *x509.Certificate) { c.NotAfter = issued.AddDate(0, 1, 0) }), m.anchors(), now},
		{"a certificate authority", ErrEKProfile, wire.ErrEvidenceUnsupported, with(func(c *x509.Certificate) { c.IsCA = true }), m.anchors(), now},
		{"for another use", ErrEKProfile, wire.ErrEvidenceUnsupported, with(func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{2, 23, 133, 8, 3}} }), m.anchors(), now},
		{"for signing", ErrEKProfile, wire.ErrEvidenceUnsupported, with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), m.anchors(), now},
		{"another critical extension", ErrChainInvalid, wire.ErrEvidenceChain, with(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		}), m.anchors(), now},
		{"no alternative name", ErrEKProfile, wire.ErrEvidenceUnsupported, with(func(c *x509.Certificate) { c.ExtraExtensions = nil }), m.anchors(), now},
		{"no manufacturer", ErrEKProfile, wire.ErrEvidenceUnsupported, san([]byte{0x30, 0x04, 0xA4, 0x02, 0x30, 0x00}), m.anchors(), now},
		{"a name that is none", ErrEKProfile, wire.ErrEvidenceUnsupported, san([]byte{0x30, 0x04, 0xA4, 0x02, 0x04, 0x00}), m.anchors(), now},
		{"a long name", ErrEKProfile, wire.ErrEvidenceUnsupported, san(altName(t, string(make([]byte, 65)), "m", "v")), m.anchors(), now},
		{"an elliptic key, well certified", ErrEKClass, wire.ErrEvidenceUnsupported, of(&ec.PublicKey, x509.KeyUsageKeyAgreement), m.anchors(), now},
		{"an elliptic key to encipher", ErrEKProfile, wire.ErrEvidenceUnsupported, of(&ec.PublicKey, x509.KeyUsageKeyEncipherment), m.anchors(), now},
		{"a short key", ErrEKClass, wire.ErrEvidenceUnsupported, of(small, x509.KeyUsageKeyEncipherment), m.anchors(), now},
		{"an even modulus", ErrEKClass, wire.ErrEvidenceUnsupported, of(even, x509.KeyUsageKeyEncipherment), m.anchors(), now},
		{"another exponent", ErrEKClass, wire.ErrEvidenceUnsupported, of(odd, x509.KeyUsageKeyEncipherment), m.anchors(), now},
	} {
		_, err := VerifyEK(row.chain, row.anchors, row.at)
		if !refusedFor(err, row.want) || wire.CodeOf(err) != row.code {
			t.Errorf("%s: %v, want %v with %s", row.rule, err, row.want, row.code)
		}
	}
}

func TestAnExpiredRootEndsItsChains(t *testing.T) {
	c := newChip(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated TPM root"}, NotBefore: issued, NotAfter: issued.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := create(t, root, root, &rootKey().PublicKey, rootKey())
	leaf := create(t, ekTemplate(t), root, &c.ek.PublicKey, rootKey())
	anchors := []evidence.Anchor{{Vendor: evidence.TPMMaker, DER: der}}
	if _, err := VerifyEK([][]byte{leaf}, anchors, issued.Add(time.Hour).Unix()); err != nil {
		t.Error(err)
	}
	if _, err := VerifyEK([][]byte{leaf}, anchors, now); !refusedFor(err, ErrChainInvalid) || wire.CodeOf(err) != wire.ErrEvidenceExpired {
		t.Error(err)
	}
	// Unless it was renewed, in whatever order the two are trusted.
	renewed := *root
	renewed.NotAfter = issued.AddDate(20, 0, 0)
	again := evidence.Anchor{Vendor: evidence.TPMMaker, DER: create(t, &renewed, &renewed, &rootKey().PublicKey, rootKey())}
	for _, both := range [][]evidence.Anchor{{anchors[0], again}, {again, anchors[0]}} {
		if ek, err := VerifyEK([][]byte{leaf}, both, now); err != nil || ek.Anchor != again.ID() {
			t.Errorf("%+v, %v", ek, err)
		}
	}
}

// Older certificates name RSA-OAEP as the key's algorithm. The signature over
// one is made here by hand, as no library writes it.
func TestAKeyCertifiedForOAEPIsAnOrdinaryOne(t *testing.T) {
	m, c := newMaker(t), newChip(t)
	der := m.endorse(t, ekTemplate(t), &c.ek.PublicKey)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	var tbs struct {
		Version  int `asn1:"explicit,tag:0"`
		Serial   *big.Int
		Sig      asn1.RawValue
		Issuer   asn1.RawValue
		Validity asn1.RawValue
		Subject  asn1.RawValue
		SPKI     struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}
		Extensions asn1.RawValue
	}
	if _, err := asn1.Unmarshal(cert.RawTBSCertificate, &tbs); err != nil {
		t.Fatal(err)
	}
	tbs.SPKI.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidRSAOAEP}
	signed, err := asn1.Marshal(tbs)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(signed)
	sig, err := rsa.SignPKCS1v15(nil, issueKey(), 5, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	old, err := asn1.Marshal(struct {
		Signed    asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: signed}, tbs.Sig, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	if err != nil {
		t.Fatal(err)
	}
	ek, err := VerifyEK([][]byte{old, m.issuing}, m.anchors(), now)
	if err != nil {
		t.Fatal(err)
	}
	if spki := spkiOf(t, &c.ek.PublicKey); ek.Device != evidence.DeviceID(evidence.TPMMaker, spki) || ek.Keys[0] != sha256.Sum256(spki) || len(ek.Keys) != 3 {
		t.Errorf("another device than by the ordinary certificate: %+v", ek)
	}
}

func TestEverySingleBitFlipOfAnEndorsementIsRefused(t *testing.T) {
	m, c := newMaker(t), newChip(t)
	chain := m.chain(t, c)
	for part, b := range chain {
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (bit % 8)
			if _, err := VerifyEK(chain, m.anchors(), now); err == nil {
				t.Errorf("certificate %d is accepted with bit %d of byte %d flipped", part, bit%8, bit/8)
			}
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestCredentialsAreMadeForTheAllowedKeysOnly(t *testing.T) {
	c := newChip(t)
	spki := spkiOf(t, &c.ek.PublicKey)
	for rule, row := range map[string]struct {
		want     *Reason
		ek, name []byte
	}{
		"in order":    {nil, spki, c.ak.Name()},
		"not a key":   {ErrEKClass, []byte{1}, c.ak.Name()},
		"a short key": {ErrEKClass, spkiOf(t, &rsa.PublicKey{N: new(big.Int).Rsh(c.ek.N, 1024), E: 65537}), c.ak.Name()},
		"no name":     {ErrAKTemplate, spki, nil},
	} {
		if _, _, err := MakeCredential(row.ek, row.name, [32]byte{}, [32]byte{}); !refusedFor(err, row.want) {
			t.Errorf("%s: %v, want %v", rule, err, row.want)
		}
	}
}

func BenchmarkVerifyEK(b *testing.B) {
	m := newMaker(b)
	chain := m.chain(b, newChip(b))
	for b.Loop() {
		if _, err := VerifyEK(chain, m.anchors(), now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMakeCredential(b *testing.B) {
	c := newChip(b)
	spki, name := spkiOf(b, &c.ek.PublicKey), c.ak.Name()
	for b.Loop() {
		if _, _, err := MakeCredential(spki, name, [32]byte{1}, [32]byte{2}); err != nil {
			b.Fatal(err)
		}
	}
}

// slow is an authority with an RSA key that takes a tenth of a second to check
// one signature by: anybody can put one into a chain, for it is tried before it
// is known whether anybody signed it.
func (m *maker) slow(t *testing.T) []byte {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), 49_999)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Simulated TPM issuer"}, NotBefore: issued, NotAfter: issued.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return create(t, c, c, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 1<<31 - 1}, issueKey())
}
