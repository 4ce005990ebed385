package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"cloister/cmd/cloister/devnet"
	"cloister/host/node"
	"cloister/wire"
	"cloister/wire/token"
)

// What a development network starts with.
const (
	devKey      = "dev" // the key that commands sign with
	devFactoids = 1_000_000
	devCredits  = 100_000
	devPeriod   = 10 * time.Second // of a directory block, so that one can watch them
	// devCoreFactoids is what the account of each core's identity key has.
	devCoreFactoids = 100
	// The account that Factom's own tools and their documentation use
	// (factom specification §16). Its secret is known to everybody.
	sandboxKey      = "sandbox"
	sandboxSecret   = "Fs3E9gV6DXsYzf7Fqx1fVBQPQXV695eP3k5XbmHEZVRLkMdD9qCK"
	sandboxFactoids = 20_000
	// devStart bounds how long a network may take to elect a leader.
	devStart = 2 * time.Minute
	// devPause is before a validator that was killed is started again.
	devPause = 200 * time.Millisecond
)

func devCommand(a *app) *cobra.Command {
	var validators, firstPort int
	hardware := hardwareFlag(hardwareSimulated)
	var anchors devAnchor
	var period time.Duration
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run a development network on this machine until it is interrupted",
		Long: `Run a development network on this machine until it is interrupted: each validator
is a host and a trusted core in processes of their own. The home keeps everything:
the same home continues the same ledger, at the same addresses. In the folder it
was started in, every other command finds it without flags.

For development only: programs play the trusted hardware under the cores and protect
nothing, and the keys in the home are not encrypted.`,
		Example: "  cloister dev --home ./another-network --validators 1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &devRun{a: a, home: a.home, firstPort: firstPort, validators: validators, hardware: hardware, anchor: anchors, period: period, chosen: cmd.Flags().Changed("validators")}
			if d.home == "" {
				d.home = a.env("CLOISTER_HOME")
			}
			if d.home == "" {
				d.home = devHome
			}
			return d.run(cmd.Context())
		},
	}
	c.Flags().IntVar(&validators, "validators", 3, fmt.Sprintf("how many validators a new network has, 1 to %d", devnet.MaxValidators))
	c.Flags().DurationVar(&period, "period", devPeriod, "how much time a directory block of a new network covers")
	anchors.flags(c)
	c.Flags().Var(&hardware, "hardware", "what a new network's cores run on: simulated, or none")
	c.Flags().IntVar(&firstPort, "first-port", devnet.FirstPort, "where the search for free ports begins")
	return c
}

// devRun is one run of a development network.
type devRun struct {
	a          *app
	home       string
	validators int
	chosen     bool // the user named the number of validators
	firstPort  int
	hardware   hardwareFlag
	anchor     devAnchor
	period     time.Duration
	simulated  *simulated // of a network that is being founded; nil for none
	layout     *devnet.Layout
	genesis    *wire.Genesis
}

func (d *devRun) run(ctx context.Context) error {
	if err := os.MkdirAll(d.home, 0o700); err != nil {
		return fileError("create", d.home, err)
	}
	release, err := devnet.Lock(d.home)
	if err != nil {
		return err
	}
	defer release()
	ps, err := d.launch(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	defer ps.Stop()
	if err := d.a.print(d.outcome(ps)); err != nil {
		return err
	}
	return d.watch(ctx, ps)
}

// launch starts the home's validators and returns when all serve and know who
// leads. On an error everything is stopped.
func (d *devRun) launch(ctx context.Context) (*devnet.Processes, error) {
	if err := d.open(ctx); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	ps, err := devnet.Start(d.home, d.layout, program, func(folder string) []string {
		return []string{"start", "--until-stdin-ends", "--home", folder}
	})
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, devStart)
	defer cancel()
	if err := ps.Await(starting, d.ready); err != nil {
		ps.Stop()
		return nil, err
	}
	return ps, nil
}

