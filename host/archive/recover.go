package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/merkle"
)

// recover finds the newest stored block and brings the index up to it.
func (a *Archive) recover() error {
	genesis := genesisBlock(a.genesis)
	firsts, err := a.blocks.list()
	if err != nil {
		return err
	}
	p, indexed, err := a.index.position()
	switch {
	case err != nil:
		return err
	case !indexed && len(firsts) == 0:
		a.tip = tipOf(a.chain, genesis)
		return a.store([]*block{genesis})
	case indexed:
		if a.tip, err = a.loadTip(p, genesis); err != nil {
			return err
		}
	}
	r := &replay{a: a, genesis: genesis, from: p, indexed: indexed}
	if err := r.run(firsts); err != nil {
		return err
	}
	a.height.Store(a.tip.height)
	a.shown.Store(a.tip.height)
	sealed, err := a.index.lastSealed()
	a.sealed.Store(sealed)
	return err
}

// loadTip rebuilds the tip from the index and holds it against the header.
func (a *Archive) loadTip(p position, genesis *block) (*tip, error) {
	if row, err := a.row(0); err != nil || row.hash != genesis.row.hash {
		return nil, errors.Join(err, fmt.Errorf("%w: its block 0 is %s, the genesis file's is %s", ErrForeign, row.hash, genesis.row.hash))
	}
	row, err := a.row(p.height)
	if err != nil {
		return nil, err
	}
	h, err := a.header(row)
	if err != nil {
		return nil, err
	}
	t := &tip{chain: a.chain, height: p.height, hash: row.hash, timeMs: row.timeMs, execHeight: row.execHeight}
	if t.history, err = merkle.RangeAt(a.index.tiles(tableHistory), p.height); err != nil {
		return nil, corrupt("index", "history tree: %v", err)
	}
	if t.history.Root() != h.HistoryRoot {
		return nil, corrupt("index", "the history tree is not that of block %d", p.height)
	}
	t.history.Append(merkle.LeafHash(row.hash[:]))
	if t.results, err = merkle.RangeAt(a.index.tiles(tableResults), p.height+1); err != nil {
		return nil, corrupt("index", "results tree: %v", err)
	}
	if t.results.Root() != row.results {
		return nil, corrupt("index", "the results tree is not that of block %d", p.height)
	}
	for n := p.height - min(p.height, recentExecs-1); n <= p.height; n++ {
		row, err := a.row(n)
		if err != nil {
			return nil, err
		}
		exec := row.exec(n)
		t.execs[n%recentExecs] = exec.Root()
	}
	return t, nil
}

// replay indexes the blocks that the segments hold and the index does not.
type replay struct {
	a       *Archive
	genesis *block
	from    position // where the index stands
	indexed bool     // there is anything in the index
	group   []*block
	bytes   int
	end     uint64 // of the last record in group
}

// next is the height of the next record.
func (r *replay) next() uint64 {
	if r.a.tip == nil {
		return 0
	}
	return r.a.tip.height + 1
}

func (r *replay) run(firsts []uint64) error {
	known := !r.indexed
	for i, first := range firsts {
		last := i+1 == len(firsts)
		known = known || first == r.from.segment
		if r.indexed && first < r.from.segment {
			continue
		}
		if first > r.next() {
			return corrupt(r.a.blocks.dir, "blocks %d to %d are missing", r.next(), first-1)
		}
		if err := r.segment(first, last); err != nil {
			return err
		}
	}
	switch {
	case !known:
		return corrupt(segmentName(r.a.blocks.dir, r.from.segment), "missing")
	case r.a.tip == nil:
		// A crash before block 0 was durable; what is there holds no block.
		r.a.tip = tipOf(r.a.chain, r.genesis)
		return r.a.store([]*block{r.genesis})
	}
	return nil
}

// segment reads one segment's records behind the index.
func (r *replay) segment(first uint64, last bool) error {
	name := segmentName(r.a.blocks.dir, first)
	if last {
		// What a dying process left in the system's cache is about to be
		// believed, so it must be durable first.
		if err := r.a.blocks.settle(name); err != nil {
			return err
		}
	}
	f, err := r.a.blocks.fs.Open(name)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	size := uint64(info.Size())
	offset, err := r.begin(f, first, size)
	if err != nil {
		return err
	}
	for {
		rec, data, err := recordAt(f, offset, size)
		if err != nil {
			return fmt.Errorf("archive: %s: %w", name, err)
		}
		if data == nil {
			break
		}
		if err := r.record(first, offset, rec, data); err != nil {
			return fmt.Errorf("%w: %s, offset %d: %w", ErrCorrupt, name, offset, err)
		}
		offset += recordHead + uint64(rec.size)
	}
	if err := r.store(); err != nil {
		return err
	}
	damaged, err := durableAfter(f, offset, size)
	if err != nil {
		return fmt.Errorf("archive: %s: %w", name, err)
	}
	if damaged {
		return corrupt(name, "the record at offset %d was durable and is unreadable", offset)
	}
	return nil
}

