package node_test

import (
	"crypto/sha256"
	"testing"

	"cloister/core/families"
	"cloister/core/families/governance"
	"cloister/core/families/node"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	order "cloister/wire/governance"
	public "cloister/wire/node"
)

// lab is hardware that says of itself what a test wants: its quote is the
// encoding of a quote.
type lab struct {
	policies map[policy.Role]*policy.Policy
	refused  map[wire.Hash]wire.Code // code ids that do not qualify
	grace    map[wire.Hash]uint64    // code ids that are tolerated for so long
	revision uint64
	due      uint64 // height at which something takes effect by itself
	broken   error  // what Rejudge fails with, if it is a defect
	full     error  // what Enrol fails with
	devices  map[wire.Hash]wire.Account
}

type quote struct {
	_          struct{} `cbor:",toarray"`
	ReportData [64]byte
	Code       wire.Hash
	Device     wire.Hash
	Fault      wire.Code // what its verification ends in
}

func newLab() *lab {
	l := &lab{policies: map[policy.Role]*policy.Policy{}, refused: map[wire.Hash]wire.Code{}, grace: map[wire.Hash]uint64{}, revision: 1, devices: map[wire.Hash]wire.Account{}}
	for _, role := range policy.Roles {
		p := policy.Default(role, true)
		l.policies[role] = &p
	}
	return l
}

func (l *lab) Policy(_ ledger.State, role policy.Role) (*policy.Policy, error) {
	return l.policies[role], nil
}

func (l *lab) Verify(_ ledger.State, e *evidence.Evidence, _ uint64) (*evidence.Result, error) {
	var q quote
	if err := wire.Unmarshal(e.Quote, &q, evidence.MaxQuote); err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "%v", err)
	}
	if q.Fault != wire.OK {
		return nil, wire.Faultf(q.Fault, "as the test wants")
	}
	return &evidence.Result{
		Measurement: evidence.Measurement{Kind: e.Kind, Code: q.Code, Device: q.Device, SVN: 7},
		Status:      evidence.UpToDate, ReportData: q.ReportData, Simulated: true, Level: []byte{1, 2}, Signed: sha256.Sum256(e.Quote),
	}, nil
}

func (l *lab) Keys(*evidence.Evidence) ([]wire.Hash, error) { return []wire.Hash{{0x4B}}, nil }

func (l *lab) Enrol(c *ledger.Call, _ *evidence.Evidence, r *evidence.Result, _ *evidence.Claims) error {
	if l.full == nil && l.devices[r.Device] == (wire.Account{}) {
		l.devices[r.Device] = c.Payer
	}
	return l.full
}

func (l *lab) Judge(_ ledger.State, _ policy.Role, _ policy.Occasion, r *evidence.Result, _, _ uint64) error {
	if code, bad := l.refused[r.Measurement.Code]; bad {
		return wire.Faultf(code, "as the test wants")
	}
	return nil
}

func (l *lab) Rejudge(_ ledger.State, _ policy.Role, p *public.Platform, since, _, timeMs uint64) (node.Grace, error) {
	if l.broken != nil {
		return node.Grace{}, l.broken
	}
	if code, bad := l.refused[p.Code]; bad {
		return node.Grace{}, wire.Faultf(code, "as the test wants")
	}
	lasts, tolerated := l.grace[p.Code]
	switch {
	case !tolerated:
		return node.Grace{}, nil
	case since == 0:
		since = timeMs
	case timeMs > since+lasts:
		return node.Grace{}, wire.Faultf(wire.ErrEvidenceStatus, "the grace is over")
	}
	return node.Grace{SinceMs: since, UntilMs: since + lasts}, nil
}

func (l *lab) Revision(ledger.State) (uint64, error) { return l.revision, nil }

func (l *lab) Due(_ ledger.State, height uint64) (bool, error) { return height == l.due, nil }

// world is a chain of founders with one authority, Carol, and a lab.
type world struct {
	*ledgertest.Chain
	*lab
	Founders []*core
}

