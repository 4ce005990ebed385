// Package registry reads the hardware registry's public state for those who act
// on it from outside of its rules: devices, verifiers, tools.
//
// It is pure: state comes through a function, one key at a time, so that proofs
// of a light client, a view of a ledger and a map of a test serve alike. It must
// never write, guess a value that is absent, or remember one between views.
//
// Invariants: what is malformed is an error, never an absence; nothing is read
// beyond the bounds that the rules keep.
//
// Hardware registry specification §3; keys and structures: wire/hardware,
// evidence/trust.
package registry
