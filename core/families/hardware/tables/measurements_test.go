package tables_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
)

// image is version n of what members run.
func image(n int, activation uint64) trust.Measurement {
	return trust.Measurement{
		Component: trust.Image, Version: fmt.Sprintf("1.%d", n), Alg: trust.SHA256,
		Digest: bytes.Repeat([]byte{byte(n)}, 32), Register: "CODEID", Activation: activation,
	}
}

func approve(m trust.Measurement) *trust.MeasurementApprove {
	return &trust.MeasurementApprove{Measurement: m}
}

// approved asks for the measurement of a digest at a height.
func (l *lab) approved(n int, height uint64) (m trust.Measurement, ok bool) {
	l.Helper()
	l.must(func(st ledger.State, _, _ uint64) (err error) {
		m, ok, err = tables.Approved(st, trust.Image, bytes.Repeat([]byte{byte(n)}, 32), height)
		return err
	})
	return m, ok
}

func TestApprovalLeavesTimeToLook(t *testing.T) {
	l := newLab(t, trust.Genesis{})
	decided := l.height()
	late := approve(image(1, decided+tables.ActivationBlocks-1))
	if err := l.apply(late); wire.CodeOf(err) != wire.ErrActivationTooSoon {
		t.Errorf("63 blocks ahead: %v", err)
	}
	late.Emergency = true
	if err := l.decide(late, false); wire.CodeOf(err) != wire.ErrActivationTooSoon {
		t.Errorf("an emergency that not everybody sees: %v", err)
	}
	if err := l.decide(&trust.MeasurementApprove{Measurement: late.Measurement}, true); wire.CodeOf(err) != wire.ErrActivationTooSoon {
		t.Errorf("unanimous, and no emergency: %v", err)
	}
	past := &trust.MeasurementApprove{Measurement: image(1, l.height()-1), Emergency: true}
	if err := l.decide(past, true); wire.CodeOf(err) != wire.ErrActivationTooSoon {
		t.Errorf("in the past: %v", err)
	}
	now := &trust.MeasurementApprove{Measurement: image(1, l.height()), Emergency: true}
	if err := l.decide(now, true); err != nil {
		t.Errorf("an emergency: %v", err)
	}
	if err := l.apply(approve(image(2, l.height()+tables.ActivationBlocks))); err != nil {
		t.Errorf("64 blocks ahead: %v", err)
	}
	if err := l.apply(approve(image(2, l.height()+tables.ActivationBlocks+9))); wire.CodeOf(err) != wire.ErrMeasurementExists {
		t.Errorf("again: %v", err)
	}
}

func TestApprovedFollowsTheHeights(t *testing.T) {
	l := newLab(t, trust.Genesis{Measurements: images(1, 2)})
	id := idOf(image(1, 0))
	from := l.height() + 10
	l.takes("deprecate", &trust.MeasurementDeprecate{ID: id, Height: from, Reason: "superseded"})
	l.takes("revoke", &trust.MeasurementRevoke{ID: id, Height: from + 10, Reason: "leaks"})
	for h, want := range map[uint64][2]bool{0: {true, false}, from - 1: {true, false}, from: {true, true}, from + 9: {true, true}, from + 10: {false, false}} {
		m, ok := l.approved(1, h)
		if ok != want[0] || ok && m.DeprecatedAt(h) != want[1] {
			t.Errorf("height %d: %t, %+v", h, ok, m)
		}
	}
	if _, ok := l.approved(3, from); ok {
		t.Error("a digest nobody approved")
	}
	l.must(func(st ledger.State, _, _ uint64) error {
		for _, digest := range [][]byte{nil, make([]byte, 31), make([]byte, 48), make([]byte, 1000)} {
			if _, ok, err := tables.Approved(st, trust.Image, digest, from); ok || err != nil {
				t.Errorf("a digest of %d bytes: %t, %v", len(digest), ok, err)
			}
		}
		if _, ok, err := tables.Approved(st, trust.Kernel, bytes.Repeat([]byte{1}, 32), from); ok || err != nil {
			t.Errorf("another component: %t, %v", ok, err)
		}
		list, err := tables.Measurements(st, trust.Image)
		if len(list) != 2 || list[0].Reason == "" && list[1].Reason == "" {
			t.Errorf("%+v", list)
		}
		return err
	})
	if due := l.due(from + 10); len(due) != 1 || due[0].Kind != trust.KindMeasurementRevoke || due[0].Target != id {
		t.Errorf("%+v", due)
	}
}

