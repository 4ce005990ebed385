package hardware_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/committee"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/beacon"
	public "cloister/wire/hardware"
	money "cloister/wire/token"
)

// enrolling is what the node family does with the hardware of a node it judged.
type enrolling struct{ ledgertest.Bare }

func (enrolling) Name() string { return "enrolling" }

type newcomer struct {
	_       struct{} `cbor:",toarray"`
	Device  wire.Hash
	Anchor  wire.Hash
	NodeKey wire.PublicKey
	VRFKey  wire.PublicKey
}

func (enrolling) Execute(c *ledger.Call) ([]byte, error) {
	var n newcomer
	if err := wire.Unmarshal(c.Payload.([]byte), &n, 1024); err != nil {
		return nil, err
	}
	r := &evidence.Result{Measurement: evidence.Measurement{Kind: evidence.SNP, Device: n.Device}, Anchor: n.Anchor}
	id, err := hardware.Enrol(c, &evidence.Evidence{Kind: evidence.SNP}, r, &evidence.Claims{Identity: n.NodeKey, VRF: n.VRFKey})
	return id[:], err
}

// ruling is what the governance family does with what the authorities decided;
// a first byte of 1 says that they all agreed.
type ruling struct{ ledgertest.Bare }

func (ruling) Name() string { return "ruling" }

func (ruling) Execute(c *ledger.Call) ([]byte, error) {
	b := c.Payload.([]byte)
	if err := c.CheckOrder(public.Name, b[1:]); err != nil {
		return nil, err
	}
	return c.Govern(public.Name, b[1:], b[0] == 1)
}

// working is another part of the ledger that rewards devices.
type working struct{ ledgertest.Bare }

func (working) Name() string { return "working" }

type wage struct {
	_      struct{} `cbor:",toarray"`
	Device wire.Hash
	Amount int64
}

func (working) Execute(c *ledger.Call) ([]byte, error) {
	var w wage
	if err := wire.Unmarshal(c.Payload.([]byte), &w, 1024); err != nil {
		return nil, err
	}
	return nil, hardware.Adjust(c, w.Device, w.Amount)
}

// verifier is a device that judges others, with its owner.
type verifier struct {
	id        wire.Hash
	owner     wire.PrivateKey
	node, vrf wire.PrivateKey
}

func newVerifier(n int) *verifier {
	return &verifier{
		id: wire.TH("test/chip", wire.U64(uint64(n))), owner: ledgertest.Key(1000 + n),
		node: ledgertest.Key(2000 + n), vrf: ledgertest.Key(3000 + n),
	}
}

func prove(k wire.PrivateKey, alpha wire.Hash) []byte {
	return ecvrf.Prove(ed25519.PrivateKey(k.Crypto()), alpha[:])
}

// world is a chain with a registry, and the devices on it.
type world struct {
	*ledgertest.Chain
	t         testing.TB
	params    hardware.Params
	verifiers []*verifier
	maker     *maker
}

const unit = 1_000_000

// quick are parameters of a small and fast network.
func quick() hardware.Params {
	p := hardware.DefaultParams()
	c, s := &p.Committee, &p.Schedule
	c.K, c.SMin, c.DMin, c.Over, c.OwnerSeatCap = 12, 4, 4, 64, 3
	c.TicketUnit, c.MaxTickets = unit, 8
	c.RACost, c.IssueJoin, c.IssueRenew, c.FailPenalty = 200_000, 3*unit, 400_000, unit
	c.Bonus, c.PenMinor, c.PenNoReveal, c.PenNoCommit = 20_000, 60_000, 60_000, 30_000
	c.Cap = 1000 * unit
	s.Epoch, s.NormInterval, s.VRFDelay = 8, 4, 2
	s.WEvid, s.WClaim, s.WChal, s.WAns, s.WCommit, s.WReveal = 8, 3, 3, 8, 6, 8
	s.RAPeriod, s.RAGrace, s.MaxAttempts = 600, 100, 2
	s.DisputeWindow, s.DisputeBond = 30, 5000
	s.JoinRateMin, s.Cooldown, s.Spacing, s.NonceAge = 50, 16, 6, 8
	return p
}

const founderCredit = 8 * unit

