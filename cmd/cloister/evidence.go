package main

import (
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloister/evidence"
	"cloister/evidence/anchors"
	"cloister/evidence/policy"
	"cloister/wire"
)

func evidenceCommand(a *app) *cobra.Command {
	return group("evidence", "Judge what trusted hardware says about itself, offline",
		evidenceVerify(a), evidenceShow(a), evidenceFetch(a), evidenceExample(a))
}

// demands are the flags of 'evidence verify'.
type demands struct {
	files      evidenceFiles
	roots      []string
	collateral []string
	at         string
	role       string
	codes      []string
	reportData string
}

func evidenceVerify(a *app) *cobra.Command {
	d := new(demands)
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a quote or report offline and explain the verdict",
		Long: `Verify a quote or report offline and explain the verdict: every check that held,
the one that did not, what the hardware said, and, with --policy, which rules of
a role it meets under the default policy.

FILE is an SGX or TDX quote, an SNP report, evidence in this project's encoding,
or a paravisor's report with the quote of its virtual TPM. It is judged at the
time --at, under the vendor's collateral of that time:

  Intel   a bundle (JSON) with TCB info, QE identity and both revocation lists
  AMD     nothing more than the leaf certificate, --cert; the intermediates of
          Milan, Genoa and Turin are in this program. A revocation list or
          another intermediate (PEM or DER) may be added

Of two pieces of collateral for one purpose the later counts. This program knows
the real vendors' roots; --root replaces them all, for simulated hardware.

Exit codes: 0 the evidence is genuine, whatever its status, and meets the policy
if one is named; 2 it is malformed; 3 it is refused, or something it rests on has
expired; 4 collateral is missing; 6 it is not genuine. Debug mode, a revoked and an unsupported platform are
refused even without a policy, since no policy can accept them.`,
		Example: `  cloister evidence example ./example
  cloister evidence verify ./example/snp.report --cert ./example/snp.vcek --at 2025-06-01 --policy worker`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, verdict, err := d.judge(args[0])
			if err != nil {
				return err
			}
			if err := a.print(s); err != nil {
				return err
			}
			return verdict
		},
	}
	f := c.Flags()
	d.files.flags(f)
	f.StringArrayVar(&d.collateral, "collateral", nil, "file with collateral of the vendor; repeat for more")
	f.StringArrayVar(&d.roots, "root", nil, "root certificate to trust instead of the real vendors'; repeat for more")
	f.StringVar(&d.at, "at", "", "time to judge at, as 2025-06-01 or 2025-06-01T12:00:00Z (default now)")
	f.StringVar(&d.role, "policy", "", "role whose default policy is applied: "+roleNames())
	f.StringArrayVar(&d.codes, "code-id", nil, "code id that --policy takes for approved; repeat for more (default: the rule is not judged)")
	f.StringVar(&d.reportData, "report-data", "", "what the evidence must bind, in hex: 64 bytes, or fewer with zeros after them")
	return c
}

