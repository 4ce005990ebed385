// Package record is the data layer: chains of entries, as Factom has them. An
// entry is paid for by its hash (commit) and then shown (reveal), or both at once
// (pair); a chain is created with its first entry, whose external ids are its
// name, and only grows.
//
// Proved state holds one wire/record.Chain per chain, and record.Directory and
// record.Progress for the blocks of the data layer, which package directory
// builds. Unused commits, names that are held and their deadlines are unproved
// state; entries themselves are transactions and are not kept. Each becomes a leaf
// of the tree of Header.DataRoot and moves the head of its chain, so that a list of
// entries can be checked for completeness against a proof of the chain.
//
// It must never re-serialise an entry or a commit: the hash of what was signed is
// the hash of what is recorded; and never use more of a commit than it holds
// before the reveal: what is paid for is unknown until then.
//
// # Invariants
//
//   - One commit serves one reveal; each recorded entry has its own commit in an
//     entry credit block of its period or an earlier one.
//   - A chain's id is the hash of its first entry's external ids.
//   - Commits whose entry nobody reveals within a day are void, and forgotten.
//
// Public face: wire/record. Factom specification §3, §4, §6, §7, §13.
package record
