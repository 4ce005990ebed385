package node

import (
	"cloister/core/families/hardware"
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/evidence/verify"
	"cloister/wire"
	"cloister/wire/node"
)

// onLedger is Hardware by the hardware family's tables and registry.
type onLedger struct{}

func (onLedger) Policy(hw ledger.State, role policy.Role) (*policy.Policy, error) {
	return tables.Policy(hw, role)
}

func (onLedger) Verify(hw ledger.State, e *evidence.Evidence, timeMs uint64) (*evidence.Result, error) {
	r, err := tables.Verify(hw, e, timeMs)
	return &r, err
}

func (onLedger) Keys(e *evidence.Evidence) ([]wire.Hash, error) {
	keys, err := verify.Keys(e)
	if err == nil && len(keys) > node.MaxKeys {
		err = wire.Faultf(wire.ErrEvidenceMalformed, "%d certificates, at most %d", len(keys), node.MaxKeys)
	}
	return keys, err
}

func (onLedger) Judge(hw ledger.State, role policy.Role, why policy.Occasion, r *evidence.Result, height, timeMs uint64) error {
	judge := tables.JudgeRenewal
	if why == policy.Joining {
		judge = tables.Judge
	}
	if err := judge(hw, role, r, height, timeMs); err != nil {
		return err
	}
	return trusted(hw, r.Device)
}

// trusted refuses a device that the registry has suspended or revoked. One it
// does not know is judged by its evidence alone. It carries ErrDeviceStatus.
func trusted(hw ledger.State, device wire.Hash) error {
	t, known, err := hardware.TrustOf(hw.Get, device)
	if err == nil && known && t.Status.Barred() {
		err = wire.Faultf(wire.ErrDeviceStatus, "device %s is %s", device, t.Status)
	}
	return err
}

func (onLedger) Rejudge(hw ledger.State, role policy.Role, p *node.Platform, since, height, timeMs uint64) (Grace, error) {
	out, err := tables.Rejudge(hw, role, &tables.Registered{
		Kind: evidence.Kind(p.Kind), Code: p.Code, SVN: p.SVN, Device: p.Device, Product: p.Product,
		VMPL: p.VMPL, Anchor: p.Anchor, Level: p.Level, Since: since, Keys: p.Keys,
	}, height, timeMs)
	if err == nil {
		err = trusted(hw, p.Device)
	}
	return Grace{SinceMs: out.Since, UntilMs: out.Until}, err
}

func (onLedger) Enrol(c *ledger.Call, e *evidence.Evidence, r *evidence.Result, claims *evidence.Claims) error {
	_, err := hardware.Enrol(c, e, r, claims)
	return err
}

// Revision is the sum of two numbers that never fall.
func (onLedger) Revision(hw ledger.State) (uint64, error) {
	revision, err := tables.Revision(hw)
	if err != nil {
		return 0, err
	}
	barrings, err := hardware.Barrings(hw.Get)
	return revision + barrings, err
}

func (onLedger) Due(hw ledger.State, height uint64) (bool, error) {
	due, err := tables.Due(hw, height)
	return len(due) > 0, err
}
