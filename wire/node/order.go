package node

import "cloister/wire"

// Kinds of order the authorities give the family, the first byte; the CBOR of
// the structure of that name follows.
const (
	OrderAdmit     byte = 1
	OrderRemove    byte = 2
	OrderRevoke    byte = 3
	OrderSetParams byte = 4
)

// Admit makes a registered node a member. Role is what it may become: a voter
// starts as a learner and is promoted when it has caught up.
type Admit struct {
	_    struct{} `cbor:",toarray"`
	Node wire.NodeID
	Role wire.Role
}

// Remove takes a member out of the set, in good order.
type Remove struct {
	_    struct{} `cbor:",toarray"`
	Node wire.NodeID
}

// Revoke bars a node at once and for good.
type Revoke struct {
	_      struct{} `cbor:",toarray"`
	Node   wire.NodeID
	Reason string
}

// SetParams sets what the genesis set first.
type SetParams struct {
	_          struct{} `cbor:",toarray"`
	MaxNodes   uint64
	FoundingMs uint64
}

// Bytes is the order.
func (a *Admit) Bytes() []byte { return payload(OrderAdmit, a) }

// Bytes is the order.
func (r *Remove) Bytes() []byte { return payload(OrderRemove, r) }

// Bytes is the order.
func (r *Revoke) Bytes() []byte { return payload(OrderRevoke, r) }

// Bytes is the order.
func (s *SetParams) Bytes() []byte { return payload(OrderSetParams, s) }

// DecodeOrder reads an order strictly, into an *Admit, *Remove, *Revoke or
// *SetParams. Errors carry ErrMalformed.
func DecodeOrder(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, wire.Faultf(wire.ErrMalformed, "an empty order")
	}
	kind, rest := b[0], b[1:]
	switch kind {
	case OrderAdmit:
		return fill(rest, new(Admit))
	case OrderRemove:
		return fill(rest, new(Remove))
	case OrderRevoke:
		return fill(rest, new(Revoke))
	case OrderSetParams:
		return fill(rest, new(SetParams))
	}
	return nil, wire.Faultf(wire.ErrMalformed, "order to nodes of unknown kind %d", kind)
}

func (a *Admit) check() error {
	if a.Role != wire.Voter && a.Role != wire.Learner && a.Role != wire.Audit {
		return wire.Faultf(wire.ErrMalformed, "members are voters (1), learners (2) or audit members (3), not %d", a.Role)
	}
	return nil
}

func (r *Remove) check() error { return nil }

func (r *Revoke) check() error {
	if r.Reason == "" || !text(r.Reason, MaxReason) {
		return wire.Faultf(wire.ErrMalformed, "a reason has 1 to %d printable bytes", MaxReason)
	}
	return nil
}

func (s *SetParams) check() error {
	if s.MaxNodes == 0 || s.MaxNodes > MaxNodes || s.FoundingMs > MaxFoundingMs {
		return wire.Faultf(wire.ErrMalformed, "max_nodes must be 1 to %d, founding_ms at most %d", MaxNodes, uint64(MaxFoundingMs))
	}
	return nil
}
