package ledgertest

import (
	"encoding/json"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/beacon"
)

// Bare is a family without rules, for tests to build theirs on.
type Bare struct{}

// Genesis, Check, Price, Admit and Execute implement ledger.Family but its name;
// the payload is the transaction's.
func (Bare) Genesis(ledger.State, json.RawMessage) error  { return nil }
func (Bare) Check(tx *wire.Tx) (any, error)               { return tx.Payload, nil }
func (Bare) Price(*ledger.Call) (ledger.Price, error)     { return ledger.Price{}, nil }
func (Bare) Admit(*ledger.Call) error                     { return nil }
func (Bare) Execute(*ledger.Call) (out []byte, err error) { return nil, nil }

// Orders is a family whose payloads are orders to another one, as unanimous
// authorities give them.
type Orders struct {
	Bare
	To string
}

// Name is how tests call it.
func (Orders) Name() string { return "orders" }

// Execute checks the order and gives it.
func (o Orders) Execute(c *ledger.Call) ([]byte, error) {
	if err := c.CheckOrder(o.To, c.Payload.([]byte)); err != nil {
		return nil, err
	}
	return c.Govern(o.To, c.Payload.([]byte), true)
}

// Pulse is a beacon with a value for every block.
type Pulse struct{ Bare }

// Name is the beacon's.
func (Pulse) Name() string { return beacon.Name }

// EndBlock makes the block's value.
func (Pulse) EndBlock(e *ledger.End) error {
	st := e.State(beacon.Name)
	r := wire.TH("test/beacon", wire.U64(e.Height))
	if err := st.Set(beacon.ValueKey(e.Height), wire.Marshal(&beacon.Value{Round: e.Height, R: r, Height: e.Height, TimeMs: e.TimeMs})); err != nil {
		return err
	}
	return st.Set(beacon.RoundKey, wire.Marshal(&beacon.Round{Number: e.Height + 1, Last: r}))
}
