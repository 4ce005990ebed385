package hardware

import (
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/hardware"
)

// mint adds credit. It carries ErrCreditOverflow.
func (b *book) mint(ordinal uint32, amount uint64) error {
	if amount > committee.MaxCredit || b.totals.Credit > committee.MaxCredit-amount {
		return wire.Faultf(wire.ErrCreditOverflow, "%d on top of %d", amount, b.totals.Credit)
	}
	has, err := b.credit(ordinal)
	if err != nil {
		return err
	}
	b.totals.Credit += amount
	return b.setCredit(ordinal, has+amount)
}

// debit takes credit, as much as there is, and says how much.
func (b *book) debit(ordinal uint32, amount uint64) (taken uint64, err error) {
	has, err := b.credit(ordinal)
	if err != nil {
		return 0, err
	}
	taken = min(has, amount)
	b.totals.Credit -= taken
	return taken, b.setCredit(ordinal, has-taken)
}

// mintShare is the part of the cap that other parts of the ledger may mint in
// an epoch (specification §3.3).
const mintShare = 100

// Adjust changes a device's credit for another part of the ledger: for work
// done, or left undone. A debit takes at most what there is. It carries
// ErrDeviceUnknown, ErrCreditMintCap and ErrCreditOverflow. Never called with an
// amount that a user chose.
func Adjust(c *ledger.Call, device wire.Hash, amount int64) error {
	b, err := bookOf(c)
	if err != nil {
		return err
	}
	d, err := b.registered(device)
	if err != nil {
		return err
	}
	if amount < 0 {
		if _, err := b.debit(d.Ordinal, uint64(-amount)); err != nil {
			return err
		}
		return b.flush()
	}
	p, err := b.params(b.totals.Params)
	if err != nil {
		return err
	}
	if limit := p.Committee.Cap / mintShare; uint64(amount) > limit || b.totals.Minted > limit-uint64(amount) {
		return wire.Faultf(wire.ErrCreditMintCap, "%d of %d are minted in this epoch, %d more are asked for", b.totals.Minted, limit, amount)
	}
	b.totals.Minted += uint64(amount)
	if err := b.mint(d.Ordinal, uint64(amount)); err != nil {
		return err
	}
	return b.flush()
}

// normalise brings all credit back to the cap if there is too much of it.
func (b *book) normalise(p *Params) error {
	if !p.Committee.Inflated(b.totals.Credit) {
		return nil
	}
	rows := make([]committee.Row, b.totals.Devices)
	ordinals := make(map[wire.Hash]uint32, len(rows))
	for i := range rows {
		ordinal := uint32(i + 1)
		id, err := b.idAt(ordinal)
		if err != nil {
			return err
		}
		credit, err := b.credit(ordinal)
		if err != nil {
			return err
		}
		rows[i] = committee.Row{ID: id, Balance: credit}
		ordinals[id] = ordinal
	}
	sortRows(rows)
	sum := uint64(0)
	for _, r := range rows {
		sum += r.Balance
	}
	if sum != b.totals.Credit {
		return fmt.Errorf("hardware: credit is %d, the rows sum to %d", b.totals.Credit, sum)
	}
	committee.Normalize(rows, p.Committee.Cap)
	for _, r := range rows {
		if err := b.setCredit(ordinals[r.ID], r.Balance); err != nil {
			return err
		}
	}
	b.totals.Credit, b.totals.Normalised = p.Committee.Cap, b.height
	return nil
}

// registered finds a device that has an ordinal, whatever its status.
func (b *book) registered(id wire.Hash) (*hardware.Device, error) {
	d, err := b.device(id)
	if err == nil && d.Ordinal == 0 {
		err = wire.Faultf(wire.ErrDeviceStatus, "device %s is pending", id)
	}
	return d, err
}
