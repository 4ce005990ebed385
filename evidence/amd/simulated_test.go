package amd

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// Times of the simulated vendor.
var (
	issued = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	expiry = issued.AddDate(20, 0, 0)
	now    = issued.AddDate(0, 6, 0).Unix()
)

// vendor is a simulated AMD: a root, two intermediates and their keys. Keys are
// of 2048 bits, because making them is most of a test's time.
type vendor struct {
	arkKey, askKey *rsa.PrivateKey
	ark            []byte
	ask            map[bool][]byte // by "is of VLEKs"
	leafKey        *ecdsa.PrivateKey
	product        string
}

var vendorKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	return [2]*rsa.PrivateKey{evidencetest.FixedRSA(1), evidencetest.FixedRSA(2)}
})

func newVendor(t testing.TB, product string) *vendor {
	return vendorOf(t, product, vendorKeys())
}

// impostor is a vendor of the same names with other keys.
func impostor(t testing.TB, product string) *vendor {
	keys := vendorKeys()
	return vendorOf(t, product, [2]*rsa.PrivateKey{keys[1], keys[0]})
}

func vendorOf(t testing.TB, product string, keys [2]*rsa.PrivateKey) *vendor {
	t.Helper()
	leafKey, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), bytes.Repeat([]byte{0x5A}, 48))
	if err != nil {
		t.Fatal(err)
	}
	v := &vendor{arkKey: keys[0], askKey: keys[1], leafKey: leafKey, product: product, ask: map[bool][]byte{}}
	ark := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Simulated ARK-" + product}, NotBefore: issued, NotAfter: expiry,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	v.ark = v.sign(t, ark, ark, &v.arkKey.PublicKey, v.arkKey)
	for vlek, name := range map[bool]string{false: "SEV-", true: "SEV-VLEK-"} {
		v.ask[vlek] = v.sign(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Simulated " + name + product}, NotBefore: issued, NotAfter: expiry,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}, ark, &v.askKey.PublicKey, v.arkKey)
	}
	return v
}

func (v *vendor) sign(t testing.TB, c, parent *x509.Certificate, pub any, key crypto.Signer) []byte {
	t.Helper()
	c.SignatureAlgorithm = x509.SHA384WithRSAPSS
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (v *vendor) anchor() evidence.Anchor {
	return evidence.Anchor{Vendor: evidence.AMD, DER: v.ark, Product: v.product, Simulated: true}
}

// source trusts the vendor and holds both of its intermediates.
func (v *vendor) source() *evidence.Set {
	s := &evidence.Set{Trusted: []evidence.Anchor{v.anchor()}}
	for vlek, der := range v.ask {
		s.Add(evidence.Key{Type: evidence.AMDChain, Name: v.product + "/" + roleName(vlek)}, evidence.Item{Type: evidence.AMDChain, Body: der})
	}
	return s
}

// crl is the root's revocation list as an item.
func (v *vendor) crl(t testing.TB, number int64, from, to time.Time, serials ...int64) evidence.Item {
	t.Helper()
	ark, err := x509.ParseCertificate(v.ark)
	if err != nil {
		t.Fatal(err)
	}
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: from, NextUpdate: to, SignatureAlgorithm: x509.SHA384WithRSAPSS}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ark, v.arkKey)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Item{Type: evidence.CRL, Body: der}
}

// machine is what a simulated platform says; fields are changed by tests.
type machine struct {
	report      []byte
	tcb         TCB
	productName string
	hwid        []byte
	vlek        bool
	notBefore   time.Time
}

func oid(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3704, 1}, arcs...)
}

func (v *vendor) machine(vlek bool) *machine {
	m := &machine{report: make([]byte, ReportSize), productName: v.product + "-B0", vlek: vlek, notBefore: issued}
	le := binary.LittleEndian
	le.PutUint32(m.report, 3)
	le.PutUint32(m.report[4:], 7)
	le.PutUint64(m.report[8:], 0x30000)
	le.PutUint32(m.report[0x34:], ecdsaP384)
	copy(m.report[0x50:], "what the program bound")
	copy(m.report[0x90:], "what was loaded")
	m.tcb = TCB{Bootloader: 4, SNP: 24, Microcode: 213}
	m.report[0x188], m.report[0x189] = 0x19, 0x01
	raw := [8]byte{4, 0, 0, 0, 0, 0, 24, 213}
	m.hwid = bytes.Repeat([]byte{0xA5}, 64)
	if v.product == Turin {
		m.tcb.FMC, raw = 3, [8]byte{3, 4, 0, 24, 0, 0, 0, 213}
		m.report[0x188], m.report[0x189] = 0x1A, 0x02
		m.hwid = m.hwid[:8]
	}
	for _, at := range []int{0x38, 0x180, 0x1E0, 0x1F0} {
		copy(m.report[at:], raw[:])
	}
	if vlek {
		m.hwid = nil
		m.report[0x48] = signerVLEK << 2
	}
	copy(m.report[0x1A0:], m.hwid)
	return m
}

