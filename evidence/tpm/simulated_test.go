package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// Times of the simulated maker.
var (
	issued = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now    = issued.AddDate(0, 6, 0).Unix()
)

// demanded is the selection of the tests: the registry's default.
var demanded = Select(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14)

// chip is a simulated TPM: its keys, PCRs and clock.
type chip struct {
	ek    *rsa.PrivateKey
	akKey *ecdsa.PrivateKey
	ak    AK
	clock Clock
	pcrs  [16]wire.Hash
	boot  logWriter
	app   AppLog
}

var (
	ekKey    = sync.OnceValue(func() *rsa.PrivateKey { return evidencetest.FixedRSA(1) })
	issueKey = sync.OnceValue(func() *rsa.PrivateKey { return evidencetest.FixedRSA(2) })
	rootKey  = sync.OnceValue(func() *rsa.PrivateKey { return evidencetest.FixedRSA(3) })
)

func newChip(t testing.TB) *chip {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ak, err := ParseAK(EncodeAK(point[1:33], point[33:]))
	if err != nil {
		t.Fatal(err)
	}
	return &chip{
		ek: ekKey(), akKey: key, ak: ak, boot: newLog(),
		clock: Clock{ClockInfo: ClockInfo{Clock: 5000, ResetCount: 3, RestartCount: 1, Safe: true}, Counter: 11, Firmware: 0x2020031200120003},
	}
}

// event extends a PCR and logs it; a nil digest means the hash of the text.
func (c *chip) event(pcr, kind uint32, digest *wire.Hash, data []byte) {
	d := wire.Hash(sha256.Sum256(data))
	if digest != nil {
		d = *digest
	}
	c.boot.event(pcr, kind, d, data)
	if pcr < 16 && kind != evNoAction {
		c.pcrs[pcr] = extend(c.pcrs[pcr], d)
	}
}

func (c *chip) measure(t testing.TB, e AppEntry) {
	t.Helper()
	log, value, err := c.app.Append(e)
	if err != nil {
		t.Fatal(err)
	}
	c.app = log
	c.pcrs[13] = extend(c.pcrs[13], value)
}

// Events of the simulated boot.
var (
	crtmVersion = utf16le("CRTM 1.2\x00")
	blobDigest  = wire.Hash(sha256.Sum256([]byte("firmware blob")))
	shimDigest  = wire.Hash(sha256.Sum256([]byte("authenticode of the loader")))
	linuxDigest = wire.Hash(sha256.Sum256([]byte("kernel")))
	nodeEntry   = AppEntry{Component: NodeBinary, Version: "1.0.0", Digest: wire.Hash(sha256.Sum256([]byte("node")))}
)

