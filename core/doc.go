// Package core assembles one trusted node: it owns blocks, the pool of
// transactions, validation, the order of execution, catch-up and what leaves
// for the archive, and drives one consensus engine.
//
// It is a step machine: it must never block, start a goroutine, read a clock
// or do I/O, and it believes nothing that comes through the gate or from a
// peer without checking it.
//
// Invariants: a transaction is acknowledged to the outside only through a
// published block, which is decided, under a quorum's seal, and executed; one
// block per height, ordered and sealed by the member set that execution of
// earlier blocks decided; execution is behind ordering by at most Limits.ExecLag;
// every queue has a bound and answers "busy" over it.
//
// Files: node.go dispatch; members.go who orders blocks, and whether this node
// does; pool.go waiting transactions; admit.go what comes in; order.go the
// engine's App; publish.go execution and publication; catchup.go blocks from
// archives and peers; peers.go frames between nodes; query.go answers.
//
// Gate specification §8; consensus specification §3.
package core
