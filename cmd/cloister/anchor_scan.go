package main

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"cloister/client/factomd"
	"cloister/client/scan"
	"cloister/host/anchor/rpc"
	"cloister/wire"
)

// shownScan is what a scan found.
type shownScan struct{ *scan.Result }

func (s *shownScan) text(w io.Writer) {
	for i := range s.Candidates {
		c := &s.Candidates[i]
		fmt.Fprintf(w, "candidate %s, proposed by %d\n", c.Head, len(c.Peers))
		if c.Fault != nil {
			fmt.Fprintf(w, "  ended at block %d: %s: %s\n", c.Fault.Height, c.Fault.Code, lines(c.Fault.Text))
		}
		for _, n := range c.Notes {
			fmt.Fprintf(w, "  note, block %d: %s: %s (%d times)\n", n.Height, n.Code, lines(n.Text), n.Count)
		}
	}
	for _, f := range s.Findings {
		fmt.Fprintf(w, "FINDING, block %d: %s: %s\n", f.Height, f.Code, lines(f.Text))
	}
	grade := func(height int64) string {
		if height == scan.None {
			return "no block"
		}
		return fmt.Sprintf("up to block %d", height)
	}
	fields(w, "headers follow", grade(s.Grades.Headers), "signed", grade(s.Grades.Signed), "valid", grade(s.Grades.Valid), "anchored", grade(s.Grades.Anchored))
	if s.Chosen >= 0 {
		fields(w, "head", s.Head.String())
	}
}

func anchorScan(a *app) *cobra.Command {
	var peers []string
	var node, user, password, cookie string
	var o scan.Options
	c := &cobra.Command{
		Use:   "scan",
		Short: "Judge the whole data layer from its beginning, trusting no host",
		Long: `Judge the whole data layer from its beginning, trusting no host: hosts propose
heads, which are followed back to the block that the genesis file's servers signed;
then every block is judged forwards, by signatures, by all rules, and by its
anchors in Bitcoin, which your own Bitcoin node tells. Peers speak factomd's
interface. Exit code 6 means that something contradicts the ledger.`,
		Example: "  cloister anchor scan || echo no directory block is closed yet",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			g, err := a.readGenesis()
			if err != nil {
				return err
			}
			network, err := scan.NetworkOf(g)
			if err != nil {
				return err
			}
			if len(peers) == 0 {
				if peers, err = a.endpointList(); err != nil {
					return err
				}
			}
			var list []scan.Peer
			for _, p := range peers {
				f, err := factomd.New(p, factomd.Options{})
				if err != nil {
					return err
				}
				defer f.Close()
				list = append(list, scan.NewNode(f))
			}
			var chain scan.Bitcoin
			if node != "" {
				r, err := bitcoinNode(node, user, password, cookie)
				if err != nil {
					return err
				}
				chain = bitcoinView{r}
			}
			o.Progress = func(p scan.Progress) {
				if p.Height > 0 && p.Height%100 == 0 {
					a.note("%s: block %d of %d", p.Stage, p.Height, p.Blocks)
				}
			}
			r, _, err := scan.Run(c.Context(), network, list, chain, o, nil)
			if err != nil {
				return err
			}
			if err := a.print(&shownScan{r}); err != nil {
				return err
			}
			return verdict(r)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&peers, "peer", nil, "address of a node with factomd's interface; repeat for more (default the endpoints)")
	f.StringVar(&node, "bitcoin", "", "URL of your Bitcoin node's RPC; without it anchors are not judged")
	f.StringVar(&user, "bitcoin-user", "", "its user")
	f.StringVar(&password, "bitcoin-password", "", "its password")
	f.StringVar(&cookie, "bitcoin-cookie", "", "file with user:password that Bitcoin Core writes")
	f.BoolVar(&o.SignedOnly, "signed-only", false, "judge headers and signatures alone, a small part of the data")
	f.Uint32Var(&o.Depth, "depth", scan.DefaultDepth, "how deep an anchor has to be")
	f.Uint32Var(&o.MaxUnsigned, "max-unsigned", 6, "how many blocks in a row may be without a majority's signatures of their own; a later one that has them covers them")
	f.Uint32Var(&o.MaxGap, "max-gap", 0, "how many blocks in a row may be without an anchor of their own")
	f.Uint32Var(&o.BitcoinFrom, "bitcoin-from", 0, "block of Bitcoin before which there are no anchors")
	return c
}

// verdict tells what contradicts the ledger from what is only not there yet.
func verdict(r *scan.Result) error {
	early := func(f *scan.Finding) bool {
		return f == nil || f.Code == scan.Unsigned || f.Code == scan.Missing || f.Code == scan.NoHead
	}
	for i := range r.Findings {
		if !early(&r.Findings[i]) {
			return wire.Faultf(wire.ErrProof, "something contradicts the ledger: %s", r.Findings[i].Text)
		}
	}
	if r.Chosen >= 0 && early(r.Candidates[r.Chosen].Fault) {
		return nil
	}
	for i := range r.Candidates {
		if f := r.Candidates[i].Fault; !early(f) {
			return wire.Faultf(wire.ErrProof, "something contradicts the ledger at block %d: %s", f.Height, f.Text)
		}
	}
	return wire.Faultf(wire.ErrNotCovered, "no directory block has a majority's signatures yet, or no peer shows one")
}

func bitcoinNode(address, user, password, cookie string) (rpc.Node, error) {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return rpc.Node{}, bad("give user and password apart, with --bitcoin-user and --bitcoin-password")
	}
	client, err := rpc.New(rpc.Config{URL: address, User: user, Password: password, Cookie: cookie})
	return rpc.Node{Client: client}, err
}

// bitcoinView is the user's own view of Bitcoin (scan.Bitcoin).
type bitcoinView struct{ rpc.Node }

func (v bitcoinView) Anchors(ctx context.Context, from uint32, found func(scan.Anchor) error) (uint32, error) {
	return v.Node.Anchors(ctx, from, func(f rpc.Found) error {
		a := scan.Anchor{
			TXID: f.TXID, BlockHash: f.Block.Hash, BlockHeight: f.Block.Height, Depth: f.Depth,
			SpentFrom: scan.Spender{Hash160: f.Spender}, Script: f.Script,
		}
		if f.ScriptHash {
			a.SpentFrom.Type = 1
		}
		return found(a)
	})
}
