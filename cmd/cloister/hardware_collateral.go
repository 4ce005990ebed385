package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/cmd/cloister/offline"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// shownCollateral is a piece of collateral as the ledger has it in force.
type shownCollateral struct {
	Key     string    `json:"key"` // as commands take it
	Issued  string    `json:"issued"`
	Expires string    `json:"expires"`
	Number  uint64    `json:"number"`
	Put     string    `json:"put"` // block time
	Size    int       `json:"size"`
	SHA256  wire.Hash `json:"sha256"` // of the body
	Expired bool      `json:"expired"`
	File    string    `json:"file,omitempty"`
	Height  uint64    `json:"height"`
}

// keyText is how commands name collateral: "tcb-info/SGX/…".
func keyText(k evidence.Key) string { return k.Type.String() + "/" + k.Name }

// parseKey reads it.
func parseKey(text string) (evidence.Key, error) {
	kind, name, _ := strings.Cut(text, "/")
	for t := evidence.TCBInfo; t <= evidence.AMDChain; t++ {
		if t.String() == kind && name != "" && len(name) <= 128 {
			return evidence.Key{Type: t, Name: name}, nil
		}
	}
	return evidence.Key{}, bad("collateral is named like tcb-info/SGX/00606a000000, as 'cloister hardware collateral' lists it, not %q", clip(text))
}

func showCollateral(k evidence.Key, i *trust.InForce, r registry) *shownCollateral {
	return &shownCollateral{
		Key: keyText(k), Issued: second(i.Freshness.Issued), Expires: lasting(i.Freshness.Expires), Number: i.Freshness.Number,
		Put: when(i.PutMs), Size: len(i.Item.Body), SHA256: sha256.Sum256(i.Item.Body),
		Expired: uint64(max(0, i.Freshness.Expires)) <= r.timeMs/1000, Height: r.height,
	}
}

// lasting shows when something expires, if it does.
func lasting(unix int64) string {
	if unix > math.MaxInt32*100 {
		return "never"
	}
	return second(unix)
}

func (s *shownCollateral) text(w io.Writer) {
	fields(w, "collateral", shown(s.Key), "issued", s.Issued, "expires", s.Expires+marked(s.Expired, ": EXPIRED"), "number", decimal(s.Number),
		"put", s.Put, "size", fmt.Sprintf("%d bytes", s.Size), "sha256", s.SHA256.String(), "file", shown(s.File), "as of", fmt.Sprintf("block %d, proved", s.Height))
}

// shownCollaterals lists it.
type shownCollaterals struct {
	Collateral []*shownCollateral `json:"collateral"`
	Height     uint64             `json:"height"`
}

func (s *shownCollaterals) text(w io.Writer) {
	rows := make([][]string, len(s.Collateral))
	for i, c := range s.Collateral {
		rows[i] = []string{shown(c.Key), c.Issued, c.Expires + marked(c.Expired, " (EXPIRED)")}
	}
	table(w, []string{"COLLATERAL", "ISSUED", "EXPIRES"}, rows)
	fmt.Fprintf(w, "as of block %d, proved\n", s.Height)
}

// keys lists the keys of all collateral, in the order they were first put.
func (r registry) keys() (list []evidence.Key, err error) {
	summary, err := r.summary()
	if err != nil {
		return nil, err
	}
	for page := uint32(0); page < trust.MaxItemPages && page*trust.ItemsPerPage < summary.Items; page++ {
		l, err := row[trust.ItemKeys](r.proved, trust.ItemsKey(page), 64<<10)
		if err != nil || l == nil {
			return list, err
		}
		list = append(list, l.List...)
	}
	return list, nil
}

func hardwareCollateral(a *app) *cobra.Command {
	return listing("collateral", func() *cobra.Command {
		var quiet bool
		c := &cobra.Command{
			Short: "List the makers' signed statements that are in force",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				r := readRegistry(ctx, c)
				keys, err := r.keys()
				if err != nil {
					return err
				}
				s := &shownCollaterals{Collateral: []*shownCollateral{}}
				for _, k := range keys {
					if quiet {
						fmt.Fprintln(a.out, keyText(k))
						continue
					}
					i, err := r.item(k)
					if err != nil {
						return err
					}
					if i != nil {
						s.Collateral = append(s.Collateral, showCollateral(k, i, r))
					}
				}
				if quiet {
					return nil
				}
				s.Height = r.height
				return a.print(s)
			}),
		}
		c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the names and nothing else")
		return c
	}, collateralShow(a), collateralPut(a))
}

func collateralShow(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a piece of collateral, and write it to a file that 'evidence verify' reads",
		Example: "  cloister hardware collateral show $(cloister hardware collateral -q | head -1) --file in-force.item",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			k, err := parseKey(args[0])
			if err != nil {
				return err
			}
			r := readRegistry(ctx, c)
			i, err := r.item(k)
			switch {
			case err != nil:
				return err
			case i == nil:
				return wire.Faultf(wire.ErrNotFound, "the ledger has no collateral %s", shown(args[0]))
			}
			if file != "" {
				if err := writeNew(file, trust.ItemBytes(&i.Item), 0o644); err != nil {
					return err
				}
			}
			s := showCollateral(k, i, r)
			s.File = file
			return a.print(s)
		}),
	}
	c.Flags().StringVar(&file, "file", "", "file to write it to, in this project's encoding")
	return c
}

