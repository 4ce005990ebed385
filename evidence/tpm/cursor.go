package tpm

import "encoding/binary"

// cursor reads fields off bytes. Reading past the end gives zeros and is
// remembered, so that a structure is read in one go and judged once.
type cursor struct {
	b     []byte
	order binary.ByteOrder // TPM structures are big-endian, event logs little-endian
	short bool
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return c.order.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return c.order.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return c.order.Uint64(b)
	}
	return 0
}

// sized reads a TPM2B: a length of 16 bits, then so many bytes.
func (c *cursor) sized() []byte { return c.bytes(int(c.u16())) }

// whole reports whether everything was there and nothing is left.
func (c *cursor) whole() bool { return !c.short && len(c.b) == 0 }

// appendSized writes a TPM2B.
func appendSized(b, field []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(field))), field...)
}
