package token

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cloister/wire"
	"cloister/wire/factom"
)

// Name is the family's name in transactions.
const Name = "token"

// MaxAmount bounds one amount, and all there is, in factoshis.
const MaxAmount = 1<<63 - 1

// MaxRate bounds the price of an entry credit in factoshis, so that no fee can
// overflow: a fee is below 8192 rates.
const MaxRate = MaxAmount / 8192

// MaxAllocations bounds the accounts a genesis funds: they are the outputs of the
// first factoid block's first transaction.
const MaxAllocations = 240

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
	Minted    uint64   // paid to servers by coinbase transactions, ever
}

// Params are the family's genesis parameters.
type Params struct {
	Rate        uint64       `json:"rate"`
	Allocations []Allocation `json:"allocations"`
	Coinbase    *Coinbase    `json:"coinbase,omitempty"` // servers are not paid without it
}

// Allocation funds an account at genesis. Address is an FA or EC address or 64
// hex digits.
type Allocation struct {
	Address   string `json:"address"`
	Factoshis uint64 `json:"factoshis"`
	Credits   uint64 `json:"credits"`
}

// Coinbase says how servers are paid with new factoids: in every Every-th
// directory block a descriptor promises each of them Factoshis, to be paid Delay
// directory blocks later unless the authorities cancel it.
type Coinbase struct {
	Every     uint32 `json:"every"`
	Delay     uint32 `json:"delay"`
	Factoshis uint64 `json:"factoshis"`
}

// ParseParams reads the family's part of a genesis.
func ParseParams(params json.RawMessage) (*Params, error) {
	p := new(Params)
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	switch {
	case p.Rate == 0 || p.Rate > MaxRate:
		return nil, fmt.Errorf("rate must be 1 to %d factoshis per entry credit", uint64(MaxRate))
	case len(p.Allocations) > MaxAllocations:
		return nil, fmt.Errorf("%d allocations, at most %d", len(p.Allocations), MaxAllocations)
	case p.Coinbase != nil && (p.Coinbase.Every == 0 || p.Coinbase.Delay == 0 || p.Coinbase.Factoshis == 0 || p.Coinbase.Factoshis > MaxAmount/(1<<20)):
		return nil, fmt.Errorf("coinbase: every, delay and factoshis must be above zero, factoshis at most %d", uint64(MaxAmount/(1<<20)))
	}
	return p, nil
}

// Output pays Amount factoshis to an account.
type Output struct {
	To     wire.Account
	Amount uint64
}

// Purchase spends Amount factoshis on entry credits for a key: floor(Amount/rate) of them.
type Purchase struct {
	For    wire.PublicKey
	Amount uint64
}

// Pay makes the signed factoid transaction that moves factoids of a key's account
// to outputs and purchases, and pays the exact fee at a rate. timeMs is the
// signer's time, Unix milliseconds. Errors carry ErrBadAmount or ErrTooLarge.
func Pay(key wire.PrivateKey, timeMs, rate uint64, outputs []Output, purchases []Purchase) (*factom.Transaction, error) {
	t := &factom.Transaction{TimestampMs: timeMs}
	t.AddInput(0, wire.AccountOf(key.Public()))
	for _, o := range outputs {
		t.AddOutput(o.Amount, o.To)
	}
	for _, p := range purchases {
		t.AddCredits(p.Amount, p.For)
	}
	total, err := sum(outputs, purchases)
	if err != nil {
		return nil, err
	}
	// The fee is part of the input, whose size is part of the fee: it settles
	// after one or two rounds, since more money never takes fewer bytes.
	for fee := t.Fee(rate); t.Inputs[0].Amount < total+fee; fee = t.Fee(rate) {
		if total > MaxAmount-fee {
			return nil, badAmount()
		}
		t.Inputs[0].Amount = total + fee
	}
	return t, t.Sign(key)
}

func sum(outputs []Output, purchases []Purchase) (total uint64, err error) {
	if n := len(outputs) + len(purchases); n == 0 || len(outputs) > 255 || len(purchases) > 255 {
		return 0, wire.Faultf(wire.ErrTooLarge, "%d outputs, 1 to 255 of each kind", n)
	}
	amounts := make([]uint64, 0, len(outputs)+len(purchases))
	for _, o := range outputs {
		amounts = append(amounts, o.Amount)
	}
	for _, p := range purchases {
		amounts = append(amounts, p.Amount)
	}
	for _, a := range amounts {
		if a == 0 || a > MaxAmount || total > MaxAmount-a {
			return 0, badAmount()
		}
		total += a
	}
	return total, nil
}

func badAmount() error {
	return wire.Faultf(wire.ErrBadAmount, "an amount is zero, or the sum exceeds %d factoshis", uint64(MaxAmount))
}

// Order is one order of the authorities to the family; exactly one field is set.
type Order struct {
	_      struct{} `cbor:",toarray"`
	Rate   *Rate
	Cancel *Cancel
}

// Rate sets the price of an entry credit from a directory block on, two blocks
// ahead at the earliest, so that nobody underpays by surprise.
type Rate struct {
	_         struct{} `cbor:",toarray"`
	Factoshis uint64   // per entry credit
	From      uint32   // directory height
}

// Cancel takes one promised output of a coinbase descriptor back.
type Cancel struct {
	_      struct{} `cbor:",toarray"`
	Height uint32   // directory height of the descriptor
	Index  uint32
}

// Bytes encodes the order.
func (o *Order) Bytes() []byte { return wire.Marshal(o) }

// DecodeOrder reads an order strictly.
func DecodeOrder(b []byte) (*Order, error) {
	o := new(Order)
	if err := wire.Unmarshal(b, o, 256); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "order to the token family: %v", err)
	}
	switch {
	case (o.Rate == nil) == (o.Cancel == nil):
		return nil, wire.Faultf(wire.ErrMalformed, "an order says one thing")
	case o.Rate != nil && (o.Rate.Factoshis == 0 || o.Rate.Factoshis > MaxRate):
		return nil, wire.Faultf(wire.ErrBadAmount, "a rate is 1 to %d factoshis per entry credit", uint64(MaxRate))
	}
	return o, nil
}
