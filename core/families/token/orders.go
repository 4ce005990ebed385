package token

import (
	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// rateNotice is how many directory blocks ahead a rate has to be decided.
const rateNotice = 2

// CheckOrder implements ledger.Governed.
func (Family) CheckOrder(order []byte) error {
	_, err := token.DecodeOrder(order)
	return err
}

// Govern implements ledger.Governed.
func (Family) Govern(c *ledger.Call, order []byte, _ bool) ([]byte, error) {
	o, err := token.DecodeOrder(order)
	if err != nil {
		return nil, err
	}
	data := c.State(record.Name)
	period, recorded, err := directory.Current(data, c.TimeMs)
	switch {
	case err != nil:
		return nil, err
	case !recorded:
		return nil, wire.Faultf(wire.ErrUnknownFamily, "rates and coinbase follow directory blocks, and family %q is not enabled", record.Name)
	case o.Rate != nil:
		return nil, setRate(c, &period, o.Rate)
	}
	return nil, cancel(c, &period, o.Cancel)
}

// setRate makes a rate the coming one, in place of one that was coming.
func setRate(c *ledger.Call, period *directory.Open, r *token.Rate) error {
	next := token.Rate{Factoshis: r.Factoshis, From: max(r.From, period.Height+rateNotice)}
	if err := ledger.Save(c.State(token.Name).Aside(), comingKey, next); err != nil {
		return err
	}
	return directory.SetRates(c.State(record.Name), period.Rate, next.Factoshis)
}

// cancel takes one output of a promised coinbase back.
func cancel(c *ledger.Call, period *directory.Open, x *token.Cancel) error {
	st := c.State(token.Name)
	d, err := loadDescriptor(st, x.Height)
	switch {
	case err != nil:
		return err
	case d == nil || int(x.Index) >= len(d.Outputs) || d.Outputs[x.Index].Amount == 0:
		return wire.Faultf(wire.ErrNotFound, "directory block %d promises no output %d that is still to be paid", x.Height, x.Index)
	}
	d.Outputs[x.Index].Amount = 0
	if err := st.Aside().Set(descriptorKey(x.Height), wire.Marshal(d)); err != nil {
		return err
	}
	return period.AddAdmin(c.State(record.Name), c.Height, &factom.CoinbaseCancel{Height: uint64(x.Height), Index: uint64(x.Index)})
}
