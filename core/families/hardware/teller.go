package hardware

import (
	"fmt"

	"cloister/core/families/hardware/committee"
	"cloister/wire"
	"cloister/wire/hardware"
)

// teller carries out the plans of package committee on a book.
type teller struct {
	*book
	task     *hardware.Task
	testee   *hardware.Device
	seats    *seats
	disputer *hardware.Device // nil if nobody disputes
}

var _ committee.Book = (*teller)(nil)

func (t *teller) seat(device wire.Hash) *hardware.Seat {
	for i := range t.seats.List {
		if t.seats.List[i].Device == device {
			return &t.seats.List[i]
		}
	}
	panic(fmt.Sprintf("hardware: device %s is paid for a seat it has not", device))
}

// ordinal is where a party keeps its credit; 0: nowhere.
func (t *teller) ordinal(who committee.Who, device wire.Hash) (uint32, error) {
	switch who {
	case committee.Testee:
		return t.testee.Ordinal, nil
	case committee.Disputer:
		return t.disputer.Ordinal, nil
	}
	d, err := t.device(device)
	if err != nil {
		return 0, err
	}
	return d.Ordinal, nil
}

// Credit implements committee.Book. A pending device has none.
func (t *teller) Credit(who committee.Who, device wire.Hash) (uint64, error) {
	ordinal, err := t.ordinal(who, device)
	if err != nil || ordinal == 0 {
		return 0, err
	}
	return t.credit(ordinal)
}

// SetCredit implements committee.Book. What would exceed all that can be counted
// is not minted: there is nobody to refuse it to.
func (t *teller) SetCredit(who committee.Who, device wire.Hash, credit uint64) error {
	ordinal, err := t.ordinal(who, device)
	if err != nil || ordinal == 0 {
		return err
	}
	had, err := t.credit(ordinal)
	if err != nil {
		return err
	}
	if credit > had {
		credit = had + min(credit-had, committee.MaxCredit-t.totals.Credit)
	}
	t.totals.Credit += credit - had
	return t.setCredit(ordinal, credit)
}

// Gas implements committee.Book.
func (t *teller) Gas(m committee.Move) error {
	t.totals.Held -= m.Amount
	if m.Op == committee.Pay {
		t.task.Escrow -= m.Amount
	}
	switch {
	case m.Who == committee.Treasury:
		t.totals.Treasury += m.Amount
	case m.Op == committee.Bond:
		t.give(t.seat(m.Device).Payer, m.Amount)
	case m.Who == committee.Verifier:
		v, err := t.device(m.Device)
		if err != nil {
			return err
		}
		t.give(v.Owner, m.Amount)
	case t.task.Prepaid:
		had, err := t.prepaid(t.task.Payer)
		if err != nil {
			return err
		}
		return t.setPrepaid(t.task.Payer, had+m.Amount)
	default:
		t.give(t.task.Payer, m.Amount)
	}
	return nil
}
