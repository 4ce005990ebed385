package agent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cloister/core/families/hardware"
	"cloister/core/families/hardware/verifier"
	"cloister/core/families/record"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/device/agent"
	"cloister/device/lab"
	"cloister/device/machine"
	"cloister/device/tpm"
	"cloister/evidence"
	evidencetpm "cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/simtee"
	"cloister/wire"
	"cloister/wire/beacon"
	"cloister/wire/factom"
	public "cloister/wire/hardware"
	publicrecord "cloister/wire/record"
)

// Makers are shared by all tests: founding one takes longer than most of them.
var (
	makersFolder string
	makers       = [2]func() *lab.Manufacturer{newMaker("One"), newMaker("Two")}
	theCPUs      = sync.OnceValue(func() *simtee.Vendor {
		return must(simtee.NewVendor(evidence.SGX, filepath.Join(makersFolder, "cpus")))
	})
)

func newMaker(name string) func() *lab.Manufacturer {
	return sync.OnceValue(func() *lab.Manufacturer {
		return must(lab.NewManufacturer(filepath.Join(makersFolder, name), name))
	})
}

// must is for what only a broken laboratory makes fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestMain(m *testing.M) {
	makersFolder = must(os.MkdirTemp("", "makers-"))
	code := m.Run()
	os.RemoveAll(makersFolder)
	os.Exit(code)
}

// ruling is what the governance family does with what all authorities decided.
type ruling struct{ ledgertest.Bare }

func (ruling) Name() string { return "ruling" }

func (ruling) Execute(c *ledger.Call) ([]byte, error) {
	return c.Govern(public.Name, c.Payload.([]byte), true)
}

const (
	unit     = 1_000_000
	founders = 6
)

// quick are parameters of a small and fast network, whose devices are renewed
// every 60 to 80 blocks.
func quick() hardware.Params {
	p := hardware.DefaultParams()
	c, s := &p.Committee, &p.Schedule
	c.K, c.SMin, c.DMin, c.Over, c.OwnerSeatCap = 12, 4, 4, 64, 3
	c.TicketUnit, c.MaxTickets, c.Cap = unit, 8, 1000*unit
	c.RACost, c.IssueJoin, c.IssueRenew, c.FailPenalty = 200_000, 3*unit, 400_000, unit
	c.Bonus, c.PenMinor, c.PenNoReveal, c.PenNoCommit = 20_000, 60_000, 60_000, 30_000
	s.Epoch, s.NormInterval, s.VRFDelay = 8, 4, 1
	s.WEvid, s.WClaim, s.WChal, s.WAns, s.WCommit, s.WReveal = 8, 3, 3, 8, 6, 8
	s.RAPeriod, s.RAGrace, s.MaxAttempts = 80, 20, 2
	s.JoinRateMin, s.Cooldown, s.Spacing, s.NonceAge = 50, 16, 2, 8
	return p
}

// What the machines of the tests boot and run.
var (
	software = lab.Software{Firmware: "Lab 1.0", Loader: []byte("shim"), Kernel: []byte("linux"), Command: "ro quiet"}
	node     = evidencetpm.AppEntry{Component: evidencetpm.NodeBinary, Version: "1.0.0", Digest: sha256.Sum256([]byte("node"))}
	program  = simtee.Program{Code: simtee.Measure([]byte("core"), nil), ReleaseKey: simtee.DevelopmentKey, ProdID: 1, SVN: 1}
)

func approved() (list []trust.GenesisMeasurement) {
	add := func(c trust.Component, name string, digest [32]byte, pcrs ...uint8) {
		m := trust.Measurement{Component: c, Version: name, Alg: trust.SHA256, Digest: digest[:], PCRs: pcrs}
		if c == trust.Image {
			m.Register = "CODEID"
		}
		list = append(list, trust.NewGenesisMeasurement(&m))
	}
	add(trust.BootLoader, "shim", sha256.Sum256(software.Loader), 4)
	add(trust.Kernel, "linux", sha256.Sum256(software.Kernel), 9)
	add(trust.Kernel, "command line", sha256.Sum256([]byte(software.Command)), 8)
	add(trust.NodeBinary, node.Version, node.Digest, 13)
	add(trust.Image, "core", program.Code.CodeID(evidence.SGX))
	return list
}

