package verifier_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"sync"
	"testing"
	"time"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/verifier"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/simtee"
	"cloister/wire"
	"cloister/wire/beacon"
	public "cloister/wire/hardware"
)

// makers are simulated vendors with machines, shared by all tests.
type makers struct {
	cpu, chip *simtee.Vendor
	program   simtee.Program
	cpus      []*simtee.Platform
	chips     []*simtee.Platform
}

const founders = 8

var theMakers = sync.OnceValue(func() *makers {
	dir, err := tempDir()
	if err != nil {
		panic(err)
	}
	m := &makers{program: simtee.Program{Code: simtee.Measure([]byte("node"), nil), ReleaseKey: simtee.DevelopmentKey, ProdID: 1, SVN: 1}}
	m.cpu, m.chip = must(simtee.NewVendor(evidence.SGX, dir+"/sgx")), must(simtee.NewVendor(evidence.TPM, dir+"/tpm"))
	for i := range founders {
		m.cpus = append(m.cpus, must(m.cpu.NewPlatform(dir+"/cpu"+string(rune('a'+i)))))
	}
	for i := range 2 {
		m.chips = append(m.chips, must(m.chip.NewPlatform(dir+"/chip"+string(rune('a'+i)))))
	}
	return m
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// image and binary are what the genesis approves.
func (m *makers) image() *trust.Measurement {
	id := m.program.Code.CodeID(evidence.SGX)
	return &trust.Measurement{Component: trust.Image, Version: "1", Alg: trust.SHA256, Digest: id[:], Register: "CODEID"}
}

func (m *makers) binary() *trust.Measurement {
	return &trust.Measurement{Component: trust.NodeBinary, Version: "1", Alg: trust.SHA256, Digest: m.program.Code.Enclave[:], PCRs: []uint8{13}}
}

func (m *makers) trust(testnet bool) json.RawMessage {
	g := trust.Genesis{Testnet: testnet, Mandatory: []trust.Component{trust.NodeBinary}}
	for _, v := range []*simtee.Vendor{m.cpu, m.chip} {
		for _, a := range must(v.Anchors()) {
			g.Roots = append(g.Roots, trust.NewGenesisRoot(&trust.Root{Vendor: a.Vendor, DER: a.DER, Name: "Simulated", Class: trust.Emulated, IssuePercent: 100, Simulated: true}))
		}
	}
	items := must(m.cpu.Items(time.UnixMilli(ledgertest.StartMs)))
	for i := range items {
		g.Items = append(g.Items, trust.NewGenesisItem(&items[i]))
	}
	g.Measurements = append(g.Measurements, trust.NewGenesisMeasurement(m.image()), trust.NewGenesisMeasurement(m.binary()))
	return must(json.Marshal(g))
}

// member is a device with its owner and the program that does its duties. It keeps
// nothing: what it submits comes from state and keys.
type member struct {
	owner     wire.PrivateKey
	node, vrf wire.PrivateKey
	platform  *simtee.Platform
	id        wire.Hash
	lazy      bool                                  // claims, and does nothing more
	sees      func(verifier.Reader) verifier.Reader // nil: state as it is
}

func newMember(n int, p *simtee.Platform) *member {
	return &member{owner: ledgertest.Key(1000 + n), node: ledgertest.Key(2000 + n), vrf: ledgertest.Key(3000 + n), platform: p, id: p.Device()}
}

// verifier is a fresh one, as after a restart.
func (m *member) verifier(chain wire.Hash) *verifier.Verifier {
	return &verifier.Verifier{Chain: chain, Device: m.id, Key: m.node, VRF: ed25519.PrivateKey(m.vrf.Crypto())}
}

// world is a chain with members on simulated hardware.
type world struct {
	*ledgertest.Chain
	*makers
	params  hardware.Params
	members []*member
	entries map[wire.Hash][]byte
	// lost says which submissions never arrive.
	lost func(m *member, j *verifier.Job) bool
	// made has every payload that was due once, by what it is about.
	made map[string]string
}

const unit = 1_000_000

// quick are parameters of a small and fast network, with one seat each.
func quick() hardware.Params {
	p := hardware.DefaultParams()
	c, s := &p.Committee, &p.Schedule
	c.K, c.SMin, c.DMin, c.Over, c.OwnerSeatCap = 12, 4, 4, 64, 1
	c.TicketUnit, c.MaxTickets = unit, 8
	c.RACost, c.IssueJoin, c.IssueRenew, c.FailPenalty = 200_000, 3*unit, 400_000, unit
	c.Bonus, c.PenMinor, c.PenNoReveal, c.PenNoCommit = 20_000, 60_000, 60_000, 30_000
	c.Cap = 1000 * unit
	s.Epoch, s.NormInterval, s.VRFDelay = 8, 4, 1
	s.WEvid, s.WClaim, s.WChal, s.WAns, s.WCommit, s.WReveal = 8, 4, 4, 8, 6, 6
	s.RAPeriod, s.RAGrace, s.MaxAttempts = 600, 100, 2
	s.DisputeWindow, s.JoinRateMin, s.Cooldown, s.Spacing = 30, 50, 16, 4
	return p
}

func newWorld(t testing.TB, edit ...func(*hardware.Genesis)) *world {
	t.Helper()
	w := &world{
		makers: theMakers(), params: quick(), entries: map[wire.Hash][]byte{}, made: map[string]string{},
		lost: func(*member, *verifier.Job) bool { return false },
	}
	g := hardware.Genesis{Params: &w.params, FounderCredit: 8 * unit, Testnet: true, TimeMs: ledgertest.StartMs, Trust: w.trust(true)}
	for i := range founders {
		m := newMember(i, w.cpus[i])
		w.members = append(w.members, m)
		g.Founders = append(g.Founders, m.owner.Public())
	}
	for _, e := range edit {
		e(&g)
	}
	genesis := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: beacon.Name}, wire.FamilyGenesis{Name: public.Name, Params: must(json.Marshal(g))})
	w.Chain = ledgertest.New(t, store.NewMemory(), genesis, []ledger.Family{token.Family{}, ledgertest.Pulse{}, hardware.Family{}})
	w.OK()
	var txs []*wire.Tx
	for _, m := range w.members {
		txs = append(txs, w.Transfer(ledgertest.Alice, 1<<32, ledgertest.Account(m.owner)), w.Buy(ledgertest.Alice, 1<<30, m.owner.Public()))
	}
	w.OK(txs...)
	txs = nil
	for _, m := range w.members {
		tip := w.Ledger.Tip()
		claims := &evidence.Claims{
			Purpose: evidence.Register, ChainID: w.chain(), Height: tip.Height(), BlockHash: tip.Hash,
			Identity: m.node.Public(), VRF: m.vrf.Public(), Operator: wire.Hash(ledgertest.Account(m.owner)),
		}
		payload := must(verifier.JoinPlatform(claims, must(m.platform.Attest(w.program, claims.ReportData()))))
		txs = append(txs, w.Tx(m.owner, public.Name, payload))
	}
	w.OK(txs...)
	for w.Ledger.Height() < w.params.Schedule.Epoch+1 { // until their tickets count
		w.OK()
	}
	return w
}

