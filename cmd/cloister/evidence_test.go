package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// sample is a row of an index of real evidence.
type sample struct {
	Quote, Report, HCL string
	Cert, Collateral   string
	Roots, Result      string
	ErrorKind          string `json:"error_kind"`
	CRL                string
	Advisories         []string
	Debug              bool
	ReportData         string    `json:"report_data"`
	At                 time.Time `json:"verify_at"`

	dir string
}

// samples are all rows of all indices.
func samples(t *testing.T) (rows []sample) {
	t.Helper()
	for _, kind := range []string{"sgx", "tdx", "snp", "tpm"} {
		dir := filepath.Join(evidencetest.Samples(t), kind)
		b, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		var list []sample
		if err := json.Unmarshal(b, &list); err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			r.dir = dir
			rows = append(rows, r)
		}
	}
	if len(rows) != 22 {
		t.Fatalf("%d rows, 22 were expected", len(rows))
	}
	return rows
}

func (s *sample) file(name string) string { return filepath.Join(s.dir, name) }

// args is the command line that verifies a row. One row is a certificate alone.
func (s *sample) args() []string {
	args := []string{"evidence", "verify", s.file(s.Quote + s.Report + s.HCL)}
	if s.Quote+s.Report+s.HCL == "" {
		args[2] = s.file(s.Cert)
	}
	if !s.At.IsZero() {
		args = append(args, "--at", s.At.Format(time.RFC3339))
	}
	if s.Collateral != "" {
		args = append(args, "--collateral", s.file(s.Collateral))
	}
	if s.Report != "" {
		args = append(args, "--cert", s.file(s.Cert))
	}
	if s.HCL != "" {
		stem := strings.TrimSuffix(s.HCL, "hcl")
		args = append(args, "--cert", s.file(stem+"vcek.der"), "--tpm-quote", s.file(stem+"tpms_attest"),
			"--tpm-signature", s.file(stem+"sig"), "--tpm-pcrs", s.file(stem+"pcrs"))
	}
	return args
}

// expected is what the index says, in the terms of this program.
func (s *sample) expected() (status string, code wire.Code) {
	_, isStatus := evidence.ParseStatus(s.Result)
	status = s.Result
	switch {
	case strings.HasPrefix(s.ErrorKind, "certification data"):
		return "", wire.ErrEvidenceUnsupported
	case strings.HasPrefix(s.ErrorKind, "parse"), s.Quote+s.Report+s.HCL == "":
		return "", wire.ErrEvidenceMalformed
	case s.ErrorKind == "platform TCB below every level":
		return evidence.NotSupported.String(), wire.ErrEvidenceStatus
	case strings.Contains(s.Collateral, "nocrl"):
		return "", wire.ErrCollateralMissing
	case strings.HasPrefix(s.Result, "refuse"):
		return "", wire.ErrEvidenceChain
	case !isStatus: // of AMD, which publishes none
		status = evidence.UpToDate.String()
	}
	if s.Debug {
		return status, wire.ErrEvidenceDebug
	}
	return status, wire.OK
}

