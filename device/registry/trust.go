package registry

import (
	"bytes"
	"fmt"
	"slices"

	"cloister/evidence"
	"cloister/evidence/appraise"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
)

// Mandatory lists the components that evidence of a machine must show.
func (v *View) Mandatory() ([]trust.Component, error) {
	s, err := must[trust.Summary](v, "summary of what is trusted", trust.SummaryKey)
	if err != nil {
		return nil, err
	}
	return s.Mandatory, nil
}

// Policy is the policy for a role.
func (v *View) Policy(role policy.Role) (*policy.Policy, error) {
	return must[policy.Policy](v, "policy", trust.PolicyKey(role))
}

// WithDigest lists the measurements with a digest, whatever their state.
func (v *View) WithDigest(w appraise.Wanted) (out []trust.Measurement, err error) {
	ids, err := load[trust.IDs](v, "measurements", trust.DigestKey(w.Component, trust.SHA256, w.Digest))
	if err != nil || ids == nil {
		return nil, err
	}
	for _, id := range ids.List {
		m, err := load[trust.Measurement](v, "measurement", trust.MeasurementKey(id))
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, *m)
		}
	}
	return out, nil
}

// FirstRevoked finds a key among those given that the authorities revoked.
func (v *View) FirstRevoked(keys []wire.Hash) (key wire.Hash, ok bool, err error) {
	for _, k := range keys {
		b, err := v.Read(trust.RevokedKey(k))
		if err != nil {
			return k, false, fmt.Errorf("registry: revoked keys: %w", err)
		}
		if b != nil {
			return k, true, nil
		}
	}
	return wire.Hash{}, false, nil
}

// Source is what a view trusts, as verifiers read it.
type Source struct {
	v   *View
	err error
}

var _ evidence.Source = (*Source)(nil)

// Source reads roots and collateral for verifiers. They cannot tell a missing
// item from a state that cannot be read: ask Err before believing their answer.
func (v *View) Source() *Source { return &Source{v: v} }

// Err is the first error met while reading.
func (s *Source) Err() error { return s.err }

// Anchors implements evidence.Source: the roots of a vendor that are not revoked.
func (s *Source) Anchors(vendor evidence.Vendor) (out []evidence.Anchor) {
	ids, err := load[trust.IDs](s.v, "roots", trust.RootsKey(vendor))
	if err != nil || ids == nil {
		s.note(err)
		return nil
	}
	for _, id := range ids.List {
		r, err := load[trust.Root](s.v, "root", trust.RootKey(id))
		s.note(err)
		if r != nil && r.Revoked == 0 {
			out = append(out, r.Anchor())
		}
	}
	slices.SortFunc(out, func(a, b evidence.Anchor) int {
		x, y := a.ID(), b.ID()
		return bytes.Compare(x[:], y[:])
	})
	return out
}

// Item implements evidence.Source: the item in force, unless a key under which
// it is signed is revoked.
func (s *Source) Item(k evidence.Key) (evidence.Item, bool) {
	i, err := load[trust.InForce](s.v, "collateral", trust.ItemKey(k))
	if err != nil || i == nil {
		s.note(err)
		return evidence.Item{}, false
	}
	_, revoked, err := s.v.FirstRevoked(i.Keys)
	s.note(err)
	if err != nil || revoked {
		return evidence.Item{}, false
	}
	return i.Item, true
}

func (s *Source) note(err error) {
	if s.err == nil {
		s.err = err
	}
}
