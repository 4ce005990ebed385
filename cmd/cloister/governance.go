package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/governance"
)

func governanceCommand(a *app) *cobra.Command {
	c := group("governance", "What the authorities propose, approve and decide",
		governanceAuthorities(a), governanceProposals(a), governancePropose(a), governanceApprove(a), governanceWithdraw(a), governanceSet(a),
		governanceRate(a), governanceCancelCoinbase(a), governanceAnchor(a))
	c.Long = `What the authorities propose, approve and decide.

The authorities are accounts. An order of theirs, such as to approve code or to
admit a member, is proposed by one of them, which counts as approval, and carried
out with the approval that makes enough. One authority alone decides at once.`
	return c
}

// authorities reads who decides.
func authorities(st *proved) (*governance.Authorities, error) {
	auth, err := governance.AuthoritiesOf(st.get)
	if err == nil && auth == nil {
		err = without(governance.Name)
	}
	return auth, err
}

// shownAuthorities is who decides.
type shownAuthorities struct {
	Authorities []string             `json:"authorities"`
	Threshold   governance.Threshold `json:"threshold"`
	Needed      int                  `json:"needed"` // approvals that carry an order out
	LifetimeMs  uint64               `json:"lifetime_ms"`
	Height      uint64               `json:"height"` // state after this block
}

func (s *shownAuthorities) text(w io.Writer) {
	for _, address := range s.Authorities {
		fmt.Fprintln(w, address)
	}
	fields(w, "approvals needed", fmt.Sprintf("%d of %d: more than %d/%d", s.Needed, len(s.Authorities), s.Threshold.Num, s.Threshold.Den),
		"proposals stay open", "at most "+span(s.LifetimeMs), "as of", fmt.Sprintf("block %d, proved", s.Height))
}

func governanceAuthorities(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "authorities",
		Short:   "Show who decides, and how many of them it takes",
		Example: "  cloister governance authorities",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			st := provedState(ctx, c, governance.Name)
			auth, err := authorities(st)
			if err != nil {
				return err
			}
			s := &shownAuthorities{Threshold: auth.Threshold, LifetimeMs: auth.LifetimeMs, Height: st.height}
			for _, account := range auth.Accounts {
				s.Authorities = append(s.Authorities, wire.FactoidAddress(account))
			}
			for !auth.Threshold.Met(s.Needed, len(auth.Accounts)) {
				s.Needed++
			}
			return a.print(s)
		}),
	}
}

func governancePropose(a *app) *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use:   "propose FAMILY ORDERFILE",
		Short: "Propose an order that another command wrote with --order-file",
		Long: `Propose an order that another command wrote with --order-file. What it does is
read from the file itself and shown.`,
		Example: `  cloister governance set-authorities dev --order-file same.order
  cloister governance propose governance same.order`,
		Args: cobra.ExactArgs(2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			b, err := readFile(args[1], governance.MaxOrder)
			if err != nil {
				return err
			}
			if read := explainers[args[0]]; read != nil {
				if _, err := read(b); err != nil {
					return fmt.Errorf("%s holds no order to family %s: %w", shown(args[1]), args[0], err)
				}
			}
			return a.decide(ctx, c, order{args[0], b, explain(args[0], b)}, &f)
		}),
	}
	f.proposing(c)
	return c
}

func governanceApprove(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "approve PROPOSAL",
		Short: "Approve a proposal; the approval that suffices carries it out",
		Example: `  cloister credits buy 10 EC2dA7WjVEYVZvQLp3BqMuMwnM8YpYAqtRXtSZN6X5RJgZujGTJS
  cloister governance set-authorities dev sandbox
  cloister governance approve $(cloister governance set-authorities dev -q) --key sandbox`,
		Args: cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a proposal's id", args[0])
			if err != nil {
				return err
			}
			p, err := openProposal(provedState(ctx, c, governance.Name), id)
			if err != nil {
				return err
			}
			return a.resolve(ctx, c, (&governance.Approve{ID: id}).Bytes(), explain(p.Family, p.Order), quiet)
		}),
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the proposal's id and nothing else")
	return c
}

