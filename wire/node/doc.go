// Package node is the public face of the node family: what operators, cores and
// authorities sign about running trusted cores, and the state that says who they
// are and which of them order blocks.
//
// It must never touch state itself, and judges no evidence: claims and evidence
// travel here as the bytes that package evidence reads. The rules are in
// core/families/node.
//
// Invariants: what the decoders accept is bounded and has one encoding; the
// functions that read state are pure, so that a core, a client with proofs and
// an explorer say the same of the same state.
//
// Design §4 "Devices and nodes"; consensus specification §4.4, §5; TEE
// specification §5, §6.
package node
