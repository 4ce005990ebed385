package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/notary"
	"cloister/wire"
	"cloister/wire/factom"
)

func chainCommand(a *app) *cobra.Command {
	return group("chain", "Create and read chains of entries", chainCreate(a), chainCommit(a), chainShow(a), chainEntries(a))
}

// chainName gives the external ids of the chain that a name stands for.
func chainName(name string) [][]byte { return notary.ChainName(name) }

func chainCreate(a *app) *cobra.Command {
	var quiet bool
	var extIDs []string
	c := &cobra.Command{
		Use:   "create NAME [TEXT]",
		Short: "Create a chain with its first entry",
		Long: `Create a chain with its first entry. The chain's id is made of the first entry's
external ids: the name, then those given with --ext-id. A chain with further
external ids is known by its id; one without them by its name too.`,
		Example: `  cloister chain create journal "what this chain is for"`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			entry, err := firstEntry(args, extIDs)
			if err != nil {
				return err
			}
			return a.writeMade(ctx, c, quiet, "created chain "+shown(args[0]), func(key wire.PrivateKey) (*wire.Tx, error) {
				return c.ChainTx(ctx, key, entry)
			})
		}),
	}
	c.Flags().StringArrayVar(&extIDs, "ext-id", nil, "further external id of the first entry; repeat for more")
	quietFlag(c, &quiet)
	return c
}

// firstEntry is the first entry of the chain with the name, and perhaps the
// content, of args.
func firstEntry(args, extIDs []string) ([]byte, error) {
	e := factom.Entry{ExtIDs: chainName(args[0])}
	for _, x := range extIDs {
		e.ExtIDs = append(e.ExtIDs, []byte(x))
	}
	if len(args) == 2 {
		e.Content = []byte(args[1])
	}
	e.ChainID = factom.ChainID(e.ExtIDs)
	return e.Marshal()
}

func chainCommit(a *app) *cobra.Command {
	var quiet bool
	var extIDs []string
	var keep string
	c := &cobra.Command{
		Use:   "commit NAME [TEXT]",
		Short: "Pay for a chain without showing its name; 'entry reveal' creates it",
		Long: `Pay for a chain without showing its name or its first entry. That entry is kept in
a file; 'cloister entry reveal FILE' creates the chain. For an hour from the payment
on nobody else can create it, for a day it can be revealed.`,
		Example: `  cloister chain commit secret-project "what this chain is for" --keep project.entry`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			entry, err := firstEntry(args, extIDs)
			if err != nil {
				return err
			}
			return a.commit(ctx, c, c.ChainCommitTx, entry, keep, quiet)
		}),
	}
	c.Flags().StringArrayVar(&extIDs, "ext-id", nil, "further external id of the first entry; repeat for more")
	keepFlag(c, &keep)
	quietFlag(c, &quiet)
	return c
}

// shownChain is the proved state of a chain.
type shownChain struct {
	ChainID wire.Hash `json:"chain_id"`
	Entries uint64    `json:"entries"`
	Head    wire.Hash `json:"head"`
	Created uint64    `json:"created"` // height
	Updated uint64    `json:"updated"`
	CreateT uint64    `json:"created_ms"` // block time
	UpdateT uint64    `json:"updated_ms"`
	Height  uint64    `json:"height"` // state after this block
}

func (s *shownChain) text(w io.Writer) {
	fields(w, "chain", s.ChainID.String(), "entries", decimal(s.Entries), "head", s.Head.String(),
		"created", fmt.Sprintf("block %d, %s", s.Created, when(s.CreateT)),
		"updated", fmt.Sprintf("block %d, %s", s.Updated, when(s.UpdateT)),
		"as of", fmt.Sprintf("block %d, proved", s.Height))
}

func chainShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show CHAIN",
		Short:   "Show a chain's proved state",
		Example: "  cloister chain show journal",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := chainID(args[0])
			if err != nil {
				return err
			}
			s, err := c.Chain(ctx, id)
			if err != nil {
				return err
			}
			return a.print(&shownChain{
				ChainID: s.ID, Entries: s.Entries, Head: s.Head, Created: s.Created, Updated: s.Updated,
				CreateT: s.CreatedAtMs, UpdateT: s.UpdatedAtMs, Height: s.Height,
			})
		}),
	}
}

func chainEntries(a *app) *cobra.Command {
	return listEntries(a, &cobra.Command{
		Use: "list CHAIN", Aliases: []string{"list-entries"}, Example: "  cloister chain list journal",
		Short: "List a chain's entries, as 'entry list' does",
	})
}