func (v *vendor) evidence(t testing.TB, m *machine) *evidence.Evidence {
	t.Helper()
	ask, err := x509.ParseCertificate(v.ask[m.vlek])
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: "Simulated SEV-VCEK"}, NotBefore: m.notBefore, NotAfter: m.notBefore.AddDate(7, 0, 0),
	}
	add := func(value any, params string, arcs ...int) {
		b, err := asn1.MarshalWithParams(value, params)
		if err != nil {
			t.Fatal(err)
		}
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid(arcs...), Value: b})
	}
	add(m.productName, "ia5", 2)
	add(int(m.tcb.Bootloader), "", 3, 1)
	add(int(m.tcb.TEE), "", 3, 2)
	add(int(m.tcb.SNP), "", 3, 3)
	add(int(m.tcb.Microcode), "", 3, 8)
	if v.product == Turin {
		add(int(m.tcb.FMC), "", 3, 9)
	}
	if m.hwid != nil {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid(4), Value: m.hwid})
	} else {
		add("CN=simulated cloud", "ia5", 5)
	}
	leaf := v.sign(t, c, ask, &v.leafKey.PublicKey, v.askKey)

	report := slices.Clone(m.report)
	digest := sha512.Sum384(report[:signedSize])
	r, s, err := ecdsa.Sign(rand.Reader, v.leafKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []*big.Int{r, s} {
		b := n.FillBytes(make([]byte, 48))
		slices.Reverse(b)
		copy(report[signedSize+72*i:], b)
	}
	return &evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{leaf}}
}

func TestSimulatedVendorsAreVerifiedLikeRealOnes(t *testing.T) {
	for _, product := range []string{Milan, Turin} {
		for _, vlek := range []bool{false, true} {
			v := newVendor(t, product)
			m := v.machine(vlek)
			copy(m.report[0xE0:], "digest of an id key")
			e := v.evidence(t, m)
			res, err := Verify(e, v.source(), now)
			if err != nil {
				t.Fatalf("%s/%s: %v", product, roleName(vlek), err)
			}
			r, _ := ParseReport(e.Quote)
			if res.Code != evidence.CodeID(evidence.SNP, r.Measurement[:], r.HostData[:], wire.U64(0x30000)) ||
				res.Signer != sha256.Sum256(r.IDKeyDigest[:]) || res.Anchor != sha256.Sum256(v.ark) || res.SVN != 7 ||
				res.Signed != sha256.Sum256(e.Quote[:signedSize]) || !res.Simulated || res.Product != product || len(res.Level) > evidence.MaxLevel {
				t.Errorf("%s/%s: %+v", product, roleName(vlek), res)
			}
			var device wire.Hash
			if !vlek {
				device = evidence.DeviceID(evidence.AMD, r.ChipID[:])
			}
			if res.Device != device {
				t.Errorf("%s/%s: device %s", product, roleName(vlek), res.Device)
			}
			level, err := ParseLevel(res.Level)
			if err != nil || level.Reported != m.tcb || level.Committed != m.tcb || level.Launch != m.tcb || level.VLEK != vlek {
				t.Errorf("%s/%s: level %+v, %v", product, roleName(vlek), level, err)
			}
			if want := []string{checkFormat, checkBinding, checkSignature, checkChain, checkRevoked, checkPolicy}; !slices.Equal(res.Passed, want) {
				t.Errorf("passed %q", res.Passed)
			}
		}
	}
}

