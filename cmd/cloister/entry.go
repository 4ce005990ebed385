package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
)

func entryCommand(a *app) *cobra.Command {
	return group("entry", "Add and read entries", entryAdd(a), entryCommit(a), entryReveal(a), entryShow(a), entryList(a))
}

// entryFlags say what an entry holds.
type entryFlags struct {
	extIDs []string
	file   string
}

func (f *entryFlags) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.extIDs, "ext-id", nil, "external id; repeat for more")
	c.Flags().StringVar(&f.file, "file", "", "file with the content, - for standard input")
}

// entry makes the entry for the chain, and perhaps with the content, of args.
func (f *entryFlags) entry(a *app, args []string) ([]byte, error) {
	id, err := chainID(args[0])
	if err != nil {
		return nil, err
	}
	e := factom.Entry{ChainID: id}
	for _, x := range f.extIDs {
		e.ExtIDs = append(e.ExtIDs, []byte(x))
	}
	switch {
	case len(args) == 2 && f.file != "":
		return nil, bad("give the content as text or as --file, not both")
	case len(args) == 2:
		e.Content = []byte(args[1])
	case f.file == "-":
		e.Content, err = readAll(a.in, "standard input", factom.MaxEntryPayload)
	case f.file != "":
		e.Content, err = readFile(f.file, factom.MaxEntryPayload)
	}
	if err != nil {
		return nil, err
	}
	return e.Marshal()
}

func entryAdd(a *app) *cobra.Command {
	var quiet bool
	var f entryFlags
	c := &cobra.Command{
		Use:   "add CHAIN [TEXT]",
		Short: "Add an entry to a chain",
		Long: `Add an entry to a chain. Its content is the text given, or a file, or with
--file - the standard input. What is added is public and stays for ever.`,
		Example: `  cloister entry add journal "first line" --ext-id note`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			entry, err := f.entry(a, args)
			if err != nil {
				return err
			}
			return a.writeMade(ctx, c, quiet, "added an entry to chain "+shown(args[0]), func(key wire.PrivateKey) (*wire.Tx, error) {
				return c.EntryTx(ctx, key, entry)
			})
		}),
	}
	f.flags(c)
	quietFlag(c, &quiet)
	return c
}

// shownEntry is an entry with its place.
type shownEntry struct {
	Hash    wire.Hash `json:"hash"`
	Chain   wire.Hash `json:"chain"`
	Seq     uint64    `json:"seq"`
	TxID    wire.Hash `json:"tx_id"`
	Height  uint64    `json:"height"`
	TimeMs  uint64    `json:"time_ms"`
	ExtIDs  []blob    `json:"ext_ids"`
	Content blob      `json:"content"`
}

func showEntry(e *client.Entry) *shownEntry {
	s := &shownEntry{
		Hash: e.Hash, Chain: e.Chain, Seq: e.Seq, TxID: e.Tx, Height: e.Height, TimeMs: e.TimeMs,
		ExtIDs: []blob{}, Content: blobOf(e.Content),
	}
	for _, x := range e.ExtIDs {
		s.ExtIDs = append(s.ExtIDs, blobOf(x))
	}
	return s
}

func (s *shownEntry) text(w io.Writer) {
	var ids []string
	for _, x := range s.ExtIDs {
		ids = append(ids, x.String())
	}
	fields(w, "entry", fmt.Sprintf("%s, number %d", s.Hash, s.Seq), "chain", s.Chain.String(), "block", fmt.Sprintf("%d, %s", s.Height, when(s.TimeMs)),
		"transaction", s.TxID.String(), "external ids", strings.Join(ids, " | "), "content", s.Content.String())
	fmt.Fprintln(w)
}

func entryShow(a *app) *cobra.Command {
	var raw bool
	c := &cobra.Command{
		Use:     "show ENTRY",
		Aliases: []string{"get"},
		Short:   "Show an entry by its hash",
		Long: `Show an entry by its hash. That the content has this hash is verified; place and
time are the host's word, which 'cloister receipt get --entry ENTRY' proves.`,
		Example: `  cloister entry show $(cloister entry add journal "find me" --json | grep -o '"entry": "[0-9a-f]*' | grep -o '[0-9a-f]*$')`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			hash, err := parseID("an entry's hash", args[0])
			if err != nil {
				return err
			}
			e, err := c.Entry(ctx, hash)
			if err != nil {
				return err
			}
			if raw {
				_, err := a.out.Write(e.Content)
				return err
			}
			return a.print(showEntry(e))
		}),
	}
	c.Flags().BoolVar(&raw, "content", false, "print the content's bytes and nothing else")
	return c
}

func entryList(a *app) *cobra.Command {
	return listEntries(a, &cobra.Command{
		Use: "list CHAIN", Example: "  cloister entry list journal",
		Short: "List a chain's entries, proved to be all there in order",
	})
}

// listEntries completes a command that lists a chain's entries.
func listEntries(a *app, c *cobra.Command) *cobra.Command {
	var from, limit uint64
	c.Long = `List a chain's entries. The list is proved: none is missing, added or moved. With
--json each entry is one line.`
	c.Args = cobra.ExactArgs(1)
	c.RunE = a.asking(func(ctx context.Context, c *client.Client, args []string) error {
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
	})
	c.Flags().Uint64Var(&from, "from", 0, "number of the first entry to show, from 0")
	c.Flags().Uint64Var(&limit, "limit", 100, "how many to show at most")
	return c
}
