package factom

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"

	"cloister/wire"
)

// MaxAdminBlock is the most bytes of an admin block: a few messages per server
// and minute.
const MaxAdminBlock = 4 << 20

// BalancesHash is the type of the header expansion item that holds a hash over
// all balances, 32 bytes.
const BalancesHash = 1

// ExpansionItem is an item of an admin block's header expansion. Types that are
// not known are kept.
type ExpansionItem struct {
	Type uint8
	Data []byte
}

// AdminBlockHeader heads the block about the authorities themselves
// (specification §6.5).
type AdminBlockHeader struct {
	PrevBackRefHash wire.Hash
	Height          uint32
	Expansion       []ExpansionItem
	MessageCount    uint32
	BodySize        uint32 // bytes
}

// Bytes are the header's bytes.
func (h *AdminBlockHeader) Bytes() []byte {
	b := append(append([]byte{}, AdminChain[:]...), h.PrevBackRefHash[:]...)
	b = binary.BigEndian.AppendUint32(b, h.Height)
	b = appendExpansion(b, appendItems(nil, h.Expansion))
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, h.MessageCount), h.BodySize)
}

func appendItems(b []byte, items []ExpansionItem) []byte {
	for _, x := range items {
		b = append(AppendVarInt(append(b, x.Type), uint64(len(x.Data))), x.Data...)
	}
	return b
}

// AdminBlock is a whole admin block.
type AdminBlock struct {
	Header AdminBlockHeader
	Body   []AdminMessage
}

// NewAdminBlock makes a block of messages. Of the header it takes link, height
// and expansion; count and size are computed. Errors carry ErrBlockMalformed:
// what was built is judged by the parser, because messages are open structs.
func NewAdminBlock(header AdminBlockHeader, messages []AdminMessage) (*AdminBlock, error) {
	size := 0
	for _, m := range messages {
		size += len(m.appendTo(nil))
	}
	header.MessageCount, header.BodySize = uint32(len(messages)), uint32(size)
	b := &AdminBlock{header, messages}
	return ParseAdminBlock(b.Bytes())
}

// Bytes are the block's bytes.
func (b *AdminBlock) Bytes() []byte {
	out := b.Header.Bytes()
	for _, m := range b.Body {
		out = m.appendTo(out)
	}
	return out
}

// LookupHash names the block in the directory block: SHA-256 of the whole.
func (b *AdminBlock) LookupHash() wire.Hash { return sha256.Sum256(b.Bytes()) }

// BackRefHash is what the next block's PrevBackRefHash holds: the first half of
// SHA-512 of the whole.
func (b *AdminBlock) BackRefHash() wire.Hash {
	long := sha512.Sum512(b.Bytes())
	return wire.Hash(long[:32])
}

// ParseAdminBlock reads a whole block strictly; messages of types above those
// known are kept as they came. Errors carry ErrBlockMalformed.
func ParseAdminBlock(b []byte) (*AdminBlock, error) {
	c := readBlock(b, "admin block", MaxAdminBlock)
	c.chain(AdminChain)
	block := &AdminBlock{Header: AdminBlockHeader{
		PrevBackRefHash: c.hash(), Height: c.u32(), Expansion: c.items(), MessageCount: c.u32(), BodySize: c.u32(),
	}}
	h := &block.Header
	if c.err == nil && uint64(len(c.rest)) != uint64(h.BodySize) {
		c.failf("body of %d bytes, header says %d", len(c.rest), h.BodySize)
	}
	for len(c.rest) > 0 {
		block.Body = append(block.Body, c.adminMessage())
	}
	if c.err == nil && uint64(len(block.Body)) != uint64(h.MessageCount) {
		c.failf("%d messages, header says %d", len(block.Body), h.MessageCount)
	}
	if c.err != nil {
		return nil, c.err
	}
	return block, nil
}

// items takes the header expansion.
func (c *cursor) items() (items []ExpansionItem) {
	area := cursor{rest: c.expansion(), code: c.code, what: c.what}
	for len(area.rest) > 0 {
		x := ExpansionItem{Type: area.u8(), Data: area.take(area.varint())}
		if area.err == nil && x.Type == BalancesHash && len(x.Data) != 32 {
			area.failf("balances hash of %d bytes", len(x.Data))
		}
		items = append(items, x)
	}
	if area.err != nil && c.err == nil {
		c.err, c.rest = area.err, nil
	}
	return items
}
