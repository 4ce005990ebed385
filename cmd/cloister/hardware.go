package main

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/governance"
	"cloister/wire/hardware"
)

func hardwareCommand(a *app) *cobra.Command {
	return group("hardware", "Makers, code and devices that the ledger trusts",
		hardwareRoots(a), hardwareCerts(a), hardwareCollateral(a), hardwareMeasurements(a), hardwarePolicy(a),
		hardwareJoin(a), hardwareAgent(a), hardwareDevices(a), hardwareAttest(a), hardwareTasks(a), hardwareCredit(a), hardwareDeposit(a), hardwareWithdraw(a), hardwareRetire(a))
}

// listing is a noun below hardware that lists when it is given no verb. build
// makes the command that lists; its Use and Example are filled in here.
func listing(noun string, build func() *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	c, list := build(), build()
	c.Use, c.Example = noun, "  cloister hardware "+noun
	list.Use, list.Example = "list", c.Example+" list"
	c.AddCommand(list)
	c.AddCommand(verbs...)
	return c
}

// registry reads the state of family hardware, from proofs.
type registry struct{ *proved }

func readRegistry(ctx context.Context, c *client.Client) registry {
	return registry{provedState(ctx, c, hardware.Name)}
}

// summary says what the tables of trust are as a whole.
func (r registry) summary() (*trust.Summary, error) {
	s, err := row[trust.Summary](r.proved, trust.SummaryKey, 4<<10)
	if err == nil && s == nil {
		err = without(hardware.Name)
	}
	return s, err
}

// totals says what the registry of devices is as a whole.
func (r registry) totals() (*hardware.Totals, error) {
	t, err := row[hardware.Totals](r.proved, hardware.TotalsKey, 1<<10)
	if err == nil && t == nil {
		err = without(hardware.Name)
	}
	return t, err
}

// list reads a list of ids, empty if there is none.
func (r registry) list(key []byte) ([]wire.Hash, error) {
	l, err := row[trust.IDs](r.proved, key, 64<<10)
	if l == nil {
		return nil, err
	}
	return l.List, err
}

// root reads one maker's root, nil if there is none.
func (r registry) root(id wire.Hash) (*trust.Root, error) {
	return row[trust.Root](r.proved, trust.RootKey(id), trust.MaxRootDER+1<<10)
}

// vendors in the order in which they are listed.
var vendors = []evidence.Vendor{evidence.Intel, evidence.AMD, evidence.TPMMaker}

// roots lists the roots of all vendors, the revoked ones included.
func (r registry) roots() (list []*trust.Root, err error) {
	for _, v := range vendors {
		ids, err := r.list(trust.RootsKey(v))
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			root, err := r.root(id)
			if err != nil {
				return nil, err
			}
			if root != nil {
				list = append(list, root)
			}
		}
	}
	return list, nil
}

// measurement reads one approved version, nil if there is none.
func (r registry) measurement(id wire.Hash) (*trust.Measurement, error) {
	return row[trust.Measurement](r.proved, trust.MeasurementKey(id), 1<<10)
}

// item reads what is in force under a key of collateral, nil if there is none.
func (r registry) item(k evidence.Key) (*trust.InForce, error) {
	return row[trust.InForce](r.proved, trust.ItemKey(k), evidence.MaxItem+8<<10)
}

// ledgerSource is what the ledger judges evidence by, from proofs. A verifier
// cannot be told that a proof failed, so the first failure is kept.
type ledgerSource struct {
	registry
	err error
}

// Anchors implements evidence.Source.
func (s *ledgerSource) Anchors(v evidence.Vendor) (list []evidence.Anchor) {
	ids, err := s.list(trust.RootsKey(v))
	for _, id := range ids {
		root, rerr := s.root(id)
		if rerr != nil {
			err = rerr
		} else if root != nil && root.Revoked == 0 {
			list = append(list, root.Anchor())
		}
	}
	s.fail(err)
	set := evidence.Set{Trusted: list}
	return set.Anchors(v) // by ascending id
}

// Item implements evidence.Source.
func (s *ledgerSource) Item(k evidence.Key) (evidence.Item, bool) {
	i, err := s.item(k)
	s.fail(err)
	if i == nil {
		return evidence.Item{}, false
	}
	for _, spki := range i.Keys { // nobody relies on what a revoked key signed
		if revoked, err := s.get(trust.RevokedKey(spki)); err != nil || revoked != nil {
			s.fail(err)
			return evidence.Item{}, false
		}
	}
	return i.Item, true
}

func (s *ledgerSource) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// number reads an integer of a page, 0 where the page ends before it.
func number(page []byte, at, size uint32) uint64 {
	from := at * size
	if uint64(from)+uint64(size) > uint64(len(page)) {
		return 0
	}
	var b [8]byte
	copy(b[8-size:], page[from:from+size])
	return binary.BigEndian.Uint64(b[:])
}

// hardwareOrder makes the RunE of a command that orders something of the
// registry's trust.
func (a *app) hardwareOrder(f *orderFlags, make func(r registry, args []string) (trust.Order, error)) func(*cobra.Command, []string) error {
	return a.asking(func(ctx context.Context, c *client.Client, args []string) error {
		r := readRegistry(ctx, c)
		o, err := make(r, args)
		if err != nil {
			return err
		}
		b := o.Bytes()
		if _, err := trust.Decode(b); err != nil {
			return err
		}
		if len(b) > governance.MaxOrder {
			return wire.Faultf(wire.ErrTooLarge, "the order has %d bytes, at most %d", len(b), governance.MaxOrder)
		}
		return a.decide(ctx, c, order{hardware.Name, b, explain(hardware.Name, b)}, f)
	})
}

// since shows a height, or nothing for never.
func since(height uint64) string {
	if height == 0 {
		return ""
	}
	return fmt.Sprintf("from block %d on", height)
}
