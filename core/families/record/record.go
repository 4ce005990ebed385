package record

import (
	"encoding/json"
	"errors"

	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/record"
)

// Family implements ledger.Family.
type Family struct{}

var _ ledger.Family = Family{}

// Name implements ledger.Family.
func (Family) Name() string { return record.Name }

// Genesis implements ledger.Family; there are no parameters.
func (Family) Genesis(_ ledger.State, params json.RawMessage) error {
	if len(params) != 0 && string(params) != "{}" {
		return errors.New("takes no parameters")
	}
	return nil
}

// Check implements ledger.Family; the payload is a *record.Payload.
func (Family) Check(tx *wire.Tx) (any, error) { return record.Decode(tx.Payload) }

// Price is what the entry costs in credits.
func (Family) Price(c *ledger.Call) (ledger.Price, error) {
	return ledger.Price{Credits: c.Payload.(*record.Payload).Cost()}, nil
}

// kinds says for each kind of payload which chain it goes on with, or why it cannot.
var kinds = map[byte]func(c *ledger.Call, p *record.Payload) (record.Chain, error){
	record.KindCreateChain: newChain,
	record.KindAddEntry:    oldChain,
}

// Admit refuses an entry for a chain that is not there, and a chain that is.
func (Family) Admit(c *ledger.Call) error {
	p := c.Payload.(*record.Payload)
	_, err := kinds[p.Kind](c, p)
	return err
}

// Execute records the entry. The output is its hash.
func (Family) Execute(c *ledger.Call) ([]byte, error) {
	p := c.Payload.(*record.Payload)
	chain, err := kinds[p.Kind](c, p)
	if err != nil {
		return nil, err
	}
	entry := p.Hash()
	chain.Head = record.NextHead(chain.Head, chain.Entries, entry)
	chain.Entries++
	chain.Updated, chain.UpdatedAtMs = c.Height, c.TimeMs
	c.Record(record.Leaf(p.Entry.ChainID, entry))
	return entry[:], ledger.Save(c.State(record.Name), record.ChainKey(p.Entry.ChainID), chain)
}

func newChain(c *ledger.Call, p *record.Payload) (record.Chain, error) {
	_, exists, err := ledger.Load[record.Chain](c.State(record.Name), record.ChainKey(p.Entry.ChainID))
	if err == nil && exists {
		err = wire.Faultf(wire.ErrChainExists, "chain %s", p.Entry.ChainID)
	}
	return record.Chain{Created: c.Height, CreatedAtMs: c.TimeMs}, err
}

func oldChain(c *ledger.Call, p *record.Payload) (record.Chain, error) {
	chain, exists, err := ledger.Load[record.Chain](c.State(record.Name), record.ChainKey(p.Entry.ChainID))
	if err == nil && !exists {
		err = wire.Faultf(wire.ErrUnknownChain, "chain %s", p.Entry.ChainID)
	}
	return chain, err
}
