package intel

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

// formats are all a maker can emit.
var formats = []struct {
	kind          evidence.Kind
	version, body uint16
}{
	{evidence.SGX, Version3, BodySGX},
	{evidence.SGX, Version4, BodySGX},
	{evidence.SGX, Version5, BodySGX},
	{evidence.TDX, Version4, BodyTD10},
	{evidence.TDX, Version5, BodyTD10},
	{evidence.TDX, Version5, BodyTD15},
}

func newSGX(t testing.TB) *vendor { return newVendor(t, evidence.SGX, Version3, BodySGX) }
func newTDX(t testing.TB) *vendor { return newVendor(t, evidence.TDX, Version4, BodyTD10) }

// refused expects Verify to give a code.
func (v *vendor) refused(e *evidence.Evidence, src evidence.Source, want wire.Code) {
	v.t.Helper()
	_, err := Verify(e, src, simAt)
	wantCode(v.t, err, want)
}

// accepted expects Verify to give a status, and Assess to give the same.
func (v *vendor) accepted(want evidence.Status, advisories ...string) *evidence.Result {
	v.t.Helper()
	src := v.source()
	r, err := Verify(v.evidence(), src, simAt)
	if err != nil {
		v.t.Fatal(err)
	}
	if r.Status != want || !slices.Equal(r.Advisories, advisories) {
		v.t.Fatalf("status %s %v, want %s %v", r.Status, r.Advisories, want, advisories)
	}
	s, a, err := Assess(v.kind, r.Level, src, simAt)
	if err != nil || s != want || !slices.Equal(a, advisories) {
		v.t.Fatalf("assessed again: %s %v, %v", s, a, err)
	}
	return &r
}

func TestEveryFormatOfASimulatedMakerIsVerified(t *testing.T) {
	for _, f := range formats {
		t.Run(fmt.Sprintf("%s-v%d-body%d", f.kind, f.version, f.body), func(t *testing.T) {
			v := newVendor(t, f.kind, f.version, f.body)
			r := v.accepted(evidence.UpToDate)
			if !r.Simulated || r.Product != "00806f0500ab" || r.TCBNumber != 17 || r.ReportData != [64]byte{7} || r.Debug {
				t.Errorf("%+v", r)
			}
			want := evidence.CodeID(evidence.SGX, v.app.MRENCLAVE[:])
			if f.kind == evidence.TDX {
				zero := make([]byte, 48)
				want = evidence.CodeID(evidence.TDX, v.td.MRTD[:], zero, zero, zero, zero, zero, make([]byte, 8), []byte{0, 0, 0, 0x10, 0, 0, 0, 0})
			}
			if r.Code != want {
				t.Errorf("code %s, want %s", r.Code, want)
			}
			if f.kind == evidence.SGX && (r.Signer != v.app.MRSIGNER || r.ProdID != 3 || r.SVN != 4) {
				t.Errorf("%+v", r.Measurement)
			}
		})
	}
}

func TestDebugIsAFact(t *testing.T) {
	v := newSGX(t)
	v.app.Attributes[0] |= FlagDebug
	if !v.accepted(evidence.UpToDate).Debug {
		t.Error("a debug enclave is not said to be one")
	}
	for bit := range 8 {
		d := newTDX(t)
		d.td.TDAttributes[0] = 1 << bit
		if !d.accepted(evidence.UpToDate).Debug {
			t.Errorf("a TD with attribute %d is not said to be untrusted", bit)
		}
	}
}

func TestNewTCBInfoAloneChangesTheStatus(t *testing.T) {
	for _, v := range []*vendor{newSGX(t), newTDX(t)} {
		r := v.accepted(evidence.UpToDate)
		v.tcb.number, v.tcb.issued = 18, simAt
		v.tcb.levels = slices.Insert(v.tcb.levels, 0, v.level(6, 11, 6, "UpToDate"))
		v.tcb.levels[1]["tcbStatus"] = "OutOfDate"
		v.tcb.levels[1]["advisoryIDs"] = []string{"SA-7"}
		s, a, err := Assess(v.kind, r.Level, v.source(), simAt)
		if err != nil || s != evidence.OutOfDate || !slices.Equal(a, []string{"SA-7"}) {
			t.Errorf("%s %v, %v", s, a, err)
		}
		v.accepted(evidence.OutOfDate, "SA-7")
	}
}

