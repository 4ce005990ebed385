package committee

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/wire"
)

var (
	digestA = wire.Hash{0xa}
	digestB = wire.Hash{0xb}
)

// vote is a ballot of the n-th device, committed and opened.
func vote(n byte, seats uint16, verdict uint8, reason uint16, digest wire.Hash) Ballot {
	return Ballot{Device: wire.Hash{n}, Seats: seats, Committed: true, Revealed: true, Verdict: verdict, Reason: reason, Digest: digest}
}

func unrevealed(n byte, seats uint16) Ballot {
	return Ballot{Device: wire.Hash{n}, Seats: seats, Committed: true}
}

func uncommitted(n byte, seats uint16) Ballot { return Ballot{Device: wire.Hash{n}, Seats: seats} }

func unanswered(b Ballot) Ballot {
	b.Unanswered = true
	return b
}

func TestVerdictNeedsMoreThanTwoThirdsOfAllSeats(t *testing.T) {
	pass := func(n byte, seats uint16) Ballot { return vote(n, seats, Pass, 0, digestA) }
	fail := func(n byte, seats uint16) Ballot { return vote(n, seats, Fail, 5, digestB) }
	for _, v := range []struct {
		name    string
		ballots []Ballot
		want    Outcome
	}{
		{"nobody", nil, Outcome{Verdict: Inconclusive}},
		{"9 of 13", []Ballot{pass(1, 9), fail(2, 4)},
			Outcome{Verdict: Pass, Pass: 9, Fail: 4, Total: 13, MajorityDigest: digestA}},
		{"8 of 13", []Ballot{pass(1, 8), fail(2, 5)},
			Outcome{Verdict: Inconclusive, Pass: 8, Fail: 5, Total: 13}},
		{"exactly two thirds", []Ballot{pass(1, 8), unrevealed(2, 4)},
			Outcome{Verdict: Inconclusive, Pass: 8, Missing: 4, Total: 12}},
		{"one more", []Ballot{pass(1, 9), unrevealed(2, 2), uncommitted(3, 2)},
			Outcome{Verdict: Pass, Pass: 9, Missing: 4, Total: 13, MajorityDigest: digestA}},
		{"fail", []Ballot{fail(1, 3), fail(2, 6), pass(3, 4)},
			Outcome{Verdict: Fail, Reason: 5, Pass: 4, Fail: 9, Total: 13, MajorityDigest: digestB}},
		{"a vote for neither is a bad opening", []Ballot{pass(1, 8), vote(2, 5, Inconclusive, 0, digestA)},
			Outcome{Verdict: Inconclusive, Pass: 8, Missing: 5, Total: 13}},
		{"an opening without a commitment is none", []Ballot{pass(1, 8), {Device: wire.Hash{2}, Seats: 5, Revealed: true, Verdict: Pass}},
			Outcome{Verdict: Inconclusive, Pass: 8, Missing: 5, Total: 13}},
	} {
		if got := Tally(v.ballots); got != v.want {
			t.Errorf("%s: %+v\nwant %+v", v.name, got, v.want)
		}
	}
}

func TestMajorityIsTheHeaviestDigestOfTheWinningVerdict(t *testing.T) {
	for _, v := range []struct {
		name    string
		ballots []Ballot
		digest  wire.Hash
		reason  uint16
	}{
		{"more seats, not more devices",
			[]Ballot{vote(1, 1, Pass, 0, digestA), vote(2, 1, Pass, 0, digestA), vote(3, 3, Pass, 0, digestB)}, digestB, 0},
		{"of equal ones the smallest",
			[]Ballot{vote(1, 2, Pass, 0, digestB), vote(2, 2, Pass, 0, digestA)}, digestA, 0},
		{"digests of the losing verdict do not count",
			[]Ballot{vote(1, 4, Pass, 0, digestB), vote(2, 3, Pass, 0, digestA), vote(3, 3, Fail, 5, digestA)}, digestB, 0},
		{"the reason is the heaviest of that digest",
			[]Ballot{vote(1, 3, Fail, 6, digestA), vote(2, 2, Fail, 5, digestA), vote(3, 2, Fail, 4, digestB)}, digestA, 6},
		{"of equally heavy reasons the lowest",
			[]Ballot{vote(1, 2, Fail, 6, digestA), vote(2, 2, Fail, 5, digestA)}, digestA, 5},
	} {
		if o := Tally(v.ballots); o.MajorityDigest != v.digest || o.Reason != v.reason {
			t.Errorf("%s: digest %s, reason %d", v.name, o.MajorityDigest, o.Reason)
		}
	}
}

// Specification §5.4.
func TestUnansweredChallengesCountAsFail(t *testing.T) {
	pass := func(n byte, seats uint16) Ballot { return vote(n, seats, Pass, 0, digestA) }
	for _, v := range []struct {
		name    string
		ballots []Ballot
		verdict uint8
		reason  uint16
	}{
		{"a third not answered stops a PASS", []Ballot{pass(1, 8), unanswered(pass(2, 4))}, Inconclusive, 0},
		{"less than a third does not", []Ballot{pass(1, 9), unanswered(pass(2, 4))}, Pass, 0},
		{"two thirds make a FAIL", []Ballot{pass(1, 4), unanswered(pass(2, 9))}, Fail, ReasonActivation},
		{"with some votes for FAIL too", []Ballot{vote(1, 6, Fail, 5, digestB), unanswered(pass(2, 6))}, Fail, ReasonActivation},
		{"where the votes suffice, theirs is the reason", []Ballot{vote(1, 9, Fail, 5, digestB), unanswered(pass(2, 4))}, Fail, 5},
		{"who does not reveal has no part in it", []Ballot{vote(1, 8, Fail, 5, digestB), unanswered(unrevealed(2, 4))}, Inconclusive, 0},
	} {
		if o := Tally(v.ballots); o.Verdict != v.verdict || o.Reason != v.reason {
			t.Errorf("%s: verdict %d, reason %d", v.name, o.Verdict, o.Reason)
		}
	}
}