func TestEveryRealSampleIsJudgedAsItsIndexSays(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(filepath.Base(s.args()[2])+"@"+s.At.Format(time.DateOnly)+s.Cert, func(t *testing.T) {
			status, code := s.expected()
			want := wire.ExitOK
			if code != wire.OK {
				want = code.Info().Exit
			}
			o := cli(t, "", append(s.args(), "--json")...)
			if o.code != want {
				t.Fatalf("exit %d, want %d\n%s", o.code, want, o.errs)
			}
			if code != wire.OK {
				var p struct{ Problem problem }
				decode(t, o.errs, &p)
				if got := p.Problem.Code; got != code && (code != wire.ErrEvidenceChain || got != wire.ErrEvidenceBinding) {
					t.Errorf("%s, want %s", got, code)
				}
			}
			if o.out == "" { // not even evidence
				if status != "" || want != wire.ExitUsage {
					t.Errorf("nothing is explained: %s", o.errs)
				}
				return
			}
			var got shownEvidence
			decode(t, o.out, &got)
			if got.Verified != (status != "") || (got.Problem == nil) != (code == wire.OK) || len(got.Fields) == 0 {
				t.Fatalf("%s", o.out)
			}
			if status == "" {
				return
			}
			slices.Sort(s.Advisories) // some rows list the platform's before the module's
			if f := got.Found; f.Status != status || !slices.Equal(f.Advisories, s.Advisories) || f.Debug != s.Debug || f.Simulated {
				t.Errorf("found %+v, want %s %v", f, status, s.Advisories)
			}
			if *got.CodeID != got.Found.CodeID {
				t.Errorf("it says code id %s, and %s was found", got.CodeID, got.Found.CodeID)
			}
			if data := got.Found.ReportData; s.ReportData != "" && !strings.HasPrefix(hexOf(data), s.ReportData) {
				t.Errorf("report data %x", data)
			}
		})
	}
}

func hexOf(h wire.Hex) string {
	text, _ := h.MarshalText() // it cannot fail
	return string(text)
}

func TestAPolicyIsExplainedRuleByRule(t *testing.T) {
	for _, s := range samples(t) {
		_, code := s.expected()
		if code != wire.OK {
			continue
		}
		for _, role := range []string{"voter", "worker", "audit"} {
			o := cli(t, "", append(s.args(), "--policy", role, "--json")...)
			var got shownEvidence
			decode(t, o.out, &got)
			broken := slices.ContainsFunc(got.Policy.Rules, func(r shownRule) bool { return r.Verdict == ruleBroken })
			if broken == got.Policy.Accepted || broken != (got.Problem != nil) || broken != (o.code != wire.ExitOK) || len(got.Policy.Rules) < 8 {
				t.Errorf("%s as %s: exit %d, %+v", s.args()[2], role, o.code, got.Policy)
			}
			if broken && o.code != wire.ExitRefused {
				t.Errorf("%s as %s: exit %d", s.args()[2], role, o.code)
			}
		}
	}
	out := ok(t, "", append(find(t, "01-v4").args(), "--policy", "voter")...)
	if !strings.Contains(out, "open    code") || !strings.Contains(out, "VERDICT: genuine, and accepted for role voter") {
		t.Errorf("%s", out)
	}
}

// find is the first sample whose file begins with a name.
func find(t *testing.T, name string) *sample {
	t.Helper()
	for _, s := range samples(t) {
		if strings.HasPrefix(s.Quote+s.Report+s.HCL, name) {
			return &s
		}
	}
	t.Fatalf("no sample %s", name)
	return nil
}

func TestApprovedCodeIsWhatIsSaidToBe(t *testing.T) {
	s := find(t, "01-v4")
	var got shownEvidence
	decode(t, ok(t, "", append(s.args(), "--json")...), &got)
	line := append(s.args(), "--policy", "worker", "--code-id")
	if o := cli(t, "", append(line, got.CodeID.String())...); o.code != wire.ExitOK {
		t.Errorf("its own code id: exit %d, %s", o.code, o.errs)
	}
	if o := cli(t, "", append(line, strings.Repeat("00", 32))...); o.code != wire.ExitRefused || !strings.Contains(o.errs, "ErrEvidenceCode") {
		t.Errorf("another code id: exit %d, %s", o.code, o.errs)
	}
}

func TestWhatEvidenceBindsIsCompared(t *testing.T) {
	for file, bound := range map[string]string{
		"01-v3-processor": "48656c6c6f2c20776f726c6421", // "Hello, world!"
		"01-azure":        "6368616c6c656e6765",         // "challenge", by the virtual TPM
	} {
		line := append(find(t, file).args(), "--report-data")
		if o := cli(t, "", append(line, bound)...); o.code != wire.ExitOK {
			t.Errorf("%s: exit %d, %s", file, o.code, o.errs)
		}
		if o := cli(t, "", append(line, bound+"01")...); o.code != wire.ExitUnproven || !strings.Contains(o.errs, "ErrEvidenceReportData") {
			t.Errorf("%s, other data: exit %d, %s", file, o.code, o.errs)
		}
	}
}

