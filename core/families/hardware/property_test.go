package hardware_test

import (
	"testing"

	"pgregory.net/rapid"

	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence/appraise"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// edges are the changes of status that specification §3.2 has.
var edges = map[[2]public.Status]bool{
	{public.NoStatus, public.Pending}: true, {public.Pending, public.NoStatus}: true, {public.Pending, public.Active}: true,
	{public.Active, public.Stale}: true, {public.Stale, public.Active}: true, {public.Active, public.Suspended}: true,
	{public.Stale, public.Suspended}: true, {public.Suspended, public.Active}: true,
}

// Whatever the verifiers do, after every block the books add up (I1, I2, I16),
// statuses follow the edges (I4), a verdict has more than two thirds of the seats
// (I5), seats keep their caps (I6) and the chip's age only grows (I9).
func TestWhateverVerifiersDoTheBooksAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, c := newWorld(t, 6), newChip(0)
		says := []say{
			good(), {verdict: public.Fail, reason: appraise.Replay}, {verdict: public.Pass}, {silent: true},
			{verdict: public.Pass, found: good().found, hides: true}, {verdict: public.Fail, reason: appraise.NotApproved},
		}
		bias := rapid.IntRange(0, 2).Draw(rt, "how dishonest")
		before, age := public.NoStatus, uint64(0)
		look := func() {
			w.commonsense()
			now := w.status(c.id)
			if now != before && !edges[[2]public.Status{before, now}] {
				rt.Fatalf("from %s to %s", before, now)
			}
			before = now
			if d, ok := load[public.Device](w, public.DeviceKey(c.id)); ok {
				if d.Counter < age {
					rt.Fatalf("the counter fell from %d to %d", age, d.Counter)
				}
				age = d.Counter
			} else {
				age = 0
			}
		}
		for range 2 {
			switch w.status(c.id) {
			case public.NoStatus:
				if w.One(w.send(c.owner, c.join(w.chainID()))).Code != wire.OK {
					w.OK()
					continue
				}
			case public.Active:
				w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
				w.OK(w.send(ledgertest.Carol, &public.Open{Device: c.id, Kind: public.KindChallenge}))
			case public.Stale:
				w.OK(w.send(c.owner, &public.Open{Device: c.id, Kind: public.KindPeriodic}))
			case public.Suspended:
				w.until(w.device(c.id).Cooldown)
				w.OK(w.send(c.owner, &public.Open{Device: c.id, Kind: public.KindReinstate}))
			}
			look()
			task := w.open(c.id)
			for {
				tk, ok := load[public.Task](w, public.TaskKey(task))
				if !ok || tk.Phase == public.PhaseClosed {
					break
				}
				attempt := tk.Attempt
				chosen := map[wire.Hash]say{}
				for _, v := range w.verifiers {
					chosen[v.id] = good()
					if rapid.IntRange(0, 2).Draw(rt, "honest") < bias {
						chosen[v.id] = rapid.SampledFrom(says).Draw(rt, "says")
					}
				}
				w.round(c, task, chosen, look)
				if tk := w.task(task); tk.Phase != public.PhaseClosed && tk.Attempt == attempt {
					rt.Fatalf("attempt %d does not end: phase %d", attempt, tk.Phase)
				}
			}
			look()
			w.verdictHolds(rt, task)
		}
	})
}

// round runs one attempt with what each verifier does.
func (w *world) round(c *chip, task wire.Hash, chosen map[wire.Hash]say, look func()) {
	w.Helper()
	sent := map[public.Phase]bool{}
	attempt := w.task(task).Attempt
	for range 60 {
		tk := w.task(task)
		if tk.Phase == public.PhaseClosed || tk.Attempt != attempt {
			return
		}
		var txs []*wire.Tx
		if !sent[tk.Phase] {
			txs = w.part(c, task, tk.Phase, chosen)
			sent[tk.Phase] = true
		}
		w.Run(txs...)
		look()
	}
}

