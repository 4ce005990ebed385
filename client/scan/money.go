package scan

import (
	"context"
	"fmt"
	"math"

	"cloister/wire"
	"cloister/wire/factom"
)

// bodies judges everything of a height that directory and admin block name: the
// factoid block, the entry credit block, and every entry block with its entries.
func (b *branch) bodies(ctx context.Context, h uint32, blocks set, due []factom.TransAddress, t *tail, found *notes) error {
	pairs := blocks.directory.Body
	f, err := b.fetch.factoids(ctx, pairs[2].Key)
	if err != nil {
		return err
	}
	ec, err := b.fetch.credits(ctx, pairs[1].Key)
	if err != nil {
		return err
	}
	switch {
	case f.Header.Height != h || ec.Header.Height != h:
		return broken(WrongPlace, "its factoid block says height %d, its entry credit block %d", f.Header.Height, ec.Header.Height)
	case f.Header.PrevKeyMR != t.Factoid || f.Header.PrevLedgerKeyMR != t.FactoidLedger:
		return broken(BrokenLink, "its factoid block does not name the one before by both keys")
	case ec.Header.PrevHeaderHash != t.Credit || ec.Header.PrevFullHash != t.CreditFull:
		return broken(BrokenLink, "its entry credit block does not name the one before by both hashes")
	}
	m := &money{state: b.state, network: b.network, notes: found, height: h, factoids: f, named: map[output]int{}}
	if m.opened, err = opening(f, t); err != nil {
		return err
	}
	b.state.sweep(t, m.opened, b.network.periodMs())
	if err := m.transactions(due, t.Rate); err != nil {
		return err
	}
	if err := m.credits(ec); err != nil {
		return err
	}
	t.Factoid, t.FactoidLedger, t.Rate = f.KeyMR(), f.LedgerKeyMR(), f.Header.Rate
	t.Credit, t.CreditFull, t.OpenedMs = ec.HeaderHash(), ec.FullHash(), m.opened
	return b.entries(ctx, h, pairs[3:], m.opened)
}

// opening is when the period began, in ms: the coinbase's time, which the directory
// block shows in minutes.
func opening(f *factom.FactoidBlock, t *tail) (uint64, error) {
	ms := f.Body[0].Transaction.TimestampMs
	if ms/60_000 != uint64(t.Minutes) || ms < t.OpenedMs {
		return 0, broken(CoinbaseRefused, "its coinbase is of time %d ms, the block opened in minute %d", ms, t.Minutes)
	}
	return ms, nil
}

// money judges the factoid and entry credit blocks of a height.
type money struct {
	state    *State
	network  *Network
	notes    *notes
	height   uint32
	opened   uint64
	factoids *factom.FactoidBlock

	bought []purchase     // by the block's transactions, in order
	named  map[output]int // index in bought
}

// output names an entry credit output.
type output struct {
	txid  wire.Hash
	index uint64
}

// purchase is an entry credit output.
type purchase struct {
	minute  uint8
	key     wire.PublicKey
	credits uint64
	placed  bool // an object of the entry credit block says where it took effect
	given   bool
}

func (m *money) transactions(due []factom.TransAddress, rateBefore uint64) error {
	rate := m.factoids.Header.Rate
	switch {
	case rate == 0:
		return broken(FeeTooLow, "an entry credit costs nothing")
	case m.height > 0 && rate != rateBefore:
		m.notes.add(RateChanged, m.height, "an entry credit costs %d factoshis, %d before", rate, rateBefore)
	}
	if err := m.coinbase(m.factoids.Body[0].Transaction, due); err != nil {
		return err
	}
	var signatures []wire.Signed
	for _, x := range m.factoids.Body[1:] {
		if err := m.transaction(x.Minute, x.Transaction, rate); err != nil {
			return err
		}
		signatures = append(signatures, x.Transaction.Signed()...)
	}
	return verified(signatures, "an input of a factoid transaction")
}

