package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/receipt"
)

func blockCommand(a *app) *cobra.Command {
	return group("block", "Read blocks, each verified", blockShow(a), blockList(a), blockWatch(a))
}

// shownBlock is a verified block.
type shownBlock struct {
	Height   uint64      `json:"height"`
	Hash     wire.Hash   `json:"hash"`
	TimeMs   uint64      `json:"time_ms"`
	Parent   wire.Hash   `json:"parent"`
	Proposer wire.NodeID `json:"proposer"`
	Epoch    uint64      `json:"epoch"`
	TxRoot   wire.Hash   `json:"tx_root"`
	DataRoot wire.Hash   `json:"data_root"`
	Executed uint64      `json:"exec_height"` // state it commits to
	ExecRoot wire.Hash   `json:"exec_root"`
	Txs      []shownTx   `json:"txs"`
	brief    bool
}

// shownTx is a transaction of a block.
type shownTx struct {
	TxID   wire.Hash `json:"tx_id"`
	Family string    `json:"family"`
	Payer  string    `json:"payer"` // empty for a reveal
	Bytes  int       `json:"bytes"`
}

func showBlock(b *client.Block, brief bool) (*shownBlock, error) {
	h := b.Header
	s := &shownBlock{
		Height: h.Height, Hash: b.Hash, TimeMs: h.TimeMs, Parent: h.Parent, Proposer: h.Proposer, Epoch: h.Epoch,
		TxRoot: h.TxRoot, DataRoot: h.DataRoot, Executed: h.ExecHeight, ExecRoot: h.ExecRoot, Txs: []shownTx{}, brief: brief,
	}
	for i, raw := range b.Txs {
		tx, err := wire.DecodeTx(raw)
		if err != nil {
			return nil, fmt.Errorf("transaction %d of block %d: %w", i, h.Height, err)
		}
		s.Txs = append(s.Txs, shownTx{tx.ID(), shown(tx.Family), payerOf(tx), len(raw)})
	}
	return s, nil
}

// payerOf is the address that pays for a transaction, empty for a reveal.
func payerOf(tx *wire.Tx) string {
	payer, known := receipt.Payer(tx)
	if !known {
		return ""
	}
	return wire.FactoidAddress(wire.AccountOf(payer))
}

func (s *shownBlock) text(w io.Writer) {
	if s.brief {
		fmt.Fprintf(w, "%8d  %s  %5d txs  %s\n", s.Height, when(s.TimeMs), len(s.Txs), s.Hash)
		return
	}
	fields(w, "block", decimal(s.Height), "hash", s.Hash.String(), "time", when(s.TimeMs), "parent", s.Parent.String(),
		"proposer", s.Proposer.String(), "epoch", decimal(s.Epoch), "transactions root", s.TxRoot.String(), "data root", s.DataRoot.String(),
		"state", fmt.Sprintf("after block %d: %s", s.Executed, s.ExecRoot))
	if len(s.Txs) == 0 {
		fmt.Fprintln(w, "no transactions")
		return
	}
	rows := make([][]string, len(s.Txs))
	for i, t := range s.Txs {
		rows[i] = []string{strconv.Itoa(i), t.TxID.String(), t.Family, t.Payer}
	}
	table(w, []string{"#", "TRANSACTION", "FAMILY", "PAYER"}, rows)
}

func blockShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show [HEIGHT|HASH]",
		Short:   "Show a block; by default the newest",
		Example: "  cloister block show 1",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			var b *client.Block
			var err error
			switch {
			case len(args) == 0:
				b, err = c.Latest(ctx)
			case len(args[0]) == 64:
				var hash wire.Hash
				if hash, err = parseID("a block's hash", args[0]); err == nil {
					b, err = c.BlockByHash(ctx, hash)
				}
			default:
				var height uint64
				if height, err = strconv.ParseUint(args[0], 10, 64); err != nil {
					return bad("a block is given by its height or its hash, not %q", clip(args[0]))
				}
				b, err = c.Block(ctx, height)
			}
			if err != nil {
				return err
			}
			s, err := showBlock(b, false)
			if err != nil {
				return err
			}
			return a.print(s)
		}),
	}
}

func blockList(a *app) *cobra.Command {
	var limit uint64
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the newest blocks, newest last; with --json one per line",
		Example: "  cloister block list --limit 5",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			if limit == 0 || limit > 1000 {
				return bad("--limit is 1 to 1000")
			}
			newest, err := c.Latest(ctx)
			if err != nil {
				return err
			}
			last := newest.Header.Height
			return a.follow(ctx, c, last-min(last, limit-1), last)
		}),
	}
	c.Flags().Uint64Var(&limit, "limit", 10, "how many blocks")
	return c
}

func blockWatch(a *app) *cobra.Command {
	var count uint64
	c := &cobra.Command{
		Use:     "watch",
		Short:   "Print blocks as they are recorded; with --json one per line",
		Example: `  (sleep 1; cloister entry add journal "a block for the watcher" -q) & cloister block watch --count 1`,
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			newest, err := c.Latest(ctx)
			if err != nil {
				return err
			}
			from := newest.Header.Height + 1
			last := ^uint64(0)
			if count > 0 {
				last = from + count - 1
			}
			return a.follow(ctx, c, from, last)
		}),
	}
	c.Flags().Uint64Var(&count, "count", 0, "end after this many blocks; 0 for never")
	return c
}

// follow prints the blocks from..last, waiting for those that are not there yet.
func (a *app) follow(ctx context.Context, c *client.Client, from, last uint64) error {
	for b, err := range c.Blocks(ctx, from) {
		if err != nil {
			return err
		}
		s, err := showBlock(b, true)
		if err != nil {
			return err
		}
		if err := a.printLine(s); err != nil {
			return err
		}
		if b.Header.Height >= last {
			break
		}
	}
	return nil
}
