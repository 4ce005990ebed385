package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client/factomd"
	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
	"cloister/wire/receipt"
)

// Receipts that lead into Bitcoin, and factomd's own, which end at a directory block.

// factomdAt is the Factom interface of the first host.
func (a *app) factomdAt() (*factomd.Client, error) {
	list, err := a.endpointList()
	if err != nil {
		return nil, err
	}
	return factomd.New(list[0], factomd.Options{})
}

// anchoredReceipt fetches an entry's path into Bitcoin.
func (a *app) anchoredReceipt(ctx context.Context, entry wire.Hash) (*receipt.Anchored, error) {
	c, err := a.factomdAt()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	r, err := c.Receipt(ctx, entry, true)
	if err != nil {
		return nil, err
	}
	block, err := c.RawDirectoryBlock(ctx, r.DirectoryBlockKeyMR)
	if err != nil {
		return nil, err
	}
	at, err := c.Anchors(ctx, block.Header.Height)
	switch {
	case err != nil:
		return nil, err
	case at.Bitcoin == nil || len(at.Bitcoin.Proof) == 0:
		return nil, wire.Faultf(wire.ErrNotCovered, "directory block %d, which has the entry, is not anchored yet", block.Header.Height)
	}
	r.DirectoryBlockHeight = block.Header.Height
	return &receipt.Anchored{
		Kind: receipt.AnchoredKind, Receipt: r, Header: block.Header.Bytes(), Network: at.Bitcoin.Network, Proof: wire.Hex(at.Bitcoin.Proof),
	}, nil
}

// getAnchored fetches an anchored receipt, verifies it and keeps it in a file.
func (a *app) getAnchored(ctx context.Context, entry wire.Hash, file string) error {
	r, err := a.anchoredReceipt(ctx, entry)
	if err != nil {
		return err
	}
	p, err := r.Verify(nil, 0)
	if err != nil {
		return err
	}
	if file == "" {
		file = entry.String()[:16] + ".receipt"
	}
	if err := writeNew(file, r.Encode(), 0o644); err != nil {
		return err
	}
	return a.print(showAnchored(p, r.Network, file))
}

// provedAnchored is what an anchored receipt proves, after verification.
type provedAnchored struct {
	Entry           wire.Hash    `json:"entry"`
	ChainID         wire.Hash    `json:"chain_id"`
	ExtIDs          []wire.Hex   `json:"ext_ids"`
	Content         wire.Hex     `json:"content"`
	DirectoryBlock  uint32       `json:"directory_block"`
	DirectoryKeyMR  wire.Hash    `json:"directory_keymr"`
	OpenedMs        uint64       `json:"opened_ms"` // to the minute
	BitcoinNetwork  string       `json:"bitcoin_network"`
	BitcoinTx       bitcoin.Hash `json:"bitcoin_transaction"`
	BitcoinBlock    bitcoin.Hash `json:"bitcoin_block"`
	BitcoinHeight   uint32       `json:"bitcoin_height"`
	BitcoinDepth    uint32       `json:"bitcoin_depth"`
	HeadersVerified bool         `json:"headers_verified"` // against headers the verifier gave
	File            string       `json:"file"`
}

func showAnchored(p *receipt.ProvedAnchor, network, file string) *provedAnchored {
	s := &provedAnchored{
		Entry: p.EntryHash, ChainID: p.ChainID, Content: p.Entry.Content,
		DirectoryBlock: p.Directory.Height, DirectoryKeyMR: p.KeyMR, OpenedMs: uint64(p.Directory.Minutes) * 60_000,
		BitcoinNetwork: network, BitcoinTx: p.Bitcoin.TxID, BitcoinBlock: p.Bitcoin.Block,
		BitcoinHeight: p.Bitcoin.Height, BitcoinDepth: p.Bitcoin.Depth, HeadersVerified: p.Trusted, File: file,
	}
	for _, x := range p.Entry.ExtIDs {
		s.ExtIDs = append(s.ExtIDs, x)
	}
	return s
}

func (s *provedAnchored) text(w io.Writer) {
	fmt.Fprintf(w, "entry %s of chain %s\n", s.Entry, s.ChainID)
	fmt.Fprintf(w, "is in directory block %d, whose key is %s\n", s.DirectoryBlock, s.DirectoryKeyMR)
	fmt.Fprintf(w, "and that key is in transaction %s\n", s.BitcoinTx)
	fmt.Fprintf(w, "of block %d of Bitcoin's %s, %s\n", s.BitcoinHeight, shown(s.BitcoinNetwork), s.BitcoinBlock)
	if s.HeadersVerified {
		fmt.Fprintf(w, "which is %d deep in the headers given\n", s.BitcoinDepth)
	} else {
		fmt.Fprintln(w, "NOTE: that Bitcoin has this block is not checked; give its headers with --bitcoin-headers")
	}
	fields(w, "file", s.File)
}