// core is a trusted core as the ledger sees one.
type core struct {
	key, vrf wire.PrivateKey
	operator wire.PrivateKey
	kind     evidence.Kind
	code     wire.Hash
	device   wire.Hash
	bootID   wire.Hash
	boots    uint64
}

// newCore is a core by number, run by Alice, in its first run.
func newCore(n int) *core {
	return &core{
		key: ledgertest.Key(1000 + n), vrf: ledgertest.Key(2000 + n), operator: ledgertest.Alice, kind: evidence.SGX, code: wire.Hash{0xC0, 0xDE},
		device: wire.TH("test/device", wire.U64(uint64(n))), bootID: wire.TH("test/boot", wire.U64(uint64(n)), wire.U64(1)), boots: 1,
	}
}

func (k *core) id() wire.NodeID { return wire.NodeIDOf(k.key.Public()) }

// restart is the next run of the core.
func (k *core) restart() {
	k.boots++
	k.bootID = wire.TH("test/boot", k.bootID[:], wire.U64(k.boots))
}

const (
	foundingMs = 600_000
	day        = 24 * 3600 * 1000
)

func newWorld(t testing.TB, founders int, change ...func(*public.Params)) *world {
	t.Helper()
	w := &world{lab: newLab()}
	g := ledgertest.GenesisOf()
	g.Engine, g.Members = "raft", nil
	for i := range founders {
		k := newCore(i)
		k.operator = k.key // nobody's but its own
		w.Founders = append(w.Founders, k)
		g.Members = append(g.Members, wire.GenesisMember{Name: string(rune('a' + i)), Key: k.key.Public()})
	}
	p := public.FoundingParams(g)
	p.FoundingMs = foundingMs
	for _, c := range change {
		c(p)
	}
	authorities := order.Params{Authorities: []string{ledgertest.Account(ledgertest.Carol).String()}}
	g.Families = []wire.FamilyGenesis{
		ledgertest.Money(), {Name: public.Name, Params: p.JSON()}, {Name: order.Name, Params: authorities.JSON()},
	}
	all := []ledger.Family{node.Family{Hardware: w.lab}, governance.Family{}}
	for _, f := range families.All() {
		if f.Name() != public.Name && f.Name() != order.Name {
			all = append(all, f)
		}
	}
	w.Chain = ledgertest.New(t, store.NewMemory(), g, all)
	w.Run()
	return w
}

// claims are those of a core about now.
func (w *world) claims(k *core, p evidence.Purpose) *evidence.Claims {
	tip := w.Ledger.Tip()
	return &evidence.Claims{
		Purpose: p, ChainID: w.Genesis.ChainID(), Height: tip.Height(), BlockHash: tip.Hash, Identity: k.key.Public(), Box: [32]byte{1},
		VRF: k.vrf.Public(), Operator: wire.Hash(ledgertest.Account(k.operator)), BootID: k.bootID, CodeVersion: 3,
	}
}

// show is what a core shows with claims, unsigned.
func (w *world) show(k *core, c *evidence.Claims) public.Attestation {
	e := evidence.Evidence{Kind: k.kind, Quote: wire.Marshal(quote{ReportData: c.ReportData(), Code: k.code, Device: k.device})}
	return public.Attestation{Claims: wire.Marshal(c), Evidence: e.Bytes(), Boots: k.boots, Endpoint: "core.example:7000"}
}

func (w *world) registration(k *core) *public.Register {
	r := &public.Register{Shown: w.show(k, w.claims(k, evidence.Register)), Roles: public.VoterRole, Name: "core"}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	return r
}

func (w *world) register(k *core) *wire.Tx {
	return w.Tx(k.operator, public.Name, w.registration(k).Bytes())
}

func (w *world) renew(k *core) *wire.Tx {
	r := &public.Renew{Shown: w.show(k, w.claims(k, evidence.Renew))}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	return w.Tx(k.operator, public.Name, r.Bytes())
}

