package intel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

// A small hardware maker with Intel's formats, for paths that real evidence
// does not take. Fields are what a test changes before it makes something.

// simAt is when the simulated world is judged, Unix seconds.
var simAt = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).Unix()

const day = 24 * 3600

type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

type vendor struct {
	t                     testing.TB
	root, ca, signer, pck pair
	kind                  evidence.Kind
	version, body         uint16

	pckExt  PCK
	qe, app EnclaveReport
	td      TDReport

	tcb     tcbText
	qeLevel []levelText
	qeText  map[string]any

	revokedByCA, revokedByRoot []*big.Int
}

type levelText struct {
	svn        int
	status     string
	advisories []string
}

type tcbText struct {
	fmspc   string
	pceid   string
	number  int
	issued  int64
	levels  []map[string]any
	modules []map[string]any
}

func serial(n int64) *big.Int {
	b := make([]byte, maxSerial)
	b[0] = 0x7f
	return new(big.Int).Add(new(big.Int).SetBytes(b), big.NewInt(n))
}

// newVendor makes a maker whose evidence of a kind and format is UpToDate.
func newVendor(t testing.TB, kind evidence.Kind, version, body uint16) *vendor {
	v := &vendor{t: t, kind: kind, version: version, body: body}
	v.root = v.issue("Simulated SGX Root CA", 1, nil, func(c *x509.Certificate) { ca(c, 1) })
	v.ca = v.issue("Simulated SGX PCK Platform CA", 2, &v.root, func(c *x509.Certificate) { ca(c, 0) })
	v.signer = v.issue("Simulated SGX TCB Signing", 3, &v.root, nil)

	v.pckExt = PCK{PCESVN: 11, FMSPC: [6]byte{0, 0x80, 0x6f, 5, 0, 0xab}, PPID: [16]byte{1, 2, 3}, Type: 1}
	for i := range v.pckExt.Components {
		v.pckExt.Components[i] = 5
	}
	v.certify()

	v.qe = EnclaveReport{MRSIGNER: wire.Hash{9, 9}, ISVProdID: 1, ISVSVN: 8, Attributes: [16]byte{0x11}}
	v.app = EnclaveReport{MRENCLAVE: wire.Hash{1}, MRSIGNER: wire.Hash{2}, ISVProdID: 3, ISVSVN: 4, Attributes: [16]byte{5}, ReportData: [64]byte{7}}
	v.td = TDReport{TEETCBSVN: [16]byte{5, 1, 6}, MRTD: Register{1}, TDAttributes: [8]byte{3: 0x10}, ReportData: [64]byte{7}, V15: body == BodyTD15}
	v.tcb = tcbText{fmspc: "00806F0500AB", pceid: "0000", number: 17, issued: simAt - day}
	v.tcb.levels = []map[string]any{v.level(5, 11, 5, "UpToDate"), v.level(4, 11, 4, "OutOfDate", "SA-2", "SA-1")}
	v.module(1, levelText{5, "UpToDate", nil}, levelText{3, "OutOfDate", []string{"SA-3"}})
	v.qeLevel = []levelText{{8, "UpToDate", nil}, {6, "OutOfDate", []string{"SA-9", "SA-1"}}}
	v.qeText = map[string]any{"miscselect": "00000000", "miscselectMask": "FFFFFFFF", "attributes": "11000000000000000000000000000000",
		"attributesMask": "FBFFFFFFFFFFFFFF0000000000000000", "mrsigner": v.qe.MRSIGNER.String(), "isvprodid": 1}
	return v
}

func ca(c *x509.Certificate, below int) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.MaxPathLen, c.MaxPathLenZero = below, below == 0
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// issue makes a certificate valid for a year around simAt.
func (v *vendor) issue(name string, number int64, by *pair, change func(*x509.Certificate)) pair {
	v.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		v.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial(number), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(simAt-200*day, 0), NotAfter: time.Unix(simAt+200*day, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	parent := pair{c, key}
	if by != nil {
		parent = *by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		v.t.Fatal(err)
	}
	return pair{mustCert(v.t, der), key}
}

// certify issues the PCK certificate anew from pckExt.
func (v *vendor) certify() {
	v.pck = v.issue("Simulated SGX PCK Certificate", 4, &v.ca, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: OIDSGXExtension, Value: v.extension()}}
	})
}