func TestEverySVNCounts(t *testing.T) {
	for i := range 16 {
		v := newSGX(t)
		v.pckExt.Components[i] = 4
		v.certify()
		v.accepted(evidence.OutOfDate, "SA-1", "SA-2")
		v.pckExt.Components[i] = 3
		v.certify()
		v.accepted(evidence.NotSupported)
	}
	v := newSGX(t)
	v.pckExt.PCESVN = 10
	v.certify()
	r := v.accepted(evidence.NotSupported)
	if slices.Contains(r.Passed, PassedTCBLevel) {
		t.Error("no level fits, and yet one is said to")
	}
	v.pckExt.PCESVN = 0xffff
	for i := range v.pckExt.Components {
		v.pckExt.Components[i] = 0xff
	}
	v.qe.ISVSVN = 0xffff
	v.certify()
	v.accepted(evidence.UpToDate)
}

func TestStatusesConvergeAsIntelSays(t *testing.T) {
	// Platform status, then the result if the quoting enclave is OutOfDate.
	for platform, outdated := range map[evidence.Status]evidence.Status{
		evidence.UpToDate:                          evidence.OutOfDate,
		evidence.SWHardeningNeeded:                 evidence.OutOfDate,
		evidence.ConfigurationNeeded:               evidence.OutOfDateConfigurationNeeded,
		evidence.ConfigurationAndSWHardeningNeeded: evidence.OutOfDateConfigurationNeeded,
		evidence.OutOfDate:                         evidence.OutOfDate,
		evidence.OutOfDateConfigurationNeeded:      evidence.OutOfDateConfigurationNeeded,
		evidence.Revoked:                           evidence.Revoked,
	} {
		v := newSGX(t)
		v.tcb.levels[0]["tcbStatus"] = platform.String()
		v.accepted(platform)
		v.qe.ISVSVN = 7
		v.accepted(outdated, "SA-1", "SA-9")
		v.qeLevel[1].status = "Revoked"
		v.accepted(evidence.Revoked, "SA-1", "SA-9")
		if platform != evidence.Revoked {
			v.qe.ISVSVN = 5
			v.accepted(evidence.NotSupported)
		}
	}
}

func TestATDXModuleWithAVersionIsJudgedByItsOwnLevels(t *testing.T) {
	for _, c := range []struct {
		svn    [16]byte
		want   evidence.Status
		advice []string
	}{
		{[16]byte{5, 1, 6}, evidence.UpToDate, nil},
		{[16]byte{4, 1, 6}, evidence.OutOfDate, []string{"SA-3"}},         // component 0 is the module's business
		{[16]byte{2, 1, 6}, evidence.NotSupported, nil},                   // below every module level
		{[16]byte{5, 9, 6}, evidence.NotSupported, nil},                   // a version nobody lists
		{[16]byte{5, 1, 4}, evidence.OutOfDate, []string{"SA-1", "SA-2"}}, // microcode
		{[16]byte{4, 0, 6}, evidence.OutOfDate, []string{"SA-1", "SA-2"}}, // without a version all components count
		{[16]byte{5, 0, 6}, evidence.UpToDate, nil},
		{[16]byte{3, 0, 6}, evidence.NotSupported, nil},
	} {
		v := newTDX(t)
		v.td.TEETCBSVN = c.svn
		v.accepted(c.want, c.advice...)
	}
}

func TestTheModulesOwnComponentsAreLeftToItsLevels(t *testing.T) {
	v := newTDX(t)
	comps := v.tcb.levels[0]["tcb"].(map[string]any)["tdxtcbcomponents"].([]map[string]int)
	comps[0], comps[1] = map[string]int{"svn": 9}, map[string]int{"svn": 9}
	v.accepted(evidence.UpToDate)
	comps[15] = map[string]int{"svn": 1}
	v.accepted(evidence.OutOfDate, "SA-1", "SA-2")
}

