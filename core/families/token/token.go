package token

import (
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// Family implements ledger.Family and ledger.Charger.
type Family struct{}

var _ ledger.Charger = Family{}

// Name implements ledger.Family.
func (Family) Name() string { return token.Name }

// Check implements ledger.Family; the payload is a *token.Payload.
func (Family) Check(tx *wire.Tx) (any, error) { return token.Decode(tx.Payload) }

// Price is the fee, burnt from the payer's factoids.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	s, err := supply(c.State(token.Name))
	if err != nil {
		return ledger.Price{}, err
	}
	return ledger.Price{Fee: c.Payload.(*token.Payload).Fee(s.Rate, c.Size)}, nil
}

// Admit refuses what the payer cannot cover, or what buys nothing.
func (Family) Admit(c *ledger.Call) error {
	st, p := c.State(token.Name), c.Payload.(*token.Payload)
	payer, err := balance(st, c.Payer)
	if err != nil {
		return err
	}
	s, err := supply(st)
	if err != nil {
		return err
	}
	if err := worthACredit(p, s.Rate); err != nil {
		return err
	}
	return covered(payer, p)
}

// Execute takes the sum of all outputs from the payer and gives them out. What
// is paid for credits is burnt, with the remainder that buys no whole one.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	st, p := c.State(token.Name), c.Payload.(*token.Payload)
	payer, err := balance(st, c.Payer)
	if err != nil {
		return nil, err
	}
	s, err := supply(st)
	if err != nil {
		return nil, err
	}
	if err := worthACredit(p, s.Rate); err != nil {
		return nil, err
	}
	if err := covered(payer, p); err != nil {
		return nil, err
	}
	total, _ := p.Total()
	payer.Factoshis -= total
	// Saved before any output is looked at: an output may go to the payer.
	if err := ledger.Save(st, token.BalanceKey(c.Payer), payer); err != nil {
		return nil, err
	}
	for _, o := range p.Transfers {
		if err := give(st, o.To, o.Amount, 0); err != nil {
			return nil, err
		}
	}
	for _, o := range p.Credits {
		bought := o.Amount / s.Rate
		if err := give(st, o.To, 0, bought); err != nil {
			return nil, err
		}
		s.Factoshis -= o.Amount
		s.Burnt += o.Amount
		s.Credits += bought
	}
	if len(p.Credits) == 0 {
		return nil, nil
	}
	return nil, ledger.Save(st, token.SupplyKey, s)
}

// Charge implements ledger.Charger.
func (Family) Charge(st ledger.State, payer wire.Account, p ledger.Price) error {
	b, err := balance(st, payer)
	if err != nil {
		return err
	}
	switch {
	case b.Credits < p.Credits:
		return wire.Faultf(wire.ErrInsufficientCredits, "it costs %d entry credits, the payer has %d", p.Credits, b.Credits)
	case b.Factoshis < p.Fee:
		return wire.Faultf(wire.ErrInsufficientFunds, "the fee is %d factoshis, the payer has %d", p.Fee, b.Factoshis)
	}
	s, err := supply(st)
	if err != nil {
		return err
	}
	b.Credits -= p.Credits
	b.Factoshis -= p.Fee
	s.Credits -= p.Credits
	s.Spent += p.Credits
	s.Factoshis -= p.Fee
	s.Burnt += p.Fee
	if err := ledger.Save(st, token.BalanceKey(payer), b); err != nil {
		return err
	}
	return ledger.Save(st, token.SupplyKey, s)
}

func balance(st ledger.State, a wire.Account) (token.Balance, error) {
	b, _, err := ledger.Load[token.Balance](st, token.BalanceKey(a))
	return b, err
}

func supply(st ledger.State) (token.Supply, error) {
	s, ok, err := ledger.Load[token.Supply](st, token.SupplyKey)
	if err == nil && !ok {
		err = fmt.Errorf("token: no supply in state")
	}
	return s, err
}

// covered checks that the payer has what the outputs give out; the fee is
// already paid.
func covered(payer token.Balance, p *token.Payload) error {
	if total, _ := p.Total(); total > payer.Factoshis {
		return wire.Faultf(wire.ErrInsufficientFunds, "outputs are %d factoshis, the payer has %d after the fee", total, payer.Factoshis)
	}
	return nil
}

// worthACredit refuses purchases that would burn money for nothing. In factomd
// they are legal; nobody can want one.
func worthACredit(p *token.Payload, rate uint64) error {
	for _, o := range p.Credits {
		if o.Amount < rate {
			return wire.Faultf(wire.ErrBadAmount, "%d factoshis buy no entry credit, one costs %d", o.Amount, rate)
		}
	}
	return nil
}

func give(st ledger.State, to wire.Account, factoshis, credits uint64) error {
	b, err := balance(st, to)
	if err != nil {
		return err
	}
	b.Factoshis += factoshis
	b.Credits += credits
	return ledger.Save(st, token.BalanceKey(to), b)
}
