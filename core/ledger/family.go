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
	// Name is what transactions say in Family, and where state is kept; see
	// wire.IsFamily.
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

// Carrier is a family with payloads that carry their own signatures, in a
// foreign format (wire.Carry). Nobody is charged for such a transaction and no id
// is remembered: both are the family's own business (Call.Charged, Call.Once).
type Carrier interface {
	Family
	// Signed are the signatures that a payload carries, which CheckTxs verifies;
	// carried is false if the transaction is signed as usual.
	Signed(payload any) (signatures []wire.Signed, carried bool)
}

// Dated is a family whose genesis depends on when the chain starts.
type Dated interface {
	Family
	// GenesisAt is called instead of Genesis; timeMs is the genesis's time, Unix
	// milliseconds.
	GenesisAt(st State, params json.RawMessage, timeMs uint64) error
}

// Charger is the family that keeps accounts; at most one is enabled. Without
// one nothing is charged.
type Charger interface {
	Family
	// Charge takes a price, which is not zero, from payer. st is the family's
	// own state. It refuses with ErrInsufficientCredits or ErrInsufficientFunds.
	Charge(st State, payer wire.Account, p Price) error
}

// Dependent is a family that does not work without others.
type Dependent interface {
	Family
	// Needs names the families that have to be enabled too.
	Needs() []string
}

// Beginner is a family with duties at the beginning of a block, before its first
// transaction; all together may write MaxBeginWrites. The rest is as with Ender.
type Beginner interface {
	Family
	BeginBlock(e *End) error
}

// Timed is a family that needs a block by a certain time, though nobody may have
// submitted anything.
type Timed interface {
	Family
	// DueMs is the block time from which on the next block is wanted, 0 if none
	// is. It only reads.
	DueMs(st State) (uint64, error)
}

// Ender is a family with duties at the end of a block: deadlines, schedules,
// decisions over everything the block did. EndBlock is called once per block and
// family, in the genesis's order, after the last transaction. There is nobody to
// refuse anything to, so any error stops the node. All families together may
// write MaxEndWrites there, so whatever grows with the ledger is done in parts.
type Ender interface {
	Family
	EndBlock(e *End) error
}

// Governed is a family the authorities can give orders to.
type Governed interface {
	Family
	// CheckOrder judges the form of an order, without state.
	CheckOrder(order []byte) error
	// Govern carries out an order the authorities decided on, as part of the
	// transaction that decided. A refusal takes back that transaction's effects.
	// unanimous says that every authority agreed.
	Govern(c *Call, order []byte, unanimous bool) (output []byte, err error)
}

// Membership is the family that decides who orders blocks; at most one is
// enabled. Without one the genesis's members stay for ever.
type Membership interface {
	Family
	// Roster is the newest decision. It only reads. What the family starts with
	// has to be the genesis's own member set.
	Roster(st State, timeMs uint64) (*wire.Roster, error)
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
	Size    int  // of the encoding, bytes
	Payload any  // what Family.Check made of Tx.Payload
	Carried bool // the payload has its own signatures; Payer means nothing

	signed []wire.Signed
}

// Call is one transaction on its way through its family. It is valid during
// one method call.
type Call struct {
	*Request
	ChainID wire.Hash
	Height  uint64 // of the block, or at admission of the next one
	TimeMs  uint64 // block time, Unix milliseconds
	Epoch   uint64 // of the member set that ordered the block; at admission of the newest one's
	pass    *pass
}

// State is the state of a family, the caller's own or another's.
func (c *Call) State(family string) State { return State{over: c.pass.over, family: family} }

// BlockHash is the header hash of a height below this block's; ok is false for
// others and for those older than the last Kept.
func (c *Call) BlockHash(height uint64) (hash wire.Hash, ok bool, err error) {
	if height >= c.Height {
		return hash, false, nil
	}
	return blockHash(c.pass.base, height)
}

