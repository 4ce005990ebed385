package hardware

import (
	"encoding/binary"
	"fmt"

	"cloister/core/families/token"
	"cloister/wire"
	"cloister/wire/hardware"
	money "cloister/wire/token"
)

// tokenFamily keeps the accounts that gas comes from: gas is factoshis.
const tokenFamily = money.Name

// take moves gas of an account into the pot. It refuses with code.
func (b *book) take(from wire.Account, amount uint64, code wire.Code) error {
	if amount == 0 {
		return nil
	}
	has, err := token.Spendable(b.state(tokenFamily), from)
	if err != nil {
		return err
	}
	o := b.ower(from)
	if has += o.out; has < o.in+amount || from == token.Pot(hardware.Name) {
		return wire.Faultf(code, "%d factoshis are needed, the account has %d", amount, has-min(has, o.in))
	}
	o.in += amount
	return nil
}

// give moves gas of the pot to an account.
func (b *book) give(to wire.Account, amount uint64) {
	if amount > 0 {
		b.ower(to).out += amount
	}
}

func (b *book) ower(a wire.Account) *balance {
	o := b.owed[a]
	if o == nil {
		o = new(balance)
		b.owed[a] = o
		b.owers = append(b.owers, a)
		b.weight += keyWeight + 2*rowWeight
	}
	return o
}

// prepaid is an account's prepaid gas.
func (b *book) prepaid(a wire.Account) (uint64, error) {
	raw, err := b.bytesAt(hardware.PrepaidKey(a))
	if err != nil || raw == nil {
		return 0, err
	}
	if len(raw) != 8 {
		return 0, fmt.Errorf("hardware: prepaid gas of %s has %d bytes", a, len(raw))
	}
	return binary.BigEndian.Uint64(raw), nil
}

func (b *book) setPrepaid(a wire.Account, amount uint64) error {
	had, err := b.prepaid(a)
	if err != nil {
		return err
	}
	b.totals.Prepaid += amount - had
	if amount == 0 {
		return b.drop(hardware.PrepaidKey(a))
	}
	p, err := b.page(hardware.PrepaidKey(a), 8)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint64(p, amount)
	return nil
}

func (x *handling) deposit(p *hardware.Deposit) error {
	had, err := x.prepaid(x.Payer)
	if err != nil {
		return err
	}
	if p.Amount > hardware.MaxAmount-had {
		return wire.Faultf(wire.ErrBadAmount, "%d on top of %d", p.Amount, had)
	}
	if err := x.take(x.Payer, p.Amount, wire.ErrInsufficientFunds); err != nil {
		return err
	}
	return x.setPrepaid(x.Payer, had+p.Amount)
}

func (x *handling) withdraw(p *hardware.Withdraw) error {
	had, err := x.prepaid(x.Payer)
	if err != nil {
		return err
	}
	if p.Amount > had {
		return wire.Faultf(wire.ErrGas, "%d factoshis of prepaid gas are asked for, there are %d", p.Amount, had)
	}
	x.give(x.Payer, p.Amount)
	return x.setPrepaid(x.Payer, had-p.Amount)
}
