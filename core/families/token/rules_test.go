package token_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"cloister/core/families/record"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	data "cloister/wire/record"
	public "cloister/wire/token"
)

// payment is a factoid transaction that may break any rule.
type payment struct {
	from  []input
	to    []public.Output
	buy   []public.Purchase
	at    uint64 // the signer's time; 0: a new one about now
	spoil func(*factom.Transaction)
}

type input struct {
	key    wire.PrivateKey
	amount uint64
}

func (p *payment) transaction(c *ledgertest.Chain) *factom.Transaction {
	t := &factom.Transaction{TimestampMs: p.at}
	if t.TimestampMs == 0 {
		t.TimestampMs = c.Stamp()
	}
	for _, in := range p.from {
		t.AddInput(in.amount, ledgertest.Account(in.key))
	}
	for _, out := range p.to {
		t.AddOutput(out.Amount, out.To)
	}
	for _, buy := range p.buy {
		t.AddCredits(buy.Amount, buy.For)
	}
	for _, in := range p.from {
		t.RCDs = append(t.RCDs, in.key.Public())
		t.Signatures = append(t.Signatures, in.key.SignMessage(t.Ledger()))
	}
	if p.spoil != nil {
		p.spoil(t)
	}
	return t
}

func (p *payment) tx(c *ledgertest.Chain) *wire.Tx {
	return c.Carry(public.Name, p.transaction(c).Bytes())
}

// is checks what admission and a block of its own say to a payment.
func is(c *ledgertest.Chain, name string, p *payment, code wire.Code) *wire.Result {
	c.Helper()
	tx, before := p.tx(c), c.Supply()
	if got := c.Admit(tx); got != code {
		c.Errorf("%s: admission says %s, want %s", name, got, code)
	}
	r := c.One(tx)
	if r.Code != code {
		c.Errorf("%s: %s, want %s", name, r.Code, code)
	}
	if code != wire.OK && (r.Fee != 0 || c.Supply() != before) {
		c.Errorf("%s: it was refused and cost %d", name, r.Fee)
	}
	return r
}

// smallFee is that of a transaction with one input and one output, in factoshis.
const smallFee = 12 * ledgertest.Rate

var (
	alice  = ledgertest.Alice
	bob    = ledgertest.Bob
	nobody = wire.Account{7}
)

// Specification §5: inputs cover outputs and the fee to the factoshi; what is
// more is burnt and not given back.
func TestInputsCoverOutputsAndFee(t *testing.T) {
	const amount = 1000
	for name, x := range map[string]struct {
		more int
		code wire.Code
	}{
		"equal": {0, wire.OK}, "one less": {-1, wire.ErrFeeTooLow}, "one more": {1, wire.OK}, "much more": {999_999, wire.OK}, "no fee": {-smallFee, wire.ErrFeeTooLow},
		"less than outputs": {-smallFee - 1, wire.ErrFeeTooLow},
	} {
		c := newChain(t)
		in := uint64(amount + smallFee + x.more)
		r := is(c, name, &payment{from: []input{{alice, in}}, to: []public.Output{{To: nobody, Amount: amount}}}, x.code)
		if x.code != wire.OK {
			continue
		}
		if s := c.Supply(); r.Fee != in-amount || s.Burnt != in-amount || c.Balance(alice).Factoshis != ledgertest.Rich-in {
			t.Errorf("%s: fee %d, %d burnt", name, r.Fee, s.Burnt)
		}
	}
}

// The fee follows outputs, purchases, signatures and size.
func TestTheFeeCountsOutputsPurchasesSignaturesAndSize(t *testing.T) {
	c := newChain(t)
	p := &payment{from: []input{{alice, 0}, {bob, 5}}, to: []public.Output{{To: nobody, Amount: 1}, {To: nobody, Amount: 1}},
		buy: []public.Purchase{{For: alice.Public(), Amount: ledgertest.Rate}}}
	units := uint64(1 + 3*10 + 2)
	p.from[0].amount = units*ledgertest.Rate + 2 + ledgertest.Rate - 5
	is(c, "exact", p, wire.OK)
	p.from[0].amount--
	is(c, "one less", p, wire.ErrFeeTooLow)
	for range 20 { // over one KiB
		p.from = append(p.from, input{alice, 0})
	}
	p.from[0].amount += 1 + 20*ledgertest.Rate
	is(c, "one size less", p, wire.ErrFeeTooLow)
	size := uint64(len(p.transaction(c).Bytes()))
	p.from[0].amount += (size + 1023) / 1024 * ledgertest.Rate
	p.from[0].amount -= ledgertest.Rate
	is(c, "exact for its size", p, wire.OK)
}

