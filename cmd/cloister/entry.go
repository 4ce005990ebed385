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
	"cloister/wire/record"
)

func entryCommand(a *app) *cobra.Command {
	return group("entry", "Add and read entries", entryAdd(a), entryGet(a))
}

func entryAdd(a *app) *cobra.Command {
	var quiet bool
	var extIDs []string
	var file string
	c := &cobra.Command{
		Use:   "add CHAIN [TEXT]",
		Short: "Add an entry to a chain",
		Long: `Add an entry to a chain. Its content is the text given, or a file, or with
--file - the standard input. What is added is public and stays for ever.`,
		Example: `  cloister entry add journal "first line" --ext-id note`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := chainID(args[0])
			if err != nil {
				return err
			}
			e := factom.Entry{ChainID: id}
			for _, x := range extIDs {
				e.ExtIDs = append(e.ExtIDs, []byte(x))
			}
			switch {
			case len(args) == 2 && file != "":
				return bad("give the content as text or as --file, not both")
			case len(args) == 2:
				e.Content = []byte(args[1])
			case file == "-":
				e.Content, err = readAll(a.in, "standard input", factom.MaxEntryPayload)
			case file != "":
				e.Content, err = readFile(file, factom.MaxEntryPayload)
			}
			if err != nil {
				return err
			}
			b, err := e.Marshal()
			if err != nil {
				return err
			}
			return a.write(ctx, c, record.Name, record.AddEntry(b), quiet, "added an entry to chain "+shown(args[0]))
		}),
	}
	c.Flags().StringArrayVar(&extIDs, "ext-id", nil, "external id; repeat for more")
	c.Flags().StringVar(&file, "file", "", "file with the content, - for standard input")
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

func entryGet(a *app) *cobra.Command {
	var raw bool
	c := &cobra.Command{
		Use:   "get ENTRY",
		Short: "Show an entry by its hash",
		Long: `Show an entry by its hash. That the content has this hash is verified; place and
time are the host's word, which 'cloister receipt get --entry ENTRY' proves.`,
		Example: `  cloister entry get $(cloister entry add journal "find me" --json | grep -o '"entry": "[0-9a-f]*' | grep -o '[0-9a-f]*$')`,
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
