package hardware_test

import (
	"encoding/json"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// withRoots changes the makers' roots of a genesis.
func withRoots(change func(r *trust.GenesisRoot)) func(*hardware.Genesis) {
	return func(g *hardware.Genesis) {
		t := must(trust.ParseGenesis(g.Trust))
		for i := range t.Roots {
			change(&t.Roots[i])
		}
		g.Trust = must(json.Marshal(t))
	}
}

func TestARootTakesSoManyDevicesAndGivesItsShareOfTheIssue(t *testing.T) {
	w := newWorld(t, 6, withRoots(func(r *trust.GenesisRoot) {
		if r.Class == trust.Emulated {
			r.MaxDevices, r.IssuePercent = 1, 50
		}
	}))
	c := newChip(0)
	w.joined(c, all(good()))
	if got, want := w.credit(c.id), w.params.Committee.IssueJoin/2-w.params.Committee.RACost; got != want {
		t.Errorf("it has %d credit, want %d", got, want)
	}
	w.refused(c.owner, newChip(1).join(w.chainID()), wire.ErrRootFull)
}

func TestARootHasSoManySeats(t *testing.T) {
	w := newWorld(t, 6, func(g *hardware.Genesis) { g.Params.Committee.DMin = 2 }, withRoots(func(r *trust.GenesisRoot) {
		if r.Class == trust.CPU {
			r.SeatCap = 5
		}
	}))
	c := newChip(0)
	w.OK(w.send(c.owner, c.join(w.chainID())))
	task := w.open(c.id)
	w.drawn(task)
	if got := w.task(task); got.Phase != public.PhaseChallenge || got.Seats != 5 {
		t.Errorf("%d seats under one root, the task is in phase %d", got.Seats, got.Phase)
	}
	w.commonsense()
}

func TestRelyingPartiesSeeStatusAndCredit(t *testing.T) {
	w, c := withChip(t)
	look := func() (got hardware.Trust, credit uint64, ok bool) {
		w.View(func(v *ledger.View) {
			read := func(key []byte) ([]byte, error) { return v.Get(public.Name, key) }
			var err error
			if got, ok, err = hardware.TrustOf(read, c.id); err != nil {
				t.Fatal(err)
			}
			if credit, err = hardware.CreditOf(read, c.id); err != nil {
				t.Fatal(err)
			}
		})
		return got, credit, ok
	}
	m := nodeMeasurement()
	got, credit, ok := look()
	if !ok || got.Status != public.Active || got.Class != trust.Emulated || got.LastPass != w.device(c.id).LastPass ||
		len(got.Measurements) != 1 || got.Measurements[0] != m.ID() || credit != w.credit(c.id) {
		t.Errorf("%+v, %d, %t", got, credit, ok)
	}
	w.OK(w.ruled(public.EncodeOrder(&public.DeviceRevoke{Device: c.id}), false))
	if got, _, _ := look(); got.Status != public.Revoked {
		t.Errorf("%+v", got)
	}
	c.id = wire.Hash{1}
	if _, credit, ok := look(); ok || credit != 0 {
		t.Error("it knows a device that is not there")
	}
}

func TestHardwareOfANodeIsEnrolledOnceAndNotAgainstAVerdict(t *testing.T) {
	w := newWorld(t, 4)
	v := w.verifiers[0]
	w.OK(w.enrol(v)) // known: nothing happens
	if got := w.totals().Devices; got != 4 {
		t.Errorf("%d devices", got)
	}
	w.OK(w.ruled(public.EncodeOrder(&public.DeviceRevoke{Device: v.id}), false))
	if got := w.One(w.enrol(v)).Code; got != wire.ErrDeviceStatus {
		t.Errorf("a revoked one: %s", got)
	}
	masked := newVerifier(9)
	masked.id = wire.Hash{}
	w.OK(w.enrol(masked))
	if got := w.totals().Devices; got != 4 {
		t.Errorf("%d devices", got)
	}
	w.commonsense()
}

func TestCollateralIsPutByAnybodyAndOnlyOnce(t *testing.T) {
	w := newWorld(t, 4)
	w.refused(ledgertest.Bob, &public.Collateral{Item: []byte{1}}, wire.ErrCollateralMalformed)
	w.collateral()
	item := theAMD().chain()
	w.refused(ledgertest.Bob, &public.Collateral{Item: trust.ItemBytes(&item)}, wire.ErrCollateralOlder)
}

// What was approved at the anchor passes, whatever happened since (I13); but a
// device that passed with what is revoked by now is stale from the start.
func TestMeasurementsAreJudgedAtTheAnchor(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	task := pendingUntilAnswer(w, c)
	w.OK(w.send(c.owner, c.answer(w, task)))
	w.reach(task, public.PhaseCommit)
	m := nodeMeasurement()
	w.OK(w.order(&trust.MeasurementRevoke{ID: m.ID(), Height: w.height() + 1, Reason: "hole", Force: true}, true))
	w.vote(task, all(good()))
	if got := w.task(task).Verdict; got != public.Pass {
		t.Errorf("verdict %d", got)
	}
	if got := w.status(c.id); got != public.Stale {
		t.Errorf("the device is %s", got)
	}
	w.settled()
}

// A VRF key chosen after alpha is known does not count for it.
func TestAttackVRFKeyChosenForADraw(t *testing.T) {
	a := newAgents(t, 6)
	a.until(a.totals().EpochStart + a.params.Schedule.Epoch)
	testee, grinder := a.verifiers[0], a.verifiers[1]
	task := a.opened(ledgertest.Bob, testee.id, public.KindChallenge)
	a.OK(a.send(a.owners[testee.id], a.testees[testee.id].submit(a.world, task)))
	a.reach(task, public.PhaseClaim)
	fresh := &cpu{chip: 0x81, owner: grinder.owner, node: grinder.node, vrf: ledgertest.Key(9000)}
	a.OK(a.send(grinder.owner, &public.Rotate{Device: grinder.id, Evidence: fresh.show(fresh.claims(a.world, evidence.Register))}))
	chosen := *grinder
	chosen.vrf = fresh.vrf
	if got := a.Admit(a.claim(&chosen, task)); got != wire.ErrVRFProof {
		t.Errorf("the new key: %s", got)
	}
	a.OK(a.claim(grinder, task))
}

// An epoch that ends while a committee is drawn changes nothing for it.
func TestADrawGoesOnUnderItsSnapshot(t *testing.T) {
	w, c := withChip(t)
	w.until(w.device(c.id).LastEnd + w.params.Schedule.Spacing)
	for w.height()%w.params.Schedule.Epoch != w.params.Schedule.Epoch-4 {
		w.OK()
	}
	task := w.opened(ledgertest.Carol, c.id, public.KindChallenge)
	w.OK(w.send(c.owner, c.submit(w, task)))
	w.reach(task, public.PhaseClaim)
	tk := w.task(task)
	v := w.verifiers[0]
	w.OK(w.Tx(ledgertest.Alice, "working", wire.Marshal(&wage{Device: v.id, Amount: -1 << 60}))) // it has nothing left
	for w.totals().Epoch == tk.Epoch {
		w.OK()
	}
	if w.task(task).Phase != public.PhaseClaim {
		t.Fatal("the claims are in: this test shows nothing")
	}
	w.OK(w.claim(v, task))
	w.reach(task, public.PhaseEvidence)
}

// Devices of one owner do not judge each other, and are not counted when they
// are judged.
func TestAnOwnersDevicesDoNotJudgeEachOther(t *testing.T) {
	a := newAgents(t, 6)
	testee := a.verifiers[0]
	second := &verifier{owner: testee.owner, node: ledgertest.Key(9101), vrf: ledgertest.Key(9102)}
	c := &cpu{chip: 0xC0, owner: second.owner, node: second.node, vrf: second.vrf}
	second.id = c.id()
	a.OK(a.send(c.owner, &public.JoinPlatform{Evidence: c.show(c.claims(a.world, evidence.Register))}))
	a.until(a.device(second.id).VRFActive + a.params.Schedule.Epoch)
	task := a.opened(ledgertest.Bob, testee.id, public.KindChallenge)
	a.OK(a.send(testee.owner, a.testees[testee.id].submit(a.world, task)))
	a.reach(task, public.PhaseClaim)
	if got := a.Admit(a.claim(second, task)); got != wire.ErrNotEligible {
		t.Errorf("it may claim: %s", got)
	}
	p := a.params.Committee
	if got, want := a.task(task).Tickets, 5*p.MaxTickets; got != want || a.totals().Tickets != 6*p.MaxTickets+p.IssueJoin/p.TicketUnit {
		t.Errorf("T is %d, want %d of %d", got, want, a.totals().Tickets)
	}
	a.OK(a.claim(a.verifiers[1], task))
}

// A good challenge that was not answered counts against the device, whatever its
// maker votes: who holds no endorsement key misses more than a third.
func TestAnUnansweredChallengeIsAVoteAgainst(t *testing.T) {
	w, c := newWorld(t, 6), newChip(0)
	task := pendingUntilAnswer(w, c)
	p := c.answer(w, task)
	seats := w.committeeOf(task)
	least := 0
	for i, s := range seats {
		if s.Seats < seats[least].Seats {
			least = i
		}
	}
	// Two thirds of the seats are not more than two thirds.
	few := &public.Answer{Task: task, Attempt: p.Attempt, Evidence: p.Evidence}
	answered := uint32(0)
	for i, s := range seats {
		if 3*(answered+uint32(s.Seats)) <= 2*w.params.Committee.K {
			answered += uint32(s.Seats)
			few.Secrets = append(few.Secrets, p.Secrets[i])
		}
	}
	if got := w.Admit(w.send(c.owner, few)); answered < w.params.Committee.K/2 || got != wire.ErrActivationQuorum {
		t.Errorf("%d of %d seats answered: %s", answered, w.params.Committee.K, got)
	}
	p.Secrets = append(p.Secrets[:least], p.Secrets[least+1:]...)
	credit := w.credit(seats[least].Device)
	w.OK(w.send(c.owner, p))
	w.vote(task, all(good()))
	line, _ := load[public.Outcome](w, public.ResultKey(c.id, 0))
	if line.Verdict != public.Pass || line.Fail != uint32(seats[least].Seats) || line.Pass+line.Fail != line.Total {
		t.Errorf("%+v", line)
	}
	// Its maker is paid by what it revealed: nobody can be punished by not answering.
	if got, want := w.credit(seats[least].Device), credit+uint64(seats[least].Seats)*w.params.Committee.Bonus; got != want {
		t.Errorf("its maker has %d credit, want %d", got, want)
	}
	w.settled()
}