// newWorld starts a chain and brings in n founders' devices, whose tickets
// count from the first epoch on.
func newWorld(t testing.TB, n int, edit ...func(*hardware.Genesis)) *world {
	t.Helper()
	w := &world{t: t, maker: theMaker(), params: quick()}
	g := hardware.Genesis{
		Params: &w.params, FounderCredit: founderCredit, Testnet: true,
	}
	for i := range n {
		v := newVerifier(i)
		w.verifiers = append(w.verifiers, v)
		g.Founders = append(g.Founders, v.owner.Public())
	}
	roots := trust.Genesis{Testnet: true, Mandatory: []trust.Component{trust.NodeBinary}}
	amd := trust.Root{Vendor: evidence.AMD, DER: theAMD().ark, Name: "simulated AMD", Product: "Genoa", Class: trust.CPU, IssuePercent: 100, Simulated: true}
	chips := trust.Root{Vendor: evidence.TPMMaker, DER: w.maker.root, Name: "simulated TPMs", Class: trust.Emulated, IssuePercent: 100, Simulated: true}
	roots.Roots = append(roots.Roots, trust.NewGenesisRoot(&amd), trust.NewGenesisRoot(&chips))
	approved := nodeMeasurement()
	image := trust.Measurement{Component: trust.Image, Version: "1", Alg: trust.SHA256, Digest: theAMD().code(), Register: "CODEID"}
	roots.Measurements = append(roots.Measurements, trust.NewGenesisMeasurement(&approved), trust.NewGenesisMeasurement(&image))
	var err error
	if g.Trust, err = json.Marshal(roots); err != nil {
		t.Fatal(err)
	}
	for _, e := range edit {
		e(&g)
	}
	w.params = *g.Params
	params, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	genesis := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: beacon.Name}, wire.FamilyGenesis{Name: "enrolling"},
		wire.FamilyGenesis{Name: "ruling"}, wire.FamilyGenesis{Name: "working"}, wire.FamilyGenesis{Name: public.Name, Params: params})
	w.Chain = ledgertest.New(t, store.NewMemory(), genesis, []ledger.Family{
		token.Family{}, ledgertest.Pulse{}, enrolling{}, ruling{}, working{}, hardware.Family{},
	})
	w.OK() // so that there is a block to name
	var txs []*wire.Tx
	for _, v := range w.verifiers {
		txs = append(txs, w.enrol(v))
	}
	w.OK(txs...)
	w.until(w.params.Schedule.Epoch + 1)
	return w
}

func (w *world) enrol(v *verifier) *wire.Tx {
	return w.Tx(v.owner, "enrolling", wire.Marshal(&newcomer{
		Device: v.id, Anchor: theAMD().anchor(), NodeKey: v.node.Public(), VRFKey: v.vrf.Public(),
	}))
}

func (w *world) chainID() wire.Hash { return w.Genesis.ChainID() }
func (w *world) height() uint64     { return w.Ledger.Tip().Header.Height }

// until runs empty blocks up to a height.
func (w *world) until(height uint64) {
	w.Helper()
	for w.height() < height {
		w.OK()
	}
}

// send makes a transaction of the family.
func (w *world) send(k wire.PrivateKey, p public.Payload) *wire.Tx {
	return w.Tx(k, public.Name, public.Encode(p))
}

// refused sends one that must fail with a code, at admission and in a block.
func (w *world) refused(k wire.PrivateKey, p public.Payload, want wire.Code) {
	w.Helper()
	tx := w.send(k, p)
	if got := w.Admit(tx); got != want {
		w.Errorf("admission of a %T: %s, want %s", p, got, want)
	}
	if got := w.Check(tx).Code; got != wire.OK {
		if got != want {
			w.Errorf("check of a %T: %s, want %s", p, got, want)
		}
		return
	}
	if got := w.One(tx).Code; got != want {
		w.Errorf("execution of a %T: %s, want %s", p, got, want)
	}
}

func load[T any](w *world, key []byte) (*T, bool) {
	w.Helper()
	v, ok := ledgertest.Load[T](w.Chain, public.Name, key)
	return &v, ok
}

func (w *world) totals() *public.Totals {
	w.Helper()
	v, _ := load[public.Totals](w, public.TotalsKey)
	return v
}

func (w *world) device(id wire.Hash) *public.Device {
	w.Helper()
	d, ok := load[public.Device](w, public.DeviceKey(id))
	if !ok {
		w.Fatalf("no device %s", id)
	}
	return d
}

func (w *world) task(id wire.Hash) *public.Task {
	w.Helper()
	t, ok := load[public.Task](w, public.TaskKey(id))
	if !ok {
		w.Fatalf("no task %s", id)
	}
	return t
}

// open is a device's open task; zero if it has none.
func (w *world) open(device wire.Hash) wire.Hash {
	w.Helper()
	o, _ := load[public.OpenTask](w, public.OpenKey(device))
	return o.Task
}

func (w *world) raw(key []byte) (b []byte) {
	w.Helper()
	w.View(func(v *ledger.View) {
		var err error
		if b, err = v.Get(public.Name, key); err != nil {
			w.Fatal(err)
		}
		b = bytes.Clone(b)
	})
	return b
}

