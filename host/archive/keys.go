package archive

import (
	"encoding/binary"
	"fmt"

	"cloister/wire"
)

// The index. A key is one byte for the table, then its parts, integers in
// big-endian, so that the order of keys is the order of heights and numbers.
//
//	table          key                        value
//	tablePosition  -                          position: how far the index is
//	tableBlock     height                     blockRow
//	tableHash      header hash                height
//	tableSealed    height                     - (only blocks with a seal of their own)
//	tableExec      exec height                height of the first header that carries it
//	tableTx        tx id                      txRow
//	tableEntry     entry hash, height, index  seq, place
//	tableChain     chain id                   Chain without its id
//	tableMember    chain id, seq              entry hash, place
//	tableHistory   level, tile index          tile of the header history
//	tableResults   level, tile index          tile of the results history
//	tableHandover  epoch                      height of the newest sealed handover from it
const (
	tablePosition byte = 'p'
	tableBlock    byte = 'b'
	tableHash     byte = 'h'
	tableSealed   byte = 's'
	tableExec     byte = 'x'
	tableTx       byte = 't'
	tableEntry    byte = 'e'
	tableChain    byte = 'c'
	tableMember   byte = 'm'
	tableHistory  byte = 'H'
	tableResults  byte = 'R'
	tableHandover byte = 'o'
)

func numberKey(table byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 9), table), n)
}

func hashKey(table byte, h wire.Hash) []byte {
	return append(append(make([]byte, 0, 33), table), h[:]...)
}

func entryKey(hash wire.Hash, height uint64, index uint32) []byte {
	k := append(append(make([]byte, 0, 45), tableEntry), hash[:]...)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(k, height), index)
}

func memberKey(chain wire.Hash, seq uint64) []byte {
	k := append(append(make([]byte, 0, 41), tableMember), chain[:]...)
	return binary.BigEndian.AppendUint64(k, seq)
}

func tileKey(table byte, level, index uint64) []byte {
	k := append(make([]byte, 0, 10), table, byte(level))
	return binary.BigEndian.AppendUint64(k, index)
}

// place is where a transaction and its result stand: which block, and which
// bytes of the block's encoding (archived.Block).
type place struct {
	height         uint64
	index          uint32
	tx, txLen      uint32
	result, resLen uint32
}

func (p *place) append(b []byte) []byte {
	for _, n := range [...]uint64{p.height, uint64(p.index), uint64(p.tx), uint64(p.txLen), uint64(p.result), uint64(p.resLen)} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// fields reads unsigned varints in their shortest form; after the first error
// every further read gives zero.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) next(most uint64) uint64 {
	n, size := binary.Uvarint(f.rest)
	if f.bad || size <= 0 || n > most || (size > 1 && f.rest[size-1] == 0) {
		f.bad = true
		return 0
	}
	f.rest = f.rest[size:]
	return n
}

func (f *fields) hash() (h wire.Hash) {
	if f.bad || len(f.rest) < len(h) {
		f.bad = true
		return h
	}
	copy(h[:], f.rest)
	f.rest = f.rest[len(h):]
	return h
}

func (f *fields) place() (p place) {
	const u32 = 1<<32 - 1
	p.height = f.next(1<<64 - 1)
	p.index = uint32(f.next(u32))
	p.tx, p.txLen = uint32(f.next(u32)), uint32(f.next(wire.MaxTx))
	p.result, p.resLen = uint32(f.next(u32)), uint32(f.next(wire.MaxResult))
	return p
}

func (f *fields) end(what string) error {
	if f.bad || len(f.rest) != 0 {
		return fmt.Errorf("%w: index row of %s: %w", ErrCorrupt, what, wire.ErrEncoding)
	}
	return nil
}

// txRow says where a transaction stands: where it first had its effect, else
// where it first was refused.
type txRow struct {
	ok bool
	at place
}

func (r *txRow) append(b []byte) []byte {
	ok := byte(0)
	if r.ok {
		ok = 1
	}
	return r.at.append(append(b, ok))
}

