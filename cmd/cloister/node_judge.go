package main

import (
	"fmt"
	"io"
	"strings"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/node"
)

// shownJudgement is what a policy says of a node's platform as it is known, under
// the collateral, code and policy in force: the reason of a suspension.
type shownJudgement struct {
	Role   string      `json:"role"`
	Status string      `json:"status"` // the vendor's judgement now
	Broken []shownRule `json:"broken"`
}

func (s *shownJudgement) text(w io.Writer) {
	if len(s.Broken) == 0 {
		fmt.Fprintf(w, "policy for %s: meets every rule; the platform is %s now\n", s.Role, shown(s.Status))
		return
	}
	fmt.Fprintf(w, "policy for %s:\n", s.Role)
	for _, r := range s.Broken {
		fmt.Fprintf(w, "  %s  %-11s %s\n", r.Verdict, r.Rule, shown(r.Detail))
	}
}

// judge holds a node against the policy of each of its roles, as the ledger does
// when something it judged by changes.
func (r registry) judge(n *node.Node) (list []*shownJudgement, err error) {
	platform := &n.Platform
	if platform.Kind == 0 {
		return nil, nil // a founder that has shown nothing yet
	}
	c, err := r.standing(n)
	if err != nil {
		return nil, err
	}
	endorsed, err := r.endorsed(platform)
	if err != nil {
		return nil, err
	}
	for _, number := range n.Roles.Numbers() {
		p, err := r.policy(policy.Role(number))
		if err != nil {
			return nil, err
		}
		j := &shownJudgement{Role: p.Role.String(), Status: "not judged by its maker", Broken: []shownRule{}}
		if c.Status != 0 {
			j.Status = c.Status.String()
		}
		if endorsed != nil {
			j.Broken = append(j.Broken, brokenRule("root", endorsed))
		}
		for _, f := range policy.Explain(p, *c) {
			if f.Code != wire.OK {
				j.Broken = append(j.Broken, brokenRule(f.Rule, &wire.Fault{Code: f.Code, Detail: f.Detail}))
			}
		}
		list = append(list, j)
	}
	return list, nil
}

// brokenRule shows a rule without the code's own text around it.
func brokenRule(name string, f *wire.Fault) shownRule {
	detail := strings.TrimSuffix(f.Detail, " ("+f.Code.Info().Advice+")")
	detail = strings.TrimPrefix(strings.TrimPrefix(detail, f.Code.String()+": "), name+": ")
	return shownRule{Rule: name, Verdict: ruleBroken, Code: f.Code, Detail: detail}
}

// standing is the case of a registered node, under the collateral and approved
// code in force.
func (r registry) standing(n *node.Node) (*policy.Case, error) {
	p := &n.Platform
	c := &policy.Case{Occasion: policy.Standing, TimeMs: r.timeMs, Since: n.GraceMs, Result: &evidence.Result{
		Measurement: evidence.Measurement{Kind: evidence.Kind(p.Kind), Code: p.Code, SVN: p.SVN, Device: p.Device},
		Product:     p.Product, VMPL: p.VMPL, Anchor: p.Anchor, Level: p.Level,
	}}
	ids, err := r.list(trust.DigestKey(trust.Image, trust.SHA256, p.Code[:]))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		m, err := r.measurement(id)
		if err != nil {
			return nil, err
		}
		if m != nil && m.ValidAt(r.height) {
			c.Code = policy.Code{Approved: true, Deprecated: m.DeprecatedAt(r.height), MinSVN: m.MinSVN}
		}
	}
	src := &ledgerSource{registry: r}
	status, advisories, err := verify.Assess(evidence.Kind(p.Kind), p.Level, src, int64(r.timeMs/1000))
	switch {
	case src.err != nil:
		return nil, src.err
	case err == nil: // else collateral allows no judgement, which is held against nobody
		c.Status, c.Advisories = status, advisories
	}
	return c, nil
}

// endorsed says why a platform's root endorses it no more; nil if it does.
func (r registry) endorsed(p *node.Platform) (*wire.Fault, error) {
	list, err := r.roots()
	if err != nil {
		return nil, err
	}
	for _, root := range list {
		if a := root.Anchor(); a.ID() == p.Anchor && root.Mode == trust.SuspendAll {
			return &wire.Fault{Code: wire.ErrEvidenceRevoked, Detail: fmt.Sprintf("root %s is revoked with all that is under it", root.ID())}, nil
		}
	}
	return nil, nil
}