func (w *world) chain() wire.Hash { return w.Genesis.ChainID() }

// get reads the newest state.
func (w *world) get(key []byte) (value []byte, err error) {
	w.View(func(v *ledger.View) {
		value, err = v.Get(public.Name, key)
		value = append([]byte(nil), value...)
		if len(value) == 0 {
			value = nil
		}
	})
	return value, err
}

func (w *world) at() verifier.At {
	h := w.Ledger.Tip().Header
	return verifier.At{Height: h.Height, TimeMs: h.TimeMs}
}

func (w *world) entry(h wire.Hash) ([]byte, bool) {
	b, ok := w.entries[h]
	return b, ok
}

// due is what a member's program finds, twice: it cannot know whether it ran before.
func (w *world) due(m *member) []verifier.Job {
	w.Helper()
	get := verifier.Reader(w.get)
	if m.sees != nil {
		get = m.sees(get)
	}
	jobs, _, err := verifier.Due(get, m.verifier(w.chain()), w.at(), w.entry)
	if err != nil {
		w.Fatal(err)
	}
	again, _, err := verifier.Due(get, m.verifier(w.chain()), w.at(), w.entry)
	if err != nil || len(again) != len(jobs) {
		w.Fatalf("%d jobs, then %d: %v", len(jobs), len(again), err)
	}
	for i := range jobs {
		w.same(m, &jobs[i])
		w.same(m, &again[i])
	}
	return jobs
}

