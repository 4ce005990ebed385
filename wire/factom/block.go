package factom

import (
	"cloister/wire"
)

// Minutes is how many minutes a block has: tenths of its period, counted from 1.
const Minutes = 10

// MaxBlock is the most bytes of a block that a parser takes at once. Larger
// blocks exist; they are hashed and checked in a stream, by the types named
// …Body and by Digest.
const MaxBlock = 256 << 20

// MaxExpansion bounds the expansion area of a header, which nobody uses but for
// the balances hash of admin blocks.
const MaxExpansion = 4096

// EntryAt is an entry hash with the minute it was recorded in.
type EntryAt struct {
	Minute uint8
	Hash   wire.Hash
}

// malformed refuses a block, or what somebody wants to put into one.
func malformed(format string, args ...any) error {
	return wire.Faultf(wire.ErrBlockMalformed, format, args...)
}

// readBlock starts to parse a block.
func readBlock(b []byte, what string, limit int) *cursor {
	c := &cursor{rest: b, code: wire.ErrBlockMalformed, what: what}
	if len(b) > limit {
		c.failf("%d bytes, at most %d are parsed at once", len(b), limit)
	}
	return c
}

// expansion takes size(VarInt) ‖ bytes.
func (c *cursor) expansion() []byte {
	n := c.varint()
	if n > MaxExpansion {
		c.failf("header expansion of %d bytes, at most %d", n, MaxExpansion)
	}
	return c.take(n)
}

func appendExpansion(b, area []byte) []byte {
	return append(AppendVarInt(b, uint64(len(area))), area...)
}

// clock is the minute a body with all ten markers is in: 1 to 10, 11 when it is
// closed. Its zero value has written no marker.
type clock struct{ marked uint8 } // markers written

// to gives the markers to write before something of the minute.
func (c *clock) to(minute uint8) (first, last uint8, err error) {
	if minute < 1 || minute > Minutes || minute <= c.marked {
		return 0, 0, malformed("something of minute %d after the end of minute %d", minute, c.marked)
	}
	first, last = c.marked+1, minute-1
	c.marked = last
	return first, last, nil
}

// close gives the markers that end the body.
func (c *clock) close() (first, last uint8) {
	first = c.marked + 1
	c.marked = Minutes
	return first, Minutes
}
