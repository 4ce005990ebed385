package directory

import (
	"encoding/binary"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/record"
)

// Now implements factom.Source. Before the first ledger block it tells of the
// period of the genesis.
func (x *Index) Now() factom.Moment {
	v, periodMs := x.now.Load(), x.calendar.periodMs
	m := factom.Moment{
		Height: v.Count, HasSaved: v.Count > 0, PeriodMs: periodMs, BlockTimeMs: v.TimeMs,
		OpenedMs: record.Period(v.TimeMs, periodMs), Entries: v.Entries, Transactions: v.Txs,
	}
	if m.HasSaved {
		m.Saved = v.Count - 1
	}
	if n := len(v.Spans); n > 0 {
		m.Height, m.OpenedMs = v.Spans[n-1].Period, v.Spans[n-1].OpenedMs
	}
	m.Minute = record.Minute(max(v.TimeMs, m.OpenedMs), m.OpenedMs, periodMs)
	m.MinuteOpenedMs = m.OpenedMs + uint64(m.Minute-1)*periodMs/10
	return m
}

// Directory implements factom.Source. It has the bytes of the admin block alone.
func (x *Index) Directory(height uint32) (*factom.Directory, error) {
	v, err := x.view()
	switch {
	case err != nil:
		return nil, err
	case height >= v.Count:
		return nil, notFound("directory block %d is not closed", height)
	}
	c, err := x.closedPeriod(height)
	if err != nil {
		return nil, err
	}
	d := &c.Directory
	return &factom.Directory{
		Height: d.Height, OpenedMs: d.OpenedMs, KeyMR: d.KeyMR, Admin: d.AdminBlock,
		AdminKey: d.Admin, CreditKey: d.Credit, FactKey: d.Factoid,
	}, nil
}

// Block implements factom.Source. Errors: also ErrTooLarge above MaxRead.
func (x *Index) Block(key wire.Hash) (*factom.Block, error) {
	v, err := x.view()
	if err != nil {
		return nil, err
	}
	r, found, err := row(x.store, hashKey(tableBlock, key), decodeBlockRow)
	switch {
	case err != nil:
		return nil, err
	case !found || r.period >= v.Count:
		return nil, notFound("no block has the key %s", key)
	}
	s, err := x.periods.of(r.period)
	if err != nil {
		return nil, err
	}
	raw, err := r.raw(x.store)
	if err != nil {
		return nil, err
	}
	return &factom.Block{Kind: r.kind, Key: key, Raw: raw, Height: s.Height, OpenedMs: s.OpenedMs}, nil
}

// Entry implements factom.Source.
func (x *Index) Entry(hash wire.Hash) (*factom.Entry, error) {
	v, err := x.view()
	if err != nil {
		return nil, err
	}
	s, found, err := row(x.store, hashKey(tableEntry, hash), decodeSpot)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, notFound("entry %s is not recorded", hash)
	}
	raw, err := x.entryBytes(s.height, s.from, s.n, hash)
	if err != nil {
		return nil, err
	}
	e := &factom.Entry{Hash: hash, Chain: wire.Hash(raw[1:]), Raw: raw}
	closed := (*summary)(nil)
	if e.Place, closed, err = x.place(v, s.height, s.timeMs, s.period); err != nil || closed == nil {
		return e, err
	}
	e.Block, err = x.link(e.Chain, closed.Height)
	return e, err
}

// entryBytes reads an entry out of the archive and holds it against its hash.
func (x *Index) entryBytes(height uint64, from, n uint32, hash wire.Hash) ([]byte, error) {
	raw, err := x.archive.Bytes(height, from, n)
	if err != nil {
		return nil, err
	}
	if len(raw) < wirefactom.EntryHeader || wirefactom.EntryHash(raw) != hash {
		return nil, corrupt("%d bytes at %d of block %d are not entry %s", n, from, height, hash)
	}
	return raw, nil
}

// link is the key of a chain's entry block in a closed period.
func (x *Index) link(chain wire.Hash, period uint32) (key wire.Hash, err error) {
	b, found, err := x.store.Get(linkKey(chain, period))
	if err == nil && (!found || len(b) != len(key)) {
		err = corrupt("chain %s has no entry block in period %d", chain, period)
	}
	copy(key[:], b)
	return key, err
}

// Commit implements factom.Source.
func (x *Index) Commit(txid wire.Hash) (*factom.Commit, error) {
	return x.commit(hashKey(tableCommit, txid), func(k *wirefactom.Commit) bool { return k.TXID() == txid })
}

// CommitOf implements factom.Source.
func (x *Index) CommitOf(entry wire.Hash) (*factom.Commit, error) {
	return x.commit(hashKey(tablePaid, entry), func(k *wirefactom.Commit) bool { return k.EntryHash == entry })
}