// same checks that a payload is the one this member made about it before, if it
// did: after a restart in the middle of a phase nothing may differ.
func (w *world) same(m *member, j *verifier.Job) {
	w.Helper()
	vote := voteOf(must(public.Decode(j.Payload)))
	key := string(wire.Marshal([]any{j.Op(), vote.Task, vote.Attempt, m.id}))
	if before, ok := w.made[key]; ok && before != string(j.Payload) {
		w.Errorf("height %d: operation %d of %s differs from the one made before", w.Ledger.Height(), j.Op(), m.id)
	}
	w.made[key] = string(j.Payload)
}

func voteOf(p public.Payload) public.Vote {
	switch p := p.(type) {
	case *public.Claim:
		return p.Vote
	case *public.Challenge:
		return p.Vote
	case *public.Commit:
		return p.Vote
	case *public.Reveal:
		return p.Vote
	}
	return public.Vote{}
}

// step is a block with everything that is due; all of it must be accepted.
func (w *world) step(more ...*wire.Tx) {
	w.Helper()
	txs := append([]*wire.Tx(nil), more...)
	for _, m := range w.members {
		for _, j := range w.due(m) {
			if m.lazy && j.Op() != public.OpClaim || w.lost(m, &j) {
				continue
			}
			txs = append(txs, w.Tx(m.owner, public.Name, j.Payload))
		}
		own, err := verifier.OwnTask(w.get, m.id)
		if err != nil {
			w.Fatal(err)
		}
		if own != nil {
			if payload := w.answer(m, own); payload != nil {
				txs = append(txs, w.Tx(m.owner, public.Name, payload))
			}
		}
	}
	w.OK(txs...)
}

// answer is what a device sends about its own task, nil if nothing is due.
func (w *world) answer(m *member, own *verifier.Own) []byte {
	w.Helper()
	switch {
	case own.Device.Kind != public.TPM && own.WantsEvidence(w.Ledger.Height()):
		claims := own.Claims(evidence.Claims{ChainID: w.chain(), BootID: wire.Hash{1}, CodeVersion: 1})
		return must(own.Submit(claims, must(m.platform.Attest(w.program, claims.ReportData()))))
	case own.Task.Phase == public.PhaseAnswer && own.Task.EvidenceDigest.IsZero():
		p := &public.Answer{Task: own.ID, Attempt: own.Task.Attempt, Evidence: w.show(m, own.Task.Nonce)}
		chip := must(m.platform.TPM())
		for i, s := range w.committee(own.ID) {
			posted, ok := ledgertest.Load[public.Posted](w.Chain, public.Name, public.ChallengeKey(own.ID, uint16(i)))
			if !ok {
				continue
			}
			secret := must(chip.ActivateCredential(posted.Blob, posted.EncSecret))
			p.Secrets = append(p.Secrets, public.Secret{Verifier: s.Device, Secret: [32]byte(secret)})
		}
		return public.Encode(p)
	case own.Device.Kind == public.TPM && own.WantsEvidence(w.Ledger.Height()):
		return public.Encode(&public.EvidenceSubmit{Task: own.ID, Attempt: own.Task.Attempt, Evidence: w.show(m, own.Task.Nonce)})
	}
	return nil
}

// show is the evidence of a TPM for a nonce.
func (w *world) show(m *member, nonce wire.Hash) public.Evidence {
	w.Helper()
	parts := func(data [64]byte) (*tpm.Parts, *evidence.Evidence) {
		e := must(m.platform.Attest(w.program, data))
		return must(tpm.Parse(e)), e
	}
	p, _ := parts([64]byte{})
	var data [64]byte
	q := tpm.Qualify(nonce, m.node.Public(), m.vrf.Public(), p.Digest())
	copy(data[:], q[:])
	p, e := parts(data)
	return public.Evidence{
		Kind: public.TPM, Quote: e.Quote, Signature: p.Signature, PCRs: e.Aux[2], Boot: public.LogOf(p.BootLog), App: public.LogOf(p.AppLog.Bytes()),
		NV: p.NV, NVSignature: p.NVSignature, Rest: p.Digest(),
	}
}

