package governance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families/governance"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	public "cloister/wire/governance"
)

// ruled is a family that takes orders: it keeps the last one, and obeys words.
type ruled struct{}

const ruledName = "ruled"

var lastOrder = []byte("last")

func (ruled) Name() string                                    { return ruledName }
func (ruled) Genesis(ledger.State, json.RawMessage) error     { return nil }
func (ruled) Check(*wire.Tx) (any, error)                     { return nil, wire.ErrMalformed }
func (ruled) Price(*ledger.Call) (p ledger.Price, err error)  { return p, nil }
func (ruled) Admit(*ledger.Call) error                        { return nil }
func (ruled) Execute(*ledger.Call) (output []byte, err error) { return nil, nil }
func (ruled) CheckOrder(order []byte) error {
	if bytes.HasPrefix(order, []byte("mumble")) {
		return wire.Faultf(wire.ErrMalformed, "mumbled")
	}
	return nil
}

func (ruled) Govern(c *ledger.Call, order []byte, unanimous bool) ([]byte, error) {
	if err := c.State(ruledName).Set(lastOrder, order); err != nil {
		return nil, err
	}
	switch {
	case string(order) == "refuse":
		return nil, wire.Faultf(wire.ErrTrustFull, "no")
	case string(order) == "all of you" && !unanimous:
		return nil, wire.Faultf(wire.ErrActivationTooSoon, "not all")
	case string(order) == "talk":
		return make([]byte, public.MaxResult+1), nil
	case string(order) == "talk less":
		return make([]byte, public.MaxResult), nil
	}
	return []byte(fmt.Sprintf("done, unanimous %t", unanimous)), nil
}

// council is a chain with so many authorities, who are rich.
type council struct {
	*ledgertest.Chain
	seats []wire.PrivateKey
}

func newCouncil(t testing.TB, n int, change ...func(*public.Params)) *council {
	t.Helper()
	c := &council{}
	p := public.Params{}
	for i := range n {
		k := ledgertest.Key(100 + i)
		c.seats = append(c.seats, k)
		p.Authorities = append(p.Authorities, ledgertest.Account(k).String())
	}
	for _, change := range change {
		change(&p)
	}
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: p.JSON()}, wire.FamilyGenesis{Name: ruledName})
	c.Chain = ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, governance.Family{}, ruled{}})
	for _, k := range c.seats {
		c.OK(c.Buy(ledgertest.Alice, 1000*ledgertest.Rate, k.Public()))
	}
	return c
}

func (c *council) propose(seat int, order string) *wire.Tx {
	return c.Tx(c.seats[seat], public.Name, (&public.Propose{Family: ruledName, Order: []byte(order)}).Bytes())
}

func (c *council) approve(seat int, id wire.Hash) *wire.Tx {
	return c.Tx(c.seats[seat], public.Name, (&public.Approve{ID: id}).Bytes())
}

func (c *council) withdraw(seat int, id wire.Hash) *wire.Tx {
	return c.Tx(c.seats[seat], public.Name, (&public.Withdraw{ID: id}).Bytes())
}

func (c *council) id(tx *wire.Tx) wire.Hash { return public.ProposalID(c.Genesis.ChainID(), tx.ID()) }

// answer runs one transaction that must succeed.
func (c *council) answer(tx *wire.Tx) *public.Answer {
	c.Helper()
	a, err := public.DecodeAnswer(c.Result(c.OK(tx), 0).Output)
	if err != nil {
		c.Fatal(err)
	}
	return a
}

func (c *council) refused(tx *wire.Tx, want wire.Code) {
	c.Helper()
	if got := c.Admit(tx); got != want {
		c.Errorf("admission: %s, want %s", got, want)
	}
	if got := c.One(tx).Code; got != want {
		c.Errorf("execution: %s, want %s", got, want)
	}
}

