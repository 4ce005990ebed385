package directory_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"cloister/core/families/record/directory"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// oracle says what the blocks of the data layer are, the slow way: it keeps all
// messages of all periods in memory and builds whole blocks of them.
type oracle struct {
	testing.TB
	params  record.Params
	servers []server
	first   token.Params // the genesis's money
	blocks  []*period    // by height

	rate     uint64
	coming   *token.Rate
	promises map[uint32][]factom.TransAddress // by height of the descriptor
	minted   uint64
}

type server struct {
	id  wire.NodeID
	key wire.PublicKey
}

// period is what happened in one, and then its blocks.
type period struct {
	height      uint32
	opened      uint64
	first, last uint64
	rate        uint64
	admin       []factom.AdminMessage
	credit      []factom.ECObjectAt
	factoid     []factom.TransactionAt
	entries     map[wire.Hash][]factom.EntryAt

	adminBlock     *factom.AdminBlock
	creditBlock    *factom.ECBlock
	factoidBlock   *factom.FactoidBlock
	entryBlocks    map[wire.Hash]*factom.EntryBlock
	directoryBlock *factom.DirectoryBlock
}

func newOracle(t testing.TB, c *ledgertest.Chain) *oracle {
	o := &oracle{TB: t, promises: map[uint32][]factom.TransAddress{}}
	for _, f := range c.Genesis.Families {
		switch f.Name {
		case token.Name:
			p, err := token.ParseParams(f.Params)
			o.check(err)
			o.first, o.rate = *p, p.Rate
		case record.Name:
			p, err := record.ParseParams(f.Params)
			o.check(err)
			o.params = *p
		}
	}
	for _, m := range c.Ledger.Tip().Roster.Set.Members {
		o.servers = append(o.servers, server{m.ID, m.Key})
	}
	return o
}

func (o *oracle) check(err error) {
	if err != nil {
		o.Helper()
		o.Fatal(err)
	}
}

// block takes in one executed block. closed is how many periods were closed before it.
func (o *oracle) block(c *ledgertest.Chain, done *ledger.Executed, closed uint32, txs []*wire.Tx) {
	h := done.Header
	opening := h.TimeMs / o.params.PeriodMs * o.params.PeriodMs
	if n := uint32(len(o.blocks)); n == 0 || closed == n-1 && opening > o.blocks[n-1].opened {
		o.open(h.Height, opening)
	}
	p := o.blocks[len(o.blocks)-1]
	p.last = h.Height
	minute := uint8(min(10, 1+(h.TimeMs-p.opened)*10/o.params.PeriodMs))
	for i, tx := range txs {
		if c.Result(done, i).Code == wire.OK {
			o.message(p, minute, tx)
		}
	}
}

// open begins a period with what is due.
func (o *oracle) open(height, opening uint64) {
	p := &period{height: uint32(len(o.blocks)), opened: opening, first: height, entries: map[wire.Hash][]factom.EntryAt{}}
	o.blocks = append(o.blocks, p)
	if o.coming != nil && o.coming.From <= p.height {
		o.rate, o.coming = o.coming.Factoshis, nil
	}
	p.rate = o.rate
	base := &factom.Transaction{TimestampMs: opening}
	p.factoid = append(p.factoid, factom.TransactionAt{Minute: 1, Transaction: base})
	if p.height == 0 {
		o.openFirst(p, base)
		return
	}
	rules := o.first.Coinbase
	if rules == nil {
		return
	}
	if p.height > rules.Delay {
		for _, out := range o.promises[p.height-rules.Delay] {
			if out.Amount > 0 {
				base.Outputs = append(base.Outputs, out)
				o.minted += out.Amount
			}
		}
		delete(o.promises, p.height-rules.Delay)
	}
	if p.height%rules.Every == 0 {
		d := &factom.CoinbaseDescriptor{}
		for _, s := range o.servers {
			d.Outputs = append(d.Outputs, factom.TransAddress{Amount: rules.Factoshis, Address: factom.RCDHash(s.key)})
		}
		o.promises[p.height] = slices.Clone(d.Outputs)
		p.admin = append(p.admin, d)
	}
}

