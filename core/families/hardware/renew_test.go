package hardware_test

import (
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// withChip is a world with a TPM that has joined.
func withChip(t testing.TB, edit ...func(*hardware.Genesis)) (*world, *chip) {
	t.Helper()
	w, c := newWorld(t, 6, edit...), newChip(0)
	w.joined(c, all(good()))
	if got := w.status(c.id); got != public.Active {
		t.Fatalf("the device is %s", got)
	}
	return w, c
}

// opened asks for a task and waits until evidence is due.
func (w *world) opened(k wire.PrivateKey, device wire.Hash, kind uint8) wire.Hash {
	w.Helper()
	w.OK(w.send(k, &public.Open{Device: device, Kind: kind}))
	task := w.open(device)
	w.reach(task, public.PhaseEvidence)
	return task
}

// attested runs a task that is open up to its verdict.
func (w *world) attested(c *chip, task wire.Hash, of func(*verifier) say) {
	w.Helper()
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.drawn(task)
	w.vote(task, of)
}

func TestWithoutGasARenewalMakesTheDeviceStaleAndTheOwnerCanRenewIt(t *testing.T) {
	w, c := withChip(t, func(g *hardware.Genesis) { g.Params.Schedule.RAPeriod, g.Params.Schedule.RAGrace = 60, 10 })
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindPeriodic}, wire.ErrDeviceStatus)
	w.until(w.device(c.id).LastPass + w.params.Schedule.RAPeriod + 1)
	if got := w.status(c.id); got != public.Stale {
		t.Fatalf("the device is %s", got)
	}
	w.refused(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindPeriodic}, wire.ErrNotOwner)
	// The verifiers' own proofs ran out too: only what is proven may judge.
	task := w.opened(c.owner, c.id, public.KindPeriodic)
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindPeriodic}, wire.ErrTaskOpen)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.reach(task, public.PhaseClaim)
	v := w.verifiers[0]
	if got := w.One(w.claim(v, task)).Code; got != wire.ErrNotEligible {
		t.Errorf("a stale verifier claims: %s", got)
	}
	w.settled()
}

func TestAChallengeCostsTheChallengerMoreEachTime(t *testing.T) {
	w, c := withChip(t)
	gas := w.params.Committee.RAGas
	w.refused(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}, wire.ErrTooSoon)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	credit, before := w.credit(c.id), w.Balance(ledgertest.Carol).Factoshis
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	if got := before - w.Balance(ledgertest.Carol).Factoshis; got != gas {
		t.Errorf("the first challenge cost %d, want %d", got, gas)
	}
	w.attested(c, task, all(good()))
	if got := w.credit(c.id); got != credit {
		t.Errorf("a challenge moved the credit of who passed by %d", int64(got-credit))
	}
	treasury := w.totals().Treasury
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	epoch, before := w.totals().Epoch, w.Balance(ledgertest.Carol).Factoshis
	w.OK(w.send(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}))
	want := gas
	if w.device(c.id).Challenges == 2 {
		want = 2 * gas
	}
	if got := before - w.Balance(ledgertest.Carol).Factoshis; got != want || w.totals().Treasury != treasury+want-gas {
		t.Errorf("the next challenge (epoch %d) cost %d, want %d", epoch, got, want)
	}
	w.commonsense()
}

func TestAFailedDeviceIsSuspendedAndReinstatedAfterItsCooldown(t *testing.T) {
	w, c := withChip(t)
	p := w.params
	w.until(w.device(c.id).LastEnd + p.Schedule.Spacing)
	credit := w.credit(c.id)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.attested(c, task, all(say{verdict: public.Fail, reason: appraise.NotApproved}))
	d := w.device(c.id)
	if got := w.status(c.id); got != public.Suspended || d.Fails != 1 || d.Cooldown != w.task(task).Final+p.Schedule.Cooldown {
		t.Fatalf("the device is %s, %+v", got, d)
	}
	if got := w.credit(c.id); got != credit-p.Committee.FailPenalty {
		t.Errorf("it has %d credit, want %d less than %d", got, p.Committee.FailPenalty, credit)
	}
	w.refused(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}, wire.ErrCooldown)
	w.refused(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}, wire.ErrDeviceStatus)
	w.until(d.Cooldown - 1)
	task = w.opened(c.owner, c.id, public.KindReinstate)
	w.attested(c, task, all(good()))
	if got := w.status(c.id); got != public.Active {
		t.Fatalf("the device is %s", got)
	}
	w.settled()
}