func (c *council) obeyed() string {
	c.Helper()
	var last []byte
	c.View(func(v *ledger.View) { last, _ = v.Get(ruledName, lastOrder) })
	return string(last)
}

func (c *council) open() []public.Open {
	c.Helper()
	open, _ := ledgertest.Load[[]public.Open](c.Chain, public.Name, public.OpenKey)
	return open
}

func (c *council) decision(id wire.Hash) public.Decision {
	c.Helper()
	d, _ := ledgertest.Load[public.Decision](c.Chain, public.Name, public.DecisionKey(id))
	return d
}

// More than two thirds, hardware registry specification §4.
func TestMoreThanTwoThirdsCarryAnOrderOut(t *testing.T) {
	for n, needed := range map[int]int{1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 9: 7, 32: 22} {
		c := newCouncil(t, n)
		tx := c.propose(0, "go")
		id := c.id(tx)
		a := c.answer(tx)
		for seat := 1; seat < needed; seat++ {
			if a.Executed || c.obeyed() != "" || len(c.open()) != 1 {
				t.Fatalf("%d of %d sufficed", seat, n)
			}
			a = c.answer(c.approve(seat, id))
		}
		if want := fmt.Sprintf("done, unanimous %t", needed == n); !a.Executed || a.ID != id || string(a.Result) != want || c.obeyed() != "go" {
			t.Fatalf("%d of %d: %+v, %q", needed, n, a, a.Result)
		}
		want := public.Decision{Ending: public.Executed, Family: ruledName, Order: public.OrderHash(ruledName, []byte("go")),
			Height: c.Ledger.Height(), TimeMs: c.Ledger.Tip().Header.TimeMs, Approvals: uint8(needed), All: uint8(n)}
		if got := c.decision(id); got != want || len(c.open()) != 0 {
			t.Errorf("%+v, want %+v", got, want)
		}
		if n > needed {
			c.refused(c.approve(needed, id), wire.ErrProposalUnknown)
		}
	}
}

func TestAUnanimousProposalWaitsForAll(t *testing.T) {
	c := newCouncil(t, 4)
	tx := c.Tx(c.seats[0], public.Name, (&public.Propose{Family: ruledName, Order: []byte("all of you"), Unanimous: true}).Bytes())
	c.OK(tx)
	c.OK(c.approve(1, c.id(tx)), c.approve(2, c.id(tx)))
	if c.obeyed() != "" {
		t.Fatal("three of four were all")
	}
	if a := c.answer(c.approve(3, c.id(tx))); !a.Executed || string(a.Result) != "done, unanimous true" {
		t.Errorf("%+v", a)
	}
}