// world is a ledger, the devices on it, and what is on its way into the next
// block.
type world struct {
	*ledgertest.Chain
	params   hardware.Params
	pool     []*wire.Tx
	entries  map[wire.Hash][]byte // recorded
	recorded int                  // entries, the same counted each time
	agents   []*agent.Agent
	errs     []error // of rounds
	forgets  bool    // agents are started anew for each block
	again    []agent.Config
}

func newWorld(t *testing.T, edit ...func(*hardware.Genesis)) *world {
	t.Helper()
	for _, found := range makers {
		found()
	}
	now := time.Now() // after the makers' certificates were issued
	w := &world{entries: map[wire.Hash][]byte{}, params: quick()}
	g := hardware.Genesis{Params: &w.params, FounderCredit: 8 * unit, Testnet: true, TimeMs: uint64(now.UnixMilli())}
	roots := trust.Genesis{
		Testnet: true, Measurements: approved(), Mandatory: []trust.Component{trust.BootLoader, trust.Kernel, trust.NodeBinary},
	}
	for _, m := range makers {
		r := trust.Root{Vendor: evidence.TPMMaker, DER: must(m().Root()), Name: m().Name, Class: trust.Emulated, IssuePercent: 100, Simulated: true}
		roots.Roots = append(roots.Roots, trust.NewGenesisRoot(&r))
	}
	for _, a := range must(theCPUs().Anchors()) {
		r := trust.Root{Vendor: a.Vendor, DER: a.DER, Product: a.Product, Name: "CPUs", Class: trust.CPU, IssuePercent: 100, Simulated: true}
		roots.Roots = append(roots.Roots, trust.NewGenesisRoot(&r))
	}
	for _, i := range must(theCPUs().Items(now.Add(-time.Minute))) {
		roots.Items = append(roots.Items, trust.NewGenesisItem(&i))
	}
	g.Trust = must(json.Marshal(roots))
	for i := range founders {
		g.Founders = append(g.Founders, ledgertest.Key(1000+i).Public())
	}
	for _, e := range edit {
		e(&g)
	}
	genesis := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: publicrecord.Name},
		wire.FamilyGenesis{Name: beacon.Name}, wire.FamilyGenesis{Name: "ruling"}, wire.FamilyGenesis{Name: public.Name, Params: must(json.Marshal(g))})
	genesis.TimeMs = g.TimeMs // the makers' certificates are of today
	w.Chain = ledgertest.New(t, store.NewMemory(), genesis, []ledger.Family{token.Family{}, record.Family{}, ledgertest.Pulse{}, ruling{}, hardware.Family{}})
	w.OK() // so that there is a block to name
	for i := range founders {
		w.found(t, i)
	}
	for w.totals().Epoch == 0 || w.totals().Tickets == 0 { // until a snapshot counts them
		w.OK()
	}
	return w
}

// found brings in a founder's device: a CPU whose agent verifies.
func (w *world) found(t *testing.T, i int) {
	t.Helper()
	platform := must(theCPUs().NewPlatform(t.TempDir()))
	owner, nodeKey, vrf := ledgertest.Key(1000+i), ledgertest.Key(2000+i), ledgertest.Key(3000+i)
	w.fund(owner)
	tip := w.Ledger.Tip()
	claims := &evidence.Claims{
		Purpose: evidence.Register, ChainID: w.Genesis.ChainID(), Height: tip.Header.Height, BlockHash: tip.Hash,
		Identity: nodeKey.Public(), VRF: vrf.Public(), Operator: wire.Hash(ledgertest.Account(owner)),
	}
	cpu := attester{platform}
	payload := must(verifier.JoinPlatform(claims, must(cpu.Attest(claims.ReportData()))))
	w.OK(w.Tx(owner, public.Name, payload))
	w.start(agent.Config{Node: nodeKey, VRF: vrf, Device: platform.Device(), Attester: cpu, Upkeep: true, Verify: true, Network: w.network(owner)})
}

type attester struct{ *simtee.Platform }

func (a attester) Attest(data [64]byte) (*evidence.Evidence, error) {
	return a.Platform.Attest(program, data)
}

func (w *world) fund(k wire.PrivateKey) {
	w.OK(w.Transfer(ledgertest.Alice, 1<<32, ledgertest.Account(k)), w.Buy(ledgertest.Alice, 1<<30, k.Public()))
}

func (w *world) start(c agent.Config) *agent.Agent {
	c.Chain = w.Genesis.ChainID()
	a := agent.New(c)
	w.agents, w.again = append(w.agents, a), append(w.again, c)
	return a
}

