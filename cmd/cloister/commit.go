package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
)

// keepFlag names the file that keeps an entry between its commit and its reveal.
func keepFlag(c *cobra.Command, keep *string) {
	c.Flags().StringVar(keep, "keep", "", "file to keep the entry in until it is revealed (default its hash's first digits and .entry)")
}

func entryCommit(a *app) *cobra.Command {
	var quiet bool
	var f entryFlags
	var keep string
	c := &cobra.Command{
		Use:   "commit CHAIN [TEXT]",
		Short: "Pay for an entry and show only its hash; 'entry reveal' shows it",
		Long: `Pay for an entry and show only its hash: who sees the payment learns nothing of the
entry, and nobody can say later that it was another one. The entry is kept in a file;
'cloister entry reveal FILE' records it, within a day. Content as for 'entry add'.`,
		Example: `  cloister entry commit journal "I bid 42" --keep bid.entry`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			entry, err := f.entry(a, args)
			if err != nil {
				return err
			}
			return a.commit(ctx, c, c.EntryCommitTx, entry, keep, quiet)
		}),
	}
	f.flags(c)
	keepFlag(c, &keep)
	quietFlag(c, &quiet)
	return c
}

// commit keeps the entry and pays for it, in this order: who paid for an entry
// that is lost has lost the credits.
func (a *app) commit(ctx context.Context, c *client.Client, made func(context.Context, wire.PrivateKey, []byte) (*wire.Tx, error), entry []byte, keep string, quiet bool) error {
	if keep == "" {
		keep = factom.EntryHash(entry).String()[:16] + ".entry"
	}
	if err := writeNew(keep, entry, 0o600); err != nil {
		return err
	}
	did := fmt.Sprintf("paid for an entry, which 'cloister entry reveal %s' shows", shown(keep))
	err := a.writeMade(ctx, c, quiet, did, func(key wire.PrivateKey) (*wire.Tx, error) { return made(ctx, key, entry) })
	if refused(err) { // nothing was paid
		if gone := os.Remove(keep); gone != nil {
			a.note("%v", fileError("remove", keep, gone))
		}
	}
	return err
}

// refused reports whether an error says that the ledger did not take what was
// submitted, and never will as it is.
func refused(err error) bool {
	if err == nil {
		return false
	}
	switch wire.CodeOf(err).Info().Exit {
	case wire.ExitUsage, wire.ExitRefused, wire.ExitMissing:
		return wire.CodeOf(err) != wire.ErrReplayed
	}
	return false
}

func entryReveal(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "reveal FILE",
		Short: "Record an entry that 'entry commit' or 'chain commit' paid for",
		Long: `Record an entry that 'entry commit' or 'chain commit' paid for. FILE is where that
kept it. Nobody signs a reveal and nobody pays for it: anyone who has the file can do it.`,
		Example: `  cloister entry reveal bid.entry`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			entry, err := readFile(args[0], factom.MaxEntry)
			if err != nil {
				return err
			}
			tx, err := c.RevealTx(entry)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.record(ctx, c, tx, quiet, "revealed an entry")
		}),
	}
	quietFlag(c, &quiet)
	return c
}