func utf16le(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// bootUp runs an ordinary boot.
func (c *chip) bootUp(t testing.TB) *chip {
	t.Helper()
	c.event(0, evNoAction, &wire.Hash{}, append(append([]byte{}, startupLocality...), 3))
	c.pcrs[0][31] = 3
	c.event(0, evSCRTMVersion, nil, crtmVersion)
	c.event(0, evEFIPlatformFirmware, &blobDigest, make([]byte, 16))
	c.event(7, evEFIVariableDriver, nil, append(append([]byte{}, secureBootVariable...), 1))
	c.event(4, evEFIAction, nil, []byte("Calling EFI Application from Boot Option"))
	for pcr := range uint32(8) {
		c.event(pcr, evSeparator, nil, make([]byte, 4))
	}
	c.event(4, evEFIBootApplication, &shimDigest, []byte("device path"))
	c.event(9, evIPL, &linuxDigest, []byte("/vmlinuz\x00"))
	c.event(8, evIPL, nil, []byte("linux /vmlinuz ro"))
	c.measure(t, nodeEntry)
	return c
}

// sign is what a restricted key does: it signs what the TPM says.
func (c *chip) sign(t testing.TB, attest []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(attest)
	r, s, err := ecdsa.Sign(rand.Reader, c.akKey, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return EncodeSignature(r.Bytes(), s.Bytes())
}

func (c *chip) statement(qualifying []byte) *Attest {
	return &Attest{QualifiedSigner: c.ak.QualifiedSigner(), Extra: qualifying, ClockInfo: c.clock.ClockInfo, Firmware: c.clock.Firmware}
}

// parts are the evidence with everything but the attestations.
func (c *chip) parts(s Selection) *Parts {
	p := &Parts{AK: c.ak, BootLog: c.boot.b, AppLog: c.app, Statement: &Attest{Quote: &Quote{Selection: s}}}
	for _, i := range s.PCRs() {
		if i > 15 {
			p.PCRs = append(p.PCRs, wire.Hash{})
			continue
		}
		p.PCRs = append(p.PCRs, c.pcrs[i])
	}
	return p
}

// attest quotes and certifies the counter over qualifying data.
func (c *chip) attest(t testing.TB, s Selection, qualify func(rest [32]byte) [32]byte) (*evidence.Evidence, [32]byte) {
	t.Helper()
	p := c.parts(s)
	q := qualify(p.Digest())
	digest := sha256.Sum256(p.pcrBytes())
	quote := c.statement(q[:])
	quote.Quote = &Quote{Selection: s, Digest: digest[:]}
	p.Quoted = quote.Bytes()
	p.Signature = c.sign(t, p.Quoted)
	nv := c.statement(q[:])
	nv.NV = &NV{Name: CounterName(), Contents: binary.BigEndian.AppendUint64(nil, c.clock.Counter)}
	p.NV = nv.Bytes()
	p.NVSignature = c.sign(t, p.NV)
	return p.Evidence(), q
}

// forNode is the qualifying data of a device in a task.
func forNode(rest [32]byte) [32]byte {
	return Qualify([32]byte{1}, [32]byte{2}, [32]byte{3}, rest)
}

// logWriter writes boot logs with a SHA-1 and a SHA-256 bank.
type logWriter struct{ b []byte }

func newLog() (w logWriter) {
	le := binary.LittleEndian
	head := append([]byte{}, specID...)
	head = append(head, 0, 0, 0, 0, 0, 2, 0, 2)
	head = le.AppendUint32(head, 2)
	for _, v := range []uint16{0x0004, 20, algSHA256, 32} {
		head = le.AppendUint16(head, v)
	}
	head = append(head, 0)
	w.b = append(le.AppendUint32(le.AppendUint32(nil, 0), evNoAction), make([]byte, 20)...)
	w.b = append(le.AppendUint32(w.b, uint32(len(head))), head...)
	return w
}

func (w *logWriter) event(pcr, kind uint32, digest wire.Hash, data []byte) {
	le := binary.LittleEndian
	w.b = le.AppendUint32(le.AppendUint32(le.AppendUint32(w.b, pcr), kind), 2)
	w.b = append(le.AppendUint16(w.b, 0x0004), make([]byte, 20)...)
	w.b = append(le.AppendUint16(w.b, algSHA256), digest[:]...)
	w.b = append(le.AppendUint32(w.b, uint32(len(data))), data...)
}

// maker is a simulated manufacturer with a root and an issuing authority.
type maker struct{ root, issuing []byte }

func newMaker(t testing.TB) *maker {
	t.Helper()
	ca := func(name string, serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: issued, NotAfter: issued.AddDate(20, 0, 0),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root, issuing := ca("Simulated TPM root", 1), ca("Simulated TPM issuer", 2)
	return &maker{
		root:    create(t, root, root, &rootKey().PublicKey, rootKey()),
		issuing: create(t, issuing, root, &issueKey().PublicKey, rootKey()),
	}
}

func create(t testing.TB, c, parent *x509.Certificate, pub any, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (m *maker) anchors() []evidence.Anchor {
	return []evidence.Anchor{{Vendor: evidence.TPMMaker, DER: m.root, Simulated: true}}
}

// ekTemplate is an endorsement certificate by the profile, before it is signed.
func ekTemplate(t testing.TB) *x509.Certificate {
	t.Helper()
	return &x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: issued, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageKeyEncipherment, UnknownExtKeyUsage: []asn1.ObjectIdentifier{oidEKCertificate}, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: altName(t, "id:49424D00", "SW TPM", "id:00010001")}},
	}
}

// altName is a GeneralNames with one directory name.
func altName(t testing.TB, manufacturer, model, version string) []byte {
	t.Helper()
	rdn := func(oid asn1.ObjectIdentifier, v string) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: oid, Value: v}}
	}
	name := pkix.RDNSequence{rdn(oidManufacturer, manufacturer), rdn(oidModel, model), rdn(oidVersion, version)}
	der, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	san, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: der}})
	if err != nil {
		t.Fatal(err)
	}
	return san
}

func (m *maker) endorse(t testing.TB, c *x509.Certificate, pub any) []byte {
	t.Helper()
	issuing, err := x509.ParseCertificate(m.issuing)
	if err != nil {
		t.Fatal(err)
	}
	return create(t, c, issuing, pub, issueKey())
}

func (m *maker) chain(t testing.TB, c *chip) [][]byte {
	t.Helper()
	return [][]byte{m.endorse(t, ekTemplate(t), &c.ek.PublicKey), m.issuing}
}
