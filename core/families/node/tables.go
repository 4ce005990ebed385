package node

import (
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/policy"
	"cloister/wire/node"
)

// onLedger is Hardware by the tables of the hardware family.
type onLedger struct{}

func (onLedger) Policy(hw ledger.State, role policy.Role) (*policy.Policy, error) {
	return tables.Policy(hw, role)
}

func (onLedger) Verify(hw ledger.State, e *evidence.Evidence, timeMs uint64) (*evidence.Result, error) {
	r, err := tables.Verify(hw, e, timeMs)
	return &r, err
}

func (onLedger) Judge(hw ledger.State, role policy.Role, why policy.Occasion, r *evidence.Result, height, timeMs uint64) error {
	if why == policy.Joining {
		return tables.Judge(hw, role, r, height, timeMs)
	}
	return tables.JudgeRenewal(hw, role, r, height, timeMs)
}

func (onLedger) Rejudge(hw ledger.State, role policy.Role, p *node.Platform, since, height, timeMs uint64) (Grace, error) {
	out, err := tables.Rejudge(hw, role, &tables.Registered{
		Kind: evidence.Kind(p.Kind), Code: p.Code, SVN: p.SVN, Device: p.Device, Product: p.Product,
		VMPL: p.VMPL, Anchor: p.Anchor, Level: p.Level, Since: since,
	}, height, timeMs)
	return Grace{SinceMs: out.Since, UntilMs: out.Until}, err
}

func (onLedger) Revision(hw ledger.State) (uint64, error) { return tables.Revision(hw) }

func (onLedger) Due(hw ledger.State, height uint64) (bool, error) {
	due, err := tables.Due(hw, height)
	return len(due) > 0, err
}
