package directory

import (
	"bytes"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cloister/host/api/factom"
	"cloister/host/archive"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// taking turns one ledger block into rows. The same block under the same period
// gives the same rows, so that it can be taken back.
type taking struct {
	moment // of the next row
	timeMs uint64
	period uint32
	rows   *rows

	deltas  map[wire.Account]*delta
	ordered factom.Ordered
	entries uint64
	txs     uint64
}

// rows is where the rows of a block go: into the index, or out of it again.
type rows struct {
	batch *pebble.Batch
	back  bool // take back
	err   error
	buf   []byte
}

// dated is a row that goes with its period.
func (r *rows) dated(key, value []byte) {
	if r.err != nil {
		return
	}
	if r.back {
		r.err = r.batch.Delete(key, nil)
	} else {
		r.err = r.batch.Set(key, value, nil)
	}
}

// lasting is a row that says where a message stands, which stays true.
func (r *rows) lasting(key, value []byte) {
	if r.err == nil && !r.back {
		r.err = r.batch.Set(key, value, nil)
	}
}

// take adds the rows of a whole block. What it ordered is in t.ordered then.
// Errors: ErrCorrupt; of the archive.
func (t *taking) take(b *archive.Block) error {
	items, err := b.Items()
	if err != nil {
		return err
	}
	t.deltas = map[wire.Account]*delta{}
	t.ordered.TimeMs = t.timeMs
	for i := range items {
		if err := t.item(&items[i]); err != nil {
			return corrupt("transaction %d of block %d: %v", i, b.Height, err)
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(t.deltas), func(a, b wire.Account) int { return bytes.Compare(a[:], b[:]) }) {
		key := periodHashKey(datedDelta, t.period, wire.Hash(a))
		t.rows.dated(append(key, wire.U64(t.height)...), t.deltas[a].append(nil))
	}
	return t.rows.err
}

func (t *taking) item(it *archive.Item) error {
	tx, err := wire.DecodeTx(it.Bytes)
	if err != nil {
		return err
	}
	r, err := wire.DecodeResult(it.Result)
	if err != nil {
		return err
	}
	if !tx.Carries() && (r.Credits > 0 || r.Fee > 0) {
		d := t.delta(wire.AccountOf(tx.Payer))
		d.credits -= int64(r.Credits)
		d.factoshis -= int64(r.Fee)
	}
	if tx.Family != record.Name && tx.Family != token.Name {
		return nil
	}
	m := &message{taking: t, payload: tx.Payload, result: r}
	// A payload stands in its transaction as it is, and any place with the same
	// bytes will do.
	m.from = it.At + uint32(max(0, bytes.Index(it.Bytes, tx.Payload)))
	if tx.Family == token.Name {
		return m.transaction()
	}
	return m.record()
}

func (t *taking) delta(a wire.Account) *delta {
	d := t.deltas[a]
	if d == nil {
		d = new(delta)
		t.deltas[a] = d
	}
	return d
}

// next counts rows within the block.
func (t *taking) next() moment {
	m := t.moment
	t.number++
	return m
}

// message is one message of Factom's.
type message struct {
	*taking
	payload []byte
	from    uint32 // where the payload begins within the block's encoding
	result  *wire.Result
}

// spot is where n bytes of the payload from an offset on stand.
func (m *message) spot(at moment, offset, n int) spot {
	return spot{moment: at, from: m.from + uint32(offset), n: uint32(n), timeMs: m.timeMs, period: m.period}
}

func (m *message) refused(id wire.Hash) { m.ordered.Refused = append(m.ordered.Refused, id) }

// record takes a payload of the record family. One that the rules refused has no
// effect, whatever it is.
func (m *message) record() error {
	p, err := record.Decode(m.payload)
	switch {
	case err != nil && m.result.Code != wire.OK:
		return nil
	case err != nil:
		return err
	case p.Sign != nil:
		return nil // an act of a server: the ledger's state has the admin block
	case m.result.Code == wire.OK:
		if p.Commit != nil {
			m.commit(p)
		}
		if p.Entry != nil {
			m.entry(p)
		}
		return nil
	case p.Commit != nil:
		m.refused(p.Commit.TXID())
		return nil
	}
	m.refused(p.Hash)
	return nil
}

func (m *message) commit(p *record.Payload) {
	k, at := p.Commit, m.next()
	s := m.spot(at, 1, len(p.Paid))
	s.pair = p.Entry != nil
	value := s.append(nil)
	txid := k.TXID()
	m.rows.lasting(hashKey(tableCommit, txid), value)
	m.rows.lasting(hashKey(tablePaid, k.EntryHash), value)
	object := wirefactom.CommitObject(k)
	row := append(timed(m.timeMs), byte(object.Kind))
	m.rows.dated(at.at(periodKey(datedCredit, m.period)), append(row, p.Paid...))
	m.delta(wire.AccountOf(k.Payer)).credits -= int64(k.Credits)
	m.ordered.Commits = append(m.ordered.Commits, k.EntryHash)
	m.ordered.TXIDs = append(m.ordered.TXIDs, txid)
	m.txs++
}

func (m *message) entry(p *record.Payload) {
	at := m.next()
	s := m.spot(at, len(m.payload)-len(p.Bytes), len(p.Bytes))
	m.rows.lasting(hashKey(tableEntry, p.Hash), s.append(nil))
	if p.Kind == record.KindReveal {
		m.rows.lasting(hashKey(tableUsed, p.Hash), at.encode())
	}
	chain, row := p.Entry.ChainID, member{p.Hash, s.from, s.n, m.timeMs}
	m.rows.dated(at.at(periodHashKey(datedMember, m.period, chain)), row.append(nil))
	m.rows.dated(at.at(periodKey(datedEntry, m.period)), row.append(append([]byte{}, chain[:]...)))
	m.ordered.Entries = append(m.ordered.Entries, p.Hash)
	// Perhaps the chain was there: who is told of it once more tries in vain.
	if chain == wirefactom.ChainID(p.Entry.ExtIDs) {
		m.ordered.Chains = append(m.ordered.Chains, chain)
	}
	m.entries++
}

// transaction takes a payload of the token family. The credits that an entry
// credit output buys follow from the rate of the period: the row has the
// amount in their place.
func (m *message) transaction() error {
	t, rest, err := wirefactom.ParseTransaction(m.payload)
	if err == nil && len(rest) > 0 {
		err = corrupt("%d bytes follow the factoid transaction", len(rest))
	}
	switch {
	case err != nil && m.result.Code != wire.OK:
		return nil
	case err != nil:
		return err
	}
	txid := t.TXID()
	if m.result.Code != wire.OK {
		m.refused(txid)
		return nil
	}
	at := m.next()
	s := m.spot(at, 0, len(m.payload))
	m.rows.lasting(hashKey(tableFactoid, txid), s.append(nil))
	m.rows.dated(at.at(periodKey(datedFactoid, m.period)), append(timed(m.timeMs), m.payload...))
	for i := range t.Inputs {
		m.delta(wire.Account(t.Inputs[i].Address)).factoshis -= int64(t.Inputs[i].Amount)
	}
	for i := range t.Outputs {
		to := wire.Account(t.Outputs[i].Address)
		m.delta(to).factoshis += int64(t.Outputs[i].Amount)
		m.ordered.Credited = append(m.ordered.Credited, to)
	}
	for i := range t.ECOutputs {
		out := &t.ECOutputs[i]
		key := wire.PublicKey(out.Address)
		increase := &wirefactom.BalanceIncrease{Key: key, TXID: txid, Index: uint64(i), Credits: out.Amount}
		m.rows.dated(m.next().at(periodKey(datedCredit, m.period)), wirefactom.IncreaseObject(increase).Append(timed(m.timeMs)))
		d := m.delta(wire.AccountOf(key))
		d.bought = append(d.bought, out.Amount)
		m.ordered.Credited = append(m.ordered.Credited, wire.AccountOf(key))
	}
	m.ordered.TXIDs = append(m.ordered.TXIDs, txid)
	m.txs++
	return nil
}
