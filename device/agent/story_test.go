package agent_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/device/agent"
	"cloister/device/lab"
	"cloister/device/machine"
	"cloister/device/tpm"
	"cloister/evidence/appraise"
	evidencetpm "cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	public "cloister/wire/hardware"
)

// Three machines of two makers join before a committee of founders' devices, and
// all keep each other proven, paid from gas their agents deposit.
func TestMachinesOfTwoMakersJoinAndStayProven(t *testing.T) {
	w := newWorld(t)
	machines := []*computer{w.newComputer(t, 0, 0), w.newComputer(t, 0, 1), w.newComputer(t, 1, 2)}
	for _, c := range machines {
		c.active()
	}
	joined := w.Ledger.Tip().Header.Height
	w.until("everything was renewed twice", func() bool {
		return w.Ledger.Tip().Header.Height > joined+2*w.params.Schedule.RAPeriod+20
	})
	if got := w.totals(); got.Active != founders+3 {
		t.Errorf("%d devices are active", got.Active)
	}
	for _, c := range machines {
		d := w.device(c.Device())
		if d.Results < 3 || d.Fails != 0 || d.Counter < uint64(d.Results) {
			t.Errorf("device %s: %d results, %d failures, counter %d", c.Device(), d.Results, d.Fails, d.Counter)
		}
		if o := w.outcome(c.Device()); o.Kind != public.KindPeriodic || o.Missing != 0 || len(o.Measurements) != 4 {
			t.Errorf("the last renewal: %+v", o)
		}
	}
}

// Nothing has to be remembered: agents that begin anew with each block bring a
// joining to its end.
func TestAgentsNeedNoMemory(t *testing.T) {
	w := newWorld(t)
	w.forgets = true
	c := w.newComputer(t, 0, 0)
	w.until("device is active", func() bool { return w.status(c.Device()) == public.Active })
	if o := w.outcome(c.Device()); o.Missing != 0 || o.Fail != 0 || o.Attempt != 1 {
		t.Errorf("%+v", o)
	}
}

// A boot component that nobody approved, whether the log tells of it or not,
// suspends; the agent has the device reinstated once the machine is repaired.
func TestAChangedBootComponentSuspendsUntilTheMachineIsRepaired(t *testing.T) {
	w := newWorld(t)
	c := w.newComputer(t, 0, 0)
	c.active()
	if err := c.lab.Boot(lab.Event{PCR: 4, Type: 0x80000003, Digest: wire.Hash{6}, Text: []byte("bootkit")}); err != nil {
		t.Fatal(err)
	}
	if o := c.challenged(); o.Verdict != public.Fail || o.Reason != appraise.NotApproved {
		t.Errorf("code the log tells of: %+v", o)
	}
	if got := w.status(c.Device()); got != public.Suspended {
		t.Fatalf("the device is %s", got)
	}
	c.boot(t, software.Events()...)
	c.restart()
	c.active()
	if o := w.outcome(c.Device()); o.Kind != public.KindReinstate || o.Verdict != public.Pass {
		t.Errorf("%+v", o)
	}
	if err := c.tpm.Extend(5, wire.Hash{7}); err != nil {
		t.Fatal(err)
	}
	if o := c.challenged(); o.Verdict != public.Fail || o.Reason != appraise.Replay {
		t.Errorf("code the log is silent about: %+v", o)
	}
	if got := w.status(c.Device()); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
}

// clone copies a machine with everything on its disk, and starts the copy.
func (c *computer) clone(t *testing.T) *computer {
	t.Helper()
	copied := &computer{w: c.w, lab: must(c.lab.Clone(t.TempDir())), owner: c.owner}
	t.Cleanup(func() { copied.lab.Stop() })
	if err := errors.Join(copied.lab.Start(), copied.lab.Boot(software.Events()...)); err != nil {
		t.Fatal(err)
	}
	copied.open(t)
	if err := copied.m.Measure(node); err != nil {
		t.Fatal(err)
	}
	return copied
}

// A thief's copy answers first, with a counter far ahead. The real machine finds
// itself behind, and proves that there are two.
func TestACloneThatRunsAheadIsProvenByTheRealMachine(t *testing.T) {
	w := newWorld(t)
	c := w.newComputer(t, 0, 0)
	c.active()
	thief := c.clone(t)
	for range 40 {
		if err := thief.tpm.Increment(); err != nil {
			t.Fatal(err)
		}
	}
	nodeKey, vrf, err := c.m.Keys() // the emulator's state and the disk's give the keys too
	if err != nil {
		t.Fatal(err)
	}
	w.fund(nodeKey)
	w.stop(c.Agent)
	stolen := w.start(agent.Config{Chip: thief.m, Node: nodeKey, VRF: vrf, Network: w.network(nodeKey)})
	if o := c.challenged(); o.Verdict != public.Pass {
		t.Fatalf("the copy's answer: %+v", o)
	}
	w.stop(stolen)
	c.run()
	c.ask()
	behind := false
	for range 4 { // less than the device has for its evidence: silence would end the same, later
		w.step()
		for _, err := range w.errs {
			behind = behind || errors.Is(err, wire.ErrCounterRegress)
		}
	}
	if _, open := w.openTask(c.Device()); !behind || open == nil || open.Phase != public.PhaseEvidence || w.status(c.Device()) != public.Suspended {
		t.Errorf("behind: %v, task %+v, the device is %s", behind, open, w.status(c.Device()))
	}
}

