package committee

import (
	"fmt"
	"math/bits"
)

// Bounds of parameters; with them no product or sum in this package overflows.
const (
	MaxSeats   = 1024      // of K
	MaxOver    = 64        // of Over
	MaxTickets = 1 << 16   // of MaxTickets, hashes per claim
	MaxAmount  = 1 << 52   // of every amount of credit or gas
	MaxCredit  = 1<<63 - 1 // of the sum of all credit
	maxNorm    = 1 << 32   // of NormNum and NormDen
)

// Params are the committee's part of the genesis parameters. Credit and gas are
// in their smallest units. Specification §3.7.
type Params struct {
	_ struct{} `cbor:",toarray"`

	K            uint32 `json:"k"`              // seats, at most
	SMin         uint32 `json:"s_min"`          // seats, at least
	DMin         uint32 `json:"d_min"`          // devices with a seat, at least
	Over         uint32 `json:"over"`           // about Over×K tickets count
	OwnerSeatCap uint32 `json:"owner_seat_cap"` // seats of one owner, at most

	TicketUnit uint64 `json:"ticket_unit"` // credit for one ticket
	MaxTickets uint64 `json:"max_tickets"` // of one device

	RAGas       uint64 `json:"ra_gas"`        // gas for a committee's work
	ClaimBond   uint64 `json:"claim_bond"`    // gas held for a claim
	RACost      uint64 `json:"ra_cost"`       // credit a task costs the testee
	IssueJoin   uint64 `json:"issue_join"`    // credit for a passed JOIN
	IssueRenew  uint64 `json:"issue_renew"`   // credit for a passed PERIODIC or REINSTATE
	FailPenalty uint64 `json:"fail_penalty"`  // credit a FAIL costs on top
	Bonus       uint64 `json:"bonus"`         // credit per seat of the majority
	PenMinor    uint64 `json:"pen_minor"`     // credit per seat of the minority
	PenNoReveal uint64 `json:"pen_no_reveal"` // credit per seat committed and not opened
	PenNoCommit uint64 `json:"pen_no_commit"` // credit per seat never committed

	SlashNum uint64 `json:"slash_num"` // part of its credit that a wrong vote costs
	SlashDen uint64 `json:"slash_den"`

	Cap     uint64 `json:"cap"`      // of all credit, after normalization
	NormNum uint64 `json:"norm_num"` // normalize above Cap×NormNum/NormDen
	NormDen uint64 `json:"norm_den"`
}

// Defaults are the values of specification §3.7.
func Defaults() Params {
	return Params{
		K: 31, SMin: 4, DMin: 4, Over: 4, OwnerSeatCap: 10,
		TicketUnit: 100_000_000, MaxTickets: 256,
		RAGas: 1_000_000, ClaimBond: 100_000, RACost: 20_000_000,
		IssueJoin: 300_000_000, IssueRenew: 40_000_000, FailPenalty: 100_000_000,
		Bonus: 2_000_000, PenMinor: 6_000_000, PenNoReveal: 6_000_000, PenNoCommit: 3_000_000,
		SlashNum: 1, SlashDen: 2,
		Cap: 1_000_000_000_000, NormNum: 11, NormDen: 10,
	}
}

// Check refuses parameters under which a committee could never be drawn, an
// amount could overflow, or normalization would never run. The error names the
// first bad parameter.
func (p Params) Check() error {
	for _, b := range []struct {
		name            string
		v, least, limit uint64
	}{
		{"k", uint64(p.K), 1, MaxSeats},
		{"s_min", uint64(p.SMin), 1, uint64(p.K)},
		{"d_min", uint64(p.DMin), 1, uint64(p.K)},
		{"over", uint64(p.Over), 1, MaxOver},
		{"owner_seat_cap", uint64(p.OwnerSeatCap), 1, uint64(p.K)},
		{"ticket_unit", p.TicketUnit, 1, MaxCredit},
		{"max_tickets", p.MaxTickets, 1, MaxTickets},
		{"ra_gas", p.RAGas, 0, MaxAmount},
		{"claim_bond", p.ClaimBond, 0, MaxAmount},
		{"ra_cost", p.RACost, 0, MaxAmount},
		{"issue_join", p.IssueJoin, 0, MaxAmount},
		{"issue_renew", p.IssueRenew, 0, MaxAmount},
		{"fail_penalty", p.FailPenalty, 0, MaxAmount},
		{"bonus", p.Bonus, 0, MaxAmount},
		{"pen_minor", p.PenMinor, 0, MaxAmount},
		{"pen_no_reveal", p.PenNoReveal, 0, MaxAmount},
		{"pen_no_commit", p.PenNoCommit, 0, MaxAmount},
		{"slash_den", p.SlashDen, 1, maxNorm},
		{"slash_num", p.SlashNum, 0, p.SlashDen},
		{"norm_den", p.NormDen, 1, maxNorm},
		{"norm_num", p.NormNum, p.NormDen, maxNorm},
		{"cap", p.Cap, 1, MaxCredit},
	} {
		if b.v < b.least || b.v > b.limit {
			return fmt.Errorf("%s is %d, it must be %d to %d", b.name, b.v, b.least, b.limit)
		}
	}
	if !p.Inflated(MaxCredit) {
		return fmt.Errorf("cap×norm_num/norm_den must be below %d, or credit runs out before it is normalized", uint64(MaxCredit))
	}
	return nil
}

// Inflated reports whether a sum of all credit calls for normalization: strictly
// above Cap×NormNum/NormDen. Specification §9.
func (p Params) Inflated(total uint64) bool {
	hi, lo := bits.Mul64(p.NormDen, total)
	limitHi, limitLo := bits.Mul64(p.NormNum, p.Cap)
	return hi > limitHi || hi == limitHi && lo > limitLo
}
