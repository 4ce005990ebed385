package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/governance"
)

// shownMeasurement is an approved version of a component.
type shownMeasurement struct {
	ID         wire.Hash `json:"id"`
	Component  string    `json:"component"`
	Version    string    `json:"version"`
	Digest     wire.Hex  `json:"digest"` // of an image: its code id
	PCRs       []int     `json:"pcrs,omitempty"`
	Register   string    `json:"register,omitempty"`
	MinSVN     uint32    `json:"min_svn"`
	Activation uint64    `json:"activation"`
	Deprecated uint64    `json:"deprecated"` // height; 0: never
	Revoked    uint64    `json:"revoked"`    // height; 0: never
	Reason     string    `json:"reason,omitempty"`
	State      string    `json:"state"` // at the height of the list
}

func showMeasurement(m *trust.Measurement, height uint64) *shownMeasurement {
	s := &shownMeasurement{
		ID: m.ID(), Component: m.Component.String(), Version: m.Version, Digest: m.Digest, Register: m.Register, MinSVN: m.MinSVN,
		Activation: m.Activation, Deprecated: m.Deprecated, Revoked: m.Revoked, Reason: m.Reason,
	}
	for _, p := range m.PCRs {
		s.PCRs = append(s.PCRs, int(p))
	}
	switch {
	case m.Revoked != 0 && height >= m.Revoked:
		s.State = "revoked"
	case height < m.Activation:
		s.State = fmt.Sprintf("from block %d on", m.Activation)
	case m.DeprecatedAt(height):
		s.State = "deprecated"
	default:
		s.State = "in force"
	}
	if m.Revoked > height {
		s.State += fmt.Sprintf(", revoked from block %d on", m.Revoked)
	}
	return s
}

// shownMeasurements lists them.
type shownMeasurements struct {
	Measurements []*shownMeasurement `json:"measurements"`
	Mandatory    []trust.Component   `json:"mandatory"` // always keep a version in force
	Height       uint64              `json:"height"`
}

func (s *shownMeasurements) text(w io.Writer) {
	for _, m := range s.Measurements {
		fields(w, "measurement", m.ID.String(), "component", m.Component, "version", shown(m.Version), "digest", hex.EncodeToString(m.Digest),
			"least security version", marked(m.MinSVN > 0, decimal(m.MinSVN)), "state", m.State, "deprecated", since(m.Deprecated),
			"revoked", since(m.Revoked), "reason", shown(m.Reason))
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d measurements as of block %d, proved\n", len(s.Measurements), s.Height)
}

// components in the order of their numbers.
var components = []trust.Component{
	trust.Firmware, trust.BootLoader, trust.Kernel, trust.NodeBinary, trust.SystemWASM, trust.Image, trust.TPMVersion,
}

func hardwareMeasurements(a *app) *cobra.Command {
	return listing("measurements", func() *cobra.Command {
		var quiet bool
		c := &cobra.Command{
			Short: "List the code that the ledger approves",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				r := readRegistry(ctx, c)
				summary, err := r.summary()
				if err != nil {
					return err
				}
				s := &shownMeasurements{Measurements: []*shownMeasurement{}, Mandatory: summary.Mandatory}
				var all []wire.Hash
				for _, component := range components {
					ids, err := r.list(trust.MeasurementsKey(component))
					if err != nil {
						return err
					}
					if all = append(all, ids...); quiet {
						continue
					}
					for _, id := range ids {
						m, err := r.measurement(id)
						if err != nil {
							return err
						}
						if m != nil {
							s.Measurements = append(s.Measurements, showMeasurement(m, r.height))
						}
					}
				}
				if quiet {
					return a.idLines(all)
				}
				s.Height = r.height
				return a.print(s)
			}),
		}
		c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the measurements' ids and nothing else")
		return c
	}, measurementsApprove(a), measurementsEnd(a, false), measurementsEnd(a, true))
}

// activationAhead is how many blocks ahead an approval by one authority takes
// effect. The rule is 64 from the block that decides it.
const activationAhead = 128

