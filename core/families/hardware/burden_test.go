package hardware_test

import (
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// More tasks end at one height than the end of a block may write: the rest goes
// first in the next one, messages are still refused by their deadline, and
// everybody comes to a verdict.
func TestWhatDoesNotFitABlockComesFirstInTheNext(t *testing.T) {
	const n = 24
	a := newAgents(t, n, func(g *hardware.Genesis) {
		g.Params.Schedule.RAPeriod, g.Params.Schedule.RAGrace, g.Params.Schedule.DisputeWindow = 1000, 100, 500
	})
	a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
	var txs []*wire.Tx
	for _, v := range a.verifiers {
		txs = append(txs, a.send(ledgertest.Carol, &public.Open{Device: v.id, Kind: public.KindChallenge}))
	}
	a.step(txs...)
	if got := a.totals().Open; got != n {
		t.Fatalf("%d tasks are open", got)
	}
	tasks := map[wire.Hash]wire.Hash{}
	for _, v := range a.verifiers {
		tasks[v.id] = a.open(v.id)
	}
	late := 0
	for range 60 {
		for _, task := range tasks { //deterministic: a count
			if tk := a.task(task); tk.Phase == public.PhaseClaim && tk.Deadline <= a.height() {
				late++
				if got := a.Admit(a.claim(a.verifiers[0], task)); got != wire.ErrPhase {
					t.Fatalf("a claim after the deadline: %s", got)
				}
			}
		}
		a.step()
	}
	if late == 0 {
		t.Error("everything fitted: this test shows nothing")
	}
	for id, task := range tasks { //deterministic: each is judged alone
		if tk := a.task(task); tk.Verdict != public.Pass || a.status(id) != public.Active {
			t.Errorf("task %s: verdict %d in phase %d", task, tk.Verdict, tk.Phase)
		}
	}
	if got := a.totals(); got.Open != 0 || got.Held != 0 || got.Waiting != 0 {
		t.Errorf("%+v", got)
	}
}