// begin checks the segment's head and gives the offset of the first record to
// read. A head cut off by a crash means that there is no record.
func (r *replay) begin(f vfs.File, first, size uint64) (uint64, error) {
	head := make([]byte, min(size, segmentHead))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("archive: %w", err)
	}
	err := checkSegmentHead(head, first, r.a.chain)
	switch {
	case errors.Is(err, ErrForeign):
		return 0, err
	case r.indexed && first == r.from.segment:
		if err != nil {
			return 0, corrupt(segmentName(r.a.blocks.dir, first), "%v", err)
		}
		return r.from.end, nil
	case err != nil:
		return size, nil
	}
	return segmentHead, nil
}

// recordAt reads the whole record at offset; data is nil if there is none.
func recordAt(f io.ReaderAt, offset, size uint64) (rec recordInfo, data []byte, err error) {
	if offset+recordHead > size || offset+recordHead < offset {
		return rec, nil, nil
	}
	head := make([]byte, recordHead)
	if _, err := f.ReadAt(head, int64(offset)); err != nil {
		return rec, nil, err
	}
	rec, ok := parseRecordHead(head)
	if !ok || offset+recordHead+uint64(rec.size) > size {
		return rec, nil, nil
	}
	whole := append(head, make([]byte, rec.size)...)
	if _, err := f.ReadAt(whole[recordHead:], int64(offset+recordHead)); err != nil {
		return rec, nil, err
	}
	rec, data, ok = parseRecord(whole)
	if !ok {
		return rec, nil, nil
	}
	return rec, data, nil
}

// durableAfter looks behind an unreadable record for one that was written
// after a sync that covered it. What a crash cut off has none: its group was
// the last.
func durableAfter(f io.ReaderAt, bad, size uint64) (bool, error) {
	const window = 1 << 20
	buf := make([]byte, window+len(recordMagic)-1)
	for at := bad; at < size; at += window {
		n, err := f.ReadAt(buf, int64(at))
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		for i := 0; i < min(n, window); i++ {
			step := bytes.Index(buf[i:n], []byte(recordMagic))
			if step < 0 {
				break
			}
			i += step
			rec, data, err := recordAt(f, at+uint64(i), size)
			if err != nil {
				return false, err
			}
			if data != nil && rec.synced > bad {
				return true, nil
			}
		}
	}
	return false, nil
}

// record takes one block into the group to be indexed.
func (r *replay) record(first, offset uint64, rec recordInfo, data []byte) error {
	if rec.height != r.next() {
		return fmt.Errorf("record of height %d, expected %d", rec.height, r.next())
	}
	b, err := r.block(data)
	if err != nil {
		return err
	}
	b.row.segment, b.row.offset = first, offset
	if r.a.tip == nil {
		r.a.tip = tipOf(r.a.chain, b)
	} else {
		r.a.tip.advance(b)
	}
	r.group, r.bytes = append(r.group, b), r.bytes+len(data)
	r.end = offset + recordHead + uint64(rec.size)
	if len(r.group) < groupBlocks && r.bytes < groupBytes {
		return nil
	}
	return r.store()
}

func (r *replay) block(data []byte) (*block, error) {
	if r.a.tip == nil {
		if !bytes.Equal(data, r.genesis.encoded) {
			return nil, fmt.Errorf("%w: block 0 is not that of the genesis file", ErrForeign)
		}
		return r.genesis, nil
	}
	p, err := archived.Decode(data)
	if err != nil {
		return nil, err
	}
	return r.a.tip.checked(p, r.a.execRoot)
}

// store indexes the group.
func (r *replay) store() error {
	if len(r.group) == 0 {
		return nil
	}
	if err := r.a.index.add(r.group, r.end); err != nil {
		return err
	}
	r.group, r.bytes = nil, 0
	return nil
}

// settle makes a segment's bytes and its name durable.
func (s *segments) settle(name string) error {
	f, err := s.fs.OpenReadWrite(name, diskCategory)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return s.syncDir()
}

// row is the index's row of a height that must be there.
func (a *Archive) row(height uint64) (blockRow, error) {
	row, found, err := a.index.block(height)
	if err == nil && !found {
		err = corrupt("index", "no row of block %d", height)
	}
	return row, err
}

// header reads a block's header and holds it against its hash.
func (a *Archive) header(row blockRow) (*wire.Header, error) {
	sealed, err := a.sealedHeader(row)
	if err != nil {
		return nil, err
	}
	h, err := wire.DecodeHeader(sealed.Header)
	if err != nil {
		return nil, corrupt(segmentName(a.blocks.dir, row.segment), "%v", err)
	}
	return h, nil
}
