package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
)

func creditsCommand(a *app) *cobra.Command {
	c := group("credits", "Entry credits, which pay for all that is written", creditsBuy(a), creditsShow(a), creditsRate(a))
	c.Long = `Entry credits pay for all that is written. They are bought with factoids at the
network's rate, for an EC address, and cannot be moved on. An entry costs one credit
for each KiB begun, a new chain ten more.`
	return c
}

func creditsBuy(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "buy CREDITS [EC-ADDRESS]",
		Short: "Buy entry credits, by default for the key that commands sign with",
		Long: `Buy entry credits, by default for the key that commands sign with, which pays for
them in any case. Credits are bought for a public key, so for an EC address: 'cloister
keys show' names the one of each key. They are the same account as its FA address.`,
		Example: `  cloister credits buy 100
  cloister credits buy 100 EC2dA7WjVEYVZvQLp3BqMuMwnM8YpYAqtRXtSZN6X5RJgZujGTJS`,
		Args: cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			return a.buyCredits(ctx, c, args[0], args[1:], quiet)
		}),
	}
	quietFlag(c, &quiet)
	return c
}

// buyCredits buys so many credits for the address given, or for the chosen key.
func (a *app) buyCredits(ctx context.Context, c *client.Client, number string, address []string, quiet bool) error {
	credits, err := strconv.ParseUint(number, 10, 63)
	if err != nil || credits == 0 {
		return wire.Faultf(wire.ErrBadAmount, "%q is no number of entry credits", clip(number))
	}
	owner, err := a.ownPublic()
	if len(address) > 0 {
		owner, err = parseCreditAddress(address[0])
	}
	if err != nil {
		return err
	}
	did := fmt.Sprintf("bought %d entry credits for %s", credits, wire.CreditAddress(owner))
	return a.writeMade(ctx, c, quiet, did, func(key wire.PrivateKey) (*wire.Tx, error) {
		return c.CreditsTx(ctx, key, owner, credits)
	})
}

// parseCreditAddress reads an EC address, the only kind that names the key which
// credits are bought for.
func parseCreditAddress(text string) (wire.PublicKey, error) {
	kind, key, err := wire.ParseAddress(text)
	switch {
	case err != nil:
		return wire.PublicKey{}, err
	case kind.Secret():
		return wire.PublicKey{}, bad("this is the secret key %s…, not an address: show it to nobody, and give the EC address", kind)
	case kind == wire.FactoidAddressKind:
		return wire.PublicKey{}, bad("%s is a factoid address, which cannot receive credits: it does not tell the public key they are bought for. Give the EC address of the same key, which 'cloister keys show' names", text)
	}
	return key, nil
}

// shownEntryCredits are the credits of an account with where they are proved.
type shownEntryCredits struct {
	Address  string `json:"address"` // as asked for, or the EC address of the chosen key
	Credits  uint64 `json:"credits"`
	Height   uint64 `json:"height"` // state after this block
	SealedBy uint64 `json:"proved_by"`
}

func (s *shownEntryCredits) text(w io.Writer) {
	fields(w, "address", s.Address, "entry credits", decimal(s.Credits),
		"as of", fmt.Sprintf("block %d, proved by the seal on block %d or one after it", s.Height, s.SealedBy))
}

func creditsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show [ADDRESS]",
		Short:   "Show how many credits an address has; by default that of the key that commands sign with",
		Example: "  cloister credits show",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			s := new(shownEntryCredits)
			var account wire.Account
			if len(args) == 1 {
				var err error
				if account, err = wire.ParseAccount(args[0]); err != nil {
					return err
				}
				s.Address = args[0]
			} else {
				own, err := a.ownPublic()
				if err != nil {
					return err
				}
				account, s.Address = wire.AccountOf(own), wire.CreditAddress(own)
			}
			b, err := c.Account(ctx, account)
			if err != nil {
				return err
			}
			s.Credits, s.Height, s.SealedBy = b.Credits, b.Height, b.Header.Height
			return a.print(s)
		}),
	}
}

// shownRate is what a credit costs, from proved state.
type shownRate struct {
	Rate   uint64 `json:"rate"`             // factoshis per entry credit, in force
	Coming uint64 `json:"coming,omitempty"` // decided, in force with a later directory block
}

func (s *shownRate) text(w io.Writer) {
	coming := ""
	if s.Coming != 0 {
		coming = fmt.Sprintf("%d factoshis; whoever pays now pays the higher of both", s.Coming)
	}
	fields(w, "an entry credit costs", fmt.Sprintf("%d factoshis, %s factoids", s.Rate, amount(s.Rate)), "decided to come", coming)
}

func creditsRate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rate",
		Short:   "Show what an entry credit costs, and what it is decided to cost",
		Example: "  cloister credits rate",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			now, coming, err := c.Rates(ctx)
			if err != nil {
				return err
			}
			return a.print(&shownRate{now, coming})
		}),
	}
}
