package token_test

import (
	"testing"

	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	data "cloister/wire/record"
	public "cloister/wire/token"
)

// turnTo makes blocks until a period is in progress and the one before is closed.
func turnTo(c *ledgertest.Chain, height uint32) {
	c.Helper()
	for progress(c).First == 0 || progress(c).Height < height {
		c.RunAt(c.Ledger.Tip().Header.TimeMs + periodMs)
		for c.Ledger.Tip().DueMs == 1 {
			c.RunAt(c.Ledger.Tip().Header.TimeMs + 1)
		}
	}
}

func progress(c *ledgertest.Chain) data.Progress {
	p, _ := ledgertest.Load[data.Progress](c, data.Name, data.ProgressKey)
	return p
}

func setRate(c *ledgertest.Chain, factoshis uint64, from uint32) *wire.Tx {
	order := public.Order{Rate: &public.Rate{Factoshis: factoshis, From: from}}
	return c.Tx(ledgertest.Alice, "orders", order.Bytes())
}

func cancel(c *ledgertest.Chain, height, index uint32) *wire.Tx {
	order := public.Order{Cancel: &public.Cancel{Height: height, Index: index}}
	return c.Tx(ledgertest.Alice, "orders", order.Bytes())
}

// rates checks what is in force and what is announced.
func rates(c *ledgertest.Chain, now, coming uint64) {
	c.Helper()
	if p, s := progress(c), c.Supply(); p.Rate != now || p.Coming != coming || s.Rate != now {
		c.Errorf("period %d: rate %d, %d in the supply, %d to come; want %d and %d", p.Height, p.Rate, s.Rate, p.Coming, now, coming)
	}
}

// Specification §7: nobody underpays by surprise. A rate is announced for two
// periods at least, holds for whole periods, and is in the blocks.
func TestARateIsAnnouncedBeforeItCounts(t *testing.T) {
	c := quick(t)
	turnTo(c, 1)
	c.OK(setRate(c, 2*ledgertest.Rate, 0))
	rates(c, ledgertest.Rate, 2*ledgertest.Rate)
	turnTo(c, 2)
	rates(c, ledgertest.Rate, 2*ledgertest.Rate)
	small := func() *payment {
		return &payment{from: []input{{alice, smallFee}}, to: []public.Output{{To: nobody, Amount: 0}}}
	}
	is(c, "at the rate in force", small(), wire.OK)
	turnTo(c, 3)
	rates(c, 2*ledgertest.Rate, 0)
	is(c, "at the old rate", small(), wire.ErrFeeTooLow)
	bought := &payment{from: []input{{alice, 1 << 30}}, buy: []public.Purchase{{For: ledgertest.Pauper.Public(), Amount: 5*2*ledgertest.Rate - 1}}}
	is(c, "purchase", bought, wire.OK)
	if b := c.Balance(ledgertest.Pauper); b.Credits != 4 {
		t.Errorf("%d credits, want 4", b.Credits)
	}
	turnTo(c, 4)
	for height, want := range []uint64{ledgertest.Rate, ledgertest.Rate, ledgertest.Rate, 2 * ledgertest.Rate} {
		d, ok := ledgertest.Load[data.Directory](c, data.Name, data.DirectoryKey(uint32(height)))
		if !ok || d.Rate != want {
			t.Errorf("period %d has rate %d, want %d", height, d.Rate, want)
		}
	}
}

func TestANewerRateTakesTheOldOnesPlace(t *testing.T) {
	c := quick(t)
	turnTo(c, 1)
	c.OK(setRate(c, 5, 6), setRate(c, 7, 5))
	rates(c, ledgertest.Rate, 7)
	turnTo(c, 4)
	rates(c, ledgertest.Rate, 7)
	c.OK(setRate(c, 9, 3)) // too soon: from period 6 on
	turnTo(c, 5)
	rates(c, ledgertest.Rate, 9)
	turnTo(c, 6)
	rates(c, 9, 0)
}

func TestOrdersAreRefusedWithACode(t *testing.T) {
	c := quick(t)
	turnTo(c, 1)
	for name, x := range map[string]struct {
		tx   *wire.Tx
		code wire.Code
	}{
		"no order":          {c.Tx(alice, "orders", nil), wire.ErrMalformed},
		"no rate":           {setRate(c, 0, 0), wire.ErrBadAmount},
		"rate too high":     {setRate(c, public.MaxRate+1, 0), wire.ErrBadAmount},
		"no descriptor":     {cancel(c, 0, 0), wire.ErrNotFound},
		"none to come":      {cancel(c, 1<<31, 0), wire.ErrNotFound},
		"largest rate":      {setRate(c, public.MaxRate, 1<<31), wire.OK},
		"the smallest rate": {setRate(c, 1, 1<<31), wire.OK},
	} {
		if r := c.One(x.tx); r.Code != x.code {
			t.Errorf("%s: %s, want %s", name, r.Code, x.code)
		}
	}
	bare := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: "orders"}), []ledger.Family{token.Family{}, ledgertest.Orders{To: public.Name}})
	if r := bare.One(setRate(bare, 1, 0)); r.Code != wire.ErrUnknownFamily {
		t.Errorf("without directory blocks: %s", r.Code)
	}
}

