package node

import (
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/node"
)

// Family implements ledger.Family, ledger.Ender, ledger.Governed and
// ledger.Membership.
type Family struct {
	Hardware Hardware // nil: the hardware family's tables
}

var (
	_ ledger.Ender      = Family{}
	_ ledger.Governed   = Family{}
	_ ledger.Membership = Family{}
)

// Name implements ledger.Family.
func (Family) Name() string { return node.Name }

// request is a payload whose form was checked.
type request struct {
	op any // as node.Decode returns it
	*shown
}

// shown is what a core shows, read. nil in payloads without.
type shown struct {
	*node.Attestation
	claims   *evidence.Claims
	evidence *evidence.Evidence
}

// evidencePrice is what evidence costs besides its bytes, in entry credits:
// every validator verifies chains of certificates for it.
const evidencePrice = 10

// Price is nothing for members, which have no account of their own to keep
// filled; for all others, and for a revoked member, whose key may be anybody's,
// one entry credit for each KiB begun, and evidencePrice.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	r, err := rosterOf(c.State(node.Name))
	if err != nil {
		return ledger.Price{}, err
	}
	if s := r.Of(wire.NodeIDOf(c.Tx.Payer)); s != nil && s.Barred != wire.ErrNodeRevoked {
		return ledger.Price{}, nil
	}
	credits := uint64(c.Size+1023) / 1024
	if c.Payload.(*request).shown != nil {
		credits += evidencePrice
	}
	return ledger.Price{Credits: credits}, nil
}

// effect is what a transaction does once nothing speaks against it.
type effect func() (output []byte, err error)

// Admit runs every check, evidence included: to find out later is no cheaper.
func (f Family) Admit(c *ledger.Call) error {
	_, err := f.judge(c)
	return err
}

// Execute carries the transaction out. Register answers with the node's id.
func (f Family) Execute(c *ledger.Call) ([]byte, error) {
	do, err := f.judge(c)
	if err != nil {
		return nil, err
	}
	return do()
}

// judge checks everything and changes nothing.
func (f Family) judge(c *ledger.Call) (effect, error) {
	r := c.Payload.(*request)
	switch op := r.op.(type) {
	case *node.Register:
		return f.register(c, op, r.shown)
	case *node.Renew:
		return f.renew(c, r.shown, sameRun)
	case *node.Boot:
		return f.renew(c, r.shown, laterRun)
	case *node.Retire:
		return f.retire(c, op)
	default:
		return promote(c, r.op.(*node.Promote))
	}
}

// Roster implements ledger.Membership.
func (Family) Roster(st ledger.State, _ uint64) (*wire.Roster, error) { return rosterOf(st) }
