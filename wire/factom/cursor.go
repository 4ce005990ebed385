package factom

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cloister/wire"
)

// cursor takes fields from the front of hostile bytes. The first failure
// sticks: from then on every field is zero and nothing is left, so a parser
// may read a run of fields and look at err once. Loops must look at err.
type cursor struct {
	rest []byte
	code wire.Code // what a failure carries
	what string    // what is being read, for people
	err  error
}

func (c *cursor) failf(format string, args ...any) {
	if c.err == nil {
		c.err = wire.Faultf(c.code, "%s: %s", c.what, fmt.Sprintf(format, args...))
	}
	c.rest = nil
}

// inside refuses because of what a parser of a part of it said.
func (c *cursor) inside(part string, err error) {
	detail := err.Error()
	if f := (*wire.Fault)(nil); errors.As(err, &f) {
		detail = f.Detail // without the advice, which is for the part alone
	}
	c.failf("%s: %s", part, detail)
}

// take gives the next n bytes, which alias the input; nil after a failure.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.failf("ends too early")
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// fill copies the next bytes into a field of fixed size.
func (c *cursor) fill(field []byte) { copy(field, c.take(uint64(len(field)))) }

func (c *cursor) u8() uint8 {
	var b [1]byte
	c.fill(b[:])
	return b[0]
}

func (c *cursor) u16() uint16 {
	var b [2]byte
	c.fill(b[:])
	return binary.BigEndian.Uint16(b[:])
}

func (c *cursor) u32() uint32 {
	var b [4]byte
	c.fill(b[:])
	return binary.BigEndian.Uint32(b[:])
}

func (c *cursor) u64() uint64 {
	var b [8]byte
	c.fill(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// timestamp is six bytes of milliseconds.
func (c *cursor) timestamp() uint64 {
	var b [8]byte
	c.fill(b[2:])
	return binary.BigEndian.Uint64(b[:])
}

func (c *cursor) hash() (h wire.Hash) {
	c.fill(h[:])
	return h
}

func (c *cursor) key() (k wire.PublicKey) {
	c.fill(k[:])
	return k
}

func (c *cursor) signature() (s wire.Signature) {
	c.fill(s[:])
	return s
}

func (c *cursor) varint() uint64 {
	if c.err != nil {
		return 0
	}
	n, rest, err := ReadVarInt(c.rest)
	if err != nil {
		c.failf("%v", err)
		return 0
	}
	c.rest = rest
	return n
}

// chain takes a chain id that must be the one given.
func (c *cursor) chain(want wire.Hash) {
	if got := c.hash(); got != want {
		c.failf("belongs to chain %s, not %s", got, want)
	}
}

// end refuses what is left over.
func (c *cursor) end() {
	if len(c.rest) > 0 {
		c.failf("%d bytes follow its end", len(c.rest))
	}
}

// appendTimestamp appends the low six bytes of ms.
func appendTimestamp(b []byte, ms uint64) []byte {
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], ms)
	return append(b, t[2:]...)
}
