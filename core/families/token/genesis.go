package token

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// MaxRate bounds the price of an entry credit in factoshis, so that no fee can
// overflow: a fee is below 4096 rates.
const MaxRate = token.MaxAmount / 4096

// Genesis implements ledger.Family; params is a token.Params.
func (Family) Genesis(st ledger.State, params json.RawMessage) error {
	var p token.Params
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return fmt.Errorf("parameters: %w", err)
	}
	if p.Rate == 0 || p.Rate > MaxRate {
		return fmt.Errorf("rate must be 1 to %d factoshis per entry credit", uint64(MaxRate))
	}
	s := token.Supply{Rate: p.Rate}
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
	}
	return ledger.Save(st, token.SupplyKey, s)
}
