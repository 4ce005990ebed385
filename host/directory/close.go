package directory

import (
	"context"
	"crypto/sha256"
	"fmt"

	"cloister/host/api/factom"
	"cloister/host/derived"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/record"
)

// close builds the blocks of a period whose rows are all there, holds them
// against the ledger's state, and shows them. Cut short, it is done again from
// its beginning. Errors: ErrCorrupt, a key is not the ledger's; of disk and ctx.
func (x *Index) close(ctx context.Context, d *record.Directory) error {
	v := x.now.Load()
	if d.Height != v.Count {
		return corrupt("period %d is to be closed, period %d is next", d.Height, v.Count)
	}
	p := &period{
		x: x, ctx: ctx, decided: d, out: &output{store: x.store}, servers: v.Servers,
		closed: closed{Directory: *d},
	}
	defer p.out.abandon()
	if d.Height > 0 {
		before, err := x.closedPeriod(d.Height - 1)
		if err != nil {
			return err
		}
		p.before = *before
	}
	for _, step := range []func() error{p.admin, p.credit, p.factoid, p.entries, p.anchors} {
		if err := step(); err != nil {
			return fmt.Errorf("directory: closing period %d: %w", d.Height, err)
		}
	}
	if err := p.finish(); err != nil {
		return fmt.Errorf("directory: closing period %d: %w", d.Height, err)
	}
	return nil
}

// period is a period on its way from rows to blocks.
type period struct {
	x       *Index
	ctx     context.Context
	decided *record.Directory
	before  closed // zero for the first
	closed  closed // this one
	out     *output
	servers []server
	rows    int
}

func (p *period) height() uint32 { return p.decided.Height }

// body begins the body of a chain's block.
func (p *period) body(chain wire.Hash) *body {
	return &body{out: p.out, period: p.height(), chain: chain}
}

// tree is body for one whose objects of a size receipts lead to.
func (p *period) tree(chain wire.Hash, object int) *body {
	b := p.body(chain)
	b.object = object
	return b
}

// minute is the minute of a block time within the period.
func (p *period) minute(timeMs uint64) uint8 {
	opened := p.decided.OpenedMs
	return record.Minute(max(timeMs, opened), opened, p.x.calendar.periodMs)
}

// is holds a computed key against the ledger's.
func (p *period) is(what string, own, ledgers wire.Hash) error {
	if own != ledgers {
		return corrupt("the %s block built from the archive has key %s, in the ledger's state it is %s", what, own, ledgers)
	}
	return nil
}

// walk gives the rows of a dated table of the period.
func (p *period) walk(table byte, f func(key, value []byte) error) error {
	return p.x.store.under(periodKey(table, p.height()), func(key, value []byte) (bool, error) {
		if p.rows++; p.rows%4096 == 0 && p.ctx.Err() != nil {
			return false, p.ctx.Err()
		}
		return true, f(key, value)
	})
}

// admin takes the admin block, which tells what no transaction does, from the state.
func (p *period) admin() error {
	raw := p.decided.AdminBlock
	if err := p.is("admin", sha256.Sum256(raw), p.decided.Admin); err != nil {
		return err
	}
	b, err := wirefactom.ParseAdminBlock(raw)
	switch {
	case err != nil:
		return corrupt("%v", err)
	case b.Header.Height != p.height() || b.Header.PrevBackRefHash != p.before.AdminRef:
		return corrupt("the admin block is of height %d and refers to %s, not %s", b.Header.Height, b.Header.PrevBackRefHash, p.before.AdminRef)
	}
	p.closed.AdminRef = b.BackRefHash()
	p.servers = serversAfter(p.servers, b)
	return p.body(wirefactom.AdminChain).end(factom.AdminBlock, p.decided.Admin, raw)
}

func (p *period) credit() error {
	builder, out := wirefactom.NewECBody(), p.body(wirefactom.EntryCreditChain)
	add := func(minute uint8, o wirefactom.ECObject) error {
		added, err := builder.Append(minute, o)
		if err != nil {
			return corrupt("%v", err)
		}
		return out.write(added)
	}
	if err := p.openingCredits(add); err != nil {
		return err
	}
	err := p.walk(datedCredit, func(_, value []byte) error {
		timeMs, o, err := decodeCredit(value)
		if err != nil {
			return err
		}
		if o.Increase != nil { // the row has the amount
			o.Increase.Credits /= max(p.decided.Rate, 1)
		}
		return add(p.minute(timeMs), o)
	})
	if err != nil {
		return err
	}
	if err := out.write(builder.Close()); err != nil {
		return err
	}
	h := wirefactom.ECBlockHeader{PrevHeaderHash: p.before.Directory.Credit, PrevFullHash: p.before.CreditFull, Height: p.height()}
	builder.Fill(&h)
	if err := p.is("entry credit", h.Hash(), p.decided.Credit); err != nil {
		return err
	}
	if p.closed.CreditFull, err = out.fullHash(h.Bytes()); err != nil {
		return err
	}
	return out.end(factom.CreditBlock, p.decided.Credit, h.Bytes())
}

