package committee

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

// ledgerBook is all credit and gas there is in a test.
type ledgerBook struct {
	credit map[holder]uint64
	gas    map[holder]uint64
	escrow uint64
	bonds  map[wire.Hash]uint64
}

type holder struct {
	who    Who
	device wire.Hash
}

func newBook(escrow, bond uint64, ballots []Ballot) *ledgerBook {
	b := &ledgerBook{map[holder]uint64{}, map[holder]uint64{}, escrow, map[wire.Hash]uint64{}}
	for _, v := range ballots {
		b.bonds[v.Device] = bond
	}
	return b
}

func (b *ledgerBook) Credit(who Who, device wire.Hash) (uint64, error) {
	return b.credit[holder{who, device}], nil
}

func (b *ledgerBook) SetCredit(who Who, device wire.Hash, credit uint64) error {
	b.credit[holder{who, device}] = credit
	return nil
}

func (b *ledgerBook) Gas(m Move) error {
	to := holder{m.Who, m.Device}
	amount := m.Amount
	switch {
	case m.Op == Bond && b.bonds[m.Device] == amount:
		delete(b.bonds, m.Device)
	case m.Op == Bond:
		return fmt.Errorf("no bond of %d", amount)
	case m.Who == Treasury:
		if amount > b.escrow {
			return fmt.Errorf("escrow has %d, not %d", b.escrow, amount)
		}
		amount, b.escrow = b.escrow, 0
	case amount > b.escrow:
		return fmt.Errorf("escrow has %d, not %d", b.escrow, amount)
	default:
		b.escrow -= amount
	}
	if m.Who == Treasury {
		to.device = wire.Hash{}
	}
	b.gas[to] += amount
	return nil
}

// sums are all credit and all gas.
func (b *ledgerBook) sums() (credit, gas uint64) {
	for _, v := range b.credit {
		credit += v
	}
	for _, v := range b.gas {
		gas += v
	}
	for _, v := range b.bonds {
		gas += v
	}
	return credit, gas + b.escrow
}

func mint(who Who, n byte, amount uint64) Move  { return Move{Mint, who, wire.Hash{n}, amount} }
func debit(who Who, n byte, amount uint64) Move { return Move{Debit, who, wire.Hash{n}, amount} }
func pay(who Who, n byte, amount uint64) Move   { return Move{Pay, who, wire.Hash{n}, amount} }
func bond(to Who, n byte) Move                  { return Move{Bond, to, wire.Hash{n}, 100_000} }

// example is the committee of specification §8: devices 0, 2, 3 and 4 there are
// 10, 2, 3 and 4 here, so that the order given is not the order of ids.
func example() []Ballot {
	return []Ballot{
		vote(10, 2, Pass, 0, digestA), vote(2, 4, Fail, 5, digestB),
		vote(3, 3, Pass, 0, digestA), vote(4, 4, Pass, 0, digestA),
	}
}

func TestWorkedExampleOfTheSpecification(t *testing.T) {
	p := v1Params()
	ballots := example()
	o := Tally(ballots)
	if o.Verdict != Pass || o.Pass != 9 || o.Total != 13 {
		t.Fatalf("outcome %+v", o)
	}
	plan := PayOut(p, KindJoin, o, ballots, 100, true)
	want := []Move{
		mint(Testee, 0, 300_000_000), debit(Testee, 0, 20_000_000),
		debit(Verifier, 2, 24_000_000), mint(Verifier, 3, 6_000_000), mint(Verifier, 4, 8_000_000), mint(Verifier, 10, 4_000_000),
		pay(Verifier, 3, 333_333), pay(Verifier, 4, 444_444), pay(Verifier, 10, 222_222), pay(Treasury, 0, 1),
		bond(Verifier, 2), bond(Verifier, 3), bond(Verifier, 4), bond(Verifier, 10),
	}
	if !slices.Equal(plan, want) {
		t.Fatalf("plan %v\nwant %v", plan, want)
	}

	book := newBook(p.RAGas, p.ClaimBond, ballots)
	for _, b := range ballots {
		book.credit[holder{Verifier, b.Device}] = 100_000_000
	}
	e, err := Apply(plan, book)
	if err != nil {
		t.Fatal(err)
	}
	if got := book.credit[holder{who: Testee}]; got != 280_000_000 {
		t.Errorf("testee has %d", got)
	}
	if got := book.credit[holder{Verifier, wire.Hash{2}}]; got != 76_000_000 {
		t.Errorf("minority has %d", got)
	}
	if e.Minted != 318_000_000 || e.Burned != 44_000_000 {
		t.Errorf("minted %d, burned %d", e.Minted, e.Burned)
	}
	if book.escrow != 0 || len(book.bonds) != 0 {
		t.Errorf("escrow %d, bonds %v left", book.escrow, book.bonds)
	}
}

