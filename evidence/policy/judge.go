package policy

import (
	"fmt"
	"slices"
	"strings"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/wire"
)

// Occasion is why evidence is judged.
type Occasion uint8

// Occasions.
const (
	Joining  Occasion = 1 // a newcomer
	Renewing Occasion = 2 // new evidence of a registered node
	// Standing judges what was accepted before, because collateral, policy or
	// approved code changed. There is no new evidence.
	Standing Occasion = 3
)

// Code is what the ledger knows about the program that ran.
type Code struct {
	Approved   bool   // its measurement is in force
	Deprecated bool   // newcomers may not run it any more
	MinSVN     uint32 // lowest version the measurement allows
}

// Case is what is judged.
type Case struct {
	*evidence.Result
	Occasion Occasion
	Code     Code   // ignored for a TPM, which measures otherwise
	TimeMs   uint64 // block time of the judgement
	// Since, for Standing, is the block time of the first judgement that found
	// a status which Policy.Status gives Grace; 0 if there was none.
	Since uint64
}

// rule is one demand. It returns nil, or an error with the rule's code.
type rule struct {
	name  string
	check func(p *Policy, c *Case) error
}

// rules in the order in which the first broken one is reported: what no update
// of firmware can mend comes first.
var rules = []rule{
	{"kind", kindAllowed},
	{"debug", noDebug},
	{"code", codeApproved},
	{"svn", recentCode},
	{"device", deviceNamed},
	{"product", productAllowed},
	{"privilege", privileged},
	{"status", statusAccepted},
	{"tcb-number", recentCollateral},
	{"min-tcb", recentFirmware},
}

// Judge returns nil if a policy accepts a case, else the first broken rule:
// ErrEvidencePolicy, ErrEvidenceDebug, ErrEvidenceCode or ErrEvidenceStatus. It
// does not judge age (Fresh) or how many nodes an operator has (Room).
func Judge(p *Policy, c Case) error {
	for _, r := range rules {
		if err := r.check(p, &c); err != nil {
			return err
		}
	}
	return nil
}

// Finding is what one rule says about a case.
type Finding struct {
	Rule   string
	Code   wire.Code // OK if the rule holds
	Detail string    // what is demanded of this case, or why it fails
}

// Explain says what every rule finds, in the order of Judge.
func Explain(p *Policy, c Case) []Finding {
	out := make([]Finding, 0, len(rules))
	for _, r := range rules {
		f := Finding{Rule: r.name, Detail: "holds"}
		if err := r.check(p, &c); err != nil {
			f.Code, f.Detail = wire.CodeOf(err), err.Error()
		}
		out = append(out, f)
	}
	return out
}

// IsFlagged reports whether an accepted status has to be pointed out wherever
// the node is shown.
func (p *Policy) IsFlagged(s evidence.Status) bool {
	a := p.Status.Of(s)
	return a == Flagged || a == Grace
}

func broken(code wire.Code, name, format string, args ...any) error {
	return wire.Faultf(code, "%s: %s", name, fmt.Sprintf(format, args...))
}

func kindAllowed(p *Policy, c *Case) error {
	if !slices.Contains(p.Kinds, c.Kind) {
		return broken(wire.ErrEvidencePolicy, "kind", "%s does not qualify for role %s", c.Kind, p.Role)
	}
	return nil
}

func noDebug(_ *Policy, c *Case) error {
	if c.Debug {
		return broken(wire.ErrEvidenceDebug, "debug", "the program can be inspected from outside")
	}
	return nil
}

func codeApproved(_ *Policy, c *Case) error {
	switch {
	case c.Kind == evidence.TPM:
		return nil
	case !c.Code.Approved:
		return broken(wire.ErrEvidenceCode, "code", "%s is not approved, or not at this height", c.Measurement.Code)
	case c.Code.Deprecated && c.Occasion == Joining:
		return broken(wire.ErrEvidenceCode, "code", "%s is deprecated: newcomers run a newer version", c.Measurement.Code)
	}
	return nil
}

// recentCode binds kinds that have a version of the program: a TDX report has
// none, its measurement says which build it is.
func recentCode(p *Policy, c *Case) error {
	versioned := c.Kind == evidence.SGX || c.Kind == evidence.SNP
	if low := max(uint32(p.MinSVN), c.Code.MinSVN); versioned && uint32(c.SVN) < low {
		return broken(wire.ErrEvidenceCode, "svn", "the program's security version is %d, at least %d is accepted", c.SVN, low)
	}
	return nil
}

