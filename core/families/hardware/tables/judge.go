package tables

import (
	"errors"
	"slices"

	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

// Verify judges evidence by what the ledger trusts, at a block time in
// milliseconds. Besides what verifiers refuse, a certificate with a revoked key
// is ErrEvidenceRevoked. The caller compares Result.ReportData.
func Verify(st ledger.State, e *evidence.Evidence, timeMs uint64) (evidence.Result, error) {
	src := Source(st)
	r, err := verify.Verify(e, src, seconds(timeMs))
	if err := src.Err(); err != nil {
		return evidence.Result{}, err
	}
	if err != nil {
		return r, err
	}
	keys, err := verify.Keys(e)
	if err != nil {
		return r, err
	}
	switch spki, revoked, err := FirstRevoked(st, keys); {
	case err != nil:
		return r, err
	case revoked:
		return r, wire.Faultf(wire.ErrEvidenceRevoked, "the authorities revoked key %s of its certificates", spki)
	}
	return r, nil
}

// Judge decides whether evidence that Verify accepted qualifies a newcomer for a
// role, at a height and block time in milliseconds. Errors: those of
// policy.Judge, and ErrEvidenceExpired for a result of another time.
func Judge(st ledger.State, role policy.Role, r *evidence.Result, height, timeMs uint64) error {
	return judge(st, role, policy.Case{Result: r, Occasion: policy.Joining, TimeMs: timeMs}, height)
}

// JudgeRenewal is Judge for new evidence of a registered node: deprecated code
// may go on.
func JudgeRenewal(st ledger.State, role policy.Role, r *evidence.Result, height, timeMs uint64) error {
	return judge(st, role, policy.Case{Result: r, Occasion: policy.Renewing, TimeMs: timeMs}, height)
}

func judge(st ledger.State, role policy.Role, c policy.Case, height uint64) error {
	if c.NotAfter < seconds(c.TimeMs) {
		return wire.Faultf(wire.ErrEvidenceExpired, "what it relies on was valid until %d, block time is %d", c.NotAfter, seconds(c.TimeMs))
	}
	p, err := Policy(st, role)
	if err != nil {
		return err
	}
	if c.Code, err = CodeAt(st, c.Result.Measurement, height); err != nil {
		return err
	}
	return policy.Judge(p, c)
}

// CodeAt is what the ledger knows at a height about a program that ran.
func CodeAt(st ledger.State, m evidence.Measurement, height uint64) (policy.Code, error) {
	if m.Kind == evidence.TPM { // its parts are approved one by one
		return policy.Code{}, nil
	}
	a, ok, err := Approved(st, trust.Image, m.Code[:], height)
	return policy.Code{Approved: ok, Deprecated: ok && a.DeprecatedAt(height), MinSVN: a.MinSVN}, err
}

// Registered is what a registration keeps of the evidence it rests on, to be
// judged again without it.
type Registered struct {
	_       struct{} `cbor:",toarray"`
	Kind    evidence.Kind
	Code    wire.Hash
	SVN     uint16
	Device  wire.Hash
	Product string
	VMPL    uint8
	Anchor  wire.Hash // evidence.Result.Anchor
	Level   []byte    // evidence.Result.Level
	Since   uint64    // Outcome.Since of the last judgement; 0 at first
	// Keys are those of its certificates (verify.Keys), for CertRevoke to
	// reach it. Without them only its maker's root and collateral can.
	Keys []wire.Hash
}

// Register keeps what Rejudge needs of a result and of the keys that verify.Keys
// lists.
func Register(r *evidence.Result, keys []wire.Hash) Registered {
	return Registered{
		Kind: r.Kind, Code: r.Code, SVN: r.SVN, Device: r.Device, Product: r.Product,
		VMPL: r.VMPL, Anchor: r.Anchor, Level: r.Level, Keys: keys,
	}
}

func (r *Registered) result() *evidence.Result {
	return &evidence.Result{
		Measurement: evidence.Measurement{Kind: r.Kind, Code: r.Code, SVN: r.SVN, Device: r.Device},
		Product:     r.Product, VMPL: r.VMPL, Anchor: r.Anchor, Level: r.Level,
	}
}

// Outcome is what a registration may go on with.
type Outcome struct {
	// Status is the vendor's judgement now; 0 if the collateral in force allows
	// none, then nothing is held against who was accepted.
	Status     evidence.Status
	Advisories []string
	// Since is the block time at which a grace began, to be kept for the next
	// judgement; 0: none runs. Until is its last moment: judge again then.
	Since, Until uint64
	Flagged      bool // to be pointed out wherever the node is shown
}

// Rejudge decides whether a registration still qualifies for its role, after
// Revision rose or a grace ended. An error with a code of wire says why it has
// to be suspended: those of policy.Judge, or ErrEvidenceRevoked if its root is
// revoked with all that is under it, or a key of its certificates is.
func Rejudge(st ledger.State, role policy.Role, reg *Registered, height, timeMs uint64) (Outcome, error) {
	if err := endorsed(st, reg); err != nil {
		return Outcome{}, err
	}
	p, err := Policy(st, role)
	if err != nil {
		return Outcome{}, err
	}
	c := policy.Case{Result: reg.result(), Occasion: policy.Standing, TimeMs: timeMs, Since: reg.Since}
	if c.Status, c.Advisories, err = assess(st, reg, timeMs); err != nil {
		return Outcome{}, err
	}
	if c.Code, err = CodeAt(st, c.Result.Measurement, height); err != nil {
		return Outcome{}, err
	}
	if err := policy.Judge(p, c); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Status: c.Status, Advisories: c.Advisories, Flagged: p.IsFlagged(c.Status)}
	switch {
	case p.Status.Of(c.Status) == policy.Grace && reg.Since == 0:
		out.Since, out.Until = timeMs, p.GraceUntil(&c)
	case p.Status.Of(c.Status) == policy.Grace, c.Status == 0 && reg.Since != 0:
		out.Since, out.Until, out.Flagged = reg.Since, p.GraceUntil(&c), true
	}
	return out, nil
}

// endorsed refuses what the authorities took trust from.
func endorsed(st ledger.State, reg *Registered) error {
	root, ok, err := RootOf(st, reg.Kind.Vendor(), reg.Anchor)
	switch {
	case err != nil:
		return err
	case ok && root.Mode == trust.SuspendAll:
		return wire.Faultf(wire.ErrEvidenceRevoked, "root %s is revoked with all that is under it", root.ID())
	}
	spki, revoked, err := FirstRevoked(st, reg.Keys)
	if err == nil && revoked {
		err = wire.Faultf(wire.ErrEvidenceRevoked, "the authorities revoked key %s of its certificates", spki)
	}
	return err
}

// unusable are the codes that say something about collateral, not about the
// platform.
var unusable = []wire.Code{
	wire.ErrCollateralMissing, wire.ErrCollateralMalformed, wire.ErrCollateralSignature, wire.ErrCollateralNotYet,
	wire.ErrCollateralExpired, wire.ErrCollateralMismatch, wire.ErrUnknownAnchor,
}

// assess is the vendor's judgement now, 0 if collateral allows none.
func assess(st ledger.State, reg *Registered, timeMs uint64) (evidence.Status, []string, error) {
	src := Source(st)
	status, advisories, err := verify.Assess(reg.Kind, reg.Level, src, seconds(timeMs))
	if err := src.Err(); err != nil {
		return 0, nil, err
	}
	var code wire.Code
	switch {
	case err == nil:
		return status, advisories, nil
	case errors.As(err, &code) && slices.Contains(unusable, code):
		return 0, nil, nil
	}
	return 0, nil, err
}