// What the testee gets and loses, for each kind and verdict.
func TestTesteeMoves(t *testing.T) {
	p := v1Params()
	pass, fail := Outcome{Verdict: Pass}, Outcome{Verdict: Fail, Reason: 5}
	cost, penalty := debit(Testee, 0, 20_000_000), debit(Testee, 0, 100_000_000)
	for _, v := range []struct {
		name    string
		kind    uint8
		o       Outcome
		percent uint8
		want    []Move
	}{
		{"join", KindJoin, pass, 100, []Move{mint(Testee, 0, 300_000_000), cost}},
		{"join under a root of a third", KindJoin, pass, 33, []Move{mint(Testee, 0, 99_000_000), cost}},
		{"change of key", KindJoin, pass, 0, []Move{cost}},
		{"periodic", KindPeriodic, pass, 100, []Move{mint(Testee, 0, 40_000_000), cost}},
		{"reinstate", KindReinstate, pass, 50, []Move{mint(Testee, 0, 20_000_000), cost}},
		{"challenge", KindChallenge, pass, 100, nil},
		{"failed join", KindJoin, fail, 100, []Move{cost, penalty}},
		{"failed periodic", KindPeriodic, fail, 100, []Move{cost, penalty}},
		{"failed challenge", KindChallenge, fail, 100, []Move{penalty}},
		{"inconclusive", KindPeriodic, Outcome{Verdict: Inconclusive}, 100, nil},
	} {
		var got []Move
		for _, m := range PayOut(p, v.kind, v.o, nil, v.percent, true) {
			if m.Who == Testee {
				got = append(got, m)
			}
		}
		if !slices.Equal(got, v.want) {
			t.Errorf("%s: %v, want %v", v.name, got, v.want)
		}
	}
	p.IssueRenew = 199
	if m := PayOut(p, KindPeriodic, pass, nil, 1, true); m[0] != mint(Testee, 0, 1) {
		t.Errorf("1%% of 199 is %v", m[0])
	}
}

// Evidence that never came: a FAIL without a committee.
func TestNoCommitteeGasGoesToTheTreasury(t *testing.T) {
	plan := PayOut(v1Params(), KindPeriodic, Outcome{Verdict: Fail, Reason: ReasonNoEvidence}, nil, 100, true)
	want := []Move{debit(Testee, 0, 20_000_000), debit(Testee, 0, 100_000_000), pay(Treasury, 0, 1_000_000)}
	if !slices.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
}