func (w *world) part(c *chip, task wire.Hash, phase public.Phase, chosen map[wire.Hash]say) (txs []*wire.Tx) {
	switch phase {
	case public.PhaseEvidence:
		return []*wire.Tx{w.send(c.owner, c.submit(w, task))}
	case public.PhaseAnswer:
		return []*wire.Tx{w.send(c.owner, c.answer(w, task))}
	case public.PhaseClaim:
		for _, v := range w.verifiers {
			txs = append(txs, w.claim(v, task))
		}
	}
	for _, s := range w.committeeOf(task) {
		v := w.verifierOf(s.Device)
		does := chosen[v.id]
		switch {
		case phase == public.PhaseChallenge && !does.silent:
			txs = append(txs, w.challenge(v, task))
		case phase == public.PhaseCommit && !does.silent:
			txs = append(txs, w.commit(v, task, does))
		case phase == public.PhaseReveal && !does.silent && !does.hides && !s.Commitment.IsZero():
			txs = append(txs, w.reveal(v, task, does))
		}
	}
	return txs
}

// verdictHolds counts the seats behind a verdict, and holds the seats against
// their caps.
func (w *world) verdictHolds(rt *rapid.T, task wire.Hash) {
	tk, ok := load[public.Task](w, public.TaskKey(task))
	if !ok || tk.Seats == 0 {
		return
	}
	behind, total := map[uint8]uint32{}, uint32(0)
	for _, s := range w.committeeOf(task) {
		total += uint32(s.Seats)
		if s.Revealed {
			behind[s.Verdict] += uint32(s.Seats)
		}
		if uint32(s.Seats) > w.params.Committee.OwnerSeatCap {
			rt.Fatalf("%d seats of one owner", s.Seats)
		}
	}
	if total > w.params.Committee.K || total != tk.Seats {
		rt.Fatalf("%d seats, the task says %d", total, tk.Seats)
	}
	if tk.Verdict == public.Pass && 3*behind[public.Pass] <= 2*total {
		rt.Fatalf("PASS with %d of %d seats", behind[public.Pass], total)
	}
	if tk.Kind != public.KindJoin && tk.Verdict == public.Fail && tk.Reason != appraise.NoEvidence && 3*behind[public.Fail] <= 2*total {
		rt.Fatalf("FAIL with %d of %d seats", behind[public.Fail], total)
	}
}

// A node that restarts after every block goes the same way as one that does not
// (I15): nothing about a task is kept outside of state.
func TestARestartInAnyPhaseChangesNothing(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	w.OK(w.send(c.owner, c.join(w.chainID())))
	task := w.open(c.id)
	chosen := map[wire.Hash]say{}
	for _, v := range w.verifiers {
		chosen[v.id] = good()
	}
	phases := map[public.Phase]bool{}
	w.round(c, task, chosen, func() {
		phases[w.task(task).Phase] = true
		w.Open(w.Store)
	})
	if got := w.task(task).Verdict; got != public.Pass || len(phases) < 6 {
		t.Errorf("verdict %d after phases %v", got, phases)
	}
	if _, ok := w.Store.(*store.Memory); !ok {
		t.Errorf("a store of type %T", w.Store)
	}
	w.settled()
}

// The order of claims in a block does not matter (I6, I7). Worlds whose genesis
// is the same draw the same committee for the same task.
func TestSeatsDoNotDependOnTheOrderOfClaims(t *testing.T) {
	var first []public.Seat
	for turn, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {3, 1, 5, 0, 4, 2}} {
		w := newAgents(t, 7)
		w.until(w.totals().EpochStart + w.params.Schedule.Epoch)
		testee := w.verifiers[6].id
		task := w.opened(ledgertest.Bob, testee, public.KindChallenge)
		w.OK(w.send(w.owners[testee], w.testees[testee].submit(w.world, task)))
		w.reach(task, public.PhaseClaim)
		var txs []*wire.Tx
		for _, i := range order {
			txs = append(txs, w.claim(w.verifiers[i], task))
		}
		w.OK(txs...)
		w.reach(task, public.PhaseCommit)
		got := w.committeeOf(task)
		if turn == 0 {
			first = got
			continue
		}
		if len(got) != len(first) {
			t.Fatalf("%d devices, then %d", len(first), len(got))
		}
		for i := range got {
			if got[i].Device != first[i].Device || got[i].Seats != first[i].Seats {
				t.Errorf("place %d: %d seats of %s, then %d of %s", i, first[i].Seats, first[i].Device, got[i].Seats, got[i].Device)
			}
		}
	}
}