func TestEachRefusalHasItsCode(t *testing.T) {
	v, other := newVendor(t, Milan), impostor(t, Milan)
	mixed := v.source()
	mixed.Trusted = other.source().Trusted
	for _, c := range []struct {
		rule   string
		change func(*machine)
		source *evidence.Set
		want   wire.Code
	}{
		{"a debug guest is reported, not refused", func(m *machine) { m.report[10] |= 8 }, nil, wire.OK},
		{"a VMPL above 0 is reported, not refused", func(m *machine) { m.report[0x30] = 3 }, nil, wire.OK},
		{"a large guest SVN saturates", func(m *machine) { m.report[7] = 1 }, nil, wire.OK},
		{"version 5 has mitigation vectors", func(m *machine) { m.report[0], m.report[0x1F8] = 5, 1 }, nil, wire.OK},
		{"version 3 has none", func(m *machine) { m.report[0x1F8] = 1 }, nil, wire.ErrEvidenceMalformed},
		{"version 2 has no CPUID", func(m *machine) { m.report[0] = 2 }, nil, wire.ErrEvidenceMalformed},
		{"version 2 takes the product from the certificate", func(m *machine) { m.report[0], m.report[0x188], m.report[0x189] = 2, 0, 0 }, nil, wire.OK},
		{"a migration agent is refused", func(m *machine) { m.report[10] |= 4 }, nil, wire.ErrEvidencePolicy},
		{"a report for the host is refused", func(m *machine) { copy(m.report[0x30:], "\xff\xff\xff\xff") }, nil, wire.ErrEvidenceMalformed},
		{"version 4 is unknown", func(m *machine) { m.report[0] = 4 }, nil, wire.ErrEvidenceUnsupported},
		{"signature algorithm 2 is unknown", func(m *machine) { m.report[0x34] = 2 }, nil, wire.ErrEvidenceUnsupported},
		{"an unsigned report is refused", func(m *machine) { m.report[0x48] = 7 << 2 }, nil, wire.ErrEvidenceUnsupported},
		{"reserved signer bits are zero", func(m *machine) { m.report[0x49] = 1 }, nil, wire.ErrEvidenceMalformed},
		{"reserved bytes are zero", func(m *machine) { m.report[0x250] = 1 }, nil, wire.ErrEvidenceMalformed},
		{"reserved TCB bytes are zero", func(m *machine) { m.report[0x182] = 1 }, nil, wire.ErrEvidenceMalformed},
		{"reserved bytes of other TCBs are zero", func(m *machine) { m.report[0x1E3] = 1 }, nil, wire.ErrEvidenceMalformed},
		{"the CPU is of the certificate's product", func(m *machine) { m.report[0x189] = 0x11 }, nil, wire.ErrEvidenceBinding},
		{"the CPU is known", func(m *machine) { m.report[0x188] = 0x17 }, nil, wire.ErrEvidenceUnsupported},
		{"the product is known", func(m *machine) { m.productName = "Naples" }, nil, wire.ErrEvidenceUnsupported},
		{"the chip is the certificate's", func(m *machine) { m.report[0x1A0] ^= 1 }, nil, wire.ErrEvidenceBinding},
		{"a masked chip id under a VCEK is refused", func(m *machine) { clear(m.report[0x1A0:0x1E0]) }, nil, wire.ErrEvidenceBinding},
		{"a VCEK signs no VLEK report", func(m *machine) { m.report[0x48] = signerVLEK << 2 }, nil, wire.ErrEvidenceBinding},
		{"the TCB is the certificate's", func(m *machine) { m.tcb.SNP-- }, nil, wire.ErrEvidenceBinding},
		{"a certificate from tomorrow", func(m *machine) { m.notBefore = time.Unix(now, 0).AddDate(0, 0, 1) }, nil, wire.ErrEvidenceNotYet},
		{"a certificate of the past", func(m *machine) { m.notBefore = issued.AddDate(-8, 0, 0) }, nil, wire.ErrEvidenceExpired},
		{"no root at all", nil, &evidence.Set{}, wire.ErrUnknownAnchor},
		{"no intermediate", nil, &evidence.Set{Trusted: []evidence.Anchor{v.anchor()}}, wire.ErrCollateralMissing},
		{"another vendor of the same names", nil, other.source(), wire.ErrEvidenceChain},
		{"another vendor's root above the intermediate", nil, mixed, wire.ErrCollateralSignature},
	} {
		m := v.machine(false)
		if c.change != nil {
			c.change(m)
		}
		src := c.source
		if src == nil {
			src = v.source()
		}
		res, err := Verify(v.evidence(t, m), src, now)
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.rule, err, c.want)
		}
		if m.report[10]&8 != 0 && !res.Debug {
			t.Errorf("%s: not reported", c.rule)
		}
	}
}

