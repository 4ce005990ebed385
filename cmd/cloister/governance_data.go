package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/token"
)

// Orders about the data layer: what credits cost, who is paid, which Bitcoin keys
// anchor.

func governanceRate(a *app) *cobra.Command {
	var f orderFlags
	var from uint32
	c := &cobra.Command{
		Use:   "set-rate FACTOSHIS",
		Short: "Order what an entry credit costs, in factoshis",
		Long: `Order what an entry credit costs, in factoshis (10^-8 factoid). The price changes
with a directory block, two blocks after the decision at the earliest; until then
'cloister credits rate' shows both, and clients pay the higher one.`,
		Example: "  cloister governance set-rate 1000",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			rate, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return bad("a rate is a whole number of factoshis, not %q", args[0])
			}
			b := (&token.Order{Rate: &token.Rate{Factoshis: rate, From: from}}).Bytes()
			return a.propose(ctx, c, token.Name, b, &f)
		}),
	}
	c.Flags().Uint32Var(&from, "from", 0, "directory block it is to change with (default as soon as it may)")
	f.flags(c)
	return c
}

func governanceCancelCoinbase(a *app) *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use:   "cancel-coinbase BLOCK OUTPUT",
		Short: "Order that a promised payment to a server is not made",
		Long: `Order that a promised payment to a server is not made. BLOCK is the directory
block whose admin block has the promise, OUTPUT counts its outputs from 0.`,
		Example: "  cloister governance cancel-coinbase 25 0 --order-file cancel.order",
		Args:    cobra.ExactArgs(2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			var n [2]uint64
			for i := range n {
				var err error
				if n[i], err = strconv.ParseUint(args[i], 10, 32); err != nil {
					return bad("BLOCK and OUTPUT are numbers, not %q", args[i])
				}
			}
			b := (&token.Order{Cancel: &token.Cancel{Height: uint32(n[0]), Index: uint32(n[1])}}).Bytes()
			return a.propose(ctx, c, token.Name, b, &f)
		}),
	}
	f.flags(c)
	return c
}

func governanceAnchor(a *app) *cobra.Command {
	var f orderFlags
	var priority uint8
	var script bool
	c := &cobra.Command{
		Use:   "allow-anchor NODE HASH160",
		Short: "Order that a Bitcoin key may anchor for a node",
		Long: `Order that a Bitcoin key may anchor for a node: HASH160 is the 20-byte hash of its
public key as 40 hex digits, which 'cloister anchor key' shows. It counts from the
next directory block on and replaces the node's key of the same priority.`,
		Example: "  cloister governance allow-anchor 8f3c7f2a51d5b5b7a8d3f0d3f3f0a1e4c5b6a7988990a1b2c3d4e5f60718293a 751e76e8199196d454941c45d1b3a323f1433bd6 --order-file anchor.order",
		Args:    cobra.ExactArgs(2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			node, err := parseID("a node's id", args[0])
			if err != nil {
				return err
			}
			k := &record.AnchorKey{Node: node, Priority: priority}
			if err := k.Key.UnmarshalText([]byte(args[1])); err != nil {
				return bad("the hash of a Bitcoin key is 40 hex digits, not %q", args[1])
			}
			if script {
				k.Type = 1
			}
			return a.propose(ctx, c, record.Name, (&record.Order{AnchorKey: k}).Bytes(), &f)
		}),
	}
	c.Flags().Uint8Var(&priority, "priority", 0, "level of the key; a higher one marks lower ones as compromised")
	c.Flags().BoolVar(&script, "script", false, "the hash is of a script, not of a public key")
	f.flags(c)
	return c
}

// propose puts an order in words and decides on it.
func (a *app) propose(ctx context.Context, c *client.Client, family string, b []byte, f *orderFlags) error {
	does, err := explainers[family](b)
	if err != nil {
		return err
	}
	return a.decide(ctx, c, order{family, b, does}, f)
}

func explainToken(order []byte) (string, error) {
	o, err := token.DecodeOrder(order)
	switch {
	case err != nil:
		return "", err
	case o.Rate != nil && o.Rate.From > 0:
		return fmt.Sprintf("let an entry credit cost %d factoshis from directory block %d on", o.Rate.Factoshis, o.Rate.From), nil
	case o.Rate != nil:
		return fmt.Sprintf("let an entry credit cost %d factoshis from the directory block after the next on", o.Rate.Factoshis), nil
	}
	return fmt.Sprintf("do not make payment %d that directory block %d promises", o.Cancel.Index, o.Cancel.Height), nil
}

func explainRecord(order []byte) (string, error) {
	o, err := record.DecodeOrder(order)
	if err != nil {
		return "", err
	}
	kind := "the Bitcoin key"
	if o.AnchorKey.Type == 1 {
		kind = "the Bitcoin script"
	}
	return fmt.Sprintf("let %s with hash %x anchor for node %s, with priority %d", kind, o.AnchorKey.Key, wire.Hash(o.AnchorKey.Node), o.AnchorKey.Priority), nil
}
