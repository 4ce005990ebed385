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
	"cloister/wire/record"
)

func chainCommand(a *app) *cobra.Command {
	return group("chain", "Create and read chains of entries", chainCreate(a), chainShow(a), chainEntries(a))
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
			e := factom.Entry{ExtIDs: chainName(args[0])}
			for _, x := range extIDs {
				e.ExtIDs = append(e.ExtIDs, []byte(x))
			}
			if len(args) == 2 {
				e.Content = []byte(args[1])
			}
			e.ChainID = factom.ChainID(e.ExtIDs)
			b, err := e.Marshal()
			if err != nil {
				return err
			}
			return a.write(ctx, c, record.Name, record.CreateChain(b), quiet, "created chain "+shown(args[0]))
		}),
	}
	c.Flags().StringArrayVar(&extIDs, "ext-id", nil, "further external id of the first entry; repeat for more")
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
	var from, limit uint64
	c := &cobra.Command{
		Use:   "list-entries CHAIN",
		Short: "List a chain's entries, proved to be all there in order",
		Long: `List a chain's entries. The list is proved: none is missing, added or moved. With
--json each entry is one line.`,
		Example: "  cloister chain list-entries journal",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := chainID(args[0])
			if err != nil {
				return err
			}
			list, err := c.VerifiedEntries(ctx, id)
			if err != nil {
				return err
			}
			if from > list.State.Entries {
				return bad("the chain has %d entries; --from %d is behind its end", list.State.Entries, from)
			}
			left := limit
			for e, err := range list.Entries(ctx) {
				if err != nil {
					return err
				}
				if e.Seq < from {
					continue
				}
				if left == 0 {
					break
				}
				left--
				if err := a.printLine(showEntry(e)); err != nil {
					return err
				}
			}
			if !a.json {
				a.note("%d entries in the chain as of block %d, proved", list.State.Entries, list.State.Height)
			}
			return nil
		}),
	}
	c.Flags().Uint64Var(&from, "from", 0, "number of the first entry to show, from 0")
	c.Flags().Uint64Var(&limit, "limit", 100, "how many to show at most")
	return c
}