func TestEvidenceHasExactlyTwoParts(t *testing.T) {
	v := newVendor(t, Milan)
	e := v.evidence(t, v.machine(false))
	for name, bad := range map[string]*evidence.Evidence{
		"another kind":     {Kind: evidence.TPM, Quote: e.Quote, Aux: e.Aux},
		"no certificate":   {Kind: evidence.SNP, Quote: e.Quote},
		"two certificates": {Kind: evidence.SNP, Quote: e.Quote, Aux: [][]byte{e.Aux[0], e.Aux[0]}},
		"a byte more":      {Kind: evidence.SNP, Quote: append(slices.Clone(e.Quote), 0), Aux: e.Aux},
		"a byte after DER": {Kind: evidence.SNP, Quote: e.Quote, Aux: [][]byte{append(slices.Clone(e.Aux[0]), 0)}},
	} {
		if _, err := Verify(bad, v.source(), now); wire.CodeOf(err) != wire.ErrEvidenceMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARevokedIntermediateIsRefusedAndReassessed(t *testing.T) {
	v := newVendor(t, Milan)
	e := v.evidence(t, v.machine(false))
	res, err := Verify(e, v.source(), now)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(now, 0)
	for _, c := range []struct {
		rule   string
		list   evidence.Item
		want   wire.Code
		assess evidence.Status
	}{
		{"an empty list", v.crl(t, 1, at.AddDate(0, 0, -1), at.AddDate(0, 1, 0)), wire.OK, evidence.UpToDate},
		{"another serial", v.crl(t, 1, at.AddDate(0, 0, -1), at.AddDate(0, 1, 0), 9), wire.OK, evidence.UpToDate},
		{"its serial", v.crl(t, 1, at.AddDate(0, 0, -1), at.AddDate(0, 1, 0), 9, 2), wire.ErrEvidenceRevoked, evidence.Revoked},
		{"its serial on an expired list", v.crl(t, 1, at.AddDate(0, -2, 0), at.AddDate(0, -1, 0), 2), wire.ErrEvidenceRevoked, evidence.Revoked},
		{"an expired list", v.crl(t, 1, at.AddDate(0, -2, 0), at.AddDate(0, -1, 0)), wire.ErrCollateralExpired, 0},
		{"a list of tomorrow", v.crl(t, 1, at.AddDate(0, 0, 1), at.AddDate(0, 1, 0)), wire.ErrCollateralNotYet, 0},
		{"no list at all in its place", evidence.Item{Type: evidence.CRL, Body: []byte{0x30, 0}}, wire.ErrCollateralMalformed, 0},
	} {
		src := v.source()
		ark, _ := x509.ParseCertificate(v.ark)
		src.Add(crlKey(ark), c.list)
		got, err := Verify(e, src, now)
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.rule, err, c.want)
		}
		if c.want == wire.OK && got.NotAfter != at.AddDate(0, 1, 0).Unix() {
			t.Errorf("%s: relies on nothing after %d", c.rule, got.NotAfter)
		}
		status, _, err := Assess(res.Level, src, now)
		if status != c.assess || (err == nil) != (c.assess != 0) {
			t.Errorf("%s: assessed as %s, %v", c.rule, status, err)
		}
	}
	if _, _, err := Assess(res.Level, &evidence.Set{}, now); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("without the root: %v", err)
	}
	if _, _, err := Assess(res.Level[1:], v.source(), now); wire.CodeOf(err) != wire.ErrEvidenceMalformed {
		t.Errorf("another level: %v", err)
	}
}

