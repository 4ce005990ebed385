package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/token"
)

func genesisCommand(a *app) *cobra.Command {
	return group("genesis", "Make and show the file a network starts from", genesisNew(a), genesisShow(a))
}

// defaultRate is what an entry credit costs, in factoshis.
const defaultRate = 1000

// founding is what a genesis is made of.
type founding struct {
	name        string
	engine      string
	rate        uint64
	period      time.Duration // of a directory block; 0 for the default
	members     []*member
	allocations []token.Allocation
	at          time.Time
	anchorKeys  []record.AnchorKey
	attested    *attested // nil: no hardware
}

// genesis builds and checks it.
func (f *founding) genesis() (*wire.Genesis, error) {
	allocations := f.allocations
	if allocations == nil {
		allocations = []token.Allocation{}
	}
	params, err := json.Marshal(token.Params{Rate: f.rate, Allocations: allocations})
	if err != nil {
		return nil, bad("allocations: %v", err)
	}
	var periods json.RawMessage // none: what the family has as default
	if f.period != 0 || len(f.anchorKeys) > 0 {
		if periods, err = json.Marshal(record.Params{PeriodMs: uint64(f.period.Milliseconds()), AnchorKeys: f.anchorKeys}); err != nil {
			return nil, err
		}
		if _, err := record.ParseParams(periods); err != nil {
			return nil, bad("--period: %v", err)
		}
	}
	g := &wire.Genesis{
		Version: 1, Name: f.name, TimeMs: uint64(f.at.UnixMilli()), Engine: f.engine, Restart: "trust-disk", TEE: "none",
		Limits:   wire.DefaultLimits,
		Families: []wire.FamilyGenesis{{Name: token.Name, Params: params}, {Name: record.Name, Params: periods}},
	}
	names := map[string]bool{}
	for _, m := range f.members {
		if names[m.Name] {
			return nil, bad("two members are named %q", m.Name)
		}
		names[m.Name] = true
		g.Members = append(g.Members, wire.GenesisMember{Name: m.Name, Key: m.Key})
	}
	if f.attested != nil {
		g.TEE = f.attested.tee
		more, err := f.attested.families(g)
		if err != nil {
			return nil, err
		}
		g.Families = append(g.Families, more...)
	}
	// Reading back what is written is the one check that cannot differ from
	// what every node does with the file.
	if _, err := wire.ParseGenesis(g.File()); err != nil {
		return nil, bad("%v", err)
	}
	return g, nil
}

// parseFund reads ADDRESS=FACTOIDS or ADDRESS=FACTOIDS,CREDITS.
func parseFund(s string) (al token.Allocation, err error) {
	address, sum, ok := strings.Cut(s, "=")
	if !ok {
		return al, bad("--fund takes ADDRESS=FACTOIDS or ADDRESS=FACTOIDS,CREDITS, not %q", clip(s))
	}
	account, err := wire.ParseAccount(address)
	if err != nil {
		return al, err
	}
	// An EC address stays: it names the key that entry credit blocks show.
	if al.Address = address; len(address) != wire.AddressLength {
		al.Address = wire.FactoidAddress(account)
	}
	factoids, credits, both := strings.Cut(sum, ",")
	if al.Factoshis, err = parseAmount(factoids); err != nil {
		return al, err
	}
	if both {
		if al.Credits, err = strconv.ParseUint(credits, 10, 63); err != nil {
			return al, wire.Faultf(wire.ErrBadAmount, "%q is no number of entry credits", clip(credits))
		}
	}
	return al, nil
}