func (w *world) boot(k *core) *wire.Tx {
	b := &public.Boot{Shown: w.show(k, w.claims(k, evidence.Renew))}
	b.Shown.Signature = k.key.Sign(b.Digest(w.Genesis.ChainID()))
	return w.Tx(k.operator, public.Name, b.Bytes())
}

func (w *world) retire(by wire.PrivateKey, k *core) *wire.Tx {
	return w.Tx(by, public.Name, (&public.Retire{Node: k.id()}).Bytes())
}

func (w *world) promote(by, k *core) *wire.Tx {
	return w.Tx(by.key, public.Name, (&public.Promote{Node: k.id()}).Bytes())
}

// order is a transaction of the authority.
func (w *world) order(b []byte) *wire.Tx {
	return w.Tx(ledgertest.Carol, order.Name, (&order.Propose{Family: public.Name, Order: b}).Bytes())
}

func (w *world) admit(k *core, as wire.Role) *wire.Tx {
	return w.order((&public.Admit{Node: k.id(), Role: as}).Bytes())
}

func (w *world) remove(k *core) *wire.Tx { return w.order((&public.Remove{Node: k.id()}).Bytes()) }

func (w *world) revoke(k *core) *wire.Tx {
	return w.order((&public.Revoke{Node: k.id(), Reason: "key leaked"}).Bytes())
}

// handOver lets the newest set order from an empty block on, as an engine does
// when the set has changed. Until then blocks are ordered by the one before.
func (w *world) handOver() {
	w.Helper()
	b := w.Block(w.NextMs())
	b.Header.Epoch = w.roster().Set.Epoch
	b.Hash = b.Header.Hash()
	if _, err := w.Ledger.Execute(b); err != nil {
		w.Fatal(err)
	}
}

// settle hands over until no change waits.
func (w *world) settle() {
	w.Helper()
	for range 2 * wire.MaxGenesisMembers {
		before := w.roster().Set.Epoch
		if w.handOver(); w.roster().Set.Epoch == before {
			return
		}
	}
	w.Fatal("the member set does not come to rest")
}

func (w *world) roster() *wire.Roster { return w.Ledger.Tip().Roster }

func (w *world) node(k *core) public.Node {
	w.Helper()
	n, ok := ledgertest.Load[public.Node](w.Chain, public.Name, public.Key(k.id()))
	if !ok {
		w.Fatalf("node %s is not known", k.id())
	}
	return n
}

// refused runs one transaction that must be refused with a code, by admission
// and by execution alike.
func (w *world) refused(tx *wire.Tx, want wire.Code) {
	w.Helper()
	if got := w.Admit(tx); got != want {
		w.Errorf("admission: %s, want %s", got, want)
	}
	if w.Check(tx).Code != wire.OK {
		return // never reaches a block
	}
	if got := w.One(tx).Code; got != want {
		w.Errorf("execution: %s, want %s", got, want)
	}
}

// overruled runs an order that its family must refuse with a code. Admission
// cannot foresee it: an order is judged when it is carried out.
func (w *world) overruled(tx *wire.Tx, want wire.Code) {
	w.Helper()
	if got := w.One(tx).Code; got != want {
		w.Errorf("%s, want %s", got, want)
	}
}

// found registers every founder.
func (w *world) found() {
	w.Helper()
	var txs []*wire.Tx
	for _, k := range w.Founders {
		txs = append(txs, w.register(k))
	}
	w.OK(txs...)
}

// barred is the code a member is barred with.
func (w *world) barred(k *core) wire.Code {
	w.Helper()
	s := w.roster().Of(k.id())
	if s == nil {
		w.Fatalf("node %s is no member", k.id())
	}
	return s.Barred
}

func (w *world) role(k *core) wire.Role {
	if m := w.roster().Set.ByID(k.id()); m != nil {
		return m.Role
	}
	return 0
}
