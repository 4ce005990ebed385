package appraise

import (
	"errors"
	"slices"

	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/hardware"
)

// MaxClaims bounds encoded claims.
const MaxClaims = 1 << 10

// DecodeClaims reads what a core bound into its evidence. Errors carry ErrMalformed.
func DecodeClaims(b []byte) (*evidence.Claims, error) {
	c := new(evidence.Claims)
	if err := wire.Unmarshal(b, c, MaxClaims); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "claims: %v", err)
	}
	return c, nil
}

// Answers checks that claims answer the nonce of a task with a device's keys.
// Errors carry ErrNonce.
func Answers(c *evidence.Claims, chain, nonce wire.Hash, node, vrf wire.PublicKey) error {
	switch {
	case c.Purpose != evidence.Challenge || c.ChainID != chain || c.Challenge != nonce:
		return wire.Faultf(wire.ErrNonce, "the claims are not about this chain, task and attempt")
	case c.Identity != node || wire.PublicKey(c.VRF) != vrf:
		return wire.Faultf(wire.ErrNonce, "the claims name other keys than the registered ones")
	}
	return nil
}

// judgeCPU is verification, then policy for a node without secrets.
func judgeCPU(in *Input) (ids []wire.Hash, reasons []uint16) {
	res, err := verify.Verify(CPUEvidence(&in.Evidence), in.Source, seconds(in.TimeMs))
	if err != nil {
		return nil, []uint16{vendorReason(err)}
	}
	if res.Device != in.Device {
		return nil, []uint16{Signature}
	}
	claims, err := DecodeClaims(in.Evidence.Claims)
	if err != nil || claims.ReportData() != res.ReportData || Answers(claims, in.Chain, in.Nonce, in.NodeKey, in.VRFKey) != nil {
		reasons = append(reasons, Nonce)
	}
	if len(in.RevokedKeys) > 0 {
		reasons = append(reasons, Collateral)
	}
	best, revoked := approved(in, trust.Image, res.Code[:])
	c := policy.Case{Result: &res, Occasion: policy.Renewing, TimeMs: in.TimeMs}
	if best != nil {
		c.Code = policy.Code{Approved: true, Deprecated: best.DeprecatedAt(in.Height), MinSVN: best.MinSVN}
		ids = append(ids, best.ID())
	}
	if err := policy.Judge(in.Policy, c); err != nil {
		reasons = append(reasons, policyReason(err, revoked))
	}
	return ids, reasons
}

// vendorReason: what is not signed as it has to be, or what its vendor does not
// stand by any more.
func vendorReason(err error) uint16 {
	for _, code := range []wire.Code{
		wire.ErrEvidenceMalformed, wire.ErrEvidenceUnsupported, wire.ErrEvidenceChain, wire.ErrEvidenceSignature, wire.ErrEvidenceBinding,
	} {
		if errors.Is(err, code) {
			return Signature
		}
	}
	return Collateral
}

func policyReason(err error, revoked bool) uint16 {
	switch {
	case !errors.Is(err, wire.ErrEvidenceCode):
		return Collateral
	case revoked:
		return Revoked
	}
	return NotApproved
}

// Inline are the logs of evidence that carries them; ok is false if one is
// elsewhere.
func Inline(e *hardware.Evidence) (boot, app []byte, ok bool) {
	whole := func(l *hardware.Log) bool { return int(l.Size) == len(l.Inline) }
	return slices.Clone(e.Boot.Inline), slices.Clone(e.App.Inline), whole(&e.Boot) && whole(&e.App)
}