func TestVerdictsNobodyCanRecomputeAreNotDisputable(t *testing.T) {
	for _, v := range []struct {
		o    Outcome
		want bool
	}{
		{Outcome{Verdict: Pass}, true},
		{Outcome{Verdict: Fail, Reason: 5}, true},
		{Outcome{Verdict: Fail, Reason: 12}, true},
		{Outcome{Verdict: Fail, Reason: ReasonActivation}, false},
		{Outcome{Verdict: Fail, Reason: ReasonNoEvidence}, false},
		{Outcome{Verdict: Inconclusive}, false},
	} {
		if got := v.o.Disputable(); got != v.want {
			t.Errorf("verdict %d for reason %d: disputable %v", v.o.Verdict, v.o.Reason, got)
		}
	}
}

// anyBallots draws a committee that did anything.
func anyBallots(t *rapid.T) (ballots []Ballot) {
	for i := range rapid.IntRange(0, 12).Draw(t, "devices") {
		b := Ballot{Device: named(fmt.Sprint("seated", i)), Seats: rapid.Uint16Range(1, 12).Draw(t, "seats")}
		b.Committed = rapid.IntRange(0, 9).Draw(t, "committed") > 0
		b.Revealed = b.Committed && rapid.IntRange(0, 9).Draw(t, "revealed") > 0
		b.Unanswered = rapid.IntRange(0, 9).Draw(t, "unanswered") == 0
		b.Verdict = rapid.SampledFrom([]uint8{Pass, Pass, Pass, Fail}).Draw(t, "verdict")
		if b.Verdict == Fail {
			b.Reason = rapid.Uint16Range(1, 12).Draw(t, "reason")
		}
		b.Digest = rapid.SampledFrom([]wire.Hash{digestA, digestA, digestB}).Draw(t, "digest")
		ballots = append(ballots, b)
	}
	return ballots
}

func TestTallyCountsEverySeatOnceInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ballots := anyBallots(t)
		o := Tally(ballots)
		if again := Tally(rapid.Permutation(ballots).Draw(t, "order")); again != o {
			t.Fatalf("order matters: %+v, then %+v", o, again)
		}
		if o.Pass+o.Fail+o.Missing != o.Total {
			t.Fatalf("seats do not add up: %+v", o)
		}
		if (o.Verdict == Pass) != (3*o.Pass > 2*o.Total) || (o.Verdict == Fail) != (3*o.Fail > 2*o.Total) {
			t.Fatalf("%+v is not what the seats say", o)
		}
	})
}

// I5, and "colluding verifiers below a third": with all honest seats revealed in
// time the verdict, its reason and its digest are the honest ones', whatever the
// others do.
func TestLessThanAThirdDecidesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdict := rapid.SampledFrom([]uint8{Pass, Fail}).Draw(t, "honest verdict")
		reason := uint16(0)
		if verdict == Fail {
			reason = 5
		}
		var ballots []Ballot
		dishonest := uint32(0)
		for _, b := range anyBallots(t) {
			b.Unanswered = false
			ballots = append(ballots, b)
			dishonest += uint32(b.Seats)
		}
		// Honest seats: strictly more than twice as many, on several devices.
		left := 2*dishonest + 1 + rapid.Uint32Range(0, 10).Draw(t, "more")
		for i := byte(1); left > 0; i++ {
			n := min(left, rapid.Uint32Range(1, 40).Draw(t, "honest seats"))
			ballots = append(ballots, vote(i, uint16(n), verdict, reason, digestA))
			left -= n
		}
		o := Tally(ballots)
		if o.Verdict != verdict || o.MajorityDigest != digestA || o.Reason != reason {
			t.Fatalf("%d dishonest of %d seats made it %+v", dishonest, o.Total, o)
		}
	})
}

func TestOnlyDecisiveMissingSeatsCanBeExcused(t *testing.T) {
	for _, v := range []struct {
		name    string
		ballots []Ballot
		want    bool
	}{
		{"they could have made it a PASS", []Ballot{vote(1, 8, Pass, 0, digestA), vote(2, 3, Fail, 5, digestB), unrevealed(3, 2)}, true},
		{"they could have made it a FAIL", []Ballot{vote(1, 8, Fail, 5, digestB), vote(2, 3, Pass, 0, digestA), unrevealed(3, 2)}, true},
		{"split without them", []Ballot{vote(1, 7, Pass, 0, digestA), vote(2, 5, Fail, 5, digestB), unrevealed(3, 1)}, false},
		{"nothing was missing", []Ballot{vote(1, 7, Pass, 0, digestA), vote(2, 6, Fail, 5, digestB)}, false},
		{"decided anyway", []Ballot{vote(1, 9, Pass, 0, digestA), unrevealed(2, 4)}, false},
	} {
		if got := Tally(v.ballots).ForMissing(); got != v.want {
			t.Errorf("%s: %v", v.name, got)
		}
	}
}
