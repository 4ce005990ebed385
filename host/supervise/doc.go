// Package supervise starts the trusted core, serves its gate, and starts it
// again when it dies.
//
// It must never help a core beyond its objects, its sockets and the archive: a
// compromised core is as much an adversary of the host as the host is of the
// core. It must never repair the core's store, restart a core that asked for an
// operator, or give the core anything in its environment but the gate.
//
// What the core sends is refused in the place it concerns: frames by package
// gate, blocks by package archive, addresses by the table of peers, events by
// their rate. A core that publishes a block the archive refuses is stopped for
// good: the same would come again.
//
// # Goroutines and their owners
//
// Run owns everything: the accept loop for peers, and for each life of the core
// the process, its gate (package gate's goroutines) and the one that reports
// what is archived. Run returns when all have ended.
//
// # Invariants
//
//   - At most one core runs at a time, and it dies with this process.
//   - Submit, Query and Status reach the core only between its Ready and the
//     end of its gate; otherwise they fail at once with a code.
//   - What is reported as archived is durable (archive.Height), and a block that
//     this life of the core has published: what others brought, it finds itself.
//   - Exit codes 4, 6 and 7 and a refused block end Run with an error.
//
// Gate specification §2, §4.2, §4.3, §5, §7.
package supervise
