package factom

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"cloister/wire"
)

// DirectoryBlockHeaderSize is the size of a directory block's header in bytes.
const DirectoryBlockHeaderSize = 113

// Network ids of Factom's own networks.
const (
	MainNetwork  uint32 = 0xFA92E5A2
	TestNetwork  uint32 = 0xFA92E5A3
	LocalNetwork uint32 = 0xFA92E5A4
)

// pairSize is the size of a directory block's body object.
const pairSize = 64

// DirectoryBlockHeader heads the block that names all others of its period
// (specification §6.2).
type DirectoryBlockHeader struct {
	NetworkID    uint32
	BodyMR       wire.Hash
	PrevKeyMR    wire.Hash
	PrevFullHash wire.Hash
	Minutes      uint32 // opening time, in minutes since 1970-01-01 UTC
	Height       uint32
	Count        uint32 // pairs of the body
}

// Bytes are the header's bytes, which the authorities sign.
func (h *DirectoryBlockHeader) Bytes() []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, DirectoryBlockHeaderSize), 0), h.NetworkID)
	for _, x := range []wire.Hash{h.BodyMR, h.PrevKeyMR, h.PrevFullHash} {
		b = append(b, x[:]...)
	}
	for _, n := range []uint32{h.Minutes, h.Height, h.Count} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// Hash is SHA-256 of the header.
func (h *DirectoryBlockHeader) Hash() wire.Hash { return sha256.Sum256(h.Bytes()) }

// KeyMR names the block and is what anchors carry: SHA-256(header hash ‖ BodyMR).
func (h *DirectoryBlockHeader) KeyMR() wire.Hash { return node(h.Hash(), h.BodyMR) }

// Pair names one block of the period: the admin block by LookupHash, the entry
// credit block by its header's hash, the others by KeyMR.
type Pair struct {
	ChainID wire.Hash
	Key     wire.Hash
}

// Leaf is the pair's leaf under BodyMR: SHA-256(chain id ‖ key).
func (p *Pair) Leaf() wire.Hash { return node(p.ChainID, p.Key) }

// Bytes are the pair's bytes in the body.
func (p *Pair) Bytes() []byte {
	return append(append(make([]byte, 0, pairSize), p.ChainID[:]...), p.Key[:]...)
}

// reserved are the chains that begin every directory block.
var reserved = [3]wire.Hash{AdminChain, EntryCreditChain, FactoidChain}

// DirectoryBody computes the body of a directory block as pairs come: admin,
// entry credit and factoid chain, then entry blocks by ascending chain id. The
// zero value is empty.
type DirectoryBody struct {
	tree Tree
	last wire.Hash // chain id
}

// Append adds a pair. Errors carry ErrBlockMalformed: a pair out of order.
func (b *DirectoryBody) Append(p Pair) error {
	n := b.tree.Count()
	if n < uint64(len(reserved)) && p.ChainID != reserved[n] {
		return malformed("directory block: pair %d is of chain %s, not %s", n, p.ChainID, reserved[n])
	}
	if n > 0 && bytes.Compare(p.ChainID[:], b.last[:]) <= 0 {
		return malformed("directory block: chain %s after chain %s", p.ChainID, b.last)
	}
	b.tree.Append(p.Leaf())
	b.last = p.ChainID
	return nil
}

// Root is the BodyMR of the pairs so far.
func (b *DirectoryBody) Root() wire.Hash { return b.tree.Root() }

// Count is the number of pairs so far.
func (b *DirectoryBody) Count() uint64 { return b.tree.Count() }

// AppendBinary appends the state: last chain id ‖ tree.
func (b *DirectoryBody) AppendBinary(to []byte) []byte {
	return b.tree.AppendBinary(append(to, b.last[:]...))
}

