package policy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/wire"
)

const now = 1_750_000_000_000

// enclave is a case every default policy accepts.
func enclave() Case {
	return Case{
		Result: &evidence.Result{
			Measurement: evidence.Measurement{Kind: evidence.SGX, Code: wire.Hash{1}, Device: wire.Hash{2}, SVN: 3},
			Status:      evidence.UpToDate, Product: "00906ed50000", TCBNumber: 17,
		},
		Occasion: Joining, Code: Code{Approved: true}, TimeMs: now,
	}
}

// guest is the same of an SNP guest on Genoa.
func guest(change func(l *amd.Level)) Case {
	l := &amd.Level{Product: amd.Genoa}
	l.Reported = amd.TCB{Bootloader: 9, TEE: 1, SNP: 21, Microcode: 70}
	l.Committed, l.Current, l.Launch = l.Reported, l.Reported, l.Reported
	if change != nil {
		change(l)
	}
	c := enclave()
	c.Kind, c.Product, c.TCBNumber, c.Level = evidence.SNP, l.Product, 0, l.Bytes()
	return c
}

func worker() *Policy {
	p := Default(Worker, false)
	return &p
}

func TestEveryDefaultAcceptsSoundEvidence(t *testing.T) {
	for _, testnet := range []bool{false, true} {
		for _, role := range Roles {
			p := Default(role, testnet)
			if err := p.Check(); err != nil {
				t.Errorf("%s: %v", role, err)
			}
			for _, c := range []Case{enclave(), guest(nil)} {
				if err := Judge(&p, c); err != nil {
					t.Errorf("%s: %v", role, err)
				}
			}
		}
	}
}

// TestEachRuleHasItsCode breaks one rule at a time, and expects that rule alone
// to speak up, with its code.
func TestEachRuleHasItsCode(t *testing.T) {
	for name, x := range map[string]struct {
		violate func(p *Policy, c *Case)
		rule    string
		code    wire.Code
	}{
		"a kind that does not qualify": {func(p *Policy, c *Case) { p.Kinds = Kinds{evidence.TDX} }, "kind", wire.ErrEvidencePolicy},
		"debug mode":                   {func(p *Policy, c *Case) { c.Debug = true }, "debug", wire.ErrEvidenceDebug},
		"unknown code":                 {func(p *Policy, c *Case) { c.Code = Code{} }, "code", wire.ErrEvidenceCode},
		"deprecated code, joining":     {func(p *Policy, c *Case) { c.Code.Deprecated = true }, "code", wire.ErrEvidenceCode},
		"unknown code, standing": {func(p *Policy, c *Case) {
			c.Occasion, c.Code = Standing, Code{}
		}, "code", wire.ErrEvidenceCode},
		"an old version by the policy":      {func(p *Policy, c *Case) { p.MinSVN = 4 }, "svn", wire.ErrEvidenceCode},
		"an old version by the measurement": {func(p *Policy, c *Case) { c.Code.MinSVN = 4 }, "svn", wire.ErrEvidenceCode},
		"no device":                         {func(p *Policy, c *Case) { c.Device = wire.Hash{} }, "device", wire.ErrEvidencePolicy},
		"a refused product":                 {func(p *Policy, c *Case) { p.RefusedProducts = []string{"00906ed50000"} }, "product", wire.ErrEvidencePolicy},
		"a lesser privilege level":          {func(p *Policy, c *Case) { *c = guest(nil); c.VMPL = 1 }, "privilege", wire.ErrEvidencePolicy},
		"old collateral":                    {func(p *Policy, c *Case) { p.MinTCBNumber = 18 }, "tcb-number", wire.ErrEvidencePolicy},
		"an unlisted advisory": {func(p *Policy, c *Case) {
			c.Status, c.Advisories, p.Advisories = evidence.SWHardeningNeeded, []string{"INTEL-SA-1", "INTEL-SA-2"}, []string{"INTEL-SA-1"}
		}, "status", wire.ErrEvidenceStatus},
		"out of date, joining":  {func(p *Policy, c *Case) { c.Status = evidence.OutOfDate }, "status", wire.ErrEvidenceStatus},
		"out of date, renewing": {func(p *Policy, c *Case) { c.Status, c.Occasion = evidence.OutOfDate, Renewing }, "status", wire.ErrEvidenceStatus},
		"grace is over": {func(p *Policy, c *Case) {
			c.Status, c.Occasion, c.Since = evidence.OutOfDate, Standing, now-p.GraceMs-1
		}, "status", wire.ErrEvidenceStatus},
		"grace is over, unknown since": {func(p *Policy, c *Case) {
			c.Status, c.Occasion, c.Since = 0, Standing, now-p.GraceMs-1
		}, "status", wire.ErrEvidenceStatus},
		"no status":             {func(p *Policy, c *Case) { c.Status = 0 }, "status", wire.ErrEvidenceStatus},
		"revoked":               {func(p *Policy, c *Case) { c.Status = evidence.Revoked }, "status", wire.ErrEvidenceStatus},
		"revoked, standing":     {func(p *Policy, c *Case) { c.Status, c.Occasion = evidence.Revoked, Standing }, "status", wire.ErrEvidenceStatus},
		"not supported":         {func(p *Policy, c *Case) { c.Status = evidence.NotSupported }, "status", wire.ErrEvidenceStatus},
		"a status from nowhere": {func(p *Policy, c *Case) { c.Status = 99 }, "status", wire.ErrEvidenceStatus},
		"provisional firmware": {func(p *Policy, c *Case) {
			*c = guest(func(l *amd.Level) { l.Current.SNP++ })
		}, "min-tcb", wire.ErrEvidenceStatus},
		"a reported TCB below": {func(p *Policy, c *Case) {
			*c, p.MinTCB = guest(func(l *amd.Level) { l.Reported.Microcode-- }), genoa()
		}, "min-tcb", wire.ErrEvidenceStatus},
		"a committed TCB below": {func(p *Policy, c *Case) {
			*c, p.MinTCB = guest(func(l *amd.Level) { l.Committed.TEE--; l.Current.TEE-- }), genoa()
		}, "min-tcb", wire.ErrEvidenceStatus},
		"a launch TCB below": {func(p *Policy, c *Case) {
			*c, p.MinTCB = guest(func(l *amd.Level) { l.Launch.Bootloader-- }), genoa()
		}, "min-tcb", wire.ErrEvidenceStatus},
		"a broken level": {func(p *Policy, c *Case) { *c = guest(nil); c.Level = []byte{1} }, "min-tcb", wire.ErrEvidenceMalformed},
	} {
		p, c := worker(), enclave()
		x.violate(p, &c)
		if err := Judge(p, c); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
		for _, f := range Explain(p, c) {
			want := wire.OK
			if f.Rule == x.rule {
				want = x.code
			}
			if f.Code != want || f.Detail == "" {
				t.Errorf("%s: rule %s says %s (%s), want %s", name, f.Rule, f.Code, f.Detail, want)
			}
		}
	}
}

