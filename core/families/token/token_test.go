package token_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	public "cloister/wire/token"
)

func newChain(t testing.TB) *ledgertest.Chain {
	return ledgertest.New(t, store.NewMemory(), ledgertest.Genesis(), families.All())
}

// sum adds up all balances in state.
func sum(t interface{ Fatal(...any) }, s store.Store) (all public.Balance) {
	lo := append([]byte{'s'}, ledger.ApplicationKey(public.Name, []byte("b"))...)
	hi := append([]byte{'s'}, ledger.ApplicationKey(public.Name, []byte("c"))...)
	err := s.Iter(lo, hi, func(_, value []byte) bool {
		var b public.Balance
		if err := wire.Unmarshal(value, &b, len(value)); err != nil {
			t.Fatal(err)
		}
		all.Factoshis += b.Factoshis
		all.Credits += b.Credits
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMoneyIsConserved runs random payments, purchases, entries and coinbases,
// most of them beyond somebody's means, and checks the sums the package promises.
func TestMoneyIsConserved(t *testing.T) {
	minted := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		c := quickWith(t, public.Coinbase{Every: 1, Delay: 1, Factoshis: 7_000_000})
		keys := []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob, ledgertest.Pauper, ledgertest.Key(9)}
		key := rapid.SampledFrom(keys)
		// Few and huge, so that sums meet every bound.
		amount := rapid.OneOf(rapid.Uint64Range(0, 2*ledgertest.Rate), rapid.Uint64Range(0, ledgertest.Rich),
			rapid.SampledFrom([]uint64{public.MaxAmount / 3, public.MaxAmount / 4}))
		spent := uint64(0)
		for range rapid.IntRange(1, 16).Draw(rt, "blocks") {
			var txs []*wire.Tx
			for range rapid.IntRange(0, 6).Draw(rt, "transactions") {
				k := key.Draw(rt, "payer")
				switch rapid.IntRange(0, 5).Draw(rt, "kind") {
				case 0:
					txs = append(txs, c.CreateChain(k, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "chain")))
					continue
				case 1:
					order := public.Order{Rate: &public.Rate{Factoshis: rapid.Uint64Range(1, 2*ledgertest.Rate).Draw(rt, "rate")}}
					txs = append(txs, c.Tx(k, "orders", order.Bytes()))
					continue
				}
				x := &payment{}
				for range rapid.IntRange(1, 3).Draw(rt, "inputs") {
					x.from = append(x.from, input{key.Draw(rt, "from"), amount.Draw(rt, "amount")})
				}
				for range rapid.IntRange(0, 3).Draw(rt, "outputs") {
					x.to = append(x.to, public.Output{To: ledgertest.Account(key.Draw(rt, "to")), Amount: amount.Draw(rt, "amount")})
				}
				for range rapid.IntRange(0, 3).Draw(rt, "purchases") {
					x.buy = append(x.buy, public.Purchase{For: key.Draw(rt, "for").Public(), Amount: amount.Draw(rt, "amount")})
				}
				txs = append(txs, x.tx(c))
			}
			before := c.Supply()
			done := c.RunAt(c.Ledger.Tip().Header.TimeMs+rapid.SampledFrom([]uint64{1, periodMs}).Draw(rt, "ms later"), txs...)
			fees := uint64(0)
			for i := range txs {
				r := c.Result(done, i)
				spent += r.Credits
				fees += r.Fee
			}
			s, balances := c.Supply(), sum(rt, c.Store)
			minted = max(minted, s.Minted)
			switch {
			case s.Factoshis != balances.Factoshis || s.Credits != balances.Credits:
				rt.Fatalf("accounts hold %+v, the supply says %+v", balances, s)
			case s.Factoshis+s.Burnt-s.Minted != 3*ledgertest.Rich:
				rt.Fatalf("%d in existence, %d burnt and %d minted are not what the genesis made", s.Factoshis, s.Burnt, s.Minted)
			case s.Burnt < before.Burnt+fees:
				rt.Fatalf("fees of %d burnt only %d", fees, s.Burnt-before.Burnt)
			case s.Spent != spent:
				rt.Fatalf("%d credits spent, results say %d", s.Spent, spent)
			case s.Credits+s.Spent > 3*ledgertest.Rich+s.Burnt:
				rt.Fatalf("more credits than a factoshi each: %+v", s)
			}
		}
	})
	if minted == 0 {
		t.Fatal("no coinbase paid anything")
	}
}