func (w *world) status(id wire.Hash) public.Status {
	w.Helper()
	d, ok := load[public.Device](w, public.DeviceKey(id))
	switch {
	case !ok:
		return public.NoStatus
	case d.Ordinal == 0:
		return public.Pending
	}
	return public.Status(w.raw(public.StatusKey(d.Ordinal / public.PageDevices))[d.Ordinal%public.PageDevices] & 7)
}

func (w *world) credit(id wire.Hash) uint64 {
	w.Helper()
	d := w.device(id)
	return be64(w.raw(public.CreditKey(d.Ordinal / public.PageDevices))[8*(d.Ordinal%public.PageDevices):])
}

func be64(b []byte) (n uint64) {
	for _, c := range b[:8] {
		n = n<<8 | uint64(c)
	}
	return n
}

// commonsense checks the invariants that hold after every block: credit, gas
// and the list of open tasks add up.
func (w *world) commonsense() {
	w.Helper()
	t := w.totals()
	sum := uint64(0)
	active := uint32(0)
	for n := uint32(1); n <= t.Devices; n++ {
		page, at := n/public.PageDevices, n%public.PageDevices
		if raw := w.raw(public.CreditKey(page)); raw != nil {
			sum += be64(raw[8*at:])
		}
		if w.raw(public.StatusKey(page))[at]&7 == byte(public.Active) {
			active++
		}
	}
	if sum != t.Credit || active != t.Active {
		w.Fatalf("height %d: credit sums to %d of %d, %d active of %d", w.height(), sum, t.Credit, active, t.Active)
	}
	pot, _ := ledgertest.Load[money.Balance](w.Chain, money.Name, money.BalanceKey(token.Pot(public.Name)))
	if pot.Factoshis != t.Held+t.Prepaid+t.Treasury {
		w.Fatalf("height %d: the pot has %d, books say %d held, %d prepaid, %d treasury", w.height(), pot.Factoshis, t.Held, t.Prepaid, t.Treasury)
	}
	for slot := range t.Open {
		raw := w.raw(public.OpenPageKey(slot / public.PageOpen))
		id := wire.Hash(raw[32*(slot%public.PageOpen):])
		o, ok := load[public.OpenTask](w, public.OpenKey(id))
		if !ok || o.Slot != slot || w.task(o.Task).Phase == public.PhaseClosed {
			w.Fatalf("height %d: slot %d of the open tasks lists %s, %+v", w.height(), slot, id, o)
		}
	}
}

// settled checks them and that nothing is held any more.
func (w *world) settled() {
	w.Helper()
	w.commonsense()
	if t := w.totals(); t.Open == 0 && t.Held != 0 {
		w.Fatalf("no task is open and %d is held", t.Held)
	}
}

func (w *world) claim(v *verifier, task wire.Hash) *wire.Tx {
	w.Helper()
	t := w.task(task)
	vote := public.Vote{Task: task, Attempt: t.Attempt, Device: v.id}
	p := &public.Claim{Vote: vote, Proof: prove(v.vrf, t.Alpha)}
	p.Signature = v.node.Sign(public.ClaimStatement(w.chainID(), vote, p.Proof))
	return w.send(ledgertest.Alice, p)
}

// say is what a verifier votes.
type say struct {
	verdict uint8
	reason  uint16
	found   []wire.Hash
	digest  *wire.Hash // another one than belongs to it
	silent  bool       // does not even commit
	hides   bool       // commits and does not reveal
}

func (s say) digestOf(t *public.Task) wire.Hash {
	if s.digest != nil {
		return *s.digest
	}
	return committee.ResultDigest(t.EvidenceDigest, s.verdict, s.reason, s.found)
}

var salt = [32]byte{7}

func (w *world) commit(v *verifier, task wire.Hash, s say) *wire.Tx {
	w.Helper()
	t := w.task(task)
	vote := public.Vote{Task: task, Attempt: t.Attempt, Device: v.id}
	p := &public.Commit{Vote: vote, Commitment: committee.Commit(task, t.Attempt, v.id, s.verdict, s.reason, s.digestOf(t), salt)}
	p.Signature = v.node.Sign(public.CommitStatement(w.chainID(), vote, p.Commitment))
	return w.send(ledgertest.Alice, p)
}

