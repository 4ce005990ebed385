// Package archtest checks the house rules that the compiler does not: which
// room may import which, what the trusted core may touch, what a deciding
// machine must not do, and that every package says what it is for.
//
// It only reads: packages through the go command, files through go/parser and
// go/types. It must never need a network, a module outside the standard
// library, or a package that does not compile: that is an error.
//
// Invariants: every rule is in a table next to its reason; a folder that no
// table row names is a finding, so a new room must say where it belongs; every
// rule fires on a planted violation in testdata/planted.txt.
//
// Design §3; machines: gate specification §8.
package archtest
