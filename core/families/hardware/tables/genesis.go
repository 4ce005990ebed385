package tables

import (
	"fmt"

	"cloister/core/ledger"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
)

// Genesis fills the tables that a chain starts with, at its first height and
// time (milliseconds). Items must verify then, under the roots given.
func Genesis(st ledger.State, g *trust.Genesis, height, timeMs uint64) error {
	s := trust.Summary{Testnet: g.Testnet, Mandatory: g.Mandatory}
	if len(s.Mandatory) == 0 {
		s.Mandatory = []trust.Component{trust.Image}
	}
	if err := trust.CheckMandatory(s.Mandatory); err != nil {
		return err
	}
	if err := ledger.Save(st, trust.SummaryKey, s); err != nil {
		return err
	}
	for i := range g.Roots {
		r, err := g.Roots[i].Root()
		if err == nil {
			err = addRoot(st, g.Testnet, *r, height, timeMs)
		}
		if err != nil {
			return fmt.Errorf("root %d (%.64q): %w", i+1, g.Roots[i].Name, err)
		}
	}
	for i := range g.Items {
		item, err := g.Items[i].Item()
		if err == nil {
			_, err = PutItem(st, item, timeMs)
		}
		if err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	for i := range g.Measurements {
		m, err := g.Measurements[i].Measurement()
		if err == nil {
			err = addMeasurement(st, *m)
		}
		if err != nil {
			return fmt.Errorf("measurement %d (%.64q): %w", i+1, g.Measurements[i].Version, err)
		}
	}
	return policies(st, g)
}

// policies sets the policy of every role, given or by default.
func policies(st ledger.State, g *trust.Genesis) error {
	given := map[policy.Role]policy.Policy{}
	for i, p := range g.Policies {
		if err := p.Check(); err != nil {
			return fmt.Errorf("policy %d: %w", i+1, err)
		}
		if _, twice := given[p.Role]; twice {
			return fmt.Errorf("policy %d: role %s has one already", i+1, p.Role)
		}
		given[p.Role] = p
	}
	for _, role := range policy.Roles {
		p, ok := given[role]
		if !ok {
			p = policy.Default(role, g.Testnet)
		}
		if err := put(st, trust.PolicyKey(role), p); err != nil {
			return err
		}
	}
	return nil
}
