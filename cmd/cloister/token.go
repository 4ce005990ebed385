package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

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
			p := token.Payload{Transfers: []token.Output{{To: to, Amount: n}}}
			return a.write(ctx, c, token.Name, p.Bytes(), quiet,
				fmt.Sprintf("paid %s factoids to %s", amount(n), wire.FactoidAddress(to)))
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
		Short:   "Buy entry credits at the ledger's rate",
		Example: "  cloister token buy-credits 100",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			credits, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil || credits == 0 {
				return wire.Faultf(wire.ErrBadAmount, "%q is no number of entry credits", clip(args[0]))
			}
			var to wire.Account
			if address != "" {
				to, err = wire.ParseAccount(address)
			} else {
				to, err = a.ownAddress()
			}
			if err != nil {
				return err
			}
			rate, err := rate(ctx, c)
			if err != nil {
				return err
			}
			if rate > token.MaxAmount/credits {
				return wire.Faultf(wire.ErrBadAmount, "%d credits at %d factoshis each are more than there can be", credits, rate)
			}
			p := token.Payload{Credits: []token.Output{{To: to, Amount: credits * rate}}}
			return a.write(ctx, c, token.Name, p.Bytes(), quiet,
				fmt.Sprintf("bought %d entry credits for %s, %s factoids", credits, wire.FactoidAddress(to), amount(credits*rate)))
		}),
	}
	c.Flags().StringVar(&address, "for", "", "address that gets the credits (default the payer's)")
	quietFlag(c, &quiet)
	return c
}

// rate reads what a credit costs now, in factoshis, from proved state.
func rate(ctx context.Context, c *client.Client) (uint64, error) {
	s, _, err := c.StateProof(ctx, token.Name, token.SupplyKey)
	if err != nil {
		return 0, err
	}
	var supply token.Supply
	if err := wire.Unmarshal(s.Value, &supply, len(s.Value)); err != nil {
		return 0, fmt.Errorf("rate of entry credits: %w", err)
	}
	if supply.Rate == 0 {
		return 0, wire.Faultf(wire.ErrUnavailable, "this network sells no entry credits")
	}
	return supply.Rate, nil
}