// Two copies that answer two questions with one value of the counter prove by
// themselves that they are two.
func TestACloneThatKeepsStepForksTheCounter(t *testing.T) {
	w := newWorld(t)
	c := w.newComputer(t, 0, 0)
	c.active()
	thief := c.clone(t)
	shown := func(m *machine.Machine, nonce wire.Hash) *public.Evidence {
		p, err := m.Show(evidencetpm.Select(0, 7, 13), func(rest [32]byte) [32]byte { return sha256.Sum256(append(nonce[:], rest[:]...)) })
		if err != nil {
			t.Fatal(err)
		}
		return &public.Evidence{NV: p.NV, NVSignature: p.NVSignature}
	}
	one, two := shown(c.m, wire.Hash{1}), shown(thief.m, wire.Hash{2})
	later := shown(c.m, wire.Hash{3})
	if agent.Forked(c.Device(), one, later) != nil || agent.Forked(c.Device(), one, one) != nil || agent.Forked(c.Device(), one, &public.Evidence{}) != nil {
		t.Error("what one chip says in turn is taken for a proof")
	}
	proof := agent.Forked(c.Device(), one, two)
	if proof == nil {
		t.Fatal("no proof")
	}
	w.quiet(w.Tx(ledgertest.Bob, public.Name, public.Encode(proof)))
	if got := w.status(c.Device()); got != public.Suspended {
		t.Errorf("the device is %s", got)
	}
}

// liar is a chip that shows somebody else's certificate.
type liar struct {
	*machine.Machine
	victim *machine.Machine
}

func (l liar) Device() wire.Hash { return l.victim.Device() }
func (l liar) Chain() [][]byte   { return l.victim.Chain() }

// forger is a liar whose attestation key is its own, in software: it signs
// whatever it likes, and that its key is in the victim's TPM first of all.
type forger struct {
	liar
	key *ecdsa.PrivateKey
	ak  evidencetpm.AK
}

func newForger(l liar) *forger {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	point := must(key.PublicKey.Bytes())
	return &forger{l, key, must(evidencetpm.ParseAK(evidencetpm.EncodeAK(point[1:33], point[33:])))}
}

func (f *forger) AK() evidencetpm.AK { return f.ak }

func (f *forger) sign(st *evidencetpm.Attest) (attest, sig []byte, err error) {
	st.QualifiedSigner, st.Safe = f.ak.QualifiedSigner(), true
	attest = st.Bytes()
	digest := sha256.Sum256(attest)
	r, s, err := ecdsa.Sign(rand.Reader, f.key, digest[:])
	if err != nil {
		return nil, nil, err
	}
	return attest, evidencetpm.EncodeSignature(r.Bytes(), s.Bytes()), nil
}

func (f *forger) CertifyEK(q [32]byte) (attest, sig []byte, err error) {
	chain, err := evidencetpm.ParseChain(f.victim.Chain())
	if err != nil {
		return nil, nil, err
	}
	name, err := evidencetpm.EKName(chain[0].RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, nil, err
	}
	return f.sign(&evidencetpm.Attest{Extra: q[:], Creation: &evidencetpm.Creation{Name: name, Hash: make([]byte, 32)}})
}

// A certificate proves nothing by itself: without the TPM it is of, nobody joins.
func TestAStolenCertificateIsOfNoUse(t *testing.T) {
	w := newWorld(t)
	victim, thief := w.newComputer(t, 0, 0), w.newComputer(t, 1, 1)
	w.stop(victim.Agent)
	w.stop(thief.Agent)
	c := thief.config(thief.owner)
	lie := liar{thief.m, victim.m}

	c.Chip = lie
	a := w.start(c)
	w.step()
	if len(w.errs) != 1 || !errors.Is(w.errs[0], wire.ErrEKTemplate) {
		t.Errorf("with an honest TPM of its own: %v", w.errs)
	}
	w.stop(a)

	c.Chip = newForger(lie)
	a = w.start(c)
	w.quiet()
	if got := w.status(victim.Device()); got != public.Pending {
		t.Fatalf("the forged request made the device %s", got)
	}
	refused := false
	for range 60 {
		w.step()
		for _, err := range w.errs {
			refused = refused || errors.Is(err, wire.ErrActivationQuorum)
		}
		if w.status(victim.Device()) == public.NoStatus {
			break
		}
	}
	if _, banned := load[public.Banned](w, public.BanKey(victim.Device())); !refused || !banned || w.status(victim.Device()) != public.NoStatus {
		t.Errorf("refused %v, banned %v, the device is %s", refused, banned, w.status(victim.Device()))
	}
	w.stop(a)

	// The real machine is not kept out for ever.
	victim.run()
	victim.active()
}

