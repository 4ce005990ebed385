package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// coreFlag names the host whose core is meant: one on this machine.
func coreFlag(c *cobra.Command, endpoint *string) {
	c.Flags().StringVar(endpoint, "endpoint-of-core", "1", "host on this machine whose core is meant: an address, or its number among the endpoints")
}

// ownCore is a client of that host alone, with the user's word that it is on
// this machine: a core makes evidence for nobody else.
func (a *app) ownCore(endpoint string) (*client.Client, error) {
	if n, err := strconv.ParseUint(endpoint, 10, 16); err == nil {
		list, err := a.endpointList()
		if err != nil {
			return nil, err
		}
		if n == 0 || n > uint64(len(list)) {
			return nil, bad("there are %d endpoints; --endpoint-of-core %d is none of them", len(list), n)
		}
		endpoint = list[n-1]
	}
	if !local(endpoint) {
		return nil, bad("%s is not on this machine: run this on the core's own machine, or name a host there with --endpoint-of-core", shown(clip(endpoint)))
	}
	g, err := a.readGenesis()
	if err != nil {
		return nil, err
	}
	return client.Dial([]string{endpoint}, g, client.Options{Retry: askOnce})
}

// local reports whether an endpoint is a loopback address.
func local(endpoint string) bool {
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap().IsLoopback()
}

// parseRoles reads roles as people list them.
func parseRoles(list []string) (node.Roles, error) {
	var roles node.Roles
	for _, name := range list {
		var r policy.Role
		if r.UnmarshalText([]byte(name)) != nil {
			return 0, bad("there is no role %q; known are %s", clip(name), roleNames())
		}
		roles |= 1 << (r - 1)
	}
	return roles, nil
}

// shownApplication is what a registration says, before it is submitted.
type shownApplication struct {
	Node     wire.NodeID `json:"node"`
	Name     string      `json:"name"`
	Roles    []string    `json:"roles"`
	Operator string      `json:"operator"`
	Endpoint string      `json:"endpoint,omitempty"`
	Kind     string      `json:"kind"`
	Run      uint64      `json:"run"`
	Names    uint64      `json:"names_block"` // the block the evidence is of
	Known    string      `json:"known"`       // what the ledger has on the node
}

func (s *shownApplication) text(w io.Writer) {
	fields(w, "node", s.Node.String(), "name", shown(s.Name), "roles", strings.Join(s.Roles, ", "), "operator", s.Operator, "endpoint", shown(s.Endpoint),
		"evidence", fmt.Sprintf("%s, of run %d, naming block %d", s.Kind, s.Run, s.Names), "on the ledger", s.Known)
	fmt.Fprintln(w, "Nothing was submitted.")
}

// applying has a core make a registration for the key that signs.
func (a *app) applying(ctx context.Context, own *client.Client, app *node.Application) (*node.Register, *evidence.Claims, error) {
	operator, err := a.ownAddress()
	if err != nil {
		return nil, nil, err
	}
	app.Operator = operator
	return own.Registration(ctx, app)
}

func nodeRegister(a *app) *cobra.Command {
	var core, operatorKey string
	var dryRun, quiet bool
	var roles []string
	var app node.Application
	c := &cobra.Command{
		Use:   "register",
		Short: "Register the core of a host on this machine, with fresh evidence",
		Long: `Register the core of a host on this machine, with fresh evidence. The key that
signs becomes the node's operator: it pays, and alone may retire the node.

Founders register by themselves when the network starts, and members renew by
themselves. This is for further nodes, and for one whose registration ran out or
that was retired, with a newer run of its core. To order blocks a node also has to
be admitted: 'cloister node admit'.`,
		Example: "  cloister node register --name spare --role voter --role worker --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if operatorKey != "" {
				a.key = operatorKey
			}
			var err error
			if app.Roles, err = parseRoles(roles); err != nil {
				return err
			}
			own, err := a.ownCore(core)
			if err != nil {
				return err
			}
			defer own.Close()
			return a.register(cmd.Context(), own, &app, dryRun, quiet)
		},
	}
	f := c.Flags()
	coreFlag(c, &core)
	f.StringVar(&app.Name, "name", "", "the node's name, for people")
	f.StringArrayVar(&roles, "role", nil, "role it is judged for: "+roleNames()+"; repeat for more")
	f.StringVar(&app.Endpoint, "public-endpoint", "", "where others reach it")
	f.StringVar(&operatorKey, "operator-key", "", "the operator's key, like --key")
	f.BoolVar(&dryRun, "dry-run", false, "have the evidence made, show what would be registered, and submit nothing")
	quietFlag(c, &quiet)
	required(c, "name", "role")
	return c
}

// register has a core attest for the signing key, and submits that.
func (a *app) register(ctx context.Context, own *client.Client, app *node.Application, dryRun, quiet bool) error {
	if _, err := node.DecodeApplication(app.Bytes()); err != nil {
		return err
	}
	r, claims, err := a.applying(ctx, own, app)
	if err != nil {
		return err
	}
	id := wire.NodeIDOf(claims.Identity)
	if !dryRun {
		return a.write(ctx, own, node.Name, r.Bytes(), quiet, fmt.Sprintf("registered node %s as %s", id, strings.Join(roleList(app.Roles), ", ")))
	}
	e, err := evidence.Decode(r.Shown.Evidence)
	if err != nil {
		return err
	}
	s := &shownApplication{
		Node: id, Name: app.Name, Roles: roleList(app.Roles), Operator: wire.FactoidAddress(app.Operator), Endpoint: app.Endpoint,
		Kind: e.Kind.String(), Run: r.Shown.Boots, Names: claims.Height, Known: "nothing",
	}
	st, err := readNodes(ctx, own)
	if err != nil {
		return err
	}
	switch n, err := st.show(id); wire.CodeOf(err) {
	case wire.OK:
		s.Known = n.Status + ", standing " + n.good()
		if n.ExpiresMs != 0 {
			s.Known += ", until " + when(n.ExpiresMs)
		}
	case wire.ErrNotRegistered:
	default:
		return err
	}
	return a.print(s)
}