func measurementsApprove(a *app) *cobra.Command {
	var f orderFlags
	var code string
	var emergency bool
	m := trust.Measurement{Component: trust.Image, Alg: trust.SHA256, Register: "CODEID"}
	c := &cobra.Command{
		Use:   "approve",
		Short: "Order that a version of the trusted program may run",
		Long: `Order that a version of the trusted program may run, from a block on that leaves
everybody time to look: at least 64 blocks after the decision. 'cloister measure'
computes the code id from a program that anybody can build.

In an emergency, with --emergency and the approval of every authority, it may take
effect at once.`,
		Example: "  cloister hardware measurements approve --code 33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb --version 0.2.0",
		Args:    cobra.NoArgs,
	}
	c.RunE = a.hardwareOrder(&f, func(r registry, _ []string) (trust.Order, error) {
		id, err := parseID("--code", code)
		if err != nil {
			return nil, err
		}
		m.Digest = id[:]
		if m.Activation == 0 {
			if m.Activation, err = r.activation(emergency); err != nil {
				return nil, err
			}
		}
		return &trust.MeasurementApprove{Measurement: m, Emergency: emergency}, nil
	})
	f.flags(c)
	fl := c.Flags()
	fl.StringVar(&code, "code", "", "code id, 64 hex digits")
	fl.StringVar(&m.Version, "version", "", "name of the version, for people")
	fl.Uint64Var(&m.Activation, "activation", 0, fmt.Sprintf("block from which it may run (default %d blocks from now, if one authority decides)", activationAhead))
	fl.Uint32Var(&m.MinSVN, "min-svn", 0, "lowest security version of the program with this code id")
	fl.BoolVar(&emergency, "emergency", false, "let it take effect at once, if every authority approves; implies --unanimous")
	required(c, "code", "version")
	c.PreRun = func(*cobra.Command, []string) { f.unanimous = f.unanimous || emergency }
	return c
}

// activation is the block a version becomes active at, when the user names none.
// Nobody knows how long several authorities take.
func (r registry) activation(emergency bool) (uint64, error) {
	st := provedState(r.ctx, r.c, governance.Name)
	auth, err := authorities(st)
	if err != nil {
		return 0, err
	}
	if len(auth.Accounts) > 1 {
		return 0, bad("name the block with --activation: %d authorities have to decide at least 64 blocks before it; now is block %d", len(auth.Accounts), st.height)
	}
	if emergency {
		return st.height + activationAhead/8, nil
	}
	return st.height + activationAhead, nil
}

// measurementsEnd deprecates or revokes.
func measurementsEnd(a *app, revoke bool) *cobra.Command {
	var f orderFlags
	var height uint64
	var reason string
	var force bool
	c := &cobra.Command{
		Use:     "deprecate MEASUREMENT",
		Short:   "Order that newcomers may not run a version any more",
		Example: `  cloister hardware measurements deprecate $(cloister hardware measurements -q | head -1) --reason "use 0.2.0" --order-file deprecate.order`,
		Args:    cobra.ExactArgs(1),
	}
	if revoke {
		c.Use = "revoke MEASUREMENT"
		c.Short = "Order that nobody may run a version any more"
		c.Long = `Order that nobody may run a version any more. Nodes that do are suspended, which can
leave too few voters to order blocks: have them run another one first.`
		c.Example = `  cloister hardware measurements revoke $(cloister hardware measurements -q | head -1) --reason "it leaks" --order-file revoke-code.order`
	}
	c.RunE = a.hardwareOrder(&f, func(r registry, args []string) (trust.Order, error) {
		id, err := parseID("a measurement's id", args[0])
		if err != nil {
			return nil, err
		}
		m, err := r.measurement(id)
		switch {
		case err != nil:
			return nil, err
		case m == nil:
			return nil, wire.Faultf(wire.ErrMeasurementUnknown, "%s", id)
		}
		if height == 0 {
			height = r.height + activationAhead
		}
		if revoke {
			return &trust.MeasurementRevoke{ID: id, Height: height, Reason: reason, Force: force}, nil
		}
		return &trust.MeasurementDeprecate{ID: id, Height: height, Reason: reason, Force: force}, nil
	})
	f.flags(c)
	fl := c.Flags()
	fl.Uint64Var(&height, "height", 0, fmt.Sprintf("block from which (default %d blocks from now)", activationAhead))
	fl.StringVar(&reason, "reason", "", "why, for everybody to read; at most 128 bytes")
	fl.BoolVar(&force, "force", false, "even if no version of a mandatory component is left")
	required(c, "reason")
	return c
}
