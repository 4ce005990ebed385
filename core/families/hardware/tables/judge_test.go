package tables_test

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/evidence/intel"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

// sample reads a file of real evidence.
func sample(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{evidencetest.Samples(t)}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pemFile reads the certificates of a file.
func pemFile(t testing.TB, name string) (ders [][]byte) {
	t.Helper()
	for block, rest := pem.Decode(sample(t, "roots", name)); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	return ders
}

// intelRoot is the real one.
func intelRoot(t testing.TB) trust.Root {
	return trust.Root{Vendor: evidence.Intel, DER: pemFile(t, "intel-sgx-root-ca.pem")[0], Name: "Intel SGX Root CA", Class: trust.CPU, IssuePercent: 100}
}

// quote reads a real quote.
func quote(t testing.TB, kind evidence.Kind, name string) *evidence.Evidence {
	t.Helper()
	q, err := intel.Trim(sample(t, kind.String(), name+".quote"))
	if err != nil {
		t.Fatal(err)
	}
	return &evidence.Evidence{Kind: kind, Quote: q}
}

// Codes that putting a bundle gives: root's list, PCK CA's list, TCB info, QE
// identity.
var (
	allNew = []wire.Code{wire.OK, wire.OK, wire.OK, wire.OK}
	allOld = []wire.Code{wire.ErrCollateralOlder, wire.ErrCollateralOlder, wire.ErrCollateralOlder, wire.ErrCollateralOlder}
)

// bundle puts real collateral into state, and expects these codes.
func (l *lab) bundle(kind evidence.Kind, name string, want []wire.Code) {
	l.Helper()
	items, err := intel.ParseBundle(sample(l, kind.String(), name+".json"))
	if err != nil {
		l.Fatal(err)
	}
	var got []wire.Code
	for i := range items {
		_, err := l.put(l.chain.NextMs(), items[i])
		got = append(got, wire.CodeOf(err))
	}
	if !slices.Equal(got, want) {
		l.Errorf("%s: %v, want %v", name, got, want)
	}
}

// verified is what the tables find about evidence now.
func (l *lab) verified(e *evidence.Evidence) (r evidence.Result, err error) {
	l.Helper()
	err = l.do(func(st ledger.State, _, timeMs uint64) (err error) {
		r, err = tables.Verify(st, e, timeMs)
		return err
	})
	return r, err
}

// judged is what becomes of a newcomer now.
func (l *lab) judged(role policy.Role, r *evidence.Result) error {
	l.Helper()
	return l.do(func(st ledger.State, height, timeMs uint64) error { return tables.Judge(st, role, r, height, timeMs) })
}

func (l *lab) rejudged(role policy.Role, reg *tables.Registered) (o tables.Outcome, err error) {
	l.Helper()
	err = l.do(func(st ledger.State, height, timeMs uint64) (err error) {
		o, err = tables.Rejudge(st, role, reg, height, timeMs)
		return err
	})
	return o, err
}

// allow approves the code of a result at once.
func (l *lab) allow(r *evidence.Result, version string) trust.Measurement {
	l.Helper()
	m := trust.Measurement{
		Component: trust.Image, Version: version, Alg: trust.SHA256, Digest: r.Code[:], Register: "CODEID", Activation: l.height(),
	}
	if err := l.decide(&trust.MeasurementApprove{Measurement: m, Emergency: true}, true); err != nil {
		l.Fatal(err)
	}
	return m
}

// wait lets blocks pass until a day after genesis.
func (l *lab) wait(day int) {
	l.Helper()
	if err := l.at(days(day), func(ledger.State, uint64, uint64) error { return nil }); err != nil {
		l.Fatal(err)
	}
}

// TestARealPlatformsLife follows a TDX machine from its registration to the day
// its maker's root is revoked.
func TestARealPlatformsLife(t *testing.T) {
	l := newLab(t, trust.Genesis{Roots: []trust.GenesisRoot{genesisRoot(intelRoot(t))}})
	e := quote(t, evidence.TDX, "04-v5-uptodate")
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrCollateralMissing {
		t.Fatalf("without collateral: %v", err)
	}
	l.bundle(evidence.TDX, "04-v5-uptodate.collateral-2025-06", allNew)
	l.bundle(evidence.TDX, "04-v5-uptodate.collateral-2025-06", allOld)
	r, err := l.verified(e)
	if err != nil || r.Status != evidence.UpToDate || r.Kind != evidence.TDX || r.Product != "90c06f000000" || r.Simulated {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := l.judged(policy.Gatekeeper, &r); wire.CodeOf(err) != wire.ErrEvidenceCode {
		t.Fatalf("code nobody approved: %v", err)
	}
	m := l.allow(&r, "1.0")
	for _, role := range policy.Roles {
		if err := l.judged(role, &r); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	reg := tables.Register(&r, nil)
	if o, err := l.rejudged(policy.Gatekeeper, &reg); err != nil || o.Status != evidence.UpToDate || o.Since != 0 || o.Flagged {
		t.Errorf("%+v, %v", o, err)
	}

	// Collateral of another machine: its QE identity is newer.
	l.bundle(evidence.TDX, "01-v4-uptodate.collateral-2025-06", []wire.Code{wire.ErrCollateralOlder, wire.ErrCollateralOlder, wire.OK, wire.OK})
	l.bundle(evidence.TDX, "04-v5-uptodate.collateral-2025-06", allOld)
	if other, err := l.verified(quote(t, evidence.TDX, "01-v4-uptodate")); err != nil || other.Status != evidence.UpToDate {
		t.Errorf("the other machine: %+v, %v", other, err)
	}

	// The TCB info expires on 5 July: nobody joins, who joined stays.
	l.wait(11)
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrCollateralExpired {
		t.Errorf("after the TCB info expired: %v", err)
	}
	if o, err := l.rejudged(policy.Gatekeeper, &reg); err != nil || o.Status != 0 {
		t.Errorf("%+v, %v", o, err)
	}

	// Code is superseded: newcomers are refused it, renewals are not.
	l.takes("deprecate", &trust.MeasurementDeprecate{ID: m.ID(), Height: l.height() + 1, Force: true})
	if err := l.at(l.chain.NextMs(), func(st ledger.State, height, timeMs uint64) error {
		r := r
		r.NotAfter = int64(timeMs) // as if collateral had been renewed
		if err := tables.Judge(st, policy.Worker, &r, height, timeMs); wire.CodeOf(err) != wire.ErrEvidenceCode {
			t.Errorf("a newcomer with deprecated code: %v", err)
		}
		return tables.JudgeRenewal(st, policy.Worker, &r, height, timeMs)
	}); err != nil {
		t.Errorf("a renewal with deprecated code: %v", err)
	}
	if err := l.judged(policy.Worker, &r); wire.CodeOf(err) != wire.ErrEvidenceExpired {
		t.Errorf("a result of another time: %v", err)
	}

	// A TCB recovery in February 2026: the same machine, without a new quote.
	l.wait(245)
	l.bundle(evidence.TDX, "07-v5-no-level.collateral-2026-02", []wire.Code{wire.ErrCollateralOlder, wire.OK, wire.OK, wire.OK})
	if _, err := l.rejudged(policy.Gatekeeper, &reg); wire.CodeOf(err) != wire.ErrEvidenceStatus {
		t.Errorf("a role with keys goes at once: %v", err)
	}
	if o, err := l.rejudged(policy.Audit, &reg); err != nil || o.Status != evidence.OutOfDate || !o.Flagged || o.Since != 0 {
		t.Errorf("a role without keys is flagged: %+v, %v", o, err)
	}
	o, err := l.rejudged(policy.Worker, &reg)
	if now := l.chain.Ledger.Tip().Header.TimeMs; err != nil || o.Status != evidence.OutOfDate || len(o.Advisories) == 0 ||
		!o.Flagged || o.Since != now || o.Until != now+14*24*3600*1000 {
		t.Fatalf("a worker has grace: %+v, %v", o, err)
	}
	reg.Since = o.Since
	l.wait(258)
	if again, err := l.rejudged(policy.Worker, &reg); err != nil || again.Since != o.Since || again.Until != o.Until || !again.Flagged {
		t.Errorf("within it: %+v, %v", again, err)
	}
	if err := l.at(o.Until, func(st ledger.State, height, timeMs uint64) error {
		_, err := tables.Rejudge(st, policy.Worker, &reg, height, timeMs)
		return err
	}); err != nil {
		t.Errorf("its last moment: %v", err)
	}
	if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != wire.ErrEvidenceStatus {
		t.Errorf("after it: %v", err)
	}
	l.wait(300)
	if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != wire.ErrEvidenceStatus {
		t.Errorf("after it, with expired collateral: %v", err)
	}
	reg.Since = l.chain.Ledger.Tip().Header.TimeMs
	if o, err := l.rejudged(policy.Worker, &reg); err != nil || o.Status != 0 || o.Since != reg.Since || o.Until != reg.Since+14*24*3600*1000 || !o.Flagged {
		t.Errorf("a grace goes on while collateral allows no judgement: %+v, %v", o, err)
	}
	reg.Since = 0

	// Its maker's root falls.
	root := intelRoot(t)
	l.takes("no newcomers", &trust.RootRevoke{Root: root.ID(), Mode: trust.NoNewcomers})
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("a newcomer under a revoked root: %v", err)
	}
	if o, err := l.rejudged(policy.Worker, &reg); err != nil || o.Status != 0 {
		t.Errorf("who is there stays: %+v, %v", o, err)
	}
	l.takes("suspend all", &trust.RootRevoke{Root: root.ID(), Mode: trust.SuspendAll})
	if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != wire.ErrEvidenceRevoked {
		t.Errorf("everybody under it goes: %v", err)
	}
}

func TestDebugIsRefusedWhateverThePolicy(t *testing.T) {
	l := newLab(t, trust.Genesis{Roots: []trust.GenesisRoot{genesisRoot(intelRoot(t))}})
	l.wait(56)
	l.bundle(evidence.SGX, "03-v3-debug-enclave.collateral-2025-08", allNew)
	r, err := l.verified(quote(t, evidence.SGX, "03-v3-debug-enclave"))
	if err != nil || !r.Debug {
		t.Fatalf("%+v, %v", r, err)
	}
	l.allow(&r, "debug")
	lax := policy.Default(policy.Audit, false)
	l.takes("the laxest policy", &trust.PolicySet{Policy: lax})
	if err := l.judged(policy.Audit, &r); wire.CodeOf(err) != wire.ErrEvidenceDebug {
		t.Errorf("%v", err)
	}
}

// A policy takes effect with the block that sets it, for newcomers and for who
// is there.
func TestPoliciesTakeEffectAtOnce(t *testing.T) {
	l := newLab(t, trust.Genesis{Roots: []trust.GenesisRoot{genesisRoot(intelRoot(t))}})
	l.bundle(evidence.SGX, "01-v3-processor-ca.collateral-2025-06", allNew)
	r, err := l.verified(quote(t, evidence.SGX, "01-v3-processor-ca"))
	if err != nil || r.Status != evidence.ConfigurationAndSWHardeningNeeded {
		t.Fatalf("%+v, %v", r, err)
	}
	l.allow(&r, "1.0")
	reg := tables.Register(&r, nil)
	p := policy.Default(policy.Worker, false)
	for _, x := range []struct {
		name   string
		change func()
		code   wire.Code
	}{
		{"one advisory is listed", func() { p.Advisories = []string{"INTEL-SA-00289"} }, wire.ErrEvidenceStatus},
		{"both are", func() { p.Advisories = []string{"INTEL-SA-00289", "INTEL-SA-00615"} }, wire.OK},
		{"another kind is wanted", func() { p.Kinds = policy.Kinds{evidence.TDX} }, wire.ErrEvidencePolicy},
	} {
		x.change()
		l.takes(x.name, &trust.PolicySet{Policy: p})
		if err := l.judged(policy.Worker, &r); wire.CodeOf(err) != x.code {
			t.Errorf("%s: joining: %v", x.name, err)
		}
		if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != x.code {
			t.Errorf("%s: standing: %v", x.name, err)
		}
	}
	if err := l.judged(policy.Gatekeeper, &r); wire.CodeOf(err) != wire.ErrEvidenceStatus {
		t.Errorf("another role's policy is its own: %v", err)
	}
}

// TestTheAuthoritiesRevokeKeys: every certificate of evidence and of collateral
// can be taken out, one at a time.
func TestTheAuthoritiesRevokeKeys(t *testing.T) {
	e := quote(t, evidence.SGX, "01-v3-processor-ca")
	keys, err := verify.Keys(e)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	items, err := intel.ParseBundle(sample(t, "sgx", "01-v3-processor-ca.collateral-2025-06.json"))
	if err != nil {
		t.Fatal(err)
	}
	signers, err := verify.ItemKeys(&items[2])
	if err != nil || len(signers) != 2 {
		t.Fatalf("%v, %v", signers, err)
	}
	root := intelRoot(t)
	for name, x := range map[string]struct {
		key  wire.Hash
		code wire.Code
	}{
		"the PCK certificate's":     {keys[0], wire.ErrEvidenceRevoked},
		"the PCK CA's":              {keys[1], wire.ErrCollateralMissing}, // it signs the list too
		"the collateral's signer's": {signers[slices.IndexFunc(signers, func(k wire.Hash) bool { return k != keys[2] })], wire.ErrCollateralMissing},
	} {
		l := newLab(t, trust.Genesis{Roots: []trust.GenesisRoot{genesisRoot(root)}})
		l.bundle(evidence.SGX, "01-v3-processor-ca.collateral-2025-06", allNew)
		if _, err := l.verified(e); err != nil {
			t.Fatal(err)
		}
		l.takes(name, &trust.CertRevoke{Root: root.ID(), SPKIs: []wire.Hash{x.key}})
		if _, err := l.verified(e); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
}

func TestAMDGuestsAreVerifiedFromState(t *testing.T) {
	chain := pemFile(t, "amd_ask_ark_milan.pem")
	root := trust.Root{Vendor: evidence.AMD, DER: chain[1], Name: "ARK-Milan", Product: "Milan", Class: trust.CPU, IssuePercent: 100}
	l := newLab(t, trust.Genesis{Roots: []trust.GenesisRoot{genesisRoot(root), genesisRoot(intelRoot(t))}})
	e := &evidence.Evidence{Kind: evidence.SNP, Quote: sample(t, "snp", "05-milan-v2.report"), Aux: [][]byte{sample(t, "snp", "05-milan-v2.vcek.der")}}
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrCollateralMissing {
		t.Fatalf("without the intermediate: %v", err)
	}
	if key, err := l.put(l.chain.NextMs(), evidence.Item{Type: evidence.AMDChain, Body: chain[0]}); err != nil || key.Name != "Milan/vcek" {
		t.Fatalf("%v, %v", key, err)
	}
	r, err := l.verified(e)
	if err != nil || r.Status != evidence.UpToDate || r.Product != "Milan" || r.Device.IsZero() {
		t.Fatalf("%+v, %v", r, err)
	}
	l.allow(&r, "1.0")
	if err := l.judged(policy.Gatekeeper, &r); wire.CodeOf(err) != wire.ErrEvidencePolicy {
		t.Errorf("Milan holds no keys: %v", err)
	}
	reg := tables.Register(&r, nil)
	if err := l.judged(policy.Worker, &r); err != nil {
		t.Errorf("%v", err)
	}
	if o, err := l.rejudged(policy.Worker, &reg); err != nil || o.Status != evidence.UpToDate {
		t.Errorf("%+v, %v", o, err)
	}
	p := policy.Default(policy.Worker, false)
	p.MinTCB = []policy.MinTCB{{Product: "Milan", Microcode: 255}}
	l.takes("a lowest TCB", &trust.PolicySet{Policy: p})
	if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != wire.ErrEvidenceStatus {
		t.Errorf("below the lowest TCB: %v", err)
	}
	keys, err := verify.Keys(e)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	reg = tables.Register(&r, keys)
	l.takes("the lowest TCB is lifted", &trust.PolicySet{Policy: policy.Default(policy.Worker, false)})
	if _, err := l.rejudged(policy.Worker, &reg); err != nil {
		t.Errorf("before its key is revoked: %v", err)
	}
	l.takes("the chip's key", &trust.CertRevoke{Root: root.ID(), SPKIs: keys})
	if _, err := l.rejudged(policy.Worker, &reg); wire.CodeOf(err) != wire.ErrEvidenceRevoked {
		t.Errorf("after its key is revoked: %v", err)
	}
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrEvidenceRevoked {
		t.Errorf("%v", err)
	}
}

// What is registered without a device, a level or a known kind is refused, not
// believed.
func TestRejudgingNonsense(t *testing.T) {
	l := newLab(t, trust.Genesis{Measurements: images(1)})
	for name, x := range map[string]struct {
		reg  tables.Registered
		code wire.Code
	}{
		"nothing":        {tables.Registered{}, wire.ErrEvidenceUnsupported},
		"a broken level": {tables.Registered{Kind: evidence.SGX, Level: []byte{1}}, wire.ErrEvidenceMalformed},
		"a bare TPM":     {tables.Registered{Kind: evidence.TPM}, wire.ErrEvidencePolicy},
	} {
		if _, err := l.rejudged(policy.Audit, &x.reg); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	if _, err := l.rejudged(policy.Audit, &tables.Registered{Kind: evidence.TPM, Device: wire.Hash{1}}); err != nil {
		t.Errorf("a registered TPM: %v", err)
	}
}

// A state that cannot be read is not one where things are missing: that would
// be a refusal, on some machines only. The error has no code, which stops the
// node.
func TestADamagedStateIsNoAnswer(t *testing.T) {
	maker := newAuthority(t, "maker", nil)
	r := maker.root()
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(r)}, Measurements: images(1)})
	key, err := l.put(days(1), maker.list(t, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	code := image(1, 0)
	e := &evidence.Evidence{Kind: evidence.TPM, Quote: []byte{1}}
	reg := &tables.Registered{Kind: evidence.TPM, Device: wire.Hash{1}}
	item := maker.list(t, 2, 2)
	for name, x := range map[string]struct {
		key []byte
		ask func(st ledger.State) error
	}{
		"a root, as an anchor": {trust.RootKey(r.ID()), func(st ledger.State) error {
			src := tables.Source(st)
			if len(src.Anchors(evidence.Intel)) != 0 {
				t.Error("there are anchors")
			}
			return src.Err()
		}},
		"a root, for collateral": {trust.RootKey(r.ID()), func(st ledger.State) error {
			_, err := tables.PutItem(st, &item, days(3))
			return err
		}},
		"the list of roots": {trust.RootsKey(evidence.TPMMaker), func(st ledger.State) error {
			_, err := tables.Rejudge(st, policy.Audit, reg, 9, days(1))
			return err
		}},
		"an item": {trust.ItemKey(key), func(st ledger.State) error {
			src := tables.Source(st)
			if _, ok := src.Item(key); ok {
				t.Error("there is an item")
			}
			return src.Err()
		}},
		"an item, for its successor": {trust.ItemKey(key), func(st ledger.State) error {
			_, err := tables.PutItem(st, &item, days(3))
			return err
		}},
		"a measurement": {trust.MeasurementKey(code.ID()), func(st ledger.State) error {
			_, _, err := tables.Approved(st, trust.Image, code.Digest, 1)
			return err
		}},
		"a policy": {trust.PolicyKey(policy.Audit), func(st ledger.State) error {
			_, err := tables.Rejudge(st, policy.Audit, reg, 9, days(1))
			return err
		}},
		"the summary": {trust.SummaryKey, func(st ledger.State) error {
			return tables.Apply(st, &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{1}}}, 9, days(1), false)
		}},
		"a revocation that is due": {trust.DueKey(9), func(st ledger.State) error {
			_, err := tables.Due(st, 9)
			return err
		}},
	} {
		l.must(func(st ledger.State, _, _ uint64) error {
			good, err := st.Get(x.key)
			if err != nil {
				return err
			}
			if err := st.Set(x.key, []byte("damaged")); err != nil {
				return err
			}
			var code wire.Code
			if err := x.ask(st); err == nil || errors.As(err, &code) {
				t.Errorf("%s: %v", name, err)
			}
			if good == nil {
				return st.Delete(x.key)
			}
			return st.Set(x.key, good)
		})
	}
	if _, err := l.verified(e); wire.CodeOf(err) != wire.ErrEvidenceMalformed {
		t.Errorf("afterwards: %v", err)
	}
}