func TestTransferMovesTheAmountAndBurnsTheFee(t *testing.T) {
	c := newChain(t)
	tx := c.Transfer(ledgertest.Alice, 500, ledgertest.Account(ledgertest.Pauper), ledgertest.Account(ledgertest.Bob))
	r := c.Result(c.OK(tx), 0)
	// One KiB, two outputs, one signature.
	if want := uint64(ledgertest.Rate * (1 + 2*10 + 1)); r.Fee != want || r.Credits != 0 {
		t.Fatalf("fee %d and %d credits, want %d and none", r.Fee, r.Credits, want)
	}
	if got := c.Balance(ledgertest.Alice).Factoshis; got != ledgertest.Rich-1000-r.Fee {
		t.Errorf("payer has %d", got)
	}
	if got := c.Balance(ledgertest.Pauper).Factoshis; got != 500 {
		t.Errorf("receiver has %d", got)
	}
	if s := c.Supply(); s.Burnt != r.Fee || s.Factoshis != 3*ledgertest.Rich-r.Fee {
		t.Errorf("supply %+v", s)
	}
}

func TestPurchaseGivesWholeCreditsAndBurnsWhatWasPaid(t *testing.T) {
	c := newChain(t)
	r := c.Result(c.OK(c.Buy(ledgertest.Alice, 7*ledgertest.Rate+999, ledgertest.Pauper.Public())), 0)
	if got := c.Balance(ledgertest.Pauper); got.Credits != 7 || got.Factoshis != 0 {
		t.Errorf("receiver has %+v, want 7 credits", got)
	}
	if s := c.Supply(); s.Burnt != r.Fee+7*ledgertest.Rate+999 || s.Credits != 3*ledgertest.Rich+7 {
		t.Errorf("supply %+v", s)
	}
}

// The payer's own account may be among the receivers, several times.
func TestPayerMayPayItself(t *testing.T) {
	c := newChain(t)
	self := ledgertest.Account(ledgertest.Alice)
	r := c.Result(c.OK(c.Pay(ledgertest.Alice, []public.Output{{To: self, Amount: 5}, {To: self, Amount: 6}},
		[]public.Purchase{{For: ledgertest.Alice.Public(), Amount: 3 * ledgertest.Rate}})), 0)
	want := public.Balance{Factoshis: ledgertest.Rich - r.Fee - 3*ledgertest.Rate, Credits: ledgertest.Rich + 3}
	if got := c.Balance(ledgertest.Alice); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

// What is left after the fee is what can be given out, to the last factoshi.
func TestPayerCannotSpendItsFee(t *testing.T) {
	for extra, want := range map[uint64]wire.Code{0: wire.OK, 1: wire.ErrInsufficientFunds} {
		c := newChain(t)
		fee := uint64(12 * ledgertest.Rate)
		tx := c.Transfer(ledgertest.Alice, ledgertest.Rich-fee+extra, wire.Account{1})
		if got := c.Admit(tx); got != want {
			t.Errorf("%d too many: admission says %s, want %s", extra, got, want)
		}
		if r := c.One(tx); r.Code != want || (r.Fee == fee) != (want == wire.OK) {
			t.Errorf("%d too many: %s with fee %d, want %s", extra, r.Code, r.Fee, want)
		}
		if got := c.Balance(ledgertest.Alice).Factoshis; want == wire.OK && got != 0 {
			t.Errorf("%d left", got)
		}
	}
}

func TestGenesisAllocationsAreBounded(t *testing.T) {
	allocate := func(rate uint64, list ...public.Allocation) error {
		params, err := json.Marshal(public.Params{Rate: rate, Allocations: list})
		if err != nil {
			t.Fatal(err)
		}
		_, err = ledger.Open(store.NewMemory(), ledgertest.GenesisOf(wire.FamilyGenesis{Name: public.Name, Params: params}), families.All())
		return err
	}
	a, b := ledgertest.Account(ledgertest.Alice), ledgertest.Account(ledgertest.Bob)
	good := public.Allocation{Address: wire.FactoidAddress(a), Factoshis: public.MaxAmount - 1, Credits: 1}
	if err := allocate(1, good, public.Allocation{Address: b.String(), Factoshis: 1, Credits: public.MaxAmount - 1}); err != nil {
		t.Errorf("the largest allocation: %v", err)
	}
	if err := allocate(public.MaxRate, good); err != nil {
		t.Errorf("the largest rate: %v", err)
	}
	for name, err := range map[string]error{
		"no rate":            allocate(0, good),
		"rate too high":      allocate(public.MaxRate+1, good),
		"twice":              allocate(1, good, public.Allocation{Address: a.String(), Factoshis: 1}),
		"factoshis overflow": allocate(1, good, public.Allocation{Address: b.String(), Factoshis: 2}),
		"credits overflow":   allocate(1, good, public.Allocation{Address: b.String(), Credits: public.MaxAmount}),
		"no address":         allocate(1, public.Allocation{Factoshis: 1}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
