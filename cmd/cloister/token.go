package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/token"
)

func tokenCommand(a *app) *cobra.Command {
	return group("token", "Balances, payments and entry credits", tokenBalance(a), tokenSend(a), tokenBuy(a))
}

// shownBalance is a balance with where it is proved.
type shownBalance struct {
	Address   string `json:"address"`
	Factoids  string `json:"factoids"`
	Factoshis uint64 `json:"factoshis"`
	Credits   uint64 `json:"credits"`
	Height    uint64 `json:"height"` // state after this block
	SealedBy  uint64 `json:"proved_by"`
}

func (b *shownBalance) text(w io.Writer) {
	fields(w, "address", b.Address, "factoids", b.Factoids, "entry credits", decimal(b.Credits),
		"as of", fmt.Sprintf("block %d, proved by the seal on block %d or one after it", b.Height, b.SealedBy))
}

func tokenBalance(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "balance [ADDRESS]",
		Short:   "Show a balance; by default that of the key that commands sign with",
		Example: "  cloister token balance",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			var account wire.Account
			var err error
			if len(args) == 1 {
				account, err = wire.ParseAccount(args[0])
			} else {
				account, err = a.ownAddress()
			}
			if err != nil {
				return err
			}
			b, err := c.Account(ctx, account)
			if err != nil {
				return err
			}
			return a.print(&shownBalance{
				Address: wire.FactoidAddress(account), Factoids: amount(b.Factoshis), Factoshis: b.Factoshis,
				Credits: b.Credits, Height: b.Height, SealedBy: b.Header.Height,
			})
		}),
	}
}

func tokenSend(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:     "send ADDRESS FACTOIDS",
		Short:   "Pay factoids to an address",
		Example: "  cloister token send FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q 1.5",
		Args:    cobra.ExactArgs(2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			to, err := wire.ParseAccount(args[0])
			if err != nil {
				return err
			}
			n, err := parseAmount(args[1])
			if err != nil {
				return err
			}
			did := fmt.Sprintf("paid %s factoids to %s", amount(n), wire.FactoidAddress(to))
			return a.writeMade(ctx, c, quiet, did, func(key wire.PrivateKey) (*wire.Tx, error) {
				return c.PaymentTx(ctx, key, []token.Output{{To: to, Amount: n}}, nil)
			})
		}),
	}
	quietFlag(c, &quiet)
	return c
}

func tokenBuy(a *app) *cobra.Command {
	var quiet bool
	var address string
	c := &cobra.Command{
		Use:     "buy-credits CREDITS",
		Short:   "Buy entry credits; 'cloister credits' is all about them",
		Example: "  cloister token buy-credits 100",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			var owner []string
			if address != "" {
				owner = append(owner, address)
			}
			return a.buyCredits(ctx, c, args[0], owner, quiet)
		}),
	}
	c.Flags().StringVar(&address, "for", "", "EC address that gets the credits (default the payer's)")
	quietFlag(c, &quiet)
	return c
}
