package hardware_test

import (
	"slices"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/committee"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// testee is a device that answers for itself.
type testee interface {
	submit(w *world, task wire.Hash) *public.EvidenceSubmit
}

func (c *cpu) submit(w *world, task wire.Hash) *public.EvidenceSubmit {
	t := w.task(task)
	claims := c.claims(w, evidence.Challenge)
	claims.Challenge = t.Nonce
	return &public.EvidenceSubmit{Task: task, Attempt: t.Attempt, Evidence: c.show(claims)}
}

// agents do the duties of all devices from public state alone: what whoever
// automates them has to do.
type agents struct {
	*world
	testees map[wire.Hash]testee
	owners  map[wire.Hash]wire.PrivateKey
	chips   map[wire.Hash]*chip
	sent    map[wire.Hash]bool
}

// newAgents starts a chain whose founders' devices are CPUs that answer, with
// gas for their renewals.
func newAgents(t testing.TB, n int, edit ...func(*hardware.Genesis)) *agents {
	t.Helper()
	a := &agents{world: newWorld(t, 0, append([]func(*hardware.Genesis){func(g *hardware.Genesis) {
		for i := range n {
			g.Founders = append(g.Founders, newVerifier(i).owner.Public())
		}
	}}, edit...)...), testees: map[wire.Hash]testee{}, owners: map[wire.Hash]wire.PrivateKey{}, chips: map[wire.Hash]*chip{}, sent: map[wire.Hash]bool{}}
	a.collateral()
	for i := range n {
		v := newVerifier(i)
		c := &cpu{chip: byte(0x80 + i), owner: v.owner, node: v.node, vrf: v.vrf}
		v.id = c.id()
		a.verifiers = append(a.verifiers, v)
		a.testees[v.id], a.owners[v.id] = c, v.owner
		a.OK(a.Transfer(ledgertest.Alice, 1<<32, ledgertest.Account(v.owner)), a.Buy(ledgertest.Alice, 1<<30, v.owner.Public()))
		a.OK(a.send(v.owner, &public.JoinPlatform{Evidence: c.show(c.claims(a.world, evidence.Register))}),
			a.send(v.owner, &public.Deposit{Amount: 1 << 30}))
	}
	return a
}

// once is false the second time.
func (a *agents) once(what string, t *public.Task, task, who wire.Hash) bool {
	key := wire.TH("test/"+what, task[:], wire.U32(t.Attempt), who[:])
	was := a.sent[key]
	a.sent[key] = true
	return !was
}

// step is a block in which everybody does what is due.
func (a *agents) step(more ...*wire.Tx) {
	a.Helper()
	txs := slices.Clone(more)
	for slot := range a.totals().Open {
		raw := a.raw(public.OpenPageKey(slot / public.PageOpen))
		device := wire.Hash(raw[32*(slot%public.PageOpen):])
		task := a.open(device)
		txs = append(txs, a.duties(device, task)...)
	}
	done := a.Run(txs...)
	for i := range txs {
		switch code := a.Result(done, i).Code; code {
		case wire.OK, wire.ErrNoTicket, wire.ErrNotEligible:
		default:
			a.Fatalf("height %d, duty %d: %s", a.height(), i, code)
		}
	}
	a.commonsense()
}

func (a *agents) duties(device, task wire.Hash) (txs []*wire.Tx) {
	t := a.task(task)
	switch t.Phase {
	case public.PhaseEvidence:
		if a.once("evidence", t, task, device) {
			txs = append(txs, a.send(a.owners[device], a.testees[device].submit(a.world, task)))
		}
	case public.PhaseAnswer:
		if a.once("answer", t, task, device) {
			txs = append(txs, a.send(a.owners[device], a.chips[device].answer(a.world, task)))
		}
	case public.PhaseClaim:
		for _, v := range a.verifiers {
			if v.id != device && a.once("claim", t, task, v.id) {
				txs = append(txs, a.claim(v, task))
			}
		}
	}
	for _, s := range a.committeeOf(task) {
		v := a.verifierOf(s.Device)
		switch {
		case t.Phase == public.PhaseChallenge && a.once("challenge", t, task, v.id):
			txs = append(txs, a.challenge(v, task))
		case t.Phase == public.PhaseCommit && a.once("commit", t, task, v.id):
			txs = append(txs, a.commit(v, task, a.opinion(task)))
		case t.Phase == public.PhaseReveal && a.once("reveal", t, task, v.id):
			txs = append(txs, a.reveal(v, task, a.opinion(task)))
		}
	}
	return txs
}

// opinion is what a verifier finds with what the ledger shows it.
func (a *agents) opinion(task wire.Hash) say {
	a.Helper()
	t := a.task(task)
	d := a.device(t.Device)
	e, ok := load[public.Evidence](a.world, public.EvidenceKey(task))
	if !ok {
		a.Fatalf("task %s has no evidence", task)
	}
	p, _ := load[policy.Policy](a.world, trust.PolicyKey(policy.Audit))
	summary, _ := load[trust.Summary](a.world, trust.SummaryKey)
	set := &evidence.Set{Trusted: []evidence.Anchor{{Vendor: evidence.AMD, DER: theAMD().ark, Product: "Genoa", Simulated: true}}}
	set.Add(evidence.Key{Type: evidence.AMDChain, Name: "Genoa/vcek"}, theAMD().chain())
	in := &appraise.Input{
		Evidence: *e, Boot: e.Boot.Inline, App: e.App.Inline, Chain: a.chainID(), Device: t.Device, Kind: t.Kind, Nonce: t.Nonce,
		Height: t.Anchor, TimeMs: a.NextMs(), NodeKey: t.NodeKey, VRFKey: t.VRFKey, AK: d.AKPub,
		Before:   appraise.Age{Counter: t.PrevCounter, Reset: t.PrevReset, Restart: t.PrevRestart, Clock: t.PrevClock},
		BootPCRs: a.params.Schedule.PCRs(), AppPCR: a.params.Schedule.AppPCR, Mandatory: summary.Mandatory, Source: set, Policy: p,
	}
	for _, want := range appraise.Digests(in) {
		ids, _ := load[trust.IDs](a.world, trust.DigestKey(want.Component, trust.SHA256, want.Digest))
		for _, id := range ids.List {
			m, _ := load[trust.Measurement](a.world, trust.MeasurementKey(id))
			in.Measurements = append(in.Measurements, *m)
		}
	}
	r := appraise.Judge(in)
	if r.Digest != committee.ResultDigest(t.EvidenceDigest, r.Verdict, r.Reason, r.Measurements) {
		a.Fatalf("verifier and ledger name one result differently")
	}
	return say{verdict: r.Verdict, reason: r.Reason, found: r.Measurements}
}

// TestANetworkKeepsItselfProven: CPUs and TPMs join, are renewed for hundreds of
// blocks, earn credit until there is too much of it, and nothing is lost.
func TestANetworkKeepsItselfProven(t *testing.T) {
	a := newAgents(t, 7, func(g *hardware.Genesis) {
		g.Params.Schedule.RAPeriod, g.Params.Schedule.RAGrace = 60, 12
		g.Params.Schedule.BootPCRs = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14}
		g.Params.Committee.Cap = 80 * unit
		g.Params.Schedule.DisputeWindow = 20
	})
	c := newChip(0)
	a.testees[c.id], a.chips[c.id], a.owners[c.id] = c, c, c.owner
	a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
	a.step(a.send(c.owner, c.join(a.chainID())), a.send(c.owner, &public.Deposit{Amount: 1 << 30}))
	for range 260 {
		a.step()
	}
	if got := a.totals(); got.Active != 8 || got.Normalised == 0 || got.Credit > 88*unit {
		t.Errorf("%+v", got)
	}
	for id := range a.testees { //deterministic: each is judged alone
		d := a.device(id)
		if a.status(id) != public.Active || d.Results < 3 || d.Pruned == 0 || d.Fails != 0 {
			t.Errorf("device %s is %s: %+v", id, a.status(id), d)
		}
	}
	if c.counter < 13 {
		t.Errorf("the TPM was asked %d times", c.counter-10)
	}
}

