package committee

import (
	"math/bits"
	"slices"

	"cloister/wire"
)

// rewardDen is the part of what wrong voters lose that the disputer gets.
const rewardDen = 10

// Dispute is a verdict that every validator's own appraisal contradicts.
type Dispute struct {
	Params  Params // as for PayOut
	Kind    uint8
	Outcome Outcome // Disputable, and its verdict is not Right's
	Right   Finding
	Seated  []Settled // of the attempt that gave the verdict
	// TesteeCredit is the testee's balance now, TesteeTaken what the pay-out
	// really took from it.
	TesteeCredit, TesteeTaken uint64
	IssuePercent              uint8
	DisputerDevice            bool // the disputer has a device to be rewarded
}

// Finding is the appraisal's own result.
type Finding struct {
	Verdict uint8 // Pass or Fail
	Digest  wire.Hash
}

// Settled is a seated device after the pay-out.
type Settled struct {
	Ballot Ballot
	Credit uint64 // now
	Taken  uint64 // by the pay-out, really
}

// Overturn is the plan that follows a won dispute, in this order: each device
// that revealed the wrong verdict, ascending, loses its part; the disputer's
// device gets a tenth of the sum and the rest stays burned; each device that
// had both verdict and digest right gets back what it lost, and its bonus; a
// testee wrongly passed loses its part, one wrongly failed gets back what it
// lost and the issue it missed. The disputer's bond, gas already paid and the
// testee's status are no part of it. It is nil if there is nothing to overturn.
func (d Dispute) Overturn() (plan []Move) {
	if !d.Outcome.Disputable() || d.Outcome.Verdict == d.Right.Verdict {
		return nil
	}
	add := func(m Move) {
		if m.Amount > 0 {
			plan = append(plan, m)
		}
	}
	seated := slices.Clone(d.Seated)
	slices.SortFunc(seated, func(a, b Settled) int { return compare(a.Ballot.Device, b.Ballot.Device) })

	slashed := uint64(0)
	for _, s := range seated {
		if s.Ballot.opened() && s.Ballot.Verdict != d.Right.Verdict {
			part := d.Params.slash(s.Credit)
			slashed += part
			add(Move{Op: Debit, Who: Verifier, Device: s.Ballot.Device, Amount: part})
		}
	}
	if d.DisputerDevice {
		add(Move{Op: Mint, Who: Disputer, Amount: slashed / rewardDen})
	}
	for _, s := range seated {
		b := s.Ballot
		// With the right verdict alone it would have been paid as minority too.
		if b.opened() && b.Verdict == d.Right.Verdict && b.Digest == d.Right.Digest {
			add(Move{Op: Mint, Who: Verifier, Device: b.Device, Amount: s.Taken + d.Params.Bonus*uint64(b.Seats)})
		}
	}
	if d.Right.Verdict == Fail {
		add(Move{Op: Debit, Who: Testee, Amount: d.Params.slash(d.TesteeCredit)})
	} else {
		add(Move{Op: Mint, Who: Testee, Amount: d.TesteeTaken + issue(d.Params, d.Kind, d.IssuePercent)})
	}
	return plan
}

// slash is floor(credit×SlashNum/SlashDen), at most credit.
func (p Params) slash(credit uint64) uint64 {
	hi, lo := bits.Mul64(credit, p.SlashNum)
	q, _ := bits.Div64(hi, lo, p.SlashDen)
	return q
}