// verified judges signatures, many at a time.
func verified(list []wire.Signed, what string) error {
	const many = 4096
	for len(list) > 0 {
		part := list[:min(many, len(list))]
		batch := wire.NewBatch(len(part))
		for _, s := range part {
			batch.AddMessage(s)
		}
		if all, ok := batch.Verify(); !all {
			for i := range ok {
				if !ok[i] {
					return broken(BadSignature, "%s is not signed by key %s", what, part[i].Key)
				}
			}
		}
		list = list[len(part):]
	}
	return nil
}

// coinbase makes factoids of nothing: what the genesis allocates, later exactly
// what was promised.
func (m *money) coinbase(t *factom.Transaction, due []factom.TransAddress) error {
	if m.height > 0 {
		if len(t.Outputs) != len(due) {
			return broken(CoinbaseRefused, "its coinbase has %d outputs, %d are due", len(t.Outputs), len(due))
		}
		for i, o := range t.Outputs {
			if o != due[i] {
				return broken(CoinbaseRefused, "output %d of its coinbase pays %d to %s, due are %d to %s", i, o.Amount, o.Address, due[i].Amount, due[i].Address)
			}
		}
	}
	return m.pay(t.Outputs)
}

func (m *money) pay(outputs []factom.TransAddress) error {
	for _, o := range outputs {
		have, _ := m.state.factoids.get(o.Address)
		if have > factom.MaxAmount-o.Amount {
			return broken(TooMuch, "address %s has more factoids than there may be", o.Address)
		}
		if o.Amount > 0 {
			m.state.factoids.set(o.Address, have+o.Amount)
		}
	}
	return nil
}

func (m *money) transaction(minute uint8, t *factom.Transaction, rate uint64) error {
	txid := t.TXID()
	if err := m.timely(t.TimestampMs, fmt.Sprintf("factoid transaction %s", txid)); err != nil {
		return err
	}
	if err := m.once(txid, t.TimestampMs, "factoid transaction"); err != nil {
		return err
	}
	out, fee := t.TotalOutputs()+t.TotalECOutputs(), t.Fee(rate)
	if in := t.TotalInputs(); in < out || in-out < fee {
		return broken(FeeTooLow, "transaction %s takes %d and gives %d, its fee is %d", txid, in, out, fee)
	}
	for _, i := range t.Inputs {
		left, err := m.spend(i)
		if err != nil {
			return err
		}
		if left == 0 {
			m.state.factoids.delete(i.Address)
		} else {
			m.state.factoids.set(i.Address, left)
		}
	}
	if err := m.pay(t.Outputs); err != nil {
		return err
	}
	for i, o := range t.ECOutputs {
		m.named[output{txid, uint64(i)}] = len(m.bought)
		m.bought = append(m.bought, purchase{minute: minute, key: wire.PublicKey(o.Address), credits: o.Amount / rate})
	}
	return nil
}

func (m *money) spend(i factom.TransAddress) (left uint64, err error) {
	have, _ := m.state.factoids.get(i.Address)
	if have >= i.Amount {
		return have - i.Amount, nil
	}
	return 0, m.short("address %s spends %d factoshis and has %d", wire.FactoidAddress(wire.Account(i.Address)), i.Amount, have)
}

// short judges a balance that does not suffice.
func (m *money) short(format string, args ...any) error {
	if m.network.ClosedMoney {
		return broken(Overdraft, format, args...)
	}
	m.notes.add(OutsideMoney, m.height, format, args...)
	return nil
}

// timely holds a message's own time against the period's.
func (m *money) timely(ms uint64, what string) error {
	if ms+windowMs < m.opened || ms > m.opened+windowMs {
		return broken(OutsideWindow, "%s is of time %d ms, the period began at %d", what, ms, m.opened)
	}
	return nil
}

// once refuses what was recorded before. It is remembered for as long as its time
// is in any window.
func (m *money) once(id wire.Hash, ms uint64, what string) error {
	if until, ok := m.state.seen.get(id); ok && until >= m.opened {
		return broken(Repeated, "%s %s was recorded before", what, id)
	}
	m.state.seen.set(id, ms+windowMs)
	return nil
}

