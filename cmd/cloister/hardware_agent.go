package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/device/agent"
	"cloister/device/machine"
	"cloister/device/tpm"
	evidencetpm "cloister/evidence/tpm"
	"cloister/wire"
	"cloister/wire/hardware"
)

// deviceFolder is where an agent keeps the application log and the sealed keys,
// in the home.
const deviceFolder = "device"

// agentFlags say which machine an agent speaks for.
type agentFlags struct {
	tpm     string
	folder  string
	bootLog string
	issuing []string
	program string
	join    bool
	upkeep  bool
	verify  bool
	debug   bool
}

func hardwareAgent(a *app) *cobra.Command {
	f := new(agentFlags)
	c := &cobra.Command{
		Use:   "agent",
		Short: "Care for this machine's TPM as a device until interrupted",
		Long: `Care for this machine's TPM as a device until interrupted: register it, answer its
attestations, pay for their renewal, and judge other devices when it is drawn to. The
key that signs becomes the device's owner and pays.

The program itself is measured into the TPM before it acts, and its keys are sealed
to that, so another version of it has to be prepared for. An endorsement key whose
certificate was not issued by the root itself needs the issuers: --issuing.

An emulator listens on a socket: --tpm unix:PATH. Its maker has to be among the
roots the ledger trusts, as class emulated.`,
		Example: "  cloister hardware agent --tpm unix:./tpm.socket",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			return a.agent(ctx, c, f)
		}),
	}
	fl := c.Flags()
	fl.StringVar(&f.tpm, "tpm", tpm.Default, "TPM: a device file, or unix:PATH of an emulator's socket")
	fl.StringVar(&f.folder, "folder", "", "folder of the device's log and sealed keys (default "+deviceFolder+" in the home)")
	fl.StringVar(&f.bootLog, "boot-log", "", "log of what was measured at boot (default the kernel's, for a device file)")
	fl.StringArrayVar(&f.issuing, "issuing", nil, "file with the maker's certificates between the TPM's own and the root, PEM or DER; repeat for more")
	fl.StringVar(&f.program, "program", "", "program to measure (default this one)")
	fl.BoolVar(&f.join, "join", true, "register the TPM if it is not")
	fl.BoolVar(&f.upkeep, "upkeep", true, "deposit for renewals, renew, and ask for reinstatement")
	fl.BoolVar(&f.verify, "verify", true, "judge other devices when drawn to")
	fl.BoolVar(&f.debug, "debug", false, "log more")
	return c
}

func (a *app) agent(ctx context.Context, c *client.Client, f *agentFlags) error {
	payer, err := a.signingKey()
	if err != nil {
		return err
	}
	chip, err := openTPM(f.tpm)
	if err != nil {
		return err
	}
	defer chip.Close()
	schedule, err := readRegistry(ctx, c).schedule()
	if err != nil {
		return err
	}
	m, err := a.machine(chip, schedule, f)
	if err != nil {
		return err
	}
	node, vrf, err := m.Keys()
	if err != nil {
		return deviceError(err)
	}
	log := a.logger(f.debug)
	log.Info("device.agent", "device", m.Device(), "owner", wire.FactoidAddress(wire.AccountOf(payer.Public())), "tpm", f.tpm)
	err = agent.Run(ctx, agent.Config{
		Chain: c.Trust().ChainID(), Network: agent.Over(c, payer), Node: node, VRF: vrf, Chip: m,
		Join: f.join, Upkeep: f.upkeep, Verify: f.verify, Log: log,
	})
	if errors.Is(err, context.Canceled) {
		return nil // it was interrupted
	}
	return err
}

// openTPM opens a TPM as users name it.
func openTPM(name string) (*tpm.TPM, error) {
	path, socket := strings.CutPrefix(name, "unix:")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && socket:
		return nil, bad("no TPM emulator listens on %s: start one, such as swtpm, with a Unix socket there", shown(path))
	case errors.Is(err, fs.ErrNotExist):
		return nil, bad("there is no TPM at %s: name another with --tpm; an emulator's socket is --tpm unix:PATH", shown(path))
	case err != nil:
		return nil, fileError("open", path, err)
	case socket != (info.Mode()&os.ModeSocket != 0):
		return nil, bad("%s is named as a socket and is none, or is one: write unix: before a socket's path and nothing before a device file's", shown(path))
	}
	t, err := tpm.Open(path)
	if err != nil {
		return nil, bad("%v", err)
	}
	return t, nil
}

// machine takes stock of the computer and measures the program that acts for it.
func (a *app) machine(chip *tpm.TPM, s *hardware.Schedule, f *agentFlags) (*machine.Machine, error) {
	cfg := machine.Config{TPM: chip, Home: f.folder, BootLog: f.bootLog, AppPCR: s.AppPCR}
	if cfg.Home == "" {
		home, err := a.homeFolder()
		if err != nil {
			return nil, err
		}
		cfg.Home = filepath.Join(home, deviceFolder)
	}
	if cfg.BootLog == "" && !strings.HasPrefix(f.tpm, "unix:") {
		cfg.BootLog = machine.KernelBootLog
	}
	for _, file := range f.issuing {
		list, err := readCertificates(file)
		if err != nil {
			return nil, err
		}
		for _, cert := range list {
			cfg.Issuing = append(cfg.Issuing, cert.Raw)
		}
	}
	m, err := machine.Open(cfg)
	if err != nil {
		return nil, deviceError(err)
	}
	program := f.program
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
	}
	entry, err := machine.Program(evidencetpm.NodeBinary, "cloister "+version, program)
	if err != nil {
		return nil, deviceError(err)
	}
	if err := m.Measure(entry); err != nil {
		return nil, deviceError(err)
	}
	return m, nil
}

// deviceError says what the user can do about a TPM's refusal.
func deviceError(err error) error {
	switch {
	case errors.Is(err, tpm.ErrNotUnsealed):
		return bad("%v: run the version of this program that the keys were sealed to, or remove the device's keys and rotate them", err)
	case wire.CodeOf(err) == wire.ErrInternal:
		return bad("%v", err)
	}
	return err
}

// parameters are all parameters of the registry, as stored. What governs
// committees is the rules' own.
type parameters struct {
	_         struct{} `cbor:",toarray"`
	Committee any
	Schedule  hardware.Schedule
}

// schedule reads the one in force.
func (r registry) schedule() (*hardware.Schedule, error) {
	t, err := r.totals()
	if err != nil {
		return nil, err
	}
	p, err := row[parameters](r.proved, hardware.ParamsKey(t.Params), hardware.MaxOrder)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, wire.Faultf(wire.ErrProof, "the registry has no parameters of version %d", t.Params)
	}
	return &p.Schedule, nil
}
