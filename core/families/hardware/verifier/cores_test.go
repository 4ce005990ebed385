package verifier_test

import (
	"encoding/json"
	"testing"

	"cloister/core/duty"
	"cloister/core/families/beacon"
	"cloister/core/families/governance"
	"cloister/core/families/hardware"
	"cloister/core/families/hardware/verifier"
	"cloister/core/families/node"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/simtee"
	"cloister/wire"
	pulse1 "cloister/wire/beacon"
	order "cloister/wire/governance"
	public "cloister/wire/hardware"
	registry "cloister/wire/node"
)

// core is a trusted core as package core runs it: package duty says what it
// submits, and nobody else does anything for it.
type core struct {
	self     *duty.Self
	platform *simtee.Platform
}

// network is a chain of founding cores with every family that concerns them.
type network struct {
	*world
	cores []*core
}

func newNetwork(t testing.TB, n int) *network {
	t.Helper()
	p := quick()
	p.Committee.SMin, p.Committee.DMin, p.Committee.OwnerSeatCap = 2, 2, 1
	p.Schedule.WEvid, p.Schedule.RAPeriod, p.Schedule.RAGrace = 12, 90, 20
	p.Schedule.JoinRateMin, p.Schedule.JoinRateShare = 0, 50 // nobody joins in the first epoch but founders
	w := &world{makers: theMakers(), params: p, entries: map[wire.Hash][]byte{}}
	g := hardware.Genesis{Params: &p, FounderCredit: 8 * unit, Testnet: true, TimeMs: ledgertest.StartMs, Trust: w.trust(true)}
	genesis := ledgertest.GenesisOf()
	genesis.Engine, genesis.Members = "raft", nil
	for i := range n {
		key := ledgertest.Key(100 + i)
		genesis.Members = append(genesis.Members, wire.GenesisMember{Name: string(rune('a' + i)), Key: key.Public()})
		if i < n-1 { // the last one's hardware has to join like anybody's
			g.Founders = append(g.Founders, key.Public())
		}
	}
	authorities := order.Params{Authorities: []string{ledgertest.Account(ledgertest.Carol).String()}}
	genesis.Families = []wire.FamilyGenesis{
		ledgertest.Money(), {Name: order.Name, Params: authorities.JSON()}, {Name: public.Name, Params: must(json.Marshal(g))},
		{Name: registry.Name, Params: registry.FoundingParams(genesis).JSON()}, {Name: pulse1.Name, Params: must(json.Marshal(pulse1.Params{IntervalMs: 1000}))},
	}
	w.Chain = ledgertest.New(t, store.NewMemory(), genesis, []ledger.Family{
		token.Family{}, governance.Family{}, hardware.Family{}, node.Family{}, beacon.Family{},
	})
	net := &network{world: w}
	for i := range n {
		net.cores = append(net.cores, &core{platform: w.cpus[i]})
		net.restart(i, 1)
	}
	w.Run()
	return net
}

// restart is another run of a core: nothing of the last one is left but its key.
func (n *network) restart(i int, boots uint64) {
	n.Helper()
	self, err := duty.NewSelf(n.chain(), ledgertest.Key(100+i), boots, wire.TH("test/boot", wire.U64(uint64(i)), wire.U64(boots)), 1)
	if err != nil {
		n.Fatal(err)
	}
	n.cores[i].self = self
}

func (n *network) fund(i int) {
	n.Helper()
	account := n.cores[i].self.Account()
	n.OK(n.Transfer(ledgertest.Alice, 100_000_000, account), n.Buy(ledgertest.Alice, 10_000_000, n.cores[i].self.Key.Public()))
}

// look is what a core owes now.
func (n *network) look(i int) (jobs []duty.Job) {
	n.Helper()
	n.View(func(v *ledger.View) {
		found, err := duty.Look(v, n.cores[i].self, duty.Now{
			TimeMs: n.NextMs(), CaughtUp: func(wire.NodeID) bool { return false }, Hardware: true, Entry: n.entry,
		})
		if err != nil {
			n.Fatal(err)
		}
		jobs = found.Jobs
	})
	return jobs
}

// run is a block with what all cores owe. Only a beacon's proof may come too late:
// the round is over once most are in.
func (n *network) run() {
	n.Helper()
	var txs []*wire.Tx
	for i, c := range n.cores {
		for _, j := range n.look(i) {
			payload := j.Payload
			if j.Claims != nil {
				if payload = j.Finish(must(c.platform.Attest(n.program, j.Claims.ReportData())).Bytes()); payload == nil {
					n.Fatal("evidence is not taken")
				}
			}
			txs = append(txs, n.Tx(c.self.Key, j.Family, payload))
		}
	}
	done := n.Run(txs...)
	for i, tx := range txs {
		if r := n.Result(done, i); r.Code != wire.OK && !(tx.Family == pulse1.Name && r.Code == wire.ErrBeaconRound) {
			n.Fatalf("height %d: a %s payload of %d bytes: %s", n.Ledger.Height(), tx.Family, len(tx.Payload), r.Code)
		}
	}
}

