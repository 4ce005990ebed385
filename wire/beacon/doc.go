// Package beacon is the public face of the beacon family: public randomness that
// nobody could know or choose before the voters proved it together.
//
// Round r has one input, alpha, made of the chain and the value of round r-1.
// Voters prove it with their registered VRF keys; when proofs of a majority are
// in, the value of round r is the hash of the last value and their outputs. A
// voter has one proof for a round, so all it can choose is whether to send it.
//
// The package must never touch state itself, or hold a VRF secret; the rules
// are in core/families/beacon.
//
// Invariants: what the decoders accept is bounded and has one encoding; the
// functions that read state are pure.
//
// Design §4 "Beacon"; hardware registry specification §6.
package beacon
