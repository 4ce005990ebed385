package token

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/factom"
)

var alice = wire.NewPrivateKey([32]byte{1})

func outputs(amounts ...uint64) (list []Output) {
	for i, a := range amounts {
		list = append(list, Output{To: wire.Account{byte(i + 1)}, Amount: a})
	}
	return list
}

func purchases(amounts ...uint64) (list []Purchase) {
	for i, a := range amounts {
		list = append(list, Purchase{For: wire.PublicKey{byte(i + 1)}, Amount: a})
	}
	return list
}

func ones(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

// What Pay makes reads back, is signed, and pays the fee to the factoshi.
func TestPayPaysTheExactFee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.OneOf(rapid.Uint64Range(1, 300), rapid.Uint64Range(1, 1<<50)), 0, 60)
		out, buy := outputs(amounts.Draw(t, "outputs")...), purchases(amounts.Draw(t, "purchases")...)
		rate := rapid.OneOf(rapid.Uint64Range(1, 2000), rapid.Uint64Range(1, MaxRate>>8)).Draw(t, "rate")
		tx, err := Pay(alice, 1_700_000_000_000, rate, out, buy)
		if len(out)+len(buy) == 0 {
			if wire.CodeOf(err) != wire.ErrTooLarge {
				t.Fatalf("no outputs: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		read, rest, err := factom.ParseTransaction(tx.Bytes())
		if err != nil || len(rest) > 0 || !bytes.Equal(read.Bytes(), tx.Bytes()) {
			t.Fatalf("%+v, %v", read, err)
		}
		want := uint64(0)
		for _, o := range out {
			want += o.Amount
		}
		for _, p := range buy {
			want += p.Amount
		}
		if got := read.TotalOutputs() + read.TotalECOutputs(); got != want {
			t.Fatalf("outputs are %d, want %d", got, want)
		}
		if read.TotalInputs() != want+read.Fee(rate) {
			t.Fatalf("inputs are %d, want %d and the fee of %d", read.TotalInputs(), want, read.Fee(rate))
		}
		for _, s := range read.Signed() {
			if !s.Verify() || s.Key != alice.Public() {
				t.Fatal("it is not signed by the payer")
			}
		}
	})
}