// Charged adds to what the result says the transaction cost; for families that
// charge whom the message names.
func (c *Call) Charged(p Price) {
	c.pass.cost.Credits += p.Credits
	c.pass.cost.Fee += p.Fee
}

// Roster is who orders blocks as of the block before.
func (c *Call) Roster() (*wire.Roster, error) { return c.pass.roster() }

// Once remembers an id until the block time notAfterMs has passed, and reports
// whether it was new; after that time none is, for it may have been forgotten. The
// id has to bind notAfterMs. What a refused transaction had remembered is forgotten.
func (c *Call) Once(id wire.Hash, notAfterMs uint64) (fresh bool, err error) {
	if notAfterMs < c.TimeMs {
		return false, nil
	}
	key := replayKey(notAfterMs, id)
	known, err := c.pass.known(id, key)
	if err != nil || known {
		return false, err
	}
	if !c.pass.over.locked {
		c.pass.remember(id, key)
	}
	return true, nil
}

// Govern passes an order to a family; for the family that counts the
// authorities' votes. It carries ErrUnknownFamily if there is none to take it.
func (c *Call) Govern(family string, order []byte, unanimous bool) ([]byte, error) {
	g, err := c.pass.governed(family)
	if err != nil {
		return nil, err
	}
	return g.Govern(c, order, unanimous)
}

// CheckOrder judges the form of an order as its family does.
func (c *Call) CheckOrder(family string, order []byte) error {
	g, err := c.pass.governed(family)
	if err != nil {
		return err
	}
	return g.CheckOrder(order)
}

// End is one end of a block. It is valid during one BeginBlock or EndBlock.
type End struct {
	ChainID  wire.Hash
	Height   uint64
	TimeMs   uint64
	Epoch    uint64      // of the member set that ordered the block
	Hash     wire.Hash   // of the block's header
	Proposer wire.NodeID // whose block it is, by its header
	pass     *pass
}

// State is the state of a family, the caller's own or another's.
func (e *End) State(family string) State { return State{over: e.pass.over, family: family} }

// Roster is who orders blocks, as decided so far.
func (e *End) Roster() (*wire.Roster, error) { return e.pass.roster() }

// BlockHash is Call.BlockHash, this block included.
func (e *End) BlockHash(height uint64) (hash wire.Hash, ok bool, err error) {
	if height == e.Height {
		return e.Hash, true, nil
	}
	return blockHash(e.pass.base, height)
}

// Drop removes every key in [lo, hi) of the caller's unproved state (State.Aside).
// What this block wrote there has to be gone already.
func (e *End) Drop(family string, lo, hi []byte) {
	e.pass.drop(State{over: e.pass.over, family: family, aside: true}, lo, hi)
}

// Record adds a leaf to the data layer's tree (Header.DataRoot), if the
// transaction succeeds.
func (c *Call) Record(leaf []byte) { c.pass.record(leaf) }

// Enabled picks the families a genesis names out of all there are, in the
// genesis's order.
func Enabled(g *wire.Genesis, all []Family) ([]Family, error) {
	enabled := make([]Family, 0, len(g.Families))
	chargers, memberships := 0, 0
	for _, want := range g.Families {
		f := find(all, want.Name)
		if f == nil {
			return nil, fmt.Errorf("genesis: this program has no family %q", want.Name)
		}
		if _, ok := f.(Charger); ok {
			chargers++
		}
		if _, ok := f.(Membership); ok {
			memberships++
		}
		enabled = append(enabled, f)
	}
	for _, f := range enabled {
		if d, ok := f.(Dependent); ok {
			for _, name := range d.Needs() {
				if find(enabled, name) == nil {
					return nil, fmt.Errorf("genesis: family %q needs family %q", f.Name(), name)
				}
			}
		}
	}
	if chargers > 1 {
		return nil, fmt.Errorf("genesis: %d families keep accounts, at most one can", chargers)
	}
	if memberships > 1 {
		return nil, fmt.Errorf("genesis: %d families decide who orders blocks, at most one can", memberships)
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
