package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/governance"
	"cloister/wire/hardware"
	"cloister/wire/node"
)

// sampleOrders has every order there is, and a word of what explains it.
func sampleOrders() []struct {
	family string
	bytes  []byte
	says   string
} {
	p := policy.Default(policy.Worker, true)
	digest := wire.Hash{7}
	m := trust.Measurement{Component: trust.Image, Version: "9.9.9", Alg: trust.SHA256, Digest: digest[:], Register: "CODEID", Activation: 77}
	two := &governance.Authorities{Accounts: []wire.Account{{1}, {2}}, Threshold: governance.DefaultThreshold, LifetimeMs: governance.DefaultLifetimeMs}
	return []struct {
		family string
		bytes  []byte
		says   string
	}{
		{governance.Name, governance.SetAuthorities(two), wire.FactoidAddress(wire.Account{2})},
		{node.Name, (&node.Admit{Node: wire.NodeID{1}, Role: wire.Voter}).Bytes(), "as voter"},
		{node.Name, (&node.Remove{Node: wire.NodeID{1}}).Bytes(), "remove member 01"},
		{node.Name, (&node.Revoke{Node: wire.NodeID{1}, Reason: "key lost"}).Bytes(), "for ever: key lost"},
		{node.Name, (&node.SetParams{MaxNodes: 5, FoundingMs: 60_000}).Bytes(), "at most 5 registrations"},
		{hardware.Name, (&trust.RootAdd{Root: trust.Root{Vendor: evidence.Intel, DER: []byte{1}, Name: "r", Class: trust.CPU, Simulated: true}}).Bytes(), "SIMULATED"},
		{hardware.Name, (&trust.RootRevoke{Root: wire.Hash{1}, Mode: trust.SuspendAll}).Bytes(), "suspended"},
		{hardware.Name, (&trust.CertRevoke{Root: wire.Hash{1}, SPKIs: []wire.Hash{{2}, {3}}}).Bytes(), "revoke 2 keys"},
		{hardware.Name, (&trust.MeasurementApprove{Measurement: m, Emergency: true}).Bytes(), "9.9.9, digest 07"},
		{hardware.Name, (&trust.MeasurementDeprecate{ID: wire.Hash{1}, Height: 5, Reason: "old"}).Bytes(), "newcomers"},
		{hardware.Name, (&trust.MeasurementRevoke{ID: wire.Hash{1}, Height: 5, Reason: "leaks", Force: true}).Bytes(), "even if no version is left: leaks"},
		{hardware.Name, (&trust.PolicySet{Policy: p}).Bytes(), `"max_registration_age_ms"`},
		{hardware.Name, hardware.EncodeOrder(&hardware.DeviceRevoke{Device: wire.Hash{1}, Reason: "stolen"}), "end device 01"},
		{hardware.Name, hardware.EncodeOrder(&hardware.ParamsSet{Params: []byte{0xab}}), "by ab"},
		{hardware.Name, hardware.EncodeOrder(&hardware.TreasuryPay{To: wire.Account{1}, Amount: 150_000_000}), "pay 1.5 factoids"},
	}
}

func TestEveryOrderIsExplainedToWhoApprovesIt(t *testing.T) {
	for _, o := range sampleOrders() {
		if does := explain(o.family, o.bytes); !strings.Contains(does, o.says) || strings.Contains(does, "cannot read") {
			t.Errorf("%s %x: %q says nothing of %q", o.family, o.bytes, does, o.says)
		}
		if _, err := explainers[o.family](append(o.bytes, 0)); err == nil {
			t.Errorf("%s %x is read with something behind it", o.family, o.bytes)
		}
	}
	for _, family := range []string{"", "token", "\x1b[2J"} {
		if does := explain(family, []byte{1}); !strings.Contains(does, "cannot read") {
			t.Errorf("an order to %q: %q", family, does)
		}
	}
}

// An order comes from whoever proposed it.
func FuzzExplain(f *testing.F) {
	for _, o := range sampleOrders() {
		f.Add(o.family, o.bytes)
	}
	f.Fuzz(func(t *testing.T, family string, order []byte) {
		if text := lines(explain(family, order)); strings.ContainsAny(text, "\x1b\r\x00") {
			t.Fatalf("what an order does moves the cursor: %q", text)
		}
	})
}

