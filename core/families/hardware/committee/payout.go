package committee

import (
	"fmt"
	"slices"

	"cloister/wire"
)

// Op is what a move does.
type Op uint8

// Ops. Mint and Debit are of credit, Pay and Bond of gas.
const (
	Mint  Op = 1 // adds Amount to the credit of Who
	Debit Op = 2 // takes Amount from the credit of Who, at most what it has, and burns it
	Pay   Op = 3 // gives Amount of the task's escrow to Who; to Treasury, all that is left of it
	Bond  Op = 4 // gives the bond of Device to Who
)

// Who is a party to a task.
type Who uint8

// Parties. Gas of a verifier is its owner's.
const (
	Testee   Who = 1
	Verifier Who = 2 // Move.Device names it
	Payer    Who = 3 // whoever paid for the task
	Treasury Who = 4
	Disputer Who = 5 // the device of whoever won a dispute
)

// Move is one step of a plan; the order of a plan is part of it.
type Move struct {
	Op     Op
	Who    Who
	Device wire.Hash // of a Bond or a Verifier; zero otherwise
	Amount uint64
}

// PayOut is what an attempt's outcome gives and takes, in the order of
// specification §8: the testee, then every seated device ascending, then gas,
// then bonds. Status, logs and counters are the family's and come after it.
//
// p is what held when the task was opened: its escrow has at least p.RAGas and
// every seated device a bond of p.ClaimBond. issuePercent, 0 to 100, is the
// root's; 0 if the testee only changes its key. final says that no further
// attempt follows; only an inconclusive one can have a successor, which keeps
// the escrow. Without ballots it is the pay-out of a task that never had a
// committee.
func PayOut(p Params, kind uint8, o Outcome, ballots []Ballot, issuePercent uint8, final bool) []Move {
	ballots = slices.Clone(ballots)
	slices.SortFunc(ballots, func(a, b Ballot) int { return compare(a.Device, b.Device) })
	plan := testeeMoves(p, kind, o, issuePercent)
	for _, b := range ballots {
		if m := verifierMove(p, o, b); m.Amount > 0 {
			plan = append(plan, m)
		}
	}
	if o.Verdict != Inconclusive || final {
		plan = append(plan, gasMoves(p, o, ballots)...)
	}
	for _, b := range ballots {
		to := Verifier
		if !b.opened() && !o.excuses() {
			to = Treasury
		}
		plan = append(plan, Move{Op: Bond, Who: to, Device: b.Device, Amount: p.ClaimBond})
	}
	return plan
}

func testeeMoves(p Params, kind uint8, o Outcome, issuePercent uint8) (plan []Move) {
	testee := func(op Op, amount uint64) {
		if amount > 0 {
			plan = append(plan, Move{Op: op, Who: Testee, Amount: amount})
		}
	}
	if o.Verdict == Inconclusive {
		return nil
	}
	if o.Verdict == Pass {
		testee(Mint, issue(p, kind, issuePercent))
	}
	if kind != KindChallenge { // the challenger has paid, in gas
		testee(Debit, p.RACost)
	}
	if o.Verdict == Fail {
		testee(Debit, p.FailPenalty)
	}
	return plan
}

// issue is the credit a PASS earns.
func issue(p Params, kind uint8, percent uint8) uint64 {
	var full uint64
	switch kind {
	case KindJoin:
		full = p.IssueJoin
	case KindPeriodic, KindReinstate:
		full = p.IssueRenew
	case KindChallenge:
	default:
		panic(fmt.Sprintf("committee: no task has kind %d", kind))
	}
	return full * uint64(percent) / 100
}

// verifierMove is a seated device's bonus or penalty; its amount may be zero.
func verifierMove(p Params, o Outcome, b Ballot) Move {
	m := Move{Op: Debit, Who: Verifier, Device: b.Device}
	perSeat := uint64(0)
	switch {
	case !b.opened() && o.excuses():
	case !b.Committed:
		perSeat = p.PenNoCommit
	case !b.opened():
		perSeat = p.PenNoReveal
	case o.Verdict == Inconclusive: // there is no majority to be in or out of
	case o.majority(b):
		m.Op, perSeat = Mint, p.Bonus
	default:
		perSeat = p.PenMinor
	}
	m.Amount = perSeat * uint64(b.Seats)
	return m
}

// gasMoves gives the escrow away. ballots are sorted.
func gasMoves(p Params, o Outcome, ballots []Ballot) (plan []Move) {
	left := p.RAGas
	if o.Verdict == Inconclusive {
		plan = append(plan, Move{Op: Pay, Who: Payer, Amount: p.RAGas / 2})
		left -= p.RAGas / 2
		return append(plan, Move{Op: Pay, Who: Treasury, Amount: left})
	}
	seats := uint64(0)
	for _, b := range ballots {
		if o.majority(b) {
			seats += uint64(b.Seats)
		}
	}
	for _, b := range ballots {
		if o.majority(b) {
			share := uint64(b.Seats) * (p.RAGas / seats)
			plan = append(plan, Move{Op: Pay, Who: Verifier, Device: b.Device, Amount: share})
			left -= share
		}
	}
	return append(plan, Move{Op: Pay, Who: Treasury, Amount: left})
}

// excuses reports whether those whose ballots are missing are let off: one
// leader could have kept them out, and they decided the outcome.
func (o Outcome) excuses() bool { return o.Excused && o.ForMissing() }
