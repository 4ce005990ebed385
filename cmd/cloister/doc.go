// Command cloister is the host program and the whole command line: it starts
// networks and validators, keeps keys, writes to the ledger and verifies what
// the ledger answers.
//
// One file per noun; each command turns flags into one call of a package below
// and prints the outcome, as text or, with --json, as JSON. It must never hold
// a rule of the ledger, print a secret that was not asked for, or show as
// recorded what was not verified against the genesis file.
//
// Invariants: an error says what was wrong, its code, and what to do next; the
// exit code is the class of that code (wire.Info.Exit); with --json the result
// is on standard output and errors are JSON on standard error.
//
// Design §5.
package main
