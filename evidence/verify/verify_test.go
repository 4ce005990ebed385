package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/intel"
	"cloister/evidence/tpm"
	"cloister/wire"
)

var at = time.Date(2025, 6, 25, 0, 0, 0, 0, time.UTC)

// maker is a root with its key.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMaker(t testing.TB, name string) *maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &maker{c, key}
}

func (m *maker) spki() wire.Hash { return sha256.Sum256(m.cert.RawSubjectPublicKeyInfo) }

func (m *maker) list(t testing.TB, chain ...[]byte) *evidence.Item {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: at.AddDate(0, 0, -1), NextUpdate: at.AddDate(0, 0, 30),
	}, m.cert, m.key)
	if err != nil {
		t.Fatal(err)
	}
	return &evidence.Item{Type: evidence.CRL, Body: der, Chain: chain}
}

func TestEveryKindHasAVerifier(t *testing.T) {
	src := new(evidence.Set)
	for k := range evidence.Kind(255) {
		e := &evidence.Evidence{Kind: k, Quote: []byte{1}}
		_, err := Verify(e, src, at.Unix())
		_, _, assessed := Assess(k, []byte{1}, src, at.Unix())
		_, keys := Keys(e)
		for what, got := range map[string]error{"verify": err, "assess": assessed, "keys": keys} {
			if known := k.Vendor() != 0; known == (wire.CodeOf(got) == wire.ErrEvidenceUnsupported) {
				t.Errorf("%s of %s: %v", what, k, got)
			}
		}
	}
	if len(verifiers) != 4 {
		t.Errorf("%d verifiers", len(verifiers))
	}
}

// Each kind goes to its own vendor's package, which says the same when asked
// directly.
func TestKindsGoToTheirVendors(t *testing.T) {
	src := new(evidence.Set)
	for k, direct := range map[evidence.Kind]func(*evidence.Evidence, evidence.Source, int64) (evidence.Result, error){
		evidence.SGX: intel.Verify, evidence.TDX: intel.Verify, evidence.SNP: amd.Verify, evidence.TPM: tpm.Verify,
	} {
		e := &evidence.Evidence{Kind: k, Quote: []byte{1, 2, 3}}
		_, got := Verify(e, src, at.Unix())
		_, want := direct(e, src, at.Unix())
		if got == nil || got.Error() != want.Error() {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
	}
	if s, advisories, err := Assess(evidence.TPM, nil, src, at.Unix()); s != evidence.UpToDate || advisories != nil || err != nil {
		t.Errorf("TPM: %s, %v, %v", s, advisories, err)
	}
}

// A revocation list does not say which vendor's it is.
func TestListsFindTheirVendor(t *testing.T) {
	chips, processors, stranger := newMaker(t, "ARK"), newMaker(t, "Root"), newMaker(t, "Stranger")
	src := &evidence.Set{Trusted: []evidence.Anchor{
		{Vendor: evidence.Intel, DER: processors.cert.Raw}, {Vendor: evidence.AMD, DER: chips.cert.Raw, Product: "Milan"},
	}}
	forged := stranger.list(t, processors.cert.Raw)
	for name, x := range map[string]struct {
		item  *evidence.Item
		owner *maker
		code  wire.Code
	}{
		"AMD's":                        {chips.list(t), chips, wire.OK},
		"Intel's with its root":        {processors.list(t, processors.cert.Raw), processors, wire.OK},
		"Intel's alone":                {processors.list(t), processors, wire.OK},
		"AMD's under Intel's root":     {chips.list(t, processors.cert.Raw), nil, wire.ErrCollateralSignature},
		"a stranger's":                 {stranger.list(t, stranger.cert.Raw), nil, wire.ErrUnknownAnchor},
		"a stranger's in Intel's name": {forged, nil, wire.ErrCollateralSignature},
		"nobody's type":                {&evidence.Item{Type: 9, Body: []byte{1}}, nil, wire.ErrCollateralMalformed},
		"no list":                      {&evidence.Item{Type: evidence.CRL, Body: []byte{1}}, nil, wire.ErrCollateralMalformed},
	} {
		k, f, err := CheckItem(x.item, src, at.Unix())
		if wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
		if x.owner != nil && (k != evidence.Key{Type: evidence.CRL, Name: x.owner.spki().String()} || f.Number != 7) {
			t.Errorf("%s: %v, %+v", name, k, f)
		}
	}
}

func TestItemKeysAreOfEveryCertificateInIt(t *testing.T) {
	a, b := newMaker(t, "a"), newMaker(t, "b")
	want := []wire.Hash{a.spki(), b.spki()}
	slices.SortFunc(want, func(x, y wire.Hash) int { return slices.Compare(x[:], y[:]) })
	for name, item := range map[string]*evidence.Item{
		"a chain":                  {Type: evidence.TCBInfo, Body: []byte("{}"), Chain: [][]byte{a.cert.Raw, b.cert.Raw}},
		"a certificate twice":      {Type: evidence.CRL, Body: []byte("list"), Chain: [][]byte{a.cert.Raw, b.cert.Raw, a.cert.Raw}},
		"an intermediate as body":  {Type: evidence.AMDChain, Body: a.cert.Raw, Chain: [][]byte{b.cert.Raw}},
		"the other one as a body ": {Type: evidence.AMDChain, Body: b.cert.Raw, Chain: [][]byte{a.cert.Raw}},
	} {
		if got, err := ItemKeys(item); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := ItemKeys(&evidence.Item{Type: evidence.CRL, Chain: [][]byte{{1}}}); wire.CodeOf(err) != wire.ErrCollateralMalformed {
		t.Errorf("no certificate: %v", err)
	}
	if got, err := ItemKeys(&evidence.Item{Type: evidence.CRL}); err != nil || len(got) != 0 {
		t.Errorf("an item without certificates: %v, %v", got, err)
	}
	if got, err := Keys(&evidence.Evidence{Kind: evidence.SNP, Aux: [][]byte{a.cert.Raw}}); err != nil || !slices.Equal(got, []wire.Hash{a.spki()}) {
		t.Errorf("SNP evidence: %v, %v", got, err)
	}
	if _, err := Keys(&evidence.Evidence{Kind: evidence.SNP, Aux: [][]byte{{1}}}); wire.CodeOf(err) != wire.ErrEvidenceMalformed {
		t.Errorf("SNP evidence without a certificate: %v", err)
	}
}

func FuzzKeys(f *testing.F) {
	for k := range evidence.Kind(5) {
		f.Add((&evidence.Evidence{Kind: k, Quote: []byte{3, 0, 2, 0}, Aux: [][]byte{{0x30, 0}}}).Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := evidence.Decode(b)
		if err != nil {
			return
		}
		if keys, err := Keys(e); err == nil && e.Kind == evidence.SNP && len(keys) != len(e.Aux) {
			t.Fatalf("%d keys of %d certificates", len(keys), len(e.Aux))
		}
	})
}