func TestAProposalSaysHowManyApprovalsAreMissing(t *testing.T) {
	all := make([]wire.Account, 6)
	for i := range all {
		all[i] = wire.Account{byte(i + 1)}
	}
	half := governance.Threshold{Num: 1, Den: 2}
	for _, x := range []struct {
		authorities, approvals int
		threshold              governance.Threshold
		unanimous              bool
		missing                int
	}{
		{1, 1, governance.DefaultThreshold, false, 0}, {2, 1, governance.DefaultThreshold, false, 1}, {3, 1, governance.DefaultThreshold, false, 2},
		{6, 1, governance.DefaultThreshold, false, 4}, {6, 1, half, false, 3}, {6, 3, half, false, 1}, {6, 1, half, true, 5}, {6, 6, half, true, 0},
	} {
		a := &governance.Authorities{Accounts: all[:x.authorities], Threshold: x.threshold}
		p := &governance.Proposal{Unanimous: x.unanimous, Approvals: all[:x.approvals]}
		got := tally(p, a)
		if got.Missing != x.missing || got.Approvals != x.approvals || got.All != x.authorities || (got.Missing == 0) != p.Passes(a) {
			t.Errorf("%+v: %+v", x, got)
		}
	}
	stranger := tally(&governance.Proposal{Approvals: []wire.Account{{1}, {99}}}, &governance.Authorities{Accounts: all[:2], Threshold: governance.DefaultThreshold})
	if stranger.Approvals != 1 || stranger.Missing != 1 {
		t.Errorf("a former authority's approval counts: %+v", stranger)
	}
}

func TestThresholdsAreFractionsOfAtLeastOneHalf(t *testing.T) {
	for text, want := range map[string]governance.Threshold{"2/3": {Num: 2, Den: 3}, "1/2": {Num: 1, Den: 2}} {
		if got, err := parseThreshold(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "1/3", "1/1", "3/2", "0/0", "2/3x", "-2/3", "300/400", "2/ 3 4"} {
		if got, err := parseThreshold(text); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestAnAccountIsAnAddressOrAKeyOfTheHome(t *testing.T) {
	home := t.TempDir()
	ok(t, "", "--home", home, "keys", "new", "alice", "--plain")
	a := &app{home: home, env: func(string) string { return "" }}
	k, err := readKeyFile(filepath.Join(home, keysFolder, "alice.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.AccountOf(k.Public)
	for _, text := range []string{"alice", wire.FactoidAddress(want), want.String()} {
		if got, err := a.account(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "bob", "../alice", sandboxSecret, "FA2jK2"} {
		if got, err := a.account(text); wire.CodeOf(err).Info().Exit != wire.ExitUsage {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

func TestAnOrderFileIsReadBeforeItIsProposed(t *testing.T) {
	home := t.TempDir()
	s := &shell{t, home}
	if err := os.WriteFile(filepath.Join(home, "junk"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("cloister keys new k --plain --home . && cloister init --home v --name v && cloister genesis new --name n --engine solo --member v/member.json")
	for line, code := range map[string]wire.Code{
		"cloister governance propose node junk":      wire.ErrMalformed,
		"cloister governance propose node nothing":   wire.ErrBadRequest,
		"cloister governance propose node /dev/zero": wire.ErrTooLarge,
	} {
		o := s.run(line + " --home . --endpoint 127.0.0.1:1 --genesis genesis.json")
		if o.code != code.Info().Exit || !strings.Contains(o.errs, code.String()) {
			t.Errorf("%s: exit %d\n%s", line, o.code, o.errs)
		}
	}
}

func TestDecisionsAreShownWithWhatIsMissing(t *testing.T) {
	var b bytes.Buffer
	open := &shownDecision{Does: "pay \x1b[2J", Waits: &shownTally{Approvals: 1, All: 3, Missing: 2}}
	open.text(&b)
	for _, want := range []string{"NOT carried out", "1 of 3", "2 missing", "cloister governance approve 00"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("an order moves the cursor")
	}
	b.Reset()
	(&shownDecision{Does: "pay", Executed: true}).text(&b)
	if !strings.HasPrefix(b.String(), "carried out: pay\n") {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	enough := tally(&governance.Proposal{Approvals: []wire.Account{{1}}}, &governance.Authorities{Accounts: []wire.Account{{1}}, Threshold: governance.DefaultThreshold})
	if !strings.Contains(enough.String(), "enough") {
		t.Errorf("%q", enough)
	}
}

func TestEveryEndingHasAName(t *testing.T) {
	for _, e := range []governance.Ending{governance.Executed, governance.Withdrawn, governance.Expired} {
		if s := showDecision(wire.Hash{}, &governance.Decision{Ending: e, Approvals: 2, All: 3}); !strings.HasSuffix(s.Ending, "with 2 of 3 approvals") || strings.HasPrefix(s.Ending, " ") {
			t.Errorf("%d: %q", e, s.Ending)
		}
	}
}

func TestSpansAreShownAsPeopleSayThem(t *testing.T) {
	for ms, want := range map[uint64]string{0: "0s", 1500: "1.5s", 30 * 60 * 1000: "30m0s", 7 * 24 * 3600 * 1000: "7 days", 24 * 3600 * 1000: "24h0m0s", 1 << 63: "more than a lifetime"} {
		if got := span(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
