package token

import (
	"cloister/wire"
)

// Name is the family's name in transactions.
const Name = "token"

// MaxOutputs bounds the outputs of one payload; MaxAmount one amount.
const (
	MaxOutputs = 255
	MaxAmount  = 1<<63 - 1
)

// Output pays Amount factoshis to an account.
type Output struct {
	_      struct{} `cbor:",toarray"`
	To     wire.Account
	Amount uint64
}

// Payload moves factoids: Transfers credit accounts with factoids, Credits buy
// entry credits for accounts at the rate in force. At least one output.
type Payload struct {
	_         struct{} `cbor:",toarray"`
	Transfers []Output
	Credits   []Output // Amount is in factoshis; floor(Amount/rate) credits are given
}

// Bytes encodes the payload.
func (p *Payload) Bytes() []byte { return wire.Marshal(p) }

// Decode reads a payload strictly.
func Decode(b []byte) (*Payload, error) {
	p := new(Payload)
	if err := wire.Unmarshal(b, p, wire.MaxPayload); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "token payload: %v", err)
	}
	n := len(p.Transfers) + len(p.Credits)
	if n == 0 || n > MaxOutputs {
		return nil, wire.Faultf(wire.ErrMalformed, "token payload has %d outputs, 1 to %d", n, MaxOutputs)
	}
	if _, ok := p.Total(); !ok {
		return nil, wire.Faultf(wire.ErrBadAmount, "an amount is zero, or the sum exceeds %d factoshis", uint64(MaxAmount))
	}
	return p, nil
}

// Total is the sum of all outputs; false if an amount is zero or it overflows.
func (p *Payload) Total() (sum uint64, ok bool) {
	for _, list := range [][]Output{p.Transfers, p.Credits} {
		for _, o := range list {
			if o.Amount == 0 || o.Amount > MaxAmount || sum+o.Amount > MaxAmount {
				return 0, false
			}
			sum += o.Amount
		}
	}
	return sum, true
}

// Fee is what a transaction with an encoding of size bytes burns, in
// factoshis: rate × (KiB begun + 10 per output + one signature).
func (p *Payload) Fee(rate uint64, size int) uint64 {
	return rate * (uint64((size+1023)/1024) + 10*uint64(len(p.Transfers)+len(p.Credits)) + 1)
}

// Balance is an account's state, stored under BalanceKey.
type Balance struct {
	_         struct{} `cbor:",toarray"`
	Factoshis uint64
	Credits   uint64
}

// BalanceKey is the state key of an account within the family.
func BalanceKey(a wire.Account) []byte { return append([]byte("b"), a[:]...) }

// SupplyKey is the state key of Supply.
var SupplyKey = []byte("s")

// Supply is the sum over all accounts, and the rate in force.
type Supply struct {
	_         struct{} `cbor:",toarray"`
	Factoshis uint64   // in existence
	Burnt     uint64   // fees and purchases, ever
	Credits   uint64   // unspent
	Spent     uint64   // credits spent, ever
	Rate      uint64   // factoshis per entry credit
}

// Params are the family's genesis parameters.
type Params struct {
	Rate        uint64       `json:"rate"`
	Allocations []Allocation `json:"allocations"`
}

// Allocation funds an account at genesis. Address is a factoid address or 64 hex digits.
type Allocation struct {
	Address   string `json:"address"`
	Factoshis uint64 `json:"factoshis"`
	Credits   uint64 `json:"credits"`
}
