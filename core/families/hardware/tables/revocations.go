package tables

import (
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
)

// record numbers a revocation and files it under the height at whose end it
// takes effect. It carries ErrTrustFull.
func record(st ledger.State, s *trust.Summary, r trust.Revocation) error {
	r.Number = s.Revocations
	s.Revocations++
	due, _, err := ledger.Load[trust.Numbers](st, trust.DueKey(r.Height))
	if err != nil {
		return err
	}
	if len(due.List) >= trust.MaxDue {
		return wire.Faultf(wire.ErrTrustFull, "%d revocations at height %d", trust.MaxDue, r.Height)
	}
	if err := put(st, trust.DueKey(r.Height), trust.Numbers{List: append(slices.Clone(due.List), r.Number)}); err != nil {
		return err
	}
	return put(st, trust.RevocationKey(r.Number), r)
}

// Due lists the revocations that take effect at the end of the block of a
// height, by ascending number: what the rules of devices have to act on in their
// end of that block. A root's or measurement's may be listed more than once,
// when a later decision went further.
func Due(st ledger.State, height uint64) ([]trust.Revocation, error) {
	due, _, err := ledger.Load[trust.Numbers](st, trust.DueKey(height))
	if err != nil {
		return nil, err
	}
	out := make([]trust.Revocation, 0, len(due.List))
	for _, n := range due.List {
		r, err := revocation(st, n)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Revocations lists the revocations from a number on, at most limit.
func Revocations(st ledger.State, from uint64, limit int) ([]trust.Revocation, error) {
	s, err := summary(st)
	if err != nil {
		return nil, err
	}
	var out []trust.Revocation
	for n := from; n < s.Revocations && len(out) < limit; n++ {
		r, err := revocation(st, n)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func revocation(st ledger.State, number uint64) (trust.Revocation, error) {
	r, ok, err := ledger.Load[trust.Revocation](st, trust.RevocationKey(number))
	if err == nil && !ok {
		err = fmt.Errorf("hardware: revocation %d is counted and not there", number)
	}
	return r, err
}
