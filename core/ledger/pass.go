package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/merkle"
)

// rules is what judges transactions on one chain; it never changes.
type rules struct {
	chainID  wire.Hash
	families []Family     // in the genesis's order
	charger  Charger      // nil if nothing is charged
	members  Membership   // nil if the genesis's members stay
	fixed    *wire.Roster // then these
}

func newRules(g *wire.Genesis, all []Family) (*rules, error) {
	enabled, err := Enabled(g, all)
	if err != nil {
		return nil, err
	}
	r := &rules{chainID: g.ChainID(), families: enabled, fixed: wire.NewRoster(g.MemberSet())}
	for _, f := range enabled {
		if c, ok := f.(Charger); ok {
			r.charger = c
		}
		if m, ok := f.(Membership); ok {
			r.members = m
		}
	}
	return r, nil
}

// pass is one walk over transactions on one state: a block in execution, or a
// transaction tried for admission.
type pass struct {
	*rules
	base    store.Reader
	over    *overlay
	height  uint64
	timeMs  uint64
	epoch   uint64
	charged map[wire.Hash]struct{} // ids this pass charged
	replays [][]byte               // their replay keys
	leaves  []wire.Hash            // data-layer leaves added
	replay  []byte                 // the replay key of the transaction in hand
	current *Request               // evidence, if a family panics
}

func newPass(r *rules, base store.Reader, height, timeMs, epoch uint64) *pass {
	return &pass{rules: r, base: base, over: newOverlay(base), height: height, timeMs: timeMs, epoch: epoch}
}

// begin has a family set the state the chain starts with.
func (p *pass) begin(f Family, params json.RawMessage) error {
	st := State{p.over, f.Name()}
	if d, ok := f.(Dated); ok {
		return d.GenesisAt(st, params, p.timeMs)
	}
	return f.Genesis(st, params)
}

func (p *pass) record(leaf []byte) {
	if p.over.locked {
		panic("ledger: data recorded outside of Execute")
	}
	p.leaves = append(p.leaves, merkle.LeafHash(leaf))
	p.over.spent += leafCost
}

// end lets the families do what is due at the end of a block.
func (p *pass) end(hash wire.Hash, proposer wire.NodeID) error {
	p.current, p.over.spent = nil, 0
	e := &End{ChainID: p.chainID, Height: p.height, TimeMs: p.timeMs, Epoch: p.epoch, Hash: hash, Proposer: proposer, pass: p}
	for _, f := range p.families {
		ender, ok := f.(Ender)
		if !ok {
			continue
		}
		p.start()
		if err := ender.EndBlock(e); err != nil {
			return fmt.Errorf("family %s, end of block: %w", f.Name(), err)
		}
	}
	if p.over.spent > MaxEndWrites {
		return fmt.Errorf("end of block: families wrote %d bytes, at most %d", p.over.spent, MaxEndWrites)
	}
	return nil
}

// roster is who orders blocks and may talk, as of this pass.
func (p *pass) roster() (*wire.Roster, error) {
	if p.members == nil {
		return p.fixed, nil
	}
	p.over.locked = true
	defer func() { p.over.locked = false }()
	return p.members.Roster(State{p.over, p.members.Name()}, p.timeMs)
}

func (p *pass) governed(family string) (Governed, error) {
	g, ok := find(p.families, family).(Governed)
	if !ok {
		return nil, wire.Faultf(wire.ErrUnknownFamily, "family %q is not enabled or takes no orders", family)
	}
	return g, nil
}