// stop has an agent do nothing any more.
func (w *world) stop(a *agent.Agent) {
	at := slices.Index(w.agents, a)
	w.agents, w.again = slices.Delete(w.agents, at, at+1), slices.Delete(w.again, at, at+1)
}

// step is one look of every agent, and the block that comes of it.
func (w *world) step(more ...*wire.Tx) {
	w.Helper()
	w.errs = nil
	for i, a := range w.agents {
		if w.forgets {
			a = agent.New(w.again[i])
			w.agents[i] = a
		}
		err := agent.ErrMoved
		for errors.Is(err, agent.ErrMoved) {
			err = a.Round(context.Background())
		}
		if err != nil {
			w.errs = append(w.errs, err)
		}
	}
	w.pool = append(w.pool, more...)
	w.block()
}

func (w *world) block() {
	w.Helper()
	txs := w.pool
	w.pool = nil
	done := w.Run(txs...)
	for i, tx := range txs {
		code := w.Result(done, i).Code
		if code != wire.OK {
			w.errs = append(w.errs, fmt.Errorf("transaction of %s: %w", tx.Family, code))
			continue
		}
		if tx.Family == publicrecord.Name {
			p := must(publicrecord.Decode(tx.Payload))
			w.entries[p.Hash] = p.Bytes
			w.recorded++
		}
	}
}

// quiet is step for a network in which nothing is refused.
func (w *world) quiet(more ...*wire.Tx) {
	w.Helper()
	w.step(more...)
	for _, err := range w.errs {
		w.Errorf("at height %d: %v", w.Ledger.Tip().Header.Height, err)
	}
	if w.Failed() {
		w.FailNow()
	}
}

// until steps as long as nothing is refused, until something holds.
func (w *world) until(what string, holds func() bool) {
	w.Helper()
	for range 400 {
		if holds() {
			return
		}
		w.quiet()
	}
	w.Fatalf("never: %s", what)
}

// network is the ledger as an agent of the test reaches it.
type network struct {
	w   *world
	key wire.PrivateKey
}

func (w *world) network(payer wire.PrivateKey) *network { return &network{w, payer} }

func (n *network) Payer() wire.Account { return ledgertest.Account(n.key) }

func (n *network) View(context.Context) (*agent.View, error) {
	tip := n.w.Ledger.Tip().Header
	return &agent.View{At: verifier.At{Height: tip.Height, TimeMs: tip.TimeMs}, Get: func(key []byte) ([]byte, error) {
		if n.w.Ledger.Tip().Header.Height != tip.Height {
			return nil, agent.ErrMoved
		}
		return n.w.raw(key), nil
	}}, nil
}

func (n *network) Submit(_ context.Context, payloads [][]byte) []error {
	errs := make([]error, len(payloads))
	for i, p := range payloads {
		tx := n.w.Tx(n.key, public.Name, p)
		if code := n.w.Admit(tx); code != wire.OK {
			errs[i] = code
			continue
		}
		n.w.pool = append(n.w.pool, tx)
	}
	return errs
}

func (n *network) Entry(_ context.Context, hash wire.Hash) ([]byte, error) {
	return n.w.entries[hash], nil
}

func (n *network) Record(_ context.Context, entries [][]byte) error {
	for i, e := range entries {
		write := publicrecord.AddEntry
		if i == 0 {
			if n.w.entries[factom.EntryHash(e)] != nil {
				continue
			}
			write = publicrecord.CreateChain
		}
		n.w.pool = append(n.w.pool, n.w.Carry(publicrecord.Name, must(write(e, n.w.Stamp(), n.key))))
	}
	n.w.block()
	return nil
}

func (w *world) raw(key []byte) (b []byte) {
	w.View(func(v *ledger.View) {
		b = bytes.Clone(must(v.Get(public.Name, key)))
	})
	return b
}

func load[T any](w *world, key []byte) (*T, bool) {
	v, ok := ledgertest.Load[T](w.Chain, public.Name, key)
	return &v, ok
}

func (w *world) totals() *public.Totals {
	v, _ := load[public.Totals](w, public.TotalsKey)
	return v
}

func (w *world) status(device wire.Hash) public.Status {
	d, ok := load[public.Device](w, public.DeviceKey(device))
	switch {
	case !ok:
		return public.NoStatus
	case d.Ordinal == 0:
		return public.Pending
	}
	return public.Status(w.raw(public.StatusKey(d.Ordinal / public.PageDevices))[d.Ordinal%public.PageDevices] & 7)
}