// join is a TPM's request.
func (w *world) join(m *member) *wire.Tx {
	w.Helper()
	chip := must(m.platform.TPM())
	ak, name, err := chip.AttestationKey()
	if err != nil {
		w.Fatal(err)
	}
	p := &public.JoinRequest{Chain: chip.Chain(), AK: ak, NodeKey: m.node.Public(), VRFKey: m.vrf.Public()}
	statement := public.JoinStatement(w.chain(), m.id, name, p.NodeKey, p.VRFKey, ledgertest.Account(m.owner))
	p.NodeSignature, p.VRFProof = m.node.Sign(statement), ecvrf.Prove(voi.PrivateKey(m.vrf.Crypto()), statement[:])
	if p.Creation, p.CreationSignature, err = chip.CertifyCreation(statement[:]); err != nil {
		w.Fatal(err)
	}
	return w.Tx(m.owner, public.Name, public.Encode(p))
}

func (w *world) committee(task wire.Hash) []public.Seat {
	w.Helper()
	c, _ := ledgertest.Load[struct {
		_    struct{} `cbor:",toarray"`
		List []public.Seat
	}](w.Chain, public.Name, public.CommitteeKey(task))
	return c.List
}

func (w *world) seat(task wire.Hash, m *member) *public.Seat {
	w.Helper()
	for _, s := range w.committee(task) {
		if s.Device == m.id {
			return &s
		}
	}
	return nil
}

func (w *world) task(id wire.Hash) *public.Task {
	w.Helper()
	t, ok := ledgertest.Load[public.Task](w.Chain, public.Name, public.TaskKey(id))
	if !ok {
		w.Fatalf("no task %s", id)
	}
	return &t
}

func (w *world) device(m *member) *public.Device {
	w.Helper()
	d, _ := ledgertest.Load[public.Device](w.Chain, public.Name, public.DeviceKey(m.id))
	return &d
}

func (w *world) status(m *member) public.Status {
	w.Helper()
	t, _, err := hardware.TrustOf(w.get, m.id)
	if err != nil {
		w.Fatal(err)
	}
	return t.Status
}

// open asks for a device to be attested and returns the task.
func (w *world) open(by wire.PrivateKey, m *member, kind uint8) wire.Hash {
	w.Helper()
	r := w.One(w.Tx(by, public.Name, public.Encode(&public.Open{Device: m.id, Kind: kind})))
	if r.Code != wire.OK {
		w.Fatalf("opening a task of kind %d: %s", kind, r.Code)
	}
	return wire.Hash(r.Output)
}

// finish steps until a task is closed.
func (w *world) finish(task wire.Hash) *public.Task {
	w.Helper()
	for range 120 {
		if t := w.task(task); t.Phase == public.PhaseClosed {
			return t
		}
		w.step()
	}
	w.Fatalf("the task does not end: %+v", w.task(task))
	return nil
}

// blind gives a Reader that does not find some keys.
func blind(hidden func(key []byte) bool) func(verifier.Reader) verifier.Reader {
	return func(get verifier.Reader) verifier.Reader {
		return func(key []byte) ([]byte, error) {
			if hidden(key) {
				return nil, nil
			}
			return get(key)
		}
	}
}

// changed gives a Reader that finds a row as edit leaves it.
func changed[T any](key []byte, edit func(*T)) func(verifier.Reader) verifier.Reader {
	return func(get verifier.Reader) verifier.Reader {
		return func(k []byte) ([]byte, error) {
			raw, err := get(k)
			if err != nil || raw == nil || !bytes.Equal(k, key) {
				return raw, err
			}
			var v T
			if err := wire.Unmarshal(raw, &v, ledger.MaxValue); err != nil {
				return nil, err
			}
			edit(&v)
			return wire.Marshal(&v), nil
		}
	}
}

// reaches steps until a task is in a phase.
func (w *world) reaches(task wire.Hash, phase public.Phase) {
	w.Helper()
	for range 60 {
		if w.task(task).Phase == phase {
			return
		}
		w.step()
	}
	w.Fatalf("phase %d is not reached: %+v", phase, w.task(task))
}

// seen is what a member finds due if it sees state in its own way.
func (w *world) seen(m *member, sees func(verifier.Reader) verifier.Reader) ([]verifier.Job, []wire.Hash) {
	w.Helper()
	get := verifier.Reader(w.get)
	if sees != nil {
		get = sees(get)
	}
	jobs, needs, err := verifier.Due(get, m.verifier(w.chain()), w.at(), w.entry)
	if err != nil {
		w.Fatal(err)
	}
	return jobs, needs
}
