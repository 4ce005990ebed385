package amd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// sample is a row of snp/index.json.
type sample struct {
	Version       uint32
	GuestSVN      uint32 `json:"guest_svn"`
	Policy        string
	Debug         bool
	VMPL          uint32
	CurrentTCB    string `json:"current_tcb"`
	ReportedTCB   string `json:"reported_tcb"`
	CommittedTCB  string `json:"committed_tcb"`
	LaunchTCB     string `json:"launch_tcb"`
	PlatformInfo  string `json:"platform_info"`
	SignerInfo    string `json:"signer_info"`
	SigningKey    string `json:"signing_key"`
	ReportData    string `json:"report_data"`
	Measurement   string
	HostData      string `json:"host_data"`
	ChipID        string `json:"chip_id"`
	ReportSHA256  string `json:"report_sha256"`
	Report, Cert  string
	Roots, Result string
	VerifyAt      time.Time `json:"verify_at"`
	Validity      struct {
		NotBefore string `json:"not_before"`
		NotAfter  string `json:"not_after"`
	} `json:"cert_validity"`
}

func (s *sample) name() string { return s.Cert }

func (s *sample) accepted() bool { return s.Report != "" && !strings.HasPrefix(s.Result, "refuse") }

func (s *sample) evidence(t testing.TB) *evidence.Evidence {
	return &evidence.Evidence{Kind: evidence.SNP, Quote: file(t, "snp", s.Report), Aux: [][]byte{file(t, "snp", s.Cert)}}
}

// source trusts the sample's root and holds its intermediate.
func (s *sample) source(t testing.TB) *evidence.Set {
	product := map[bool]string{true: Milan, false: Turin}[strings.Contains(s.Roots, "milan")]
	ask, rest := pem.Decode(file(t, s.Roots))
	ark, _ := pem.Decode(rest)
	src := &evidence.Set{Trusted: []evidence.Anchor{{Vendor: evidence.AMD, DER: ark.Bytes, Product: product}}}
	key, _, err := CheckItem(evidence.Item{Type: evidence.AMDChain, Body: ask.Bytes}, src, s.at())
	if err != nil {
		t.Fatal(err)
	}
	src.Add(key, evidence.Item{Type: evidence.AMDChain, Body: ask.Bytes})
	return src
}

func (s *sample) at() int64 {
	if s.VerifyAt.IsZero() {
		return time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).Unix()
	}
	return s.VerifyAt.Unix()
}

func (s *sample) window(t testing.TB) (from, to int64) {
	var unix [2]int64
	for i, text := range []string{s.Validity.NotBefore, s.Validity.NotAfter} {
		at, err := time.Parse("Jan _2 15:04:05 2006 MST", text)
		if err != nil {
			t.Fatal(err)
		}
		unix[i] = at.Unix()
	}
	return unix[0], unix[1]
}

