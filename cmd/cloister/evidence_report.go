package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/verify"
	"cloister/wire"
)

// shownEvidence is evidence as people read it. Verified says whether Found is
// true; Fields are what the file says, whatever it is worth.
type shownEvidence struct {
	File       string         `json:"file"`
	Kind       string         `json:"kind"`
	CodeID     *wire.Hash     `json:"code_id,omitempty"` // what the file says
	At         string         `json:"at,omitempty"`      // time it was judged at
	Verified   bool           `json:"verified"`
	Passed     []string       `json:"passed,omitempty"` // checks that held, in order
	Problem    *problem       `json:"problem,omitempty"`
	Found      *shownFound    `json:"found,omitempty"`
	Policy     *shownPolicy   `json:"policy,omitempty"`
	Notes      []string       `json:"notes,omitempty"` // what was not looked at, and why
	Collateral []shownItem    `json:"collateral,omitempty"`
	Fields     []shownReading `json:"fields"`
}

// shownReading is one field of a quote or report.
type shownReading struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// shownFound is what verification found.
type shownFound struct {
	Status     string    `json:"status"`
	Advisories []string  `json:"advisories"`
	CodeID     wire.Hash `json:"code_id"`
	Signer     wire.Hash `json:"signer"` // zero: none
	ProdID     uint16    `json:"prod_id"`
	SVN        uint16    `json:"svn"`
	Debug      bool      `json:"debug"`
	Device     wire.Hash `json:"device"` // zero: it names none
	ReportData wire.Hex  `json:"report_data"`
	Product    string    `json:"product"`
	Root       wire.Hash `json:"root"` // SHA-256 of the certificate; zero: it ends in none
	Simulated  bool      `json:"simulated"`
	Signed     wire.Hash `json:"signed"` // SHA-256 of the signed bytes: the evidence's identity
	TCBNumber  uint64    `json:"tcb_evaluation_data_number,omitempty"`
	VMPL       uint8     `json:"vmpl"`
	NotAfter   string    `json:"not_after,omitempty"` // when the first thing relied on expires
}

// shownItem is a piece of collateral.
type shownItem struct {
	Key     string `json:"key"`
	Issued  string `json:"issued,omitempty"`
	Expires string `json:"expires,omitempty"`
	Problem string `json:"problem,omitempty"` // why it cannot be relied on
}

// shownPolicy is what every rule of a policy says.
type shownPolicy struct {
	Role     policy.Role `json:"role"`
	Accepted bool        `json:"accepted"` // no rule is broken
	Flagged  bool        `json:"flagged"`  // accepted, and to be pointed out
	Rules    []shownRule `json:"rules"`
}

type shownRule struct {
	Rule    string    `json:"rule"`
	Verdict string    `json:"verdict"`
	Code    wire.Code `json:"code"` // 0 unless it is broken
	Detail  string    `json:"detail"`
}

// Verdicts of a rule.
const (
	ruleHeld   = "held"
	ruleBroken = "broken"
	ruleOpen   = "open" // it cannot be judged offline
)

func found(r *evidence.Result) *shownFound {
	f := &shownFound{
		Status: r.Status.String(), Advisories: slices.Clone(r.Advisories),
		CodeID: r.Code, Signer: r.Signer, ProdID: r.ProdID, SVN: r.SVN, Debug: r.Debug, Device: r.Device,
		ReportData: r.ReportData[:], Product: r.Product, Root: r.Anchor, Simulated: r.Simulated,
		Signed: r.Signed, TCBNumber: r.TCBNumber, VMPL: r.VMPL,
	}
	if f.Advisories == nil {
		f.Advisories = []string{}
	}
	if r.NotAfter != math.MaxInt64 {
		f.NotAfter = second(r.NotAfter)
	}
	return f
}

// unseen says what a verdict leaves open.
func unseen(src *evidence.Set, kind evidence.Kind) (notes []string) {
	listed := false
	for key := range src.Items { //deterministic: any one will do
		listed = listed || key.Type == evidence.CRL
	}
	switch {
	case kind == evidence.SNP && !listed:
		notes = append(notes, "no revocation list of AMD was given: that its intermediate is revoked would not be noticed")
	case kind == evidence.TPM:
		notes = append(notes, "the key is not traced to a maker's TPM: that takes a device's registration on a ledger")
	}
	return notes
}

// reliedOn lists the collateral for a kind of evidence. Of AMD's intermediates
// only those of the product count, once it is known.
func reliedOn(src *evidence.Set, kind evidence.Kind, product string, at int64) (list []shownItem) {
	for key, item := range src.Items { //deterministic: sorted below
		switch isAMD := key.Type == evidence.AMDChain; {
		case kind.Vendor() == evidence.TPMMaker,
			kind.Vendor() == evidence.Intel && isAMD,
			kind.Vendor() == evidence.AMD && (key.Type == evidence.TCBInfo || key.Type == evidence.QEIdentity),
			isAMD && !strings.HasPrefix(key.Name, product+"/"):
			continue
		}
		s := shownItem{Key: key.String()}
		if _, fresh, err := verify.CheckItem(&item, src, at); err != nil {
			s.Problem = describe(err).Error
		} else {
			s.Issued, s.Expires = second(fresh.Issued), second(fresh.Expires)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b shownItem) int { return strings.Compare(a.Key, b.Key) })
	return list
}

