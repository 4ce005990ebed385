// Package smt says what the state root in a header means and checks proofs
// against it: that a key has a value, or that it has none. The tree itself is
// kept by core/ledger/tree; clients need only this package.
//
// The tree is a path-compressed binary sparse Merkle tree over SHA-256. A key
// stands at the position its hash spells, most significant bit first, 0 left.
// The hash of a subtree is
//
//	no leaf          32 zero bytes
//	one leaf         SHA-256(0x00 ‖ SHA-256(key) ‖ SHA-256(stored bytes))
//	several leaves   SHA-256(0x01 ‖ left half ‖ right half)
//
// so a subtree holding exactly one leaf is that leaf, at whatever height, and
// the root depends on what the tree holds and not on how it came to hold it.
//
// # Proofs
//
// A proof walks from the root towards a key and stops where fewer than two
// leaves are left: at a leaf, or at nothing. It lists the siblings passed, top to
// bottom, and the leaf met. The key's own leaf proves inclusion. Nothing, or
// another leaf, proves absence, the latter only if that leaf stands on the
// key's path, that is, shares as many leading bits as there are siblings:
// otherwise any leaf of the tree would prove the absence of any key.
//
// Each question has one proof. Against a root made by the rules above this
// follows from the hash: the walk can neither stop early nor go on. Besides,
// the verifier refuses shapes which no tree has: a last sibling that is empty
// (beside a leaf or nothing it would leave fewer than two leaves under their
// parent, which then has no halves), and nothing found at the full depth of 256
// (its sibling could hold one leaf only). Empty siblings further up are
// ordinary: several keys can share leading bits.
//
// The package must never do I/O or keep state.
//
// Libraries specification §3.3; consensus specification §8.
package smt