// images are genesis versions 1 to n, active from the start.
func images(numbers ...int) (list []trust.GenesisMeasurement) {
	for _, n := range numbers {
		m := image(n, 0)
		list = append(list, trust.NewGenesisMeasurement(&m))
	}
	return list
}

func idOf(m trust.Measurement) wire.Hash { return m.ID() }

func TestWithdrawalOnlyGoesFurther(t *testing.T) {
	l := newLab(t, trust.Genesis{Measurements: images(1, 2)})
	id := idOf(image(1, 0))
	revoke := func(h uint64) *trust.MeasurementRevoke { return &trust.MeasurementRevoke{ID: id, Height: h} }
	deprecate := func(h uint64) *trust.MeasurementDeprecate {
		return &trust.MeasurementDeprecate{ID: id, Height: h}
	}
	l.refuses("unknown", &trust.MeasurementRevoke{ID: wire.Hash{1}, Height: 100}, wire.ErrMeasurementUnknown)
	l.refuses("unknown", &trust.MeasurementDeprecate{ID: wire.Hash{1}, Height: 100}, wire.ErrMeasurementUnknown)
	for range 5 {
		l.revision()
	}
	l.refuses("in the past", revoke(3), wire.ErrActivationTooSoon)
	l.refuses("in the past", deprecate(3), wire.ErrActivationTooSoon)
	l.takes("deprecate", deprecate(500))
	l.refuses("deprecate later", deprecate(501), wire.ErrMeasurementRevoked)
	l.takes("deprecate earlier", deprecate(400))
	l.takes("revoke", revoke(450))
	l.refuses("revoke later", revoke(451), wire.ErrMeasurementRevoked)
	l.refuses("revoke at the same height", revoke(450), wire.ErrMeasurementRevoked)
	l.refuses("deprecate what is revoked by then", deprecate(450), wire.ErrMeasurementRevoked)
	l.takes("revoke earlier", revoke(350))
	l.takes("deprecate before that", deprecate(340))
	if len(l.due(450)) != 1 || len(l.due(350)) != 1 {
		t.Error("a revocation is told at each height it was decided for")
	}
}

func TestAMandatoryComponentKeepsAVersion(t *testing.T) {
	l := newLab(t, trust.Genesis{Measurements: images(1)})
	one := idOf(image(1, 0))
	l.refuses("the only version", &trust.MeasurementRevoke{ID: one, Height: 100}, wire.ErrLastMeasurement)
	l.refuses("newcomers' only version", &trust.MeasurementDeprecate{ID: one, Height: 100}, wire.ErrLastMeasurement)
	next := image(2, l.height()+100)
	l.takes("the next version", approve(next))
	l.refuses("before the next is active", &trust.MeasurementRevoke{ID: one, Height: next.Activation - 1}, wire.ErrLastMeasurement)
	l.takes("newcomers go over", &trust.MeasurementDeprecate{ID: one, Height: next.Activation})
	l.refuses("newcomers would have none", &trust.MeasurementDeprecate{ID: idOf(next), Height: next.Activation + 5}, wire.ErrLastMeasurement)
	l.takes("all go over", &trust.MeasurementRevoke{ID: one, Height: next.Activation})
	l.refuses("the last one", &trust.MeasurementRevoke{ID: idOf(next), Height: next.Activation + 5}, wire.ErrLastMeasurement)
	l.takes("by force", &trust.MeasurementRevoke{ID: idOf(next), Height: next.Activation + 5, Force: true})

	kernel := trust.Measurement{Component: trust.Kernel, Version: "6.1", Alg: trust.SHA256, Digest: make([]byte, 32), PCRs: []uint8{4}, Activation: l.height() + 100}
	l.takes("what is not mandatory", approve(kernel))
	l.takes("may go", &trust.MeasurementRevoke{ID: kernel.ID(), Height: kernel.Activation})
}

