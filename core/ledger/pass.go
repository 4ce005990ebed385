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
	charged map[wire.Hash]struct{} // ids this pass remembers
	replays []replay               // the same in order
	drops   []span                 // of unproved state
	leaves  []wire.Hash            // data-layer leaves added
	cost    Price                  // of the transaction in hand, beyond its price
	current *Request               // evidence, if a family panics
}

// replay is an id to remember, and the key it is remembered under.
type replay struct {
	id  wire.Hash
	key []byte
}

// span is the keys of the store from lo on, hi excluded.
type span struct{ lo, hi []byte }

func newPass(r *rules, base store.Reader, height, timeMs, epoch uint64) *pass {
	return &pass{rules: r, base: base, over: newOverlay(base), height: height, timeMs: timeMs, epoch: epoch}
}

// begin has a family set the state the chain starts with.
func (p *pass) begin(f Family, params json.RawMessage) error {
	st := State{over: p.over, family: f.Name()}
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

// open lets the families do what is due at the beginning of a block, close what
// is due at its end.
func (p *pass) open(h *wire.Header, hash wire.Hash) error {
	return p.edge("beginning", MaxBeginWrites, h, hash, func(f Family, e *End) error {
		if b, ok := f.(Beginner); ok {
			return b.BeginBlock(e)
		}
		return nil
	})
}

func (p *pass) close(h *wire.Header, hash wire.Hash) error {
	return p.edge("end", MaxEndWrites, h, hash, func(f Family, e *End) error {
		if b, ok := f.(Ender); ok {
			return b.EndBlock(e)
		}
		return nil
	})
}

func (p *pass) edge(name string, most int, h *wire.Header, hash wire.Hash, do func(Family, *End) error) error {
	p.current = nil
	p.over.spent = 0
	e := &End{ChainID: p.chainID, Height: p.height, TimeMs: p.timeMs, Epoch: p.epoch, Hash: hash, Proposer: h.Proposer, pass: p}
	for _, f := range p.families {
		p.start()
		if err := do(f, e); err != nil {
			return fmt.Errorf("family %s, %s of block: %w", f.Name(), name, err)
		}
	}
	if p.over.spent > most {
		return fmt.Errorf("%s of block: families wrote %d bytes, at most %d", name, p.over.spent, most)
	}
	return nil
}

// due is the earliest time a family wants a block at, 0 if none does.
func (p *pass) due() (earliest uint64, err error) {
	p.over.locked = true
	defer func() { p.over.locked = false }()
	for _, f := range p.families {
		t, ok := f.(Timed)
		if !ok {
			continue
		}
		at, err := t.DueMs(State{over: p.over, family: f.Name()})
		if err != nil {
			return 0, fmt.Errorf("family %s, when the next block is due: %w", f.Name(), err)
		}
		if at != 0 && (earliest == 0 || at < earliest) {
			earliest = at
		}
	}
	return earliest, nil
}

func (p *pass) drop(st State, lo, hi []byte) {
	p.drops = append(p.drops, span{st.key(lo), st.key(hi)})
}

// roster is who orders blocks and may talk, as of this pass.
func (p *pass) roster() (*wire.Roster, error) {
	if p.members == nil {
		return p.fixed, nil
	}
	was := p.over.locked
	p.over.locked = true
	defer func() { p.over.locked = was }()
	return p.members.Roster(State{over: p.over, family: p.members.Name()}, p.timeMs)
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
	if !r.Carried {
		p.remember(r.ID, replayKey(r.Tx.NotAfterMs, r.ID))
	}
	paid := p.mark()
	result := &wire.Result{TxID: r.ID, Credits: price.Credits, Fee: price.Fee}
	if result.Output, err = family.Execute(call); err != nil {
		if result, err = p.refuse(result, paid, err); err != nil {
			return nil, err
		}
	}
	result.Credits += p.cost.Credits
	result.Fee += p.cost.Fee
	if len(result.Output) > wire.MaxOutput {
		panic(fmt.Sprintf("ledger: output of %d bytes, at most %d", len(result.Output), wire.MaxOutput))
	}
	p.over.spent += len(result.Output)
	if p.over.spent > MaxBlockWrites {
		return p.refuse(&wire.Result{TxID: r.ID}, start, wire.ErrBusy)
	}
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
	for _, r := range p.replays[m.replays:] {
		delete(p.charged, r.id)
	}
	p.replays, p.cost = p.replays[:m.replays], Price{}
	code, err := refusal(reason)
	result.Code, result.Output = code, nil
	return result, err
}

// mark is a point to go back to.
type mark struct{ changes, spent, leaves, replays int }

func (p *pass) mark() mark {
	return mark{len(p.over.journal), p.over.spent, len(p.leaves), len(p.replays)}
}

// start is a mark before which nothing will be taken back.
func (p *pass) start() mark {
	clear(p.over.journal)
	p.over.journal, p.cost = p.over.journal[:0], Price{}
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
	if c.Carried {
		return family, none, nil
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
	return family, price, p.charger.Charge(State{over: p.over, family: p.charger.Name()}, c.Payer, price)
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
	known, err := p.known(r.ID, replayKey(r.Tx.NotAfterMs, r.ID))
	if err == nil && known {
		err = wire.Faultf(wire.ErrReplayed, "transaction %s", r.ID)
	}
	return err
}

// known reports whether this block or an earlier one remembers an id.
func (p *pass) known(id wire.Hash, key []byte) (bool, error) {
	if _, here := p.charged[id]; here {
		return true, nil
	}
	v, err := p.base.Get(key)
	return v != nil, err
}

func (p *pass) remember(id wire.Hash, key []byte) {
	if p.charged == nil {
		p.charged = make(map[wire.Hash]struct{})
	}
	p.charged[id] = struct{}{}
	p.replays = append(p.replays, replay{id, key})
}

// refusal tells an answer to the payer from a defect, which it returns.
func refusal(err error) (wire.Code, error) {
	var code wire.Code
	if err == nil || errors.As(err, &code) && code != wire.ErrInternal && code != wire.OK {
		return code, nil
	}
	return wire.ErrInternal, err
}
