package main

import (
	"context"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/node"
)

// nodeOrder is a command that orders something about one node, which has to be
// known: an order about a mistyped id would be refused only once all approved.
func (a *app) nodeOrder(c *cobra.Command, f *orderFlags, make func(id wire.NodeID) ([]byte, error)) *cobra.Command {
	c.Args = cobra.ExactArgs(1)
	c.RunE = a.asking(func(ctx context.Context, c *client.Client, args []string) error {
		id, err := parseID("a node's id", args[0])
		if err != nil {
			return err
		}
		st, err := readNodes(ctx, c)
		if err != nil {
			return err
		}
		if _, err := st.show(id); err != nil {
			return err
		}
		b, err := make(id)
		if err != nil {
			return err
		}
		return a.decide(ctx, c, order{node.Name, b, explain(node.Name, b)}, f)
	})
	f.flags(c)
	return c
}

// memberRoles are those a node can be admitted as.
var memberRoles = map[string]wire.Role{"voter": wire.Voter, "learner": wire.Learner, "audit": wire.Audit}

func nodeAdmit(a *app) *cobra.Command {
	var f orderFlags
	var as string
	c := a.nodeOrder(&cobra.Command{
		Use:   "admit NODE",
		Short: "Order that a registered node becomes a member",
		Long: `Order that a registered node becomes a member. A voter starts as a learner; the
voters promote it once it has caught up. A learner follows and does not vote
until it is admitted as a voter.`,
		Example: "  cloister node admit $(cloister node list -q | head -1) --as voter --order-file admit.order",
	}, &f, func(id wire.NodeID) ([]byte, error) {
		role, ok := memberRoles[as]
		if !ok {
			return nil, bad("--as is voter, learner or audit, not %q", clip(as))
		}
		return (&node.Admit{Node: id, Role: role}).Bytes(), nil
	})
	c.Flags().StringVar(&as, "as", "voter", "what it may become: voter, learner or audit")
	return c
}

func nodeRemove(a *app) *cobra.Command {
	var f orderFlags
	return a.nodeOrder(&cobra.Command{
		Use:     "remove NODE",
		Short:   "Order that a member leaves the set in good order",
		Example: "  cloister node remove $(cloister node list -q | head -1) --order-file remove.order",
	}, &f, func(id wire.NodeID) ([]byte, error) { return (&node.Remove{Node: id}).Bytes(), nil })
}

func nodeRevoke(a *app) *cobra.Command {
	var f orderFlags
	var reason string
	c := a.nodeOrder(&cobra.Command{
		Use:   "revoke NODE",
		Short: "Order that a node is barred at once and for ever",
		Long: `Order that a node is barred at once and for ever. Its core can never register
again; a new core with a new identity on the same machine can.`,
		Example: `  cloister node revoke $(cloister node list -q | head -1) --reason "its operator was compromised" --order-file revoke-node.order`,
	}, &f, func(id wire.NodeID) ([]byte, error) {
		b := (&node.Revoke{Node: id, Reason: reason}).Bytes()
		_, err := node.DecodeOrder(b) // the reason's form
		return b, err
	})
	c.Flags().StringVar(&reason, "reason", "", "why, for everybody to read; at most 128 bytes")
	required(c, "reason")
	return c
}

// required marks flags without which a command cannot run.
func required(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined by the caller
		}
	}
}
