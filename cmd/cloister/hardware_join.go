package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/hardware"
	"cloister/wire/node"
)

// shownJoin is the outcome of join.
type shownJoin struct {
	Device wire.Hash  `json:"device"`
	Known  bool       `json:"known"` // it was registered before; nothing was submitted
	TxID   *wire.Hash `json:"tx_id,omitempty"`
	Height uint64     `json:"height,omitempty"`
}

func (s *shownJoin) text(w io.Writer) {
	if s.Known {
		fmt.Fprintln(w, "registered before; nothing was submitted")
	} else {
		fmt.Fprintln(w, "registered")
	}
	tx, block := "", ""
	if s.TxID != nil {
		tx, block = s.TxID.String(), decimal(s.Height)
	}
	fields(w, "device", s.Device.String(), "transaction", tx, "block", block)
	fmt.Fprintf(w, "See it: cloister hardware devices show %s\n", s.Device)
}

func hardwareJoin(a *app) *cobra.Command {
	var core string
	var quiet bool
	c := &cobra.Command{
		Use:   "join",
		Short: "Register the CPU under a core on this machine as a device",
		Long: `Register the CPU under a core on this machine as a device. The core makes the
evidence, every validator judges it, and the key that signs becomes the device's
owner. A device that is registered already is shown.`,
		Example: "  cloister hardware join",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, err := a.ownCore(core)
			if err != nil {
				return err
			}
			defer own.Close()
			return a.join(cmd.Context(), own, quiet)
		},
	}
	coreFlag(c, &core)
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the device's id and nothing else")
	return c
}

func (a *app) join(ctx context.Context, own *client.Client, quiet bool) error {
	r, claims, err := a.applying(ctx, own, &node.Application{Roles: node.AuditRole})
	if err != nil {
		return err
	}
	st := readRegistry(ctx, own)
	if _, err := st.totals(); err != nil {
		return err
	}
	s := new(shownJoin)
	holder, err := st.get(hardware.UseKey(hardware.UseNode, sha256.Sum256(claims.Identity[:])))
	switch {
	case err != nil:
		return err
	case holder != nil:
		s.Known = true
		if copy(s.Device[:], holder) != len(s.Device) {
			return fmt.Errorf("the holder of a node key has %d bytes", len(holder))
		}
	default:
		p, err := platformOf(&r.Shown)
		if err != nil {
			return err
		}
		v, err := a.submit(ctx, own, hardware.Name, hardware.Encode(p))
		if err != nil {
			return err
		}
		if copy(s.Device[:], v.Result.Output) != len(s.Device) {
			return wire.Faultf(wire.ErrProof, "the ledger named no device")
		}
		s.TxID, s.Height = &v.TxID, v.Height
	}
	if quiet {
		return a.idLines([]wire.Hash{s.Device})
	}
	return a.print(s)
}

// platformOf makes of what a core shows, to be registered as a node, what its
// CPU is registered with as a device: the same claims and evidence.
func platformOf(shown *node.Attestation) (*hardware.JoinPlatform, error) {
	e, err := evidence.Decode(shown.Evidence)
	if err != nil {
		return nil, err
	}
	out := hardware.Evidence{Kind: uint8(e.Kind), Quote: e.Quote, Claims: shown.Claims}
	switch {
	case e.Kind == evidence.TPM:
		return nil, bad("the core's evidence is of a TPM: a TPM joins by a committee")
	case e.Kind == evidence.SNP && len(e.Aux) == 1:
		out.Leaf = e.Aux[0]
	case len(e.Aux) != 0:
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "%s evidence with %d further parts", e.Kind, len(e.Aux))
	}
	return &hardware.JoinPlatform{Evidence: out}, nil
}

func hardwareDeposit(a *app) *cobra.Command {
	return a.moving(&cobra.Command{
		Use:   "deposit FACTOIDS",
		Short: "Set factoids aside for the attestations of one's devices",
		Long: `Set factoids aside for the attestations of one's devices: the ledger renews a
device from time to time, its owner's deposit pays, and without one it becomes
stale.`,
		Example: "  cloister hardware deposit 1.5",
	}, "deposited", func(n uint64) hardware.Payload { return &hardware.Deposit{Amount: n} })
}

func hardwareWithdraw(a *app) *cobra.Command {
	return a.moving(&cobra.Command{
		Use:   "withdraw FACTOIDS",
		Short: "Take factoids back from the deposit",
		Example: `  cloister hardware deposit 2
  cloister hardware withdraw 2`,
	}, "withdrew", func(n uint64) hardware.Payload { return &hardware.Withdraw{Amount: n} })
}

func (a *app) moving(c *cobra.Command, did string, payload func(uint64) hardware.Payload) *cobra.Command {
	var quiet bool
	c.Args = cobra.ExactArgs(1)
	c.RunE = a.asking(func(ctx context.Context, c *client.Client, args []string) error {
		n, err := parseAmount(args[0])
		switch {
		case err != nil:
			return err
		case n == 0:
			return wire.Faultf(wire.ErrBadAmount, "nothing would be moved")
		}
		return a.write(ctx, c, hardware.Name, hardware.Encode(payload(n)), quiet, fmt.Sprintf("%s %s factoids", did, amount(n)))
	})
	quietFlag(c, &quiet)
	return c
}

func hardwareRetire(a *app) *cobra.Command {
	var dryRun, quiet bool
	c := &cobra.Command{
		Use:     "retire DEVICE",
		Short:   "End a device of one's own for ever",
		Example: "  cloister hardware retire $(cloister hardware join -q) --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			d, err := readRegistry(ctx, c).known(args[0])
			if err != nil {
				return err
			}
			if dryRun {
				return a.print(d)
			}
			return a.write(ctx, c, hardware.Name, hardware.Encode(&hardware.Retire{Device: d.Device}), quiet, "ended device "+d.Device.String())
		}),
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "show the device, and submit nothing")
	quietFlag(c, &quiet)
	return c
}