// watch waits for the interrupt, and starts validators again that end before it.
// One that says that starting again will not help is left alone.
func (d *devRun) watch(ctx context.Context, ps *devnet.Processes) error {
	for running := len(d.layout.Validators); ; {
		select {
		case <-ctx.Done():
			d.a.note("stopping; 'cloister dev --home %s' continues this network", d.home)
			return nil
		case e := <-ps.Exits():
			log := filepath.Join(d.home, e.Validator.Name, devnet.LogFile)
			var exit *exec.ExitError
			if killed := errors.As(e.Err, &exit) && !exit.Exited(); killed {
				d.a.note("%s was ended (%v); starting it again", e.Validator.Name, e.Err)
				if err := ps.Restart(ctx, e.Validator, devPause); err != nil {
					return err
				}
				continue
			}
			if running--; running == 0 {
				return wire.Faultf(wire.ErrUnavailable, "every validator has ended; the logs %s say why", filepath.Join(d.home, "*", devnet.LogFile))
			}
			d.a.note("%s has ended (%v); %s says why", e.Validator.Name, e.Err, log)
		}
	}
}

// ready reports whether a validator serves and knows who leads.
func (d *devRun) ready(ctx context.Context, v *devnet.Validator) error {
	s, err := hostStatus(ctx, v.Endpoint(), d.genesis)
	switch {
	case err != nil:
		return err
	case !s.Ready:
		return wire.Faultf(wire.ErrNotReady, "%s", shown(s.NotReady))
	case s.Core == nil || s.Core.Leader == "":
		return wire.Faultf(wire.ErrNotReady, "%s knows no leader yet", v.Name)
	}
	return nil
}

// open reads the home's network, or founds one in it.
func (d *devRun) open(ctx context.Context) (err error) {
	var ok bool
	if d.layout, ok, err = devnet.Load(d.home); err != nil {
		return err
	}
	if !ok {
		return d.found(ctx)
	}
	if n := len(d.layout.Validators); d.chosen && n != d.validators {
		return bad("the network in %s has %d validators; leave --validators out, or choose another --home", d.home, n)
	}
	d.genesis, err = readGenesis(filepath.Join(d.home, genesisFile))
	return err
}

// found makes a network: identities first, then the one genesis that names
// them. What an interrupted attempt left is used or replaced; network.json,
// written last, says that it is whole.
func (d *devRun) found(ctx context.Context) (err error) {
	if d.layout, err = devnet.Plan(d.validators, d.firstPort); err != nil {
		return err
	}
	core := d.a.env("CLOISTER_CORE")
	if d.hardware == hardwareSimulated {
		program, err := coreProgram(core)
		if err != nil {
			return err
		}
		if d.simulated, err = newSimulated(d.home, program); err != nil {
			return err
		}
		core = filepath.Join("..", simulatedFolder, measuredCore)
	}
	var members []*member
	for i, v := range d.layout.Validators {
		h := validatorHome{home: filepath.Join(d.home, v.Name), name: v.Name, api: v.API, peer: v.Peer, address: v.Peer, core: core}
		if d.simulated != nil {
			if h.launcher, err = d.simulated.machine(i); err != nil {
				return err
			}
		}
		m, _, err := h.prepare(ctx)
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	authority, allocations, err := d.accounts()
	if err != nil {
		return err
	}
	f := founding{name: "dev", engine: "raft", rate: defaultRate, period: d.period, allocations: allocations, at: time.Now(), members: members}
	for _, m := range members { // cores pay for anchor records, and put money up for their part in committees
		f.allocations = append(f.allocations, token.Allocation{
			Address: wire.CreditAddress(m.Key), Factoshis: devCoreFactoids * oneFactoid, Credits: devCredits,
		})
	}
	if f.anchorKeys, err = d.anchor.keys(d.home, members); err != nil {
		return err
	}
	if d.simulated != nil {
		t, err := d.simulated.trust(f.at)
		if err != nil {
			return err
		}
		f.attested = &attested{tee: "simulated", trust: t, authorities: []string{authority}, schedule: devSchedule(len(members))}
	}
	if len(members) == 1 {
		f.engine = "solo"
	}
	if d.genesis, err = f.genesis(); err != nil {
		return err
	}
	return d.write(members, core)
}

// accounts makes the development key, which is the authority, and lists who has
// what at the start. Who has credits is named by its EC address, so that the first
// entry credit block shows them.
func (d *devRun) accounts() (authority string, list []token.Allocation, err error) {
	var seed [32]byte
	rand.Read(seed[:])
	own, err := d.keep(devKey, seed)
	if err != nil {
		return "", nil, err
	}
	if seed, _, err = wire.ParseSecret(sandboxSecret); err != nil {
		return "", nil, err
	}
	sandbox, err := d.keep(sandboxKey, seed)
	if err != nil {
		return "", nil, err
	}
	return own.Address, []token.Allocation{
		{Address: wire.CreditAddress(own.Public), Factoshis: devFactoids * oneFactoid, Credits: devCredits},
		{Address: sandbox.Address, Factoshis: sandboxFactoids * oneFactoid},
	}, nil
}

// keep stores a key unless the home has one of the name, and returns whichever
// it is.
func (d *devRun) keep(name string, seed [32]byte) (*wire.KeyFile, error) {
	path := keyPath(d.home, name)
	if _, err := os.Stat(path); err != nil {
		if path, err = storeKey(d.home, name, wire.PlainKeyFile(wire.NewPrivateKey(seed))); err != nil {
			return nil, err
		}
	}
	return readKeyFile(path)
}

// write puts genesis, addresses and context where hosts and commands find them.
func (d *devRun) write(members []*member, core string) (err error) {
	table := map[string]string{}
	for _, m := range members {
		table[m.Node.String()] = m.Address
	}
	for i, v := range d.layout.Validators {
		file := &node.File{Peers: table}
		file.API.Listen, file.Peer.Listen, file.Core.Path = v.API, v.Peer, core
		if d.simulated != nil {
			if file.Hardware.Launcher, err = d.simulated.machine(i); err != nil {
				return err
			}
		}
		if file.Anchor, err = d.anchor.section(filepath.Join(d.home, v.Name)); err != nil {
			return err
		}
		for name, content := range map[string][]byte{node.FileName: file.Encode(), node.GenesisName: d.genesis.File()} {
			if err := replaceFile(filepath.Join(d.home, v.Name, name), content, 0o644); err != nil {
				return err
			}
		}
	}
	c := userContext{Format: contextFormat, Endpoints: d.layout.Endpoints(), Genesis: genesisFile, Key: devKey}
	if err := replaceFile(filepath.Join(d.home, genesisFile), d.genesis.File(), 0o644); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(d.home, contextFile), wire.EncodeJSON(c), 0o644); err != nil {
		return err
	}
	return d.layout.Save(d.home)
}

