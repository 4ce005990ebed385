package factom

import (
	"crypto/sha256"
	"encoding/binary"

	"cloister/wire"
)

// EntryBlockHeaderSize is the size of an entry block's header in bytes.
const EntryBlockHeaderSize = 140

// EntryBlockHeader heads the block of one chain in one period; a chain without
// a new entry has none (specification §6.1).
type EntryBlockHeader struct {
	ChainID      wire.Hash
	BodyMR       wire.Hash
	PrevKeyMR    wire.Hash // of the chain's previous block, zero in its first
	PrevFullHash wire.Hash
	Sequence     uint32 // counts the chain's blocks from 0
	Height       uint32 // of the directory block
	Count        uint32 // objects of the body, markers included
}

// Bytes are the header's bytes.
func (h *EntryBlockHeader) Bytes() []byte {
	b := make([]byte, 0, EntryBlockHeaderSize)
	for _, x := range []wire.Hash{h.ChainID, h.BodyMR, h.PrevKeyMR, h.PrevFullHash} {
		b = append(b, x[:]...)
	}
	for _, n := range []uint32{h.Sequence, h.Height, h.Count} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// Hash is SHA-256 of the header.
func (h *EntryBlockHeader) Hash() wire.Hash { return sha256.Sum256(h.Bytes()) }

// KeyMR names the block: SHA-256(header hash ‖ BodyMR).
func (h *EntryBlockHeader) KeyMR() wire.Hash { return node(h.Hash(), h.BodyMR) }

// EntryBlock is a whole entry block. Body holds entry hashes and minute markers.
type EntryBlock struct {
	Header EntryBlockHeader
	Body   []wire.Hash
}

// MinuteMarker ends a minute in an entry block's body.
func MinuteMarker(minute uint8) wire.Hash { return wire.Hash{31: minute} }

// IsMinuteMarker reports whether an object of an entry block's body ends a
// minute, and so is no entry's hash.
func IsMinuteMarker(object wire.Hash) bool {
	return object[31] >= 1 && object[31] <= Minutes && object == MinuteMarker(object[31])
}

// EntryBody computes the body of an entry block as entries come. A minute with
// entries ends in a marker; one without has none. The zero value is empty.
type EntryBody struct {
	tree   Tree
	minute uint8 // of the last entry without a marker after it; 0 if there is none
	marked uint8 // of the last marker
}

// Append adds an entry hash of a minute, 1 to 10 and never less than before,
// and returns the objects it adds to the body: perhaps a marker, then the hash.
// Errors carry ErrBlockMalformed.
func (b *EntryBody) Append(minute uint8, entry wire.Hash) ([]wire.Hash, error) {
	switch {
	case minute < 1 || minute > Minutes || minute < b.minute || minute <= b.marked:
		return nil, malformed("an entry of minute %d after minute %d", minute, max(b.minute, b.marked))
	case IsMinuteMarker(entry):
		return nil, malformed("minute marker %s is no entry hash", entry)
	}
	var objects []wire.Hash
	if b.minute > 0 && minute > b.minute {
		objects = b.mark()
	}
	b.minute = minute
	b.tree.Append(entry)
	return append(objects, entry), nil
}

// Close returns the objects that end the body: the last minute's marker, if it
// has not been closed already.
func (b *EntryBody) Close() []wire.Hash {
	if b.minute == 0 {
		return nil
	}
	return b.mark()
}

func (b *EntryBody) mark() []wire.Hash {
	marker := MinuteMarker(b.minute)
	b.minute, b.marked = 0, b.minute
	b.tree.Append(marker)
	return []wire.Hash{marker}
}

// Root is the BodyMR of the objects so far.
func (b *EntryBody) Root() wire.Hash { return b.tree.Root() }

// Count is the number of objects so far, markers included.
func (b *EntryBody) Count() uint64 { return b.tree.Count() }

// AppendBinary appends the state: open minute ‖ last marker ‖ tree.
func (b *EntryBody) AppendBinary(to []byte) []byte {
	return b.tree.AppendBinary(append(to, b.minute, b.marked))
}

// ParseEntryBody reads what AppendBinary wrote, and nothing after it. Errors
// carry ErrMalformed.
func ParseEntryBody(state []byte) (*EntryBody, error) {
	c := &cursor{rest: state, code: wire.ErrMalformed, what: "state of an entry block"}
	b := &EntryBody{minute: c.u8(), marked: c.u8(), tree: *c.tree()}
	if b.minute > Minutes || b.marked > Minutes || b.minute > 0 && b.minute <= b.marked ||
		(b.minute == 0 && b.marked == 0) != (b.tree.Count() == 0) {
		c.failf("minutes %d and %d after %d objects", b.minute, b.marked, b.tree.Count())
	}
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// NewEntryBlock makes a block of entries in order. Of the header it takes
// chain, links, sequence and height; root and count are computed. Errors carry
// ErrBlockMalformed.
func NewEntryBlock(header EntryBlockHeader, entries []EntryAt) (*EntryBlock, error) {
	if (header.Sequence == 0) != header.PrevKeyMR.IsZero() || (header.Sequence == 0) != header.PrevFullHash.IsZero() {
		return nil, malformed("entry block %d of its chain with previous block %s, %s", header.Sequence, header.PrevKeyMR, header.PrevFullHash)
	}
	if len(entries) == 0 {
		return nil, malformed("entry block without entries")
	}
	var state EntryBody
	body := make([]wire.Hash, 0, len(entries)+1)
	for _, e := range entries {
		objects, err := state.Append(e.Minute, e.Hash)
		if err != nil {
			return nil, err
		}
		body = append(body, objects...)
	}
	body = append(body, state.Close()...)
	header.BodyMR, header.Count = state.Root(), uint32(state.Count())
	return &EntryBlock{header, body}, nil
}

// Entries are the block's entry hashes in order, with their minutes.
func (b *EntryBlock) Entries() []EntryAt {
	list := make([]EntryAt, 0, len(b.Body))
	open := 0 // first entry whose minute is not known yet
	for _, object := range b.Body {
		if !IsMinuteMarker(object) {
			list = append(list, EntryAt{Hash: object})
			continue
		}
		for ; open < len(list); open++ {
			list[open].Minute = object[31]
		}
	}
	return list
}

// Bytes are the block's bytes.
func (b *EntryBlock) Bytes() []byte {
	out := append(make([]byte, 0, EntryBlockHeaderSize+32*len(b.Body)), b.Header.Bytes()...)
	for i := range b.Body {
		out = append(out, b.Body[i][:]...)
	}
	return out
}

// KeyMR names the block.
func (b *EntryBlock) KeyMR() wire.Hash { return b.Header.KeyMR() }

// FullHash is SHA-256 of the whole block.
func (b *EntryBlock) FullHash() wire.Hash { return sha256.Sum256(b.Bytes()) }

// ParseEntryBlock reads a whole block strictly: its root, count and markers
// must be those of its entries. Errors carry ErrBlockMalformed.
func ParseEntryBlock(b []byte) (*EntryBlock, error) {
	c := readBlock(b, "entry block", MaxBlock)
	given := &EntryBlock{Header: c.entryBlockHeader()}
	if c.err == nil && uint64(len(c.rest)) != 32*uint64(given.Header.Count) {
		c.failf("counts %d objects, has %d bytes of them", given.Header.Count, len(c.rest))
	}
	for len(c.rest) > 0 {
		given.Body = append(given.Body, c.hash())
	}
	if c.err != nil {
		return nil, c.err
	}
	if last := len(given.Body) - 1; last < 0 || !IsMinuteMarker(given.Body[last]) {
		return nil, malformed("entry block: does not end in a minute marker")
	}
	own, err := NewEntryBlock(given.Header, given.Entries())
	switch {
	case err != nil:
		return nil, err
	case own.Header.Count != given.Header.Count:
		return nil, malformed("entry block: markers that end no entry's minute")
	case own.Header.BodyMR != given.Header.BodyMR:
		return nil, malformed("entry block: body root is not that of the body")
	}
	return own, nil
}

// ParseEntryBlockHeader reads the header alone, which begins a block. It says
// nothing about the body. Errors carry ErrBlockMalformed.
func ParseEntryBlockHeader(b []byte) (*EntryBlockHeader, error) {
	c := readBlock(b, "entry block header", EntryBlockHeaderSize)
	h := c.entryBlockHeader()
	if c.end(); c.err != nil {
		return nil, c.err
	}
	return &h, nil
}

func (c *cursor) entryBlockHeader() EntryBlockHeader {
	return EntryBlockHeader{
		ChainID: c.hash(), BodyMR: c.hash(), PrevKeyMR: c.hash(), PrevFullHash: c.hash(),
		Sequence: c.u32(), Height: c.u32(), Count: c.u32(),
	}
}
