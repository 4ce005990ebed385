package hardware

import (
	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence/trust"
	"cloister/wire"
	"cloister/wire/hardware"
)

// Family implements ledger.Family, ledger.Dated, ledger.Ender and
// ledger.Governed.
type Family struct{}

var (
	_ ledger.Dated    = Family{}
	_ ledger.Ender    = Family{}
	_ ledger.Governed = Family{}
)

// Name implements ledger.Family.
func (Family) Name() string { return hardware.Name }

// Check implements ledger.Family; the payload is a hardware.Payload.
func (Family) Check(tx *wire.Tx) (any, error) {
	p, err := hardware.Decode(tx.Payload)
	if err != nil {
		return nil, err
	}
	if c, ok := p.(*hardware.Collateral); ok {
		if _, err := trust.DecodeItem(c.Item); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// heavy is what an operation costs besides its bytes, in credits: chains and
// quotes take every validator a thousand times longer than a byte.
func heavy(p hardware.Payload) uint64 {
	switch p.(type) {
	case *hardware.JoinPlatform, *hardware.JoinRequest, *hardware.Rotate, *hardware.Dispute, *hardware.Collateral, *hardware.CloneProof:
		return 10
	case *hardware.EvidenceSubmit, *hardware.Answer:
		return 5
	}
	return 0
}

// Price is one credit per KiB begun, and more for what is heavy to verify. What
// a task demands of its device is free: the task was paid for by whoever opened
// it, and a device whose account is empty must not fail for that.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	free, err := demanded(c)
	if err != nil || free {
		return ledger.Price{}, err
	}
	return ledger.Price{Credits: uint64(c.Size+1023)/1024 + heavy(c.Payload.(hardware.Payload))}, nil
}

// demanded reports whether the transaction is the evidence that an open task
// waits for now, from the device's owner or node.
func demanded(c *ledger.Call) (bool, error) {
	var id wire.Hash
	var attempt uint32
	var phase hardware.Phase
	switch p := c.Payload.(type) {
	case *hardware.EvidenceSubmit:
		id, attempt, phase = p.Task, p.Attempt, hardware.PhaseEvidence
	case *hardware.Answer:
		id, attempt, phase = p.Task, p.Attempt, hardware.PhaseAnswer
	default:
		return false, nil
	}
	b, err := bookOf(c)
	if err != nil {
		return false, err
	}
	t, err := row[hardware.Task](b, hardware.TaskKey(id))
	if err != nil || t == nil || t.Phase != phase || t.Attempt != attempt || t.Deadline < c.Height {
		return false, err
	}
	d, err := row[hardware.Device](b, hardware.DeviceKey(t.Device))
	if err != nil || d == nil {
		return false, err
	}
	return c.Payer == d.Owner || c.Payer == wire.AccountOf(d.NodeKey), nil
}

// handling is one transaction being carried out.
type handling struct {
	*book
	*ledger.Call
}

// Admit does all that Execute does and forgets it.
func (Family) Admit(c *ledger.Call) error {
	if p, ok := c.Payload.(*hardware.Collateral); ok {
		item, err := trust.DecodeItem(p.Item)
		if err != nil {
			return err
		}
		_, _, err = tables.Examine(c.State(hardware.Name), item, c.TimeMs)
		return err
	}
	b, err := bookOf(c)
	if err != nil {
		return err
	}
	_, err = (&handling{b, c}).handle()
	return err
}

// Execute implements ledger.Family. The output is the id of the device or task
// that came to be, if one did.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	if p, ok := c.Payload.(*hardware.Collateral); ok {
		item, err := trust.DecodeItem(p.Item)
		if err != nil {
			return nil, err
		}
		_, err = tables.PutItem(c.State(hardware.Name), item, c.TimeMs)
		return nil, err
	}
	b, err := bookOf(c)
	if err != nil {
		return nil, err
	}
	out, err := (&handling{b, c}).handle()
	if err != nil {
		return nil, err
	}
	return out, b.flush()
}

func (x *handling) handle() ([]byte, error) {
	switch p := x.Payload.(type) {
	case *hardware.JoinPlatform:
		return id(x.joinPlatform(p))
	case *hardware.JoinRequest:
		return id(x.joinRequest(p))
	case *hardware.Open:
		return id(x.open(p))
	case *hardware.Challenge:
		return nil, x.challenge(p)
	case *hardware.Answer:
		return nil, x.answer(p)
	case *hardware.EvidenceSubmit:
		return nil, x.submit(p)
	case *hardware.Claim:
		return nil, x.claim(p)
	case *hardware.Commit:
		return nil, x.commit(p)
	case *hardware.Reveal:
		return nil, x.reveal(p)
	case *hardware.Dispute:
		return nil, x.dispute(p)
	case *hardware.CloneProof:
		return nil, x.cloneProof(p)
	case *hardware.Rotate:
		return nil, x.rotate(p)
	case *hardware.Deposit:
		return nil, x.deposit(p)
	case *hardware.Withdraw:
		return nil, x.withdraw(p)
	case *hardware.Retire:
		return nil, x.retire(p)
	}
	return nil, wire.Faultf(wire.ErrMalformed, "no rule for a %T", x.Payload)
}

func id(h wire.Hash, err error) ([]byte, error) { return h[:], err }