func decodeTxRow(b []byte) (r txRow, err error) {
	f := fields{rest: b}
	r.ok, r.at = f.next(1) == 1, f.place()
	return r, f.end("a transaction")
}

// entryRow is one recording of an entry; its hash is in the key.
type entryRow struct {
	seq uint64 // within the chain
	at  place
}

func (r *entryRow) encode() []byte { return r.at.append(binary.AppendUvarint(nil, r.seq)) }

func decodeEntryRow(b []byte) (r entryRow, err error) {
	f := fields{rest: b}
	r.seq, r.at = f.next(1<<64-1), f.place()
	return r, f.end("an entry")
}

// memberRow is one entry of a chain; chain and number are in the key.
type memberRow struct {
	entry wire.Hash
	at    place
}

func (r *memberRow) encode() []byte { return r.at.append(append([]byte(nil), r.entry[:]...)) }

func decodeMemberRow(b []byte) (r memberRow, err error) {
	f := fields{rest: b}
	r.entry, r.at = f.hash(), f.place()
	return r, f.end("a chain's entry")
}

// Chain is what the archive knows of a chain of entries.
type Chain struct {
	ID      wire.Hash
	Entries uint64
	Head    wire.Hash // record.NextHead folded over the entries
	Created uint64    // height
	Updated uint64    // height
}

func (c *Chain) encode() []byte {
	b := binary.AppendUvarint(nil, c.Entries)
	b = append(b, c.Head[:]...)
	return binary.AppendUvarint(binary.AppendUvarint(b, c.Created), c.Updated)
}

func decodeChain(id wire.Hash, b []byte) (c Chain, err error) {
	f := fields{rest: b}
	c.ID, c.Entries, c.Head = id, f.next(1<<64-1), f.hash()
	c.Created, c.Updated = f.next(1<<64-1), f.next(1<<64-1)
	return c, f.end("a chain")
}

// blockRow is what is known of a block without reading it.
type blockRow struct {
	segment    uint64 // first height of the segment that holds it
	offset     uint64 // of the record
	size       uint32 // of the block's encoding behind the record's head
	header     uint32 // bytes
	seal       uint32 // bytes; 0 if a later block's seal covers it
	hash       wire.Hash
	timeMs     uint64
	execHeight uint64    // that the header carries
	state      wire.Hash // Exec after this block; zero for block 0
	results    wire.Hash
}

func (r *blockRow) encode() []byte {
	var b []byte
	for _, n := range [...]uint64{r.segment, r.offset, uint64(r.size), uint64(r.header), uint64(r.seal), r.timeMs, r.execHeight} {
		b = binary.AppendUvarint(b, n)
	}
	return append(append(append(b, r.hash[:]...), r.state[:]...), r.results[:]...)
}

func decodeBlockRow(b []byte) (r blockRow, err error) {
	f := fields{rest: b}
	r.segment, r.offset, r.size = f.next(1<<64-1), f.next(maxSegment), uint32(f.next(maxRecord))
	r.header, r.seal = uint32(f.next(wire.MaxHeader)), uint32(f.next(wire.MaxSeal))
	r.timeMs, r.execHeight = f.next(1<<64-1), f.next(1<<64-1)
	r.hash, r.state, r.results = f.hash(), f.hash(), f.hash()
	return r, f.end("a block")
}

func (r *blockRow) exec(height uint64) wire.Exec {
	return wire.Exec{Height: height, StateRoot: r.state, ResultsRoot: r.results}
}

// position says how far the index is: it knows every block up to height, and
// the record of that block ends at offset end of its segment.
type position struct {
	height, segment, end uint64
}

func (p *position) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, p.height), p.segment), p.end)
}

func decodePosition(b []byte) (p position, err error) {
	f := fields{rest: b}
	p.height, p.segment, p.end = f.next(1<<64-1), f.next(1<<64-1), f.next(maxSegment)
	return p, f.end("the position")
}
