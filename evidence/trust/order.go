package trust

import (
	"bytes"

	"cloister/evidence/policy"
	"cloister/wire"
)

// OrderKind tells orders apart. Wire values, never reused. 1 to 63 are this
// package's; the rest of the hardware family has the others.
type OrderKind uint8

// Kinds of orders.
const (
	KindRootAdd              OrderKind = 1
	KindRootRevoke           OrderKind = 2
	KindCertRevoke           OrderKind = 3
	KindMeasurementApprove   OrderKind = 4
	KindMeasurementDeprecate OrderKind = 5
	KindMeasurementRevoke    OrderKind = 6
	KindPolicySet            OrderKind = 7

	LastKind OrderKind = 63
)

// Bounds of orders.
const (
	MaxOrder = 16 << 10
	MaxSPKIs = 256
)

// Order is something the authorities decided. Bytes gives what Decode reads.
type Order interface {
	Kind() OrderKind
	Bytes() []byte
	check() error
}

// RootAdd adds a root; heights and revocation are zero.
type RootAdd struct {
	_    struct{} `cbor:",toarray"`
	Root Root
}

// RootRevoke takes trust from a root. A mode may be followed by a higher one,
// never by a lower.
type RootRevoke struct {
	_    struct{} `cbor:",toarray"`
	Root wire.Hash
	Mode Mode
}

// CertRevoke takes trust from keys below a root, leaves or intermediates, by
// the SHA-256 of their SubjectPublicKeyInfo; ascending.
type CertRevoke struct {
	_     struct{} `cbor:",toarray"`
	Root  wire.Hash
	SPKIs []wire.Hash
}

// MeasurementApprove approves a version of a component from its Activation on.
// An emergency may be active at once, if every authority agrees.
type MeasurementApprove struct {
	_           struct{} `cbor:",toarray"`
	Measurement Measurement
	Emergency   bool
}

// MeasurementDeprecate keeps newcomers from a version from a height on.
type MeasurementDeprecate struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.Hash
	Height uint64
	Reason string
	Force  bool // even if newcomers then have no version to run
}

// MeasurementRevoke forbids a version from a height on.
type MeasurementRevoke struct {
	_      struct{} `cbor:",toarray"`
	ID     wire.Hash
	Height uint64
	Reason string
	Force  bool // even if nobody then has a version to run
}

// PolicySet replaces the policy of its role.
type PolicySet struct {
	_      struct{} `cbor:",toarray"`
	Policy policy.Policy
}

// Kind implements Order.
func (*RootAdd) Kind() OrderKind { return KindRootAdd }

// Kind implements Order.
func (*RootRevoke) Kind() OrderKind { return KindRootRevoke }

// Kind implements Order.
func (*CertRevoke) Kind() OrderKind { return KindCertRevoke }

// Kind implements Order.
func (*MeasurementApprove) Kind() OrderKind { return KindMeasurementApprove }

// Kind implements Order.
func (*MeasurementDeprecate) Kind() OrderKind { return KindMeasurementDeprecate }

// Kind implements Order.
func (*MeasurementRevoke) Kind() OrderKind { return KindMeasurementRevoke }

// Kind implements Order.
func (*PolicySet) Kind() OrderKind { return KindPolicySet }

// Bytes implements Order.
func (o *RootAdd) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *RootRevoke) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *CertRevoke) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *MeasurementApprove) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *MeasurementDeprecate) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *MeasurementRevoke) Bytes() []byte { return envelop(o) }

// Bytes implements Order.
func (o *PolicySet) Bytes() []byte { return envelop(o) }

func (o *RootAdd) check() error { return o.Root.check() }

func (o *RootRevoke) check() error {
	if o.Mode != NoNewcomers && o.Mode != SuspendAll {
		return malformed("a root is revoked in mode 1 or 2, not %d", uint8(o.Mode))
	}
	return nil
}

func (o *CertRevoke) check() error {
	n := len(o.SPKIs)
	ordered := true
	for i := 1; i < n; i++ {
		ordered = ordered && bytes.Compare(o.SPKIs[i-1][:], o.SPKIs[i][:]) < 0
	}
	if n == 0 || n > MaxSPKIs || !ordered {
		return malformed("1 to %d keys are revoked at once, ascending; got %d", MaxSPKIs, n)
	}
	return nil
}

func (o *MeasurementApprove) check() error { return o.Measurement.check() }

func (o *MeasurementDeprecate) check() error { return checkReason(o.Height, o.Reason) }
func (o *MeasurementRevoke) check() error    { return checkReason(o.Height, o.Reason) }

func (o *PolicySet) check() error { return o.Policy.Check() }

func checkReason(height uint64, reason string) error {
	if height == 0 || !readable(reason, MaxReason) {
		return malformed("a height above 0 is needed, and a reason of at most %d printable bytes", MaxReason)
	}
	return nil
}

// envelope is how an order travels.
type envelope struct {
	_    struct{} `cbor:",toarray"`
	Kind OrderKind
	Body []byte // encoding of the order
}

func envelop(o Order) []byte {
	return wire.Marshal(&envelope{Kind: o.Kind(), Body: wire.Marshal(o)})
}

// orders has one line per kind.
var orders = map[OrderKind]func() Order{
	KindRootAdd:              func() Order { return new(RootAdd) },
	KindRootRevoke:           func() Order { return new(RootRevoke) },
	KindCertRevoke:           func() Order { return new(CertRevoke) },
	KindMeasurementApprove:   func() Order { return new(MeasurementApprove) },
	KindMeasurementDeprecate: func() Order { return new(MeasurementDeprecate) },
	KindMeasurementRevoke:    func() Order { return new(MeasurementRevoke) },
	KindPolicySet:            func() Order { return new(PolicySet) },
}

// KindOf says which order bytes hold, without judging the order itself. Errors
// carry wire.ErrMalformed.
func KindOf(b []byte) (OrderKind, error) {
	e, err := open(b)
	return e.Kind, err
}

// Decode reads an order strictly and checks its form. Errors carry
// wire.ErrMalformed or wire.ErrResettablePCR.
func Decode(b []byte) (Order, error) {
	e, err := open(b)
	if err != nil {
		return nil, err
	}
	empty, known := orders[e.Kind]
	if !known {
		return nil, malformed("there is no order of kind %d", uint8(e.Kind))
	}
	o := empty()
	if err := wire.Unmarshal(e.Body, o, MaxOrder); err != nil {
		return nil, malformed("order of kind %d: %v", uint8(e.Kind), err)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, nil
}

func open(b []byte) (e envelope, err error) {
	if err := wire.Unmarshal(b, &e, MaxOrder); err != nil {
		return envelope{}, malformed("order: %v", err)
	}
	return e, nil
}
