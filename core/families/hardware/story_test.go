package hardware_test

import (
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/wire"
	public "cloister/wire/hardware"
)

func TestFoundersAreTheFirstCommittee(t *testing.T) {
	w := newWorld(t, 6)
	w.commonsense()
	for i, v := range w.verifiers {
		if got := w.status(v.id); got != public.Active {
			t.Errorf("founder %d is %s", i, got)
		}
		if got := w.credit(v.id); got != founderCredit+w.params.Committee.IssueJoin {
			t.Errorf("founder %d has %d", i, got)
		}
	}
	if got := w.totals(); got.Tickets != 6*w.params.Committee.MaxTickets || got.Epoch != 1 || got.Devices != 6 {
		t.Errorf("%+v", got)
	}
	// One device per founder: the second is an ordinary one.
	second := newVerifier(50)
	second.owner = w.verifiers[0].owner
	w.OK(w.enrol(second))
	if got := w.credit(second.id); got != w.params.Committee.IssueJoin {
		t.Errorf("a founder's second device has %d", got)
	}
}

// joined runs the joining of a chip up to its verdict.
func (w *world) joined(c *chip, of func(v *verifier) say) wire.Hash {
	w.Helper()
	w.OK(w.send(c.owner, c.join(w.chainID())))
	task := w.open(c.id)
	w.drawn(task)
	w.challenged(task)
	w.OK(w.send(c.owner, c.answer(w, task)))
	w.vote(task, of)
	return task
}

// challenged has every seated verifier of a joining challenge.
func (w *world) challenged(task wire.Hash) {
	w.Helper()
	w.reach(task, public.PhaseChallenge)
	var txs []*wire.Tx
	for _, s := range w.committeeOf(task) {
		txs = append(txs, w.challenge(w.verifierOf(s.Device), task))
	}
	w.OK(txs...)
	w.reach(task, public.PhaseAnswer)
}

func all(s say) func(*verifier) say { return func(*verifier) say { return s } }

func TestATPMJoinsByCredentialActivation(t *testing.T) {
	w := newWorld(t, 6)
	c := newChip(0)
	before := w.Balance(c.owner).Factoshis
	task := w.joined(c, all(good()))
	tk := w.task(task)
	if tk.Verdict != public.Pass || tk.Phase != public.PhaseClosed || w.open(c.id) != (wire.Hash{}) {
		t.Fatalf("%+v", tk)
	}
	if got := w.status(c.id); got != public.Active {
		t.Fatalf("the device is %s", got)
	}
	p := w.params.Committee
	if got, want := w.credit(c.id), p.IssueJoin-p.RACost; got != want {
		t.Errorf("the device has %d credit, want %d", got, want)
	}
	d := w.device(c.id)
	m := nodeMeasurement()
	if d.Counter != 11 || d.Reset != 3 || len(d.Measurements) != 1 || d.Measurements[0] != m.ID() || d.LastTask != task {
		t.Errorf("%+v", d)
	}
	if got := d.VRFActive; got != tk.Final+w.params.Schedule.VRFDelay*w.params.Schedule.Epoch {
		t.Errorf("its VRF key counts from height %d, the verdict was at %d", got, tk.Final)
	}
	if got := w.Balance(c.owner).Factoshis; got != before-p.RAGas {
		t.Errorf("the owner paid %d, want %d", before-got, p.RAGas)
	}
	// Gas goes to the majority's owners, in proportion to seats.
	seats := uint64(0)
	for _, s := range w.committeeOf(task) {
		seats += uint64(s.Seats)
	}
	for _, s := range w.committeeOf(task) {
		v := w.verifierOf(s.Device)
		if got, want := w.Balance(v.owner).Factoshis, uint64(s.Seats)*(p.RAGas/seats); got != want {
			t.Errorf("a verifier with %d of %d seats earned %d, want %d", s.Seats, seats, got, want)
		}
		if got, want := w.credit(v.id), founderCredit+p.IssueJoin+uint64(s.Seats)*p.Bonus; got != want {
			t.Errorf("a verifier with %d seats has %d credit, want %d", s.Seats, got, want)
		}
	}
	line, ok := load[public.Outcome](w, public.ResultKey(c.id, 0))
	if !ok || line.Verdict != public.Pass || line.Task != task || line.Pass != uint32(seats) {
		t.Errorf("%+v", line)
	}
	w.settled()
	// The dispute window over, the task is forgotten.
	w.until(tk.Deadline + 3)
	if _, there := load[public.Task](w, public.TaskKey(task)); there {
		t.Error("the task is still there")
	}
	w.settled()
}

func TestACPUJoinsAtBlockTime(t *testing.T) {
	w := newWorld(t, 4)
	c := newCPU(0)
	join := func(spoil func(*evidence.Claims)) *public.JoinPlatform {
		claims := c.claims(w, evidence.Register)
		spoil(claims)
		return &public.JoinPlatform{Evidence: c.show(claims)}
	}
	honest := func(*evidence.Claims) {}
	w.refused(c.owner, join(honest), wire.ErrCollateralMissing)
	w.collateral()
	w.refused(ledgertest.Bob, join(honest), wire.ErrNotOwner)
	w.refused(c.owner, join(func(p *evidence.Claims) { p.ChainID[0]++ }), wire.ErrEvidenceReportData)
	w.refused(c.owner, join(func(p *evidence.Claims) { p.Purpose = evidence.Renew }), wire.ErrEvidenceReportData)
	w.refused(c.owner, join(func(p *evidence.Claims) { p.BlockHash[0]++ }), wire.ErrEvidenceStale)
	w.refused(c.owner, join(func(p *evidence.Claims) { p.VRF = p.Identity }), wire.ErrKeyReuse)
	forged := join(honest)
	forged.Evidence.Quote[0x90] ^= 1
	w.refused(c.owner, forged, wire.ErrEvidenceSignature)
	swapped := join(honest)
	swapped.Evidence.Claims = wire.Marshal(newCPU(1).claims(w, evidence.Register))
	w.refused(c.owner, swapped, wire.ErrEvidenceReportData)

	w.OK(w.send(c.owner, join(honest)))
	if got := w.status(c.id()); got != public.Active {
		t.Fatalf("the device is %s", got)
	}
	if got := w.credit(c.id()); got != w.params.Committee.IssueJoin {
		t.Errorf("it has %d credit", got)
	}
	w.refused(c.owner, join(honest), wire.ErrDeviceExists)
	w.settled()
}
