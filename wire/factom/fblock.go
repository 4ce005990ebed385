package factom

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"cloister/wire"
)

// factoidMarker ends a minute in a factoid block's body. No transaction starts with it.
const factoidMarker = 0

// FactoidBlockHeader heads the block of a period's factoid transactions
// (specification §6.4).
type FactoidBlockHeader struct {
	BodyMR           wire.Hash
	PrevKeyMR        wire.Hash
	PrevLedgerKeyMR  wire.Hash
	Rate             uint64 // factoshis per entry credit
	Height           uint32
	Expansion        []byte // unused; kept as it came
	TransactionCount uint32 // the coinbase included
	BodySize         uint32 // bytes
}

// Bytes are the header's bytes.
func (h *FactoidBlockHeader) Bytes() []byte {
	b := append([]byte{}, FactoidChain[:]...)
	for _, x := range []wire.Hash{h.BodyMR, h.PrevKeyMR, h.PrevLedgerKeyMR} {
		b = append(b, x[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, h.Rate)
	b = appendExpansion(binary.BigEndian.AppendUint32(b, h.Height), h.Expansion)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, h.TransactionCount), h.BodySize)
}

// Hash is SHA-256 of the header.
func (h *FactoidBlockHeader) Hash() wire.Hash { return sha256.Sum256(h.Bytes()) }

// KeyMR names the block: SHA-256(header hash ‖ BodyMR).
func (h *FactoidBlockHeader) KeyMR() wire.Hash { return node(h.Hash(), h.BodyMR) }

// LedgerKeyMR is SHA-256(LedgerMR ‖ header hash), the other way round than
// KeyMR. LedgerMR is the root over the signed parts alone: FactoidBody.LedgerRoot.
func (h *FactoidBlockHeader) LedgerKeyMR(ledgerMR wire.Hash) wire.Hash {
	return node(ledgerMR, h.Hash())
}

// TransactionAt is a transaction with the minute it took effect in.
type TransactionAt struct {
	Minute      uint8
	Transaction *Transaction
}

// FactoidBody computes the body of a factoid block as transactions come: first
// the coinbase, in minute 1. All ten minute markers are always written. The
// zero value is empty.
type FactoidBody struct {
	clock        clock
	body, ledger Tree
	size         uint64
}

// Append adds a transaction of a minute, 1 to 10 and never less than before,
// and returns the bytes it adds to the body: perhaps markers, then the
// transaction. Errors carry ErrBlockMalformed: among them a coinbase that is
// not the first, and another transaction that is.
func (b *FactoidBody) Append(minute uint8, t *Transaction) ([]byte, error) {
	if first := b.body.Count() == 0; first != (len(t.Inputs) == 0) || first && minute != 1 {
		return nil, malformed("factoid block: transaction with %d inputs as number %d, in minute %d", len(t.Inputs), b.transactions(), minute)
	}
	first, last, err := b.clock.to(minute)
	if err != nil {
		return nil, err
	}
	added, whole := b.markers(first, last), t.Bytes()
	b.body.Append(sha256.Sum256(whole))
	b.ledger.Append(t.TXID())
	b.size += uint64(len(added) + len(whole))
	return append(added, whole...), nil
}

// Close returns the bytes that end the body: the markers still to come. The
// body takes nothing after it.
func (b *FactoidBody) Close() []byte {
	added := b.markers(b.clock.close())
	b.size += uint64(len(added))
	return added
}

func (b *FactoidBody) markers(first, last uint8) (added []byte) {
	for m := first; m <= last; m++ {
		added = append(added, factoidMarker)
		leaf := wire.Hash(sha256.Sum256(added[:1]))
		b.body.Append(leaf)
		b.ledger.Append(leaf)
	}
	return added
}

func (b *FactoidBody) transactions() uint64 { return b.body.Count() - uint64(b.clock.marked) }

// LedgerRoot is LedgerMR of the body so far.
func (b *FactoidBody) LedgerRoot() wire.Hash { return b.ledger.Root() }

// Fill puts root, count and size of the body so far into a header. Errors carry
// ErrBlockMalformed: a header holds at most 2³²−1 bytes.
func (b *FactoidBody) Fill(h *FactoidBlockHeader) error {
	if b.size > math.MaxUint32 {
		return malformed("factoid block: body of %d bytes", b.size)
	}
	h.BodyMR, h.TransactionCount, h.BodySize = b.body.Root(), uint32(b.transactions()), uint32(b.size)
	return nil
}

// AppendBinary appends the state: markers written ‖ size(8) ‖ both trees.
func (b *FactoidBody) AppendBinary(to []byte) []byte {
	to = binary.BigEndian.AppendUint64(append(to, b.clock.marked), b.size)
	return b.ledger.AppendBinary(b.body.AppendBinary(to))
}