func TestCollateralOutsideOfItsWindowIsNotReliedOn(t *testing.T) {
	s := find(t, "01-v4")
	for at, want := range map[string]string{"2025-06-01": "ErrCollateralNotYet", "2025-09-01": "ErrCollateralExpired"} {
		o := cli(t, "", append(s.args(), "--at", at)...)
		if o.code != wire.ExitRefused || !strings.Contains(o.errs, want) || !strings.Contains(o.out, "NOT RELIED ON") || !strings.Contains(o.out, "VERDICT: not verified") {
			t.Errorf("at %s: exit %d, %s%s", at, o.code, o.errs, o.out)
		}
	}
	s.Collateral = ""
	if o := cli(t, "", s.args()...); o.code != wire.ExitMissing || !strings.Contains(o.out, "held    quote-signature") {
		t.Errorf("without collateral: exit %d, %s%s", o.code, o.errs, o.out)
	}
}

func TestAGivenRootReplacesTheBuiltInOnes(t *testing.T) {
	s, roots := find(t, "02-milan"), filepath.Join(evidencetest.Samples(t), "roots")
	intel := filepath.Join(roots, "intel-sgx-root-ca.pem")
	if o := cli(t, "", append(s.args(), "--root", intel)...); o.code != wire.ExitUnproven || !strings.Contains(o.errs, "ErrUnknownAnchor") {
		t.Errorf("AMD's evidence under Intel's root: exit %d, %s", o.code, o.errs)
	}
	ok(t, "", append(find(t, "01-v4").args(), "--root", intel)...)

	// AMD's file has the intermediate first, then the root.
	chain := filepath.Join(roots, "amd_ask_ark_milan.pem")
	ok(t, "", append(s.args(), "--collateral", chain)...)
	if o := cli(t, "", append(s.args(), "--root", intel, "--collateral", chain)...); o.code != wire.ExitUnproven {
		t.Errorf("collateral of a root that is not trusted: exit %d, %s", o.code, o.errs)
	}
	if o := cli(t, "", append(s.args(), "--root", chain)...); o.code != wire.ExitUsage || !strings.Contains(o.errs, "no root") {
		t.Errorf("an intermediate as root: exit %d, %s", o.code, o.errs)
	}
}

func TestAChangedByteIsFound(t *testing.T) {
	s := find(t, "05-milan")
	b, err := os.ReadFile(s.file(s.Report))
	if err != nil {
		t.Fatal(err)
	}
	b[0x90] ^= 1 // the measurement
	forged := filepath.Join(t.TempDir(), "forged.report")
	if err := os.WriteFile(forged, b, 0o600); err != nil {
		t.Fatal(err)
	}
	args := s.args()
	args[2] = forged
	o := cli(t, "", args...)
	if o.code != wire.ExitUnproven || !strings.Contains(o.out, "FAILED  ErrEvidenceSignature") || strings.Contains(o.out, "found:") {
		t.Errorf("exit %d, %s%s", o.code, o.errs, o.out)
	}
}

func TestShowSaysWhatEveryFileHolds(t *testing.T) {
	for _, s := range samples(t) {
		if s.Quote+s.Report+s.HCL == "" || strings.HasPrefix(s.ErrorKind, "parse") {
			continue
		}
		out := ok(t, "", "evidence", "show", s.args()[2])
		if !strings.Contains(out, s.ReportData) || !strings.Contains(out, "code id:") || !strings.Contains(out, "whether it is true") {
			t.Errorf("%s: %s", s.args()[2], out)
		}
	}
	s := find(t, "01-azure")
	attest := s.file(strings.TrimSuffix(s.HCL, "hcl") + "tpms_attest")
	if out := ok(t, "", "evidence", "show", attest); !strings.Contains(out, "6368616c6c656e6765") || !strings.Contains(out, "pcr digest") {
		t.Errorf("%s", out)
	}
	if o := cli(t, "", "evidence", "verify", attest); o.code != wire.ExitUsage {
		t.Errorf("a bare attestation: exit %d", o.code)
	}
}