// provedFactomd is what a receipt in factomd's format proves.
type provedFactomd struct {
	Entry          wire.Hash `json:"entry"`
	ChainID        wire.Hash `json:"chain_id"`
	EntryBlock     wire.Hash `json:"entry_block_keymr"`
	DirectoryKeyMR wire.Hash `json:"directory_keymr"`
	HasEntry       bool      `json:"has_entry"`
	File           string    `json:"file"`
}

func (s *provedFactomd) text(w io.Writer) {
	fmt.Fprintf(w, "entry %s of chain %s\n", s.Entry, s.ChainID)
	fmt.Fprintf(w, "is in the directory block whose key is %s\n", s.DirectoryKeyMR)
	fmt.Fprintln(w, "NOTE: that the ledger has this block, and since when, is not part of such a receipt")
	if !s.HasEntry {
		fmt.Fprintln(w, "NOTE: the receipt lacks the entry; its hash alone is proved")
	}
	fields(w, "entry block", s.EntryBlock.String(), "file", s.File)
}

// headerFlags are Bitcoin's headers as the verifier trusts them.
type headerFlags struct {
	file       string
	network    string
	checkpoint string
	depth      uint32
}

func (h *headerFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&h.file, "bitcoin-headers", "", "file of Bitcoin's headers, 80 bytes each or a line of hex each, the oldest first")
	f.StringVar(&h.network, "bitcoin-network", "mainnet", "network the headers are of: mainnet, testnet3, testnet4, signet, regtest or simnet")
	f.StringVar(&h.checkpoint, "bitcoin-checkpoint", "", "HEIGHT:HASH of the first header in the file (default the network's genesis block)")
	f.Uint32Var(&h.depth, "bitcoin-depth", 6, "how deep the block has to be in the headers")
}

// maxHeaderFile bounds a file of headers: more than Bitcoin will have in decades.
const maxHeaderFile = 2 * 81 * bitcoin.MaxHeaders

// chain reads and checks the headers; nil if none are given.
func (h *headerFlags) chain() (*bitcoin.Chain, error) {
	if h.file == "" {
		return nil, nil
	}
	network, err := bitcoin.NetworkNamed(h.network)
	if err != nil {
		return nil, err
	}
	from := network.Checkpoint()
	if h.checkpoint != "" {
		height, hash, ok := strings.Cut(h.checkpoint, ":")
		n, err := strconv.ParseUint(height, 10, 32)
		if err != nil || !ok {
			return nil, bad("--bitcoin-checkpoint is HEIGHT:HASH, not %q", h.checkpoint)
		}
		if from.Hash, err = bitcoin.ParseHash(hash); err != nil {
			return nil, err
		}
		from.Height = uint32(n)
	}
	b, err := readFile(h.file, maxHeaderFile)
	if err != nil {
		return nil, err
	}
	headers, err := bitcoin.ParseHeaders(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.file, err)
	}
	c, err := bitcoin.CheckChain(network, from, headers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.file, err)
	}
	return c, nil
}

// verifyOther verifies files that are no receipt of the ledger's own kind; ok is
// false if it does not know the file.
func (a *app) verifyOther(b []byte, file string, h *headerFlags) (ok bool, err error) {
	switch {
	case bytes.Contains(b[:min(len(b), 256)], []byte(receipt.AnchoredKind)):
		return true, a.verifyAnchored(b, file, h)
	case bytes.Contains(b, []byte(`"merklebranch"`)):
		return true, a.verifyFactomd(b, file)
	}
	return false, nil
}

func (a *app) verifyAnchored(b []byte, file string, h *headerFlags) error {
	r, err := receipt.DecodeAnchored(b)
	if err != nil {
		return unproven(file, err)
	}
	chain, err := h.chain()
	if err != nil {
		return err
	}
	p, err := r.Verify(chain, h.depth)
	if err != nil {
		if wire.CodeOf(err) == wire.ErrNotCovered {
			return err // newer headers may show it
		}
		return unproven(file, err)
	}
	return a.print(showAnchored(p, r.Network, file))
}

func (a *app) verifyFactomd(b []byte, file string) error {
	r, err := factom.ParseReceipt(b)
	if err != nil {
		return unproven(file, err)
	}
	p, err := r.Verify()
	if err != nil {
		return unproven(file, err)
	}
	return a.print(&provedFactomd{p.EntryHash, p.ChainID, p.EntryBlockKeyMR, p.DirectoryBlockKeyMR, p.Entry != nil, file})
}
