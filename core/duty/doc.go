// Package duty says what a core has to submit by itself: its signature of each
// directory block; that it runs, on which hardware and as which run; its proofs for the beacon; that a learner it sees has
// caught up; and what its device owes the hardware registry: to join, to answer
// when it is attested, to judge others, and to stay (package verifier).
//
// It is pure: it reads state and makes payloads; who signs, sends and repeats
// them is the node. It must never make evidence itself, read a clock, or decide
// what only the ledger decides: a payload that comes too early or twice is
// refused there.
//
// Duties to nodes and beacon are free for members. Those to the registry cost
// credits and gas of the core's account, the one of its identity key; what that
// cannot pay is not due, silently: an operator may not want to. A core whose code
// or platform is not approved any more owes the registry nothing, because it would
// fail and pay for it.
//
// Invariants: nothing is due twice for one state; what is due depends on state
// and on Self alone; secrets derived from the identity never leave the package
// except as proofs.
//
// Design §4 "Devices and nodes", "Beacon"; TEE specification §6.1; consensus
// specification §4.4, §5; hardware registry specification §5 to §8.
package duty