func TestMissingSeatsPayWhateverTheOutcome(t *testing.T) {
	p := v1Params()
	missing := []Ballot{unrevealed(3, 2), uncommitted(4, 1)}
	penalties := []Move{debit(Verifier, 3, 12_000_000), debit(Verifier, 4, 3_000_000)}
	forfeits := []Move{bond(Treasury, 3), bond(Treasury, 4)}

	ballots := append([]Ballot{vote(1, 9, Pass, 0, digestA), vote(2, 1, Fail, 5, digestB)}, missing...)
	plan := PayOut(p, KindChallenge, Tally(ballots), ballots, 100, true)
	want := slices.Concat(
		[]Move{mint(Verifier, 1, 18_000_000), debit(Verifier, 2, 6_000_000)}, penalties,
		[]Move{pay(Verifier, 1, 999_999), pay(Treasury, 0, 1), bond(Verifier, 1), bond(Verifier, 2)}, forfeits)
	if !slices.Equal(plan, want) {
		t.Errorf("PASS: plan %v\nwant %v", plan, want)
	}

	ballots = append([]Ballot{vote(1, 6, Pass, 0, digestA), vote(2, 3, Fail, 5, digestB)}, missing...)
	o := Tally(ballots)
	bonds := append([]Move{bond(Verifier, 1), bond(Verifier, 2)}, forfeits...)
	plan = PayOut(p, KindPeriodic, o, ballots, 100, false)
	if want := slices.Concat(penalties, bonds); !slices.Equal(plan, want) {
		t.Errorf("with an attempt to follow: plan %v\nwant %v", plan, want)
	}
	plan = PayOut(p, KindPeriodic, o, ballots, 100, true)
	if want := slices.Concat(penalties, []Move{pay(Payer, 0, 500_000), pay(Treasury, 0, 500_000)}, bonds); !slices.Equal(plan, want) {
		t.Errorf("final: plan %v\nwant %v", plan, want)
	}
}

// A leader that keeps ballots out must not be able to have their owners punished.
func TestCensoredBallotsCostNothing(t *testing.T) {
	p := v1Params()
	ballots := []Ballot{vote(1, 8, Pass, 0, digestA), unrevealed(2, 3), uncommitted(3, 2)}
	o := Tally(ballots)
	o.Excused = true
	want := []Move{bond(Verifier, 1), bond(Verifier, 2), bond(Verifier, 3)}
	if plan := PayOut(p, KindPeriodic, o, ballots, 100, false); !slices.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
	ballots[0].Seats = 13 // they decided nothing: there is nothing to excuse
	o = Tally(ballots)
	o.Excused = true
	plan := PayOut(p, KindPeriodic, o, ballots, 100, false)
	if !slices.Contains(plan, debit(Verifier, 2, 18_000_000)) || !slices.Contains(plan, bond(Treasury, 3)) {
		t.Errorf("plan %v lets off who decided nothing", plan)
	}
}

// Copying votes: the verdict is guessed easily, the digest only by doing the work.
func TestCopiedVerdictWithoutItsDigestIsPaidAsMinority(t *testing.T) {
	ballots := []Ballot{vote(1, 7, Pass, 0, digestA), vote(2, 4, Pass, 0, digestB), vote(3, 2, Pass, 0, digestA)}
	o := Tally(ballots)
	if o.Pass != 13 {
		t.Fatalf("the copied verdict does not count: %+v", o)
	}
	plan := PayOut(v1Params(), KindChallenge, o, ballots, 100, true)
	want := []Move{
		mint(Verifier, 1, 14_000_000), debit(Verifier, 2, 24_000_000), mint(Verifier, 3, 4_000_000),
		pay(Verifier, 1, 777_777), pay(Verifier, 3, 222_222), pay(Treasury, 0, 1),
		bond(Verifier, 1), bond(Verifier, 2), bond(Verifier, 3),
	}
	if !slices.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
}

// A testee that does not answer an honest verifier must not cost it anything.
func TestUnansweredVerifierIsPaidForWhatItRevealed(t *testing.T) {
	ballots := []Ballot{vote(1, 9, Pass, 0, digestA), unanswered(vote(2, 1, Pass, 0, digestA))}
	o := Tally(ballots)
	if o.Verdict != Pass || o.Fail != 1 {
		t.Fatalf("outcome %+v", o)
	}
	plan := PayOut(v1Params(), KindJoin, o, ballots, 0, true)
	if !slices.Contains(plan, mint(Verifier, 2, 2_000_000)) || !slices.Contains(plan, pay(Verifier, 2, 100_000)) {
		t.Errorf("plan %v has no bonus or no share for it", plan)
	}
}

