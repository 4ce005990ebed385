// Package fileledger is a second ledger in one file: it stands in for Bitcoin
// where no node is at hand, in tests and trials.
//
// Its blocks are Bitcoin's in form, with the work of the simulation network, so
// that the same proofs hold for them. It must never be mistaken for a place that
// keeps anything safe: whoever has the file makes what history they like. It
// checks of a transaction that its inputs are there and unspent and that it takes
// no more than they hold, and no signature.
//
// Invariants: the file only grows, by whole blocks; a block cut off by a crash is
// left out when it is opened again, and overwritten. What waits for a block is in
// memory alone. Methods are safe for concurrent use.
package fileledger
