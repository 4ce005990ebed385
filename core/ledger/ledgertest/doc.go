// Package ledgertest runs a ledger without consensus, for tests of the ledger
// and of families: a chain whose proposer believes everything it is given.
//
// It must never be imported by anything but tests.
//
// Invariants: blocks are made and executed by the same code as in a node; only
// who orders them differs.
package ledgertest