func (v *vendor) extension() []byte {
	type part struct {
		ID    asn1.ObjectIdentifier
		Value any
	}
	id := func(n ...int) asn1.ObjectIdentifier { return append(slices.Clone(OIDSGXExtension), n...) }
	p := &v.pckExt
	var tcb []part
	for i, c := range p.Components {
		tcb = append(tcb, part{id(2, i+1), int(c)})
	}
	tcb = append(tcb, part{id(2, 17), int(p.PCESVN)}, part{id(2, 18), p.CPUSVN[:]})
	all := []part{{id(1), p.PPID[:]}, {id(2), tcb}, {id(3), p.PCEID[:]}, {id(4), p.FMSPC[:]}, {id(5), asn1.Enumerated(p.Type)}}
	// encoding/asn1 does not write interface fields of a slice's elements as
	// nested slices of structs, so each part is encoded on its own.
	var encode func(any) asn1.RawValue
	encode = func(x any) asn1.RawValue {
		if list, ok := x.([]part); ok {
			var body []byte
			for _, a := range list {
				oid, err := asn1.Marshal(a.ID)
				if err != nil {
					v.t.Fatal(err)
				}
				body = append(body, sequence(v.t, append(oid, encode(a.Value).FullBytes...))...)
			}
			return asn1.RawValue{FullBytes: sequence(v.t, body)}
		}
		b, err := asn1.Marshal(x)
		if err != nil {
			v.t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: b}
	}
	return encode(all).FullBytes
}

func sequence(t testing.TB, body []byte) []byte {
	b, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// level is a platform level that asks the same SVN of every component.
func (v *vendor) level(comp, pcesvn, tdx int, status string, advisories ...string) map[string]any {
	same := func(n int) []map[string]int {
		c := make([]map[string]int, 16)
		for i := range c {
			c[i] = map[string]int{"svn": n}
		}
		return c
	}
	tdxComps := same(0)
	tdxComps[0], tdxComps[2] = map[string]int{"svn": tdx}, map[string]int{"svn": tdx}
	return map[string]any{"tcb": map[string]any{"sgxtcbcomponents": same(comp), "pcesvn": pcesvn, "tdxtcbcomponents": tdxComps},
		"tcbStatus": status, "advisoryIDs": advisories, "tcbDate": "2025-01-01T00:00:00Z"}
}

func levelsJSON(levels []levelText) []map[string]any {
	out := []map[string]any{}
	for _, l := range levels {
		out = append(out, map[string]any{"tcb": map[string]any{"isvsvn": l.svn}, "tcbStatus": l.status, "advisoryIDs": l.advisories})
	}
	return out
}

// moduleText is a TDX module without a maker or attributes.
func moduleText() map[string]any {
	return map[string]any{"mrsigner": hex.EncodeToString(make([]byte, 48)), "attributes": "0000000000000000", "attributesMask": "FFFFFFFFFFFFFFFF"}
}

func (v *vendor) module(version byte, levels ...levelText) {
	m := moduleText()
	m["id"] = "TDX_" + hex.EncodeToString([]byte{version})
	m["tcbLevels"] = levelsJSON(levels)
	v.tcb.modules = append(v.tcb.modules, m)
}

func (v *vendor) sign(key *ecdsa.PrivateKey, message []byte) []byte {
	h := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, key, h[:])
	if err != nil {
		v.t.Fatal(err)
	}
	out := make([]byte, SignatureSize)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

func (v *vendor) document(t evidence.ItemType, content map[string]any) evidence.Item {
	body, err := json.Marshal(content)
	if err != nil {
		v.t.Fatal(err)
	}
	return evidence.Item{Type: t, Body: body, Signature: v.sign(v.signer.key, body), Chain: [][]byte{v.signer.cert.Raw, v.root.cert.Raw}}
}

func (v *vendor) tcbInfo() evidence.Item {
	m := map[string]any{"id": tcbInfoIDs[v.kind], "version": 3, "issueDate": stamp(v.tcb.issued), "nextUpdate": stamp(v.tcb.issued + 30*day),
		"fmspc": v.tcb.fmspc, "pceId": v.tcb.pceid, "tcbType": 0, "tcbEvaluationDataNumber": v.tcb.number, "tcbLevels": v.tcb.levels}
	if v.kind == evidence.TDX {
		m["tdxModule"], m["tdxModuleIdentities"] = moduleText(), v.tcb.modules
	}
	return v.document(evidence.TCBInfo, m)
}

func (v *vendor) qeIdentity() evidence.Item {
	m := map[string]any{"id": qeIdentityIDs[v.kind], "version": 2, "issueDate": stamp(simAt - day), "nextUpdate": stamp(simAt + 29*day),
		"tcbEvaluationDataNumber": 18, "tcbLevels": levelsJSON(v.qeLevel)}
	for k, x := range v.qeText {
		m[k] = x
	}
	return v.document(evidence.QEIdentity, m)
}

// list makes a revocation list, valid from a day before simAt for 30 days.
func (v *vendor) list(by pair, revoked []*big.Int, change func(*x509.RevocationList)) evidence.Item {
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Unix(simAt-day, 0), NextUpdate: time.Unix(simAt+29*day, 0)}
	for _, s := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: l.ThisUpdate})
	}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		v.t.Fatal(err)
	}
	item := evidence.Item{Type: evidence.CRL, Body: der}
	if by.cert != v.root.cert {
		item.Chain = [][]byte{by.cert.Raw, v.root.cert.Raw}
	}
	return item
}

