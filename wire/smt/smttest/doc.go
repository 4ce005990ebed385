// Package smttest is the state tree written down as its definition, for tests:
// it hashes everything anew for every answer, and is the yardstick for the
// tree in core/ledger/tree and the source of proofs for tests that need some.
//
// It must never be imported by anything but tests.
//
// Invariants: no state is kept between answers, so none can be stale.
package smttest
