package directory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// ledger is what a core would make of the blocks of a test, computed the slow way:
// everything of a period is kept, and its blocks are built as wholes.
type ledger struct {
	t        testing.TB
	mu       sync.Mutex
	params   *record.Params
	start    *token.Params
	members  []wire.GenesisMember
	slow     int                                       // blocks that closing takes
	lag      uint64                                    // how far the state that can be asked is behind
	admin    func(period uint32) []factom.AdminMessage // more messages of a period
	wrong    func(d *record.Directory)                 // what is wrong in the state
	unready  int                                       // questions to refuse
	progress []record.Progress                         // after each block
	closed   []*record.Directory
	closedAt []uint64
	sets     []*set
	balances map[wire.Account]token.Balance
	then     []map[wire.Account]token.Balance // after each block

	open    *set
	closing *set
	left    int
	heads   map[wire.Hash]*factom.EntryBlock
	times   map[uint64]uint64
}

// set is everything of one period, and then its blocks.
type set struct {
	opened, first, last, rate uint64
	height                    uint32
	objects                   []factom.ECObjectAt
	transactions              []factom.TransactionAt
	entries                   map[wire.Hash][]factom.EntryAt

	directory *factom.DirectoryBlock
	adminB    *factom.AdminBlock
	credit    *factom.ECBlock
	factoid   *factom.FactoidBlock
	blocks    map[wire.Hash]*factom.EntryBlock // by chain
}

func newLedger(t testing.TB, g *wire.Genesis) *ledger {
	t.Helper()
	l := &ledger{t: t, members: g.Members, heads: map[wire.Hash]*factom.EntryBlock{}, balances: map[wire.Account]token.Balance{}, times: map[uint64]uint64{}}
	var err error
	if l.params, err = record.ParseParams(paramsOf(g, record.Name)); err != nil {
		t.Fatal(err)
	}
	if l.start, err = token.ParseParams(paramsOf(g, token.Name)); err != nil {
		t.Fatal(err)
	}
	for _, a := range l.start.Allocations {
		account, err := wire.ParseAccount(a.Address)
		if err != nil {
			t.Fatal(err)
		}
		l.balances[account] = token.Balance{Factoshis: a.Factoshis, Credits: a.Credits}
	}
	l.progress = []record.Progress{{PeriodMs: l.params.PeriodMs, Network: l.params.NetworkID, OpenedMs: record.Period(g.TimeMs, l.params.PeriodMs)}}
	l.then = []map[wire.Account]token.Balance{maps.Clone(l.balances)}
	return l
}

// Progress implements Ledger.
func (l *ledger) Progress(context.Context) (*record.Progress, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unready > 0 {
		l.unready--
		return nil, 0, wire.Faultf(wire.ErrNotReady, "not yet")
	}
	at := l.asOf()
	p := l.progress[at]
	return &p, at, nil
}

func (l *ledger) asOf() uint64 {
	top := uint64(len(l.progress) - 1)
	return top - min(l.lag, top)
}

// Directory implements Ledger.
func (l *ledger) Directory(_ context.Context, height uint32) (*record.Directory, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unready > 0 {
		l.unready--
		return nil, wire.Faultf(wire.ErrNotReady, "not yet")
	}
	if int(height) >= len(l.closed) || l.closedAt[height] > l.asOf() {
		return nil, notFound("not closed")
	}
	d := *l.closed[height]
	if l.wrong != nil {
		l.wrong(&d)
	}
	return &d, nil
}

