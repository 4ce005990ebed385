package directory

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

// pieceBytes is the size of the pieces in which large bodies are stored, a power
// of two. A body that is smaller stands in its block's row.
const pieceBytes = 256 << 10

// MaxRead is the most bytes of a block that are read at once. Larger ones come of
// a network at its limit; their entries and receipts can be had all the same.
const MaxRead = 16 << 20

// blockRow is a closed block: its header, and its body or how many bytes of
// pieces there are.
type blockRow struct {
	kind   factom.Kind
	period uint32
	chain  wire.Hash
	header []byte
	body   []byte // nil if it is in pieces
	size   uint64 // of the body
}

// maxHeader bounds a stored header; the whole of an admin block is one.
const maxHeader = wirefactom.MaxAdminBlock

func (r *blockRow) append(b []byte) []byte {
	b = append(binary.AppendUvarint(append(b, byte(r.kind)), uint64(r.period)), r.chain[:]...)
	b = append(binary.AppendUvarint(b, uint64(len(r.header))), r.header...)
	return append(binary.AppendUvarint(b, r.size), r.body...)
}

func decodeBlockRow(b []byte) (r blockRow, err error) {
	f := fields{rest: b}
	r.kind, r.period, r.chain = factom.Kind(f.next(uint64(factom.EntryBlock))), f.u32(), f.hash()
	r.header = f.take(f.next(maxHeader))
	if r.size = f.u64(); len(f.rest) > 0 {
		r.body = f.take(r.size)
	}
	return r, f.end("a block")
}

// body is the body of a block on its way into the store.
type body struct {
	out    *output
	period uint32
	chain  wire.Hash
	object int // bytes of each object of a body that receipts lead through, else 0
	buf    []byte
	pieces uint32 // written
	size   uint64
	roots  []byte // over the objects of each piece
}

// output is batches that go into the store one after the other, so that any
// number of rows needs little memory.
type output struct {
	store *store
	batch *pebble.Batch
}

func (o *output) set(key, value []byte) error {
	if o.batch == nil {
		o.batch = o.store.Batch()
	}
	if err := o.batch.Set(key, value, nil); err != nil {
		return err
	}
	if o.batch.Len() < batchBytes {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if o.batch == nil {
		return nil
	}
	batch := o.batch
	o.batch = nil
	return o.store.Apply(batch)
}

func (o *output) abandon() {
	if o.batch != nil {
		_ = o.batch.Close() // frees memory only
		o.batch = nil
	}
}

// write adds bytes to the body.
func (b *body) write(p []byte) error {
	b.buf = append(b.buf, p...)
	b.size += uint64(len(p))
	for len(b.buf) > pieceBytes {
		if err := b.piece(b.buf[:pieceBytes]); err != nil {
			return err
		}
		b.buf = append(b.buf[:0], b.buf[pieceBytes:]...)
	}
	return nil
}

// piece stores a piece of the body.
func (b *body) piece(p []byte) error {
	if err := b.out.set(bodyKey(b.period, b.chain, b.pieces), p); err != nil {
		return err
	}
	b.pieces++
	if b.object > 0 {
		root := pieceRoot(p, b.object)
		b.roots = append(b.roots, root[:]...)
	}
	return nil
}

// end stores the block under its key.
func (b *body) end(kind factom.Kind, key wire.Hash, header []byte) error {
	r := blockRow{kind: kind, period: b.period, chain: b.chain, header: header, size: b.size}
	if b.pieces == 0 {
		r.body = b.buf
	} else if err := b.piece(b.buf); err != nil {
		return err
	} else if err := b.out.set(periodHashKey(tableRoots, b.period, b.chain), b.roots); err != nil {
		return err
	}
	return b.out.set(hashKey(tableBlock, key), r.append(nil))
}

// fullHash is SHA-256 of header and body, which is read again if it was large.
func (b *body) fullHash(header []byte) (wire.Hash, error) {
	d := wirefactom.NewDigest(header)
	if b.pieces > 0 {
		if err := b.out.flush(); err != nil {
			return wire.Hash{}, err
		}
		if err := readPieces(b.out.store, b.period, b.chain, b.size-uint64(len(b.buf)), d.Write); err != nil {
			return wire.Hash{}, err
		}
	}
	d.Write(b.buf)
	return d.Sum(), nil
}

// readPieces gives the first size bytes of a body in pieces to take.
func readPieces(s *store, period uint32, chain wire.Hash, size uint64, take func([]byte)) error {
	for n := uint32(0); size > 0; n++ {
		piece, found, err := s.Get(bodyKey(period, chain, n))
		switch {
		case err != nil:
			return err
		case !found || len(piece) == 0 || len(piece) > pieceBytes || uint64(len(piece)) > size:
			return corrupt("piece %d of the block of chain %s in period %d", n, chain, period)
		}
		take(piece)
		size -= uint64(len(piece))
	}
	return nil
}

// raw is the whole block. Errors carry ErrTooLarge above MaxRead.
func (r *blockRow) raw(s *store) ([]byte, error) {
	if r.size > MaxRead {
		return nil, wire.Faultf(wire.ErrTooLarge, "the block has %d bytes, blocks up to %d are shown", r.size, MaxRead)
	}
	if r.size == 0 || r.body != nil {
		return slices.Concat(r.header, r.body), nil
	}
	b := append(make([]byte, 0, len(r.header)+int(r.size)), r.header...)
	err := readPieces(s, r.period, r.chain, r.size, func(piece []byte) { b = append(b, piece...) })
	return b, err
}
