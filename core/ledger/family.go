package ledger

import (
	"encoding/json"
	"fmt"

	"cloister/wire"
)

// Family is the rules of one kind of transaction. All methods are functions of
// their arguments: no clock, chance, goroutine or memory between calls.
//
// An error that carries a wire.Code other than ErrInternal is a refusal with
// that code. Any other error says that the family or its state is broken, and
// stops the node; so does a panic in Execute, Price or Genesis.
type Family interface {
	// Name is what transactions say in Family, and where state is kept. It has
	// 1 to wire.MaxFamily bytes, none of them 0x00.
	Name() string
	// Genesis sets the state the chain starts with. params is the family's
	// part of the genesis, empty if it has none. Any error refuses the genesis.
	Genesis(st State, params json.RawMessage) error
	// Check judges what needs no state: form and bounds of the payload. What it
	// returns is Request.Payload in all later calls; it may alias tx.
	Check(tx *wire.Tx) (payload any, err error)
	// Price is what the transaction costs whatever becomes of it. It only reads.
	Price(c *Call) (Price, error)
	// Admit refuses what would surely fail now, to spare the payer the price
	// and the block the room. It only reads, is asked after the price was
	// charged on trial, and binds nobody.
	Admit(c *Call) error
	// Execute carries the transaction out. On a refusal everything it did to
	// state and data is undone. output is at most wire.MaxOutput bytes.
	Execute(c *Call) (output []byte, err error)
}

// Charger is the family that keeps accounts; at most one is enabled. Without
// one nothing is charged.
type Charger interface {
	Family
	// Charge takes a price, which is not zero, from payer. st is the family's
	// own state. It refuses with ErrInsufficientCredits or ErrInsufficientFunds.
	Charge(st State, payer wire.Account, p Price) error
}

// Price is what a transaction is charged, whether or not it succeeds.
type Price struct {
	Credits uint64 // entry credits
	Fee     uint64 // factoshis, burnt
}

// Request is a transaction with what follows from its bytes alone.
type Request struct {
	Tx      *wire.Tx
	ID      wire.Hash
	Payer   wire.Account
	Size    int // of the encoding, bytes
	Payload any // what Family.Check made of Tx.Payload
}

// Call is one transaction on its way through its family. It is valid during
// one method call.
type Call struct {
	*Request
	Height uint64 // of the block, or at admission of the next one
	TimeMs uint64 // block time, Unix milliseconds
	pass   *pass
}

// State is the state of a family, the caller's own or another's.
func (c *Call) State(family string) State { return State{c.pass.over, family} }

// Record adds a leaf to the data layer's tree (Header.DataRoot), if the
// transaction succeeds.
func (c *Call) Record(leaf []byte) { c.pass.record(leaf) }

// Enabled picks the families a genesis names out of all there are, in the
// genesis's order.
func Enabled(g *wire.Genesis, all []Family) ([]Family, error) {
	enabled := make([]Family, 0, len(g.Families))
	chargers := 0
	for _, want := range g.Families {
		f := find(all, want.Name)
		if f == nil {
			return nil, fmt.Errorf("genesis: this program has no family %q", want.Name)
		}
		if _, ok := f.(Charger); ok {
			chargers++
		}
		enabled = append(enabled, f)
	}
	if chargers > 1 {
		return nil, fmt.Errorf("genesis: %d families keep accounts, at most one can", chargers)
	}
	return enabled, nil
}

func find(families []Family, name string) Family {
	for _, f := range families {
		if f.Name() == name {
			return f
		}
	}
	return nil
}
