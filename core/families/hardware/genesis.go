package hardware

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Genesis are the parameters of the family in a genesis file.
type Genesis struct {
	// Trust is what evidence/trust.Genesis says; its testnet is the one below.
	Trust  json.RawMessage `json:"trust,omitempty"`
	Params *Params         `json:"params,omitempty"` // what is not named has its default
	// Founders may each bring in one device with FounderCredit: without devices
	// nobody could judge the first ones.
	Founders      []wire.PublicKey `json:"founders,omitempty"`
	FounderCredit uint64           `json:"founder_credit,omitempty"`
	Testnet       bool             `json:"testnet,omitempty"` // simulated hardware may be trusted
	AllowMock     bool             `json:"allow_mock,omitempty"`
	// TimeMs need not be given; it is the time of the genesis itself, when
	// collateral and roots have to be valid.
	TimeMs uint64 `json:"time_ms,omitempty"`
}

// maxFounders bounds Genesis.Founders.
const maxFounders = 1024

// Genesis implements ledger.Family. Nothing can be verified without a time:
// GenesisAt is what a chain starts with.
func (Family) Genesis(ledger.State, json.RawMessage) error {
	return fmt.Errorf("the time of the genesis is needed")
}

// GenesisAt implements ledger.Dated; params is a Genesis.
func (Family) GenesisAt(st ledger.State, params json.RawMessage, timeMs uint64) error {
	g := Genesis{Trust: json.RawMessage(`{}`)}
	if len(params) > 0 {
		dec := json.NewDecoder(bytes.NewReader(params))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&g); err != nil {
			return fmt.Errorf("parameters: %w", err)
		}
	}
	p := DefaultParams()
	if g.Params != nil {
		p = *g.Params
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if err := g.check(&p); err != nil {
		return err
	}
	t, err := trust.ParseGenesis(g.Trust)
	if err != nil {
		return err
	}
	t.Testnet = t.Testnet || g.Testnet
	if g.TimeMs != 0 && g.TimeMs != timeMs {
		return fmt.Errorf("time_ms is %d, the genesis's own is %d", g.TimeMs, timeMs)
	}
	if err := tables.Genesis(st, t, 0, timeMs); err != nil {
		return fmt.Errorf("trust: %w", err)
	}
	totals := hardware.Totals{Params: 1, JoinLimit: p.Schedule.JoinRateMin, NextDue: 1}
	for _, put := range []struct {
		key []byte
		v   any
	}{{hardware.TotalsKey, &totals}, {hardware.ParamsKey(1), &p}} {
		if err := st.Set(put.key, wire.Marshal(put.v)); err != nil {
			return err
		}
	}
	for _, k := range g.Founders {
		if err := ledger.Save(st, hardware.FounderKey(wire.AccountOf(k)), founder{Credit: g.FounderCredit}); err != nil {
			return err
		}
	}
	return nil
}

func (g *Genesis) check(p *Params) error {
	seen := map[wire.PublicKey]bool{}
	for _, k := range g.Founders {
		if seen[k] || !k.Valid() {
			return fmt.Errorf("founder %s is not valid, or there twice", k)
		}
		seen[k] = true
	}
	n := len(g.Founders)
	switch {
	case g.AllowMock:
		return fmt.Errorf("there is no mock hardware; simulated makers' roots are for tests")
	case n > 0 && n < int(p.Committee.DMin):
		return wire.Faultf(wire.ErrGenesisCommittee, "%d founders, a committee needs %d devices", n, p.Committee.DMin)
	case n > maxFounders:
		return fmt.Errorf("%d founders, at most %d", n, maxFounders)
	case n > 0 && (g.FounderCredit < p.Committee.TicketUnit || g.FounderCredit > committee.MaxCredit/uint64(n)):
		return fmt.Errorf("founder_credit %d must buy a ticket and not exceed what can be counted", g.FounderCredit)
	}
	return nil
}
