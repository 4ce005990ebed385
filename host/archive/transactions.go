package archive

import (
	"cloister/host/derived"
	"cloister/wire"
	"cloister/wire/record"
)

// Transaction is a recorded transaction: where, and what became of it.
type Transaction struct {
	Height uint64
	Index  uint32 // within the block
	Bytes  []byte // as ordered
	Result wire.Result
}

// Entry is a recorded entry.
type Entry struct {
	Hash   wire.Hash
	Chain  wire.Hash
	Seq    uint64    // within the chain, from 0
	Tx     wire.Hash // the transaction that recorded it
	Height uint64
	TimeMs uint64 // block time
	Bytes  []byte // as hashed; nil in listings without bytes
}

// Transaction finds a recorded transaction. A message that carries its own
// signatures may be recorded many times: it gives the first time it had an
// effect, else the first time. Errors: ErrNotFound, ErrCorrupt.
func (a *Archive) Transaction(id wire.Hash) (*Transaction, error) {
	return caughtUp(a, func() (*Transaction, error) { return a.transaction(id) })
}

func (a *Archive) transaction(id wire.Hash) (*Transaction, error) {
	at, err := a.placeOf(id)
	if err != nil {
		return nil, err
	}
	row, err := a.row(at.height)
	if err != nil {
		return nil, err
	}
	bytes, err := a.slice(row, at.tx, at.txLen)
	if err != nil {
		return nil, err
	}
	tx, err := wire.DecodeTx(bytes)
	if err != nil || tx.ID() != id {
		return nil, a.damaged(at, row, "is not transaction %s", id)
	}
	encoded, err := a.slice(row, at.result, at.resLen)
	if err != nil {
		return nil, err
	}
	r, err := wire.DecodeResult(encoded)
	if err != nil || r.TxID != id {
		return nil, a.damaged(at, row, "has no result of transaction %s", id)
	}
	return &Transaction{at.height, at.index, bytes, *r}, nil
}

func (a *Archive) placeOf(id wire.Hash) (place, error) {
	v, found, err := a.index.rows.Get(hashKey(tableTx, id))
	if err != nil {
		return place{}, err
	}
	if found {
		r, err := decodeTxRow(v)
		if err != nil || r.at.height <= a.Height() {
			return r.at, err
		}
	}
	return place{}, wire.Faultf(wire.ErrNotFound, "transaction %s is not recorded", id)
}

// slice reads bytes of a block's encoding. They are not covered by a checksum
// of their own: callers hold them against an identifier.
func (a *Archive) slice(row blockRow, from, n uint32) ([]byte, error) {
	if uint64(from)+uint64(n) > uint64(row.size) {
		return nil, corrupt("index", "bytes %d to %d of a block of %d", from, from+n, row.size)
	}
	b := make([]byte, n)
	return b, a.blocks.read(row.segment, row.offset+recordHead+uint64(from), b)
}

func (a *Archive) damaged(at place, row blockRow, format string, args ...any) error {
	return corrupt(segmentName(a.blocks.dir, row.segment), "item %d of block %d "+format, append([]any{at.index, at.height}, args...)...)
}

// Entry finds the first recording of an entry. Errors: ErrNotFound, ErrCorrupt.
func (a *Archive) Entry(hash wire.Hash) (*Entry, error) {
	return caughtUp(a, func() (*Entry, error) { return a.entry(hash) })
}

func (a *Archive) entry(hash wire.Hash) (*Entry, error) {
	entries, err := a.Recordings(hash, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, wire.Faultf(wire.ErrNotFound, "entry %s is not recorded", hash)
	}
	return &entries[0], nil
}

// Recordings gives up to limit recordings of an entry, the oldest first; one
// entry may be recorded any number of times. Errors: ErrCorrupt.
func (a *Archive) Recordings(hash wire.Hash, limit int) ([]Entry, error) {
	var rows []entryRow
	from := hashKey(tableEntry, hash)
	err := a.index.rows.Scan(from, derived.After(from), func(_, v []byte) (bool, error) {
		r, err := decodeEntryRow(v)
		if err != nil || r.at.height > a.Height() || limit <= 0 {
			return false, err
		}
		rows = append(rows, r)
		return len(rows) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(rows))
	for i, r := range rows {
		if entries[i], err = a.recorded(hash, r.seq, r.at); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// recorded reads one recording of an entry.
func (a *Archive) recorded(hash wire.Hash, seq uint64, at place) (Entry, error) {
	row, err := a.row(at.height)
	if err != nil {
		return Entry{}, err
	}
	bytes, err := a.slice(row, at.tx, at.txLen)
	if err != nil {
		return Entry{}, err
	}
	tx, err := wire.DecodeTx(bytes)
	if err != nil {
		return Entry{}, a.damaged(at, row, "is no transaction")
	}
	p, err := record.Decode(tx.Payload)
	if err != nil || p.Entry == nil || p.Hash != hash {
		return Entry{}, a.damaged(at, row, "does not record entry %s", hash)
	}
	return Entry{hash, p.Entry.ChainID, seq, tx.ID(), at.height, row.timeMs, p.Bytes}, nil
}

// Chain returns what is stored of a chain. Errors: ErrUnknownChain.
func (a *Archive) Chain(id wire.Hash) (*Chain, error) {
	return caughtUp(a, func() (*Chain, error) { return a.chainInfo(id) })
}

func (a *Archive) chainInfo(id wire.Hash) (*Chain, error) {
	c, found, err := a.index.chain(id)
	switch {
	case err != nil:
		return nil, err
	case !found || c.Created > a.Height():
		return nil, wire.Faultf(wire.ErrUnknownChain, "chain %s is not recorded", id)
	}
	return &c, nil
}

// Entries returns up to limit entries of a chain in order, from number from
// (counted from 0) on; fewer only where the chain, as stored, ends. With bytes
// false the entries themselves are not given. Errors: ErrUnknownChain.
func (a *Archive) Entries(chain wire.Hash, from uint64, limit int, bytes bool) ([]Entry, error) {
	if _, err := a.Chain(chain); err != nil {
		return nil, err
	}
	var rows []memberRow
	err := a.index.rows.Scan(memberKey(chain, from), derived.After(hashKey(tableMember, chain)), func(_, v []byte) (bool, error) {
		r, err := decodeMemberRow(v)
		if err != nil || r.at.height > a.Height() || limit <= 0 {
			return false, err
		}
		rows = append(rows, r)
		return len(rows) < limit, nil
	})
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(rows))
	for i, r := range rows {
		if entries[i], err = a.recorded(r.entry, from+uint64(i), r.at); err != nil {
			return nil, err
		}
		if !bytes {
			entries[i].Bytes = nil
		}
	}
	return entries, nil
}
