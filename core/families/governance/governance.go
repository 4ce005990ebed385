package governance

import (
	"encoding/json"
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/governance"
)

// Family implements ledger.Family, ledger.Ender and, for orders about the
// authorities themselves, ledger.Governed.
type Family struct{}

var (
	_ ledger.Ender    = Family{}
	_ ledger.Governed = Family{}
)

// Name implements ledger.Family.
func (Family) Name() string { return governance.Name }

// Genesis implements ledger.Family; params is a governance.Params.
func (Family) Genesis(st ledger.State, params json.RawMessage) error {
	a, err := governance.ParseParams(params)
	if err != nil {
		return err
	}
	return st.Set(governance.AuthoritiesKey, wire.Marshal(a))
}

// Check implements ledger.Family; the payload is what governance.Decode returns.
func (Family) Check(tx *wire.Tx) (any, error) { return governance.Decode(tx.Payload) }

// Price is one entry credit for each KiB begun, for authorities too: a stolen
// key must not write for free.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	return ledger.Price{Credits: uint64(c.Size+1023) / 1024}, nil
}

// Admit refuses who is no authority, and what cannot be proposed, approved or withdrawn.
func (Family) Admit(c *ledger.Call) error {
	_, err := judge(c)
	return err
}

// Execute carries the transaction out. Propose and Approve answer with a
// governance.Answer.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	do, err := judge(c)
	if err != nil {
		return nil, err
	}
	return do()
}

// effect is what a transaction does once nothing speaks against it.
type effect func() (output []byte, err error)

func judge(c *ledger.Call) (effect, error) {
	a, err := authorities(c.State(governance.Name))
	if err != nil {
		return nil, err
	}
	if !a.Has(c.Payer) {
		return nil, wire.Faultf(wire.ErrNotAuthority, "%s is none", c.Payer)
	}
	switch p := c.Payload.(type) {
	case *governance.Propose:
		return propose(c, a, p)
	case *governance.Approve:
		return approve(c, a, p.ID)
	default:
		return withdraw(c, a, c.Payload.(*governance.Withdraw).ID)
	}
}

func propose(c *ledger.Call, a *governance.Authorities, op *governance.Propose) (effect, error) {
	st := c.State(governance.Name)
	if err := c.CheckOrder(op.Family, op.Order); err != nil {
		return nil, err
	}
	p := &governance.Proposal{
		Family: op.Family, Order: op.Order, Unanimous: op.Unanimous, Proposer: c.Payer,
		Approvals: []wire.Account{c.Payer}, Height: c.Height, ExpiresMs: op.ExpiresMs,
	}
	switch latest := c.TimeMs + a.LifetimeMs; {
	case p.ExpiresMs == 0:
		p.ExpiresMs = latest
	case p.ExpiresMs <= c.TimeMs || p.ExpiresMs > latest:
		return nil, wire.Faultf(wire.ErrProposalLifetime, "it would expire at block time %d; now is %d, the latest %d", p.ExpiresMs, c.TimeMs, latest)
	}
	open, err := list(st)
	if err != nil {
		return nil, err
	}
	own := 0
	for i := range open {
		if open[i].Proposer == c.Payer {
			own++
		}
	}
	if share := governance.MaxOpen / len(a.Accounts); !p.Passes(a) && (own >= share || len(open) >= governance.MaxOpen) {
		return nil, wire.Faultf(wire.ErrProposalsFull, "%d proposals are open, %d of them this authority's, at most %d and %d are",
			len(open), own, governance.MaxOpen, share)
	}
	id := governance.ProposalID(c.Tx.ChainID, c.ID)
	return func() ([]byte, error) {
		if p.Passes(a) {
			return execute(c, a, id, p)
		}
		open = append(slices.Clone(open), governance.Open{ID: id, Proposer: c.Payer, ExpiresMs: p.ExpiresMs})
		if err := st.Set(governance.OpenKey, wire.Marshal(open)); err != nil {
			return nil, err
		}
		return answer(id, false, nil), st.Set(governance.ProposalKey(id), wire.Marshal(p))
	}, nil
}

func approve(c *ledger.Call, a *governance.Authorities, id wire.Hash) (effect, error) {
	p, err := proposal(c, id)
	if err != nil {
		return nil, err
	}
	again := slices.Contains(p.Approvals, c.Payer)
	// Approvals of former authorities count for nothing, and would add up.
	p.Approvals = slices.DeleteFunc(slices.Clone(p.Approvals), func(account wire.Account) bool { return !a.Has(account) })
	if !again {
		p.Approvals = append(p.Approvals, c.Payer)
	}
	passes := p.Passes(a)
	// Said twice it counts once; but the authorities may have become fewer since.
	if again && !passes {
		return nil, wire.Faultf(wire.ErrAlreadyApproved, "proposal %s has %d of %d approvals", id, p.Counted(a), len(a.Accounts))
	}
	return func() ([]byte, error) {
		if passes {
			return execute(c, a, id, p)
		}
		return answer(id, false, nil), c.State(governance.Name).Set(governance.ProposalKey(id), wire.Marshal(p))
	}, nil
}

func withdraw(c *ledger.Call, a *governance.Authorities, id wire.Hash) (effect, error) {
	st := c.State(governance.Name)
	p, err := proposal(c, id)
	if err != nil {
		return nil, err
	}
	at := slices.Index(p.Approvals, c.Payer)
	switch {
	case p.Proposer == c.Payer:
		return func() ([]byte, error) {
			return nil, end(st, a, id, p, governance.Withdrawn, c.Height, c.TimeMs)
		}, nil
	case at < 0:
		return nil, wire.Faultf(wire.ErrNotApproved, "proposal %s", id)
	}
	return func() ([]byte, error) {
		p.Approvals = slices.Delete(slices.Clone(p.Approvals), at, at+1)
		return nil, st.Set(governance.ProposalKey(id), wire.Marshal(p))
	}, nil
}

// execute ends a proposal first, so that the order already finds it gone.
func execute(c *ledger.Call, a *governance.Authorities, id wire.Hash, p *governance.Proposal) ([]byte, error) {
	if err := end(c.State(governance.Name), a, id, p, governance.Executed, c.Height, c.TimeMs); err != nil {
		return nil, err
	}
	result, err := c.Govern(p.Family, p.Order, p.Counted(a) == len(a.Accounts))
	if err != nil {
		return nil, err
	}
	if len(result) > governance.MaxResult {
		return nil, fmt.Errorf("family %s answers an order with %d bytes, at most %d", p.Family, len(result), governance.MaxResult)
	}
	return answer(id, true, result), nil
}

func answer(id wire.Hash, executed bool, result []byte) []byte {
	return (&governance.Answer{ID: id, Executed: executed, Result: result}).Bytes()
}