// run carries out one transaction. An error means that the node must stop.
func (p *pass) run(r *Request) (*wire.Result, error) {
	p.current = r
	start := p.start()
	call := p.call(r)
	family, price, err := p.charge(call)
	if err != nil {
		return p.refuse(&wire.Result{TxID: r.ID}, start, err)
	}
	p.over.spent += txCost
	paid := p.mark()
	result := &wire.Result{TxID: r.ID, Credits: price.Credits, Fee: price.Fee}
	if result.Output, err = family.Execute(call); err != nil {
		if result, err = p.refuse(result, paid, err); err != nil {
			return nil, err
		}
	}
	if len(result.Output) > wire.MaxOutput {
		panic(fmt.Sprintf("ledger: output of %d bytes, at most %d", len(result.Output), wire.MaxOutput))
	}
	p.over.spent += len(result.Output)
	if p.over.spent > MaxBlockWrites {
		return p.refuse(&wire.Result{TxID: r.ID}, start, wire.ErrBusy)
	}
	p.remember(r)
	return result, nil
}

func (p *pass) call(r *Request) *Call {
	return &Call{Request: r, ChainID: p.chainID, Height: p.height, TimeMs: p.timeMs, Epoch: p.epoch, pass: p}
}

// refuse takes back what was done since a mark and puts the reason into the
// result. An error that is no refusal is returned.
func (p *pass) refuse(result *wire.Result, m mark, reason error) (*wire.Result, error) {
	p.over.rollback(m)
	p.leaves = p.leaves[:m.leaves]
	code, err := refusal(reason)
	result.Code, result.Output = code, nil
	return result, err
}

// mark is a point to go back to.
type mark struct{ changes, spent, leaves int }

func (p *pass) mark() mark { return mark{len(p.over.journal), p.over.spent, len(p.leaves)} }

// start is a mark before which nothing will be taken back.
func (p *pass) start() mark {
	clear(p.over.journal)
	p.over.journal = p.over.journal[:0]
	return p.mark()
}

// charge does what comes before execution. If it fails, the caller takes back
// what was done to state.
func (p *pass) charge(c *Call) (Family, Price, error) {
	none := Price{}
	family := find(p.families, c.Tx.Family)
	if family == nil { // CheckTxs refuses it; here it must only not stop the node
		return nil, none, wire.Faultf(wire.ErrUnknownFamily, "family %q is not enabled", c.Tx.Family)
	}
	if err := timely(c.Tx.NotAfterMs, p.timeMs); err != nil {
		return nil, none, err
	}
	if err := p.fresh(c.Request); err != nil {
		return nil, none, err
	}
	p.over.locked = true
	price, err := family.Price(c)
	p.over.locked = false
	switch {
	case err != nil:
		return nil, none, err
	case p.charger == nil || price == none:
		return family, none, nil
	}
	return family, price, p.charger.Charge(State{p.over, p.charger.Name()}, c.Payer, price)
}

// timely checks that a block with this time may record the transaction.
func timely(notAfterMs, timeMs uint64) error {
	switch {
	case notAfterMs < timeMs:
		return wire.Faultf(wire.ErrExpired, "valid until %d, block time is %d", notAfterMs, timeMs)
	case notAfterMs-timeMs > wire.MaxValidity:
		return wire.Faultf(wire.ErrTooFarAhead, "valid until %d, block time is %d, at most %d ms ahead",
			notAfterMs, timeMs, wire.MaxValidity)
	}
	return nil
}

// fresh checks that the transaction was not charged before.
func (p *pass) fresh(r *Request) error {
	_, replayed := p.charged[r.ID]
	if !replayed {
		p.replay = replayKey(r.Tx.NotAfterMs, r.ID)
		known, err := p.base.Get(p.replay)
		if err != nil {
			return err
		}
		replayed = known != nil
	}
	if replayed {
		return wire.Faultf(wire.ErrReplayed, "transaction %s", r.ID)
	}
	return nil
}

func (p *pass) remember(r *Request) {
	if p.charged == nil {
		p.charged = make(map[wire.Hash]struct{})
	}
	p.charged[r.ID] = struct{}{}
	p.replays = append(p.replays, p.replay)
}

// refusal tells an answer to the payer from a defect, which it returns.
func refusal(err error) (wire.Code, error) {
	var code wire.Code
	if err == nil || errors.As(err, &code) && code != wire.ErrInternal && code != wire.OK {
		return code, nil
	}
	return wire.ErrInternal, err
}