func (o *oracle) openFirst(p *period, base *factom.Transaction) {
	for _, s := range o.servers {
		p.admin = append(p.admin,
			&factom.ServerChange{Kind: factom.AdminAddFederated, Identity: s.id},
			&factom.SigningKey{Identity: s.id, Key: s.key})
	}
	for _, k := range o.params.AnchorKeys {
		p.admin = append(p.admin, anchorMessage(&k))
	}
	var credits []*factom.BalanceIncrease
	for _, a := range o.first.Allocations {
		account, err := wire.ParseAccount(a.Address)
		o.check(err)
		if a.Factoshis > 0 {
			base.AddOutput(a.Factoshis, account)
		}
		if kind, key, err := wire.ParseAddress(a.Address); err == nil && kind == wire.CreditAddressKind {
			credits = append(credits, &factom.BalanceIncrease{Key: key, Index: uint64(len(credits)), Credits: a.Credits})
		}
	}
	for _, i := range credits {
		i.TXID = base.TXID()
		p.credit = append(p.credit, factom.ECObjectAt{Minute: 1, Object: factom.IncreaseObject(i)})
	}
}

func anchorMessage(k *record.AnchorKey) factom.AdminMessage {
	return &factom.BitcoinKey{Identity: k.Node, Priority: k.Priority, Script: k.Type, Hash160: k.Key}
}

// message takes in one that had its effect.
func (o *oracle) message(p *period, minute uint8, tx *wire.Tx) {
	switch tx.Family {
	case token.Name:
		t, _, err := factom.ParseTransaction(tx.Payload)
		o.check(err)
		p.factoid = append(p.factoid, factom.TransactionAt{Minute: minute, Transaction: t})
		for i, out := range t.ECOutputs {
			p.credit = append(p.credit, factom.ECObjectAt{Minute: minute, Object: factom.IncreaseObject(&factom.BalanceIncrease{
				Key: wire.PublicKey(out.Address), TXID: t.TXID(), Index: uint64(i), Credits: out.Amount / p.rate,
			})})
		}
	case record.Name:
		m, err := record.Decode(tx.Payload)
		o.check(err)
		if m.Commit != nil {
			p.credit = append(p.credit, factom.ECObjectAt{Minute: minute, Object: factom.CommitObject(m.Commit)})
		}
		if m.Entry != nil {
			p.entries[m.Entry.ChainID] = append(p.entries[m.Entry.ChainID], factom.EntryAt{Minute: minute, Hash: m.Hash})
		}
		if m.Sign != nil {
			p.admin = append(p.admin, &factom.BlockSignature{Identity: wire.NodeIDOf(tx.Payer), Key: tx.Payer, Signature: m.Sign.Signature})
		}
	case authorityName:
		o.order(p, tx.Payload)
	}
}

func (o *oracle) order(p *period, payload []byte) {
	if payload[0] == 'r' {
		order, err := record.DecodeOrder(payload[1:])
		o.check(err)
		p.admin = append(p.admin, anchorMessage(order.AnchorKey))
		return
	}
	order, err := token.DecodeOrder(payload[1:])
	o.check(err)
	if order.Rate != nil {
		o.coming = &token.Rate{Factoshis: order.Rate.Factoshis, From: max(order.Rate.From, p.height+2)}
		return
	}
	o.promises[order.Cancel.Height][order.Cancel.Index].Amount = 0
	p.admin = append(p.admin, &factom.CoinbaseCancel{Height: uint64(order.Cancel.Height), Index: uint64(order.Cancel.Index)})
}