// I1, I2, I16, over any committee, balances, parameters and escrow.
func TestPayOutConservesAndNeverOverdraws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Defaults()
		for _, v := range []*uint64{&p.RAGas, &p.ClaimBond, &p.RACost, &p.IssueJoin, &p.IssueRenew,
			&p.FailPenalty, &p.Bonus, &p.PenMinor, &p.PenNoReveal, &p.PenNoCommit} {
			*v = rapid.OneOf(rapid.Uint64Range(0, 100), rapid.Uint64Range(0, MaxAmount)).Draw(t, "amount")
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		ballots := anyBallots(t)
		o := Tally(ballots)
		o.Excused = rapid.Bool().Draw(t, "excused")
		kind := rapid.Uint8Range(KindJoin, KindReinstate).Draw(t, "kind")
		final := rapid.Bool().Draw(t, "final")
		percent := rapid.Uint8Range(0, 100).Draw(t, "percent")

		more := rapid.Uint64Range(0, MaxAmount).Draw(t, "escrow above the price")
		book := newBook(p.RAGas+more, p.ClaimBond, ballots)
		balance := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 1000), rapid.Uint64Range(0, 1<<58))
		book.credit[holder{who: Testee}] = balance.Draw(t, "testee")
		for _, b := range ballots {
			book.credit[holder{Verifier, b.Device}] = balance.Draw(t, "verifier")
		}
		credit, gas := book.sums()

		plan := PayOut(p, kind, o, ballots, percent, final)
		shuffled := PayOut(p, kind, o, rapid.Permutation(ballots).Draw(t, "order"), percent, final)
		if !slices.Equal(plan, shuffled) {
			t.Fatal("the order of ballots matters")
		}
		var minted, burned uint64
		for i, m := range plan { // one by one, so that a debit below zero cannot hide in the sum
			who := holder{m.Who, m.Device}
			before := book.credit[who]
			e, err := Apply(plan[i:i+1], book)
			if err != nil {
				t.Fatal(err)
			}
			after := book.credit[who]
			switch m.Op {
			case Mint:
				minted += m.Amount
				if after-before != m.Amount || e.Minted != m.Amount || e.Burned != 0 {
					t.Fatalf("%+v: %d became %d, effect %+v", m, before, after, e)
				}
			case Debit:
				burned += before - after
				if after > before || before-after > m.Amount || after > 0 && before-after != m.Amount ||
					e.Burned != before-after || e.Taken[0] != before-after {
					t.Fatalf("%+v: %d became %d, effect %+v", m, before, after, e)
				}
			}
		}
		creditAfter, gasAfter := book.sums()
		if creditAfter != credit+minted-burned {
			t.Fatalf("credit %d became %d, minted %d, burned %d", credit, creditAfter, minted, burned)
		}
		if gasAfter != gas {
			t.Fatalf("gas %d became %d", gas, gasAfter)
		}
		ends := final || o.Verdict != Inconclusive
		if len(book.bonds) > 0 || ends && book.escrow > 0 || !ends && book.escrow != p.RAGas+more {
			t.Fatalf("ends %v: escrow %d, bonds %v left", ends, book.escrow, book.bonds)
		}
	})
}

type closedBook struct{ ledgerBook }

var errClosed = errors.New("closed")

func (*closedBook) SetCredit(Who, wire.Hash, uint64) error { return errClosed }

func TestApplyStopsWhereTheBookRefuses(t *testing.T) {
	book := &closedBook{*newBook(5, 0, nil)}
	_, err := Apply([]Move{mint(Testee, 0, 1), pay(Treasury, 0, 5)}, book)
	if !errors.Is(err, errClosed) || book.escrow != 5 {
		t.Errorf("error %v, escrow %d", err, book.escrow)
	}
	if _, err := Apply([]Move{pay(Verifier, 1, 6)}, book); err == nil {
		t.Error("six of five paid")
	}
}

// What no caller with a checked state can ask for stops the node.
func TestImpossiblePlansPanic(t *testing.T) {
	for name, do := range map[string]func(){
		"an op that is none": func() { _, _ = Apply([]Move{{Op: 9, Who: Testee}}, newBook(0, 0, nil)) },
		"a kind that is none": func() {
			PayOut(Defaults(), 5, Outcome{Verdict: Pass}, nil, 100, true)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}
