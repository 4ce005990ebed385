package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/notary"
	"cloister/wire"
	"cloister/wire/receipt"
)

// maxProved bounds what verify proves one by one.
const maxProved = 1000

func notarizeVerify(a *app) *cobra.Command {
	var chain, by, receipts string
	c := &cobra.Command{
		Use:   "verify PATH",
		Short: "List the files under a path that differ from what was recorded",
		Long: `List the files under a path that differ from what was recorded: changed, missing or
new, with when the record was made. Records by other signers do not count. Exit
code 6 means that something differs.`,
		Example: `  mkdir -p papers && date > papers/one && cloister notarize papers --chain my-papers && cloister notarize verify papers --chain my-papers`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var signer wire.Account
			if by != "" {
				var err error
				if signer, err = wire.ParseAccount(by); err != nil {
					return err
				}
			}
			return a.withNotary(cmd.Context(), wire.PrivateKey{}, func(l *notaryLedger) error {
				return a.verify(cmd.Context(), l, chain, signer, args[0], receipts)
			})
		},
	}
	chainFlag(c, &chain)
	c.Flags().StringVar(&by, "by", "", "address whose records count (default the chain's first signer, who is named)")
	c.Flags().StringVar(&receipts, "receipts", "", "folder to write the receipts of what was recorded of each file that differs")
	return c
}

// shownPrint is what a file is or was.
type shownPrint struct {
	Link   bool      `json:"link,omitempty"`
	Size   uint64    `json:"size"`
	SHA256 wire.Hash `json:"sha256"`
}

// shownDifference is one path that is not as recorded.
type shownDifference struct {
	shownPath
	Change   notary.Change `json:"change"`
	Was      *shownPrint   `json:"was,omitempty"`
	Is       *shownPrint   `json:"is,omitempty"`
	Entry    *wire.Hash    `json:"entry,omitempty"`
	Height   uint64        `json:"height,omitempty"`  // of the record
	TimeMs   uint64        `json:"time_ms,omitempty"` // its block time
	Proved   bool          `json:"proved"`            // height and time are proved by a receipt
	Receipt  string        `json:"receipt,omitempty"` // file
	Unread   string        `json:"unreadable,omitempty"`
	SignedMs uint64        `json:"signed_ms,omitempty"` // signer's clock
}

// shownReport is the outcome of notarize verify.
type shownReport struct {
	Chain       wire.Hash         `json:"chain"`
	Signer      string            `json:"signer"`
	Matched     int               `json:"matched"`
	Differences []shownDifference `json:"differences"`
	Foreign     int               `json:"foreign_records"`
	AsOf        uint64            `json:"as_of"` // records are complete up to this block, proved
	AsOfMs      uint64            `json:"as_of_ms"`
}

func (r *shownReport) text(w io.Writer) {
	for _, d := range r.Differences {
		fmt.Fprintf(w, "%-10s %s\n", d.Change, shown(d.Path))
		if d.Unread != "" {
			fmt.Fprintf(w, "           cannot be read: %s\n", d.Unread)
		}
		if d.Was != nil {
			word := "by the host's word"
			if d.Proved {
				word = "proved"
			}
			fmt.Fprintf(w, "           recorded %d bytes, sha256 %s, in block %d at %s (%s)\n", d.Was.Size, d.Was.SHA256, d.Height, when(d.TimeMs), word)
		}
		if d.Is != nil {
			fmt.Fprintf(w, "           now      %d bytes, sha256 %s\n", d.Is.Size, d.Is.SHA256)
		}
		if d.Receipt != "" {
			fmt.Fprintf(w, "           receipt  %s\n", shown(d.Receipt))
		}
	}
	pairs := []string{"match", decimal(r.Matched), "differ", decimal(len(r.Differences)), "chain", r.Chain.String(), "signed by", r.Signer,
		"records", fmt.Sprintf("all up to block %d of %s, proved", r.AsOf, when(r.AsOfMs))}
	if r.Foreign > 0 {
		pairs = append(pairs, "not counted", fmt.Sprintf("%d records by others or malformed", r.Foreign))
	}
	fields(w, pairs...)
}

func (a *app) verify(ctx context.Context, l *notaryLedger, chain string, by wire.Account, root, receipts string) error {
	id, err := chainID(chain)
	if err != nil {
		return err
	}
	bar, err := a.progress(root, "comparing")
	if err != nil {
		return err
	}
	r, err := notary.Verify(ctx, l, id, by, root, notary.Options{Progress: bar.step})
	bar.end()
	if err != nil {
		return err
	}
	out := &shownReport{
		Chain: id, Signer: wire.FactoidAddress(wire.AccountOf(r.Signer)), Matched: r.Matched, Foreign: r.Foreign,
		Differences: []shownDifference{}, AsOf: l.asOf.Height, AsOfMs: l.asOf.Header.TimeMs,
	}
	if receipts != "" {
		if err := os.MkdirAll(receipts, 0o755); err != nil {
			return fileError("create", receipts, err)
		}
	}
	for _, d := range r.Differences {
		s := showDifference(d)
		if d.Was != nil && (receipts != "" || len(out.Differences) < maxProved) {
			if err := prove(ctx, l.client, &s, receipts); err != nil {
				return fmt.Errorf("receipt of %q: %w", d.Path, err)
			}
		}
		out.Differences = append(out.Differences, s)
	}
	if err := a.print(out); err != nil {
		return err
	}
	if !r.Clean() {
		return errDiffers
	}
	return nil
}

func showDifference(d notary.Difference) shownDifference {
	s := shownDifference{shownPath: showPath(d.Path), Change: d.Change}
	if d.Was != nil {
		s.Was = &shownPrint{d.Was.Link, d.Was.Size, d.Was.SHA256}
		s.Entry, s.Height, s.TimeMs, s.SignedMs = &d.Was.Recorded.Entry, d.Was.Height, d.Was.TimeMs, d.Was.AtMs
	}
	if d.Is != nil {
		s.Is = &shownPrint{d.Is.Link, d.Is.Size, d.Is.SHA256}
	}
	if d.Err != nil {
		s.Unread = d.Err.Error()
	}
	return s
}

// prove replaces the host's word on a record by its receipt, and keeps the
// receipt if there is a folder for it.
func prove(ctx context.Context, c *client.Client, s *shownDifference, folder string) error {
	v, file, err := c.EntryReceipt(ctx, *s.Entry, receipt.Executed)
	if err != nil {
		return err
	}
	s.Height, s.TimeMs, s.Proved = v.Height, v.TimeMs, true
	if folder == "" {
		return nil
	}
	s.Receipt = filepath.Join(folder, s.Entry.String()[:16]+".receipt")
	if err := os.WriteFile(s.Receipt, file, 0o644); err != nil {
		return fileError("write", s.Receipt, err)
	}
	return nil
}
