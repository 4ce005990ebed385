// Package query is what a host may ask the trusted core besides submitting
// transactions, and how the answers are encoded: the state of one key with its
// proof, and the core's status. A state answer proves itself to whoever holds
// the genesis file; a status answer proves nothing.
//
// It must never do I/O or keep state. It knows no engine: the rule by which a
// seal is judged is passed in (core/consensus/rules has them all).
//
// Invariants: Decode accepts only what Encode wrote, within the stated bounds;
// State.Verify leaves no field of an answer unchecked.
//
// Gate specification §4.3 (Query); consensus specification §8.
package query
