package hardware

import (
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// CheckOrder implements ledger.Governed.
func (Family) CheckOrder(order []byte) error {
	kind, err := trust.KindOf(order)
	if err != nil {
		return err
	}
	if kind <= trust.LastKind {
		_, err := trust.Decode(order)
		return err
	}
	o, err := hardware.DecodeOrder(order)
	if err != nil {
		return err
	}
	if p, ok := o.(*hardware.ParamsSet); ok {
		_, err = decodeParams(p.Params)
	}
	return err
}

// decodeParams reads parameters strictly. Errors carry ErrMalformed.
func decodeParams(b []byte) (*Params, error) {
	p := new(Params)
	if err := wire.Unmarshal(b, p, hardware.MaxOrder); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "parameters: %v", err)
	}
	if err := p.Check(); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "parameters: %v", err)
	}
	return p, nil
}

// Govern implements ledger.Governed: orders about what is trusted go to the
// tables.
func (f Family) Govern(c *ledger.Call, order []byte, unanimous bool) ([]byte, error) {
	kind, err := trust.KindOf(order)
	if err != nil {
		return nil, err
	}
	if kind <= trust.LastKind {
		o, err := trust.Decode(order)
		if err != nil {
			return nil, err
		}
		return nil, tables.Apply(c.State(hardware.Name), o, c.Height, c.TimeMs, unanimous)
	}
	o, err := hardware.DecodeOrder(order)
	if err != nil {
		return nil, err
	}
	b, err := bookOf(c)
	if err != nil {
		return nil, err
	}
	if err := b.govern(o); err != nil {
		return nil, err
	}
	return nil, b.flush()
}

func (b *book) govern(order hardware.Order) error {
	switch o := order.(type) {
	case *hardware.DeviceRevoke:
		d, err := b.device(o.Device)
		if err != nil {
			return err
		}
		return b.end(o.Device, d)
	case *hardware.ParamsSet:
		p, err := decodeParams(o.Params)
		if err != nil {
			return err
		}
		return save(b, hardware.NextParamsKey, p)
	case *hardware.TreasuryPay:
		if o.Amount > b.totals.Treasury {
			return wire.Faultf(wire.ErrInsufficientFunds, "the treasury has %d", b.totals.Treasury)
		}
		b.totals.Treasury -= o.Amount
		b.give(o.To, o.Amount)
		return nil
	}
	return wire.Faultf(wire.ErrMalformed, "no rule for a %T", order)
}

// adopt puts parameters in force that were ordered in the epoch that ends.
func (b *book) adopt() error {
	next, err := row[Params](b, hardware.NextParamsKey)
	if err != nil || next == nil {
		return err
	}
	b.totals.Params++
	if err := save(b, hardware.ParamsKey(b.totals.Params), next); err != nil {
		return err
	}
	return b.drop(hardware.NextParamsKey)
}
