package archive

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/host/derived"
	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/record"
)

// cachedChains is how many heads of chains are kept in memory.
const cachedChains = 65_536

// index is the derived half of the archive. Writing belongs to the owner
// goroutine; reading is safe from everywhere. After a crash it is brought up to the
// segments again.
type index struct {
	rows   *derived.Rows
	chains map[wire.Hash]Chain // newest heads; owner only
}

// openIndex opens the rows; background is told of work on them that failed.
func openIndex(fs vfs.FS, dir string, background func(error)) (*index, error) {
	rows, err := derived.Open(dir, derived.Options{FS: fs, Name: "archive", Closed: ErrClosed, Background: background})
	if err != nil {
		return nil, err
	}
	return &index{rows: rows, chains: map[wire.Hash]Chain{}}, nil
}

// add indexes a group of consecutive blocks, of which size were there before,
// in one batch. end is where the last one's record ends.
func (x *index) add(group []*block, end uint64) error {
	batch := x.rows.Batch()
	touched, err := x.addGroup(batch, group, end)
	if err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := x.rows.Apply(batch); err != nil {
		return err
	}
	x.remember(touched)
	return nil
}

func (x *index) addGroup(batch *pebble.Batch, group []*block, end uint64) (touched map[wire.Hash]Chain, err error) {
	touched, placed := map[wire.Hash]Chain{}, map[wire.Hash]bool{}
	for _, b := range group {
		if err := x.addBlock(batch, b, touched); err != nil {
			return nil, err
		}
		if err := x.addTxs(batch, b, placed); err != nil {
			return nil, err
		}
	}
	for id, c := range touched {
		if err := batch.Set(hashKey(tableChain, id), c.encode(), nil); err != nil {
			return nil, err
		}
	}
	if err := x.addTiles(batch, group); err != nil {
		return nil, err
	}
	last := group[len(group)-1]
	p := position{last.height, last.row.segment, end}
	return touched, batch.Set([]byte{tablePosition}, p.encode(), nil)
}

func (x *index) addBlock(batch *pebble.Batch, b *block, touched map[wire.Hash]Chain) error {
	errs := []error{
		batch.Set(numberKey(tableBlock, b.height), b.row.encode(), nil),
		batch.Set(hashKey(tableHash, b.row.hash), wire.U64(b.height), nil),
	}
	if b.row.seal > 0 {
		errs = append(errs, batch.Set(numberKey(tableSealed, b.height), nil, nil))
	}
	if b.handover > 0 {
		errs = append(errs, batch.Set(numberKey(tableHandover, b.handover), wire.U64(b.height), nil))
	}
	if b.firstOfExec {
		errs = append(errs, batch.Set(numberKey(tableExec, b.row.execHeight), wire.U64(b.height), nil))
	}
	for i := range b.txs {
		t := &b.txs[i]
		if t.entry.IsZero() {
			continue
		}
		c, err := x.head(t.chain, touched)
		if err != nil {
			return err
		}
		if c.Entries == 0 {
			c.Created = b.height
		}
		at := entryRow{c.Entries, t.at}
		member := memberRow{t.entry, t.at}
		errs = append(errs,
			batch.Set(entryKey(t.entry, b.height, t.at.index), at.encode(), nil),
			batch.Set(memberKey(t.chain, c.Entries), member.encode(), nil))
		c.Head = record.NextHead(c.Head, c.Entries, t.entry)
		c.Entries, c.Updated = c.Entries+1, b.height
		touched[t.chain] = c
	}
	return errors.Join(errs...)
}