func TestAForeignModuleOrQuotingEnclaveIsRefused(t *testing.T) {
	for name, change := range map[string]func(*vendor){
		"module signer":            func(v *vendor) { v.td.MRSIGNERSEAM[47] = 1 },
		"module attributes":        func(v *vendor) { v.td.SEAMAttributes[7] = 1 },
		"module without a version": func(v *vendor) { v.td.TEETCBSVN[1] = 0; v.td.MRSIGNERSEAM[0] = 1 },
		"listed module attributes": func(v *vendor) { v.tcb.modules[0]["attributes"] = "0100000000000000" },
		"attributes that are listed": func(v *vendor) {
			v.td.SEAMAttributes[0] = 1
			v.tcb.modules[0]["attributes"] = "0100000000000000"
		},
		"enclave signer":             func(v *vendor) { v.qe.MRSIGNER[31] = 1 },
		"enclave product":            func(v *vendor) { v.qe.ISVProdID = 2 },
		"enclave in debug mode":      func(v *vendor) { v.qe.Attributes[0] |= FlagDebug },
		"enclave miscselect":         func(v *vendor) { v.qe.MiscSelect[3] = 1 },
		"enclave without attributes": func(v *vendor) { v.qe.Attributes[0] = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			v := newTDX(t)
			change(v)
			v.refused(v.evidence(), v.source(), wire.ErrEvidenceBinding)
		})
	}
	v := newTDX(t)
	v.qe.Attributes[8] = 3 // outside the mask
	v.accepted(evidence.UpToDate)
}

func TestRevokedCertificatesEndEvidence(t *testing.T) {
	for name, revoke := range map[string]func(*vendor){
		"PCK certificate": func(v *vendor) { v.revokedByCA = []*big.Int{serial(77), v.pck.cert.SerialNumber} },
		"PCK CA":          func(v *vendor) { v.revokedByRoot = []*big.Int{v.ca.cert.SerialNumber} },
	} {
		t.Run(name, func(t *testing.T) {
			v := newSGX(t)
			level := v.accepted(evidence.UpToDate).Level
			revoke(v)
			src := v.source()
			v.refused(v.evidence(), src, wire.ErrEvidenceRevoked)
			s, a, err := Assess(v.kind, level, src, simAt)
			if s != evidence.Revoked || a != nil || err != nil {
				t.Errorf("%s %v, %v", s, a, err)
			}
			delete(src.Items, v.tcbKey())
			if s, _, err := Assess(v.kind, level, src, simAt); s != evidence.Revoked || err != nil {
				t.Errorf("without TCB info: %s, %v", s, err)
			}
		})
	}
	v := newSGX(t)
	v.revokedByCA, v.revokedByRoot = []*big.Int{serial(77)}, []*big.Int{v.pck.cert.SerialNumber}
	v.accepted(evidence.UpToDate) // serials belong to an issuer
}

func TestEvidenceOfAnotherMakerIsRefused(t *testing.T) {
	v, other := newSGX(t), newSGX(t)
	v.refused(other.evidence(), v.source(), wire.ErrUnknownAnchor)

	// Two trusted makers: neither speaks for the other's platforms.
	for _, k := range []evidence.Key{v.tcbKey(), qeIdentityKey(v.kind)} {
		src := v.source()
		src.Trusted = append(src.Trusted, other.anchor())
		item, _ := other.source().Item(k)
		src.Add(k, item)
		v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
		_, _, err := Assess(v.kind, v.accepted(evidence.UpToDate).Level, src, simAt)
		wantCode(t, err, wire.ErrCollateralMismatch)
	}
	for own, foreign := range map[evidence.Key]evidence.Item{
		crlKey(issuerID(v.root.cert)): other.list(other.root, nil, nil),
		crlKey(issuerID(v.ca.cert)):   other.list(other.ca, nil, nil),
	} {
		src := v.source()
		src.Trusted = append(src.Trusted, other.anchor())
		src.Add(own, foreign)
		v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
	}
}