func TestCollateralIsCheckedAndNamed(t *testing.T) {
	v, genoa := newVendor(t, Milan), newVendor(t, Genoa)
	src := v.source()
	at := time.Unix(now, 0)
	list := v.crl(t, 7, at.AddDate(0, 0, -1), at.AddDate(0, 1, 0))
	ark, _ := x509.ParseCertificate(v.ark)
	for _, c := range []struct {
		rule string
		item evidence.Item
		at   int64
		key  evidence.Key
		want wire.Code
	}{
		{"ASK", evidence.Item{Type: evidence.AMDChain, Body: v.ask[false]}, now, evidence.Key{Type: evidence.AMDChain, Name: "Milan/vcek"}, wire.OK},
		{"ASVK", evidence.Item{Type: evidence.AMDChain, Body: v.ask[true]}, now, evidence.Key{Type: evidence.AMDChain, Name: "Milan/vlek"}, wire.OK},
		{"CRL", list, now, crlKey(ark), wire.OK},
		{"ASK too early", evidence.Item{Type: evidence.AMDChain, Body: v.ask[false]}, issued.Unix() - 1, evidence.Key{}, wire.ErrCollateralNotYet},
		{"ASK too late", evidence.Item{Type: evidence.AMDChain, Body: v.ask[false]}, expiry.Unix() + 1, evidence.Key{}, wire.ErrCollateralExpired},
		{"CRL too early", list, at.AddDate(0, 0, -2).Unix(), evidence.Key{}, wire.ErrCollateralNotYet},
		{"CRL too late", list, at.AddDate(0, 2, 0).Unix(), evidence.Key{}, wire.ErrCollateralExpired},
		{"foreign ASK", evidence.Item{Type: evidence.AMDChain, Body: genoa.ask[false]}, now, evidence.Key{}, wire.ErrUnknownAnchor},
		{"foreign CRL", genoa.crl(t, 1, at, at), now, evidence.Key{}, wire.ErrUnknownAnchor},
		{"the root is no intermediate", evidence.Item{Type: evidence.AMDChain, Body: v.ark}, now, evidence.Key{}, wire.ErrCollateralMismatch},
		{"a chain where none belongs", evidence.Item{Type: evidence.AMDChain, Body: v.ask[false], Chain: [][]byte{v.ark}}, now, evidence.Key{}, wire.ErrCollateralMalformed},
		{"a signature where none belongs", evidence.Item{Type: evidence.CRL, Body: list.Body, Signature: []byte{1}}, now, evidence.Key{}, wire.ErrCollateralMalformed},
		{"another type", evidence.Item{Type: evidence.TCBInfo}, now, evidence.Key{}, wire.ErrCollateralMalformed},
		{"something after a list", evidence.Item{Type: evidence.CRL, Body: append(slices.Clone(list.Body), 0)}, now, evidence.Key{}, wire.ErrCollateralMalformed},
		{"a list of changes alone", v.delta(t, at), now, evidence.Key{}, wire.ErrCollateralMalformed},
		{"altered ASK", evidence.Item{Type: evidence.AMDChain, Body: flipped(v.ask[false], len(v.ask[false])-1)}, now, evidence.Key{}, wire.ErrCollateralSignature},
		{"altered CRL", evidence.Item{Type: evidence.CRL, Body: flipped(list.Body, len(list.Body)-1)}, now, evidence.Key{}, wire.ErrCollateralSignature},
	} {
		key, fresh, err := CheckItem(c.item, src, c.at)
		if wire.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.rule, err, c.want)
			continue
		}
		if err == nil && (key != c.key || fresh.Issued > now || fresh.Expires < now) {
			t.Errorf("%s: %s, %+v", c.rule, key, fresh)
		}
	}
	if _, fresh, _ := CheckItem(list, src, now); fresh.Number != 7 {
		t.Errorf("number %d", fresh.Number)
	}
}

func TestAnIntermediateUnderTheWrongNameIsRefused(t *testing.T) {
	v := newVendor(t, Milan)
	src := v.source()
	src.Add(evidence.Key{Type: evidence.AMDChain, Name: "Milan/vcek"}, evidence.Item{Type: evidence.AMDChain, Body: v.ask[true]})
	if _, err := Verify(v.evidence(t, v.machine(false)), src, now); wire.CodeOf(err) != wire.ErrCollateralMismatch {
		t.Error(err)
	}
}

func TestTCBsCompareByComponent(t *testing.T) {
	base := TCB{Bootloader: 4, TEE: 1, SNP: 24, Microcode: 213, FMC: 2}
	if !base.AtLeast(base) {
		t.Error("a TCB is not at least itself")
	}
	for i, lower := range []TCB{five{4, 1, 24, 212, 2}.tcb(), five{4, 1, 23, 255, 2}.tcb(), five{4, 0, 24, 213, 2}.tcb(), five{3, 1, 24, 213, 2}.tcb(), five{4, 1, 24, 213, 1}.tcb()} {
		if lower.AtLeast(base) || !base.AtLeast(lower) && i != 1 {
			t.Errorf("%s against %s", lower, base)
		}
	}
}

// five are the components in the order of TCB.
type five [5]uint8

func (f five) tcb() TCB {
	return TCB{Bootloader: f[0], TEE: f[1], SNP: f[2], Microcode: f[3], FMC: f[4]}
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// delta is a list of what changed since another: it does not have what was
// revoked before (RFC 5280 §5.2.4).
func (v *vendor) delta(t *testing.T, at time.Time) evidence.Item {
	t.Helper()
	ark, err := x509.ParseCertificate(v.ark)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(8), ThisUpdate: at, NextUpdate: at.AddDate(0, 1, 0), SignatureAlgorithm: x509.SHA384WithRSAPSS,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 7}}},
	}, ark, v.arkKey)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Item{Type: evidence.CRL, Body: der}
}
