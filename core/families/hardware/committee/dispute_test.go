package committee

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// wrongPass is a committee whose majority passed what it had to fail.
func wrongPass() Dispute {
	ballots := []Ballot{
		vote(5, 5, Pass, 0, digestA), vote(1, 4, Pass, 0, digestA),
		vote(2, 2, Fail, 5, digestB), vote(3, 1, Fail, 5, digestA), unrevealed(4, 1),
	}
	return Dispute{
		Params: v1Params(), Kind: KindPeriodic, Outcome: Tally(ballots), Right: Finding{Fail, digestB},
		Seated: []Settled{
			{ballots[0], 1_000_001, 0}, {ballots[1], 33, 0},
			{ballots[2], 7, 12_000_000}, {ballots[3], 9, 6_000_000}, {ballots[4], 50, 6_000_000},
		},
		TesteeCredit: 81, TesteeTaken: 20_000_000, IssuePercent: 100, DisputerDevice: true,
	}
}

func TestWrongPassIsOverturned(t *testing.T) {
	d := wrongPass()
	want := []Move{
		debit(Verifier, 1, 16), debit(Verifier, 5, 500_000),
		mint(Disputer, 0, 50_001), // a tenth of 500_016
		mint(Verifier, 2, 12_000_000+2*2_000_000),
		debit(Testee, 0, 40),
	}
	if plan := d.Overturn(); !slices.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
	d.DisputerDevice = false // then all of it is burned
	if plan := d.Overturn(); !slices.Equal(plan, slices.Delete(want, 2, 3)) {
		t.Errorf("without a device to reward: plan %v", plan)
	}
}

func TestWrongFailIsOverturned(t *testing.T) {
	ballots := []Ballot{vote(1, 9, Fail, 5, digestB), vote(2, 4, Pass, 0, digestA)}
	d := Dispute{
		Params: v1Params(), Kind: KindJoin, Outcome: Tally(ballots), Right: Finding{Pass, digestA},
		Seated:       []Settled{{ballots[0], 100, 0}, {ballots[1], 0, 11}}, // it had but 11 to lose
		TesteeCredit: 0, TesteeTaken: 70, IssuePercent: 50, DisputerDevice: true,
	}
	want := []Move{
		debit(Verifier, 1, 50), mint(Disputer, 0, 5),
		mint(Verifier, 2, 11+4*2_000_000), mint(Testee, 0, 70+150_000_000),
	}
	if plan := d.Overturn(); !slices.Equal(plan, want) {
		t.Errorf("plan %v\nwant %v", plan, want)
	}
	d.Kind = KindChallenge // it would have issued nothing
	if plan := d.Overturn(); plan[3] != mint(Testee, 0, 70) {
		t.Errorf("challenged testee gets %v", plan[3])
	}
}

func TestNothingToOverturn(t *testing.T) {
	d := wrongPass()
	d.Right.Verdict = Pass
	if plan := d.Overturn(); plan != nil {
		t.Errorf("the appraisal agrees, yet %v", plan)
	}
	for _, o := range []Outcome{{Verdict: Inconclusive}, {Verdict: Fail, Reason: ReasonActivation}, {Verdict: Fail, Reason: ReasonNoEvidence}} {
		d.Outcome, d.Right.Verdict = o, Pass
		if plan := d.Overturn(); plan != nil {
			t.Errorf("verdict %d for reason %d is not disputable, yet %v", o.Verdict, o.Reason, plan)
		}
	}
}

// I1 and I16 of a dispute, and: colluders lose their half, the disputer cannot
// get more than a tenth of it.
func TestOverturnNeverOverdraws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ballots := anyBallots(t)
		d := Dispute{
			Params: v1Params(), Kind: rapid.Uint8Range(KindJoin, KindReinstate).Draw(t, "kind"), Outcome: Tally(ballots),
			Right:          Finding{rapid.Uint8Range(Pass, Fail).Draw(t, "right"), digestA},
			TesteeCredit:   rapid.Uint64Range(0, 1<<58).Draw(t, "testee"),
			TesteeTaken:    rapid.Uint64Range(0, MaxAmount).Draw(t, "taken"),
			IssuePercent:   rapid.Uint8Range(0, 100).Draw(t, "percent"),
			DisputerDevice: rapid.Bool().Draw(t, "disputer"),
		}
		d.Params.SlashDen = rapid.Uint64Range(1, maxNorm).Draw(t, "den")
		d.Params.SlashNum = rapid.Uint64Range(0, d.Params.SlashDen).Draw(t, "num")
		book := newBook(0, 0, nil)
		book.credit[holder{who: Testee}] = d.TesteeCredit
		for _, b := range ballots {
			s := Settled{b, rapid.Uint64Range(0, 1<<58).Draw(t, "credit"), rapid.Uint64Range(0, MaxAmount).Draw(t, "taken")}
			d.Seated = append(d.Seated, s)
			book.credit[holder{Verifier, b.Device}] = s.Credit
		}
		before, _ := book.sums()
		plan := d.Overturn()
		e, err := Apply(plan, book)
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := book.sums(); after != before+e.Minted-e.Burned {
			t.Fatalf("credit %d became %d: %+v", before, after, e)
		}
		slashed := uint64(0)
		for i, m := range plan {
			switch {
			case m.Op == Debit && e.Taken[i] != m.Amount:
				t.Fatalf("%+v took %d", m, e.Taken[i])
			case m.Op == Debit && m.Who == Verifier:
				slashed += m.Amount
			case m.Who == Disputer && m.Amount != slashed/10:
				t.Fatalf("the disputer gets %d of %d", m.Amount, slashed)
			case m.Op != Debit && m.Op != Mint:
				t.Fatalf("%+v moves gas", m)
			}
		}
		if shuffled := d; plan != nil {
			shuffled.Seated = rapid.Permutation(d.Seated).Draw(t, "order")
			if !slices.Equal(plan, shuffled.Overturn()) {
				t.Fatal("the order of the committee matters")
			}
		}
	})
}

func TestSlashIsExactForTheLargestCredit(t *testing.T) {
	p := Defaults()
	for credit, want := range map[uint64]uint64{0: 0, 1: 0, 3: 1, MaxCredit: 1<<62 - 1} {
		if got := p.slash(credit); got != want {
			t.Errorf("half of %d is %d, want %d", credit, got, want)
		}
	}
	p.SlashNum = p.SlashDen
	if got := p.slash(MaxCredit); got != MaxCredit {
		t.Errorf("all of it is %d", got)
	}
}
