// Package tree keeps the authenticated state tree whose root headers carry:
// the sparse Merkle tree defined in wire/smt, stored so that a block touching a
// few keys among millions rewrites a few small pages, and every older root that
// was not pruned can still be read and proved.
//
// Update computes the next root and what to write; Prove answers for one key
// under one root. Both are functions over a Reader: the package must never do
// I/O, start a goroutine or keep state, and the caller puts the writes into the
// same batch as the values themselves. Values are not kept here, only their
// hashes. Calls may run side by side if the Reader allows it.
//
// # Pages
//
// A page is four levels of the binary tree: the subtree at one nibble path,
// with 16 slots for the subtrees one nibble further down. A slot holds nothing,
// the only leaf of its subtree, or a reference to a page when there are several
// leaves. A page exists only where there are several leaves, except that the
// root of a tree with one leaf is a page with that leaf.
//
// Pages are immutable. Their key is
//
//	version u64 big-endian ‖ nibbles in the path u8 ‖ the path, two nibbles to a byte
//
// where version is that of the Update which wrote the page, and a trailing odd
// nibble stands in the high half of its byte. The bytes of a page are
//
//	layout u8 = 1
//	kinds u32 big-endian: 2 bits for each slot, slot 0 highest; 0 nothing, 1 leaf, 2 page
//	for each slot that is not empty, in order:
//	  leaf: key 32 ‖ value hash 32
//	  page: version u64 big-endian ‖ hash 32
//	for each quarter (4 slots) that holds several leaves, in order: hash 32
//
// at most 1157 bytes. Of the 15 hashes inside a page only those of the four
// quarters are stored: to check and change one slot then takes 10 hashes, where
// it takes 19 if none is stored, and to store all would nearly double the bytes
// written.
//
// # Invariants
//
//   - The root hash depends on the leaves alone, not on versions or history:
//     after a deletion it is that of a tree which never held the key. Versions
//     may differ between nodes.
//   - What is read is checked before it is used. A page must hash to what its
//     parent, and in the end the caller's Root, says; a page that is missing,
//     malformed, or another one is ErrPage, and nothing is computed from it. So
//     a damaged store stops an Update and cannot bend a root.
//   - A version is used once. Two blocks that compete for a height are two
//     versions; number Updates, not heights, where blocks can be undone, and
//     delete the pages an abandoned Update wrote.
//   - Pruning: the stale pages of the Update that made version v are read by
//     roots older than v only. Deleting those of all Updates up to v leaves
//     every root from v on intact.
//
// Libraries specification §3.3; consensus specification §8 (state commitment).
package tree
