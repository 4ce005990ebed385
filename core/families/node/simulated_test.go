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

// trusted is the hardware family's part of a genesis that trusts the vendor.
func (v *vendor) trusted(t testing.TB) wire.FamilyGenesis {
	t.Helper()
	anchors, err := v.Anchors()
	if err != nil {
		t.Fatal(err)
	}
	items, err := v.Items(time.UnixMilli(ledgertest.StartMs))
	if err != nil {
		t.Fatal(err)
	}
	g := trust.Genesis{Testnet: true, Measurements: []trust.GenesisMeasurement{trust.NewGenesisMeasurement(v.measurement())}}
	for _, a := range anchors {
		g.Roots = append(g.Roots, trust.NewGenesisRoot(&trust.Root{Vendor: a.Vendor, DER: a.DER, Name: "Simulated", Class: trust.Emulated, Simulated: true}))
	}
	for i := range items {
		g.Items = append(g.Items, trust.NewGenesisItem(&items[i]))
	}
	return wire.FamilyGenesis{Name: registry.Name, Params: compact(t, hardware.Genesis{Trust: compact(t, g), Testnet: true, TimeMs: ledgertest.StartMs})}
}

// onSimulatedHardware is a chain of three founders, each on a platform of its own.
func onSimulatedHardware(t testing.TB, v *vendor) (*world, []*simtee.Platform) {
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
	g.Families = []wire.FamilyGenesis{ledgertest.Money(), v.trusted(t),
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
	e, err := p.Attest(program, c.ReportData())
	if err != nil {
		w.Fatal(err)
	}
	r := &public.Register{Shown: public.Attestation{Claims: wire.Marshal(c), Evidence: e.Bytes(), Boots: k.boots}, Roles: public.VoterRole}
	r.Shown.Signature = k.key.Sign(r.Digest(w.Genesis.ChainID()))
	return w.Tx(k.operator, public.Name, r.Bytes())
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
	items, err := v.Items(time.UnixMilli(ledgertest.StartMs + 10_000))
	if err != nil {
		t.Fatal(err)
	}
	w.RunAt(ledgertest.StartMs + 12_000)
	var txs []*wire.Tx
	for i := range items {
		txs = append(txs, w.Tx(ledgertest.Alice, registry.Name, registry.Encode(&registry.Collateral{Item: wire.Marshal(&items[i])})))
	}
	w.OK(txs...)
	if n := w.node(c); n.Suspended != wire.ErrEvidenceStatus || w.role(c) != 0 || w.role(a) != wire.Voter || w.barred(b) != wire.OK {
		t.Fatalf("%s, %+v", n.Suspended, w.roster())
	}

	// The authorities withdraw the program: all are suspended, nobody is barred,
	// because nobody else could order the blocks that mend it.
	w.handOver()
	withdraw := &trust.MeasurementRevoke{ID: v.measurement().ID(), Height: w.Ledger.Height() + 3, Reason: "test", Force: true}
	w.OK(w.Tx(ledgertest.Carol, order.Name, (&order.Propose{Family: registry.Name, Order: withdraw.Bytes()}).Bytes()))
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
