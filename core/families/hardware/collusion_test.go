package hardware_test

import (
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence/appraise"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// minority picks seated verifiers who together hold less than a third of the
// seats, as many as fit.
func (w *world) minority(task wire.Hash) map[*verifier]bool {
	w.Helper()
	list, seats := map[*verifier]bool{}, uint32(0)
	total := w.task(task).Seats
	for _, s := range w.committeeOf(task) {
		if 3*(seats+uint32(s.Seats)) < total {
			seats += uint32(s.Seats)
			list[w.verifierOf(s.Device)] = true
		}
	}
	if len(list) == 0 {
		w.Fatalf("nobody has less than a third of %d seats: this test shows nothing", total)
	}
	return list
}

// Verifiers with less than a third of the seats can do what they like.
func TestAttackColludingVerifiersBelowAThird(t *testing.T) {
	bad := say{verdict: public.Fail, reason: appraise.NotApproved}
	for name, x := range map[string]struct {
		truth, lie say
	}{
		"they fail a good device": {good(), bad},
		"they pass a bad device":  {bad, good()},
		"they do not open":        {good(), say{verdict: public.Pass, found: good().found, hides: true}},
		"they do not vote":        {bad, say{silent: true}},
	} {
		w, c := withChip(t)
		w.Proposer = rotating(1000) // no leader kept anything out
		w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
		task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
		w.OK(w.send(c.owner, c.submit(w, task)))
		w.drawn(task)
		liars := w.minority(task)
		before := map[wire.Hash]uint64{}
		for v := range liars { //deterministic: each is looked at alone
			before[v.id] = w.credit(v.id)
		}
		w.vote(task, func(v *verifier) say {
			if liars[v] {
				return x.lie
			}
			return x.truth
		})
		if got := w.task(task); got.Phase != public.PhaseClosed || got.Verdict != x.truth.verdict {
			t.Errorf("%s: the task is in phase %d, verdict %d", name, got.Phase, got.Verdict)
		}
		for id, had := range before { //deterministic: each is looked at alone
			if w.credit(id) >= had {
				t.Errorf("%s: it cost device %s nothing", name, id)
			}
		}
		w.settled()
	}
}
