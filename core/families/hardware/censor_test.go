package hardware_test

import (
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// rotating has n nodes propose blocks in turn.
func rotating(n uint64) func(uint64) wire.NodeID {
	return func(height uint64) wire.NodeID { return wire.TH("test/proposer", wire.U64(height%n)) }
}

// A leader that keeps ballots out must not have their owners punished for it;
// where none could, who is missing pays (specification §12, last row).
func TestAttackLeaderCensorsBallots(t *testing.T) {
	hides := say{verdict: public.Pass, found: good().found, hides: true}
	silent := say{silent: true}
	for name, x := range map[string]struct {
		does           say
		commit, reveal uint64 // windows, in blocks
		proposer       func(height uint64) wire.NodeID
		excused        bool
	}{
		"one leader":                      {hides, 6, 8, rotating(1), true},
		"two in turn":                     {hides, 6, 8, rotating(2), true},
		"a block above a third":           {hides, 6, 8, rotating(3), true},
		"a third":                         {hides, 6, 9, rotating(3), false},
		"a quarter":                       {hides, 6, 8, rotating(4), false},
		"a third, nobody committed":       {silent, 6, 8, rotating(3), false},
		"above a third, nobody committed": {silent, 7, 9, rotating(3), true},
		"a third of what is remembered":   {hides, 6, public.MaxRuns * 3 / 2, rotating(1000), false},
		"more than that is forgotten":     {hides, 6, public.MaxRuns*3/2 + 1, rotating(1000), true},
	} {
		w, c := withChip(t, func(g *hardware.Genesis) { g.Params.Schedule.WCommit, g.Params.Schedule.WReveal = x.commit, x.reveal })
		w.Proposer = x.proposer
		w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
		task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
		w.OK(w.send(c.owner, c.submit(w, task)))
		w.drawn(task)
		seats, before := w.committeeOf(task), map[wire.Hash]uint64{}
		for _, s := range seats {
			before[s.Device] = w.credit(s.Device)
		}
		gas, p := w.Balance(ledgertest.Alice).Factoshis, w.params.Committee
		w.vote(task, all(x.does))
		for w.task(task).Attempt == 1 {
			w.OK()
		}
		penalty, bonds := p.PenNoReveal, uint64(0)
		if x.does.silent {
			penalty = p.PenNoCommit
		}
		if x.excused {
			penalty, bonds = 0, uint64(len(seats))*p.ClaimBond
		}
		for _, s := range seats {
			if got, want := w.credit(s.Device), before[s.Device]-uint64(s.Seats)*penalty; got != want {
				t.Errorf("%s: device %s has %d credit, want %d", name, s.Device, got, want)
			}
		}
		if got := w.Balance(ledgertest.Alice).Factoshis; got != gas+bonds {
			t.Errorf("%s: %d of bonds came back, want %d", name, got-gas, bonds)
		}
		w.settled()
	}
}

// Only the time counts in which a ballot could have come: who committed and did
// not open is not excused by a leader of the time before.
func TestALeaderOfAnotherTimeExcusesNobody(t *testing.T) {
	w, c := withChip(t, func(g *hardware.Genesis) { g.Params.Schedule.WReveal = 9 })
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.drawn(task) // until here one leader
	w.reach(task, public.PhaseCommit)
	var txs []*wire.Tx
	seats := w.committeeOf(task)
	for _, s := range seats {
		txs = append(txs, w.commit(w.verifierOf(s.Device), task, good()))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseReveal)
	w.Proposer = rotating(3)
	credit := w.credit(seats[0].Device)
	for w.task(task).Attempt == 1 {
		w.OK()
	}
	if got, want := w.credit(seats[0].Device), credit-uint64(seats[0].Seats)*w.params.Committee.PenNoReveal; got != want {
		t.Errorf("it has %d credit, want %d", got, want)
	}
	w.settled()
}