// execute carries out a block.
func (l *ledger) execute(height, timeMs uint64, b archivetest.Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.progress[len(l.progress)-1]
	later := record.Period(timeMs, p.PeriodMs) > p.OpenedMs
	if p.First == 0 || later && p.Closed >= p.Height {
		if p.First > 0 {
			l.open.last = height - 1
			l.closing, l.left = l.open, max(l.slow, 1)
			p.Height++
		}
		p.OpenedMs, p.First = record.Period(timeMs, p.PeriodMs), height
		p.Rate = archivetest.Rate + uint64(p.Height)%3*7
		l.begin(&p)
	}
	for i, tx := range b.Txs {
		code := wire.OK
		if i < len(b.Codes) {
			code = b.Codes[i]
		}
		l.carryOut(tx, code, l.minute(&p, timeMs))
	}
	if l.closing != nil {
		if l.left--; l.left == 0 {
			l.close(l.closing)
			l.closedAt = append(l.closedAt, height)
			l.closing = nil
			p.Closed++
		}
	}
	l.times[height] = timeMs
	l.progress = append(l.progress, p)
	l.then = append(l.then, maps.Clone(l.balances))
}

func (l *ledger) minute(p *record.Progress, timeMs uint64) uint8 {
	m := uint8(1)
	for m < 10 && timeMs >= p.OpenedMs+uint64(m)*p.PeriodMs/10 {
		m++
	}
	return m
}

func (l *ledger) begin(p *record.Progress) {
	l.open = &set{
		opened: p.OpenedMs, first: p.First, rate: p.Rate, height: p.Height,
		entries: map[wire.Hash][]factom.EntryAt{}, blocks: map[wire.Hash]*factom.EntryBlock{},
	}
	base := &factom.Transaction{TimestampMs: p.OpenedMs}
	if p.Height == 0 {
		for _, a := range l.start.Allocations {
			account, _ := wire.ParseAccount(a.Address)
			base.AddOutput(a.Factoshis, account)
		}
	}
	l.open.transactions = append(l.open.transactions, factom.TransactionAt{Minute: 1, Transaction: base})
	if p.Height > 0 {
		return
	}
	for i, a := range l.start.Allocations {
		_, key, err := wire.ParseAddress(a.Address)
		if err != nil {
			l.t.Fatal(err)
		}
		l.credited(1, &factom.BalanceIncrease{Key: key, TXID: base.TXID(), Index: uint64(i), Credits: a.Credits})
	}
}

func (l *ledger) credited(minute uint8, i *factom.BalanceIncrease) {
	l.open.objects = append(l.open.objects, factom.ECObjectAt{Minute: minute, Object: factom.IncreaseObject(i)})
}

func (l *ledger) add(a wire.Account, factoshis, credits int64) {
	b := l.balances[a]
	b.Factoshis, b.Credits = uint64(int64(b.Factoshis)+factoshis), uint64(int64(b.Credits)+credits)
	l.balances[a] = b
}

func (l *ledger) carryOut(tx *wire.Tx, code wire.Code, minute uint8) {
	if !tx.Carries() {
		l.add(wire.AccountOf(tx.Payer), 0, -1) // archivetest: every transaction costs a credit
	}
	if code != wire.OK || tx.Family != record.Name && tx.Family != token.Name {
		return
	}
	if tx.Family == token.Name {
		t, _, err := factom.ParseTransaction(tx.Payload)
		if err != nil {
			l.t.Fatal(err)
		}
		l.open.transactions = append(l.open.transactions, factom.TransactionAt{Minute: minute, Transaction: t})
		for _, in := range t.Inputs {
			l.add(wire.Account(in.Address), -int64(in.Amount), 0)
		}
		for _, out := range t.Outputs {
			l.add(wire.Account(out.Address), int64(out.Amount), 0)
		}
		for i, out := range t.ECOutputs {
			n := out.Amount / l.open.rate
			l.credited(minute, &factom.BalanceIncrease{Key: wire.PublicKey(out.Address), TXID: t.TXID(), Index: uint64(i), Credits: n})
			l.add(wire.AccountOf(wire.PublicKey(out.Address)), 0, int64(n))
		}
		return
	}
	p, err := record.Decode(tx.Payload)
	if err != nil {
		l.t.Fatal(err)
	}
	if p.Commit != nil {
		l.open.objects = append(l.open.objects, factom.ECObjectAt{Minute: minute, Object: factom.CommitObject(p.Commit)})
		l.add(wire.AccountOf(p.Commit.Payer), 0, -int64(p.Commit.Credits))
	}
	if p.Entry != nil {
		l.open.entries[p.Entry.ChainID] = append(l.open.entries[p.Entry.ChainID], factom.EntryAt{Minute: minute, Hash: p.Hash})
	}
}