// shownRenewal says that nothing has to be done.
type shownRenewal struct {
	Node    wire.NodeID `json:"node"`
	Renewed bool        `json:"renewed"` // always false: what renews prints a transaction
	Why     string      `json:"why"`
}

func (s *shownRenewal) text(w io.Writer) {
	fields(w, "node", s.Node.String(), "renewed", "no: "+s.Why)
}

func nodeRenew(a *app) *cobra.Command {
	var core string
	var quiet bool
	c := &cobra.Command{
		Use:   "renew",
		Short: "Register the core of a host on this machine again, if it does not do so itself",
		Long: `Register the core of a host on this machine again, with the name, roles and
endpoint it had, if it does not do so itself. A member renews by itself: in the last
third of its registration, at once when it is suspended, and when its core was
started again. For any other node its operator does, once the registration ran
out or was retired: the core has to be started again first, so that it shows a newer
run.`,
		Example: "  cloister node renew",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, err := a.ownCore(core)
			if err != nil {
				return err
			}
			defer own.Close()
			return a.renew(cmd.Context(), own, quiet)
		},
	}
	coreFlag(c, &core)
	quietFlag(c, &quiet)
	return c
}

func (a *app) renew(ctx context.Context, own *client.Client, quiet bool) error {
	status, err := own.HostStatus(ctx)
	if err != nil {
		return err
	}
	if status.Core == nil {
		return wire.Faultf(wire.ErrNotReady, "the host's core does not run")
	}
	id, err := parseID("the host's node", status.Core.NodeId)
	if err != nil {
		return err
	}
	st, err := readNodes(ctx, own)
	if err != nil {
		return err
	}
	n, err := node.Of(st.get, id)
	switch {
	case err != nil:
		return err
	case n == nil:
		return wire.Faultf(wire.ErrNotRegistered, "node %s was never registered: 'cloister node register' does that", id)
	}
	if why := unneeded(n, st.roster.Set.ByID(id) != nil, st.timeMs); why != "" {
		return a.print(&shownRenewal{Node: id, Why: why})
	}
	return a.register(ctx, own, &node.Application{Roles: n.Roles, Name: n.Name, Endpoint: n.Endpoint}, false, quiet)
}

// unneeded says why a node cannot or need not be registered again by its
// operator at a block time; empty if it has to be.
func unneeded(n *node.Node, member bool, timeMs uint64) string {
	standing := n.Standing(timeMs)
	switch {
	case standing == wire.ErrNodeRevoked:
		return "the authorities barred it for ever: " + shown(n.Reason)
	case n.Status == node.Awaited:
		return "it is a founder, whose core registers by itself as soon as blocks are made"
	case member && standing == wire.OK:
		// The last third of its life (wire/node.Due).
		return "it is a member, whose core renews by itself from " + when(n.ExpiresMs-min(n.ExpiresMs, (n.ExpiresMs-n.AttestedMs)/3)) + " on"
	case member:
		return fmt.Sprintf("it is a member, whose core tries to renew by itself now (%s)", standing)
	case n.Status == node.Active && timeMs < n.ExpiresMs:
		return "its registration holds until " + when(n.ExpiresMs)
	}
	return ""
}

// shownRetirement is what a retirement would do.
type shownRetirement struct {
	Node     wire.NodeID `json:"node"`
	Operator string      `json:"operator"`
	Yours    bool        `json:"yours"`
	Would    string      `json:"would"`
}

func (s *shownRetirement) text(w io.Writer) {
	yours := "yes"
	if !s.Yours {
		yours = "NO: only its operator can retire it"
	}
	fields(w, "node", s.Node.String(), "operator", s.Operator, "that is you", yours, "retiring would", s.Would)
	fmt.Fprintln(w, "Nothing was submitted.")
}

func nodeRetire(a *app) *cobra.Command {
	var dryRun, quiet bool
	c := &cobra.Command{
		Use:     "retire NODE",
		Short:   "End the registration of a node of one's own; a member leaves the set first",
		Example: "  cloister node retire $(cloister node list -q | head -1) --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a node's id", args[0])
			if err != nil {
				return err
			}
			if !dryRun {
				return a.write(ctx, c, node.Name, (&node.Retire{Node: id}).Bytes(), quiet, "retired node "+id.String())
			}
			st, err := readNodes(ctx, c)
			if err != nil {
				return err
			}
			n, err := st.show(id)
			if err != nil {
				return err
			}
			own, err := a.ownAddress()
			if err != nil {
				return err
			}
			s := &shownRetirement{Node: id, Operator: or(n.Operator, "nobody yet"), Yours: n.Operator == wire.FactoidAddress(own), Would: "end its registration"}
			if n.Member != "" {
				s.Would = "take it out of the members, where it is " + n.Member + ", and end its registration"
			}
			return a.print(s)
		}),
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "show what it would do, and submit nothing")
	quietFlag(c, &quiet)
	return c
}
