// Package verify is the registry of verifiers: which one judges a kind of
// evidence, a stored security level, or an item of collateral. A new technology
// is a folder beside this one and a line in the table here.
//
// It must never judge anything itself, and it adds nothing to what verifiers
// say.
//
// Invariants: one verifier per kind; the answer depends on the arguments alone.
//
// Design §3; TEE specification §2 to §4.
package verify