func (w *world) revealing(v *verifier, task wire.Hash, s say) *public.Reveal {
	w.Helper()
	t := w.task(task)
	p := &public.Reveal{
		Vote: public.Vote{Task: task, Attempt: t.Attempt, Device: v.id}, Verdict: s.verdict, Reason: s.reason,
		Digest: s.digestOf(t), Salt: salt, Measurements: s.found,
	}
	p.Signature = v.node.Sign(committee.ResultStatement(w.chainID(), task, t.Attempt, v.id, p.Verdict, p.Reason, p.Digest))
	if t.Kind == public.KindJoin {
		p.Secret, p.Seed = secretOf(v, t), seedOf(v, t)
	}
	return p
}

func (w *world) reveal(v *verifier, task wire.Hash, s say) *wire.Tx {
	w.Helper()
	return w.send(ledgertest.Alice, w.revealing(v, task, s))
}

// secretOf and seedOf are what a verifier makes its challenge of.
func secretOf(v *verifier, t *public.Task) [32]byte {
	return wire.TH("test/secret", v.id[:], wire.U32(t.Attempt), t.Alpha[:])
}

func seedOf(v *verifier, t *public.Task) [32]byte {
	return wire.TH("test/seed", v.id[:], wire.U32(t.Attempt), t.Alpha[:])
}

func (w *world) challenge(v *verifier, task wire.Hash) *wire.Tx {
	w.Helper()
	t := w.task(task)
	d := w.device(t.Device)
	secret := secretOf(v, t)
	blob, enc, err := tpm.MakeCredential(d.EKPub, d.AKName, secret, seedOf(v, t))
	if err != nil {
		w.Fatal(err)
	}
	return w.challengeWith(v, task, blob, enc, secret)
}

func (w *world) challengeWith(v *verifier, task wire.Hash, blob, enc []byte, secret [32]byte) *wire.Tx {
	w.Helper()
	t := w.task(task)
	vote := public.Vote{Task: task, Attempt: t.Attempt, Device: v.id}
	p := &public.Challenge{Vote: vote, Blob: blob, EncSecret: enc}
	p.SecretCommit = committee.ActivationSecret(task, t.Attempt, v.id, t.Device, w.device(t.Device).AKName, secret)
	p.Signature = v.node.Sign(public.ChallengeStatement(w.chainID(), vote, blob, enc, p.SecretCommit))
	return w.send(ledgertest.Alice, p)
}

// committeeOf lists the seats of a task.
func (w *world) committeeOf(task wire.Hash) []public.Seat {
	w.Helper()
	var c struct {
		_    struct{} `cbor:",toarray"`
		List []public.Seat
	}
	if raw := w.raw(public.CommitteeKey(task)); raw != nil {
		if err := wire.Unmarshal(raw, &c, ledger.MaxValue); err != nil {
			w.Fatal(err)
		}
	}
	return c.List
}

func (w *world) verifierOf(device wire.Hash) *verifier {
	w.Helper()
	for _, v := range w.verifiers {
		if v.id == device {
			return v
		}
	}
	w.Fatalf("no verifier is %s", device)
	return nil
}

// reach runs empty blocks until a task is in a phase.
func (w *world) reach(task wire.Hash, phase public.Phase) {
	w.Helper()
	for range 100 {
		if w.task(task).Phase == phase {
			return
		}
		w.OK()
		w.commonsense()
	}
	w.Fatalf("task is in phase %d and does not reach %d", w.task(task).Phase, phase)
}

// drawn has every verifier that may claim do so, until there is a committee.
func (w *world) drawn(task wire.Hash) {
	w.Helper()
	w.reach(task, public.PhaseClaim)
	var txs []*wire.Tx
	for _, v := range w.verifiers {
		txs = append(txs, w.claim(v, task))
	}
	w.OK(txs...)
	w.commonsense()
	for w.task(task).Phase == public.PhaseClaim {
		w.OK()
	}
}

// vote has the committee say something; how may differ by verifier.
func (w *world) vote(task wire.Hash, of func(v *verifier) say) {
	w.Helper()
	w.reach(task, public.PhaseCommit)
	seats := w.committeeOf(task)
	var txs []*wire.Tx
	for _, s := range seats {
		if v := w.verifierOf(s.Device); !of(v).silent {
			txs = append(txs, w.commit(v, task, of(v)))
		}
	}
	w.OK(txs...)
	w.commonsense()
	w.reach(task, public.PhaseReveal)
	txs = nil
	for _, s := range seats {
		if v := w.verifierOf(s.Device); !of(v).silent && !of(v).hides {
			txs = append(txs, w.reveal(v, task, of(v)))
		}
	}
	w.OK(txs...)
	w.commonsense()
	attempt := w.task(task).Attempt
	for range 20 {
		if t := w.task(task); t.Phase != public.PhaseReveal || t.Attempt != attempt {
			return
		}
		w.OK()
	}
}
