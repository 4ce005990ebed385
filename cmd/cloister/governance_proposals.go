package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/governance"
)

// shownProposal is a proposal: open, or what became of it.
type shownProposal struct {
	ID        wire.Hash   `json:"id"`
	Family    string      `json:"family"`
	Does      string      `json:"does,omitempty"`  // while it is open
	Order     wire.Hex    `json:"order,omitempty"` // likewise
	OrderHash wire.Hash   `json:"order_hash"`
	Unanimous bool        `json:"unanimous,omitempty"`
	Proposer  string      `json:"proposer,omitempty"`
	Approvals []string    `json:"approvals,omitempty"`
	Waits     *shownTally `json:"waits,omitempty"`
	Ending    string      `json:"ending,omitempty"`
	Height    uint64      `json:"height"` // it was proposed or, once ended, decided at
	TimeMs    uint64      `json:"time_ms,omitempty"`
}

// shownProposals lists them.
type shownProposals struct {
	Proposals []*shownProposal `json:"proposals"`
	Height    uint64           `json:"height"` // state after this block
}

func (s *shownProposals) text(w io.Writer) {
	for _, p := range s.Proposals {
		p.text(w)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d proposals are open as of block %d, proved\n", len(s.Proposals), s.Height)
}

func (p *shownProposal) text(w io.Writer) {
	if p.Ending != "" {
		fields(w, "proposal", p.ID.String(), "to", shown(p.Family), "order", p.OrderHash.String(),
			"ended", fmt.Sprintf("%s in block %d, %s", p.Ending, p.Height, when(p.TimeMs)))
		return
	}
	waits, until := "", ""
	if p.Waits != nil {
		waits, until = p.Waits.String(), when(p.Waits.ExpiresMs)
	}
	fields(w, "proposal", p.ID.String(), "to", shown(p.Family), "does", lines(p.Does), "order", p.OrderHash.String(),
		"proposed", fmt.Sprintf("by %s in block %d", p.Proposer, p.Height), "approved by", strings.Join(p.Approvals, ", "),
		"waits", waits+marked(p.Unanimous, "; every authority has to approve"), "until", until)
}

// lines shows a text of several lines, each safe for a terminal.
func lines(text string) string {
	list := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range list {
		list[i] = shown(list[i])
	}
	return strings.Join(list, "\n")
}

// openProposal reads a proposal that is to be approved or withdrawn.
func openProposal(st *proved, id wire.Hash) (*governance.Proposal, error) {
	p, err := governance.ProposalOf(st.get, id)
	if err == nil && p == nil {
		err = wire.Faultf(wire.ErrProposalUnknown, "no proposal %s is open", id)
	}
	return p, err
}

func showProposal(id wire.Hash, p *governance.Proposal, auth *governance.Authorities) *shownProposal {
	s := &shownProposal{
		ID: id, Family: p.Family, Does: explain(p.Family, p.Order), Order: p.Order, OrderHash: governance.OrderHash(p.Family, p.Order),
		Unanimous: p.Unanimous, Proposer: wire.FactoidAddress(p.Proposer), Waits: tally(p, auth), Height: p.Height,
	}
	for _, account := range p.Approvals {
		s.Approvals = append(s.Approvals, wire.FactoidAddress(account)+marked(!auth.Has(account), " (no authority any more)"))
	}
	return s
}

var endings = map[governance.Ending]string{
	governance.Executed: "carried out", governance.Withdrawn: "withdrawn", governance.Expired: "expired",
}

func showDecision(id wire.Hash, d *governance.Decision) *shownProposal {
	return &shownProposal{
		ID: id, Family: d.Family, OrderHash: d.Order, Height: d.Height, TimeMs: d.TimeMs,
		Ending: fmt.Sprintf("%s with %d of %d approvals", endings[d.Ending], d.Approvals, d.All),
	}
}

func governanceProposals(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "proposals [PROPOSAL]",
		Short: "List the open proposals and what each does, or show what became of one",
		Example: `  cloister governance proposals
  cloister governance proposals $(cloister governance set-authorities dev -q)`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			st := provedState(ctx, c, governance.Name)
			auth, err := authorities(st)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				id, err := parseID("a proposal's id", args[0])
				if err != nil {
					return err
				}
				return a.proposal(st, auth, id)
			}
			open, err := governance.List(st.get)
			if err != nil {
				return err
			}
			s := &shownProposals{Proposals: []*shownProposal{}}
			for _, o := range open {
				p, err := governance.ProposalOf(st.get, o.ID)
				if err != nil {
					return err
				}
				if p != nil { // else it ended since the list was read
					s.Proposals = append(s.Proposals, showProposal(o.ID, p, auth))
				}
			}
			s.Height = st.height
			return a.print(s)
		}),
	}
}

// proposal shows one, whether it is open or not.
func (a *app) proposal(st *proved, auth *governance.Authorities, id wire.Hash) error {
	p, err := governance.ProposalOf(st.get, id)
	if err != nil {
		return err
	}
	if p != nil {
		return a.print(showProposal(id, p, auth))
	}
	d, err := governance.DecisionOf(st.get, id)
	switch {
	case err != nil:
		return err
	case d == nil:
		return wire.Faultf(wire.ErrProposalUnknown, "no proposal %s was ever made", id)
	}
	return a.print(showDecision(id, d))
}
