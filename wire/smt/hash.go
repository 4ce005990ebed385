package smt

import (
	"crypto/sha256"

	"cloister/wire"
)

const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

// Empty is the hash of a subtree without leaves, and the root of the empty tree.
var Empty wire.Hash

// KeyHash is the position of an application key: plain SHA-256.
func KeyHash(key []byte) wire.Hash { return sha256.Sum256(key) }

// ValueHash is what a leaf keeps of the stored bytes: plain SHA-256.
func ValueHash(stored []byte) wire.Hash { return sha256.Sum256(stored) }

// Leaf is a key that has a value.
type Leaf struct {
	_     struct{}  `cbor:",toarray"`
	Key   wire.Hash // KeyHash of the application key
	Value wire.Hash // ValueHash of the stored bytes
}

// Hash is the hash of a subtree that holds this leaf alone.
func (l Leaf) Hash() wire.Hash { return pair(leafPrefix, &l.Key, &l.Value) }

// NodeHash is the hash of a subtree that holds several leaves, from its halves.
func NodeHash(left, right wire.Hash) wire.Hash { return pair(nodePrefix, &left, &right) }

func pair(prefix byte, a, b *wire.Hash) wire.Hash {
	var buf [1 + 2*len(a)]byte
	buf[0] = prefix
	copy(buf[1:], a[:])
	copy(buf[1+len(a):], b[:])
	return sha256.Sum256(buf[:])
}

// Bit is bit number depth of a key's hash: which half, 0 left or 1 right, of
// a node at that depth it belongs to. Depth 0 is the root.
func Bit(key *wire.Hash, depth int) int { return int(key[depth/8]>>(7-depth%8)) & 1 }
