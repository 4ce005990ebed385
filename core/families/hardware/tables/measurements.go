package tables

import (
	"fmt"
	"slices"

	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
)

// ActivationBlocks is how far ahead code is approved: time for everybody to
// look at it (hardware registry specification §4).
const ActivationBlocks = 64

// Measurement finds a measurement by id; ok is false if there is none.
func Measurement(st ledger.State, id wire.Hash) (m trust.Measurement, ok bool, err error) {
	return ledger.Load[trust.Measurement](st, trust.MeasurementKey(id))
}

// Measurements lists the measurements of a component by ascending id, whatever
// their state.
func Measurements(st ledger.State, c trust.Component) ([]trust.Measurement, error) {
	return measurements(st, trust.MeasurementsKey(c))
}

// WithDigest lists the measurements of a component that have a digest, by
// ascending id and whatever their state: at most trust.MaxSameDigest.
func WithDigest(st ledger.State, c trust.Component, digest []byte) ([]trust.Measurement, error) {
	alg, known := algOf(digest)
	if !known {
		return nil, nil
	}
	return measurements(st, trust.DigestKey(c, alg, digest))
}

// Approved finds the measurement by which a digest of a component is approved at
// a height; ok is false if there is none. Of several versions with one digest it
// is one that newcomers may run, if there is any, then the one that accepts the
// lowest SVN, then the one with the lowest id.
func Approved(st ledger.State, c trust.Component, digest []byte, height uint64) (best trust.Measurement, ok bool, err error) {
	list, err := WithDigest(st, c, digest)
	for i := range list {
		if m := &list[i]; m.ValidAt(height) && (!ok || better(m, &best, height)) {
			best, ok = *m, true
		}
	}
	return best, ok, err
}

func better(a, b *trust.Measurement, height uint64) bool {
	if x, y := a.DeprecatedAt(height), b.DeprecatedAt(height); x != y {
		return y
	}
	return a.MinSVN < b.MinSVN
}

func algOf(digest []byte) (uint8, bool) {
	switch len(digest) {
	case 32:
		return trust.SHA256, true
	case 48:
		return trust.SHA384, true
	}
	return 0, false
}

func measurements(st ledger.State, key []byte) ([]trust.Measurement, error) {
	list, err := ids(st, key)
	if err != nil {
		return nil, err
	}
	out := make([]trust.Measurement, 0, len(list))
	for _, id := range list {
		m, ok, err := Measurement(st, id)
		if err == nil && !ok {
			err = fmt.Errorf("hardware: measurement %s is listed and not there", id)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// approve takes an order to approve, decided at a height.
func approve(st ledger.State, o *trust.MeasurementApprove, height uint64, unanimous bool) error {
	earliest := height + ActivationBlocks
	if o.Emergency && unanimous {
		earliest = height
	}
	if o.Measurement.Activation < earliest {
		return wire.Faultf(wire.ErrActivationTooSoon, "activation at height %d, height %d is the earliest", o.Measurement.Activation, earliest)
	}
	return addMeasurement(st, o.Measurement)
}

func addMeasurement(st ledger.State, m trust.Measurement) error {
	id := m.ID()
	switch _, known, err := Measurement(st, id); {
	case err != nil:
		return err
	case known:
		return wire.Faultf(wire.ErrMeasurementExists, "%s: %s %s", id, m.Component, m.Version)
	}
	if err := addID(st, trust.MeasurementsKey(m.Component), id, trust.MaxMeasurements, "versions of "+m.Component.String()); err != nil {
		return err
	}
	if err := addID(st, trust.DigestKey(m.Component, m.Alg, m.Digest), id, trust.MaxSameDigest, "versions with one digest"); err != nil {
		return err
	}
	return put(st, trust.MeasurementKey(id), m)
}

func deprecate(st ledger.State, s *trust.Summary, o *trust.MeasurementDeprecate, height uint64) error {
	m, err := withdrawn(st, o.ID, o.Height, height)
	if err != nil {
		return err
	}
	if m.DeprecatedAt(o.Height) {
		return wire.Faultf(wire.ErrMeasurementRevoked, "%s is deprecated from height %d", o.ID, m.Deprecated)
	}
	if !o.Force {
		if err := another(st, s, &m, o.Height, func(n *trust.Measurement) bool { return n.Deprecated == 0 }); err != nil {
			return err
		}
	}
	m.Deprecated, m.Reason = o.Height, o.Reason
	return put(st, trust.MeasurementKey(o.ID), m)
}

func revokeMeasurement(st ledger.State, s *trust.Summary, o *trust.MeasurementRevoke, height uint64) error {
	m, err := withdrawn(st, o.ID, o.Height, height)
	if err != nil {
		return err
	}
	if !o.Force {
		if err := another(st, s, &m, o.Height, func(*trust.Measurement) bool { return true }); err != nil {
			return err
		}
	}
	m.Revoked, m.Reason = o.Height, o.Reason
	if err := put(st, trust.MeasurementKey(o.ID), m); err != nil {
		return err
	}
	return record(st, s, trust.Revocation{Kind: o.Kind(), Target: o.ID, Height: o.Height})
}

// withdrawn finds a measurement that is to be deprecated or revoked from a
// height on, now being another: not below now, and not later than it is revoked.
func withdrawn(st ledger.State, id wire.Hash, from, now uint64) (trust.Measurement, error) {
	m, ok, err := Measurement(st, id)
	switch {
	case err != nil:
		return m, err
	case !ok:
		return m, wire.Faultf(wire.ErrMeasurementUnknown, "%s", id)
	case from < now:
		return m, wire.Faultf(wire.ErrActivationTooSoon, "height %d is past, the block has %d", from, now)
	case m.Revoked != 0 && from >= m.Revoked:
		return m, wire.Faultf(wire.ErrMeasurementRevoked, "%s is revoked from height %d", id, m.Revoked)
	}
	return m, nil
}

// another demands that a mandatory component keeps a version, in force from a
// height on for ever, that fits.
func another(st ledger.State, s *trust.Summary, m *trust.Measurement, from uint64, fits func(*trust.Measurement) bool) error {
	if !slices.Contains(s.Mandatory, m.Component) {
		return nil
	}
	list, err := Measurements(st, m.Component)
	if err != nil {
		return err
	}
	id := m.ID()
	for i := range list {
		if n := &list[i]; n.ID() != id && n.Revoked == 0 && n.Activation <= from && fits(n) {
			return nil
		}
	}
	return wire.Faultf(wire.ErrLastMeasurement, "%s %s", m.Component, m.Version)
}