// What its family refuses stays as it was before the last approval.
func TestARefusedOrderLeavesItsProposalOpen(t *testing.T) {
	c := newCouncil(t, 4)
	for order, want := range map[string]wire.Code{"refuse": wire.ErrTrustFull, "all of you": wire.ErrActivationTooSoon} {
		tx := c.propose(0, order)
		id := c.id(tx)
		c.OK(tx, c.approve(1, id))
		before := c.Balance(c.seats[2]).Credits
		if r := c.One(c.approve(2, id)); r.Code != want {
			t.Fatalf("%q: %s", order, r.Code)
		}
		p, ok := ledgertest.Load[public.Proposal](c.Chain, public.Name, public.ProposalKey(id))
		if !ok || len(p.Approvals) != 2 || c.obeyed() != "" || len(c.open()) != 1 || c.decision(id) != (public.Decision{}) {
			t.Errorf("%q: %+v, obeyed %q", order, p, c.obeyed())
		}
		if c.Balance(c.seats[2]).Credits >= before {
			t.Error("a refused approval cost nothing")
		}
		c.OK(c.withdraw(0, id))
	}
	alone := newCouncil(t, 1)
	if r := alone.One(alone.propose(0, "refuse")); r.Code != wire.ErrTrustFull || len(alone.open()) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestOnlyAuthoritiesHaveASay(t *testing.T) {
	c := newCouncil(t, 4)
	tx := c.propose(0, "go")
	id := c.id(tx)
	c.OK(tx)
	for _, payload := range [][]byte{tx.Payload, (&public.Approve{ID: id}).Bytes(), (&public.Withdraw{ID: id}).Bytes()} {
		c.refused(c.Tx(ledgertest.Alice, public.Name, payload), wire.ErrNotAuthority)
	}
}

func TestSayingItTwiceCountsOnce(t *testing.T) {
	c := newCouncil(t, 4)
	tx := c.propose(0, "go")
	id := c.id(tx)
	c.OK(tx)
	c.refused(c.approve(0, id), wire.ErrAlreadyApproved)
	c.OK(c.approve(1, id))
	c.refused(c.approve(1, id), wire.ErrAlreadyApproved)
	c.refused(c.approve(1, wire.Hash{1}), wire.ErrProposalUnknown)
}

func TestWithdrawing(t *testing.T) {
	c := newCouncil(t, 4)
	tx := c.propose(0, "go")
	id := c.id(tx)
	c.OK(tx, c.approve(1, id))
	c.refused(c.withdraw(2, id), wire.ErrNotApproved)
	c.OK(c.withdraw(1, id)) // an approval is taken back
	c.OK(c.approve(2, id))
	if c.obeyed() != "" {
		t.Fatal("a withdrawn approval counted")
	}
	c.OK(c.withdraw(0, id)) // the proposer ends it
	if d := c.decision(id); d.Ending != public.Withdrawn || d.Approvals != 2 || len(c.open()) != 0 {
		t.Errorf("%+v", d)
	}
	c.refused(c.withdraw(0, id), wire.ErrProposalUnknown)
	c.refused(c.approve(3, id), wire.ErrProposalUnknown)
}

func TestProposalsEndAtTheirTime(t *testing.T) {
	c := newCouncil(t, 4)
	now := c.NextMs()
	timed := func(at uint64) *wire.Tx {
		return c.Tx(c.seats[0], public.Name, (&public.Propose{Family: ruledName, Order: []byte("go"), ExpiresMs: at}).Bytes())
	}
	for _, at := range []uint64{1, now, now + public.DefaultLifetimeMs + 5000} {
		c.refused(timed(at), wire.ErrProposalLifetime)
	}
	short, long := timed(c.NextMs()+10_000), c.propose(1, "later")
	c.OK(short, long)
	start := c.Ledger.Tip().Header.TimeMs
	if open := c.open(); len(open) != 2 || open[1].ExpiresMs != start+public.DefaultLifetimeMs {
		t.Fatalf("%+v", open)
	}
	c.OK(c.approve(1, c.id(short)))
	end := c.open()[0].ExpiresMs
	// In the block that is too late it is still there, and counts for nothing.
	late := c.approve(2, c.id(short))
	if r := c.Result(c.RunAt(end, late), 0); r.Code != wire.ErrProposalExpired {
		t.Errorf("at its end: %s", r.Code)
	}
	if d := c.decision(c.id(short)); d.Ending != public.Expired || d.Approvals != 2 || len(c.open()) != 1 || c.obeyed() != "" {
		t.Errorf("%+v", d)
	}
	c.refused(c.approve(2, c.id(short)), wire.ErrProposalUnknown)
	c.RunAt(start + public.DefaultLifetimeMs)
	if len(c.open()) != 0 {
		t.Error("a proposal outlives its time")
	}
}

func TestNobodyKeepsTheOthersFromProposing(t *testing.T) {
	c := newCouncil(t, 4)
	var txs []*wire.Tx
	for i := range public.MaxOpen / 4 {
		txs = append(txs, c.propose(0, fmt.Sprint(i)))
	}
	c.OK(txs...)
	c.refused(c.propose(0, "one more"), wire.ErrProposalsFull)
	for seat := 1; seat < 4; seat++ {
		txs = txs[:0]
		for i := range public.MaxOpen / 4 {
			txs = append(txs, c.propose(seat, fmt.Sprint(i)))
		}
		c.OK(txs...)
	}
	if n := len(c.open()); n != public.MaxOpen {
		t.Errorf("%d are open", n)
	}
	c.refused(c.propose(3, "one more"), wire.ErrProposalsFull)
	c.OK(c.withdraw(3, c.open()[public.MaxOpen-1].ID))
	c.OK(c.propose(3, "one more"))
}

func TestOrdersAreCheckedWhenTheyAreProposed(t *testing.T) {
	c := newCouncil(t, 4)
	c.refused(c.propose(0, "mumble mumble"), wire.ErrMalformed)
	c.refused(c.Tx(c.seats[0], public.Name, (&public.Propose{Family: "nobody", Order: []byte("go")}).Bytes()), wire.ErrUnknownFamily)
	c.refused(c.Tx(c.seats[0], public.Name, (&public.Propose{Family: "token", Order: []byte("go")}).Bytes()), wire.ErrMalformed)
	c.refused(c.Tx(c.seats[0], public.Name, (&public.Propose{Family: public.Name, Order: []byte{9}}).Bytes()), wire.ErrMalformed)
	none := public.SetAuthorities(&public.Authorities{Threshold: public.DefaultThreshold, LifetimeMs: 1})
	c.refused(c.Tx(c.seats[0], public.Name, (&public.Propose{Family: public.Name, Order: none}).Bytes()), wire.ErrAuthorities)
}

// set proposes other authorities, keys of seats by number.
func (c *council) set(t public.Threshold, seats ...int) []byte {
	a := &public.Authorities{Threshold: t, LifetimeMs: public.DefaultLifetimeMs}
	for _, seat := range seats {
		a.Accounts = append(a.Accounts, ledgertest.Account(ledgertest.Key(100+seat)))
	}
	return (&public.Propose{Family: public.Name, Order: public.SetAuthorities(a)}).Bytes()
}

func TestAuthoritiesChangeTheAuthorities(t *testing.T) {
	c := newCouncil(t, 4)
	waiting := c.propose(0, "go")
	id := c.id(waiting)
	c.OK(waiting, c.approve(1, id))

	change := c.Tx(c.seats[0], public.Name, c.set(public.DefaultThreshold, 1, 2))
	c.OK(change)
	c.OK(c.approve(1, c.id(change)), c.approve(2, c.id(change)))
	a, _ := ledgertest.Load[public.Authorities](c.Chain, public.Name, public.AuthoritiesKey)
	if len(a.Accounts) != 2 || a.Has(ledgertest.Account(c.seats[0])) {
		t.Fatalf("%+v", a)
	}
	// The approval of who is none any more does not count; 1 of 2 is left.
	c.refused(c.approve(0, id), wire.ErrNotAuthority)
	c.refused(c.approve(1, id), wire.ErrAlreadyApproved)
	if got := c.answer(c.approve(2, id)); !got.Executed {
		t.Errorf("%+v", got)
	}
}

// When fewer are needed than have approved, anybody may say so again.
func TestALowerThresholdIsMetByAskingAgain(t *testing.T) {
	c := newCouncil(t, 4)
	waiting := c.propose(0, "go")
	id := c.id(waiting)
	c.OK(waiting, c.approve(1, id))
	change := c.Tx(c.seats[0], public.Name, c.set(public.Threshold{Num: 1, Den: 2}, 0, 1, 2))
	c.OK(change)
	c.OK(c.approve(1, c.id(change)), c.approve(2, c.id(change)))
	if c.obeyed() != "" {
		t.Fatal("carried out by nobody's approval")
	}
	if a := c.answer(c.approve(1, id)); !a.Executed || string(a.Result) != "done, unanimous false" {
		t.Errorf("%+v", a)
	}
}

func TestAnAnswerThatIsTooLongIsADefect(t *testing.T) {
	c := newCouncil(t, 1)
	if a := c.answer(c.propose(0, "talk less")); len(a.Result) != public.MaxResult {
		t.Errorf("%d bytes", len(a.Result))
	}
	if _, err := c.Ledger.Execute(c.Block(c.NextMs(), c.propose(0, "talk"))); err == nil {
		t.Error("a family that talks too much did not stop the ledger")
	}
}

func TestParametersOfTheGenesisAreChecked(t *testing.T) {
	a, b := ledgertest.Account(ledgertest.Alice).String(), wire.FactoidAddress(ledgertest.Account(ledgertest.Bob))
	for params, good := range map[string]bool{
		`{"authorities":["` + a + `"]}`:                                           true,
		`{"authorities":["` + a + `","` + b + `"],"threshold":{"num":1,"den":2}}`: true,
		`{"authorities":["` + a + `"],"lifetime_ms":1000}`:                        true,
		`{"authorities":[]}`:                                                      false,
		`{}`:                                                                      false,
		``:                                                                        false,
		`{"authorities":["` + a + `","` + a + `"]}`:                   false,
		`{"authorities":["` + wire.Account{}.String() + `"]}`:         false,
		`{"authorities":["nobody"]}`:                                  false,
		`{"authorities":["` + a + `"],"threshold":{"num":1,"den":3}}`: false,
		`{"authorities":["` + a + `"],"threshold":{"num":3,"den":3}}`: false,
		`{"authorities":["` + a + `"],"threshold":{"num":0,"den":0}}`: false,
		`{"authorities":["` + a + `"],"lifetime_ms":7776000001}`:      false,
		`{"authorities":["` + a + `"],"more":1}`:                      false,
	} {
		g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: public.Name, Params: json.RawMessage(params)})
		if _, err := ledger.Open(store.NewMemory(), g, []ledger.Family{governance.Family{}}); (err == nil) != good {
			t.Errorf("%s: %v", params, err)
		}
	}
}