func genoa() []MinTCB {
	return []MinTCB{{Product: amd.Genoa, Bootloader: 9, TEE: 1, SNP: 21, Microcode: 70}}
}

func TestWhatPoliciesTolerate(t *testing.T) {
	for name, x := range map[string]func(p *Policy, c *Case){
		"listed advisories": func(p *Policy, c *Case) {
			c.Status, c.Advisories, p.Advisories = evidence.ConfigurationAndSWHardeningNeeded, []string{"A", "C"}, []string{"A", "B", "C"}
		},
		"no advisories at all":           func(p *Policy, c *Case) { c.Status = evidence.SWHardeningNeeded },
		"deprecated code of a renewal":   func(p *Policy, c *Case) { c.Code.Deprecated, c.Occasion = true, Renewing },
		"deprecated code that stands":    func(p *Policy, c *Case) { c.Code.Deprecated, c.Occasion = true, Standing },
		"the first moment out of date":   func(p *Policy, c *Case) { c.Status, c.Occasion = evidence.OutOfDate, Standing },
		"the last moment of grace":       func(p *Policy, c *Case) { c.Status, c.Occasion, c.Since = evidence.OutOfDate, Standing, now-p.GraceMs },
		"no judgement of what stands":    func(p *Policy, c *Case) { c.Status, c.Occasion = 0, Standing },
		"old collateral of what stands":  func(p *Policy, c *Case) { c.TCBNumber, p.MinTCBNumber, c.Occasion = 0, 99, Standing },
		"a masked device":                func(p *Policy, c *Case) { c.Device, p.Masked = wire.Hash{}, true },
		"a paravisor":                    func(p *Policy, c *Case) { *c = guest(nil); c.VMPL, p.MaxVMPL = 2, 2 },
		"a TDX report has no version":    func(p *Policy, c *Case) { c.Kind, c.SVN, p.MinSVN = evidence.TDX, 0, 9 },
		"AMD has no evaluation numbers":  func(p *Policy, c *Case) { *c = guest(nil); p.MinTCBNumber = 99 },
		"provisional firmware":           func(p *Policy, c *Case) { *c = guest(func(l *amd.Level) { l.Current.SNP++ }); p.Provisional = true },
		"exactly the lowest TCB":         func(p *Policy, c *Case) { *c = guest(nil); p.MinTCB = genoa() },
		"a lowest TCB of another line":   func(p *Policy, c *Case) { *c = guest(nil); p.MinTCB = []MinTCB{{Product: "Turin", SNP: 255}} },
		"the configuration of a machine": func(p *Policy, c *Case) { c.Status = evidence.ConfigurationNeeded },
	} {
		p, c := worker(), enclave()
		x(p, &c)
		if err := Judge(p, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The table of TEE specification §5, newcomers.
func TestTheDefaultTableIsTheSpecified(t *testing.T) {
	all := []evidence.Status{1, 2, 3, 4, 5, 6, 7, 8}
	for role, accepted := range map[Role]string{
		Voter: "UpToDate", Gatekeeper: "UpToDate", Worker: "UpToDate",
		Audit: "UpToDate SWHardeningNeeded ConfigurationNeeded ConfigurationAndSWHardeningNeeded OutOfDate OutOfDateConfigurationNeeded",
	} {
		p := Default(role, false)
		for _, s := range all {
			c := enclave()
			c.Status, c.Advisories = s, []string{"INTEL-SA-00615"}
			want := false
			for _, n := range strings.Fields(accepted) {
				want = want || n == s.String()
			}
			if err := Judge(&p, c); (err == nil) != want {
				t.Errorf("%s, %s: %v", role, s, err)
			}
		}
	}
	p := Default(Audit, false)
	if p.IsFlagged(evidence.UpToDate) || !p.IsFlagged(evidence.OutOfDate) || p.IsFlagged(evidence.Revoked) {
		t.Error("an audit node is flagged exactly while it is out of date")
	}
}

func TestKeyRolesRefuseMilanAndDemandTwoVendors(t *testing.T) {
	c := guest(func(l *amd.Level) { l.Product = amd.Milan })
	for _, role := range Roles {
		p := Default(role, false)
		keys := role == Voter || role == Gatekeeper
		if err := Judge(&p, c); (wire.CodeOf(err) == wire.ErrEvidencePolicy) != keys {
			t.Errorf("%s: %v", role, err)
		}
		if (p.MinVendorClasses == 2) != keys || Default(role, true).MinVendorClasses != 1 {
			t.Errorf("%s: %d vendors, %d on a test network", role, p.MinVendorClasses, Default(role, true).MinVendorClasses)
		}
	}
}

func TestATPMQualifiesOnlyAsARegisteredDeviceOfAnAuditor(t *testing.T) {
	for _, role := range Roles {
		p := Default(role, false)
		p.Masked = true
		c := Case{Result: &evidence.Result{Measurement: evidence.Measurement{Kind: evidence.TPM}, Status: evidence.UpToDate}, Occasion: Joining}
		if err := Judge(&p, c); wire.CodeOf(err) != wire.ErrEvidencePolicy {
			t.Errorf("%s, bare quote: %v", role, err)
		}
		c.Device = wire.Hash{1}
		if err := Judge(&p, c); (err == nil) != (role == Audit) {
			t.Errorf("%s, registered: %v", role, err)
		}
		p.Kinds = Kinds{evidence.SGX, evidence.TPM}
		if err := p.Check(); (err == nil) != (role == Audit) {
			t.Errorf("%s: a policy that lets a TPM in: %v", role, err)
		}
	}
}

// TestNoPolicyAcceptsTheUnacceptable draws any policy and any case.
func TestNoPolicyAcceptsTheUnacceptable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		c := enclave()
		c.Occasion = rapid.SampledFrom([]Occasion{Joining, Renewing, Standing}).Draw(t, "occasion")
		c.Status = evidence.Status(rapid.IntRange(0, 9).Draw(t, "status"))
		c.Debug = rapid.Bool().Draw(t, "debug")
		c.Code.Approved = rapid.Bool().Draw(t, "approved")
		never := c.Debug || !c.Code.Approved || c.Status >= evidence.Revoked || c.Status == 0 && c.Occasion != Standing
		err := Judge(p, c)
		if never && err == nil {
			t.Fatalf("accepted: %+v under %+v", c, p)
		}
		findings, first := Explain(p, c), wire.OK
		for _, f := range findings {
			if first == wire.OK {
				first = f.Code
			}
		}
		if first != wire.CodeOf(err) {
			t.Fatalf("Explain begins with %s, Judge says %v", first, err)
		}
		// Who may join may also stay.
		if c.Occasion == Joining && err == nil {
			if c.Occasion = Standing; Judge(p, c) != nil {
				t.Fatalf("joins and may not stay: %+v", c)
			}
		}
	})
}