func TestAmountsNeitherVanishNorOverflow(t *testing.T) {
	const fee = 13 // one output at rate 1: a KiB, the output, a signature, and room for one more
	for name, x := range map[string]struct {
		out  []Output
		buy  []Purchase
		code wire.Code
	}{
		"largest":            {outputs(MaxAmount - 12), nil, wire.OK},
		"no room for a fee":  {outputs(MaxAmount - 11), nil, wire.ErrBadAmount},
		"largest in parts":   {outputs(MaxAmount - 5 - 32), purchases(2, 3), wire.OK},
		"one more in parts":  {outputs(MaxAmount - 5 - 31), purchases(2, 3), wire.ErrBadAmount},
		"one more":           {outputs(MaxAmount + 1), nil, wire.ErrBadAmount},
		"wraps around to 1":  {outputs(math.MaxUint64, 2), nil, wire.ErrBadAmount},
		"wraps around in 3":  {outputs(MaxAmount, MaxAmount), purchases(3), wire.ErrBadAmount},
		"zero":               {outputs(0), nil, wire.ErrBadAmount},
		"zero beside others": {outputs(fee), purchases(7, 0), wire.ErrBadAmount},
		"nothing":            {nil, nil, wire.ErrTooLarge},
		"most outputs":       {outputs(ones(200)...), purchases(ones(55)...), wire.OK},
		"too many outputs":   {outputs(ones(256)...), nil, wire.ErrTooLarge},
		"too many purchases": {nil, purchases(ones(256)...), wire.ErrTooLarge},
		"too many bytes":     {outputs(ones(200)...), purchases(ones(255)...), wire.ErrTransactionMalformed},
	} {
		if _, err := Pay(alice, 1, 1, x.out, x.buy); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Factom specification §5: the smallest purchase costs twelve times the rate
// besides what it buys.
func TestTheSmallestPurchaseCostsTwelveRates(t *testing.T) {
	tx, err := Pay(alice, 1_500_000_000_000, 1000, nil, []Purchase{{For: alice.Public(), Amount: 1_000_000}})
	if err != nil || tx.TotalInputs() != 1_012_000 {
		t.Fatalf("%+v, %v", tx, err)
	}
}

// The largest transaction there can be, at the largest rate, costs what a
// number holds.
func TestNoFeeOverflowsAtTheLargestRate(t *testing.T) {
	tx := &factom.Transaction{}
	for range 255 {
		tx.AddOutput(1, wire.Account{1})
		tx.AddCredits(1, wire.PublicKey{1})
	}
	for range 255 {
		tx.AddInput(1, wire.Account{1})
	}
	units := tx.Fee(1)
	if fee := tx.Fee(MaxRate); fee/MaxRate != units || fee > MaxAmount {
		t.Fatalf("fee %d for %d units", fee, units)
	}
}

func TestTheLargestTransactionFitsAPayload(t *testing.T) {
	if factom.MaxTransaction > wire.MaxPayload {
		t.Errorf("factoid transactions have up to %d bytes, a payload has room for %d", factom.MaxTransaction, wire.MaxPayload)
	}
}

// The genesis's allocations are the outputs of one transaction.
func TestTheLargestGenesisFitsACoinbase(t *testing.T) {
	tx := &factom.Transaction{TimestampMs: factom.MaxTimestampMs}
	for i := range MaxAllocations {
		tx.AddOutput(MaxAmount/MaxAllocations, wire.Account{byte(i)})
	}
	if _, _, err := factom.ParseCoinbase(tx.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func TestParametersAreBounded(t *testing.T) {
	coinbase := func(every, delay uint32, factoshis uint64) Params {
		return Params{Rate: 1, Coinbase: &Coinbase{Every: every, Delay: delay, Factoshis: factoshis}}
	}
	for name, x := range map[string]struct {
		p  Params
		ok bool
	}{
		"smallest rate":        {Params{Rate: 1}, true},
		"largest rate":         {Params{Rate: MaxRate}, true},
		"no rate":              {Params{}, false},
		"rate too high":        {Params{Rate: MaxRate + 1}, false},
		"most allocations":     {Params{Rate: 1, Allocations: make([]Allocation, MaxAllocations)}, true},
		"too many allocations": {Params{Rate: 1, Allocations: make([]Allocation, MaxAllocations+1)}, false},
		"coinbase":             {coinbase(1, 1, MaxAmount>>20), true},
		"never":                {coinbase(0, 1, 1), false},
		"at once":              {coinbase(1, 0, 1), false},
		"nothing":              {coinbase(1, 1, 0), false},
		"too much":             {coinbase(1, 1, MaxAmount>>20+1), false},
	} {
		b, err := json.Marshal(x.p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseParams(b); (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"none": "", "unknown field": `{"rate":1,"x":1}`, "no object": `7`} {
		if _, err := ParseParams([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOrdersSayExactlyOneThing(t *testing.T) {
	for name, x := range map[string]struct {
		o    Order
		code wire.Code
	}{
		"rate":          {Order{Rate: &Rate{Factoshis: MaxRate, From: 7}}, wire.OK},
		"cancel":        {Order{Cancel: &Cancel{Height: 3, Index: 1}}, wire.OK},
		"nothing":       {Order{}, wire.ErrMalformed},
		"two things":    {Order{Rate: &Rate{Factoshis: 1}, Cancel: &Cancel{}}, wire.ErrMalformed},
		"no rate":       {Order{Rate: &Rate{From: 7}}, wire.ErrBadAmount},
		"rate too high": {Order{Rate: &Rate{Factoshis: MaxRate + 1}}, wire.ErrBadAmount},
	} {
		got, err := DecodeOrder(x.o.Bytes())
		if wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !bytes.Equal(got.Bytes(), x.o.Bytes()) {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
	good := (&Order{Cancel: &Cancel{Height: 3}}).Bytes()
	for name, b := range map[string][]byte{
		"nothing": {}, "null": {0xf6}, "trailing": append(bytes.Clone(good), 0), "cut": good[:len(good)-1], "long": make([]byte, 257),
	} {
		if o, err := DecodeOrder(b); wire.CodeOf(err) != wire.ErrMalformed || o != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStateKeysDoNotMeet(t *testing.T) {
	a, b := BalanceKey(wire.Account{1}), BalanceKey(wire.Account{2})
	if bytes.Equal(a, b) || len(a) != 33 || bytes.Equal(a, SupplyKey) {
		t.Errorf("%x %x %x", a, b, SupplyKey)
	}
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add((&Order{Rate: &Rate{Factoshis: 1000, From: 7}}).Bytes())
	f.Add((&Order{Cancel: &Cancel{Height: 3, Index: 1}}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := DecodeOrder(b)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.ErrMalformed && c != wire.ErrBadAmount {
				t.Fatalf("%v carries %s", err, c)
			}
			return
		}
		if !bytes.Equal(o.Bytes(), b) {
			t.Fatalf("%x is a second encoding of %x", b, o.Bytes())
		}
	})
}

func FuzzParseParams(f *testing.F) {
	f.Add([]byte(`{"rate":1000,"allocations":[{"address":"FA1","factoshis":1}],"coinbase":{"every":1,"delay":2,"factoshis":3}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParams(b)
		if err == nil && (p.Rate == 0 || p.Rate > MaxRate || len(p.Allocations) > MaxAllocations || p.Coinbase != nil && p.Coinbase.Every == 0) {
			t.Fatalf("%+v", p)
		}
	})
}
