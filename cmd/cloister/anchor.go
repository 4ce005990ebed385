package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloister/client/factomd"
	"cloister/host/anchor"
	"cloister/host/node"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

func anchorCommand(a *app) *cobra.Command {
	c := group("anchor", "Anchor directory blocks in Bitcoin, and look at anchors", anchorStatus(a), anchorShow(a), anchorKeyCommand(a), anchorScan(a))
	c.Long = `Anchor directory blocks in Bitcoin, and look at anchors.

A host whose node.toml has an [anchor] section writes the key of each directory
block into a Bitcoin transaction, which it pays for. Once that is deep enough, its
core signs a record of it in the anchor chain, with a proof. From then on
'cloister receipt get --anchored' proves entries by Bitcoin's headers alone.`
	return c
}

// shownAnchoring is how a host's anchoring stands, as the host says.
type shownAnchoring node.Anchoring

func (s *shownAnchoring) text(w io.Writer) {
	for _, h := range s.Heights {
		line := fmt.Sprintf("directory block %-6d %-9s", h.Height, shown(string(h.Phase)))
		if h.TxID != nil {
			line += "  transaction " + h.TxID.String()
		}
		if h.At > 0 {
			line += fmt.Sprintf("  block %d, %d deep", h.At, h.Depth)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	pairs := []string{
		"network", shown(s.Network), "paid from", shown(s.Address), "tip", decimal(s.TipHeight),
		"satoshi", fmt.Sprintf("%d confirmed, %d unconfirmed", s.Confirmed, s.Unconfirmed), "next", fmt.Sprintf("directory block %d", s.Next),
	}
	for _, p := range s.Problems {
		pairs = append(pairs, "problem", shown(p))
	}
	fields(w, pairs...)
}

// maxAnchoring bounds a host's answer in bytes.
const maxAnchoring = 1 << 20

func anchorStatus(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show how a host's anchoring stands: what is queued, sent, mined and recorded",
		Example: "  cloister anchor status || echo this host does not anchor",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := a.endpointList()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), 15*time.Second)
			defer cancel()
			s := new(shownAnchoring)
			if err := getJSON(ctx, strings.TrimRight(list[0], "/")+"/anchor", s); err != nil {
				return err
			}
			return a.print(s)
		},
	}
}

// getJSON reads a page of a host.
func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return wire.Faultf(wire.ErrBadRequest, "%v", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return wire.Faultf(wire.ErrUnavailable, "%v", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return wire.Faultf(wire.ErrNotFound, "this host does not anchor: its node.toml has no [anchor] url")
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnchoring))
	if err == nil && res.StatusCode == http.StatusOK {
		err = json.Unmarshal(b, into)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		return wire.Faultf(wire.ErrUnavailable, "the host answers %s", res.Status)
	}
	return nil
}

// shownAnchor is where a directory block is anchored.
type shownAnchor struct {
	Height  uint32                `json:"directory_block"`
	KeyMR   wire.Hash             `json:"keymr"`
	Bitcoin *factomd.BitcoinPlace `json:"bitcoin"` // null: not yet
}

func (s *shownAnchor) text(w io.Writer) {
	if s.Bitcoin == nil {
		fmt.Fprintf(w, "directory block %d, %s, is not anchored yet\n", s.Height, s.KeyMR)
		return
	}
	fmt.Fprintf(w, "directory block %d is anchored, says the host\n", s.Height)
	fields(w, "keymr", s.KeyMR.String(), "network", shown(s.Bitcoin.Network), "transaction", shown(s.Bitcoin.TransactionHash), "block", shown(s.Bitcoin.BlockHash))
}

func anchorShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show BLOCK|HASH",
		Short: "Show where a directory block is anchored",
		Long: `Show where a directory block is anchored, by its height, or by the hash of an entry
in it. It is the word of a host; 'cloister receipt get --anchored' proves it.`,
		Example: "  cloister anchor show 0 || echo directory block 0 is not closed yet",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := a.factomdAt()
			if err != nil {
				return err
			}
			defer f.Close()
			ctx, cancel := context.WithTimeout(c.Context(), 15*time.Second)
			defer cancel()
			var at *factomd.AnchoredBlock
			if height, bad := strconv.ParseUint(args[0], 10, 32); bad == nil {
				at, err = f.Anchors(ctx, uint32(height))
			} else {
				var hash wire.Hash
				if hash, err = parseID("a directory block's height or an entry's hash", args[0]); err == nil {
					at, err = f.AnchorsOf(ctx, hash)
				}
			}
			if err != nil {
				return err
			}
			return a.print(&shownAnchor{at.Height, at.KeyMR, at.Bitcoin})
		},
	}
}

func anchorKeyCommand(a *app) *cobra.Command {
	return group("key", "Make and show the Bitcoin key that pays for anchors", anchorKeyNew(a), anchorKeyShow(a))
}

// shownAnchorKey is the public side of a key that anchors.
type shownAnchorKey struct {
	File    string `json:"file"`
	Network string `json:"network"`
	Address string `json:"address"`
	Hash160 string `json:"hash160"`
}

func (s *shownAnchorKey) text(w io.Writer) {
	fields(w, "file", shown(s.File), "network", s.Network, "address", s.Address, "hash160", s.Hash160)
	fmt.Fprintf(w, "Send money for anchors to the address; have the authorities allow the hash: cloister governance allow-anchor NODE %s\n", s.Hash160)
}

func showAnchorKey(a *app, file, kind, network string) error {
	n, err := bitcoin.NetworkNamed(network)
	if err != nil {
		return err
	}
	k, err := anchor.ReadKey(file, kind, n)
	if err != nil {
		return err
	}
	hash := k.Hash160()
	return a.print(&shownAnchorKey{file, n.Name, k.Address(), hex.EncodeToString(hash[:])})
}

func anchorKeyNew(a *app) *cobra.Command {
	var network, kind string
	c := &cobra.Command{
		Use:     "new FILE",
		Short:   "Make a Bitcoin key and keep it in a file",
		Example: "  cloister anchor key new anchor.key --bitcoin-network simnet",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var secret [32]byte
			rand.Read(secret[:])
			if err := writeNew(args[0], []byte(hex.EncodeToString(secret[:])+"\n"), 0o600); err != nil {
				return err
			}
			return showAnchorKey(a, args[0], kind, network)
		},
	}
	keyFlags(c, &network, &kind)
	return c
}

func anchorKeyShow(a *app) *cobra.Command {
	var network, kind string
	c := &cobra.Command{
		Use:     "show FILE",
		Short:   "Show a key's address and hash",
		Example: "  cloister anchor key new spare.key && cloister anchor key show spare.key",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return showAnchorKey(a, args[0], kind, network) },
	}
	keyFlags(c, &network, &kind)
	return c
}

func keyFlags(c *cobra.Command, network, kind *string) {
	c.Flags().StringVar(network, "bitcoin-network", "mainnet", "network the address is for")
	c.Flags().StringVar(kind, "address", anchor.P2WPKH, "kind of address: "+anchor.P2WPKH+" or "+anchor.P2PKH)
}