// An address may occur several times; together its inputs take what it has, and
// no more. Other addresses' balances do not help.
func TestInputsOfOneAddressAreSummedUp(t *testing.T) {
	for name, x := range map[string]struct {
		from []input
		code wire.Code
	}{
		"all in two":          {[]input{{alice, ledgertest.Rich / 2}, {alice, ledgertest.Rich / 2}}, wire.OK},
		"one more in two":     {[]input{{alice, ledgertest.Rich/2 + 1}, {alice, ledgertest.Rich / 2}}, wire.ErrInsufficientFunds},
		"each alone enough":   {[]input{{alice, ledgertest.Rich}, {alice, ledgertest.Rich}}, wire.ErrInsufficientFunds},
		"around another":      {[]input{{alice, ledgertest.Rich}, {bob, 1}, {alice, 1}}, wire.ErrInsufficientFunds},
		"second is too much":  {[]input{{alice, 1}, {bob, ledgertest.Rich + 1}}, wire.ErrInsufficientFunds},
		"all of two accounts": {[]input{{alice, ledgertest.Rich}, {bob, ledgertest.Rich}}, wire.OK},
		"nothing of a pauper": {[]input{{alice, ledgertest.Rich}, {ledgertest.Pauper, 0}}, wire.OK},
		"something of it":     {[]input{{alice, ledgertest.Rich}, {ledgertest.Pauper, 1}}, wire.ErrInsufficientFunds},
	} {
		is(newChain(t), name, &payment{from: x.from, to: []public.Output{{To: nobody, Amount: 1}}}, x.code)
	}
}

// What an input brings in cannot be spent by the outputs that bring it.
func TestOutputsDoNotCoverInputs(t *testing.T) {
	self := public.Output{To: ledgertest.Account(ledgertest.Pauper), Amount: 10}
	is(newChain(t), "money from nowhere", &payment{from: []input{{ledgertest.Pauper, 10 + smallFee}}, to: []public.Output{self}}, wire.ErrInsufficientFunds)
}

// Difference of §14, ours: 12 h around the opening of the period, ends included.
func TestTheWindowIsTwelveHoursAroundThePeriodsOpening(t *testing.T) {
	for offset, want := range map[int64]wire.Code{
		-token.WindowMs: wire.OK, -token.WindowMs - 1: wire.ErrOutsideWindow, token.WindowMs: wire.OK, token.WindowMs + 1: wire.ErrOutsideWindow,
	} {
		c := newChain(t)
		c.Run()
		opened := progress(c).OpenedMs
		p := &payment{from: []input{{alice, smallFee}}, to: []public.Output{{To: nobody, Amount: 0}}, at: opened + uint64(offset)}
		is(c, "offset", p, want)
	}
}

// Without the data layer there is no period; the block's own time counts.
func TestWithoutPeriodsTheWindowIsAroundTheBlock(t *testing.T) {
	for offset, want := range map[int64]wire.Code{
		-token.WindowMs: wire.OK, -token.WindowMs - 1: wire.ErrOutsideWindow, token.WindowMs: wire.OK, token.WindowMs + 1: wire.ErrOutsideWindow,
	} {
		c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(ledgertest.Money()), []ledger.Family{token.Family{}})
		p := &payment{from: []input{{alice, smallFee}}, to: []public.Output{{To: nobody, Amount: 0}}, at: c.NextMs() + uint64(offset)}
		is(c, "offset", p, want)
	}
}

// A transaction counts once, as long as its time would let it in again.
func TestATransactionIsNeverRepeated(t *testing.T) {
	c := newChain(t)
	p := &payment{from: []input{{alice, 5 + smallFee}}, to: []public.Output{{To: nobody, Amount: 5}}}
	tx := p.tx(c)
	done := c.Run(tx, tx)
	if a, b := c.Result(done, 0).Code, c.Result(done, 1).Code; a != wire.OK || b != wire.ErrReplayed {
		t.Fatalf("%s, then %s", a, b)
	}
	start := c.Ledger.Tip().Header.TimeMs
	for _, after := range []uint64{1, 60_000, token.WindowMs - 1, token.WindowMs, token.WindowMs + data.DefaultPeriodMs, 2 * token.WindowMs, 5 * token.WindowMs} {
		r := c.Result(c.RunAt(max(start+after, c.Ledger.Tip().Header.TimeMs+1), tx), 0)
		if r.Code != wire.ErrReplayed && r.Code != wire.ErrOutsideWindow {
			t.Fatalf("%d ms later: %s", after, r.Code)
		}
	}
}

func TestARefusedTransactionMayComeAgain(t *testing.T) {
	c := newChain(t)
	tx := c.Transfer(ledgertest.Pauper, 5, nobody)
	if r := c.One(tx); r.Code != wire.ErrInsufficientFunds {
		t.Fatal(r.Code)
	}
	c.OK(c.Transfer(alice, 5+smallFee, ledgertest.Account(ledgertest.Pauper)))
	c.OK(tx)
}