func file(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{evidencetest.Samples(t)}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func index(t testing.TB) (rows []sample) {
	t.Helper()
	if err := json.Unmarshal(file(t, "snp", "index.json"), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRealReportsHaveTheFieldsTheirIndexSays(t *testing.T) {
	for _, s := range index(t) {
		if s.Report == "" {
			continue
		}
		raw := file(t, "snp", s.Report)
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != s.ReportSHA256 {
			t.Fatalf("%s is not the report of the index", s.Report)
		}
		r, err := ParseReport(raw)
		if err != nil {
			t.Fatalf("%s: %v", s.Report, err)
		}
		got := map[string]string{}
		for _, f := range Explain(r) {
			got[f.Name], _, _ = strings.Cut(f.Value, " (")
		}
		for name, want := range map[string]string{
			"version": fmt.Sprint(s.Version), "guest_svn": fmt.Sprint(s.GuestSVN), "policy": s.Policy,
			"debug": fmt.Sprint(s.Debug), "vmpl": fmt.Sprint(s.VMPL), "current_tcb": s.CurrentTCB,
			"reported_tcb": s.ReportedTCB, "committed_tcb": s.CommittedTCB, "launch_tcb": s.LaunchTCB,
			"platform_info": s.PlatformInfo, "signer_info": s.SignerInfo, "signing_key": s.SigningKey,
			"report_data": s.ReportData, "measurement": s.Measurement, "host_data": s.HostData, "chip_id": s.ChipID,
		} {
			if got[name] != want {
				t.Errorf("%s: %s is %s, want %s", s.Report, name, got[name], want)
			}
		}
	}
}

func TestRealEvidenceIsJudgedAsItsIndexSays(t *testing.T) {
	for _, s := range index(t) {
		if s.Report == "" {
			continue
		}
		res, err := Verify(s.evidence(t), s.source(t), s.at())
		if !s.accepted() {
			if wire.CodeOf(err) != wire.ErrEvidenceChain && wire.CodeOf(err) != wire.ErrEvidenceSignature && wire.CodeOf(err) != wire.ErrEvidenceBinding {
				t.Errorf("%s: %v", s.name(), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.name(), err)
			continue
		}
		_, notAfter := s.window(t)
		if res.Status != evidence.UpToDate || res.Debug != s.Debug || res.VMPL != uint8(s.VMPL) || res.Product != Milan ||
			hex.EncodeToString(res.ReportData[:]) != s.ReportData || res.NotAfter != notAfter || res.Simulated {
			t.Errorf("%s: %+v", s.name(), res)
		}
		if masked := s.SigningKey == "VLEK"; res.Device.IsZero() != masked {
			t.Errorf("%s: device %s", s.name(), res.Device)
		}
		status, advisories, err := Assess(res.Level, s.source(t), s.at())
		if err != nil || status != evidence.UpToDate || advisories != nil {
			t.Errorf("%s: assessed as %s, %v, %v", s.name(), status, advisories, err)
		}
	}
}

func TestCertificatesAMDDidNotIssueBreakTheChain(t *testing.T) {
	for _, s := range index(t) {
		if !strings.Contains(s.Cert, "invalid") {
			continue
		}
		l, err := parseLeaf(file(t, "snp", s.Cert))
		if err != nil {
			t.Fatalf("%s: %v", s.Cert, err)
		}
		e, err := endorserOf(Milan, false, s.source(t), s.at())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.verifyLeaf(l, s.at()); wire.CodeOf(err) != wire.ErrEvidenceChain {
			t.Errorf("%s: %v", s.Cert, err)
		}
	}
}

func TestBeforeAndAfterValidityAreToldApart(t *testing.T) {
	for _, s := range index(t) {
		if !s.accepted() {
			continue
		}
		from, to := s.window(t)
		for _, c := range []struct {
			at   int64
			want wire.Code
		}{{from - 1, wire.ErrEvidenceNotYet}, {from, wire.OK}, {to, wire.OK}, {to + 1, wire.ErrEvidenceExpired}} {
			if _, err := Verify(s.evidence(t), s.source(t), c.at); wire.CodeOf(err) != c.want {
				t.Errorf("%s at %d: %v, want %s", s.name(), c.at, err, c.want)
			}
		}
	}
}

func TestTurinCertificateHasItsOwnLayout(t *testing.T) {
	for _, s := range index(t) {
		if s.Report != "" {
			continue
		}
		l, err := parseLeaf(file(t, "snp", s.Cert))
		if err != nil {
			t.Fatal(err)
		}
		if l.product != Turin || len(l.hwid) != 8 || l.csp {
			t.Errorf("product %s, hardware id %x", l.product, l.hwid)
		}
		id := [64]byte{}
		copy(id[:], l.hwid)
		if !l.isChip(id) {
			t.Error("a zero-padded chip id is not the certificate's")
		}
		if id[63] = 1; l.isChip(id) {
			t.Error("bytes after a chip id of 8 are not looked at")
		}
		e, err := endorserOf(Turin, false, s.source(t), s.at())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.verifyLeaf(l, s.at()); err != nil {
			t.Error(err)
		}
	}
}

// all tries more than a run of every day does; a run takes minutes then.
var all = flag.Bool("all", false, "flip every bit of every accepted report")

// Every byte of every accepted report and its certificate has one of its bits
// flipped, another one in the next byte; with -all every bit is.
func TestNoByteOfAReportOrItsCertificateCanChange(t *testing.T) {
	for _, s := range index(t) {
		if !s.accepted() {
			continue
		}
		t.Run(s.Report, func(t *testing.T) {
			t.Parallel()
			e, src := s.evidence(t), s.source(t)
			for part, b := range [][]byte{e.Quote, e.Aux[0]} {
				for bit := range len(b) * 8 {
					if at := bit / 8; !*all && bit%8 != (at*5+at/8)%8 {
						continue
					}
					b[bit/8] ^= 1 << (bit % 8)
					if _, err := Verify(e, src, s.at()); err == nil {
						t.Errorf("part %d is accepted with bit %d of byte %#x flipped", part, bit%8, bit/8)
					} else if code := wire.CodeOf(err); code < 600 || code > 699 {
						t.Errorf("part %d, byte %#x: no evidence code: %v", part, bit/8, err)
					}
					b[bit/8] ^= 1 << (bit % 8)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, s := range index(b) {
		if s.Report != "03-milan-v3.report" {
			continue
		}
		e, src := s.evidence(b), s.source(b)
		for b.Loop() {
			if _, err := Verify(e, src, s.at()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
