package hardware_test

import (
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// lying runs a challenge of a chip in which the whole committee says something,
// and returns the task with the evidence.
func lying(t testing.TB, of func(*verifier) say) (*world, *chip, wire.Hash, public.Evidence) {
	t.Helper()
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	p := c.submit(w, task)
	w.OK(w.send(c.owner, p))
	w.drawn(task)
	w.vote(task, of)
	return w, c, task, p.Evidence
}

func TestADisputeThatIsWrongCostsTheBond(t *testing.T) {
	w, c, task, e := lying(t, all(good()))
	treasury := w.totals().Treasury
	credit := w.credit(c.id)
	altered := e
	altered.Rest[0] ^= 1
	w.refused(ledgertest.Carol, &public.Dispute{Task: task, Evidence: altered}, wire.ErrEvidenceDigest)
	w.refused(ledgertest.Carol, &public.Dispute{Task: wire.Hash{1}, Evidence: e}, wire.ErrTaskUnknown)
	w.OK(w.send(ledgertest.Carol, &public.Dispute{Task: task, Evidence: e}))
	if got := w.totals().Treasury - treasury; got != w.params.Schedule.DisputeBond || w.task(task).Verdict != public.Pass {
		t.Errorf("the treasury got %d", got)
	}
	if got := w.credit(c.id); got != credit {
		t.Errorf("credit moved by %d", int64(got-credit))
	}
	w.refused(ledgertest.Carol, &public.Dispute{Task: task, Evidence: e}, wire.ErrDisputeClosed)
	w.settled()
}

func TestAMajorityThatFailedAnHonestDeviceIsSlashedForIt(t *testing.T) {
	w, c, task, e := lying(t, all(say{verdict: public.Fail, reason: appraise.Replay}))
	taken := w.task(task).Taken
	if taken != w.params.Committee.FailPenalty {
		t.Fatalf("the device lost %d", taken)
	}
	credit := w.credit(c.id)
	before := map[wire.Hash]uint64{}
	for _, s := range w.committeeOf(task) {
		before[s.Device] = w.credit(s.Device)
	}
	gas := w.Balance(ledgertest.Carol).Factoshis
	w.OK(w.send(ledgertest.Carol, &public.Dispute{Task: task, Evidence: e}))
	if tk := w.task(task); tk.Verdict != public.Pass || !tk.Disputed {
		t.Fatalf("%+v", tk)
	}
	for id, had := range before {
		if got := w.credit(id); got != had-had/2 {
			t.Errorf("verifier %s has %d of %d", id, got, had)
		}
	}
	if got := w.credit(c.id); got != credit+taken {
		t.Errorf("the device has %d, want back %d on %d", got, taken, credit)
	}
	if got := w.Balance(ledgertest.Carol).Factoshis; got != gas {
		t.Errorf("the dispute cost %d", gas-got)
	}
	// It may be reinstated at once.
	w.OK(w.send(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}))
	w.commonsense()
}

// A machine that runs code nobody approved is passed by a committee it bought.
func TestAMajorityThatPassedABadDeviceIsSlashedAndTheDisputerRewarded(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	c.app, _, _ = c.app.Append(tpm.AppEntry{Component: tpm.NodeBinary, Version: "evil", Digest: wire.Hash{66}})
	p := c.submit(w, task)
	w.OK(w.send(c.owner, p))
	w.drawn(task)
	honest := w.verifierOf(w.committeeOf(task)[0].Device)
	w.vote(task, func(v *verifier) say {
		if v == honest {
			return say{verdict: public.Fail, reason: appraise.NotApproved}
		}
		return good()
	})
	if tk := w.task(task); tk.Verdict != public.Pass {
		t.Fatalf("%+v", tk)
	}
	seats := w.committeeOf(task)
	lost, before := uint64(0), w.credit(honest.id)
	for _, s := range seats {
		if s.Device != honest.id {
			lost += w.credit(s.Device) / 2
		}
	}
	credit := w.credit(c.id)
	// The disputer is the honest verifier's owner, who needs gas for the bond.
	w.OK(w.Transfer(ledgertest.Alice, 1<<30, ledgertest.Account(honest.owner)), w.Buy(ledgertest.Alice, 1<<30, honest.owner.Public()))
	w.refused(ledgertest.Carol, &public.Dispute{Task: task, Evidence: p.Evidence, Device: honest.id}, wire.ErrNotOwner)
	w.OK(w.send(honest.owner, &public.Dispute{Task: task, Evidence: p.Evidence, Device: honest.id}))
	if got := w.status(c.id); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
	if got := w.credit(c.id); got != credit-credit/2 {
		t.Errorf("the device has %d of %d", got, credit)
	}
	bonus := uint64(seats[0].Seats) * w.params.Committee.Bonus
	if got, want := w.credit(honest.id), before+lost/10+seats[0].Taken+bonus; got != want {
		t.Errorf("the honest verifier has %d, want %d", got, want)
	}
	w.settled()
}