// coinbaseOf is the first transaction of a closed period.
func coinbaseOf(c *ledgertest.Chain, height uint32) *factom.Transaction {
	c.Helper()
	d, ok := ledgertest.Load[data.Directory](c, data.Name, data.DirectoryKey(height))
	if !ok {
		c.Fatalf("period %d is not closed", height)
	}
	base, rest, err := factom.ParseCoinbase(d.Coinbase)
	if err != nil || len(rest) > 0 || base.TimestampMs != d.OpenedMs {
		c.Fatalf("coinbase of period %d: %+v, %v", height, base, err)
	}
	return base
}

// What the genesis allocates is paid by the first coinbase, so that the blocks
// alone tell where money comes from.
func TestTheFirstCoinbasePaysTheGenesissAllocations(t *testing.T) {
	c := quickWith(t, coinbase, public.Allocation{Address: ledgertest.Account(ledgertest.Pauper).String(), Credits: 5})
	turnTo(c, 1)
	base := coinbaseOf(c, 0)
	if len(base.Outputs) != 3 || base.TotalOutputs() != 3*ledgertest.Rich || base.Outputs[0].Address != wire.Hash(ledgertest.Account(alice)) {
		t.Errorf("%+v", base.Outputs)
	}
	if s := c.Supply(); s.Minted != 0 || s.Factoshis != 3*ledgertest.Rich {
		t.Errorf("supply %+v", s)
	}
}

// server is the only one of the chains here.
var server = ledgertest.Key(0)

// Every second period promises, and three periods later that is paid.
func TestServersArePaidAsPromised(t *testing.T) {
	c := quick(t)
	for height, want := range []uint64{0, 0, 0, 0, 0, 1, 1, 2, 2, 3} { // descriptors at 2, 4, 6, paid at 5, 7, 9
		turnTo(c, uint32(height))
		if b := c.Balance(server); b.Factoshis != want*coinbase.Factoshis {
			t.Fatalf("period %d: the server has %d factoshis, want %d", height, b.Factoshis, want*coinbase.Factoshis)
		}
	}
	if s := c.Supply(); s.Minted != 3*coinbase.Factoshis {
		t.Errorf("%d minted", s.Minted)
	}
	for height, outputs := range map[uint32]int{4: 0, 5: 1, 6: 0, 7: 1} {
		if base := coinbaseOf(c, height); len(base.Outputs) != outputs {
			t.Errorf("period %d: %d outputs, want %d", height, len(base.Outputs), outputs)
		}
	}
}

func TestACancelledPromiseIsNotPaid(t *testing.T) {
	c := quick(t)
	turnTo(c, 4)
	done := c.Run(cancel(c, 2, 1), cancel(c, 2, 0), cancel(c, 2, 0), cancel(c, 3, 0), cancel(c, 6, 0))
	for i, want := range []wire.Code{wire.ErrNotFound, wire.OK, wire.ErrNotFound, wire.ErrNotFound, wire.ErrNotFound} {
		if r := c.Result(done, i); r.Code != want {
			t.Errorf("cancellation %d: %s, want %s", i, r.Code, want)
		}
	}
	turnTo(c, 6)
	if b := c.Balance(server); b.Factoshis != 0 || len(coinbaseOf(c, 5).Outputs) != 0 {
		t.Errorf("the server has %d factoshis", b.Factoshis)
	}
	turnTo(c, 7)
	if b := c.Balance(server); b.Factoshis != coinbase.Factoshis {
		t.Errorf("of the next promise the server has %d factoshis", b.Factoshis)
	}
	if r := c.One(cancel(c, 4, 0)); r.Code != wire.ErrNotFound {
		t.Errorf("what is paid was cancelled: %s", r.Code)
	}
}

// There are never more factoids than a signed number holds: a promise beyond is
// not paid.
func TestCoinbasesStopAtTheLargestAmount(t *testing.T) {
	pay := public.Coinbase{Every: 1, Delay: 1, Factoshis: 10}
	c := quickWith(t, pay, public.Allocation{Address: nobody.String(), Factoshis: public.MaxAmount - 3*ledgertest.Rich - 15})
	turnTo(c, 6)
	if s, b := c.Supply(), c.Balance(server); s.Minted != 10 || b.Factoshis != 10 || s.Factoshis != public.MaxAmount-5 {
		t.Errorf("supply %+v, the server has %d", s, b.Factoshis)
	}
}