func roleNames() string {
	var names []string
	for _, r := range policy.Roles {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

// judge verifies a file. The verdict is an error that says why the evidence is
// refused; err is one that leaves nothing to explain.
func (d *demands) judge(file string) (s *shownEvidence, verdict, err error) {
	at, err := parseTime(d.at)
	if err != nil {
		return nil, nil, err
	}
	rules, err := d.rules()
	if err != nil {
		return nil, nil, err
	}
	bound, err := parseReportData(d.reportData)
	if err != nil {
		return nil, nil, err
	}
	given, err := d.files.read(file)
	if err != nil {
		return nil, nil, err
	}
	src, err := d.source(at.Unix())
	if err != nil {
		return nil, nil, err
	}
	s = showEvidence(file, given)
	s.At = at.Format(time.RFC3339)
	res, err := given.Verify(src, at.Unix())
	s.Passed = res.Passed
	s.Collateral = reliedOn(src, given.Kind(), res.Product, at.Unix())
	if err == nil {
		s.Verified, s.Found, s.Notes = true, found(&res.Result), unseen(src, given.Kind())
		err = carries(res.Bound, bound)
	}
	if err == nil && rules != nil {
		s.Policy, err = rules.apply(&res.Result, at)
	}
	if err == nil {
		err = neverAccepted(&res.Result)
	}
	if err != nil {
		p := describe(err)
		s.Problem = &p
	}
	return s, err, nil
}

// ruling is a policy and what it takes for approved code.
type ruling struct {
	*policy.Policy
	codes []wire.Hash // empty: unknown
}

// rules reads --policy and --code-id; nil without them.
func (d *demands) rules() (*ruling, error) {
	if d.role == "" {
		if len(d.codes) > 0 {
			return nil, bad("--code-id says what a policy takes for approved: name one with --policy")
		}
		return nil, nil
	}
	var role policy.Role
	if role.UnmarshalText([]byte(d.role)) != nil {
		return nil, bad("there is no role %q; known are %s", clip(d.role), roleNames())
	}
	p := policy.Default(role, false)
	r := &ruling{Policy: &p}
	for _, text := range d.codes {
		id, err := parseID("--code-id", text)
		if err != nil {
			return nil, err
		}
		r.codes = append(r.codes, id)
	}
	return r, nil
}

// apply judges verified evidence as a newcomer's.
func (r *ruling) apply(res *evidence.Result, at time.Time) (*shownPolicy, error) {
	c := policy.Case{
		Result: res, Occasion: policy.Joining, TimeMs: uint64(at.UnixMilli()),
		Code: policy.Code{Approved: len(r.codes) == 0 || slices.Contains(r.codes, res.Code)},
	}
	return showPolicy(r, c), policy.Judge(r.Policy, c)
}

// carries compares what evidence binds with what was demanded, if anything was.
func carries(got [64]byte, want []byte) error {
	if want != nil && got != [64]byte(append(want, make([]byte, 64-len(want))...)) {
		return wire.Faultf(wire.ErrEvidenceReportData, "it binds %x, not %x", got, want)
	}
	return nil
}

// neverAccepted refuses what no policy can accept.
func neverAccepted(res *evidence.Result) error {
	switch {
	case res.Debug:
		return wire.Faultf(wire.ErrEvidenceDebug, "the program can be inspected from outside")
	case res.Status == evidence.Revoked || res.Status == evidence.NotSupported:
		return wire.Faultf(wire.ErrEvidenceStatus, "the platform is %s", res.Status)
	}
	return nil
}

func evidenceShow(a *app) *cobra.Command {
	files := new(evidenceFiles)
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show what a quote or report says, without verifying it",
		Example: `  cloister evidence example ./another-example
  cloister evidence show ./another-example/snp.report`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			given, err := files.parse(args[0])
			if err != nil {
				return err
			}
			return a.print(showEvidence(args[0], given))
		},
	}
	c.Flags().StringVar(&files.kind, "kind", "", "what the file holds, if it is not recognised: sgx, tdx, snp or tpm")
	return c
}

func evidenceExample(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "example FOLDER",
		Short: "Write a real SNP report and its certificate, to try the other commands on",
		Long: `Write a real SNP report (snp.report) and its leaf certificate (snp.vcek) into a
folder, to try the other commands on. They are from the tests of virtee/sev.`,
		Example: "  cloister evidence example ./one-more-example",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.writeExample(args[0]) },
	}
}

// shownExample is the outcome of evidence example.
type shownExample struct {
	Report      string `json:"report"`
	Certificate string `json:"certificate"`
}

// writeExample writes a report and its certificate into a folder.
func (a *app) writeExample(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fileError("create", folder, err)
	}
	s := &shownExample{filepath.Join(folder, "snp.report"), filepath.Join(folder, "snp.vcek")}
	report, vcek := anchors.Example()
	for _, f := range []struct {
		name    string
		content []byte
	}{{s.Report, report}, {s.Certificate, vcek}} {
		if err := writeNew(f.name, f.content, 0o644); err != nil {
			return err
		}
	}
	return a.print(s)
}

// parseTime reads a time as people give it; empty is the present.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Now().UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			if u := t.Unix(); u < 0 || u > math.MaxUint32 {
				break // so that milliseconds of it are a block time
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, bad("--at is a date such as 2025-06-01 or a time such as 2025-06-01T12:00:00Z, not %q", clip(s))
}

// parseReportData reads what evidence must bind; nil if nothing is demanded.
func parseReportData(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) > 64 {
		return nil, bad("--report-data is at most 64 bytes in hex, not %q", clip(s))
	}
	return b, nil
}