// A joining that was refused wrongly leaves nothing to give back, but those who
// refused it pay, and the device need not wait to try again.
func TestADisputeOverAJoiningThatWasRefused(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	task := pendingUntilAnswer(w, c)
	p := c.answer(w, task)
	w.OK(w.send(c.owner, p))
	w.vote(task, all(say{verdict: public.Fail, reason: appraise.NotApproved}))
	if got := w.status(c.id); got != public.NoStatus {
		t.Fatalf("the device is %s", got)
	}
	w.refused(c.owner, c.join(w.chainID()), wire.ErrCooldown)
	before := w.credit(w.committeeOf(task)[0].Device)
	w.OK(w.send(c.owner, &public.Dispute{Task: task, Evidence: p.Evidence}))
	if got := w.credit(w.committeeOf(task)[0].Device); got != before-before/2 {
		t.Errorf("who refused it has %d of %d", got, before)
	}
	w.OK(w.send(c.owner, c.join(w.chainID())))
	w.until(w.task(task).Deadline + 3) // the old task is forgotten, the new one goes on
	w.commonsense()
}

func TestLogsThatNoTransactionCarriesCannotBeDisputed(t *testing.T) {
	w, c, task, e := lying(t, all(good()))
	_ = c
	e.Boot.Inline, e.Boot.Refs, e.Boot.Size = nil, []wire.Hash{{1}}, public.MaxPart+1
	e.Boot.Digest = wire.Hash{2}
	if got := w.One(w.send(ledgertest.Carol, &public.Dispute{Task: task, Evidence: e})).Code; got != wire.ErrEvidenceDigest {
		t.Errorf("other logs: %s", got)
	}
}

// Old collateral is not kept, so a CPU's verdict stands once anything that is
// trusted has changed; a TPM's depends on approvals alone, which keep their heights.
func TestACPUsVerdictStandsOnceTrustHasChanged(t *testing.T) {
	a := newAgents(t, 6)
	a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
	v := a.verifiers[0]
	task := a.opened(ledgertest.Bob, v.id, public.KindChallenge)
	p := a.testees[v.id].submit(a.world, task)
	a.OK(a.send(v.owner, p))
	a.reach(task, public.PhaseClaim)
	var claims []*wire.Tx
	for _, other := range a.verifiers[1:] {
		claims = append(claims, a.claim(other, task))
	}
	a.OK(claims...)
	a.vote(task, all(say{verdict: public.Fail, reason: appraise.Collateral}))
	more := trust.Measurement{Component: trust.Image, Version: "2", Alg: trust.SHA256, Digest: make([]byte, 32), Register: "CODEID", Activation: a.height() + 100}
	a.OK(a.order(&trust.MeasurementApprove{Measurement: more}, false))
	a.refused(ledgertest.Bob, &public.Dispute{Task: task, Evidence: p.Evidence}, wire.ErrNotDisputable)

	w, _, chips, e := lying(t, all(say{verdict: public.Fail, reason: appraise.Replay}))
	more.Activation = w.height() + 100
	w.OK(w.order(&trust.MeasurementApprove{Measurement: more}, false))
	w.OK(w.send(ledgertest.Carol, &public.Dispute{Task: chips, Evidence: e}))
	if got := w.task(chips).Verdict; got != public.Pass {
		t.Errorf("verdict %d", got)
	}
}