// close builds the blocks of a period.
func (l *ledger) close(s *set) {
	var before *set
	if s.height > 0 {
		before = l.sets[s.height-1]
	}
	must := func(err error) {
		if err != nil {
			l.t.Fatal(err)
		}
	}
	var err error
	var messages []factom.AdminMessage
	if s.height == 0 {
		for _, m := range l.members {
			id := wire.NodeIDOf(m.Key)
			messages = append(messages, &factom.ServerChange{Kind: factom.AdminAddFederated, Identity: id}, &factom.SigningKey{Identity: id, Key: m.Key})
		}
	}
	if l.admin != nil {
		messages = append(messages, l.admin(s.height)...)
	}
	a := factom.AdminBlockHeader{Height: s.height}
	c := factom.ECBlockHeader{Height: s.height}
	f := factom.FactoidBlockHeader{Height: s.height, Rate: s.rate}
	d := factom.DirectoryBlockHeader{NetworkID: l.params.NetworkID, Height: s.height, Minutes: uint32(s.opened / 60_000)}
	if before != nil {
		a.PrevBackRefHash = before.adminB.BackRefHash()
		c.PrevHeaderHash, c.PrevFullHash = before.credit.HeaderHash(), before.credit.FullHash()
		f.PrevKeyMR, f.PrevLedgerKeyMR = before.factoid.KeyMR(), before.factoid.LedgerKeyMR()
		d.PrevKeyMR, d.PrevFullHash = before.directory.KeyMR(), before.directory.FullHash()
	}
	s.adminB, err = factom.NewAdminBlock(a, messages)
	must(err)
	s.credit, err = factom.NewECBlock(c, s.objects)
	must(err)
	s.factoid, err = factom.NewFactoidBlock(f, s.transactions)
	must(err)
	pairs := []factom.Pair{
		{ChainID: factom.AdminChain, Key: s.adminB.LookupHash()},
		{ChainID: factom.EntryCreditChain, Key: s.credit.HeaderHash()},
		{ChainID: factom.FactoidChain, Key: s.factoid.KeyMR()},
	}
	var chains []wire.Hash
	for chain := range s.entries {
		chains = append(chains, chain)
	}
	slices.SortFunc(chains, func(a, b wire.Hash) int { return slices.Compare(a[:], b[:]) })
	for _, chain := range chains {
		h := factom.EntryBlockHeader{ChainID: chain, Height: s.height}
		if b := l.heads[chain]; b != nil {
			h.PrevKeyMR, h.PrevFullHash, h.Sequence = b.KeyMR(), b.FullHash(), b.Header.Sequence+1
		}
		b, err := factom.NewEntryBlock(h, s.entries[chain])
		must(err)
		l.heads[chain], s.blocks[chain] = b, b
		pairs = append(pairs, factom.Pair{ChainID: chain, Key: b.KeyMR()})
	}
	s.directory, err = factom.NewDirectoryBlock(d, pairs)
	must(err)
	l.sets = append(l.sets, s)
	l.closed = append(l.closed, &record.Directory{
		Height: s.height, OpenedMs: s.opened, First: s.first, Last: s.last, Rate: s.rate,
		KeyMR: s.directory.KeyMR(), FullHash: s.directory.FullHash(),
		Admin: s.adminB.LookupHash(), Credit: s.credit.HeaderHash(), Factoid: s.factoid.KeyMR(),
		Coinbase: s.transactions[0].Transaction.Bytes(), AdminBlock: s.adminB.Bytes(),
	})
}
