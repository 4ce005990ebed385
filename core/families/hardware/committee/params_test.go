package committee

import (
	"encoding/json"
	"strings"
	"testing"

	"cloister/wire"
)

func TestDefaultsAreTheSpecifications(t *testing.T) {
	p := Defaults()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	if want := max(1, (p.K-1)/3); p.OwnerSeatCap != want {
		t.Errorf("owner seat cap %d, want %d", p.OwnerSeatCap, want)
	}
}

func TestCheckNamesTheBadParameter(t *testing.T) {
	for _, v := range []struct {
		name string
		set  func(*Params)
	}{
		{"k is", func(p *Params) { p.K = 0 }},
		{"k is", func(p *Params) { p.K = MaxSeats + 1 }},
		{"s_min", func(p *Params) { p.SMin = 0 }},
		{"s_min", func(p *Params) { p.SMin = p.K + 1 }},
		{"d_min", func(p *Params) { p.DMin = p.K + 1 }},
		{"over", func(p *Params) { p.Over = 0 }},
		{"over", func(p *Params) { p.Over = MaxOver + 1 }},
		{"owner_seat_cap", func(p *Params) { p.OwnerSeatCap = 0 }},
		{"ticket_unit", func(p *Params) { p.TicketUnit = 0 }},
		{"max_tickets", func(p *Params) { p.MaxTickets = MaxTickets + 1 }},
		{"ra_gas", func(p *Params) { p.RAGas = MaxAmount + 1 }},
		{"claim_bond", func(p *Params) { p.ClaimBond = MaxAmount + 1 }},
		{"ra_cost", func(p *Params) { p.RACost = MaxAmount + 1 }},
		{"issue_join", func(p *Params) { p.IssueJoin = MaxAmount + 1 }},
		{"issue_renew", func(p *Params) { p.IssueRenew = MaxAmount + 1 }},
		{"fail_penalty", func(p *Params) { p.FailPenalty = MaxAmount + 1 }},
		{"bonus", func(p *Params) { p.Bonus = MaxAmount + 1 }},
		{"pen_minor", func(p *Params) { p.PenMinor = MaxAmount + 1 }},
		{"pen_no_reveal", func(p *Params) { p.PenNoReveal = MaxAmount + 1 }},
		{"pen_no_commit", func(p *Params) { p.PenNoCommit = MaxAmount + 1 }},
		{"slash_den", func(p *Params) { p.SlashDen = 0 }},
		{"slash_num", func(p *Params) { p.SlashNum = 3 }},
		{"norm_den", func(p *Params) { p.NormDen = 0 }},
		{"norm_num", func(p *Params) { p.NormNum = 9 }},
		{"cap is", func(p *Params) { p.Cap = 0 }},
		{"cap×", func(p *Params) { p.Cap = MaxCredit }},
	} {
		p := Defaults()
		v.set(&p)
		if err := p.Check(); err == nil || !strings.HasPrefix(err.Error(), v.name) {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

// At the bounds that Check allows, the largest sums still fit.
func TestLargestParametersDoNotOverflow(t *testing.T) {
	p := Params{
		K: MaxSeats, SMin: 1, DMin: 1, Over: MaxOver, OwnerSeatCap: MaxSeats, TicketUnit: 1, MaxTickets: MaxTickets,
		RAGas: MaxAmount, ClaimBond: MaxAmount, RACost: MaxAmount, IssueJoin: MaxAmount, IssueRenew: MaxAmount,
		FailPenalty: MaxAmount, Bonus: MaxAmount, PenMinor: MaxAmount, PenNoReveal: MaxAmount, PenNoCommit: MaxAmount,
		SlashNum: 1, SlashDen: 1, Cap: 1 << 62, NormNum: 3, NormDen: 2,
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	ballots := []Ballot{vote(1, MaxSeats, Pass, 0, digestA)}
	plan := PayOut(p, KindJoin, Tally(ballots), ballots, 100, true)
	if plan[0] != mint(Testee, 0, MaxAmount) || plan[2] != mint(Verifier, 1, MaxAmount*MaxSeats) {
		t.Errorf("plan %v", plan)
	}
	if total := plan[2].Amount + MaxCredit; total < MaxCredit {
		t.Error("the largest bonus overflows the largest credit")
	}
}

func TestParametersSurviveTheirEncodings(t *testing.T) {
	p := Defaults()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON Params
	if err := json.Unmarshal(text, &fromJSON); err != nil || fromJSON != p {
		t.Errorf("JSON %s gives %+v (%v)", text, fromJSON, err)
	}
	var fromCBOR Params
	if err := wire.Unmarshal(wire.Marshal(p), &fromCBOR, 1024); err != nil || fromCBOR != p {
		t.Errorf("CBOR gives %+v (%v)", fromCBOR, err)
	}
}
