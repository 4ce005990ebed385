package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// appendHead writes a CBOR head in its shortest form.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch m := major << 5; {
	case n < 24:
		return append(b, m|byte(n))
	case n < 1<<8:
		return append(b, m|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, m|27), n)
	}
}

// readHead reads a CBOR head and refuses one that is not the shortest.
func readHead(b []byte, major byte) (n uint64, rest []byte, err error) {
	if len(b) == 0 || b[0]>>5 != major {
		return 0, nil, fmt.Errorf("%w: expected CBOR major type %d", ErrEncoding, major)
	}
	info, b := b[0]&31, b[1:]
	if info < 24 {
		return uint64(info), b, nil
	}
	if info > 27 {
		return 0, nil, fmt.Errorf("%w: indefinite or reserved length", ErrEncoding)
	}
	w := 1 << (info - 24)
	if len(b) < w {
		return 0, nil, fmt.Errorf("%w: truncated", ErrEncoding)
	}
	var full [8]byte
	copy(full[8-w:], b[:w])
	n = binary.BigEndian.Uint64(full[:])
	if least := [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]; n < least {
		return 0, nil, fmt.Errorf("%w: length not in shortest form", ErrEncoding)
	}
	return n, b[w:], nil
}

// appendBytes writes a byte string.
func appendBytes(b, data []byte) []byte {
	return append(appendHead(b, 2, uint64(len(data))), data...)
}

// reader is the hand-written strict decoder of the structures that every
// transaction costs: several times faster than Unmarshal, and fuzzed against
// it. After the first error every further read does nothing.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) refuse(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrEncoding, fmt.Sprintf(format, args...))
	}
}

func (r *reader) limit(size int) {
	if len(r.rest) > size {
		r.refuse("%d bytes, at most %d are accepted", len(r.rest), size)
	}
}

func (r *reader) head(major byte) (n uint64) {
	if r.err == nil {
		n, r.rest, r.err = readHead(r.rest, major)
	}
	return n
}

func (r *reader) array(fields uint64) {
	if n := r.head(4); n != fields {
		r.refuse("%d fields instead of %d", n, fields)
	}
}

func (r *reader) uint(most uint64) uint64 {
	n := r.head(0)
	if n > most {
		r.refuse("integer %d, at most %d", n, most)
	}
	return n
}

// take returns the content of a byte or text string; it aliases the input.
func (r *reader) take(major byte, most int) []byte {
	n := r.head(major)
	if n > uint64(most) || n > uint64(len(r.rest)) {
		r.refuse("string of %d bytes, at most %d, %d are left", n, most, len(r.rest))
	}
	if r.err != nil {
		return nil
	}
	data := r.rest[:n]
	r.rest = r.rest[n:]
	return data
}

// fixed reads a byte string of exactly the size of dst.
func (r *reader) fixed(dst []byte) {
	data := r.take(2, len(dst))
	if len(data) != len(dst) {
		r.refuse("byte string of %d bytes instead of %d", len(data), len(dst))
	}
	copy(dst, data)
}

// bytes reads a byte string into memory of its own; it is never nil.
func (r *reader) bytes(most int) []byte {
	data := r.take(2, most)
	return append(make([]byte, 0, len(data)), data...)
}

func (r *reader) text(most int) string {
	data := r.take(3, most)
	if !utf8.Valid(data) {
		r.refuse("text is not UTF-8")
	}
	return string(data)
}

// end reports the first error; bytes left over are one.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.refuse("%d bytes after the end", len(r.rest))
	}
	return r.err
}
