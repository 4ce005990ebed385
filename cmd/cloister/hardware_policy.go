package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"cloister/client"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
)

// shownPolicies lists the policies.
type shownPolicies struct {
	Policies []*policy.Policy `json:"policies"`
	Height   uint64           `json:"height"`
}

func kindList(kinds policy.Kinds) string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return strings.Join(names, ",")
}

func (s *shownPolicies) text(w io.Writer) {
	rows := make([][]string, len(s.Policies))
	for i, p := range s.Policies {
		rows[i] = []string{p.Role.String(), kindList(p.Kinds), span(p.MaxRegistrationMs), decimal(uint64(p.MinVendorClasses)), or(strings.Join(p.RefusedProducts, ","), "-")}
	}
	table(w, []string{"ROLE", "KINDS", "REGISTRATION LASTS", "VENDORS NEEDED", "REFUSED PRODUCTS"}, rows)
	fmt.Fprintf(w, "as of block %d, proved\n", s.Height)
}

// shownPolicyState is one policy.
type shownPolicyState struct {
	Policy *policy.Policy `json:"policy"`
	File   string         `json:"file,omitempty"`
	Height uint64         `json:"height"`
}

// statuses in the order of the vendor's list.
var statuses = []evidence.Status{
	evidence.UpToDate, evidence.SWHardeningNeeded, evidence.ConfigurationNeeded,
	evidence.ConfigurationAndSWHardeningNeeded, evidence.OutOfDate, evidence.OutOfDateConfigurationNeeded,
}

func (s *shownPolicyState) text(w io.Writer) {
	p := s.Policy
	pairs := []string{"role", p.Role.String(), "kinds", kindList(p.Kinds)}
	for _, st := range statuses {
		pairs = append(pairs, "status "+st.String(), p.Status.Of(st).String())
	}
	pairs = append(pairs, "listed advisories", shown(strings.Join(p.Advisories, ", ")), "grace", marked(p.GraceMs > 0, span(p.GraceMs)),
		"least security version", decimal(uint64(p.MinSVN)), "least TCB number", decimal(p.MinTCBNumber))
	for i := range p.MinTCB {
		pairs = append(pairs, "least TCB of "+shown(p.MinTCB[i].Product), p.MinTCB[i].TCB().String())
	}
	fields(w, append(pairs, "refused products", shown(strings.Join(p.RefusedProducts, ", ")),
		"provisional firmware", marked(p.Provisional, "accepted"), "masked devices", marked(p.Masked, "accepted"), "highest VMPL", decimal(uint64(p.MaxVMPL)),
		"age of evidence", fmt.Sprintf("at most %d blocks and %s", p.MaxEvidenceBlocks, span(p.MaxEvidenceMs)), "registration lasts", span(p.MaxRegistrationMs),
		"nodes of one operator", limit(uint64(p.MaxPerOperator)), "vendors needed", decimal(uint64(p.MinVendorClasses)), "file", shown(s.File),
		"as of", fmt.Sprintf("block %d, proved", s.Height))...)
}

// policy reads a role's policy.
func (r registry) policy(role policy.Role) (*policy.Policy, error) {
	b, err := r.get(trust.PolicyKey(role))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, without(trust.Family)
	}
	return policy.Decode(b)
}

func hardwarePolicy(a *app) *cobra.Command {
	return listing("policy", func() *cobra.Command {
		return &cobra.Command{
			Short: "List which evidence qualifies a node for each role",
			Args:  cobra.NoArgs,
			RunE: a.asking(func(ctx context.Context, c *client.Client, _ []string) error {
				r := readRegistry(ctx, c)
				s := &shownPolicies{}
				for _, role := range policy.Roles {
					p, err := r.policy(role)
					if err != nil {
						return err
					}
					s.Policies = append(s.Policies, p)
				}
				s.Height = r.height
				return a.print(s)
			}),
		}
	}, policyShow(a), policySet(a))
}

func policyShow(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "show ROLE",
		Short:   "Show the policy of a role, and write it to a file",
		Example: "  cloister hardware policy show voter --file voter-policy.json",
		Args:    cobra.ExactArgs(1),
		RunE: a.asking(func(ctx context.Context, c *client.Client, args []string) error {
			var role policy.Role
			if role.UnmarshalText([]byte(args[0])) != nil {
				return bad("there is no role %q; known are %s", clip(args[0]), roleNames())
			}
			r := readRegistry(ctx, c)
			p, err := r.policy(role)
			if err != nil {
				return err
			}
			if file != "" {
				if err := writeNew(file, wire.EncodeJSON(p), 0o644); err != nil {
					return err
				}
			}
			return a.print(&shownPolicyState{p, file, r.height})
		}),
	}
	c.Flags().StringVar(&file, "file", "", "file to write it to, for 'cloister hardware policy set'")
	return c
}

func policySet(a *app) *cobra.Command {
	var f orderFlags
	c := &cobra.Command{
		Use:   "set FILE",
		Short: "Order another policy for the role that a file names",
		Long: `Order another policy for the role that a file names: start from what 'policy show'
writes. It takes effect at once, also for who is registered: nodes it does not
accept are suspended.`,
		Example: `  cloister hardware policy show worker --file worker-policy.json
  cloister hardware policy set worker-policy.json`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = a.hardwareOrder(&f, func(_ registry, args []string) (trust.Order, error) {
		b, err := readFile(args[0], maxPolicyFile)
		if err != nil {
			return nil, err
		}
		p, err := parsePolicy(b)
		if err != nil {
			return nil, bad("%s: %v", shown(args[0]), err)
		}
		return &trust.PolicySet{Policy: *p}, nil
	})
	f.flags(c)
	return c
}

// maxPolicyFile bounds a policy in JSON, bytes.
const maxPolicyFile = 4 * policy.MaxPolicy

// parsePolicy reads a policy in JSON, which may come from anybody.
func parsePolicy(b []byte) (*policy.Policy, error) {
	p := new(policy.Policy)
	if err := wire.DecodeJSON(b, p, maxPolicyFile); err != nil {
		return nil, err
	}
	return p, p.Check()
}
