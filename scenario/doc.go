// Package scenario tells stories about whole networks of real processes: real
// sockets, real disks, real kills. Each story has a name, and all stand here.
//
// It must never reach into a process: it uses the command line, the public API
// and signals, as a user or an enemy would.
//
// Invariants: a story ends with everything it started stopped; it asserts on
// what is true, never on how long it took.
//
// The programs come from the folder CLOISTER_BIN names, or are built once.
package scenario
