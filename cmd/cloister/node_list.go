package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// shownNodeState is a node in a list, or by itself with everything known of it.
type shownNodeState struct {
	Node       wire.NodeID    `json:"node"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Standing   wire.Code      `json:"standing"` // 0: it may do its work
	StandingIs string         `json:"standing_name"`
	Roles      []string       `json:"roles"`
	Operator   string         `json:"operator,omitempty"`
	Endpoint   string         `json:"endpoint,omitempty"`
	Member     string         `json:"member,omitempty"`   // its role in consensus
	Slot       uint64         `json:"slot,omitempty"`     // of a member
	Admitted   string         `json:"admitted,omitempty"` // what the authorities admitted it for
	Waits      string         `json:"waits,omitempty"`    // a change of its membership that is on its way
	Platform   *shownPlatform `json:"platform,omitempty"` // once it registered
	Boots      uint64         `json:"boots"`
	BootID     wire.Hash      `json:"boot_id"`
	Registered uint64         `json:"registered,omitempty"` // height
	Attested   uint64         `json:"attested,omitempty"`   // height
	AttestedMs uint64         `json:"attested_ms,omitempty"`
	ExpiresMs  uint64         `json:"expires_ms,omitempty"`
	GraceMs    uint64         `json:"tolerated_since_ms,omitempty"`
	Reason     string         `json:"reason,omitempty"` // of a revocation
	Height     uint64         `json:"height"`           // state after this block
	// Judged, shown of one node: what the policies of its roles say of it now.
	Judged []*shownJudgement `json:"judged,omitempty"`
}

// shownPlatform is what a node's evidence showed.
type shownPlatform struct {
	Kind      string    `json:"kind"`
	Simulated bool      `json:"simulated"`
	Product   string    `json:"product"`
	Status    string    `json:"status"`
	CodeID    wire.Hash `json:"code_id"`
	Signer    wire.Hash `json:"signer"`
	SVN       uint16    `json:"svn"`
	Device    wire.Hash `json:"device"` // zero: it names none
	Root      wire.Hash `json:"root"`   // SHA-256 of the certificate
	Evidence  wire.Hash `json:"evidence"`
}

var nodeStatuses = map[node.Status]string{
	node.Awaited: "awaited", node.Active: "active", node.Leaving: "leaving", node.Retired: "retired", node.Revoked: "revoked",
}

func roleList(r node.Roles) (names []string) {
	for _, n := range r.Numbers() {
		names = append(names, policy.Role(n).String())
	}
	return names
}

// nodes reads the family's state.
type nodes struct {
	*proved
	roster *wire.Roster
	queue  []node.Change
}

func readNodes(ctx context.Context, c *client.Client) (*nodes, error) {
	st := provedState(ctx, c, node.Name)
	r, err := node.RosterOf(st.get)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, without(node.Name)
	}
	q, err := node.Queue(st.get)
	return &nodes{st, r, q}, err
}

// show reads one node. It carries ErrNotRegistered.
func (s *nodes) show(id wire.NodeID) (*shownNodeState, error) {
	n, err := node.Of(s.get, id)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, wire.Faultf(wire.ErrNotRegistered, "the ledger knows no node %s; 'cloister node list' shows those it knows", id)
	}
	return s.shown(n), nil
}

// judged holds a node against the policies of its roles.
func (s *nodes) judged(id wire.NodeID) ([]*shownJudgement, error) {
	n, err := node.Of(s.get, id)
	if err != nil || n == nil {
		return nil, err
	}
	return readRegistry(s.ctx, s.c).judge(n)
}

func (s *nodes) shown(n *node.Node) *shownNodeState {
	standing := n.Standing(s.timeMs)
	out := &shownNodeState{
		Node: n.ID(), Name: n.Name, Status: nodeStatuses[n.Status], Standing: standing, StandingIs: standing.String(), Roles: roleList(n.Roles),
		Endpoint: n.Endpoint, Boots: n.Boots, BootID: n.BootID, Registered: n.Registered, Attested: n.Attested, AttestedMs: n.AttestedMs,
		ExpiresMs: n.ExpiresMs, GraceMs: n.GraceMs, Reason: n.Reason, Height: s.height,
	}
	if n.Suspended != wire.OK {
		out.Standing, out.StandingIs = n.Suspended, n.Suspended.String()
	}
	if n.Operator != (wire.Account{}) {
		out.Operator = wire.FactoidAddress(n.Operator)
	}
	if n.Admitted != 0 {
		out.Admitted = memberRole(n.Admitted)
	}
	if m := s.roster.Set.ByID(out.Node); m != nil {
		out.Member, out.Slot = memberRole(m.Role), m.Slot
	}
	for _, change := range s.queue {
		if change.Node == out.Node {
			out.Waits = waiting(&change)
		}
	}
	if p := &n.Platform; p.Kind != 0 {
		out.Platform = &shownPlatform{
			Kind: evidence.Kind(p.Kind).String(), Simulated: p.Simulated, Product: p.Product, Status: evidence.Status(p.Status).String(),
			CodeID: p.Code, Signer: p.Signer, SVN: p.SVN, Device: p.Device, Root: p.Anchor, Evidence: p.Evidence,
		}
	}
	return out
}

func waiting(c *node.Change) string {
	switch c.Kind {
	case node.Add:
		return "to be added as " + memberRole(c.Role)
	case node.Raise:
		return "to be made a voter"
	case node.Expel:
		if c.Cause != wire.OK {
			return "to be removed, while " + c.Cause.String() + " holds"
		}
		return "to be removed"
	}
	return fmt.Sprintf("change-%d", uint8(c.Kind))
}

// ids lists every node the ledger shows: registered ones and members.
func (s *nodes) ids() ([]wire.NodeID, error) {
	listed, err := node.List(s.get)
	if err != nil {
		return nil, err
	}
	var ids []wire.NodeID
	for i := range s.roster.Set.Members {
		ids = append(ids, s.roster.Set.Members[i].ID)
	}
	for i := range listed {
		if !slices.Contains(ids, listed[i].ID) {
			ids = append(ids, listed[i].ID)
		}
	}
	return ids, nil
}

// good says how a node stands in a word.
func (s *shownNodeState) good() string {
	if s.Standing == wire.OK {
		return "good"
	}
	return s.StandingIs
}

func (s *shownNodeState) text(w io.Writer) {
	member, standing := s.Member, s.good()
	if member != "" {
		member = fmt.Sprintf("%s, slot %d", member, s.Slot)
	}
	if s.Standing != wire.OK {
		standing += ": " + s.Standing.Info().Advice
	}
	expires := ""
	if s.ExpiresMs != 0 {
		expires = when(s.ExpiresMs)
	}
	pairs := []string{"node", s.Node.String(), "name", shown(s.Name), "status", s.Status, "standing", standing, "revoked because", shown(s.Reason),
		"roles", strings.Join(s.Roles, ", "), "member", member, "admitted as", s.Admitted, "change", s.Waits, "operator", s.Operator,
		"endpoint", shown(s.Endpoint)}
	if p := s.Platform; p != nil {
		pairs = append(pairs, "platform", fmt.Sprintf("%s %s, %s%s", p.Kind, shown(p.Product), p.Status, marked(p.Simulated, ", SIMULATED: it protects nothing")),
			"code id", p.CodeID.String(), "security version", decimal(uint64(p.SVN)), "device", filled(p.Device), "root", p.Root.String(), "evidence", p.Evidence.String())
	}
	if s.Boots > 0 {
		pairs = append(pairs, "run", fmt.Sprintf("number %d, %s", s.Boots, s.BootID),
			"attested", fmt.Sprintf("of block %d, accepted %s", s.Attested, when(s.AttestedMs)))
	}
	if s.GraceMs != 0 {
		pairs = append(pairs, "tolerated since", when(s.GraceMs))
	}
	fields(w, append(pairs, "expires", expires, "as of", fmt.Sprintf("block %d, proved", s.Height))...)
	for _, j := range s.Judged {
		j.text(w)
	}
}

// filled shows a hash that may be missing.
func filled(h wire.Hash) string {
	if h.IsZero() {
		return ""
	}
	return h.String()
}

// shownNodeList is the outcome of node list.
type shownNodeList struct {
	Nodes  []*shownNodeState `json:"nodes"`
	Height uint64            `json:"height"`
}

func (s *shownNodeList) text(w io.Writer) {
	rows := make([][]string, len(s.Nodes))
	for i, n := range s.Nodes {
		platform, expires := "-", "-"
		if n.Platform != nil {
			platform = n.Platform.Kind + marked(n.Platform.Simulated, " (simulated)")
		}
		if n.ExpiresMs != 0 {
			expires = when(n.ExpiresMs)
		}
		rows[i] = []string{n.Node.String(), shown(n.Name), n.Status, n.good(), or(n.Member, "-"), or(strings.Join(n.Roles, ","), "-"), platform, expires}
	}
	table(w, []string{"NODE", "NAME", "STATUS", "STANDING", "MEMBER", "ROLES", "PLATFORM", "EXPIRES"}, rows)
	fmt.Fprintf(w, "as of block %d, proved\n", s.Height)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func nodeList(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the members and every registered node, with what the ledger says of each",
		Example: "  cloister node list",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			st, err := readNodes(ctx, c)
			if err != nil {
				return err
			}
			ids, err := st.ids()
			if err != nil {
				return err
			}
			if quiet {
				return a.idLines(ids)
			}
			s := &shownNodeList{Nodes: []*shownNodeState{}}
			for _, id := range ids {
				n, err := st.show(id)
				switch wire.CodeOf(err) {
				case wire.OK:
					s.Nodes = append(s.Nodes, n)
				case wire.ErrNotRegistered: // it was forgotten since the list was read
				default:
					return err
				}
			}
			s.Height = st.height
			return a.print(s)
		}),
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the nodes' ids and nothing else")
	return c
}

// idLines prints ids, one per line.
func (a *app) idLines(ids []wire.Hash) error {
	for _, id := range ids {
		if _, err := fmt.Fprintln(a.out, id); err != nil {
			return err
		}
	}
	return nil
}

func nodeShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show NODE",
		Short:   "Show what the ledger says of a node: platform, code, standing, expiry",
		Example: "  cloister node show $(cloister node list -q | head -1)",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			id, err := parseID("a node's id", args[0])
			if err != nil {
				return err
			}
			st, err := readNodes(ctx, c)
			if err != nil {
				return err
			}
			n, err := st.show(id)
			if err != nil {
				return err
			}
			if n.Judged, err = st.judged(id); err != nil {
				return err
			}
			return a.print(n)
		}),
	}
}

// shownMembers is the roster.
type shownMembers struct {
	Epoch   uint64        `json:"epoch"`
	From    uint64        `json:"from"` // height
	Quorum  int           `json:"quorum"`
	Members []shownMember `json:"members"`
	Changes []string      `json:"changes"` // that wait, the next one first
	Height  uint64        `json:"height"`
}

type shownMember struct {
	Slot       uint64      `json:"slot"`
	Node       wire.NodeID `json:"node"`
	Role       string      `json:"role"`
	Boots      uint64      `json:"boots"` // number of the newest registered run; 0: none yet
	Barred     wire.Code   `json:"barred"`
	BarredName string      `json:"barred_name,omitempty"` // why nobody keeps a channel to it
}

func (s *shownMembers) text(w io.Writer) {
	rows := make([][]string, len(s.Members))
	for i, m := range s.Members {
		run := "none registered yet"
		if m.Boots > 0 {
			run = "run " + decimal(m.Boots)
		}
		rows[i] = []string{decimal(m.Slot), m.Node.String(), m.Role, run, or(m.BarredName, "good")}
	}
	table(w, []string{"SLOT", "NODE", "ROLE", "CORE", "STANDING"}, rows)
	for _, c := range s.Changes {
		fmt.Fprintln(w, "waiting: "+c)
	}
	fields(w, "epoch", fmt.Sprintf("%d, from block %d on", s.Epoch, s.From), "quorum", fmt.Sprintf("%d voters", s.Quorum),
		"as of", fmt.Sprintf("block %d, proved", s.Height))
}

func nodeMembers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "members",
		Short:   "Show who orders blocks: epoch, slots, roles and standings",
		Example: "  cloister node members",
		Args:    cobra.NoArgs,
		RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
			st, err := readNodes(ctx, c)
			if err != nil {
				return err
			}
			set := st.roster.Set
			s := &shownMembers{Epoch: set.Epoch, From: set.From, Quorum: set.Quorum(), Changes: []string{}}
			for i := range set.Members {
				m := &set.Members[i]
				row := shownMember{Slot: m.Slot, Node: m.ID, Role: memberRole(m.Role)}
				if standing := st.roster.Of(m.ID); standing != nil {
					row.Boots, row.Barred = standing.Boots, standing.Barred
				}
				if row.Barred != wire.OK {
					row.BarredName = row.Barred.String()
				}
				s.Members = append(s.Members, row)
			}
			for i := range st.queue {
				s.Changes = append(s.Changes, fmt.Sprintf("node %s %s", st.queue[i].Node, waiting(&st.queue[i])))
			}
			s.Height = st.height
			return a.print(s)
		}),
	}
}
