package tree

import (
	"bytes"
	"encoding/binary"

	"cloister/wire"
)

// maxKey is the longest key of a page.
const maxKey = 8 + 1 + hashSize

// place says which page is meant: the one some version wrote at the first
// depth nibbles of path, whose further nibbles mean nothing.
type place struct {
	version uint64
	depth   int
	path    *wire.Hash
}

// appendKey appends the page's key.
func (at place) appendKey(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, at.version)
	b = append(b, byte(at.depth))
	b = append(b, at.path[:at.depth/2]...)
	if at.depth%2 == 1 {
		b = append(b, at.path[at.depth/2]&0xF0)
	}
	return b
}

// contains reports whether a key's position lies below the page.
func (at place) contains(key *wire.Hash) bool {
	whole := at.depth / 2
	return bytes.Equal(key[:whole], at.path[:whole]) &&
		(at.depth%2 == 0 || (key[whole]^at.path[whole])&0xF0 == 0)
}

// nibble is nibble number depth of a position, counted from its start.
func nibble(key *wire.Hash, depth int) int {
	if depth%2 == 0 {
		return int(key[depth/2] >> 4)
	}
	return int(key[depth/2] & 0x0F)
}
