// Package merkle is the append-only Merkle tree of RFC 6962 with SHA-256, the
// form of every list a header commits to: transactions, entries, results,
// events and the history of headers.
//
// Three users, three tools. Who has the whole list of one block uses Root and
// Path. Who only follows a growing list (a builder, one per block in flight)
// keeps a Range: the right edge, at most 62 hashes, copied by assignment. Who
// must prove any leaf at any size keeps tiles: AppendTiles says which tiles
// change, InclusionProof and ConsistencyProof read a few of them. Everybody
// else only needs VerifyInclusion and VerifyConsistency.
//
// The package must never do I/O, start a goroutine, or need all leaves in
// memory. Node addresses and verification come from transparency-dev/merkle.
//
// # Tiles
//
// Tile (level, index) holds up to 256 hashes, 32 bytes each, left to right:
// the roots of the complete subtrees of 256^level leaves numbered 256·index
// onwards. A tile of level 0 thus holds leaf hashes, and the root over a full
// tile is one hash of the tile above it. Hashes inside a tile are recomputed,
// not stored, so the tree costs 1/255 more than its leaf hashes. Only complete
// subtrees are stored and those never change; therefore a partial tile is a
// prefix of each of its later forms, every size up to the stored one stays
// provable, and a list is shortened by continuing from a smaller size.
//
// # Invariants
//
// The empty tree's root is SHA-256 of nothing. Leaves are hashed behind 0x00
// and inner nodes behind 0x01, so neither passes for the other. A proof is
// accepted only with exactly the hashes its index and sizes call for. Proofs
// made from damaged tiles are wrong or refused, never a panic: verify what you
// made if you cannot trust your store.
//
// RFC 6962 §2.1; consensus specification §8; libraries specification §1.
package merkle
