// Package record keeps chains of entries, as Factom has them: a chain is created
// with its first entry, whose external ids are its name, and only grows.
//
// State holds one wire/record.Chain per chain; entries themselves are
// transactions and are not kept in state. Each becomes a leaf of the data
// layer's tree, and moves the head of its chain, so that a list of entries can
// be checked for completeness against a proof of the chain.
//
// It must never re-serialise an entry: the hash of what was signed is the hash
// of what is recorded. Entries are paid in credits by the signer; each kind of
// payload is one line of the table kinds, which is where Factom's paid-by-hash
// commits and reveals join.
//
// Public face: wire/record. Factom specification §3, §7 (cost).
package record
