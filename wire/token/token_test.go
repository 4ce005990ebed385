package token

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

func outputs(amounts ...uint64) (list []Output) {
	for i, a := range amounts {
		list = append(list, Output{To: wire.Account{byte(i + 1)}, Amount: a})
	}
	return list
}

func TestPayloadsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Uint64Range(1, 1<<50), 0, 20)
		p := &Payload{Transfers: outputs(amounts.Draw(t, "transfers")...), Credits: outputs(amounts.Draw(t, "credits")...)}
		got, err := Decode(p.Bytes())
		if len(p.Transfers)+len(p.Credits) == 0 {
			if wire.CodeOf(err) != wire.ErrMalformed {
				t.Fatalf("no outputs: %v", err)
			}
			return
		}
		if err != nil || !bytes.Equal(got.Bytes(), p.Bytes()) {
			t.Fatalf("%+v, %v", got, err)
		}
		want := uint64(0)
		for _, o := range append(append([]Output{}, p.Transfers...), p.Credits...) {
			want += o.Amount
		}
		if sum, ok := got.Total(); !ok || sum != want {
			t.Fatalf("total %d, want %d", sum, want)
		}
	})
}

func TestAmountsNeitherVanishNorOverflow(t *testing.T) {
	for name, x := range map[string]struct {
		p    Payload
		code wire.Code
	}{
		"largest":            {Payload{Transfers: outputs(MaxAmount)}, wire.OK},
		"largest in parts":   {Payload{Transfers: outputs(MaxAmount - 5), Credits: outputs(2, 3)}, wire.OK},
		"one more":           {Payload{Transfers: outputs(MaxAmount + 1)}, wire.ErrBadAmount},
		"one more in parts":  {Payload{Transfers: outputs(MaxAmount - 5), Credits: outputs(2, 4)}, wire.ErrBadAmount},
		"wraps around to 1":  {Payload{Transfers: outputs(1<<64-1, 2)}, wire.ErrBadAmount},
		"wraps around in 3":  {Payload{Transfers: outputs(MaxAmount, MaxAmount, 3)}, wire.ErrBadAmount},
		"zero":               {Payload{Transfers: outputs(0)}, wire.ErrBadAmount},
		"zero beside others": {Payload{Transfers: outputs(5), Credits: outputs(7, 0)}, wire.ErrBadAmount},
		"no outputs":         {Payload{}, wire.ErrMalformed},
		"most outputs":       {Payload{Transfers: outputs(bytesOf(200)...), Credits: outputs(bytesOf(55)...)}, wire.OK},
		"too many outputs":   {Payload{Transfers: outputs(bytesOf(200)...), Credits: outputs(bytesOf(56)...)}, wire.ErrMalformed},
	} {
		if _, err := Decode(x.p.Bytes()); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func bytesOf(n int) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

func TestTheLargestPayloadFitsATransaction(t *testing.T) {
	p := Payload{}
	for range MaxOutputs {
		p.Transfers = append(p.Transfers, Output{Amount: MaxAmount / MaxOutputs})
	}
	if n := len(p.Bytes()); n > wire.MaxPayload {
		t.Errorf("%d bytes, a transaction has room for %d", n, wire.MaxPayload)
	}
}

func TestOtherEncodingsAreRefused(t *testing.T) {
	good := (&Payload{Transfers: outputs(7)}).Bytes()
	for name, b := range map[string][]byte{
		"nothing": {}, "null": {0xf6}, "trailing": append(bytes.Clone(good), 0), "cut": good[:len(good)-1],
		"null list": append(bytes.Clone(good[:len(good)-1]), 0xf6), "one field": {0x81, 0x80}, "three fields": append([]byte{0x83}, append(good[1:], 0x80)...),
		"wide amount": append(bytes.Clone(good[:len(good)-2]), 0x18, 7, 0x80), "long": make([]byte, wire.MaxPayload+1),
	} {
		if p, err := Decode(b); wire.CodeOf(err) != wire.ErrMalformed || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
}

// The fee of factom specification §17.3: one input, one purchase of credits,
// rate 1000, exactly 12000; a transaction has one signature.
func TestFeeFollowsTheFormula(t *testing.T) {
	one := &Payload{Credits: outputs(1)}
	for _, x := range []struct {
		p    *Payload
		size int
		want uint64
	}{
		{one, 1, 12_000}, {one, 1024, 12_000}, {one, 1025, 13_000},
		{&Payload{Transfers: outputs(1, 1), Credits: outputs(1)}, 300, 32_000},
	} {
		if got := x.p.Fee(1000, x.size); got != x.want {
			t.Errorf("%d outputs in %d bytes: %d, want %d", len(x.p.Transfers)+len(x.p.Credits), x.size, got, x.want)
		}
	}
}

func TestStateKeysDoNotMeet(t *testing.T) {
	a, b := BalanceKey(wire.Account{1}), BalanceKey(wire.Account{2})
	if bytes.Equal(a, b) || len(a) != 33 || bytes.Equal(a, SupplyKey) {
		t.Errorf("%x %x %x", a, b, SupplyKey)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Payload{Transfers: outputs(7), Credits: outputs(1, 1<<40)}).Bytes())
	f.Add((&Payload{Transfers: outputs(0)}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			if c := wire.CodeOf(err); c != wire.ErrMalformed && c != wire.ErrBadAmount {
				t.Fatalf("%v carries %s", err, c)
			}
			return
		}
		if sum, ok := p.Total(); !ok || sum == 0 || sum > MaxAmount || !bytes.Equal(p.Bytes(), b) {
			t.Fatalf("total %d, %x is a second encoding of %x", sum, b, p.Bytes())
		}
	})
}
