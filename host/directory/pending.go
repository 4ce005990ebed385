package directory

import (
	"cloister/host/api/factom"
)

// pendingRows bounds the rows that are looked at for a listing, for each element
// wanted: between commits there may be purchases.
const pendingRows = 16

// Pending implements factom.Source. What is in a period that is over and not
// closed yet is pending too. Entries come without their bytes.
func (x *Index) Pending(limit int) (commits []factom.Commit, entries []factom.Entry, txs []factom.Transaction, err error) {
	v, err := x.view()
	if err != nil {
		return nil, nil, nil, err
	}
	for _, s := range v.Spans {
		if s.Period < v.Count {
			continue
		}
		l := &listing{x: x, v: v, span: s, commits: commits, entries: entries, txs: txs}
		for _, table := range []struct {
			name byte
			take func(at moment, value []byte) error
			have func() int
		}{
			{datedCredit, l.commit, func() int { return len(l.commits) }},
			{datedEntry, l.entry, func() int { return len(l.entries) }},
			{datedFactoid, l.transaction, func() int { return len(l.txs) }},
		} {
			rows := 0
			err := x.store.under(periodKey(table.name, s.Period), func(key, value []byte) (bool, error) {
				if rows++; table.have() >= limit || rows > pendingRows*limit {
					return false, nil
				}
				at, err := momentOf(key)
				if err != nil {
					return false, err
				}
				return true, table.take(at, value)
			})
			if err != nil {
				return nil, nil, nil, err
			}
		}
		commits, entries, txs = l.commits, l.entries, l.txs
	}
	return commits, entries, txs, x.fillUsed(commits)
}

// listing collects what is pending of one period.
type listing struct {
	x       *Index
	v       *view
	span    span
	commits []factom.Commit
	entries []factom.Entry
	txs     []factom.Transaction
}

func (l *listing) place(at moment, timeMs uint64) (factom.Place, error) {
	p, _, err := l.x.place(l.v, at.height, timeMs, l.span.Period)
	return p, err
}

func (l *listing) commit(at moment, value []byte) error {
	timeMs, o, err := decodeCredit(value)
	if err != nil || o.Commit == nil {
		return err
	}
	c := factom.Commit{Raw: o.Commit.Bytes(), Parsed: o.Commit}
	if c.Place, err = l.place(at, timeMs); err == nil {
		l.commits = append(l.commits, c)
	}
	return err
}

func (l *listing) entry(at moment, value []byte) error {
	chain, m, err := decodeOrdered(value)
	if err != nil {
		return err
	}
	e := factom.Entry{Hash: m.entry, Chain: chain}
	if e.Place, err = l.place(at, m.timeMs); err == nil {
		l.entries = append(l.entries, e)
	}
	return err
}

func (l *listing) transaction(at moment, value []byte) error {
	timeMs, t, raw, err := decodeTransaction(value)
	if err != nil {
		return err
	}
	x := factom.Transaction{Raw: append([]byte(nil), raw...), Parsed: t}
	if x.Place, err = l.place(at, timeMs); err == nil {
		l.txs = append(l.txs, x)
	}
	return err
}

// fillUsed says which commits have served. That one came with its entry, only the
// row of its TXID tells.
func (x *Index) fillUsed(commits []factom.Commit) error {
	for i := range commits {
		c := &commits[i]
		s, found, err := row(x.store, hashKey(tableCommit, c.Parsed.TXID()), decodeSpot)
		if err == nil && found {
			c.Used, err = x.used(c.Parsed.EntryHash, s.moment, s.pair)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
