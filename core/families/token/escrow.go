package token

import (
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// Pot is the account in which a family keeps what it holds for others. Its
// name is a tagged hash, so nobody has a key of it, and only Release pays from it.
func Pot(family string) wire.Account {
	return wire.Account(wire.TH("cloister/pot/v1", []byte(family)))
}

// Hold moves factoshis of an account into a family's pot. st is the token
// family's state. It refuses with ErrInsufficientFunds; no factoid is made or
// burnt, so the supply stays.
func Hold(st ledger.State, family string, from wire.Account, amount uint64) error {
	b, err := balance(st, from)
	if err != nil {
		return err
	}
	if from == Pot(family) || b.Factoshis < amount {
		return wire.Faultf(wire.ErrInsufficientFunds, "%d factoshis are to be held, the account has %d", amount, b.Factoshis)
	}
	b.Factoshis -= amount
	if err := ledger.Save(st, token.BalanceKey(from), b); err != nil {
		return err
	}
	return give(st, Pot(family), amount, 0)
}

// Release moves factoshis out of a family's pot. That the pot has less means
// that the family's books are wrong: the error carries no code.
func Release(st ledger.State, family string, to wire.Account, amount uint64) error {
	pot := Pot(family)
	b, err := balance(st, pot)
	if err != nil {
		return err
	}
	if b.Factoshis < amount {
		return fmt.Errorf("token: family %s releases %d factoshis and holds %d", family, amount, b.Factoshis)
	}
	b.Factoshis -= amount
	if err := ledger.Save(st, token.BalanceKey(pot), b); err != nil {
		return err
	}
	return give(st, to, amount, 0)
}

// Spendable is how many factoshis an account has.
func Spendable(st ledger.State, a wire.Account) (uint64, error) {
	b, err := balance(st, a)
	return b.Factoshis, err
}