// shownDev is the outcome of dev, printed once the network is ready.
type shownDev struct {
	Home       string         `json:"home"`
	ChainID    wire.Hash      `json:"chain_id"`
	Genesis    string         `json:"genesis"`
	Hardware   string         `json:"hardware"` // what the cores run on
	Account    string         `json:"account"`  // of the development key
	Validators []devValidator `json:"validators"`
}

// devValidator is a running validator.
type devValidator struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	Factom   string `json:"factom"`           // factomd's interface
	Anchor   string `json:"anchor,omitempty"` // Bitcoin address that pays for its anchors
	PID      int    `json:"pid"`
	Log      string `json:"log"`
}

func (d *devRun) outcome(ps *devnet.Processes) *shownDev {
	out := &shownDev{Home: d.home, ChainID: d.genesis.ChainID(), Hardware: d.genesis.TEE, Genesis: filepath.Join(d.home, genesisFile)}
	if f, err := readKeyFile(keyPath(d.home, devKey)); err == nil {
		out.Account = f.Address
	}
	for i, v := range d.layout.Validators {
		folder := filepath.Join(d.home, v.Name)
		out.Validators = append(out.Validators, devValidator{
			v.Name, v.Endpoint(), v.Endpoint() + "/v2", anchorAddress(folder), ps.PID(i), filepath.Join(folder, devnet.LogFile),
		})
	}
	return out
}

func (s *shownDev) text(w io.Writer) {
	rows := make([][]string, len(s.Validators))
	for i, v := range s.Validators {
		rows[i] = []string{v.Name, v.Endpoint, v.Log}
	}
	table(w, []string{"VALIDATOR", "API", "LOG"}, rows)
	fields(w, "chain id", s.ChainID.String(), "genesis", s.Genesis, "for Factom clients", s.Validators[0].Factom, "account", s.Account+", funded; its key is 'dev'")
	warning := "no hardware protects the cores, and their disks are sealed\nwith keys that lie beside them."
	if s.Hardware == "simulated" {
		warning = "the hardware under the cores is simulated and protects nothing."
	}
	where := ""
	if s.Home != devHome {
		where = " --home " + s.Home
	}
	fmt.Fprintf(w, `
The network runs. In another shell, in this folder:
  cloister%s token balance
  cloister%s chain create journal
  cloister%s notarize FOLDER --chain my-files
Development only: %s
Ctrl-C stops the network; the same command continues it.
`, where, where, where, warning)
}
