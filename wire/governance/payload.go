package governance

import (
	"fmt"

	"cloister/wire"
)

// Kinds of payload, the first byte; the CBOR of the structure of that name
// follows.
const (
	KindPropose  byte = 1
	KindApprove  byte = 2
	KindWithdraw byte = 3
)

// Propose puts an order to a family to the authorities. Its proposer approves it
// by that; if nobody else is needed, it is carried out at once. The payer must
// be an authority.
type Propose struct {
	_         struct{} `cbor:",toarray"`
	Family    string
	Order     []byte // as the family reads it
	ExpiresMs uint64 // block time; 0: as long as proposals may stay open
	Unanimous bool   // to be carried out only when every authority agrees
}

// Approve agrees to a proposal. The approval that suffices carries it out; if
// the family refuses the order, so is the approval.
type Approve struct {
	_  struct{} `cbor:",toarray"`
	ID wire.Hash
}

// Withdraw ends a proposal, if its proposer says so, or takes back another
// authority's approval.
type Withdraw struct {
	_  struct{} `cbor:",toarray"`
	ID wire.Hash
}

// Answer is the output of Propose and Approve.
type Answer struct {
	_        struct{} `cbor:",toarray"`
	ID       wire.Hash
	Executed bool
	Result   []byte // what the family answered, if it was carried out
}

// Bytes is the payload.
func (p *Propose) Bytes() []byte { return payload(KindPropose, p) }

// Bytes is the payload.
func (a *Approve) Bytes() []byte { return payload(KindApprove, a) }

// Bytes is the payload.
func (w *Withdraw) Bytes() []byte { return payload(KindWithdraw, w) }

// Bytes is the output.
func (a *Answer) Bytes() []byte { return wire.Marshal(a) }

// DecodeAnswer reads an output strictly. Errors wrap wire.ErrEncoding.
func DecodeAnswer(b []byte) (*Answer, error) {
	a := new(Answer)
	if err := wire.Unmarshal(b, a, wire.MaxOutput); err != nil {
		return nil, fmt.Errorf("answer of governance: %w", err)
	}
	return a, nil
}

func payload(kind byte, v any) []byte { return append([]byte{kind}, wire.Marshal(v)...) }

// Decode reads a payload strictly, into a *Propose, *Approve or *Withdraw.
// Errors carry ErrMalformed.
func Decode(b []byte) (any, error) {
	if len(b) == 0 || len(b) > wire.MaxPayload {
		return nil, wire.Faultf(wire.ErrMalformed, "governance payload of %d bytes, 1 to %d", len(b), wire.MaxPayload)
	}
	kind, rest := b[0], b[1:]
	switch kind {
	case KindPropose:
		p, err := fill(rest, new(Propose))
		if err != nil {
			return nil, err
		}
		if p.Family == "" || len(p.Family) > wire.MaxFamily || len(p.Order) == 0 || len(p.Order) > MaxOrder {
			return nil, wire.Faultf(wire.ErrMalformed, "family of %d bytes, order of %d, 1 to %d and 1 to %d",
				len(p.Family), len(p.Order), wire.MaxFamily, MaxOrder)
		}
		return p, nil
	case KindApprove:
		return one(fill(rest, new(Approve)))
	case KindWithdraw:
		return one(fill(rest, new(Withdraw)))
	}
	return nil, wire.Faultf(wire.ErrMalformed, "governance payload of unknown kind %d", kind)
}

func fill[T any](b []byte, v *T) (*T, error) {
	if err := wire.Unmarshal(b, v, wire.MaxPayload); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "governance: %v", err)
	}
	return v, nil
}

// one makes sure that a nil pointer never hides in an interface.
func one[T any](v *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Orders to the family itself: the first byte, then the CBOR.
const OrderSetAuthorities byte = 1

// SetAuthorities is an order to this family: who decides from now on, and how.
// Proposals stay open; approvals of those who are no authority any more stop
// counting.
func SetAuthorities(a *Authorities) []byte { return payload(OrderSetAuthorities, a) }

// DecodeOrder reads an order to the family strictly and checks it. Errors carry
// ErrMalformed, ErrAuthorities or ErrProposalLifetime.
func DecodeOrder(b []byte) (*Authorities, error) {
	if len(b) == 0 || b[0] != OrderSetAuthorities {
		return nil, wire.Faultf(wire.ErrMalformed, "an order to governance starts with kind %d (set authorities)", OrderSetAuthorities)
	}
	a, err := fill(b[1:], new(Authorities))
	if err != nil {
		return nil, err
	}
	return a, a.Check()
}
