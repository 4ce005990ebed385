package node

import (
	"math"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire"
	"cloister/wire/node"
)

// finding is evidence that was accepted.
type finding struct {
	result    *evidence.Result
	keys      []wire.Hash // of its certificates
	expiresMs uint64
}

// attest judges evidence for a set of roles: cheap questions first.
func (f Family) attest(c *ledger.Call, s *shown, roles node.Roles, why policy.Occasion) (*finding, error) {
	namedMs, err := named(c, s.claims)
	if err != nil {
		return nil, err
	}
	hw, found := c.State(hardwareFamily), &finding{expiresMs: math.MaxUint64}
	for _, n := range roles.Numbers() {
		p, err := f.hardware().Policy(hw, policy.Role(n))
		if err != nil {
			return nil, err
		}
		if err := p.Fresh(s.claims.Height, namedMs, c.Height, c.TimeMs); err != nil {
			return nil, err
		}
		found.expiresMs = min(found.expiresMs, p.Lasts(c.TimeMs))
	}
	if found.result, err = f.hardware().Verify(hw, s.evidence, c.TimeMs); err != nil {
		return nil, err
	}
	if found.result.ReportData != s.claims.ReportData() {
		return nil, wire.Faultf(wire.ErrEvidenceReportData, "the evidence does not carry the hash of these claims")
	}
	if found.keys, err = f.hardware().Keys(s.evidence); err != nil {
		return nil, err
	}
	for _, n := range roles.Numbers() {
		if err := f.hardware().Judge(hw, policy.Role(n), why, found.result, c.Height, c.TimeMs); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// enrol makes a node's hardware a device of the registry as well, so that one
// act of its operator is enough. Where the registry has no room for it now the
// node goes on without, and tries again with its next evidence; only what speaks
// against the device itself speaks against the node.
func (f Family) enrol(c *ledger.Call, s *shown, found *finding) error {
	err := f.hardware().Enrol(c, s.evidence, found.result, s.claims)
	switch wire.CodeOf(err) {
	case wire.ErrInternal, wire.ErrDeviceStatus, wire.ErrCooldown, wire.ErrChainInvalid, wire.ErrCertRevoked:
		return err
	}
	return nil
}

// named checks that claims name a block of this chain that is remembered, and
// returns a time it was not before.
func named(c *ledger.Call, claims *evidence.Claims) (timeMs uint64, err error) {
	hash, ok, err := c.BlockHash(claims.Height)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, wire.Faultf(wire.ErrEvidenceStale, "block %d is not one of the newest below %d", claims.Height, c.Height)
	case hash != claims.BlockHash:
		return 0, wire.Faultf(wire.ErrEvidenceStale, "block %d has hash %s, the claims name %s", claims.Height, hash, claims.BlockHash)
	}
	return timeOf(c.State(node.Name), claims.Height, c.TimeMs)
}

// settle writes what evidence showed and which run it was of into a node.
func settle(c *ledger.Call, n *node.Node, s *shown, found *finding) {
	r := found.result
	n.Platform = node.Platform{
		Kind: uint8(r.Kind), Code: r.Measurement.Code, Signer: r.Signer, ProdID: r.ProdID, SVN: r.SVN, CodeVersion: s.claims.CodeVersion,
		Device: r.Device, Status: uint8(r.Status), Anchor: r.Anchor, Product: r.Product, Level: r.Level, TCBNumber: r.TCBNumber,
		VMPL: r.VMPL, Simulated: r.Simulated, Evidence: r.Signed, Keys: found.keys,
	}
	n.Boots, n.BootID, n.Endpoint = s.Boots, s.claims.BootID, s.Endpoint
	n.Attested, n.AttestedMs, n.ExpiresMs = s.claims.Height, c.TimeMs, found.expiresMs
	n.Suspended, n.GraceMs = wire.OK, 0
}