// ParseDirectoryBody reads what AppendBinary wrote, and nothing after it.
// Errors carry ErrMalformed.
func ParseDirectoryBody(state []byte) (*DirectoryBody, error) {
	c := &cursor{rest: state, code: wire.ErrMalformed, what: "state of a directory block"}
	b := &DirectoryBody{last: c.hash(), tree: *c.tree()}
	n, possible := b.tree.Count(), false
	switch {
	case n == 0:
		possible = b.last.IsZero()
	case n <= uint64(len(reserved)):
		possible = b.last == reserved[n-1]
	default:
		possible = bytes.Compare(b.last[:], FactoidChain[:]) > 0
	}
	if !possible {
		c.failf("chain %s is last of %d", b.last, n)
	}
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// DirectoryBlock is a whole directory block.
type DirectoryBlock struct {
	Header DirectoryBlockHeader
	Body   []Pair
}

// NewDirectoryBlock makes a block of pairs in order. Of the header it takes
// network, links, time and height; root and count are computed. Errors carry
// ErrBlockMalformed.
func NewDirectoryBlock(header DirectoryBlockHeader, pairs []Pair) (*DirectoryBlock, error) {
	if len(pairs) < len(reserved) {
		return nil, malformed("directory block: %d pairs, at least %d", len(pairs), len(reserved))
	}
	var state DirectoryBody
	for _, p := range pairs {
		if err := state.Append(p); err != nil {
			return nil, err
		}
	}
	header.BodyMR, header.Count = state.Root(), uint32(state.Count())
	return &DirectoryBlock{header, pairs}, nil
}

// Bytes are the block's bytes.
func (b *DirectoryBlock) Bytes() []byte {
	out := append(make([]byte, 0, DirectoryBlockHeaderSize+pairSize*len(b.Body)), b.Header.Bytes()...)
	for _, p := range b.Body {
		out = append(append(out, p.ChainID[:]...), p.Key[:]...)
	}
	return out
}

// KeyMR names the block.
func (b *DirectoryBlock) KeyMR() wire.Hash { return b.Header.KeyMR() }

// FullHash is SHA-256 of the whole block.
func (b *DirectoryBlock) FullHash() wire.Hash { return sha256.Sum256(b.Bytes()) }

// Leaves are the leaves under BodyMR, in order.
func (b *DirectoryBlock) Leaves() []wire.Hash {
	leaves := make([]wire.Hash, len(b.Body))
	for i := range b.Body {
		leaves[i] = b.Body[i].Leaf()
	}
	return leaves
}

// ParseDirectoryBlock reads a whole block strictly: the size its count calls
// for, pairs in order, the root of its pairs. Errors carry ErrBlockMalformed.
func ParseDirectoryBlock(b []byte) (*DirectoryBlock, error) {
	c := readBlock(b, "directory block", MaxBlock)
	h := c.directoryBlockHeader()
	if c.err == nil && uint64(len(c.rest)) != pairSize*uint64(h.Count) {
		c.failf("counts %d pairs, has %d bytes of them", h.Count, len(c.rest))
	}
	pairs := make([]Pair, 0, len(c.rest)/pairSize)
	for len(c.rest) > 0 {
		pairs = append(pairs, Pair{c.hash(), c.hash()})
	}
	if c.err != nil {
		return nil, c.err
	}
	own, err := NewDirectoryBlock(h, pairs)
	if err != nil {
		return nil, err
	}
	if own.Header.BodyMR != h.BodyMR {
		return nil, malformed("directory block: body root is not that of the pairs")
	}
	return own, nil
}

// ParseDirectoryBlockHeader reads the header alone, which begins a block. It
// says nothing about the body. Errors carry ErrBlockMalformed.
func ParseDirectoryBlockHeader(b []byte) (*DirectoryBlockHeader, error) {
	c := readBlock(b, "directory block header", DirectoryBlockHeaderSize)
	h := c.directoryBlockHeader()
	if c.end(); c.err != nil {
		return nil, c.err
	}
	return &h, nil
}

func (c *cursor) directoryBlockHeader() DirectoryBlockHeader {
	if version := c.u8(); version != 0 {
		c.failf("version %d", version)
	}
	return DirectoryBlockHeader{
		NetworkID: c.u32(), BodyMR: c.hash(), PrevKeyMR: c.hash(), PrevFullHash: c.hash(),
		Minutes: c.u32(), Height: c.u32(), Count: c.u32(),
	}
}
