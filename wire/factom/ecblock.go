package factom

import (
	"crypto/sha256"
	"encoding/binary"

	"cloister/wire"
)

// maxServerIndexes bounds objects of two bytes, which would cost a reader far
// more memory than their sender: each of 256 servers in each minute.
const maxServerIndexes = 256 * Minutes

// ECBlockHeader heads the block of a period's commits and purchases
// (specification §6.3).
type ECBlockHeader struct {
	BodyHash       wire.Hash // SHA-256 of the body
	PrevHeaderHash wire.Hash
	PrevFullHash   wire.Hash
	Height         uint32
	Expansion      []byte // unused; kept as it came
	ObjectCount    uint64 // minute markers included
	BodySize       uint64 // bytes
}

// Bytes are the header's bytes.
func (h *ECBlockHeader) Bytes() []byte {
	b := append([]byte{}, EntryCreditChain[:]...)
	for _, x := range []wire.Hash{h.BodyHash, h.PrevHeaderHash, h.PrevFullHash} {
		b = append(b, x[:]...)
	}
	b = appendExpansion(binary.BigEndian.AppendUint32(b, h.Height), h.Expansion)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, h.ObjectCount), h.BodySize)
}

// Hash is SHA-256 of the header. It names the block in the directory block:
// there is no KeyMR, and no Merkle tree.
func (h *ECBlockHeader) Hash() wire.Hash { return sha256.Sum256(h.Bytes()) }

// ECObjectAt is an object with the minute it belongs to.
type ECObjectAt struct {
	Minute uint8
	Object ECObject
}

// ECBody computes the body of an entry credit block as objects come. All ten
// minute markers are always written, each after the objects of its minute.
type ECBody struct {
	clock   clock
	objects uint64
	digest  *Digest
}

// NewECBody starts an empty body.
func NewECBody() *ECBody { return &ECBody{digest: NewDigest()} }

// Append adds an object of a minute, 1 to 10 and never less than before, and
// returns the bytes it adds to the body: perhaps markers, then the object.
// Errors carry ErrBlockMalformed: among them a marker given as an object.
func (b *ECBody) Append(minute uint8, o ECObject) ([]byte, error) {
	if o.Kind == ECMinute {
		return nil, malformed("minute markers of an entry credit block come by themselves")
	}
	first, last, err := b.clock.to(minute)
	if err != nil {
		return nil, err
	}
	added := o.Append(b.markers(first, last))
	b.objects++
	b.digest.Write(added)
	return added, nil
}

// Close returns the bytes that end the body: the markers still to come. The
// body takes nothing after it.
func (b *ECBody) Close() []byte {
	added := b.markers(b.clock.close())
	b.digest.Write(added)
	return added
}

func (b *ECBody) markers(first, last uint8) (added []byte) {
	for m := first; m <= last; m++ {
		added = ECObject{Kind: ECMinute, Number: m}.Append(added)
		b.objects++
	}
	return added
}

// Fill puts hash, count and size of the body so far into a header.
func (b *ECBody) Fill(h *ECBlockHeader) {
	h.BodyHash, h.ObjectCount, h.BodySize = b.digest.Sum(), b.objects, b.digest.Size()
}

// AppendBinary appends the state: markers written ‖ objects(8) ‖ digest.
func (b *ECBody) AppendBinary(to []byte) []byte {
	to = binary.BigEndian.AppendUint64(append(to, b.clock.marked), b.objects)
	return b.digest.AppendBinary(to)
}