func TestCollateralOfAnotherPlatformIsRefused(t *testing.T) {
	for name, change := range map[string]func(*vendor){
		"FMSPC":  func(v *vendor) { v.tcb.fmspc = "00806F0500AC" },
		"PCE id": func(v *vendor) { v.tcb.pceid = "0001" },
	} {
		t.Run(name, func(t *testing.T) {
			v := newSGX(t)
			change(v)
			v.refused(v.evidence(), v.source(), wire.ErrCollateralMismatch)
		})
	}
	v, td := newSGX(t), newTDX(t)
	td.root, td.signer = v.root, v.signer
	for _, item := range []evidence.Item{td.tcbInfo(), td.qeIdentity()} {
		src := v.source()
		key := v.tcbKey()
		if item.Type == evidence.QEIdentity {
			key = qeIdentityKey(v.kind)
		}
		src.Add(key, item)
		v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
	}
	src := v.source()
	src.Add(v.tcbKey(), v.qeIdentity())
	v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
	src = v.source()
	src.Add(crlKey(issuerID(v.root.cert)), v.list(v.ca, nil, nil))
	v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
	src = v.source()
	src.Add(crlKey(issuerID(v.ca.cert)), v.list(v.root, nil, nil))
	v.refused(v.evidence(), src, wire.ErrCollateralMismatch)
}

func TestPartsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	v := newTDX(t)
	src := v.source()
	for name, c := range map[string]struct {
		spoil func(*parts)
		want  wire.Code
	}{
		"nothing":                      {func(*parts) {}, wire.OK},
		"QE report of another quote":   {func(p *parts) { o := v.parts(); p.qeReport, p.qeSig = o.qeReport, o.qeSig }, wire.ErrEvidenceBinding},
		"QE report by another key":     {func(p *parts) { p.qeSig = v.sign(v.ca.key, p.qeReport) }, wire.ErrEvidenceSignature},
		"other authentication data":    {func(p *parts) { p.auth = []byte("another") }, wire.ErrEvidenceBinding},
		"body of another quote":        {func(p *parts) { p.signed[HeaderSize+OffMRTD]++ }, wire.ErrEvidenceSignature},
		"quote signed by the PCK":      {func(p *parts) { p.sig = v.sign(v.pck.key, p.signed) }, wire.ErrEvidenceSignature},
		"signature of zeros":           {func(p *parts) { p.sig = make([]byte, SignatureSize) }, wire.ErrEvidenceSignature},
		"key that is not on the curve": {func(p *parts) { v.rekey(p, make([]byte, PublicKeySize)) }, wire.ErrEvidenceSignature},
		"something after the key hash": {func(p *parts) { p.qeReport[OffReportData+63] = 1; p.qeSig = v.sign(v.pck.key, p.qeReport) }, wire.ErrEvidenceBinding},
		"reserved bytes in use":        {func(p *parts) { p.qeReport[20] = 1; p.qeSig = v.sign(v.pck.key, p.qeReport) }, wire.ErrEvidenceMalformed},
		"QE report not wrapped":        {func(p *parts) { p.wrap = CertPCKChain }, wire.ErrEvidenceUnsupported},
		"certificates of another type": {func(p *parts) { p.certType = 4 }, wire.ErrEvidenceUnsupported},
		"unknown version":              {func(p *parts) { p.signed[OffVersion] = 6 }, wire.ErrEvidenceUnsupported},
		"unknown key type":             {func(p *parts) { p.signed[OffKeyType] = 3 }, wire.ErrEvidenceUnsupported},
		"unknown TEE type":             {func(p *parts) { p.signed[OffTEEType] = 0x82 }, wire.ErrEvidenceUnsupported},
		"unknown QE vendor":            {func(p *parts) { p.signed[OffVendorID] = 0 }, wire.ErrEvidenceUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.parts()
			c.spoil(p)
			_, err := Verify(v.join(p), src, simAt)
			wantCode(t, err, c.want)
		})
	}
}

