package factom

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// keyOf is a different key for every number.
func keyOf(n uint64) wire.PrivateKey { return wire.NewPrivateKey(someHash(n)) }

func accountOf(n uint64) wire.Account { return wire.AccountOf(keyOf(n).Public()) }

func TestTransactionsAreReadStrictly(t *testing.T) {
	good := unhex(factoidTransaction)
	with := func(at int, v ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], v)
		return c
	}
	const counts, amount, rcd = 7, 10, 10 + 3 + 32 + 3 + 32
	for name, b := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "version 1": with(0, 1), "version 0": with(0, 0),
		"version 2 in two bytes": append([]byte{0x80}, good...), "no input": with(counts, 0), "an input more": with(counts, 2),
		"amount in a longer form":    append(append(bytes.Clone(good[:amount]), 0x80), good[amount:]...),
		"condition of type 2":        with(rcd, 2),
		"condition of another key":   with(rcd+1, 0),
		"address of another key":     with(amount+3, 0),
		"no counts":                  good[:7],
		"cut inside an amount":       good[:amount+1],
		"an output that is not here": with(counts+1, 255),
	} {
		if x, rest, err := ParseTransaction(b); wire.CodeOf(err) != wire.ErrTransactionMalformed || x != nil || rest != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAmountsStayWithinTheirLimit(t *testing.T) {
	const half = MaxAmount/2 + 1
	for name, v := range map[string]struct {
		in, out, credits []uint64
		ok               bool
	}{
		"the largest amount":        {[]uint64{MaxAmount}, []uint64{MaxAmount}, nil, true},
		"one more":                  {[]uint64{MaxAmount + 1}, nil, nil, false},
		"largest of all":            {[]uint64{math.MaxUint64}, nil, nil, false},
		"inputs together":           {[]uint64{half, half}, nil, nil, false},
		"inputs beyond 64 bits":     {[]uint64{MaxAmount, MaxAmount, MaxAmount}, nil, nil, false},
		"outputs together":          {[]uint64{1}, []uint64{half, half}, nil, false},
		"outputs and credits":       {[]uint64{1}, []uint64{half}, []uint64{half}, false},
		"credit output of too much": {[]uint64{1}, nil, []uint64{MaxAmount + 1}, false},
		"nothing at all":            {[]uint64{0}, []uint64{0}, []uint64{0}, true},
	} {
		x, keys := &Transaction{TimestampMs: vectorTime}, []wire.PrivateKey{}
		for _, a := range v.in {
			x.AddInput(a, accountOf(1))
			keys = append(keys, keyOf(1))
		}
		for _, a := range v.out {
			x.AddOutput(a, accountOf(2))
		}
		for _, a := range v.credits {
			x.AddCredits(a, keyOf(3).Public())
		}
		err := x.Sign(keys...)
		if (err == nil) != v.ok || err != nil && wire.CodeOf(err) != wire.ErrTransactionMalformed {
			t.Errorf("%s is signed: %v", name, err)
		}
		// The same, made without our builder.
		x.Signatures = make([]wire.Signature, len(keys))
		if _, _, err := ParseTransaction(x.Bytes()); (err == nil) != v.ok {
			t.Errorf("%s is read: %v", name, err)
		}
	}
}

func TestTransactionsHaveTheirSize(t *testing.T) {
	x, keys := &Transaction{TimestampMs: vectorTime}, []wire.PrivateKey{}
	for x.Size() <= MaxTransaction {
		x.AddInput(1, accountOf(1))
		keys = append(keys, keyOf(1))
	}
	if err := x.Sign(keys...); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("%d bytes are signed: %v", x.Size(), err)
	}
	x.Signatures = make([]wire.Signature, len(keys))
	if _, _, err := ParseTransaction(x.Bytes()); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("%d bytes are read: %v", len(x.Bytes()), err)
	}
	x.Inputs = x.Inputs[1:]
	if err := x.Sign(keys[1:]...); err != nil {
		t.Errorf("%d bytes: %v", x.Size(), err)
	}
	if _, rest, err := ParseTransaction(append(x.Bytes(), make([]byte, 500)...)); err != nil || len(rest) != 500 {
		t.Errorf("with something after it: %d bytes left, %v", len(rest), err)
	}
}

func TestTheLargestTransactionIsExactlyAtTheLimit(t *testing.T) {
	x, keys := &Transaction{TimestampMs: vectorTime}, []wire.PrivateKey{}
	for range 77 {
		x.AddInput(0, accountOf(1))
		keys = append(keys, keyOf(1))
	}
	for _, size := range []int{9, 9, 7, 1, 1, 1} {
		x.AddOutput(1<<(7*(size-1)), accountOf(2))
	}
	if x.Size() != MaxTransaction {
		t.Fatalf("%d bytes", x.Size())
	}
	if err := x.Sign(keys...); err != nil {
		t.Fatal(err)
	}
	if _, rest, err := ParseTransaction(append(x.Bytes(), 2)); err != nil || len(rest) != 1 {
		t.Errorf("%d bytes left, %v", len(rest), err)
	}
}

func TestTransactionsHaveAtMost255AddressesOfAKind(t *testing.T) {
	x := &Transaction{TimestampMs: vectorTime}
	x.AddInput(0, accountOf(1))
	for range 255 {
		x.AddOutput(0, accountOf(2))
	}
	if err := x.Sign(keyOf(1)); err != nil {
		t.Errorf("255 outputs: %v", err)
	}
	x.AddOutput(0, accountOf(2))
	if err := x.Sign(keyOf(1)); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("256 outputs: %v", err)
	}
}

