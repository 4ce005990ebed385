package tables

import (
	"fmt"

	"cloister/core/ledger"
	"cloister/evidence/policy"
	"cloister/evidence/trust"
	"cloister/wire"
)

// Apply carries out an order the authorities decided on in a block of a height
// and time (milliseconds); unanimous says that all of them agreed. Errors:
// those of hardware registry specification §4, ErrRootRevoked,
// ErrMeasurementRevoked and ErrTrustFull.
func Apply(st ledger.State, order trust.Order, height, timeMs uint64, unanimous bool) error {
	return change(st, func(s *trust.Summary) error {
		switch o := order.(type) {
		case *trust.RootAdd:
			return addRoot(st, s.Testnet, o.Root, height, timeMs)
		case *trust.RootRevoke:
			return revokeRoot(st, s, o, height)
		case *trust.CertRevoke:
			return revokeKeys(st, s, o, height)
		case *trust.MeasurementApprove:
			return approve(st, o, height, unanimous)
		case *trust.MeasurementDeprecate:
			return deprecate(st, s, o, height)
		case *trust.MeasurementRevoke:
			return revokeMeasurement(st, s, o, height)
		case *trust.PolicySet:
			return put(st, trust.PolicyKey(o.Policy.Role), o.Policy)
		}
		return fmt.Errorf("hardware: no rule for an order of kind %d", order.Kind())
	})
}

// Policy is the policy of a role. It carries ErrEvidencePolicy for a role there
// is not.
func Policy(st ledger.State, role policy.Role) (*policy.Policy, error) {
	p, ok, err := ledger.Load[policy.Policy](st, trust.PolicyKey(role))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, wire.Faultf(wire.ErrEvidencePolicy, "there is no policy for %s", role)
	}
	return &p, nil
}