func TestABodyIsWhatTheHeaderSays(t *testing.T) {
	v := newSGX(t)
	p := v.parts()
	p.signed[OffTEEType] = 1 // reserved in format 3
	v.refused(v.join(p), v.source(), wire.ErrEvidenceMalformed)

	five := newVendor(t, evidence.TDX, Version5, BodyTD15)
	for size, want := range map[uint32]wire.Code{
		TDReport15Size: wire.OK, TDReport10Size: wire.ErrEvidenceMalformed, 0: wire.ErrEvidenceMalformed, 1<<32 - 1: wire.ErrEvidenceMalformed,
	} {
		p := five.parts()
		binary.LittleEndian.PutUint32(p.signed[HeaderSize+2:], size)
		five.refused(five.join(p), five.source(), want)
	}
	for body, want := range map[uint16]wire.Code{BodySGX: wire.ErrEvidenceUnsupported, BodyTD10: wire.ErrEvidenceMalformed, 4: wire.ErrEvidenceUnsupported} {
		p := five.parts()
		binary.LittleEndian.PutUint16(p.signed[HeaderSize:], body)
		five.refused(five.join(p), five.source(), want)
	}
}

// rekey puts another attestation key in, properly bound.
func (v *vendor) rekey(p *parts, key []byte) {
	bound := sha256.Sum256(append(slices.Clone(key), p.auth...))
	p.key = key
	copy(p.qeReport[OffReportData:], bound[:])
	p.qeSig = v.sign(v.pck.key, p.qeReport)
}

func TestCertificatesHaveOneForm(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	blocks := func(certs ...pair) (out []byte) {
		for _, c := range certs {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
		}
		return out
	}
	good := blocks(v.pck, v.ca, v.root)
	reRoot := v.issue("Simulated SGX Root CA", 1, nil, func(c *x509.Certificate) { ca(c, 1) })
	for name, c := range map[string]struct {
		certs []byte
		want  wire.Code
	}{
		"as it is":         {good, wire.OK},
		"one NUL":          {append(slices.Clone(good), 0), wire.OK},
		"two NULs":         {append(slices.Clone(good), 0, 0), wire.ErrEvidenceChain},
		"a line feed":      {append(slices.Clone(good), '\n'), wire.ErrEvidenceChain},
		"no last line end": {good[:len(good)-1], wire.ErrEvidenceChain},
		"text before":      {append([]byte("x\n"), good...), wire.ErrEvidenceChain},
		"CRLF":             {bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), wire.ErrEvidenceChain},
		"a header":         {bytes.Replace(good, []byte("-\n"), []byte("-\nA: b\n\n"), 1), wire.ErrEvidenceChain},
		"another type":     {bytes.ReplaceAll(good, []byte("CERTIFICATE"), []byte("X509 CERTIFICATE")), wire.ErrEvidenceChain},
		"none":             {nil, wire.ErrEvidenceChain},
		"no root":          {blocks(v.pck, v.ca), wire.ErrEvidenceChain},
		"four":             {append(slices.Clone(good), blocks(v.root)...), wire.ErrEvidenceChain},
		"wrong order":      {blocks(v.ca, v.pck, v.root), wire.ErrEvidenceChain},
		"CA twice":         {blocks(v.ca, v.ca, v.root), wire.ErrEvidenceChain},
		"TCB signer":       {blocks(v.signer, v.ca, v.root), wire.ErrEvidenceChain},
		"same-named root":  {blocks(v.pck, v.ca, reRoot), wire.ErrUnknownAnchor},
	} {
		t.Run(name, func(t *testing.T) {
			p := v.parts()
			p.certs = c.certs
			_, err := Verify(v.join(p), src, simAt)
			wantCode(t, err, c.want)
		})
	}
}

