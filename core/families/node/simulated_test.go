package node_test

import (
	"encoding/json"
	"testing"
	"time"

	"cloister/core/families/governance"
	"cloister/core/families/hardware"
	"cloister/core/families/node"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/simtee"
	"cloister/wire"
	order "cloister/wire/governance"
	registry "cloister/wire/hardware"
	public "cloister/wire/node"
)

// vendor is a maker of simulated SGX platforms, and a program for them.
type vendor struct {
	*simtee.Vendor
	program simtee.Program
}

func newVendor(t testing.TB) *vendor {
	t.Helper()
	v, err := simtee.NewVendor(evidence.SGX, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &vendor{v, simtee.Program{Code: simtee.Measure([]byte("core"), nil), ReleaseKey: simtee.DevelopmentKey, ProdID: 1, SVN: 1}}
}

func (v *vendor) measurement() *trust.Measurement {
	id := v.program.Code.CodeID(evidence.SGX)
	return &trust.Measurement{Component: trust.Image, Version: "1.0.0", Alg: trust.SHA256, Digest: id[:], Register: "CODEID"}
}

// root is the vendor's, as a genesis or an order names it.
func (v *vendor) root(t testing.TB) *trust.Root {
	t.Helper()
	anchors, err := v.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	return &trust.Root{Vendor: anchors[0].Vendor, DER: anchors[0].DER, Name: "Simulated", Class: trust.Emulated, Simulated: true}
}

// items is the vendor's collateral, issued some milliseconds after the genesis.
func (v *vendor) items(t testing.TB, afterMs int64) []evidence.Item {
	t.Helper()
	items, err := v.Items(time.UnixMilli(ledgertest.StartMs + afterMs))
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// trust is what a genesis says that trusts the vendor.
func (v *vendor) trust(t testing.TB) *trust.Genesis {
	t.Helper()
	g := &trust.Genesis{
		Testnet: true, Roots: []trust.GenesisRoot{trust.NewGenesisRoot(v.root(t))},
		Measurements: []trust.GenesisMeasurement{trust.NewGenesisMeasurement(v.measurement())},
	}
	items := v.items(t, 0)
	for i := range items {
		g.Items = append(g.Items, trust.NewGenesisItem(&items[i]))
	}
	return g
}

// onSimulatedHardware is a chain of three founders, each on a platform of its own.
func onSimulatedHardware(t testing.TB, v *vendor, edit ...func(*trust.Genesis, *hardware.Genesis)) (*world, []*simtee.Platform) {
	t.Helper()
	w := &world{}
	g := ledgertest.GenesisOf()
	g.Engine, g.Members = "raft", nil
	var platforms []*simtee.Platform
	for i := range 3 {
		k := newCore(i)
		k.operator = k.key
		w.Founders = append(w.Founders, k)
		g.Members = append(g.Members, wire.GenesisMember{Key: k.key.Public()})
		p, err := v.NewPlatform(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		platforms = append(platforms, p)
	}
	authorities := order.Params{Authorities: []string{ledgertest.Account(ledgertest.Carol).String()}}
	trusted, devices := v.trust(t), &hardware.Genesis{Testnet: true}
	for _, e := range edit {
		e(trusted, devices)
	}
	devices.Trust = compact(t, trusted)
	g.Families = []wire.FamilyGenesis{ledgertest.Money(), {Name: registry.Name, Params: compact(t, devices)},
		{Name: public.Name, Params: public.FoundingParams(g).JSON()}, {Name: order.Name, Params: authorities.JSON()}}
	all := []ledger.Family{token.Family{}, hardware.Family{}, node.Family{}, governance.Family{}}
	w.Chain = ledgertest.New(t, store.NewMemory(), g, all)
	w.Run()
	return w, platforms
}

// attested is a registration with evidence that a platform made.
func (w *world) attested(k *core, p *simtee.Platform, program simtee.Program) *wire.Tx {
	w.Helper()
	c := w.claims(k, evidence.Register)
	return w.showing(k, c, w.quoted(p, program, c))
}

// quoted is a platform's evidence for claims.
func (w *world) quoted(p *simtee.Platform, program simtee.Program, c *evidence.Claims) *evidence.Evidence {
	w.Helper()
	e, err := p.Attest(program, c.ReportData())
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// showing is a registration with claims and evidence, whether or not they belong
// together.
func (w *world) showing(k *core, c *evidence.Claims, e *evidence.Evidence) *wire.Tx {
	w.Helper()
	r := &public.Register{Shown: public.Attestation{Claims: wire.Marshal(c), Evidence: e.Bytes(), Boots: k.boots}, Roles: public.VoterRole}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	return w.Tx(k.operator, public.Name, r.Bytes())
}

// collateral are transactions that put items on the ledger.
func (w *world) collateral(items []evidence.Item) (txs []*wire.Tx) {
	w.Helper()
	for i := range items {
		txs = append(txs, w.Tx(ledgertest.Alice, registry.Name, registry.Encode(&registry.Collateral{Item: wire.Marshal(&items[i])})))
	}
	return txs
}

// ruled is an order of the authority to the hardware family.
func (w *world) ruled(b []byte) *wire.Tx {
	w.Helper()
	return w.Tx(ledgertest.Carol, order.Name, (&order.Propose{Family: registry.Name, Order: b}).Bytes())
}

// From quote to roster with nothing faked but the vendor's root: what the
// genesis trusts registers, anything else does not, and trust that is taken back
// shows in the roster of that block.
func TestSimulatedHardwareRegistersAndIsJudgedLikeReal(t *testing.T) {
	v := newVendor(t)
	w, platforms := onSimulatedHardware(t, v)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]

	foreign := newVendor(t)
	elsewhere, err := foreign.NewPlatform(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	debug, other := v.program, v.program
	debug.Debug = true
	other.Code = simtee.Measure([]byte("another core"), nil)
	w.refused(w.attested(a, elsewhere, v.program), wire.ErrUnknownAnchor)
	w.refused(w.attested(a, platforms[0], debug), wire.ErrEvidenceDebug)
	w.refused(w.attested(a, platforms[0], other), wire.ErrEvidenceCode)

	w.OK(w.attested(a, platforms[0], v.program))
	w.refused(w.attested(b, platforms[0], v.program), wire.ErrDeviceTaken)
	w.OK(w.attested(b, platforms[1], v.program), w.attested(c, platforms[2], v.program))
	n := w.node(a)
	if n.Platform.Device != platforms[0].Device() || n.Platform.Code != v.program.Code.CodeID(evidence.SGX) || !n.Platform.Simulated ||
		evidence.Status(n.Platform.Status) != evidence.UpToDate || len(n.Platform.Level) == 0 {
		t.Fatalf("%+v", n.Platform)
	}

	// The vendor revokes one platform: its collateral on the ledger is enough.
	if err := v.Revoke(platforms[2]); err != nil {
		t.Fatal(err)
	}
	w.RunAt(ledgertest.StartMs + 12_000)
	w.OK(w.collateral(v.items(t, 10_000))...)
	if n := w.node(c); n.Suspended != wire.ErrEvidenceStatus || w.role(c) != 0 || w.role(a) != wire.Voter || w.barred(b) != wire.OK {
		t.Fatalf("%s, %+v", n.Suspended, w.roster())
	}

	// The authorities withdraw the program: all are suspended, nobody is barred,
	// because nobody else could order the blocks that mend it.
	w.handOver()
	withdraw := &trust.MeasurementRevoke{ID: v.measurement().ID(), Height: w.Ledger.Height() + 3, Reason: "test", Force: true}
	w.OK(w.ruled(withdraw.Bytes()))
	w.Run()
	if got := w.node(a).Suspended; got != wire.OK {
		t.Fatalf("before its height: %s", got)
	}
	w.Run()
	if got := w.node(a).Suspended; got != wire.ErrEvidenceCode || w.barred(a) != wire.OK || w.barred(b) != wire.OK {
		t.Fatalf("at its height: %s, %+v", got, w.roster())
	}
}

func compact(t testing.TB, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