func (w *world) device(id wire.Hash) *public.Device {
	w.Helper()
	d, ok := load[public.Device](w, public.DeviceKey(id))
	if !ok {
		w.Fatalf("no device %s", id)
	}
	return d
}

// openTask is a device's open task, nil if it has none.
func (w *world) openTask(device wire.Hash) (wire.Hash, *public.Task) {
	o, ok := load[public.OpenTask](w, public.OpenKey(device))
	if !ok {
		return wire.Hash{}, nil
	}
	t, _ := load[public.Task](w, public.TaskKey(o.Task))
	return o.Task, t
}

// outcome is the last line of a device's log.
func (w *world) outcome(device wire.Hash) *public.Outcome {
	w.Helper()
	o, ok := load[public.Outcome](w, public.ResultKey(device, w.device(device).Results-1))
	if !ok {
		w.Fatalf("device %s has no result", device)
	}
	return o
}

// order is a decision of the authorities.
func (w *world) order(o trust.Order) *wire.Tx {
	return w.Tx(ledgertest.Alice, "ruling", o.Bytes())
}

// computer is a machine of the lab with its device's agent.
type computer struct {
	w     *world
	lab   *lab.Machine
	tpm   *tpm.TPM
	m     *machine.Machine
	owner wire.PrivateKey
	*agent.Agent
}

// newComputer makes a machine, starts its software, and its agent, which joins.
func (w *world) newComputer(t *testing.T, maker, n int) *computer {
	t.Helper()
	c := &computer{w: w, lab: must(makers[maker]().Make(t.TempDir())), owner: ledgertest.Key(5000 + n)}
	t.Cleanup(func() { c.lab.Stop() })
	w.fund(c.owner)
	c.boot(t, software.Events()...)
	c.run()
	return c
}

// boot switches the machine on, whatever it was, and measures the node.
func (c *computer) boot(t *testing.T, events ...lab.Event) {
	t.Helper()
	c.lab.Stop()
	if err := errors.Join(c.lab.Start(), c.lab.Boot(events...)); err != nil {
		t.Fatal(err)
	}
	c.open(t)
	if err := c.m.Measure(node); err != nil {
		t.Fatal(err)
	}
}

func (c *computer) open(t *testing.T) {
	t.Helper()
	c.tpm = must(tpm.Open(c.lab.Socket()))
	t.Cleanup(func() { c.tpm.Close() })
	c.m = must(machine.Open(machine.Config{
		TPM: c.tpm, Home: filepath.Join(c.lab.Folder(), "home"), BootLog: c.lab.BootLogFile(),
		Issuing: [][]byte{must(c.lab.Manufacturer().Issuing())}, AppPCR: 13,
	}))
}

func (c *computer) config(payer wire.PrivateKey) agent.Config {
	nodeKey, vrf, err := c.m.Keys()
	if err != nil {
		c.w.Fatal(err)
	}
	return agent.Config{Chip: c.m, Node: nodeKey, VRF: vrf, Join: true, Upkeep: true, Verify: true, Network: c.w.network(payer)}
}

// run starts the machine's agent.
func (c *computer) run() { c.Agent = c.w.start(c.config(c.owner)) }

// restart has the agent go on with the machine as it is now.
func (c *computer) restart() {
	c.w.stop(c.Agent)
	c.run()
}

// active steps until the device is.
func (c *computer) active() {
	c.w.Helper()
	c.w.until("device is active", func() bool { return c.w.status(c.Device()) == public.Active })
}

// challenged has somebody ask for proof, and steps until there is a verdict.
func (c *computer) challenged() *public.Outcome {
	c.w.Helper()
	c.ask()
	for range 100 {
		if _, t := c.w.openTask(c.Device()); t == nil {
			return c.w.outcome(c.Device())
		}
		c.w.step()
	}
	c.w.Fatal("no verdict")
	return nil
}

// ask opens a challenge of the device.
func (c *computer) ask() {
	c.w.Helper()
	c.w.until("the last task is long over", func() bool {
		_, t := c.w.openTask(c.Device())
		return t == nil && c.w.Ledger.Tip().Header.Height >= c.w.device(c.Device()).LastEnd+c.w.params.Schedule.Spacing
	})
	c.w.quiet(c.w.Tx(ledgertest.Bob, public.Name, public.Encode(&public.Open{Device: c.Device(), Kind: public.KindChallenge})))
}
