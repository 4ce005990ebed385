// Package policy judges what a verifier found: may evidence like this stand for
// a node in this role?
//
// A Policy is data the authorities put on the ledger, one per Role. Judge says
// yes or names the first broken rule with its code; Explain goes through all
// rules, for people. Default is what a chain starts with.
//
// It must never verify a signature, look anything up or read a clock: facts,
// what the ledger knows of the program, and times are arguments.
//
// Invariants, whatever a policy says: debug mode, the statuses Revoked and
// NotSupported, and code that nobody approved are refused; a TPM, which
// isolates nothing, never qualifies for a role that holds keys, nor for any
// without a registration that says which device it is; a newcomer is
// never accepted where a registered node already lives on grace.
//
// TEE specification §5.
package policy
