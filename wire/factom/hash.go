package factom

import (
	"crypto/sha256"

	"cloister/wire"
)

// The reserved chains, whose blocks every directory block names.
var (
	AdminChain       = wire.Hash{31: 0x0a}
	EntryCreditChain = wire.Hash{31: 0x0c}
	DirectoryChain   = wire.Hash{31: 0x0d}
	FactoidChain     = wire.Hash{31: 0x0f}
)

// doubleHash is SHA-256(SHA-256(p1 ‖ p2 ‖ …)).
func doubleHash(parts ...[]byte) wire.Hash {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return sha256.Sum256(h.Sum(nil))
}

// node is the parent of two nodes of a Merkle tree, and also a KeyMR:
// SHA-256(header hash ‖ body root).
func node(left, right wire.Hash) wire.Hash {
	var b [64]byte
	copy(b[:32], left[:])
	copy(b[32:], right[:])
	return sha256.Sum256(b[:])
}

// ChainIDHash is what a chain commit says of its chain: SHA-256d(chain id).
func ChainIDHash(chain wire.Hash) wire.Hash { return doubleHash(chain[:]) }

// Weld binds a chain commit's entry to its chain: SHA-256d(entry hash ‖ chain id).
func Weld(entryHash, chain wire.Hash) wire.Hash { return doubleHash(entryHash[:], chain[:]) }