func (x *Index) commit(key []byte, is func(*wirefactom.Commit) bool) (*factom.Commit, error) {
	v, err := x.view()
	if err != nil {
		return nil, err
	}
	s, found, err := row(x.store, key, decodeSpot)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, notFound("no such commit is recorded")
	}
	c := new(factom.Commit)
	if c.Raw, err = x.archive.Bytes(s.height, s.from, s.n); err != nil {
		return nil, err
	}
	if c.Parsed, err = wirefactom.ParseCommit(c.Raw); err != nil || !is(c.Parsed) {
		return nil, corrupt("%d bytes at %d of block %d are not the commit asked for", s.n, s.from, s.height)
	}
	if c.Used, err = x.used(c.Parsed.EntryHash, s.moment, s.pair); err != nil {
		return nil, err
	}
	closed := (*summary)(nil)
	if c.Place, closed, err = x.place(v, s.height, s.timeMs, s.period); err != nil {
		return nil, err
	}
	if closed != nil {
		c.Block = closed.Credit
	}
	return c, nil
}

// used reports whether what a commit pays for is recorded: with it, or by a reveal
// after it. Of several that wait for the same entry it does not tell which served.
func (x *Index) used(entry wire.Hash, at moment, pair bool) (bool, error) {
	if pair {
		return true, nil
	}
	last, found, err := row(x.store, hashKey(tableUsed, entry), decodeMoment)
	return found && at.before(last), err
}

// Transaction implements factom.Source. It finds coinbases of closed periods too.
func (x *Index) Transaction(txid wire.Hash) (*factom.Transaction, error) {
	v, err := x.view()
	if err != nil {
		return nil, err
	}
	s, found, err := row(x.store, hashKey(tableFactoid, txid), decodeSpot)
	if err != nil {
		return nil, err
	}
	if !found {
		return x.coinbase(v, txid)
	}
	t := new(factom.Transaction)
	if t.Raw, err = x.archive.Bytes(s.height, s.from, s.n); err != nil {
		return nil, err
	}
	if t.Parsed, _, err = wirefactom.ParseTransaction(t.Raw); err != nil || t.Parsed.TXID() != txid {
		return nil, corrupt("%d bytes at %d of block %d are not factoid transaction %s", s.n, s.from, s.height, txid)
	}
	closed := (*summary)(nil)
	if t.Place, closed, err = x.place(v, s.height, s.timeMs, s.period); err != nil {
		return nil, err
	}
	if closed != nil {
		t.Block = closed.Factoid
	}
	return t, nil
}

func (x *Index) coinbase(v *view, txid wire.Hash) (*factom.Transaction, error) {
	b, found, err := x.store.Get(hashKey(tableCoinbase, txid))
	if err != nil {
		return nil, err
	}
	if !found || len(b) != 4 || binary.BigEndian.Uint32(b) >= v.Count {
		return nil, notFound("factoid transaction %s is not recorded", txid)
	}
	c, err := x.closedPeriod(binary.BigEndian.Uint32(b))
	if err != nil {
		return nil, err
	}
	d := &c.Directory
	t := &factom.Transaction{Raw: d.Coinbase, Place: factom.Place{
		Height: d.Height, Minute: 1, OrderedMs: d.OpenedMs, OpenedMs: d.OpenedMs, Closed: true, Block: d.Factoid, Directory: d.KeyMR,
	}}
	if t.Parsed, _, err = wirefactom.ParseCoinbase(t.Raw); err != nil {
		return nil, corrupt("%v", err)
	}
	return t, nil
}

// ChainHead implements factom.Source.
func (x *Index) ChainHead(chain wire.Hash) (key wire.Hash, pending bool, err error) {
	v, err := x.view()
	if err != nil {
		return key, false, err
	}
	for i, r := range reserved {
		if r == chain {
			return v.heads[i], true, nil // the period in progress has one too
		}
	}
	h, found, err := row(x.store, hashKey(tableHead, chain), decodeHead)
	if err != nil {
		return key, false, err
	}
	if found {
		if key = h.key; h.period >= v.Count { // being closed: not to be seen yet
			key = h.prevKey
		}
	}
	for _, s := range v.Spans {
		if s.Period < v.Count {
			continue
		}
		err := x.store.under(periodHashKey(datedMember, s.Period, chain), func([]byte, []byte) (bool, error) {
			pending = true
			return false, nil
		})
		if err != nil {
			return key, false, err
		}
	}
	if key.IsZero() && !pending {
		return key, false, wire.Faultf(wire.ErrUnknownChain, "chain %s is not recorded", chain)
	}
	return key, pending, nil
}
