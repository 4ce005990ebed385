package governance

import (
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/governance"
)

func authorities(st ledger.State) (*governance.Authorities, error) {
	a, ok, err := ledger.Load[governance.Authorities](st, governance.AuthoritiesKey)
	if err == nil && !ok {
		err = fmt.Errorf("governance: no authorities in state")
	}
	return &a, err
}

func list(st ledger.State) ([]governance.Open, error) {
	open, _, err := ledger.Load[[]governance.Open](st, governance.OpenKey)
	return open, err
}

// proposal is an open one that has not run out.
func proposal(c *ledger.Call, id wire.Hash) (*governance.Proposal, error) {
	p, ok, err := ledger.Load[governance.Proposal](c.State(governance.Name), governance.ProposalKey(id))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, wire.Faultf(wire.ErrProposalUnknown, "proposal %s", id)
	case p.ExpiresMs <= c.TimeMs:
		return nil, wire.Faultf(wire.ErrProposalExpired, "proposal %s expired at block time %d, now is %d", id, p.ExpiresMs, c.TimeMs)
	}
	return &p, nil
}

// end closes a proposal and writes down what became of it. It need not be open:
// one that passes at once never was.
func end(st ledger.State, a *governance.Authorities, id wire.Hash, p *governance.Proposal, how governance.Ending, height, timeMs uint64) error {
	open, err := list(st)
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(slices.Clone(open), func(o governance.Open) bool { return o.ID == id })
	if err := saveList(st, open); err != nil {
		return err
	}
	if err := st.Delete(governance.ProposalKey(id)); err != nil {
		return err
	}
	return ledger.Save(st, governance.DecisionKey(id), governance.Decision{
		Ending: how, Family: p.Family, Order: governance.OrderHash(p.Family, p.Order),
		Height: height, TimeMs: timeMs, Approvals: uint8(p.Counted(a)), All: uint8(len(a.Accounts)),
	})
}

func saveList(st ledger.State, open []governance.Open) error {
	if len(open) == 0 {
		return st.Delete(governance.OpenKey)
	}
	return st.Set(governance.OpenKey, wire.Marshal(open))
}

// EndBlock implements ledger.Ender: it ends the proposals whose time is over.
func (Family) EndBlock(e *ledger.End) error {
	st := e.State(governance.Name)
	open, err := list(st)
	if err != nil {
		return err
	}
	for _, o := range open {
		if o.ExpiresMs > e.TimeMs {
			continue
		}
		p, ok, err := ledger.Load[governance.Proposal](st, governance.ProposalKey(o.ID))
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("governance: proposal %s is listed and not in state", o.ID)
		}
		a, err := authorities(st)
		if err != nil {
			return err
		}
		if err := end(st, a, o.ID, &p, governance.Expired, e.Height, e.TimeMs); err != nil {
			return err
		}
	}
	return nil
}

// CheckOrder implements ledger.Governed.
func (Family) CheckOrder(order []byte) error {
	_, err := governance.DecodeOrder(order)
	return err
}

// Govern implements ledger.Governed: it sets the authorities and their threshold.
func (Family) Govern(c *ledger.Call, order []byte, _ bool) ([]byte, error) {
	a, err := governance.DecodeOrder(order)
	if err != nil {
		return nil, err
	}
	return nil, c.State(governance.Name).Set(governance.AuthoritiesKey, wire.Marshal(a))
}
