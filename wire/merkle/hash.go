package merkle

import (
	"crypto/sha256"

	"cloister/wire"
)

// Prefixes keep leaves and inner nodes apart (RFC 6962 §2.1), so that no
// inner node can be presented as a leaf.
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

const hashSize = len(wire.Hash{})

// EmptyRoot is the root of a list without leaves: SHA-256 of nothing.
var EmptyRoot = wire.Hash(sha256.Sum256(nil))

// LeafHash is SHA-256(0x00 ‖ data). It allocates only for data of more than
// 511 bytes.
func LeafHash(data []byte) wire.Hash {
	var stack [512]byte
	return sha256.Sum256(append(append(stack[:0], leafPrefix), data...))
}

// NodeHash is SHA-256(0x01 ‖ left ‖ right).
func NodeHash(left, right wire.Hash) wire.Hash {
	var b [1 + 2*hashSize]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+hashSize:], right[:])
	return sha256.Sum256(b[:])
}

// Root is the root over a whole list of leaf hashes. It allocates nothing and
// computes len(leaves)-1 hashes.
func Root(leaves []wire.Hash) wire.Hash {
	var r Range
	for _, leaf := range leaves {
		r.Append(leaf)
	}
	return r.Root()
}

// Path is the inclusion proof, lowest sibling first, of the leaf at index
// within the whole list. It computes len(leaves)-1 hashes. It panics, like
// indexing does, if index is not within the list.
func Path(leaves []wire.Hash, index int) []wire.Hash {
	_ = leaves[index]
	path := []wire.Hash{}
	row := append([]wire.Hash(nil), leaves...)
	for ; len(row) > 1; index /= 2 {
		if sibling := index ^ 1; sibling < len(row) {
			path = append(path, row[sibling])
		}
		row = parents(row)
	}
	return path
}

// parents overwrites a row of nodes with the row above it. An odd last node
// has no sibling at this height and moves up as it is: that gives the shape
// RFC 6962 defines by splitting at powers of two.
func parents(row []wire.Hash) []wire.Hash {
	n := len(row) / 2
	for i := range n {
		row[i] = NodeHash(row[2*i], row[2*i+1])
	}
	if len(row)%2 == 1 {
		row[n] = row[len(row)-1]
		n++
	}
	return row[:n]
}
