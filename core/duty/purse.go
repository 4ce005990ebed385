package duty

import (
	"fmt"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// purse is what the core's account has left after the jobs that are listed.
type purse struct{ token.Balance }

func purseOf(v *ledger.View, a wire.Account) (*purse, error) {
	p := new(purse)
	raw, err := v.Get(token.Name, token.BalanceKey(a))
	if err != nil || raw == nil {
		return p, err
	}
	if err := wire.Unmarshal(raw, &p.Balance, ledger.MaxValue); err != nil {
		return nil, fmt.Errorf("duty: balance of %s: %w", a, err)
	}
	return p, nil
}

// pay takes credits and gas, or nothing if either is too little.
func (p *purse) pay(credits, gas uint64) bool {
	if p.Credits < credits || p.Factoshis < gas {
		return false
	}
	p.Credits -= credits
	p.Factoshis -= gas
	return true
}

// evidencePrice bounds what the hardware family asks for evidence of a CPU, in
// entry credits, before there is any: its parts by the KiB, and the work.
const evidencePrice = 32

// price bounds what it asks for any other payload, with the transaction around it.
func price(payload []byte) uint64 { return uint64(len(payload)+envelope+1023) / 1024 }

// envelope bounds the bytes of a transaction besides its payload.
const envelope = 512