func (v *vendor) anchor() evidence.Anchor {
	return evidence.Anchor{Vendor: evidence.Intel, DER: v.root.cert.Raw, Simulated: true}
}

// source has everything the maker says now, under the keys it is looked for.
func (v *vendor) source() *evidence.Set {
	set := &evidence.Set{Trusted: []evidence.Anchor{v.anchor()}}
	set.Add(crlKey(issuerID(v.root.cert)), v.list(v.root, v.revokedByRoot, nil))
	set.Add(crlKey(issuerID(v.ca.cert)), v.list(v.ca, v.revokedByCA, nil))
	set.Add(v.tcbKey(), v.tcbInfo())
	set.Add(qeIdentityKey(v.kind), v.qeIdentity())
	return set
}

func (v *vendor) tcbKey() evidence.Key { return tcbInfoKey(v.kind, v.pckExt.FMSPC[:]) }

func enclaveBytes(r *EnclaveReport) []byte {
	b := make([]byte, EnclaveReportSize)
	copy(b[OffCPUSVN:], r.CPUSVN[:])
	copy(b[OffMiscSelect:], r.MiscSelect[:])
	copy(b[OffAttributes:], r.Attributes[:])
	copy(b[OffMRENCLAVE:], r.MRENCLAVE[:])
	copy(b[OffMRSIGNER:], r.MRSIGNER[:])
	binary.LittleEndian.PutUint16(b[OffISVProdID:], r.ISVProdID)
	binary.LittleEndian.PutUint16(b[OffISVSVN:], r.ISVSVN)
	copy(b[OffReportData:], r.ReportData[:])
	return b
}

func tdBytes(r *TDReport) []byte {
	b := make([]byte, TDReport10Size)
	if r.V15 {
		b = make([]byte, TDReport15Size)
	}
	copy(b[OffTEETCBSVN:], r.TEETCBSVN[:])
	copy(b[OffMRSIGNERSEAM:], r.MRSIGNERSEAM[:])
	copy(b[OffSEAMAttributes:], r.SEAMAttributes[:])
	copy(b[OffTDAttributes:], r.TDAttributes[:])
	copy(b[OffXFAM:], r.XFAM[:])
	copy(b[OffMRTD:], r.MRTD[:])
	for i := range r.RTMR {
		copy(b[OffRTMR+48*i:], r.RTMR[i][:])
	}
	copy(b[OffTDReportData:], r.ReportData[:])
	return b
}

// parts are the pieces of a quote a test may spoil before they are joined.
type parts struct {
	signed, sig, key, qeReport, qeSig, auth, certs []byte
	wrap, certType                                 uint16
}

func (v *vendor) parts() *parts {
	h := make([]byte, HeaderSize)
	binary.LittleEndian.PutUint16(h[OffVersion:], v.version)
	binary.LittleEndian.PutUint16(h[OffKeyType:], KeyTypeECDSAP256)
	copy(h[OffVendorID:], VendorIDIntel[:])
	body := enclaveBytes(&v.app)
	if v.kind == evidence.TDX {
		binary.LittleEndian.PutUint32(h[OffTEEType:], TEETypeTDX)
		body = tdBytes(&v.td)
	}
	if v.version == Version5 {
		h = binary.LittleEndian.AppendUint16(h, v.body)
		h = binary.LittleEndian.AppendUint32(h, uint32(len(body)))
	}
	ak, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		v.t.Fatal(err)
	}
	point, err := ak.PublicKey.Bytes()
	if err != nil {
		v.t.Fatal(err)
	}
	p := &parts{signed: append(h, body...), key: point[1:], auth: []byte("authentication"), wrap: CertQEReport, certType: CertPCKChain}
	p.sig = v.sign(ak, p.signed)
	bound := sha256.Sum256(append(slices.Clone(p.key), p.auth...))
	qe := v.qe
	copy(qe.ReportData[:], bound[:])
	p.qeReport = enclaveBytes(&qe)
	p.qeSig = v.sign(v.pck.key, p.qeReport)
	for _, c := range []pair{v.pck, v.ca, v.root} {
		p.certs = append(p.certs, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	return p
}

// join makes a quote of parts.
func (v *vendor) join(p *parts) *evidence.Evidence {
	le := binary.LittleEndian
	inner := slices.Concat(p.qeReport, p.qeSig)
	inner = append(le.AppendUint16(inner, uint16(len(p.auth))), p.auth...)
	inner = append(le.AppendUint32(le.AppendUint16(inner, p.certType), uint32(len(p.certs))), p.certs...)
	sig := slices.Concat(p.sig, p.key)
	if v.version != Version3 {
		sig = le.AppendUint32(le.AppendUint16(sig, p.wrap), uint32(len(inner)))
	}
	sig = append(sig, inner...)
	return &evidence.Evidence{Kind: v.kind, Quote: append(le.AppendUint32(slices.Clone(p.signed), uint32(len(sig))), sig...)}
}

func (v *vendor) evidence() *evidence.Evidence { return v.join(v.parts()) }