func TestOnlyTheHoldersOfTheInputsSign(t *testing.T) {
	x := &Transaction{TimestampMs: vectorTime}
	x.AddInput(5, accountOf(1))
	x.AddInput(6, accountOf(2))
	for name, keys := range map[string][]wire.PrivateKey{
		"none": nil, "one": {keyOf(1)}, "wrong order": {keyOf(2), keyOf(1)}, "one too many": {keyOf(1), keyOf(2), keyOf(2)},
	} {
		if err := x.Sign(keys...); wire.CodeOf(err) != wire.ErrTransactionMalformed || len(x.Signatures) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := x.Sign(keyOf(1), keyOf(2)); err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(x.Ledger()) {
		b := x.Bytes()
		b[bit/8] ^= 1 << (bit % 8)
		if y, _, err := ParseTransaction(b); err == nil {
			for i, s := range y.Signed() {
				if s.Verify() {
					t.Errorf("bit %d is not signed by input %d", bit, i)
				}
			}
		}
	}
}

func TestFeesFollowTheFormula(t *testing.T) {
	x := &Transaction{}
	x.AddInput(1, accountOf(1))
	x.AddCredits(1, keyOf(1).Public())
	if got := x.Fee(1); got != 12 {
		t.Errorf("the smallest purchase costs %d", got)
	}
	for range 9 {
		x.AddInput(1, accountOf(1))
	}
	x.AddOutput(1, accountOf(2))
	if got, want := x.Fee(3), uint64(3*(2+20+10)); x.Size() <= 1024 || x.Size() > 2048 || got != want {
		t.Errorf("%d bytes cost %d, want %d", x.Size(), got, want)
	}
	if x.Fee(math.MaxUint64) != math.MaxUint64 || x.Fee(math.MaxUint64/31) != math.MaxUint64 {
		t.Error("a fee beyond 64 bits is small")
	}
}

func TestOnlyTheCoinbaseHasNoInputs(t *testing.T) {
	coinbase := &Transaction{TimestampMs: vectorTime}
	coinbase.AddOutput(640, accountOf(1))
	if _, _, err := ParseTransaction(coinbase.Bytes()); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("a coinbase is taken for a transaction: %v", err)
	}
	x, rest, err := ParseCoinbase(coinbase.Bytes())
	if err != nil || len(rest) != 0 || x.TotalOutputs() != 640 || !bytes.Equal(x.Bytes(), coinbase.Bytes()) {
		t.Errorf("%+v, %v", x, err)
	}
	if _, _, err := ParseCoinbase(unhex(factoidTransaction)); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("a transaction is taken for a coinbase: %v", err)
	}
	coinbase.AddCredits(1, keyOf(1).Public())
	if _, _, err := ParseCoinbase(coinbase.Bytes()); wire.CodeOf(err) != wire.ErrTransactionMalformed {
		t.Errorf("a coinbase buys credits: %v", err)
	}
}

// drawTransaction is any transaction its holders can sign.
func drawTransaction(t *rapid.T) *Transaction {
	x, keys := &Transaction{TimestampMs: rapid.Uint64Range(0, MaxTimestampMs).Draw(t, "time")}, []wire.PrivateKey{}
	amount := rapid.Uint64Range(0, MaxAmount/8)
	for range rapid.IntRange(1, 4).Draw(t, "inputs") {
		n := rapid.Uint64Range(0, 3).Draw(t, "key")
		x.AddInput(amount.Draw(t, "amount"), accountOf(n))
		keys = append(keys, keyOf(n))
	}
	for range rapid.IntRange(0, 3).Draw(t, "outputs") {
		x.AddOutput(amount.Draw(t, "amount"), accountOf(9))
	}
	for range rapid.IntRange(0, 3).Draw(t, "credit outputs") {
		x.AddCredits(amount.Draw(t, "amount"), keyOf(9).Public())
	}
	if err := x.Sign(keys...); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestTransactionsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawTransaction(t)
		y, rest, err := ParseTransaction(append(x.Bytes(), 0))
		if err != nil || len(rest) != 1 || !bytes.Equal(y.Bytes(), x.Bytes()) || y.TXID() != x.TXID() {
			t.Fatalf("%+v became %+v, %v", x, y, err)
		}
		if y.Size() != len(x.Bytes()) || y.TotalInputs() != x.TotalInputs() {
			t.Fatalf("size %d of %d", y.Size(), len(x.Bytes()))
		}
		for _, s := range y.Signed() {
			if !s.Verify() {
				t.Fatal("a signature does not hold")
			}
		}
	})
}

func FuzzParseTransaction(f *testing.F) {
	f.Add(unhex(factoidTransaction))
	fb := must(ParseFactoidBlock(unhex(factoidBlock)))
	for _, x := range fb.Body {
		f.Add(x.Transaction.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte) (*Transaction, []byte, error){ParseTransaction, ParseCoinbase} {
			x, rest, err := parse(b)
			if err != nil {
				if wire.CodeOf(err) != wire.ErrTransactionMalformed {
					t.Fatal(err)
				}
				continue
			}
			if again := append(x.Bytes(), rest...); !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
			if x.Size() > MaxTransaction || x.TotalInputs() > MaxAmount || x.TotalOutputs()+x.TotalECOutputs() > MaxAmount {
				t.Fatalf("%+v is beyond its limits", x)
			}
		}
	})
}
