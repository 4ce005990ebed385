// Package duty says what a core has to submit by itself: that it runs, on which
// hardware and as which run; its proofs for the beacon; and that a learner it
// sees has caught up.
//
// It is pure: it reads state and makes payloads; who signs, sends and repeats
// them is the node. It must never make evidence itself, read a clock, or decide
// what only the ledger decides: a payload that comes too early or twice is
// refused there, at no cost.
//
// Invariants: nothing is due twice for one state; what is due depends on state
// and on Self alone; secrets derived from the identity never leave the package
// except as proofs.
//
// Design §4 "Devices and nodes", "Beacon"; TEE specification §6.1; consensus
// specification §4.4, §5.
package duty
