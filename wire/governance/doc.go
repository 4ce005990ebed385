// Package governance is the public face of the governance family: what the
// authorities propose to each other and approve, and the state that shows it.
//
// It must never touch state itself, and knows nothing of what orders mean: an
// order is the bytes that the ordered family reads. The rules are in
// core/families/governance.
//
// Invariants: what the decoders accept is bounded and has one encoding; whether
// a number of approvals suffices is decided by Threshold alone.
//
// Hardware registry specification §4.
package governance