// build makes the blocks of a period out of those before it.
func (o *oracle) build(height uint32) *period {
	p, before := o.blocks[height], &period{}
	if height > 0 {
		before = o.blocks[height-1]
	}
	var err error
	a := factom.AdminBlockHeader{Height: height}
	e := factom.ECBlockHeader{Height: height}
	f := factom.FactoidBlockHeader{Height: height, Rate: p.rate}
	d := factom.DirectoryBlockHeader{NetworkID: o.params.NetworkID, Minutes: uint32(p.opened / 60_000), Height: height}
	if height > 0 {
		a.PrevBackRefHash = before.adminBlock.BackRefHash()
		e.PrevHeaderHash, e.PrevFullHash = before.creditBlock.HeaderHash(), before.creditBlock.FullHash()
		f.PrevKeyMR, f.PrevLedgerKeyMR = before.factoidBlock.KeyMR(), before.factoidBlock.LedgerKeyMR()
		d.PrevKeyMR, d.PrevFullHash = before.directoryBlock.KeyMR(), before.directoryBlock.FullHash()
	}
	p.adminBlock, err = factom.NewAdminBlock(a, p.admin)
	o.check(err)
	p.creditBlock, err = factom.NewECBlock(e, p.credit)
	o.check(err)
	p.factoidBlock, err = factom.NewFactoidBlock(f, p.factoid)
	o.check(err)
	pairs := []factom.Pair{
		{ChainID: factom.AdminChain, Key: p.adminBlock.LookupHash()},
		{ChainID: factom.EntryCreditChain, Key: p.creditBlock.HeaderHash()},
		{ChainID: factom.FactoidChain, Key: p.factoidBlock.KeyMR()},
	}
	p.entryBlocks = map[wire.Hash]*factom.EntryBlock{}
	for _, id := range sortedChains(p.entries) {
		h := factom.EntryBlockHeader{ChainID: id, Height: height}
		for older := int(height) - 1; older >= 0; older-- {
			if last := o.blocks[older].entryBlocks[id]; last != nil {
				h.PrevKeyMR, h.PrevFullHash, h.Sequence = last.KeyMR(), last.FullHash(), last.Header.Sequence+1
				break
			}
		}
		p.entryBlocks[id], err = factom.NewEntryBlock(h, p.entries[id])
		o.check(err)
		pairs = append(pairs, factom.Pair{ChainID: id, Key: p.entryBlocks[id].KeyMR()})
	}
	p.directoryBlock, err = factom.NewDirectoryBlock(d, pairs)
	o.check(err)
	return p
}

func sortedChains(entries map[wire.Hash][]factom.EntryAt) (ids []wire.Hash) {
	for id := range entries {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// compare holds the state's word for a closed period against the blocks.
func (o *oracle) compare(c *ledgertest.Chain, height uint32) {
	o.Helper()
	p := o.build(height)
	coinbase := p.factoid[0].Transaction.Bytes()
	want := record.Directory{
		Height: height, OpenedMs: p.opened, First: p.first, Last: p.last, Rate: p.rate,
		KeyMR: p.directoryBlock.KeyMR(), FullHash: p.directoryBlock.FullHash(),
		Admin: p.adminBlock.LookupHash(), Credit: p.creditBlock.HeaderHash(), Factoid: p.factoidBlock.KeyMR(),
		Coinbase: coinbase, AdminBlock: p.adminBlock.Bytes(),
	}
	got, ok := ledgertest.Load[record.Directory](c, record.Name, record.DirectoryKey(height))
	if !ok || !bytes.Equal(wire.Marshal(got), wire.Marshal(want)) {
		o.Fatalf("period %d is\n%+v\nwant\n%+v", height, got, want)
	}
	tail := tailOf(c)
	if !bytes.Equal(tail.Header, p.directoryBlock.Header.Bytes()) || tail.DirectoryFull != want.FullHash || tail.CreditFull != p.creditBlock.FullHash() ||
		tail.Admin != p.adminBlock.BackRefHash() || tail.FactoidLedger != p.factoidBlock.LedgerKeyMR() {
		o.Fatalf("the tail of period %d is %+v", height, tail)
	}
}

func tailOf(c *ledgertest.Chain) (tail *directory.Tail) {
	c.View(func(v *ledger.View) {
		var err error
		if tail, err = directory.LoadTail(v.State(record.Name)); err != nil {
			c.Fatal(err)
		}
	})
	return tail
}

func progress(c *ledgertest.Chain) record.Progress {
	c.Helper()
	p, ok := ledgertest.Load[record.Progress](c, record.Name, record.ProgressKey)
	if !ok {
		c.Fatal("no progress in state")
	}
	return p
}

// rows counts what a closed period has left behind.
func rows(c *ledgertest.Chain, height uint32) (n int) {
	for _, table := range "ekfap" {
		lo := append([]byte("arecord\x00"), byte(table))
		lo = binary.BigEndian.AppendUint32(lo, height)
		hi := append(bytes.Clone(lo[:len(lo)-4]), binary.BigEndian.AppendUint32(nil, height+1)...)
		if err := c.Store.Iter(lo, hi, func(_, _ []byte) bool { n++; return true }); err != nil {
			c.Fatal(err)
		}
	}
	return n
}