// deviceNamed refuses a bare quote of a TPM whatever the policy: anybody can make
// one. Whoever registered the TPM says which device it is of.
func deviceNamed(p *Policy, c *Case) error {
	switch {
	case !c.Device.IsZero():
		return nil
	case c.Kind == evidence.TPM:
		return broken(wire.ErrEvidencePolicy, "device", "a TPM counts as the device it is registered as, and this quote is of none")
	case !p.Masked:
		return broken(wire.ErrEvidencePolicy, "device", "the evidence names no device, so nobody can tell two from one")
	}
	return nil
}

func productAllowed(p *Policy, c *Case) error {
	if slices.Contains(p.RefusedProducts, c.Product) {
		return broken(wire.ErrEvidencePolicy, "product", "%s does not qualify for role %s", c.Product, p.Role)
	}
	return nil
}

func privileged(p *Policy, c *Case) error {
	if c.Kind == evidence.SNP && c.VMPL > p.MaxVMPL {
		return broken(wire.ErrEvidencePolicy, "privilege", "it was made at VMPL %d, at most %d is accepted", c.VMPL, p.MaxVMPL)
	}
	return nil
}

// statusAccepted looks at the vendor's judgement. A standing case may have none
// (status 0), when the collateral in force allows none: what was accepted then
// stays, until its registration or a grace that already runs ends (TEE
// specification §2.7).
func statusAccepted(p *Policy, c *Case) error {
	const name = "status"
	if c.Status == 0 && c.Occasion == Standing {
		if c.Since != 0 && c.TimeMs > p.GraceUntil(c) {
			return broken(wire.ErrEvidenceStatus, name, "the grace ended at block time %d", p.GraceUntil(c))
		}
		return nil
	}
	switch p.Status.Of(c.Status) {
	case Accept, Flagged:
		return nil
	case Listed:
		if missing := unlisted(p, c.Advisories); len(missing) > 0 {
			return broken(wire.ErrEvidenceStatus, name, "%s, and the policy does not list %s", c.Status, strings.Join(missing, ", "))
		}
		return nil
	case Grace:
		if c.Occasion != Standing {
			return broken(wire.ErrEvidenceStatus, name, "%s is tolerated for a while, of nodes registered before", c.Status)
		}
		if until := p.GraceUntil(c); c.TimeMs > until {
			return broken(wire.ErrEvidenceStatus, name, "%s, and the grace ended at block time %d", c.Status, until)
		}
		return nil
	}
	return broken(wire.ErrEvidenceStatus, name, "%s does not qualify for role %s", c.Status, p.Role)
}

// GraceUntil is the last block time at which a standing case with a status of
// Grace is tolerated.
func (p *Policy) GraceUntil(c *Case) uint64 {
	if c.Since == 0 {
		return c.TimeMs + p.GraceMs
	}
	return c.Since + p.GraceMs
}

func unlisted(p *Policy, advisories []string) (missing []string) {
	for _, a := range advisories {
		if _, listed := slices.BinarySearch(p.Advisories, a); !listed {
			missing = append(missing, a)
		}
	}
	return missing
}

// recentCollateral binds new evidence; what stands is judged under the newest
// collateral there is.
func recentCollateral(p *Policy, c *Case) error {
	if c.Kind.Vendor() == evidence.Intel && c.Occasion != Standing && c.TCBNumber < p.MinTCBNumber {
		return broken(wire.ErrEvidencePolicy, "tcb-number", "the collateral is of evaluation %d, at least %d is accepted", c.TCBNumber, p.MinTCBNumber)
	}
	return nil
}

// recentFirmware is the judgement AMD leaves to us (TEE specification §3).
func recentFirmware(p *Policy, c *Case) error {
	const name = "min-tcb"
	if c.Kind != evidence.SNP {
		return nil
	}
	level, err := amd.ParseLevel(c.Level)
	if err != nil {
		return err
	}
	if level.Committed != level.Current && !p.Provisional {
		return broken(wire.ErrEvidenceStatus, name, "firmware (%s) is provisional: committed is %s", level.Current, level.Committed)
	}
	i := slices.IndexFunc(p.MinTCB, func(m MinTCB) bool { return m.Product == level.Product })
	if i < 0 {
		return nil
	}
	low := p.MinTCB[i].TCB()
	for _, have := range []struct {
		what string
		tcb  amd.TCB
	}{{"reported", level.Reported}, {"committed", level.Committed}, {"launch", level.Launch}} {
		if !have.tcb.AtLeast(low) {
			return broken(wire.ErrEvidenceStatus, name, "%s TCB (%s) is below %s", have.what, have.tcb, low)
		}
	}
	return nil
}
