// Package appraise decides whether the evidence of one attestation is good:
// what a seated verifier votes, and what every validator computes again when a
// verdict is disputed. Both link this package, so that they cannot differ.
//
// It is pure: evidence, keys, tables and times are arguments, as they stood at
// the height the task is anchored at. It must never fetch a log, read a clock, or
// vote FAIL for what its caller failed to supply.
//
// Invariants: the same input gives the same verdict, reason, digest and
// measurements on every machine; of several reasons the lowest is given; only
// measurements with a digest that the evidence shows can change the answer, so
// supplying more of them does not.
//
// Hardware registry specification §7, §11.
package appraise