func TestAPCKCertificateMustBeOne(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   wire.Code
	}{
		"no SGX extension":   {nil, wire.ErrEvidenceMalformed},
		"a long serial":      {func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 160) }, wire.ErrEvidenceChain},
		"an odd must":        {func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Critical: true}} }, wire.ErrEvidenceChain},
		"not begun":          {func(c *x509.Certificate) { v.extend(c); c.NotBefore = time.Unix(simAt+1, 0) }, wire.ErrEvidenceNotYet},
		"over":               {func(c *x509.Certificate) { v.extend(c); c.NotAfter = time.Unix(simAt-1, 0) }, wire.ErrEvidenceExpired},
		"in its last second": {func(c *x509.Certificate) { v.extend(c); c.NotAfter = time.Unix(simAt, 0) }, wire.OK},
	} {
		t.Run(name, func(t *testing.T) {
			w := *v
			w.pck = v.issue("Simulated SGX PCK Certificate", 9, &v.ca, c.change)
			_, err := Verify(w.evidence(), src, simAt)
			wantCode(t, err, c.want)
		})
	}
	w := *v
	w.pck = v.issue("Simulated SGX PCK Certificate", 9, &v.root, v.extend) // not through the CA
	v.refused(w.evidence(), src, wire.ErrEvidenceChain)
}

func TestOnlyP256KeysAreLookedAt(t *testing.T) {
	v := newSGX(t)
	src := v.source()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: serial(30), Subject: v.pck.cert.Subject, NotBefore: v.pck.cert.NotBefore, NotAfter: v.pck.cert.NotAfter}
	der, err := x509.CreateCertificate(rand.Reader, c, v.ca.cert, &key.PublicKey, v.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	v.pck.cert = mustCert(t, der)
	v.refused(v.evidence(), src, wire.ErrEvidenceChain)
}

func (v *vendor) extend(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: OIDSGXExtension, Value: v.extension()}}
}

func TestNotAfterIsWhenTheFirstThingExpires(t *testing.T) {
	v := newSGX(t)
	if r := v.accepted(evidence.UpToDate); r.NotAfter != simAt+29*day {
		t.Errorf("until %s", stamp(r.NotAfter))
	}
	v.pck = v.issue("Simulated SGX PCK Certificate", 9, &v.ca, func(c *x509.Certificate) { v.extend(c); c.NotAfter = time.Unix(simAt+5, 0) })
	if r := v.accepted(evidence.UpToDate); r.NotAfter != simAt+5 {
		t.Errorf("until %s", stamp(r.NotAfter))
	}
}

func TestALevelIsWhatVerifyMade(t *testing.T) {
	v := newTDX(t)
	src := v.source()
	level := v.accepted(evidence.UpToDate).Level
	for n := range level {
		_, _, err := Assess(v.kind, level[:n], src, simAt)
		wantCode(t, err, wire.ErrEvidenceMalformed)
	}
	_, _, err := Assess(v.kind, append(slices.Clone(level), 0), src, simAt)
	wantCode(t, err, wire.ErrEvidenceMalformed)
	long := wire.Marshal(&tuple{Serial: make([]byte, maxSerial+1)})
	_, _, err = Assess(v.kind, long, src, simAt)
	wantCode(t, err, wire.ErrEvidenceMalformed)
	_, _, err = Assess(evidence.SNP, level, src, simAt)
	wantCode(t, err, wire.ErrEvidenceUnsupported)
	_, err = Verify(&evidence.Evidence{Kind: evidence.TPM, Quote: []byte{1}}, src, simAt)
	wantCode(t, err, wire.ErrEvidenceUnsupported)

	worst := wire.Marshal(&tuple{PCESVN: 0xffff, QESVN: 0xffff, Serial: make([]byte, maxSerial), IssuerSerial: make([]byte, maxSerial)})
	if len(worst) > evidence.MaxLevel {
		t.Errorf("a level can have %d bytes", len(worst))
	}
	for k := range src.Items {
		without := v.source()
		delete(without.Items, k)
		_, _, err := Assess(v.kind, level, without, simAt)
		wantCode(t, err, wire.ErrCollateralMissing)
	}
	_, _, err = Assess(v.kind, level, src, simAt+29*day+1)
	wantCode(t, err, wire.ErrCollateralExpired)
}
