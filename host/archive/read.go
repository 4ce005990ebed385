package archive

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/merkle"
)

// SealedHeader is a header with its proof, if it has one of its own.
type SealedHeader struct {
	Hash   wire.Hash
	Header []byte // as hashed
	Seal   []byte // empty if a later block's seal covers it
}

// Block is a final block as stored.
type Block struct {
	SealedHeader
	Height  uint64
	Body    []byte // wire.EncodeList of encoded transactions
	Outcome []byte // encoded wire.Outcome; empty for block 0
}

func number(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// visible finds a block's row. Errors: ErrNotFound above Height.
func (a *Archive) visible(height uint64) (blockRow, error) {
	if !a.has(height) {
		return blockRow{}, wire.Faultf(wire.ErrNotFound, "no block %d yet, the newest is %d", height, a.Height())
	}
	return a.row(height)
}

// Encoded returns a block as archived.Block encodes it. Errors: ErrNotFound
// (wire) above Height, ErrCorrupt.
func (a *Archive) Encoded(height uint64) ([]byte, error) {
	row, err := a.visible(height)
	if err != nil {
		return nil, err
	}
	b := make([]byte, recordHead+int(row.size))
	if err := a.blocks.read(row.segment, row.offset, b); err != nil {
		return nil, err
	}
	rec, data, ok := parseRecord(b)
	if !ok || rec.height != height || rec.size != row.size {
		return nil, corrupt(segmentName(a.blocks.dir, row.segment), "the record at offset %d is not block %d", row.offset, height)
	}
	return data, nil
}

// Block returns a block. Errors: those of Encoded.
func (a *Archive) Block(height uint64) (*Block, error) {
	data, err := a.Encoded(height)
	if err != nil {
		return nil, err
	}
	p, err := archived.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrCorrupt, height, err)
	}
	return &Block{SealedHeader{wire.HeaderHash(p.Header), p.Header, p.Seal}, height, p.Body, p.Outcome}, nil
}

// Header returns a block's header and seal without reading its body. Errors:
// ErrNotFound (wire) above Height, ErrCorrupt.
func (a *Archive) Header(height uint64) (*SealedHeader, error) {
	row, err := a.visible(height)
	if err != nil {
		return nil, err
	}
	return a.sealedHeader(row)
}

// sealedHeader reads the first two parts of a block, which stand next to each other.
func (a *Archive) sealedHeader(row blockRow) (*SealedHeader, error) {
	skip := 1 + headSize(int(row.header))
	b := make([]byte, int(row.header)+headSize(int(row.seal))+int(row.seal))
	if err := a.blocks.read(row.segment, row.offset+recordHead+uint64(skip), b); err != nil {
		return nil, err
	}
	h := &SealedHeader{row.hash, b[:row.header:row.header], b[len(b)-int(row.seal):]}
	if wire.HeaderHash(h.Header) != row.hash {
		return nil, corrupt(segmentName(a.blocks.dir, row.segment), "the header at offset %d has another hash", row.offset)
	}
	return h, nil
}

// HeightOf finds a block by its header's hash. Errors: ErrNotFound.
func (a *Archive) HeightOf(hash wire.Hash) (uint64, error) {
	return caughtUp(a, func() (uint64, error) { return a.heightOf(hash) })
}

func (a *Archive) heightOf(hash wire.Hash) (uint64, error) {
	v, found, err := a.index.rows.Get(hashKey(tableHash, hash))
	switch {
	case err != nil:
		return 0, err
	case !found || len(v) != 8 || number(v) > a.Height():
		return 0, wire.Faultf(wire.ErrNotFound, "no block with header hash %s", hash)
	}
	return number(v), nil
}

// SealedFrom is the lowest height at or above the given one whose block has a
// seal of its own: the seal that covers it. Errors: ErrNotCovered.
func (a *Archive) SealedFrom(height uint64) (uint64, error) {
	return caughtUp(a, func() (uint64, error) { return a.sealedFrom(height) })
}

func (a *Archive) sealedFrom(height uint64) (uint64, error) {
	sealed, _, found, err := a.index.first(tableSealed, height)
	switch {
	case err != nil:
		return 0, err
	case !found || sealed > a.Sealed():
		return 0, wire.Faultf(wire.ErrNotCovered, "no seal covers block %d yet", height)
	}
	return sealed, nil
}

// lastSealed is the highest block with a seal of its own, 0 if there is none.
func (x *index) lastSealed() (uint64, error) {
	key, err := x.rows.Last([]byte{tableSealed}, []byte{tableSealed + 1})
	if err != nil || len(key) != 9 {
		return 0, err
	}
	return number(key[1:]), nil
}

// Inclusion proves block height within the history of the given size
// (merkle.VerifyInclusion). Errors: ErrBadRequest unless height < size <= Height()+1.
func (a *Archive) Inclusion(height, size uint64) ([]wire.Hash, error) {
	if height >= size || !a.has(size-1) {
		return nil, wire.Faultf(wire.ErrBadRequest, "block %d in a history of %d: %d blocks are stored", height, size, a.Height()+1)
	}
	return a.proved(merkle.InclusionProof(a.index.tiles(tableHistory), height, size))
}

// Consistency proves that the history of size from begins that of size to
// (merkle.VerifyConsistency). Errors: ErrBadRequest unless from <= to <= Height()+1.
func (a *Archive) Consistency(from, to uint64) ([]wire.Hash, error) {
	if from > to || to > 0 && !a.has(to-1) {
		return nil, wire.Faultf(wire.ErrBadRequest, "histories of %d and %d: %d blocks are stored", from, to, a.Height()+1)
	}
	return a.proved(merkle.ConsistencyProof(a.index.tiles(tableHistory), from, to))
}

// has reports whether a block is visible, after waiting for it if watchers have
// been shown it.
func (a *Archive) has(height uint64) bool {
	return height <= a.Height() || a.behind() && height <= a.Height()
}

// proved tells a damaged tile from a wrong question.
func (a *Archive) proved(path []wire.Hash, err error) ([]wire.Hash, error) {
	if errors.Is(err, merkle.ErrTile) {
		return nil, fmt.Errorf("%w: index: %w", ErrCorrupt, err)
	}
	return path, err
}