func governanceWithdraw(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "withdraw PROPOSAL",
		Short: "Withdraw a proposal, or take back the approval of another's",
		Example: `  cloister credits buy 10 EC2dA7WjVEYVZvQLp3BqMuMwnM8YpYAqtRXtSZN6X5RJgZujGTJS
  cloister governance set-authorities dev sandbox
  cloister governance withdraw $(cloister governance set-authorities sandbox -q)
  cloister governance approve $(cloister governance set-authorities dev -q) --key sandbox`,
		Args: cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a proposal's id", args[0])
			if err != nil {
				return err
			}
			p, err := openProposal(provedState(ctx, c, governance.Name), id)
			if err != nil {
				return err
			}
			own, err := a.ownAddress()
			if err != nil {
				return err
			}
			did := "took back the approval of: "
			if own == p.Proposer {
				did = "withdrew: "
			}
			return a.write(ctx, c, governance.Name, (&governance.Withdraw{ID: id}).Bytes(), quiet, did+explain(p.Family, p.Order))
		}),
	}
	quietFlag(c, &quiet)
	return c
}

func governanceSet(a *app) *cobra.Command {
	var f orderFlags
	var threshold string
	var lifetime time.Duration
	c := &cobra.Command{
		Use:   "set-authorities ACCOUNT...",
		Short: "Order that these accounts decide from now on",
		Long: `Order that these accounts decide from now on. An account is an address, or the
name of a key in the home. Whoever is not named is no authority any more, and
what they approved stops counting.`,
		Example: "  cloister governance set-authorities dev",
		Args:    cobra.RangeArgs(1, governance.MaxAuthorities),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			now, err := authorities(provedState(ctx, c, governance.Name))
			if err != nil {
				return err
			}
			next := &governance.Authorities{Threshold: now.Threshold, LifetimeMs: now.LifetimeMs}
			for _, text := range args {
				account, err := a.account(text)
				if err != nil {
					return err
				}
				next.Accounts = append(next.Accounts, account)
			}
			if threshold != "" {
				if next.Threshold, err = parseThreshold(threshold); err != nil {
					return err
				}
			}
			if lifetime != 0 {
				next.LifetimeMs = uint64(max(lifetime, 0).Milliseconds())
			}
			if err := next.Check(); err != nil {
				return err
			}
			b := governance.SetAuthorities(next)
			return a.decide(ctx, c, order{governance.Name, b, explain(governance.Name, b)}, &f)
		}),
	}
	f.flags(c)
	c.Flags().StringVar(&threshold, "threshold", "", "more than which part must approve, such as 2/3 (default as now)")
	c.Flags().DurationVar(&lifetime, "lifetime", 0, "how long proposals may stay open (default as now)")
	return c
}

// account reads an account as people give it: an address, or the name of a key
// in the home.
func (a *app) account(text string) (wire.Account, error) {
	if checkKeyName(text) != nil || len(text) > 40 { // an address has 52 characters, hex 64
		return wire.ParseAccount(text)
	}
	home, _, err := a.context()
	if err != nil {
		return wire.Account{}, err
	}
	k, err := readKeyFile(keyPath(home, text))
	if err != nil {
		return wire.Account{}, err
	}
	return wire.AccountOf(k.Public), nil
}

// parseThreshold reads a fraction.
func parseThreshold(text string) (t governance.Threshold, err error) {
	var rest string
	if n, _ := fmt.Sscanf(text, "%d/%d%s", &t.Num, &t.Den, &rest); n != 2 || !t.Valid() {
		return t, bad("--threshold is a part of at least one half and below one, such as 2/3, not %q", clip(text))
	}
	return t, nil
}

// span shows a duration in milliseconds.
func span(ms uint64) string {
	const day = 24 * 60 * 60 * 1000
	if ms >= 2*day && ms%day == 0 {
		return fmt.Sprintf("%d days", ms/day)
	}
	if ms > 1<<53 {
		return "more than a lifetime"
	}
	return (time.Duration(ms) * time.Millisecond).String()
}
