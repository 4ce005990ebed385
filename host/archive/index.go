package archive

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/record"
)

// Sizes of the index's caches. A lost memtable is rebuilt from segments.
const (
	memtableBytes = 32 << 20
	cacheBytes    = 64 << 20
	cachedChains  = 65_536 // heads of chains kept in memory
)

// index is the derived half of the archive. Writing belongs to the owner
// goroutine; reading is safe from everywhere.
type index struct {
	db     *pebble.DB
	chains map[wire.Hash]Chain // newest heads; owner only

	// Readers hold using, so that close waits for them. No reader takes it twice.
	using  sync.RWMutex
	closed bool // guarded by using
}

// openIndex opens Pebble without its own log: a crash loses the newest batches,
// oldest kept first, and opening writes them again from the segments. background
// is told of flushes and compactions that failed; Pebble tries them again.
func openIndex(fs vfs.FS, dir string, background func(error)) (*index, error) {
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                          fs,
		Cache:                       cache,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memtableBytes,
		MemTableStopWritesThreshold: 4,
		MaxOpenFiles:                512,
		Logger:                      quiet{background},
		EventListener:               &pebble.EventListener{BackgroundError: background},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].FilterType = pebble.TableFilter
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("archive: opening the index: %w", err)
	}
	return &index{db: db, chains: map[wire.Hash]Chain{}}, nil
}

// quiet keeps Pebble from writing to the process's standard error. What it
// calls fatal ends the archive through background.
type quiet struct{ background func(error) }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (q quiet) Fatalf(format string, args ...any) {
	err := fmt.Errorf("archive: index: "+format, args...)
	q.background(err)
	// Pebble relies on Fatalf not returning: its state is no longer sound.
	panic(err)
}

// add indexes a group of consecutive blocks, of which size were there before,
// in one batch. end is where the last one's record ends.
func (x *index) add(group []*block, end uint64) error {
	batch := x.db.NewBatch()
	defer func() { _ = batch.Close() }() // frees memory only
	touched, placed := map[wire.Hash]Chain{}, map[wire.Hash]bool{}
	for _, b := range group {
		if err := x.addBlock(batch, b, touched); err != nil {
			return err
		}
		if err := x.addTxs(batch, b, placed); err != nil {
			return err
		}
	}
	for id, c := range touched {
		if err := batch.Set(hashKey(tableChain, id), c.encode(), nil); err != nil {
			return err
		}
	}
	if err := x.addTiles(batch, group); err != nil {
		return err
	}
	last := group[len(group)-1]
	p := position{last.height, last.row.segment, end}
	if err := batch.Set([]byte{tablePosition}, p.encode(), nil); err != nil {
		return err
	}
	if err := x.db.Apply(batch, pebble.NoSync); err != nil {
		return fmt.Errorf("archive: writing the index: %w", err)
	}
	x.remember(touched)
	return nil
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

// use keeps the index open until done is called.
func (x *index) use() (done func(), err error) {
	x.using.RLock()
	if x.closed {
		x.using.RUnlock()
		return nil, ErrClosed
	}
	return x.using.RUnlock, nil
}

// close ends the index when the last reader is done. With flush, what is in
// memory is written first; else opening takes it from the segments again.
func (x *index) close(flush bool) error {
	x.using.Lock()
	defer x.using.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	var err error
	if flush {
		err = x.db.Flush()
	}
	return errors.Join(err, x.db.Close())
}

// get returns a copy of a value, found false if there is none.
func (x *index) get(key []byte) (value []byte, found bool, err error) {
	done, err := x.use()
	if err != nil {
		return nil, false, err
	}
	defer done()
	v, closer, err := x.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("archive: reading the index: %w", err)
	}
	defer closer.Close()
	return append([]byte(nil), v...), true, nil
}

func (x *index) position() (p position, found bool, err error) {
	v, found, err := x.get([]byte{tablePosition})
	if err != nil || !found {
		return p, false, err
	}
	p, err = decodePosition(v)
	return p, true, err
}

func (x *index) block(height uint64) (r blockRow, found bool, err error) {
	v, found, err := x.get(numberKey(tableBlock, height))
	if err != nil || !found {
		return r, false, err
	}
	r, err = decodeBlockRow(v)
	return r, true, err
}

func (x *index) tx(id wire.Hash) (r txRow, found bool, err error) {
	v, found, err := x.get(hashKey(tableTx, id))
	if err != nil || !found {
		return r, false, err
	}
	r, err = decodeTxRow(v)
	return r, true, err
}

func (x *index) chain(id wire.Hash) (c Chain, found bool, err error) {
	v, found, err := x.get(hashKey(tableChain, id))
	if err != nil || !found {
		return c, false, err
	}
	c, err = decodeChain(id, v)
	return c, true, err
}

// scan calls f for the rows from key from up to end (not included), in order,
// until f says to stop. Slices given to f are only valid during the call, and f
// must not read the index.
func (x *index) scan(from, end []byte, f func(key, value []byte) (more bool, err error)) error {
	done, err := x.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := x.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return fmt.Errorf("archive: reading the index: %w", err)
	}
	defer func() { _ = it.Close() }() // it.Error has been asked
	for ok := it.First(); ok; ok = it.Next() {
		more, err := f(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("archive: reading the index: %w", err)
	}
	return nil
}

// first gives the first row at or above key of the same table: its number and
// its value.
func (x *index) first(table byte, from uint64) (n uint64, value []byte, found bool, err error) {
	err = x.scan(numberKey(table, from), []byte{table + 1}, func(k, v []byte) (bool, error) {
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
	data, _, err := t.x.get(tileKey(t.table, level, index))
	return data, err
}
