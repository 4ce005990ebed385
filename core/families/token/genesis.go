package token

import (
	"encoding/json"
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// Genesis implements ledger.Family; params is a token.Params.
func (Family) Genesis(st ledger.State, params json.RawMessage) error {
	p, err := token.ParseParams(params)
	if err != nil {
		return err
	}
	s := token.Supply{Rate: p.Rate}
	var first opening
	seen := map[wire.Account]bool{}
	for _, a := range p.Allocations {
		account, err := wire.ParseAccount(a.Address)
		switch {
		case err != nil:
			return fmt.Errorf("allocation: %w", err)
		case seen[account]:
			return fmt.Errorf("allocation to %s twice", a.Address)
		case a.Factoshis > token.MaxAmount-s.Factoshis || a.Credits > token.MaxAmount-s.Credits:
			return fmt.Errorf("allocations exceed %d factoshis or credits", uint64(token.MaxAmount))
		}
		seen[account] = true
		s.Factoshis += a.Factoshis
		s.Credits += a.Credits
		b := token.Balance{Factoshis: a.Factoshis, Credits: a.Credits}
		if err := ledger.Save(st, token.BalanceKey(account), b); err != nil {
			return err
		}
		first.note(a, account)
	}
	if err := first.save(st); err != nil {
		return err
	}
	if p.Coinbase != nil {
		if err := ledger.Save(st.Aside(), coinbaseKey, *p.Coinbase); err != nil {
			return err
		}
	}
	return ledger.Save(st, token.SupplyKey, s)
}