// ParseFactoidBody reads what AppendBinary wrote, and nothing after it. Errors
// carry ErrMalformed.
func ParseFactoidBody(state []byte) (*FactoidBody, error) {
	c := &cursor{rest: state, code: wire.ErrMalformed, what: "state of a factoid block"}
	b := &FactoidBody{clock: clock{c.u8()}, size: c.u64(), body: *c.tree(), ledger: *c.tree()}
	n, m := b.body.Count(), uint64(b.clock.marked)
	if m > Minutes || n < m || n != b.ledger.Count() || b.size < n || (n == 0) != (b.size == 0) {
		c.failf("%d markers, %d and %d leaves, %d bytes", m, n, b.ledger.Count(), b.size)
	}
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// FactoidBlock is a whole factoid block. Body holds the transactions with their
// minutes, the coinbase first; the markers between them are implied.
type FactoidBlock struct {
	Header FactoidBlockHeader
	Body   []TransactionAt
}

// NewFactoidBlock makes a block of transactions in order, the coinbase first.
// Of the header it takes links, rate, height and expansion; root, count and
// size are computed. Errors carry ErrBlockMalformed.
func NewFactoidBlock(header FactoidBlockHeader, transactions []TransactionAt) (*FactoidBlock, error) {
	if len(transactions) == 0 {
		return nil, malformed("factoid block without its coinbase")
	}
	var body FactoidBody
	for _, t := range transactions {
		if _, err := body.Append(t.Minute, t.Transaction); err != nil {
			return nil, err
		}
	}
	body.Close()
	if err := body.Fill(&header); err != nil {
		return nil, err
	}
	return &FactoidBlock{header, transactions}, nil
}

// replay runs the body again. It panics on transactions out of order, which
// neither NewFactoidBlock nor ParseFactoidBlock gives.
func (b *FactoidBlock) replay() (body *FactoidBody, out []byte) {
	body = new(FactoidBody)
	for _, t := range b.Body {
		added, err := body.Append(t.Minute, t.Transaction)
		if err != nil {
			panic(err)
		}
		out = append(out, added...)
	}
	return body, append(out, body.Close()...)
}

// Bytes are the block's bytes.
func (b *FactoidBlock) Bytes() []byte {
	_, body := b.replay()
	return append(b.Header.Bytes(), body...)
}

// KeyMR names the block.
func (b *FactoidBlock) KeyMR() wire.Hash { return b.Header.KeyMR() }

// LedgerKeyMR is what the next block's PrevLedgerKeyMR holds.
func (b *FactoidBlock) LedgerKeyMR() wire.Hash {
	body, _ := b.replay()
	return b.Header.LedgerKeyMR(body.LedgerRoot())
}

// ParseFactoidBlock reads a whole block strictly: the root, count and size of
// its body, the coinbase first, exactly ten minute markers, the tenth last. It
// does not verify signatures. Errors carry ErrBlockMalformed.
func ParseFactoidBlock(b []byte) (*FactoidBlock, error) {
	c := readBlock(b, "factoid block", MaxBlock)
	h := c.factoidBlockHeader()
	if c.err == nil && uint64(len(c.rest)) != uint64(h.BodySize) {
		c.failf("body of %d bytes, header says %d", len(c.rest), h.BodySize)
	}
	transactions := c.transactions()
	if c.err != nil {
		return nil, c.err
	}
	own, err := NewFactoidBlock(h, transactions)
	switch {
	case err != nil:
		return nil, err
	case own.Header.TransactionCount != h.TransactionCount:
		return nil, malformed("factoid block: %d transactions, header says %d", own.Header.TransactionCount, h.TransactionCount)
	case own.Header.BodyMR != h.BodyMR:
		return nil, malformed("factoid block: body root is not that of the body")
	}
	return own, nil
}

// transactions takes a whole body.
func (c *cursor) transactions() (list []TransactionAt) {
	minute := uint8(1)
	for len(c.rest) > 0 {
		if minute > Minutes {
			c.failf("goes on after its last minute")
			break
		}
		if c.rest[0] == factoidMarker {
			minute++
			c.rest = c.rest[1:]
			continue
		}
		t, rest, err := parseTransaction(c.rest, len(list) == 0)
		if err != nil {
			c.inside(fmt.Sprintf("transaction %d", len(list)), err)
			break
		}
		list, c.rest = append(list, TransactionAt{minute, t}), rest
	}
	if minute <= Minutes {
		c.failf("ends in minute %d", minute)
	}
	return list
}

// ParseFactoidBlockHeader reads the header alone, which begins a block. It says
// nothing about the body. Errors carry ErrBlockMalformed.
func ParseFactoidBlockHeader(b []byte) (*FactoidBlockHeader, error) {
	c := readBlock(b, "factoid block header", MaxBlock)
	h := c.factoidBlockHeader()
	if c.end(); c.err != nil {
		return nil, c.err
	}
	return &h, nil
}

func (c *cursor) factoidBlockHeader() FactoidBlockHeader {
	c.chain(FactoidChain)
	return FactoidBlockHeader{
		BodyMR: c.hash(), PrevKeyMR: c.hash(), PrevLedgerKeyMR: c.hash(), Rate: c.u64(), Height: c.u32(),
		Expansion: c.expansion(), TransactionCount: c.u32(), BodySize: c.u32(),
	}
}
