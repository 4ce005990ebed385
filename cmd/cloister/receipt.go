package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/receipt"
)

func receiptCommand(a *app) *cobra.Command {
	return group("receipt", "Get and verify proofs that stand alone", receiptGet(a), receiptVerify(a), receiptShow(a))
}

// provedReceipt is what a receipt proves, after verification.
type provedReceipt struct {
	Proves *receipt.Verified `json:"proves"`
	File   string            `json:"file"`
}

func (p *provedReceipt) text(w io.Writer) {
	for _, fact := range p.Proves.Facts {
		fmt.Fprintln(w, fact)
	}
	fields(w, "file", p.File)
}

func receiptGet(a *app) *cobra.Command {
	var file string
	var entry, ordered, anchored bool
	c := &cobra.Command{
		Use:     "get TRANSACTION",
		Short:   "Get the receipt of a transaction or entry, verify it, and keep it in a file",
		Example: `  cloister receipt get $(cloister entry add journal "keep this" -q) --file keep.receipt`,
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			kind := receipt.Executed
			if ordered {
				kind = receipt.Ordered
			}
			id, err := parseID("a transaction's id or entry's hash", args[0])
			if err != nil {
				return err
			}
			if anchored {
				return a.getAnchored(ctx, id, file)
			}
			get := c.Receipt
			if entry {
				get = c.EntryReceipt
			}
			v, b, err := get(ctx, id, kind)
			if err != nil {
				return err
			}
			if file == "" {
				file = id.String()[:16] + ".receipt"
			}
			if err := writeNew(file, b, 0o644); err != nil {
				return err
			}
			return a.print(&provedReceipt{v, file})
		}),
	}
	c.Flags().StringVar(&file, "file", "", "file to write (default the id's first digits and .receipt)")
	c.Flags().BoolVar(&entry, "entry", false, "the argument is an entry's hash")
	c.Flags().BoolVar(&anchored, "anchored", false, "the argument is an entry's hash; prove it by its directory block's anchor in Bitcoin")
	c.Flags().BoolVar(&ordered, "ordered", false, "prove the place alone, not what execution did")
	return c
}

func receiptVerify(a *app) *cobra.Command {
	var headers headerFlags
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a receipt offline",
		Long: `Verify a receipt offline: no network is used, and no host needs to run. Exit code 6
means that it does not hold.

A receipt of the ledger needs the genesis file alone. One that leads into Bitcoin
('receipt get --anchored') needs no genesis: give Bitcoin's headers as you trust them
with --bitcoin-headers. Receipts in factomd's format are verified up to the key of
their directory block.`,
		Example: "  cloister receipt verify keep.receipt",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := readFile(args[0], max(receipt.MaxFile, receipt.MaxAnchored))
			if err != nil {
				return err
			}
			if other, err := a.verifyOther(b, args[0], &headers); other {
				return err
			}
			g, err := a.readGenesis()
			if err != nil {
				return err
			}
			v, err := client.VerifyReceiptFile(g, b)
			if err != nil {
				return unproven(args[0], err)
			}
			return a.print(&provedReceipt{v, args[0]})
		},
	}
	headers.flags(c)
	return c
}

// unproven makes every reason why a receipt does not hold an error of that class:
// a bad signature inside it is no mistake in the request.
func unproven(file string, err error) error {
	if wire.CodeOf(err).Info().Exit == wire.ExitUnproven {
		return fmt.Errorf("%s: %w", file, err)
	}
	return wire.Faultf(wire.ErrProof, "%s: %s", file, describe(err).Error)
}

// shownReceipt is the inside of a receipt file, unverified.
type shownReceipt struct {
	Verified bool             `json:"verified"` // always false: see receipt verify
	Receipt  *receipt.Receipt `json:"receipt"`
}

func (s *shownReceipt) text(w io.Writer) {
	r := s.Receipt
	proof := []string{"transaction path " + decimal(len(r.TxPath))}
	if r.Cover != nil {
		proof = append(proof, "history path "+decimal(len(r.Cover.Path)))
	}
	kind := receipt.Ordered
	if r.Execution != nil {
		kind = receipt.Executed
		proof = append(proof, "result path "+decimal(len(r.Execution.ResultPath)), "results history path "+decimal(len(r.Execution.BlockPath)))
	}
	pairs := []string{"kind", string(kind), "chain id", r.ChainID.String()}
	if tx, err := wire.DecodeTx(r.Tx); err == nil {
		pairs = append(pairs, "transaction", tx.ID().String(), "family", shown(tx.Family), "payer", payerOf(tx))
	}
	if h, err := wire.DecodeHeader(r.Header); err == nil {
		pairs = append(pairs, "block", decimal(h.Height), "time", when(h.TimeMs))
	}
	pairs = append(pairs, "engine", shown(r.Policy.Engine), "restart mode", shown(r.Policy.Restart), "hardware", shown(r.Policy.TEE), "hashes in", strings.Join(proof, ", "))
	fields(w, pairs...)
	fmt.Fprintln(w, "This is what the file says. 'cloister receipt verify' says whether it is true.")
}

func receiptShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE",
		Short:   "Show what a receipt file says, without verifying it",
		Example: "  cloister receipt show keep.receipt",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := readFile(args[0], receipt.MaxFile)
			if err != nil {
				return err
			}
			r, err := receipt.Decode(b)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.print(&shownReceipt{Receipt: r})
		},
	}
}
