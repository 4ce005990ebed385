package main

import (
	"encoding/json"

	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/beacon"
	"cloister/wire/governance"
	"cloister/wire/hardware"
	"cloister/wire/node"
)

// attested is what a genesis says of trust: whose hardware and which code its
// nodes may run, and who may change that.
type attested struct {
	tee         string // what receipts say of the members' hardware
	trust       *trust.Genesis
	authorities []string       // addresses
	schedule    map[string]any // of the registry; what is not named has its default
}

const (
	foundingMs = 60 * 60 * 1000 // founders have so long to show evidence
	// founderCredit is forty tickets: founders judge the first devices.
	founderCredit = 4_000_000_000
)

// families are those that such a network has besides the others.
func (t *attested) families(g *wire.Genesis) ([]wire.FamilyGenesis, error) {
	nodes := node.FoundingParams(g)
	nodes.FoundingMs = foundingMs
	var founders []wire.PublicKey
	for _, m := range g.Members {
		founders = append(founders, m.Key)
	}
	registry := map[string]any{
		"trust": t.trust, "founders": founders, "founder_credit": founderCredit, "testnet": t.trust.Testnet, "time_ms": g.TimeMs,
	}
	if t.schedule != nil {
		registry["params"] = t.schedule
	}
	params, err := json.Marshal(registry)
	if err != nil {
		return nil, bad("trust: %v", err)
	}
	clock, err := json.Marshal(beacon.Params{IntervalMs: beacon.DefaultIntervalMs})
	if err != nil {
		return nil, err
	}
	return []wire.FamilyGenesis{
		{Name: governance.Name, Params: (&governance.Params{Authorities: t.authorities}).JSON()},
		{Name: hardware.Name, Params: params},
		{Name: node.Name, Params: nodes.JSON()},
		{Name: beacon.Name, Params: clock},
	}, nil
}

// readTrust reads a file of roots, collateral, approved code and policies
// (docs/hardware.md).
func readTrust(name string) (*trust.Genesis, error) {
	b, err := readFile(name, wire.MaxGenesis)
	if err != nil {
		return nil, err
	}
	t, err := trust.ParseGenesis(b)
	if err != nil {
		return nil, bad("%s: %v", name, err)
	}
	return t, nil
}