func genesisNew(a *app) *cobra.Command {
	var name, engine, file, trustFile string
	var members, funds, authorities []string
	var rate uint64
	var period time.Duration
	c := &cobra.Command{
		Use:   "new",
		Short: "Make a genesis file from the members' keys and the first balances",
		Long: `Make a genesis file from the members' keys and the first balances.

Each operator runs 'cloister init' and sends its member.json to one of them, who
makes the genesis file and gives it back to all. Everything that users verify
rests on this file: publish its chain id where they can compare it.`,
		Example: "  cloister genesis new --name example --engine solo --member ./solo/member.json --fund FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q=1000,500 --file ./solo/genesis.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f := founding{name: name, engine: engine, rate: rate, period: period, at: time.Now()}
			for _, m := range members {
				member, err := readMember(m)
				if err != nil {
					return err
				}
				f.members = append(f.members, member)
			}
			for _, s := range funds {
				al, err := parseFund(s)
				if err != nil {
					return err
				}
				f.allocations = append(f.allocations, al)
			}
			if (trustFile == "") != (len(authorities) == 0) {
				return bad("--trust and --authority go together: what the network trusts, and who may change it")
			}
			if trustFile != "" {
				t, err := readTrust(trustFile)
				if err != nil {
					return err
				}
				f.attested = &attested{tee: "attested", trust: t, authorities: authorities}
				if t.Testnet {
					f.attested.tee = "simulated"
				}
			}
			g, err := f.genesis()
			if err != nil {
				return err
			}
			if err := writeNew(file, g.File(), 0o644); err != nil {
				return err
			}
			s := showGenesis(g, file)
			s.Peers = peerTable(f.members)
			return a.print(s)
		},
	}
	fl := c.Flags()
	fl.StringVar(&name, "name", "", "name of the network, 1 to 64 bytes")
	fl.StringVar(&engine, "engine", "raft", "consensus engine: raft, or solo for one member")
	fl.StringArrayVar(&members, "member", nil, "member.json of a founding validator; repeat for each")
	fl.StringArrayVar(&funds, "fund", nil, "ADDRESS=FACTOIDS or ADDRESS=FACTOIDS,CREDITS an account starts with, best as EC address if with credits; repeat for more")
	fl.StringVar(&trustFile, "trust", "", "file of the roots, collateral, code and policies that nodes must satisfy; without it members claim no hardware")
	fl.StringArrayVar(&authorities, "authority", nil, "address that takes part in changing what is trusted and who is a member; repeat for each")
	fl.DurationVar(&period, "period", 0, fmt.Sprintf("how much time a directory block covers (default %s)", time.Duration(record.DefaultPeriodMs)*time.Millisecond))
	fl.Uint64Var(&rate, "rate", defaultRate, "factoshis that one entry credit costs")
	fl.StringVar(&file, "file", genesisFile, "file to write")
	for _, f := range []string{"name", "member"} {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return c
}

// shownGenesis is a genesis file as commands show it.
type shownGenesis struct {
	ChainID wire.Hash     `json:"chain_id"`
	File    string        `json:"file"`
	Genesis *wire.Genesis `json:"genesis"`
	Peers   string        `json:"peers,omitempty"` // section of every host's node.toml
}

func showGenesis(g *wire.Genesis, file string) *shownGenesis {
	return &shownGenesis{ChainID: g.ChainID(), File: file, Genesis: g}
}

func (s *shownGenesis) text(w io.Writer) {
	g := s.Genesis
	var families []string
	for _, f := range g.Families {
		families = append(families, f.Name)
	}
	tee := g.TEE
	switch tee {
	case "simulated":
		tee = "simulated: programs play the hardware; it shows how the network works and protects nothing"
	case "none":
		tee = "none: no hardware protects this network; for development and for operators who trust each other's machines"
	}
	fields(w, "chain id", s.ChainID.String(), "name", shown(g.Name), "file", s.File,
		"started", time.UnixMilli(int64(g.TimeMs)).UTC().Format(time.RFC3339), "engine", g.Engine,
		"restart mode", g.Restart, "hardware", tee, "families", strings.Join(families, ", "))
	rows := make([][]string, len(g.Members))
	for i, m := range g.Members {
		rows[i] = []string{strconv.Itoa(i + 1), shown(m.Name), wire.NodeIDOf(m.Key).String()}
	}
	table(w, []string{"SLOT", "MEMBER", "NODE"}, rows)
	if s.Peers != "" {
		fmt.Fprintf(w, "\nEvery host needs this file as genesis.json, and in its node.toml:\n%s", s.Peers)
	}
}

func genesisShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show [FILE]",
		Short:   "Show a genesis file and its chain id",
		Example: "  cloister genesis show",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name, err := a.genesisPath()
			if len(args) == 1 {
				name, err = args[0], nil
			}
			if err != nil {
				return err
			}
			g, err := readGenesis(name)
			if err != nil {
				return err
			}
			return a.print(showGenesis(g, name))
		},
	}
}