func (n *network) until(what string, done func() bool) {
	n.Helper()
	for range 150 {
		if done() {
			return
		}
		n.run()
	}
	n.Fatalf("it does not come to this: %s", what)
}

func (n *network) statusOf(i int) public.Status {
	n.Helper()
	t, _, err := hardware.TrustOf(n.get, n.cores[i].platform.Device())
	if err != nil {
		n.Fatal(err)
	}
	return t.Status
}

// From an empty chain to attested devices that judge each other, and stay, with
// nobody doing anything but paying: registration, beacon, joining, a challenge, a
// restart in every phase of it, renewals by deposited gas.
func TestCoresKeepTheirDevicesAttested(t *testing.T) {
	const late, poor = 4, 3 // the one that is no founder; the one without money
	n := newNetwork(t, 5)
	for _, i := range []int{0, 1, 2, late} {
		n.fund(i)
	}
	n.run()
	if got := n.statusOf(late); got != public.NoStatus {
		t.Fatalf("in the first epoch the late one's device is %s", got)
	}
	n.until("all devices are in", func() bool {
		for i := range n.cores {
			if n.statusOf(i) != public.Active {
				return false
			}
		}
		return true
	})
	device, err := verifier.DeviceOf(n.get, n.cores[late].platform.Device())
	if err != nil || device.Owner != n.cores[late].self.Account() || device.NodeKey != n.cores[late].self.Key.Public() {
		t.Fatalf("%+v, %v", device, err)
	}
	for n.Ledger.Height() < device.VRFActive+2*n.params.Schedule.Epoch { // until its tickets count
		n.run()
	}
	testee := &member{id: n.cores[0].platform.Device()}
	id := n.open(ledgertest.Alice, testee, public.KindChallenge)
	for phase := public.PhaseEvidence; phase <= public.PhaseReveal; phase++ {
		if phase == public.PhaseChallenge || phase == public.PhaseAnswer {
			continue
		}
		n.until("the next phase", func() bool { return n.task(id).Phase == phase })
		for i := range n.cores {
			n.restart(i, uint64(phase)+1)
		}
		n.registerRuns()
	}
	n.until("a verdict", func() bool { return n.task(id).Phase == public.PhaseClosed })
	if got := n.task(id); got.Verdict != public.Pass || got.Attempt != 1 || got.Seats != 3 {
		t.Errorf("%+v", got)
	}
	for _, s := range n.committee(id) {
		if !s.Revealed || s.Verdict != public.Pass || s.Device == n.cores[poor].platform.Device() {
			t.Errorf("seat %+v", s)
		}
	}
	// Evidence that a task demands is free, or anybody could suspend a device
	// whose account is empty by challenging it.
	asked := n.open(ledgertest.Alice, &member{id: n.cores[poor].platform.Device()}, public.KindChallenge)
	n.until("the verdict on the one without money", func() bool { return n.task(asked).Phase == public.PhaseClosed })
	if got := n.task(asked); got.Verdict != public.Pass {
		t.Errorf("a core without money answered its challenge, and the verdict is %+v", got)
	}
	n.until("the device nobody pays for is stale", func() bool { return n.statusOf(poor) == public.Stale })
	n.fund(poor)
	n.until("it is paid for and active again", func() bool { return n.statusOf(poor) == public.Active })
	for range 2 * n.params.Schedule.RAPeriod {
		n.run()
	}
	for i, c := range n.cores {
		d, err := verifier.DeviceOf(n.get, c.platform.Device())
		if err != nil || d.Results < 2 || d.Fails > 0 || n.statusOf(i) != public.Active {
			t.Errorf("device %d is %s: %+v, %v", i, n.statusOf(i), d, err)
		}
	}
}

// registerRuns is a block with nothing but the new runs in it, so that the phase
// is met by cores that have only just begun.
func (n *network) registerRuns() {
	n.Helper()
	var txs []*wire.Tx
	for i, c := range n.cores {
		for _, j := range n.look(i) {
			if j.Family == registry.Name && j.Claims != nil {
				txs = append(txs, n.Tx(c.self.Key, j.Family, j.Finish(must(c.platform.Attest(n.program, j.Claims.ReportData())).Bytes())))
			}
		}
	}
	n.OK(txs...)
}
