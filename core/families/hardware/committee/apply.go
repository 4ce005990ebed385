package committee

import (
	"fmt"

	"cloister/wire"
)

// Book is where a plan is carried out. An error stops it where it is.
type Book interface {
	// Credit is a device's balance. device is zero unless who is Verifier.
	Credit(who Who, device wire.Hash) (uint64, error)
	// SetCredit replaces the balance that Credit gave.
	SetCredit(who Who, device wire.Hash, credit uint64) error
	// Gas carries out a Pay or a Bond.
	Gas(m Move) error
}

// Effect is what a plan did to the sum of all credit.
type Effect struct {
	Minted, Burned uint64
	// Taken has for each move what it really took from a device's credit: a
	// dispute gives back no more.
	Taken []uint64
}

// Apply carries a plan out, move by move, with saturated debits. It refuses
// nothing but what the book refuses.
func Apply(plan []Move, book Book) (e Effect, err error) {
	e.Taken = make([]uint64, len(plan))
	for i, m := range plan {
		if m.Op == Pay || m.Op == Bond {
			if err := book.Gas(m); err != nil {
				return e, err
			}
			continue
		}
		credit, err := book.Credit(m.Who, m.Device)
		if err != nil {
			return e, err
		}
		switch m.Op {
		case Mint:
			credit += m.Amount
			e.Minted += m.Amount
		case Debit:
			e.Taken[i] = min(credit, m.Amount)
			credit -= e.Taken[i]
			e.Burned += e.Taken[i]
		default:
			panic(fmt.Sprintf("committee: no move has op %d", m.Op))
		}
		if err := book.SetCredit(m.Who, m.Device, credit); err != nil {
			return e, err
		}
	}
	return e, nil
}
