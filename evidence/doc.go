// Package evidence says what attestation evidence is, what its verifiers find,
// and what has to be supplied to them. The verifiers are in the folders below
// it, one per vendor; evidence/verify is their registry.
//
// Everything here is pure: collateral and time are arguments, so every node
// gives the same answer about the same evidence for ever, without a network.
// It must never fetch anything, read a clock, or decide what is acceptable: a
// verifier reports facts and a status, policy (evidence/policy) judges them.
//
// Invariants: parsing is strict and bounded by the input; evidence has one
// encoding, so that no byte of it can change without the answer changing; a
// simulated vendor is told from a real one only by the anchor it ends in.
package evidence