func TestEvidenceAgesByBlocksAndByTime(t *testing.T) {
	p := worker()
	for name, x := range map[string]struct {
		named, namedMs, height, ms uint64
		ok                         bool
	}{
		"of this very block":    {700, now, 700, now, true},
		"as old as may be":      {100, now, 700, now + p.MaxEvidenceMs, true},
		"one block too old":     {99, now, 700, now, false},
		"a millisecond too old": {700, now, 701, now + p.MaxEvidenceMs + 1, false},
		"a block to come":       {701, now, 700, now, false},
		"a time to come":        {700, now + 1, 700, now, false},
	} {
		err := p.Fresh(x.named, x.namedMs, x.height, x.ms)
		if (err == nil) != x.ok || !x.ok && wire.CodeOf(err) != wire.ErrEvidenceStale {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.Lasts(now) != now+30*day {
		t.Errorf("lasts until %d", p.Lasts(now))
	}
}

func TestOperatorsHaveALimit(t *testing.T) {
	p := worker()
	if p.Room(1000) != nil {
		t.Error("0 is a limit")
	}
	p.MaxPerOperator = 2
	if p.Room(1) != nil || wire.CodeOf(p.Room(2)) != wire.ErrNodesOfOperator {
		t.Errorf("%v, %v", p.Room(1), p.Room(2))
	}
}
