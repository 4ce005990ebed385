package node_test

import (
	"slices"
	"testing"

	"cloister/core/families/hardware"
	"cloister/core/ledger/ledgertest"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/simtee"
	"cloister/wire"
	registry "cloister/wire/hardware"
	public "cloister/wire/node"
)

// Acceptance tests of TEE specification §10.3: everything that is wrong with a
// newcomer on a simulated vendor's hardware is refused, each with a code of its
// own.
func TestWhatIsWrongWithEvidenceIsRefusedWithItsOwnCode(t *testing.T) {
	v, foreign, other := newVendor(t), newVendor(t), newVendor(t)
	// The other vendor's root and lists are trusted; nobody put its TCB info, of its
	// own FMSPC, on the ledger.
	w, platforms := onSimulatedHardware(t, v, func(g *trust.Genesis, _ *hardware.Genesis) {
		g.Roots = append(g.Roots, trust.NewGenesisRoot(other.root(t)))
		for _, i := range other.items(t, 0) {
			if i.Type == evidence.CRL {
				g.Items = append(g.Items, trust.NewGenesisItem(&i))
			}
		}
	})
	made := func(v *vendor) *simtee.Platform {
		p, err := v.NewPlatform(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	elsewhere, family, revoked := made(foreign), made(other), made(v)
	debug := v.program
	debug.Debug = true
	w.OK(w.attested(w.Founders[0], platforms[0], v.program))
	if err := v.Revoke(revoked); err != nil {
		t.Fatal(err)
	}
	w.RunAt(ledgertest.StartMs + 12_000)
	w.OK(w.collateral(v.items(t, 10_000))...)

	k, codes := newCore(10), map[wire.Code]string{}
	honest := func() *evidence.Claims { return w.claims(k, evidence.Register) }
	for name, x := range map[string]struct {
		tx   func() *wire.Tx
		want wire.Code
	}{
		"debug mode":       {func() *wire.Tx { return w.attested(k, platforms[1], debug) }, wire.ErrEvidenceDebug},
		"wrong root":       {func() *wire.Tx { return w.attested(k, elsewhere, v.program) }, wire.ErrUnknownAnchor},
		"wrong FMSPC":      {func() *wire.Tx { return w.attested(k, family, v.program) }, wire.ErrCollateralMissing},
		"revoked by list":  {func() *wire.Tx { return w.attested(k, revoked, v.program) }, wire.ErrEvidenceRevoked},
		"duplicate device": {func() *wire.Tx { return w.attested(k, platforms[0], v.program) }, wire.ErrDeviceTaken},
		"stale block hash": {func() *wire.Tx {
			c := honest()
			c.BlockHash = w.Genesis.Header().Hash()
			return w.showing(k, c, w.quoted(platforms[1], v.program, c))
		}, wire.ErrEvidenceStale},
		"swapped claims": {func() *wire.Tx {
			mine := honest()
			mine.Box[1] ^= 1 // a key of whoever stands between
			return w.showing(k, mine, w.quoted(platforms[1], v.program, honest()))
		}, wire.ErrEvidenceReportData},
	} {
		tx := x.tx()
		if got := w.Admit(tx); got != x.want {
			t.Errorf("%s, admission: %s, want %s", name, got, x.want)
		}
		if got := w.One(tx).Code; got != x.want {
			t.Errorf("%s, execution: %s, want %s", name, got, x.want)
		}
		if twin, taken := codes[x.want]; taken {
			t.Errorf("%s and %s share code %s", name, twin, x.want)
		}
		codes[x.want] = name
	}
	w.OK(w.attested(k, platforms[1], v.program))
}

// New TCB info alone, without any new evidence, takes a node's standing away and
// gives it back; newcomers at the level are refused in the meantime.
func TestNewTCBInfoAloneChangesANodesStatus(t *testing.T) {
	v := newVendor(t)
	w, platforms := onSimulatedHardware(t, v)
	for i, k := range w.Founders {
		if i == 2 {
			if err := platforms[i].SetTCB(simtee.MaxTCB); err != nil {
				t.Fatal(err)
			}
		}
		w.OK(w.attested(k, platforms[i], v.program))
	}
	a, c := w.Founders[0], w.Founders[2]
	judge := func(afterMs int64, status evidence.Status, advisories ...string) {
		t.Helper()
		if err := v.SetStatus(simtee.MaxTCB, status, advisories...); err != nil {
			t.Fatal(err)
		}
		w.RunAt(uint64(ledgertest.StartMs + afterMs + 1000))
		for _, i := range v.items(t, afterMs) {
			if i.Type == evidence.TCBInfo {
				w.OK(w.collateral([]evidence.Item{i})...)
			}
		}
	}
	before := w.node(c).Platform.Evidence
	judge(10_000, evidence.OutOfDate, "SIM-SA-00002")
	if n := w.node(c); n.Suspended != wire.ErrEvidenceStatus || n.Platform.Evidence != before || w.role(c) != 0 {
		t.Fatalf("out of date: %+v", n)
	}
	if n := w.node(a); n.Suspended != wire.OK || w.role(a) != wire.Voter {
		t.Fatalf("of another level: %+v", n)
	}
	fresh, err := v.NewPlatform(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.SetTCB(simtee.MaxTCB); err != nil {
		t.Fatal(err)
	}
	k := newCore(10)
	w.refused(w.attested(k, fresh, v.program), wire.ErrEvidenceStatus)
	judge(20_000, evidence.UpToDate)
	if n := w.node(c); n.Suspended != wire.OK || n.Platform.Evidence != before {
		t.Fatalf("up to date again: %+v", n)
	}
	w.OK(w.attested(k, fresh, v.program))
}

// The operator's one act made a device as well, with the founder's credit where
// the genesis grants it; what the registry then says of the device, holds for
// the node, in the same block.
func TestANodeStandsAndFallsWithItsDevice(t *testing.T) {
	v := newVendor(t)
	var first wire.PrivateKey
	w, platforms := onSimulatedHardware(t, v, func(_ *trust.Genesis, g *hardware.Genesis) {
		p := hardware.DefaultParams()
		p.Committee.DMin, p.Schedule.JoinRateMin = 1, 1
		first = newCore(0).key
		g.Params, g.Founders, g.FounderCredit = &p, []wire.PublicKey{first.Public()}, 2*p.Committee.TicketUnit
	})
	for i, k := range w.Founders {
		w.OK(w.attested(k, platforms[i], v.program))
	}
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	device := func(i int) (d registry.Device, known bool) {
		return ledgertest.Load[registry.Device](w.Chain, registry.Name, registry.DeviceKey(platforms[i].Device()))
	}
	granted, ok := device(0)
	if !ok || granted.Owner != ledgertest.Account(a.key) || granted.NodeKey != a.key.Public() || granted.VRFKey != a.vrf.Public() {
		t.Fatalf("the founder's device: %t, %+v", ok, granted)
	}
	if _, ok := device(1); !ok {
		t.Fatal("the second has a place in the epoch")
	}
	if _, ok := device(2); ok || w.node(c).Status != public.Active {
		t.Fatalf("the third has none, and is a node all the same: %+v", w.node(c))
	}
	if totals, _ := ledgertest.Load[registry.Totals](w.Chain, registry.Name, registry.TotalsKey); totals.Devices != 2 || totals.Joins != 1 {
		t.Fatalf("%+v", totals)
	}

	w.OK(w.ruled(registry.EncodeOrder(&registry.DeviceRevoke{Device: platforms[1].Device(), Reason: "stolen"})))
	if n := w.node(b); n.Suspended != wire.ErrDeviceStatus || w.role(b) != 0 {
		t.Fatalf("in that block: %+v", n)
	}
	w.handOver()
	w.OK(w.Buy(ledgertest.Alice, 1000*ledgertest.Rate, b.key.Public()))
	w.OK(w.retire(b.key, b))
	b.restart()
	w.refused(w.attested(b, platforms[1], v.program), wire.ErrDeviceStatus)
	next := newCore(10)
	w.refused(w.attested(next, platforms[1], v.program), wire.ErrDeviceStatus)
	if w.role(a) != wire.Voter || w.node(a).Suspended != wire.OK || w.node(c).Suspended != wire.OK {
		t.Errorf("others fell with it: %+v", w.roster())
	}
}

// What the authorities say of a key reaches a running node at once: the keys of
// its certificates are kept.
func TestACertRevocationReachesRunningNodesAtOnce(t *testing.T) {
	v := newVendor(t)
	w, platforms := onSimulatedHardware(t, v)
	for i, k := range w.Founders {
		w.OK(w.attested(k, platforms[i], v.program))
	}
	c := w.Founders[2]
	e := w.quoted(platforms[2], v.program, w.claims(c, evidence.Register))
	keys, err := verify.Keys(e)
	if err != nil || !slices.Equal(keys, w.node(c).Platform.Keys) || len(keys) != 3 {
		t.Fatalf("%v, kept are %v, %v", keys, w.node(c).Platform.Keys, err)
	}
	w.OK(w.ruled((&trust.CertRevoke{Root: v.root(t).ID(), SPKIs: keys[:1]}).Bytes()))
	if n := w.node(c); n.Suspended != wire.ErrEvidenceRevoked || w.role(c) != 0 {
		t.Fatalf("%+v", n)
	}
	for _, k := range w.Founders[:2] {
		if n := w.node(k); n.Suspended != wire.OK || w.role(k) != wire.Voter {
			t.Errorf("%+v", n)
		}
	}
}