// A renewal comes by its owner's prepaid gas, early by the jitter of the epoch.
func TestRenewalOpensByItselfAndIsPaidFromPrepaidGas(t *testing.T) {
	a := newAgents(t, 6, func(g *hardware.Genesis) { g.Params.Schedule.RAPeriod, g.Params.Schedule.RAGrace = 60, 10 })
	p, v := a.params, a.verifiers[0]
	a.until(a.totals().EpochStart + p.Schedule.Epoch)
	last := a.device(v.id).LastPass
	for a.open(v.id) == (wire.Hash{}) {
		a.step()
	}
	opened := a.height()
	want := last + p.Schedule.RAPeriod - committee.Jitter(v.id, a.totals().Epoch, p.Schedule.RAGrace)
	if opened != want && (opened != want+1 || want%p.Schedule.Epoch != 0) { // the last block of an epoch has other duties
		t.Errorf("it opened at height %d, jitter says %d", opened, want)
	}
	task := a.open(v.id)
	if tk := a.task(task); tk.Kind != public.KindPeriodic || tk.Phase != public.PhaseEvidence || tk.Anchor != opened || !tk.Prepaid {
		t.Fatalf("%+v", tk)
	}
	prepaid := be64(a.raw(public.PrepaidKey(ledgertest.Account(v.owner))))
	if prepaid != 1<<30-p.Committee.RAGas {
		t.Errorf("%d prepaid gas is left", prepaid)
	}
	for a.open(v.id) != (wire.Hash{}) {
		a.step()
	}
	if tk := a.task(task); tk.Verdict != public.Pass {
		t.Fatalf("%+v", tk)
	}
	if got := a.device(v.id).LastPass; got != a.task(task).Final {
		t.Errorf("the last PASS was at height %d", got)
	}
	a.refused(v.owner, &public.Withdraw{Amount: 1 << 31}, wire.ErrGas)
	before := a.Balance(v.owner).Factoshis
	a.OK(a.send(v.owner, &public.Withdraw{Amount: prepaid}))
	if got := a.Balance(v.owner).Factoshis; got != before+prepaid {
		t.Errorf("%d of %d came back", got-before, prepaid)
	}
}