func second(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// showPolicy says what every rule finds. Whether code is approved cannot be told
// without a ledger, unless the code ids were given.
func showPolicy(p *ruling, c policy.Case) *shownPolicy {
	s := &shownPolicy{Role: p.Role, Accepted: true}
	for _, f := range policy.Explain(p.Policy, c) {
		r := shownRule{Rule: f.Rule, Verdict: ruleHeld, Code: f.Code, Detail: f.Detail}
		switch {
		case f.Code != wire.OK:
			s.Accepted, r.Verdict = false, ruleBroken
			r.Detail = strings.TrimSuffix(r.Detail, " ("+f.Code.Info().Advice+")")
			r.Detail = strings.TrimPrefix(strings.TrimPrefix(r.Detail, f.Code.String()+": "), f.Rule+": ")
		case f.Rule == "code" && len(p.codes) == 0:
			r.Verdict, r.Detail = ruleOpen, "only a ledger knows which code is approved; --code-id says it here"
		}
		s.Rules = append(s.Rules, r)
	}
	s.Flagged = s.Accepted && p.IsFlagged(c.Status)
	return s
}

func (s *shownEvidence) text(w io.Writer) {
	id := ""
	if s.CodeID != nil {
		id = s.CodeID.String()
	}
	fields(w, "file", shown(s.File), "kind", s.Kind, "code id", id, "judged at", s.At)
	fmt.Fprintln(w)
	for _, f := range s.Fields {
		fmt.Fprintf(w, "  %-26s %s\n", shown(f.Name), shown(f.Value))
	}
	if s.At == "" {
		fmt.Fprintln(w, "\nThis is what the file says. 'cloister evidence verify' says whether it is true.")
		return
	}
	if len(s.Collateral) > 0 {
		fmt.Fprintln(w, "\ncollateral:")
		for _, c := range s.Collateral {
			window := c.Issued + " to " + c.Expires
			if c.Problem != "" {
				window = "NOT RELIED ON: " + shown(c.Problem)
			}
			fmt.Fprintf(w, "  %s\n    %s\n", shown(c.Key), window)
		}
	}
	fmt.Fprintln(w, "\nchecks:")
	for _, name := range s.Passed {
		fmt.Fprintf(w, "  held    %s\n", name)
	}
	if s.Problem != nil && !s.Verified {
		fmt.Fprintf(w, "  FAILED  %s: %s\n          %s\n", s.Problem.Name, shown(s.Problem.Error), s.Problem.Next)
	}
	s.Found.text(w)
	s.Policy.text(w)
	fmt.Fprintln(w)
	for _, n := range s.Notes {
		fmt.Fprintln(w, "NOTE: "+n)
	}
	fmt.Fprintln(w, s.verdict())
}

func (s *shownEvidence) verdict() string {
	switch {
	case !s.Verified:
		return "VERDICT: not verified"
	case s.Problem != nil:
		return "VERDICT: genuine, and refused: " + s.Problem.Name
	case s.Policy != nil && s.Policy.Flagged:
		return fmt.Sprintf("VERDICT: genuine, and accepted for role %s with a flag", s.Policy.Role)
	case s.Policy != nil:
		return fmt.Sprintf("VERDICT: genuine, and accepted for role %s", s.Policy.Role)
	}
	return "VERDICT: genuine"
}

func (f *shownFound) text(w io.Writer) {
	if f == nil {
		return
	}
	optional := func(h wire.Hash) string {
		if h.IsZero() {
			return ""
		}
		return h.String()
	}
	flag := func(b bool, text string) string {
		if b {
			return text
		}
		return ""
	}
	number := ""
	if f.TCBNumber != 0 {
		number = decimal(f.TCBNumber)
	}
	fmt.Fprintln(w, "\nfound:")
	fields(w, "  status", f.Status, "  advisories", strings.Join(f.Advisories, ", "), "  code id", f.CodeID.String(),
		"  signer", optional(f.Signer), "  product id", decimal(uint64(f.ProdID)), "  security version", decimal(uint64(f.SVN)),
		"  debug", flag(f.Debug, "YES: a debugger can read everything in it"), "  device", optional(f.Device), "  product", shown(f.Product),
		"  report data", hex.EncodeToString(f.ReportData), "  root", optional(f.Root), "  hardware", flag(f.Simulated, "SIMULATED: it protects nothing"),
		"  evidence id", f.Signed.String(), "  evaluation number", number, "  holds until", f.NotAfter)
}

func (p *shownPolicy) text(w io.Writer) {
	if p == nil {
		return
	}
	fmt.Fprintf(w, "\npolicy for %s:\n", p.Role)
	for _, r := range p.Rules {
		fmt.Fprintf(w, "  %-6s  %-11s %s\n", r.Verdict, r.Rule, shown(r.Detail))
	}
}

func (s *shownExample) text(w io.Writer) {
	fields(w, "report", shown(s.Report), "certificate", shown(s.Certificate))
}
