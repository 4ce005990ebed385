package bitcoin

import (
	"encoding/binary"
	"math"
)

// reader takes Bitcoin's serialisation apart. After the first error everything
// reads as zero, and the error stays.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

func (r *reader) left() int { return len(r.b) - r.off }

// take returns the next n bytes; they alias the input.
func (r *reader) take(n int) []byte {
	if r.err != nil || n > r.left() {
		r.fail("ends in the middle")
		return nil
	}
	part := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return part
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// size reads a number in Bitcoin's variable form, which must be the shortest.
func (r *reader) size() uint64 {
	first := r.take(1)
	if first == nil {
		return 0
	}
	var v, least uint64
	switch first[0] {
	default:
		return uint64(first[0])
	case 0xfd:
		if b := r.take(2); b != nil {
			v, least = uint64(binary.LittleEndian.Uint16(b)), 0xfd
		}
	case 0xfe:
		v, least = uint64(r.uint32()), math.MaxUint16+1
	case 0xff:
		v, least = r.uint64(), math.MaxUint32+1
	}
	if v < least {
		r.fail("a number is not in its shortest form")
		return 0
	}
	return v
}

// count reads how many things of at least least bytes follow; more than the
// input has room for are refused before anything is allocated.
func (r *reader) count(least int) int {
	n := r.size()
	if n > uint64(r.left()/least) {
		r.fail("counts more than there is")
		return 0
	}
	return int(n)
}

// bytes reads a byte string with its length.
func (r *reader) bytes() []byte { return r.take(r.count(1)) }
