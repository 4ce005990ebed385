package token

import (
	"fmt"

	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// WindowMs is how far a message's own time may be from the opening of the period
// that orders it, in ms.
const WindowMs = 12 * 60 * 60 * 1000

// Family implements ledger.Family, ledger.Charger, ledger.Carrier and
// ledger.Governed.
type Family struct{}

var (
	_ ledger.Charger  = Family{}
	_ ledger.Carrier  = Family{}
	_ ledger.Governed = Family{}
)

// Name implements ledger.Family.
func (Family) Name() string { return token.Name }

// transfer is a checked payload.
type transfer struct {
	*factom.Transaction
	bytes []byte
	txid  wire.Hash
}

// Check implements ledger.Family: the payload is one factoid transaction.
func (Family) Check(tx *wire.Tx) (any, error) {
	t, rest, err := factom.ParseTransaction(tx.Payload)
	switch {
	case err != nil:
		return nil, err
	case len(rest) > 0:
		return nil, wire.Faultf(wire.ErrTransactionMalformed, "%d bytes follow the transaction", len(rest))
	}
	return &transfer{t, tx.Payload, t.TXID()}, nil
}

// Signed implements ledger.Carrier.
func (Family) Signed(payload any) ([]wire.Signed, bool) {
	return payload.(*transfer).Transaction.Signed(), true
}

// Price is nothing: the fee is part of the transaction.
func (Family) Price(*ledger.Call) (ledger.Price, error) { return ledger.Price{}, nil }

// Admit implements ledger.Family.
func (Family) Admit(c *ledger.Call) error {
	_, err := judge(c)
	return err
}

// Execute carries the transaction out. The output is its TXID.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	p := c.Payload.(*transfer)
	supply, err := judge(c)
	if err != nil {
		return nil, err
	}
	st := c.State(token.Name)
	// Inputs before outputs: an output may go to an input's account.
	for i := range p.Inputs {
		if err := take(st, wire.Account(p.Inputs[i].Address), p.Inputs[i].Amount); err != nil {
			return nil, err
		}
	}
	for i := range p.Outputs {
		if err := give(st, wire.Account(p.Outputs[i].Address), p.Outputs[i].Amount, 0); err != nil {
			return nil, err
		}
	}
	period, recorded, err := directory.Current(c.State(record.Name), c.TimeMs)
	if err != nil {
		return nil, err
	}
	if recorded {
		if err := period.AddFactoid(c.State(record.Name), c.Height, p.bytes); err != nil {
			return nil, err
		}
	}
	for i := range p.ECOutputs {
		out := &p.ECOutputs[i]
		bought := out.Amount / supply.Rate
		if err := give(st, wire.AccountOf(wire.PublicKey(out.Address)), 0, bought); err != nil {
			return nil, err
		}
		supply.Credits += bought
		if !recorded {
			continue
		}
		increase := &factom.BalanceIncrease{Key: wire.PublicKey(out.Address), TXID: p.txid, Index: uint64(i), Credits: bought}
		if err := period.AddCredit(c.State(record.Name), c.Height, factom.IncreaseObject(increase)); err != nil {
			return nil, err
		}
	}
	// What inputs exceed outputs by is burnt, whether or not the fee was less.
	burnt := p.TotalInputs() - p.TotalOutputs()
	supply.Factoshis -= burnt
	supply.Burnt += burnt
	c.Charged(ledger.Price{Fee: burnt - p.TotalECOutputs()})
	return p.txid[:], ledger.Save(st, token.SupplyKey, supply)
}

// judge says why a transaction has no effect, cheap questions first, and gives
// the supply.
func judge(c *ledger.Call) (token.Supply, error) {
	p, st := c.Payload.(*transfer), c.State(token.Name)
	s, err := supply(st)
	if err != nil {
		return s, err
	}
	if err := timely(c, p.TimestampMs); err != nil {
		return s, err
	}
	// It names its inputs, so nobody else's transaction has this id. Whoever sends
	// it again learns first that it arrived.
	fresh, err := c.Once(p.txid, p.TimestampMs+2*WindowMs)
	if err == nil && !fresh {
		err = wire.Faultf(wire.ErrReplayed, "factoid transaction %s", p.txid)
	}
	if err != nil {
		return s, err
	}
	// No sum overflows: each is at most MaxAmount, half of what a uint64 holds.
	out := p.TotalOutputs() + p.TotalECOutputs()
	if fee := p.Fee(s.Rate); p.TotalInputs() < out || p.TotalInputs()-out < fee {
		return s, wire.Faultf(wire.ErrFeeTooLow, "inputs are %d factoshis; outputs are %d and the fee is %d at rate %d",
			p.TotalInputs(), out, fee, s.Rate)
	}
	return s, covered(st, p.Inputs)
}

// timely checks a message's own time against the period that orders it.
func timely(c *ledger.Call, timeMs uint64) error {
	opened := c.TimeMs
	period, recorded, err := directory.Current(c.State(record.Name), c.TimeMs)
	if err != nil {
		return err
	}
	if recorded {
		opened = period.OpenedMs
	}
	return Window(timeMs, opened)
}

// Window checks that a message's own time is within WindowMs of the opening of
// the period that orders it.
func Window(timeMs, openedMs uint64) error {
	if timeMs+WindowMs < openedMs || timeMs > openedMs+WindowMs {
		return wire.Faultf(wire.ErrOutsideWindow, "the message's time is %d, the period began at %d", timeMs, openedMs)
	}
	return nil
}

// covered checks that each account has what all inputs together take from it.
func covered(st ledger.State, inputs []factom.TransAddress) error {
	sums := make(map[wire.Hash]uint64, len(inputs))
	for i := range inputs { // in order, so that every node refuses for the same one
		in := &inputs[i]
		sums[in.Address] += in.Amount
		b, err := balance(st, wire.Account(in.Address))
		if err != nil {
			return err
		}
		if sums[in.Address] > b.Factoshis {
			return wire.Faultf(wire.ErrInsufficientFunds, "inputs take %d factoshis from %s, which has %d",
				sums[in.Address], wire.FactoidAddress(wire.Account(in.Address)), b.Factoshis)
		}
	}
	return nil
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

// Affords refuses with ErrInsufficientCredits what Charge would.
func Affords(st ledger.State, payer wire.Account, credits uint64) error {
	b, err := balance(st, payer)
	if err == nil && b.Credits < credits {
		err = wire.Faultf(wire.ErrInsufficientCredits, "it costs %d entry credits, the payer has %d", credits, b.Credits)
	}
	return err
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

func take(st ledger.State, from wire.Account, factoshis uint64) error {
	b, err := balance(st, from)
	if err != nil {
		return err
	}
	if b.Factoshis < factoshis {
		return fmt.Errorf("token: %d factoshis are taken from an account that has %d", factoshis, b.Factoshis)
	}
	b.Factoshis -= factoshis
	return ledger.Save(st, token.BalanceKey(from), b)
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