func TestSilenceIsAFailWithoutACommittee(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	treasury := w.totals().Treasury
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	late := c.submit(w, task)
	w.until(w.task(task).Deadline)
	tk := w.task(task)
	if tk.Verdict != public.Fail || tk.Reason != appraise.NoEvidence || w.status(c.id) != public.Suspended {
		t.Fatalf("%+v", tk)
	}
	if got := w.totals().Treasury; got != treasury+w.params.Committee.RAGas {
		t.Errorf("the treasury got %d", got-treasury)
	}
	w.refused(c.owner, late, wire.ErrPhase)
	w.settled()
}

func TestAnInconclusiveTaskIsTriedAgainAndThenLeftOpen(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	credit, before := w.credit(c.id), w.Balance(ledgertest.Carol).Factoshis
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	first := w.task(task)
	half := func(v *verifier) say {
		pass := 0
		for _, s := range w.committeeOf(task) {
			if pass += int(s.Seats); pass <= int(w.params.Committee.K)/2 && s.Device == v.id {
				return good()
			}
		}
		return say{verdict: public.Fail, reason: appraise.Replay}
	}
	w.attested(c, task, half)
	second := w.task(task)
	if second.Attempt != 2 || second.Phase != public.PhaseEvidence || second.Nonce == first.Nonce || second.Anchor <= first.Anchor {
		t.Fatalf("%+v", second)
	}
	// Evidence of one attempt is none of the next.
	stale := c.submit(w, task)
	stale.Evidence = c.show(first.Nonce)
	w.refused(c.owner, stale, wire.ErrNonce)
	w.attested(c, task, half)
	tk := w.task(task)
	if tk.Phase != public.PhaseClosed || tk.Verdict != public.Inconclusive || w.status(c.id) != public.Stale {
		t.Fatalf("%+v, the device is %s", tk, w.status(c.id))
	}
	gas := w.params.Committee.RAGas
	if got := before - w.Balance(ledgertest.Carol).Factoshis; got != gas-gas/2 {
		t.Errorf("the challenger paid %d, want %d", got, gas-gas/2)
	}
	if got := w.credit(c.id); got != credit {
		t.Errorf("it cost the device %d", credit-got)
	}
	w.refused(ledgertest.Carol, &public.Dispute{Task: task, Evidence: stale.Evidence}, wire.ErrNotDisputable)
	w.settled()
}

func TestWithoutEnoughClaimsNobodyIsSeatedAndBondsGoBack(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.reach(task, public.PhaseClaim)
	before := w.Balance(ledgertest.Alice).Factoshis
	w.OK(w.claim(w.verifiers[0], task), w.claim(w.verifiers[1], task), w.claim(w.verifiers[2], task))
	if got := before - w.Balance(ledgertest.Alice).Factoshis; got != 3*w.params.Committee.ClaimBond {
		t.Fatalf("bonds cost %d", got)
	}
	w.reach(task, public.PhaseEvidence)
	if got := w.task(task); got.Attempt != 2 || w.Balance(ledgertest.Alice).Factoshis != before {
		t.Errorf("%+v", got)
	}
	w.settled()
}

func TestACPUAnswersAChallengeWithFreshClaims(t *testing.T) {
	w, c := newWorld(t, 6), newCPU(0)
	w.collateral()
	w.OK(w.send(c.owner, &public.JoinPlatform{Evidence: c.show(c.claims(w, evidence.Register))}))
	task := w.opened(ledgertest.Bob, c.id(), public.KindChallenge)
	answer := func(spoil func(*evidence.Claims)) *public.EvidenceSubmit {
		claims := c.claims(w, evidence.Challenge)
		claims.Challenge = w.task(task).Nonce
		spoil(claims)
		return &public.EvidenceSubmit{Task: task, Attempt: 1, Evidence: c.show(claims)}
	}
	honest := answer(func(*evidence.Claims) {})
	w.refused(c.owner, answer(func(p *evidence.Claims) { p.Challenge[0]++ }), wire.ErrNonce)
	w.refused(c.owner, answer(func(p *evidence.Claims) { p.Identity = c.owner.Public() }), wire.ErrNonce)
	w.OK(w.send(c.owner, honest))
	w.drawn(task)
	w.vote(task, all(say{verdict: public.Fail, reason: appraise.Collateral}))
	if got := w.status(c.id()); got != public.Suspended {
		t.Fatalf("the device is %s", got)
	}
	// The committee lied: the same evidence passes every validator's appraisal.
	w.OK(w.send(ledgertest.Bob, &public.Dispute{Task: task, Evidence: honest.Evidence}))
	if tk := w.task(task); tk.Verdict != public.Pass || !tk.Disputed {
		t.Errorf("%+v", tk)
	}
	w.settled()
}
