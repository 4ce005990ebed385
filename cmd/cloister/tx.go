package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cloister/client"
)

func txCommand(a *app) *cobra.Command {
	return group("tx", "Transactions", txStatus(a))
}

// shownStatus is a host's word on a transaction.
type shownStatus struct {
	*client.TxStatus
	Name   string `json:"name"`
	Advice string `json:"next"`
}

func (s *shownStatus) text(w io.Writer) {
	state := string(s.State)
	if s.Code != 0 {
		state += fmt.Sprintf(", %s: %s", s.Name, s.Advice)
	}
	pairs := []string{"transaction", s.ID.String(), "state", state}
	if s.Height > 0 {
		pairs = append(pairs, "block", fmt.Sprintf("%d, position %d", s.Height, s.Index))
	}
	if r := s.Result; r != nil {
		pairs = append(pairs, "cost", fmt.Sprintf("%d entry credits, %s factoids", r.Credits, amount(r.Fee)))
	}
	fields(w, pairs...)
	fmt.Fprintln(w, "This is the host's word; 'cloister receipt get' proves it.")
}

func txStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "status TRANSACTION",
		Short:   "Show what became of a transaction",
		Example: `  cloister tx status $(cloister entry add journal "one more" -q)`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a transaction's id", args[0])
			if err != nil {
				return err
			}
			st, err := c.Status(ctx, id)
			if err != nil {
				return err
			}
			return a.print(&shownStatus{st, st.Code.String(), st.Code.Info().Advice})
		}),
	}
}