// TestNoMinorityEverDecides lets random authorities do random things: whatever is
// carried out had more than the threshold of those who were authorities then,
// and happens once.
func TestNoMinorityEverDecides(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCouncil(t, rapid.IntRange(1, 6).Draw(rt, "authorities"))
		said := map[wire.Hash]map[int]bool{}
		var ids []wire.Hash
		done := map[wire.Hash]bool{}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			seat := rapid.IntRange(0, len(c.seats)-1).Draw(rt, "seat")
			what := rapid.IntRange(0, 5).Draw(rt, "what")
			if what == 0 || len(ids) == 0 {
				tx := c.propose(seat, "go")
				id := c.id(tx)
				ids, said[id] = append(ids, id), map[int]bool{seat: true}
				done[id] = c.answer(tx).Executed
				c.judge(rt, done[id], len(said[id]))
				continue
			}
			id := rapid.SampledFrom(ids).Draw(rt, "proposal")
			if what == 5 {
				if r := c.One(c.withdraw(seat, id)); r.Code == wire.OK {
					delete(said[id], seat)
				}
				continue
			}
			r := c.One(c.approve(seat, id))
			if r.Code != wire.OK {
				continue
			}
			said[id][seat] = true
			a, err := public.DecodeAnswer(r.Output)
			if err != nil || a.Executed && done[id] {
				rt.Fatalf("%+v, %v, executed before: %t", a, err, done[id])
			}
			done[id] = a.Executed
			c.judge(rt, a.Executed, len(said[id]))
		}
	})
}

func (c *council) judge(rt *rapid.T, executed bool, approvals int) {
	if enough := 3*approvals > 2*len(c.seats); executed != enough {
		rt.Fatalf("executed %t with %d of %d", executed, approvals, len(c.seats))
	}
}