// An output buys whole credits at the rate in force; the rest is burnt.
func TestPurchasesAreRoundedDownEach(t *testing.T) {
	c := newChain(t)
	p := &payment{from: []input{{alice, 1 << 30}}}
	for _, amount := range []uint64{0, ledgertest.Rate - 1, ledgertest.Rate, 2*ledgertest.Rate - 1} {
		p.buy = append(p.buy, public.Purchase{For: ledgertest.Pauper.Public(), Amount: amount})
	}
	is(c, "four purchases", p, wire.OK)
	if b := c.Balance(ledgertest.Pauper); b.Credits != 2 || b.Factoshis != 0 {
		t.Errorf("%+v, want 2 credits", b)
	}
	if s := c.Supply(); s.Burnt != 1<<30 || s.Credits != 3*ledgertest.Rich+2 {
		t.Errorf("supply %+v", s)
	}
}

func TestMalformedTransactionsAreRefused(t *testing.T) {
	c := newChain(t)
	good := (&payment{from: []input{{alice, smallFee}, {bob, 1}}, to: []public.Output{{To: nobody, Amount: 0}}}).transaction(c)
	coinbase := &factom.Transaction{TimestampMs: c.Stamp()}
	coinbase.AddOutput(5, nobody)
	b := good.Bytes()
	for name, payload := range map[string][]byte{
		"nothing": {}, "trailing": append(bytes.Clone(b), 0), "cut": b[:len(b)-1], "version": append([]byte{3}, b[1:]...), "coinbase": coinbase.Bytes(),
		"another's condition": spoilt(b, len(b)-90), "too large": make([]byte, factom.MaxTransaction+1),
		"amount over the limit": (&payment{from: []input{{alice, 1 << 63}}}).transaction(c).Bytes(),
		"sum over the limit":    (&payment{from: []input{{alice, public.MaxAmount}, {bob, 1}}}).transaction(c).Bytes(),
		"outputs over the limit": (&payment{from: []input{{alice, 5}}, to: []public.Output{{To: nobody, Amount: public.MaxAmount}},
			buy: []public.Purchase{{For: bob.Public(), Amount: 1}}}).transaction(c).Bytes(),
	} {
		tx := c.Carry(public.Name, payload)
		if got := c.Check(tx); got.Code != wire.ErrTransactionMalformed {
			t.Errorf("%s: %s", name, got.Code)
		}
		if r := c.One(tx); r.Code != wire.ErrTransactionMalformed || r.Fee != 0 {
			t.Errorf("%s: %s in a block", name, r.Code)
		}
	}
	for _, at := range []int{len(b) - 3, len(b) - 97 - 3} { // every signature counts, not only the first
		if got := c.Check(c.Carry(public.Name, spoilt(b, at))); got.Code != wire.ErrBadSignature {
			t.Errorf("forged signature at byte %d: %s", at, got.Code)
		}
	}
	if got := c.Check(c.Carry(public.Name, b)); got.Code != wire.OK {
		t.Errorf("the good one: %s", got.Code)
	}
}

func spoilt(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// Money moves by factoid transactions alone: there is no signed envelope for them.
func TestAFactoidTransactionHasNoSecondSignature(t *testing.T) {
	c := newChain(t)
	p := &payment{from: []input{{alice, smallFee}}, to: []public.Output{{To: nobody, Amount: 0}}}
	if got := c.Check(c.Tx(alice, public.Name, p.transaction(c).Bytes())); got.Code != wire.ErrMalformed {
		t.Errorf("a second encoding of one transaction: %s", got.Code)
	}
}

const periodMs = 10_000

// coinbase is that of the chains quick makes.
var coinbase = public.Coinbase{Every: 2, Delay: 3, Factoshis: 7_000_000}

// quick is a chain with short periods, coinbases, and a family that passes orders on.
func quick(t testing.TB) *ledgertest.Chain { return quickWith(t, coinbase) }

func quickWith(t testing.TB, pay public.Coinbase, more ...public.Allocation) *ledgertest.Chain {
	m := public.Params{Rate: ledgertest.Rate, Coinbase: &pay, Allocations: more}
	for _, k := range []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob, ledgertest.Carol} {
		m.Allocations = append(m.Allocations, public.Allocation{Address: wire.CreditAddress(k.Public()), Factoshis: ledgertest.Rich, Credits: ledgertest.Rich})
	}
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: public.Name}, wire.FamilyGenesis{Name: data.Name}, wire.FamilyGenesis{Name: "orders"})
	for i, params := range []any{m, data.Params{PeriodMs: periodMs}} {
		b, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		g.Families[i].Params = b
	}
	return ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, record.Family{}, ledgertest.Orders{To: public.Name}})
}