// Evidence answers one question.
func TestAReplayedQuoteIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.newComputer(t, 0, 0)
	c.active()
	c.ask()
	var old *public.Evidence
	w.until("there is evidence", func() bool {
		task, _ := w.openTask(c.Device())
		e, ok := load[public.Evidence](w, public.EvidenceKey(task))
		old = e
		return ok
	})
	w.until("it passes", func() bool { _, open := w.openTask(c.Device()); return open == nil })
	w.stop(c.Agent)
	c.ask()
	var task wire.Hash
	var open *public.Task
	w.until("there is a question", func() bool {
		task, open = w.openTask(c.Device())
		return open.Phase == public.PhaseEvidence
	})
	replay := w.Tx(c.owner, public.Name, public.Encode(&public.EvidenceSubmit{Task: task, Attempt: open.Attempt, Evidence: *old}))
	if got := w.Admit(replay); got != wire.ErrNonce {
		t.Errorf("%s", got)
	}
}

// When a maker loses all trust its devices stop counting, nobody joins under it,
// and the others go on.
func TestARevokedMakerTakesItsDevicesAlong(t *testing.T) {
	w := newWorld(t)
	good, bad := w.newComputer(t, 0, 0), w.newComputer(t, 1, 1)
	good.active()
	bad.active()
	r := trust.Root{Vendor: 3, DER: must(makers[1]().Root())}
	w.quiet(w.order(&trust.RootRevoke{Root: r.ID(), Mode: trust.SuspendAll}))
	if got := w.status(bad.Device()); got != public.Suspended {
		t.Errorf("its device is %s", got)
	}
	if o := good.challenged(); o.Verdict != public.Pass {
		t.Errorf("the other maker's: %+v", o)
	}
	late := w.newComputer(t, 1, 2)
	w.step()
	if len(w.errs) != 1 || !errors.Is(w.errs[0], wire.ErrChainInvalid) || w.status(late.Device()) != public.NoStatus {
		t.Errorf("a newcomer of it is %s: %v", w.status(late.Device()), w.errs)
	}
}

// A log too long for a transaction is recorded once, and found by every verifier.
func TestALongLogIsRecordedOnceAndJudged(t *testing.T) {
	w := newWorld(t)
	c := &computer{w: w, lab: must(makers[0]().Make(t.TempDir())), owner: ledgertest.Key(5000)}
	t.Cleanup(func() { c.lab.Stop() })
	w.fund(c.owner)
	events := software.Events()
	for i := range 300 {
		text := []byte{byte(i), byte(i >> 8)}
		events = append(events, lab.Event{PCR: 5, Type: 0x80000007, Digest: sha256.Sum256(text), Text: text})
	}
	c.boot(t, events...)
	c.run()
	c.active()
	first := w.recorded
	if first < 3 {
		t.Fatalf("%d entries for a log of %d events", first, len(events))
	}
	if o := c.challenged(); o.Verdict != public.Pass || w.recorded != first {
		t.Errorf("%+v, %d entries after %d", o, w.recorded, first)
	}
	clear(w.entries) // whoever stored them is gone
	c.boot(t, append(events, lab.Event{PCR: 5, Type: 0x80000007, Digest: wire.Hash{1}})...)
	c.restart()
	if o := c.challenged(); o.Verdict != public.Pass {
		t.Errorf("a new log, its entries recorded anew: %+v", o)
	}
}

// A machine that runs another program does not have the device's keys, so its
// agent cannot speak for the device.
func TestAnotherProgramCannotSpeakForTheDevice(t *testing.T) {
	w := newWorld(t)
	c := w.newComputer(t, 0, 0)
	c.active()
	w.stop(c.Agent)
	c.lab.Stop()
	if err := errors.Join(c.lab.Start(), c.lab.Boot(software.Events()...)); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	other := node
	other.Version = "evil"
	if err := c.m.Measure(other); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.m.Keys(); !errors.Is(err, tpm.ErrNotUnsealed) {
		t.Fatalf("%v", err)
	}
	if err := c.m.ForgetKeys(); err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Chain: w.Genesis.ChainID(), Chip: c.m, Node: must2(c.m.Keys()), VRF: ledgertest.Key(1), Network: w.network(c.owner)})
	if err := a.Round(context.Background()); !errors.Is(err, agent.ErrOtherKeys) {
		t.Errorf("%v", err)
	}
}

func must2(node, _ wire.PrivateKey, err error) wire.PrivateKey { return must(node, err) }