// credits walks through the entry credit block: purchases add, commits take.
func (m *money) credits(b *factom.ECBlock) error {
	m.place(b)
	var signatures []wire.Signed
	minute := uint8(0)
	for _, o := range b.Body {
		if o.Minute > minute {
			minute = o.Minute
			if err := m.unplaced(minute); err != nil {
				return err
			}
		}
		switch {
		case o.Object.Increase != nil:
			if err := m.increase(o.Object.Increase); err != nil {
				return err
			}
		case o.Object.Commit != nil:
			if err := m.commit(o.Object.Commit); err != nil {
				return err
			}
			signatures = append(signatures, o.Object.Commit.Signed())
		}
	}
	if err := m.unplaced(factom.Minutes); err != nil {
		return err
	}
	return verified(signatures, "a commit")
}

// place finds the purchases that the block itself says the place of. Where it does
// not (factomd's later versions), they count from the start of their minute.
func (m *money) place(b *factom.ECBlock) {
	for _, o := range b.Body {
		if x := o.Object.Increase; x != nil {
			if p := m.purchase(x); p != nil {
				p.placed = true
			}
		}
	}
}

func (m *money) purchase(x *factom.BalanceIncrease) *purchase {
	if i, ok := m.named[output{x.TXID, x.Index}]; ok {
		return &m.bought[i]
	}
	return nil
}

func (m *money) unplaced(minute uint8) error {
	for i := range m.bought {
		if p := &m.bought[i]; !p.placed && !p.given && p.minute <= minute {
			p.given = true
			if err := m.give(p.key, p.credits); err != nil {
				return err
			}
		}
	}
	return nil
}

// increase gives what an object says was bought. In the genesis block it is what
// the genesis allocates, by its coinbase.
func (m *money) increase(x *factom.BalanceIncrease) error {
	p := m.purchase(x)
	switch {
	case p == nil && m.height == 0 && x.TXID == m.factoids.Body[0].Transaction.TXID():
	case p == nil:
		return broken(BadIncrease, "%d entry credits for key %s are of no transaction of the block", x.Credits, x.Key)
	case p.given || p.key != x.Key || p.credits != x.Credits:
		return broken(BadIncrease, "%d entry credits for key %s, transaction %s bought %d for %s, or they count already", x.Credits, x.Key, x.TXID, p.credits, p.key)
	default:
		p.given = true
	}
	return m.give(x.Key, x.Credits)
}

func (m *money) give(key wire.PublicKey, credits uint64) error {
	have, _ := m.state.credits.get(key)
	if have > math.MaxInt64-min(credits, math.MaxInt64) {
		return broken(TooMuch, "key %s has more entry credits than there may be", key)
	}
	if credits > 0 {
		m.state.credits.set(key, have+credits)
	}
	return nil
}

// commit takes what a commit pays, and remembers it for its entry.
func (m *money) commit(c *factom.Commit) error {
	txid := c.TXID()
	if err := m.timely(c.TimestampMs, fmt.Sprintf("commit %s", txid)); err != nil {
		return err
	}
	// The id does not name the payer: two may commit to one entry at one time.
	if err := m.once(wire.TH("cloister/scan/commit/v1", txid[:], c.Payer[:]), c.TimestampMs, "commit"); err != nil {
		return err
	}
	have, _ := m.state.credits.get(c.Payer)
	left := uint64(0)
	if cost := uint64(c.Credits); have >= cost {
		left = have - cost
	} else if err := m.short("key %s commits %d entry credits and has %d", c.Payer, cost, have); err != nil {
		return err
	}
	if left == 0 {
		m.state.credits.delete(c.Payer)
	} else {
		m.state.credits.set(c.Payer, left)
	}
	// Appended in place behind what a rollback restores: many may pay for one entry.
	list, _ := m.state.unused.get(c.EntryHash)
	m.state.unused.set(c.EntryHash, append(list, commit{
		OpenedMs: m.opened, Credits: c.Credits, Chain: c.Chain, ChainIDHash: c.ChainIDHash, Weld: c.Weld,
	}))
	return nil
}
