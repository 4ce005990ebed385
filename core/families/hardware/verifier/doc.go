// Package verifier says what a device owes the registry: its votes in the
// committees it is drawn into, the evidence it is asked for, and the gas that
// keeps it registered. A trusted core and the agent of a TPM link it alike, so
// that they cannot differ in what they submit.
//
// It is pure: state is read through a function, entries of the data layer through
// another, and payloads come out, signed, in a fixed order. It must never remember
// anything, do what state says is done, vote what package appraise did not find,
// or read what is trusted as of another height than the one the evidence answers.
//
// # How nothing has to be remembered
//
// Everything a vote needs later is derived: salt, secret and seed by the tagged
// hash of the node key's seed, task and attempt. What was committed to is found
// again by comparing with the commitment in state: the tables may have moved on
// between commitment and reveal, so besides what is found now every reason of a
// FAIL and every measurement a CPU could have passed by is tried.
//
// Invariants: the same state, keys and entries give the same payloads, byte for
// byte, whatever was submitted before; what state shows as done is not due again; a
// job that is due would be accepted in the next block if its payer has the gas.
// Work is bounded: so many tasks, jobs and missing entries a look (verifier.go).
//
// Who rotates the node key of a device while it is seated cannot open what the old
// one committed to; the seat then counts as missing.
//
// Hardware registry specification §5 to §8, §12.
package verifier
