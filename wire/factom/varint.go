package factom

import (
	"fmt"
	"math/bits"

	"cloister/wire"
)

// MaxVarInt is the most bytes a variable-length integer takes.
const MaxVarInt = 10

// AppendVarInt appends n in base 128, most significant group first; every byte
// but the last has bit 7 set (specification §1).
func AppendVarInt(b []byte, n uint64) []byte {
	for shift := 7 * (VarIntSize(n) - 1); shift > 0; shift -= 7 {
		b = append(b, 0x80|byte(n>>shift))
	}
	return append(b, byte(n&0x7f))
}

// VarIntSize is how many bytes AppendVarInt appends.
func VarIntSize(n uint64) int { return max(1, (bits.Len64(n)+6)/7) }

// ReadVarInt reads one integer from the front of b. It refuses every form but
// the shortest, so that a number has one encoding. Errors wrap wire.ErrEncoding.
func ReadVarInt(b []byte) (n uint64, rest []byte, err error) {
	for i, x := range b[:min(len(b), MaxVarInt)] {
		switch {
		case i == 0 && x == 0x80:
			return 0, nil, fmt.Errorf("%w: number with a leading zero group", wire.ErrEncoding)
		case n > (1<<64-1)>>7:
			return 0, nil, fmt.Errorf("%w: number above 64 bits", wire.ErrEncoding)
		}
		n = n<<7 | uint64(x&0x7f)
		if x < 0x80 {
			return n, b[i+1:], nil
		}
	}
	if len(b) >= MaxVarInt {
		return 0, nil, fmt.Errorf("%w: number of more than %d bytes", wire.ErrEncoding, MaxVarInt)
	}
	return 0, nil, fmt.Errorf("%w: ends inside a number", wire.ErrEncoding)
}