// ParseECBody reads what AppendBinary wrote, and nothing after it. Errors carry
// ErrMalformed.
func ParseECBody(state []byte) (*ECBody, error) {
	c := &cursor{rest: state, code: wire.ErrMalformed, what: "state of an entry credit block"}
	b := &ECBody{clock: clock{c.u8()}, objects: c.u64(), digest: c.digest()}
	if m := uint64(b.clock.marked); m > Minutes || b.objects < m || b.digest.Size()/2 < b.objects {
		c.failf("%d markers, %d objects, %d bytes", m, b.objects, b.digest.Size())
	}
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// ECBlock is a whole entry credit block. Body holds the objects with their
// minutes; the markers between them are implied.
type ECBlock struct {
	Header ECBlockHeader
	Body   []ECObjectAt
}

// NewECBlock makes a block of objects in order. Of the header it takes links,
// height and expansion; hash, count and size are computed. Errors carry
// ErrBlockMalformed.
func NewECBlock(header ECBlockHeader, objects []ECObjectAt) (*ECBlock, error) {
	body := NewECBody()
	for _, o := range objects {
		if _, err := body.Append(o.Minute, o.Object); err != nil {
			return nil, err
		}
	}
	body.Close()
	body.Fill(&header)
	return &ECBlock{header, objects}, nil
}

// Bytes are the block's bytes. It panics on objects out of order, which neither
// NewECBlock nor ParseECBlock gives.
func (b *ECBlock) Bytes() []byte {
	out, body := b.Header.Bytes(), NewECBody()
	for _, o := range b.Body {
		added, err := body.Append(o.Minute, o.Object)
		if err != nil {
			panic(err)
		}
		out = append(out, added...)
	}
	return append(out, body.Close()...)
}

// HeaderHash names the block in the directory block.
func (b *ECBlock) HeaderHash() wire.Hash { return b.Header.Hash() }

// FullHash is SHA-256 of the whole block.
func (b *ECBlock) FullHash() wire.Hash { return sha256.Sum256(b.Bytes()) }

// ParseECBlock reads a whole block strictly: the hash, count and size of its
// body, and all ten minute markers in order with nothing after the tenth.
// Errors carry ErrBlockMalformed.
func ParseECBlock(b []byte) (*ECBlock, error) {
	c := readBlock(b, "entry credit block", MaxBlock)
	h := c.ecBlockHeader()
	if c.err == nil && uint64(len(c.rest)) != h.BodySize {
		c.failf("body of %d bytes, header says %d", len(c.rest), h.BodySize)
	}
	objects := c.ecObjects()
	if c.err != nil {
		return nil, c.err
	}
	own, err := NewECBlock(h, objects)
	switch {
	case err != nil:
		return nil, err
	case own.Header.ObjectCount != h.ObjectCount:
		return nil, malformed("entry credit block: %d objects, header says %d", own.Header.ObjectCount, h.ObjectCount)
	case own.Header.BodyHash != h.BodyHash:
		return nil, malformed("entry credit block: body hash is not that of the body")
	}
	return own, nil
}

// ecObjects takes a whole body.
func (c *cursor) ecObjects() (objects []ECObjectAt) {
	minute, indexes := uint8(1), 0
	for len(c.rest) > 0 {
		o := c.ecObject()
		switch {
		case o.Kind == ECMinute && o.Number != minute || o.Kind != ECMinute && minute > Minutes:
			c.failf("an object, or another marker, where that of minute %d is due", minute)
		case o.Kind == ECMinute:
			minute++
			continue
		case o.Kind == ECServerIndex:
			if indexes++; indexes > maxServerIndexes {
				c.failf("more than %d server indexes", maxServerIndexes)
			}
		}
		objects = append(objects, ECObjectAt{minute, o})
	}
	if minute <= Minutes {
		c.failf("ends in minute %d", minute)
	}
	return objects
}

// ParseECBlockHeader reads the header alone, which begins a block. It says
// nothing about the body. Errors carry ErrBlockMalformed.
func ParseECBlockHeader(b []byte) (*ECBlockHeader, error) {
	c := readBlock(b, "entry credit block header", MaxBlock)
	h := c.ecBlockHeader()
	if c.end(); c.err != nil {
		return nil, c.err
	}
	return &h, nil
}

func (c *cursor) ecBlockHeader() ECBlockHeader {
	c.chain(EntryCreditChain)
	return ECBlockHeader{
		BodyHash: c.hash(), PrevHeaderHash: c.hash(), PrevFullHash: c.hash(), Height: c.u32(),
		Expansion: c.expansion(), ObjectCount: c.u64(), BodySize: c.u64(),
	}
}
