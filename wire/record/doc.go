// Package record is the public face of the record family, the data layer: the
// messages that clients send, in Factom's own bytes, what they cost, and the
// state a proof shows.
//
// A commit pays for an entry by its hash, a reveal gives the entry; a pair is
// both at once, for who has nothing to hide. Entries of a period of block time
// end up in entry blocks, these with the commits, the factoid transactions and the acts of the
// servers in a directory block, whose key is state (Directory).
//
// It must never touch state itself; the rules are in core/families/record.
//
// Invariants: Decode accepts only messages that are well formed by themselves,
// so what it returns can be priced and executed; a chain's Head fixes its whole
// list.
//
// Factom specification §3, §4, §6, §7.
package record
