// Package factom holds the structures of the Factom data layer in their
// original byte formats, with their hashes, builders and strict parsers:
// entries and commits, factoid transactions, the five kinds of block, receipts
// and anchors.
//
// It is pure: no file, socket, clock or goroutine. It must never re-serialise
// what it parsed into something else: the hash of what was received is the hash
// of what is stored. It judges structure only; balances, windows, rates and who
// may sign are rules of the families.
//
// Invariants: a parser accepts exactly the bytes that the builder of the same
// structure gives; a block is accepted only with the roots, counts and markers
// that its contents have; no parser panics, or takes memory that its input's
// bounded size does not justify; the incremental builders (Tree, Digest, EntryBody,
// ECBody, FactoidBody, DirectoryBody) give what the whole block gives, also
// when written down and read back in between.
//
// A Merkle root here does not separate leaves from nodes, nor a list from the
// same list with its end repeated. So a root alone proves no count: headers do,
// and Receipt.Verify judges every step by its position.
//
// Factom specification §1–§6 and §12; vectors of §17.
package factom
