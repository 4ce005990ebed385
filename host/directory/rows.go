package directory

import (
	"encoding/binary"
	"math"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// fields reads a row: unsigned varints in their shortest form, and hashes. After
// the first error every further read gives zero.
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

func (f *fields) u64() uint64 { return f.next(math.MaxUint64) }
func (f *fields) u32() uint32 { return uint32(f.next(math.MaxUint32)) }

func (f *fields) take(n uint64) []byte {
	if f.bad || n > uint64(len(f.rest)) {
		f.bad = true
		return nil
	}
	b := f.rest[:n:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) hash() (h wire.Hash) {
	copy(h[:], f.take(uint64(len(h))))
	return h
}

func (f *fields) end(what string) error {
	if f.bad || len(f.rest) != 0 {
		return corrupt("the index's row of %s is none", what)
	}
	return nil
}

// spot is where a message's bytes stand in the archive: n bytes from an offset
// within a block's encoding.
type spot struct {
	moment
	from, n uint32
	timeMs  uint64 // block time
	period  uint32 // that the fold took it for; the ledger may decide otherwise
	pair    bool   // a commit that came with its entry
}

func (s *spot) append(b []byte) []byte {
	pair := uint64(0)
	if s.pair {
		pair = 1
	}
	for _, n := range [...]uint64{s.height, uint64(s.number), uint64(s.from), uint64(s.n), s.timeMs, uint64(s.period), pair} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func (f *fields) spot() (s spot) {
	s.height, s.number = f.u64(), f.u32()
	s.from, s.n = f.u32(), uint32(f.next(wire.MaxPayload))
	s.timeMs, s.period, s.pair = f.u64(), f.u32(), f.next(1) == 1
	return s
}

func decodeSpot(b []byte) (spot, error) {
	f := fields{rest: b}
	s := f.spot()
	return s, f.end("a message")
}

func (m moment) encode() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, m.height), uint64(m.number))
}

func decodeMoment(b []byte) (m moment, err error) {
	f := fields{rest: b}
	m.height, m.number = f.u64(), f.u32()
	return m, f.end("a reveal")
}

// member is an entry of a chain in a period; its moment is in the key.
type member struct {
	entry   wire.Hash
	from, n uint32 // its bytes in the block's encoding
	timeMs  uint64
}

func (m *member) append(b []byte) []byte {
	b = append(b, m.entry[:]...)
	return binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(b, uint64(m.from)), uint64(m.n)), m.timeMs)
}

func (f *fields) member() member {
	return member{f.hash(), f.u32(), uint32(f.next(factom.MaxEntry)), f.u64()}
}

func decodeMember(b []byte) (member, error) {
	f := fields{rest: b}
	m := f.member()
	return m, f.end("an entry")
}

// decodeOrdered reads a row of datedEntry.
func decodeOrdered(b []byte) (chain wire.Hash, m member, err error) {
	f := fields{rest: b}
	chain, m = f.hash(), f.member()
	return chain, m, f.end("an entry in order")
}

// timed begins a dated row with its block time.
func timed(timeMs uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 256), timeMs)
}

func untimed(row []byte) (timeMs uint64, rest []byte, err error) {
	if len(row) < 8 {
		return 0, nil, corrupt("a row of %d bytes in the index", len(row))
	}
	return binary.BigEndian.Uint64(row), row[8:], nil
}

// delta is what one block did to an account. What bought credits is kept as
// amounts: their number follows from the rate of the period, which the block
// does not tell.
type delta struct {
	factoshis, credits int64
	bought             []uint64 // factoshis of each purchase
}

func (d *delta) append(b []byte) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, d.factoshis), d.credits)
	for _, n := range d.bought {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeDelta(b []byte) (d delta, err error) {
	f := fields{rest: b}
	d.factoshis, d.credits = f.signed(), f.signed()
	for len(f.rest) > 0 && !f.bad {
		d.bought = append(d.bought, f.u64())
	}
	return d, f.end("a balance")
}

func (f *fields) signed() int64 {
	n := f.u64()
	if n&1 == 1 {
		return ^int64(n >> 1)
	}
	return int64(n >> 1)
}

// head is where a chain's newest closed block left off, and the one before it:
// while a period is being closed its blocks are not to be seen yet, and if that
// is cut short and done again they must link to the same ones.
type head struct {
	period   uint32
	sequence uint32
	key      wire.Hash
	full     wire.Hash
	prevKey  wire.Hash // zero if there is none
	prevFull wire.Hash
}

func (h *head) append(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(h.period)), uint64(h.sequence))
	for _, x := range [...]*wire.Hash{&h.key, &h.full, &h.prevKey, &h.prevFull} {
		b = append(b, x[:]...)
	}
	return b
}

func decodeHead(b []byte) (h head, err error) {
	f := fields{rest: b}
	h.period, h.sequence = f.u32(), f.u32()
	h.key, h.full, h.prevKey, h.prevFull = f.hash(), f.hash(), f.hash(), f.hash()
	return h, f.end("a chain")
}

// position is how far the fold is.
type position struct {
	_       struct{} `cbor:",toarray"`
	Height  uint64   // of the newest ledger block that is folded
	Hash    wire.Hash
	TimeMs  uint64
	Spans   []span // periods that are not closed here, the one in progress last
	Entries uint64 // ever
	Txs     uint64
}

// settled is how far closing is.
type settled struct {
	_       struct{} `cbor:",toarray"`
	Count   uint32   // periods closed: 0 to Count-1
	Last    uint64   // ledger block the newest of them ends with
	Servers []server // as of its admin block
}

// Bounds of rows in CBOR.
const (
	maxSpans    = maxUnclosed + 2
	maxPosition = 256 + maxSpans*32
	maxServers  = 1024
	maxSettled  = 64 + maxServers*(96+8*32)
	maxClosed   = record.MaxDirectory + 256
)

// closed is a period in tablePeriod.
type closed struct {
	_             struct{} `cbor:",toarray"`
	Directory     record.Directory
	AdminRef      wire.Hash // what the next blocks refer to
	CreditFull    wire.Hash
	FactoidLedger wire.Hash
}

func decodeRow[T any](b []byte, limit int, what string) (*T, error) {
	v := new(T)
	if err := wire.Unmarshal(b, v, limit); err != nil {
		return nil, corrupt("the index's row of %s: %v", what, err)
	}
	return v, nil
}