func TestEvidenceInOurOwnEncodingIsJudgedAlike(t *testing.T) {
	s := find(t, "05-milan")
	report, err := os.ReadFile(s.file(s.Report))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := os.ReadFile(s.file(s.Cert))
	if err != nil {
		t.Fatal(err)
	}
	e := &evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{leaf}}
	file := filepath.Join(t.TempDir(), "evidence")
	if err := os.WriteFile(file, e.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var raw, own shownEvidence
	decode(t, ok(t, "", append(s.args(), "--json")...), &raw)
	decode(t, ok(t, "", "evidence", "verify", file, "--at", "2025-06-01", "--kind", "snp", "--json"), &own)
	if own.Found.CodeID != raw.Found.CodeID || own.Found.Device != raw.Found.Device {
		t.Errorf("%+v, %+v", own.Found, raw.Found)
	}
	if o := cli(t, "", "evidence", "verify", file, "--kind", "sgx"); o.code != wire.ExitUsage {
		t.Errorf("as another kind: exit %d", o.code)
	}
}

func TestTheExampleVerifiesAtTheTimeItNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "example")
	ok(t, "", "evidence", "example", dir)
	report, cert := filepath.Join(dir, "snp.report"), filepath.Join(dir, "snp.vcek")
	out := ok(t, "", "evidence", "verify", report, "--cert", cert, "--at", "2025-06-01")
	if !strings.Contains(out, "VERDICT: genuine") || !strings.Contains(out, "no revocation list of AMD") {
		t.Errorf("%s", out)
	}
	if o := cli(t, "", "evidence", "verify", report, "--cert", cert, "--at", "2040-01-01"); o.code != wire.ExitRefused {
		t.Errorf("years later: exit %d", o.code)
	}
	if o := cli(t, "", "evidence", "example", dir); o.code != wire.ExitUsage {
		t.Errorf("over files that are there: exit %d", o.code)
	}
}

func TestEvidenceIsRefusedWithWhatToGiveInstead(t *testing.T) {
	dir := t.TempDir()
	ok(t, "", "evidence", "example", dir)
	report, cert := filepath.Join(dir, "snp.report"), filepath.Join(dir, "snp.vcek")
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no evidence at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, args := range map[string][]string{
		"--cert":             {report},
		"no quote, report":   {text},
		"has 1184 bytes":     {text, "--kind", "snp", "--cert", cert},
		"not \"abacus\"":     {text, "--kind", "abacus"},
		"no role \"king\"":   {report, "--cert", cert, "--policy", "king"},
		"name one with":      {report, "--cert", cert, "--code-id", strings.Repeat("0", 64)},
		"64 hex digits":      {report, "--cert", cert, "--policy", "audit", "--code-id", "12"},
		"not \"yesterday\"":  {report, "--cert", cert, "--at", "yesterday"},
		"not \"1969-01-01\"": {report, "--cert", cert, "--at", "1969-01-01"},
		"at most 64 bytes":   {report, "--cert", cert, "--report-data", "xy"},
		"no bundle":          {report, "--cert", cert, "--collateral", text},
		"no certificate":     {report, "--cert", cert, "--root", text},
		"open ":              {filepath.Join(dir, "nothing")},
	} {
		o := cli(t, "", append([]string{"evidence", "verify"}, args...)...)
		if o.code != wire.ExitUsage || !strings.Contains(o.errs, says) || o.out != "" {
			t.Errorf("%v: exit %d, %s", args, o.code, o.errs)
		}
	}
}