// shownPut is what became of each piece of collateral in the files given.
type shownPut struct {
	Items []*shownPutItem `json:"items"`
}

type shownPutItem struct {
	Key     string     `json:"key"`
	Issued  string     `json:"issued"`
	Expires string     `json:"expires"`
	Number  uint64     `json:"number"`
	Outcome string     `json:"outcome"` // in words
	TxID    *wire.Hash `json:"tx_id,omitempty"`
	Height  uint64     `json:"height,omitempty"` // of the transaction

	name  evidence.Key
	item  evidence.Item
	fresh evidence.Freshness
}

func (s *shownPut) text(w io.Writer) {
	rows := make([][]string, len(s.Items))
	for i, p := range s.Items {
		outcome := p.Outcome
		if p.TxID != nil {
			outcome += fmt.Sprintf(" in block %d, transaction %s", p.Height, p.TxID)
		}
		rows[i] = []string{shown(p.Key), p.Issued, p.Expires, outcome}
	}
	table(w, []string{"COLLATERAL", "ISSUED", "EXPIRES", "OUTCOME"}, rows)
}

func collateralPut(a *app) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "put FILE...",
		Short: "Put a maker's newer statements on the ledger; anybody may",
		Long: `Put a maker's newer statements on the ledger; anybody may: the maker signed them. A
file is Intel's bundle (JSON), a revocation list (DER), AMD's certificates, or what
'collateral show' writes. Each is verified here first, by the roots the ledger
trusts; what is not newer than what is in force is passed over.`,
		Example: `  cloister hardware collateral show $(cloister hardware collateral -q | head -1) --file again.item
  cloister hardware collateral put again.item`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			r := readRegistry(ctx, c)
			if _, err := r.summary(); err != nil {
				return err
			}
			items, err := r.examined(args)
			if err != nil {
				return err
			}
			s := &shownPut{Items: items}
			for _, p := range items {
				if err := a.put(ctx, r, p, dryRun); err != nil {
					return fmt.Errorf("%s: %w", shown(p.Key), err)
				}
			}
			return a.print(s)
		}),
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "verify and compare only, and submit nothing")
	return c
}

// examined reads the collateral in files and verifies it by what the ledger
// trusts. Lists come first: what follows may be judged by them.
func (r registry) examined(files []string) (list []*shownPutItem, err error) {
	src := &ledgerSource{registry: r}
	set := &evidence.Set{}
	for _, v := range vendors {
		set.Trusted = append(set.Trusted, src.Anchors(v)...)
	}
	if src.err != nil {
		return nil, src.err
	}
	at := int64(r.timeMs / 1000)
	for _, file := range files {
		b, err := readFile(file, maxCollateral)
		if err != nil {
			return nil, err
		}
		if err := offline.AddCollateral(set, b, at); err != nil {
			return nil, fmt.Errorf("%s: %w", shown(file), err)
		}
	}
	for k, item := range set.Items { //deterministic: sorted below
		_, fresh, err := verify.CheckItem(&item, src, at)
		if src.err != nil {
			err = src.err
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown(keyText(k)), err)
		}
		list = append(list, &shownPutItem{
			Key: keyText(k), Issued: second(fresh.Issued), Expires: lasting(fresh.Expires), Number: fresh.Number,
			name: k, item: item, fresh: fresh,
		})
	}
	rank := map[evidence.ItemType]int{evidence.CRL: 1, evidence.AMDChain: 2, evidence.TCBInfo: 3, evidence.QEIdentity: 4}
	slices.SortFunc(list, func(x, y *shownPutItem) int {
		return cmp.Or(cmp.Compare(rank[x.item.Type], rank[y.item.Type]), cmp.Compare(x.Key, y.Key))
	})
	return list, nil
}

// put submits one piece, unless the ledger has it or a newer one.
func (a *app) put(ctx context.Context, r registry, p *shownPutItem, dryRun bool) error {
	old, err := r.item(p.name)
	if err != nil {
		return err
	}
	switch {
	case old != nil && bytes.Equal(old.Item.Body, p.item.Body):
		p.Outcome = "in force already"
		return nil
	case old != nil && !p.fresh.Newer(old.Freshness):
		p.Outcome = "passed over: what is in force is not older"
		return nil
	case dryRun:
		p.Outcome = "would be put"
		return nil
	}
	v, err := a.submit(ctx, r.c, hardware.Name, hardware.Encode(&hardware.Collateral{Item: trust.ItemBytes(&p.item)}))
	if err != nil {
		return err
	}
	p.Outcome, p.TxID, p.Height = "put", &v.TxID, v.Height
	return nil
}