// addTxs says where a block's transactions stand. One that is known stays where
// it is, unless it has its effect only now. placed holds those of the group, and
// whether they had it.
func (x *index) addTxs(batch *pebble.Batch, b *block, placed map[wire.Hash]bool) error {
	var value []byte
	for i := range b.txs {
		t := &b.txs[i]
		ok, known := placed[t.id]
		if !known && !t.once {
			row, found, err := x.tx(t.id)
			if err != nil {
				return err
			}
			ok, known = row.ok, found
		}
		placed[t.id] = ok || t.ok
		if known && (ok || !t.ok) {
			continue
		}
		row := txRow{t.ok, t.at}
		value = row.append(value[:0])
		if err := batch.Set(hashKey(tableTx, t.id), value, nil); err != nil {
			return err
		}
	}
	return nil
}

// head finds a chain's newest form: of this group, of memory, of the index.
func (x *index) head(id wire.Hash, touched map[wire.Hash]Chain) (Chain, error) {
	if c, ok := touched[id]; ok {
		return c, nil
	}
	if c, ok := x.chains[id]; ok {
		return c, nil
	}
	c, found, err := x.chain(id)
	if !found {
		c.ID = id
	}
	return c, err
}

// remember keeps the heads a group wrote. When there are too many all are
// forgotten: the index has them.
func (x *index) remember(touched map[wire.Hash]Chain) {
	if len(x.chains)+len(touched) > cachedChains {
		clear(x.chains)
	}
	for id, c := range touched {
		x.chains[id] = c
	}
}

// addTiles grows both trees by a group.
func (x *index) addTiles(batch *pebble.Batch, group []*block) error {
	history, results := make([]wire.Hash, len(group)), make([]wire.Hash, len(group))
	for i, b := range group {
		history[i], results[i] = merkle.LeafHash(b.row.hash[:]), merkle.LeafHash(b.results[:])
	}
	for _, tree := range []struct {
		table  byte
		leaves []wire.Hash
	}{{tableHistory, history}, {tableResults, results}} {
		changed, err := merkle.AppendTiles(x.tiles(tree.table), group[0].height, tree.leaves)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		for _, t := range changed {
			if err := batch.Set(tileKey(tree.table, t.Level, t.Index), t.Data, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *index) position() (p position, found bool, err error) {
	v, found, err := x.rows.Get([]byte{tablePosition})
	if err != nil || !found {
		return p, false, err
	}
	p, err = decodePosition(v)
	return p, true, err
}

func (x *index) block(height uint64) (r blockRow, found bool, err error) {
	v, found, err := x.rows.Get(numberKey(tableBlock, height))
	if err != nil || !found {
		return r, false, err
	}
	r, err = decodeBlockRow(v)
	return r, true, err
}

func (x *index) tx(id wire.Hash) (r txRow, found bool, err error) {
	v, found, err := x.rows.Get(hashKey(tableTx, id))
	if err != nil || !found {
		return r, false, err
	}
	r, err = decodeTxRow(v)
	return r, true, err
}

func (x *index) chain(id wire.Hash) (c Chain, found bool, err error) {
	v, found, err := x.rows.Get(hashKey(tableChain, id))
	if err != nil || !found {
		return c, false, err
	}
	c, err = decodeChain(id, v)
	return c, true, err
}

// first gives the first row at or above key of the same table: its number and
// its value.
func (x *index) first(table byte, from uint64) (n uint64, value []byte, found bool, err error) {
	err = x.rows.Scan(numberKey(table, from), []byte{table + 1}, func(k, v []byte) (bool, error) {
		if len(k) != 9 {
			return false, fmt.Errorf("%w: index key of %d bytes", ErrCorrupt, len(k))
		}
		n, value, found = number(k[1:]), append([]byte(nil), v...), true
		return false, nil
	})
	return n, value, found, err
}

// tileTable reads the tiles of one tree.
type tileTable struct {
	x     *index
	table byte
}

func (x *index) tiles(table byte) tileTable { return tileTable{x, table} }

// Tile implements merkle.TileStore.
func (t tileTable) Tile(level, index uint64) ([]byte, error) {
	data, _, err := t.x.rows.Get(tileKey(t.table, level, index))
	return data, err
}
