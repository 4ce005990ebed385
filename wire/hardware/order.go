package hardware

import (
	"cloister/wire"
)

// Kinds of orders of the authorities that are about devices; 1 to 63 are those
// about what is trusted (evidence/trust). All travel in one envelope.
const (
	KindDeviceRevoke uint8 = 64 // DeviceRevoke
	KindParamsSet    uint8 = 65 // ParamsSet
	KindTreasuryPay  uint8 = 66 // TreasuryPay
)

// MaxOrder bounds an order's encoding.
const MaxOrder = 16 << 10

// DeviceRevoke ends a device for ever.
type DeviceRevoke struct {
	_      struct{} `cbor:",toarray"`
	Device wire.Hash
	Reason string // at most 128 bytes
}

// ParamsSet replaces the parameters with the next epoch. Params is the encoding
// of the rules' own structure.
type ParamsSet struct {
	_      struct{} `cbor:",toarray"`
	Params []byte
}

// TreasuryPay moves gas of the treasury to an account.
type TreasuryPay struct {
	_      struct{} `cbor:",toarray"`
	To     wire.Account
	Amount uint64
}

type envelope struct {
	_    struct{} `cbor:",toarray"`
	Kind uint8
	Body []byte
}

// Order is one of the structures above, by pointer.
type Order interface{ kind() uint8 }

func (*DeviceRevoke) kind() uint8 { return KindDeviceRevoke }
func (*ParamsSet) kind() uint8    { return KindParamsSet }
func (*TreasuryPay) kind() uint8  { return KindTreasuryPay }

// EncodeOrder is an order's encoding.
func EncodeOrder(o Order) []byte {
	return wire.Marshal(&envelope{Kind: o.kind(), Body: wire.Marshal(o)})
}

// DecodeOrder reads an order about devices strictly. Errors carry ErrMalformed.
func DecodeOrder(b []byte) (Order, error) {
	var e envelope
	if err := wire.Unmarshal(b, &e, MaxOrder); err != nil {
		return nil, malformed("order: %v", err)
	}
	blank := map[uint8]Order{KindDeviceRevoke: new(DeviceRevoke), KindParamsSet: new(ParamsSet), KindTreasuryPay: new(TreasuryPay)}
	o := blank[e.Kind]
	if o == nil {
		return nil, malformed("there is no order of kind %d", e.Kind)
	}
	if err := wire.Unmarshal(e.Body, o, MaxOrder); err != nil {
		return nil, malformed("order of kind %d: %v", e.Kind, err)
	}
	if r, ok := o.(*DeviceRevoke); ok && len(r.Reason) > 128 {
		return nil, malformed("a reason of %d bytes", len(r.Reason))
	}
	if p, ok := o.(*TreasuryPay); ok {
		return o, positive(p.Amount)
	}
	return o, nil
}