func TestOneDigestMayHaveSeveralVersions(t *testing.T) {
	same := func(n int, svn uint32) trust.Measurement {
		m := image(n, 0)
		m.Digest, m.MinSVN = bytes.Repeat([]byte{7}, 32), svn
		return m
	}
	a, b := same(1, 5), same(2, 3)
	l := newLab(t, trust.Genesis{Measurements: []trust.GenesisMeasurement{trust.NewGenesisMeasurement(&a), trust.NewGenesisMeasurement(&b)}})
	if m, ok := l.approved(7, 10); !ok || m.MinSVN != 3 {
		t.Errorf("%t, %+v", ok, m)
	}
	l.takes("deprecate the laxer", &trust.MeasurementDeprecate{ID: b.ID(), Height: 50})
	if m, ok := l.approved(7, 50); !ok || m.MinSVN != 5 {
		t.Errorf("newcomers may run the other: %t, %+v", ok, m)
	}
	l.takes("revoke the other", &trust.MeasurementRevoke{ID: a.ID(), Height: 60})
	if m, ok := l.approved(7, 60); !ok || m.MinSVN != 3 {
		t.Errorf("%t, %+v", ok, m)
	}
	l.must(func(st ledger.State, _, _ uint64) error {
		list, err := tables.WithDigest(st, trust.Image, bytes.Repeat([]byte{7}, 32))
		if len(list) != 2 {
			t.Errorf("%d versions, the revoked one included", len(list))
		}
		if none, err := tables.WithDigest(st, trust.Image, []byte{7}); len(none) != 0 || err != nil {
			t.Errorf("%v, %v", none, err)
		}
		return err
	})
	for n := 3; n <= trust.MaxSameDigest; n++ {
		m := same(n, 0)
		m.Activation = l.height() + 100
		l.takes("another", approve(m))
	}
	m := same(99, 0)
	m.Activation = l.height() + 100
	l.refuses("too many", approve(m), wire.ErrTrustFull)
}

func TestRevocationsAtOneHeightAreBounded(t *testing.T) {
	l := newLab(t, trust.Genesis{Testnet: true})
	r := newAuthority(t, "maker", nil).root()
	l.takes("add", &trust.RootAdd{Root: r})
	err := l.do(func(st ledger.State, height, timeMs uint64) error {
		for i := range trust.MaxDue {
			if err := tables.Apply(st, &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{byte(i), byte(i >> 8)}}}, height, timeMs, false); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		return tables.Apply(st, &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{9, 9, 9}}}, height, timeMs, false)
	})
	if wire.CodeOf(err) != wire.ErrTrustFull {
		t.Errorf("%v", err)
	}
}

// TestTrustInCodeNeverComesBack runs random orders and holds every decision
// against what the tables said before: what was invalid below the deciding block
// stays as it was, and nothing revoked becomes valid again.
func TestTrustInCodeNeverComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(t, trust.Genesis{Measurements: images(1, 2)})
		const horizon = 400
		validity := func() map[int][]bool {
			out := map[int][]bool{}
			l.must(func(st ledger.State, _, _ uint64) error {
				for n := 1; n <= 5; n++ {
					for h := uint64(0); h < horizon; h++ {
						m, ok, err := tables.Approved(st, trust.Image, bytes.Repeat([]byte{byte(n)}, 32), h)
						if err != nil || ok != (ok && m.ValidAt(h)) {
							rt.Fatalf("%+v at %d: %v", m, h, err)
						}
						out[n] = append(out[n], ok)
					}
				}
				return nil
			})
			return out
		}
		before := validity()
		for range rapid.IntRange(1, 8).Draw(rt, "orders") {
			n := rapid.IntRange(1, 5).Draw(rt, "version")
			h := uint64(rapid.IntRange(1, horizon).Draw(rt, "height"))
			force := rapid.Bool().Draw(rt, "force")
			known := slices.Contains(before[n], true)
			// image ids do not depend on their activation
			order := rapid.SampledFrom([]trust.Order{
				approve(image(n, h)),
				&trust.MeasurementDeprecate{ID: idOf(image(n, 0)), Height: h, Force: force},
				&trust.MeasurementRevoke{ID: idOf(image(n, 0)), Height: h, Force: force},
			}).Draw(rt, "order")
			decided := l.height()
			err := l.apply(order)
			after := validity()
			for v := 1; v <= 5; v++ {
				for at := range before[v] {
					was, is := before[v][at], after[v][at]
					switch {
					case err != nil && was != is:
						rt.Fatalf("refused with %v, and version %d changed at %d", err, v, at)
					case uint64(at) < decided && was != is:
						rt.Fatalf("block %d changed version %d at %d", decided, v, at)
					case is && !was && (known || order.Kind() != trust.KindMeasurementApprove || uint64(at) < decided+tables.ActivationBlocks):
						rt.Fatalf("%T made version %d valid at %d", order, v, at)
					}
				}
			}
			before = after
		}
	})
}