// decodeCredit reads a row of datedCredit. In a balance increase, Credits are
// the factoshis that were spent.
func decodeCredit(value []byte) (timeMs uint64, o wirefactom.ECObject, err error) {
	timeMs, rest, err := untimed(value)
	if err != nil {
		return 0, o, err
	}
	o, rest, err = wirefactom.ParseECObject(rest)
	if err != nil || len(rest) > 0 {
		return 0, o, corrupt("a row of an entry credit block with %d bytes left: %v", len(rest), err)
	}
	return timeMs, o, nil
}

// openingCredits are what the genesis gave to keys, in the very first block.
func (p *period) openingCredits(add func(uint8, wirefactom.ECObject) error) error {
	if p.height() > 0 || len(p.x.credits) == 0 {
		return nil
	}
	base, _, err := wirefactom.ParseCoinbase(p.decided.Coinbase)
	if err != nil {
		return corrupt("%v", err)
	}
	for i, c := range p.x.credits {
		o := wirefactom.IncreaseObject(&wirefactom.BalanceIncrease{Key: c.key, TXID: base.TXID(), Index: uint64(i), Credits: c.credits})
		if err := add(1, o); err != nil {
			return err
		}
	}
	return nil
}

func (p *period) factoid() error {
	builder, out := new(wirefactom.FactoidBody), p.body(wirefactom.FactoidChain)
	add := func(minute uint8, t *wirefactom.Transaction) error {
		added, err := builder.Append(minute, t)
		if err != nil {
			return corrupt("%v", err)
		}
		return out.write(added)
	}
	base, rest, err := wirefactom.ParseCoinbase(p.decided.Coinbase)
	if err != nil || len(rest) > 0 {
		return corrupt("the coinbase in the ledger's state is none: %v", err)
	}
	if err := add(1, base); err != nil {
		return err
	}
	err = p.walk(datedFactoid, func(_, value []byte) error {
		timeMs, t, _, err := decodeTransaction(value)
		if err != nil {
			return err
		}
		return add(p.minute(timeMs), t)
	})
	if err != nil {
		return err
	}
	if err := out.write(builder.Close()); err != nil {
		return err
	}
	h := wirefactom.FactoidBlockHeader{
		PrevKeyMR: p.before.Directory.Factoid, PrevLedgerKeyMR: p.before.FactoidLedger, Rate: p.decided.Rate, Height: p.height(),
	}
	if err := builder.Fill(&h); err != nil {
		return corrupt("%v", err)
	}
	if err := p.is("factoid", h.KeyMR(), p.decided.Factoid); err != nil {
		return err
	}
	p.closed.FactoidLedger = h.LedgerKeyMR(builder.LedgerRoot())
	txid := base.TXID()
	if err := p.out.set(hashKey(tableCoinbase, txid), wire.U32(p.height())); err != nil {
		return err
	}
	return out.end(factom.FactoidBlock, p.decided.Factoid, h.Bytes())
}

// decodeTransaction reads a row of datedFactoid.
func decodeTransaction(value []byte) (timeMs uint64, t *wirefactom.Transaction, raw []byte, err error) {
	timeMs, raw, err = untimed(value)
	if err != nil {
		return 0, nil, nil, err
	}
	t, rest, err := wirefactom.ParseTransaction(raw)
	if err != nil || len(rest) > 0 {
		return 0, nil, nil, corrupt("a row of a factoid block with %d bytes left: %v", len(rest), err)
	}
	return timeMs, t, raw, nil
}

// finish writes what makes the period closed, drops its rows, and shows it.
func (p *period) finish() error {
	x, s := p.x, settled{Count: p.height() + 1, Last: p.decided.Last, Servers: p.servers}
	if err := p.out.flush(); err != nil {
		return err
	}
	batch := x.store.Batch()
	err := batch.Set(periodKey(tablePeriod, p.height()), wire.Marshal(p.closed), nil)
	if err == nil {
		err = batch.Set([]byte{tableSettled}, wire.Marshal(s), nil)
	}
	for _, table := range dated {
		if err == nil {
			from := periodKey(table, p.height())
			err = batch.DeleteRange(from, derived.After(from), nil)
		}
	}
	if err != nil {
		return err
	}
	if err := x.store.Apply(batch); err != nil {
		return err
	}
	x.publish(func(v *view) { v.settled, v.heads = s, p.closed.heads() })
	return nil
}
