// Package btcdlab runs a real Bitcoin node, btcd on its simulation network, for
// tests, scenarios and the demo: blocks are mined when asked for, and taken back.
//
// It must never touch a real network: the node listens on the loopback alone and
// knows no peers. It must never install anything: scripts/install-btcd.sh does,
// and Start says so if there is no btcd.
//
// Invariants: one process per Lab; the folder holds everything and outlives Kill
// and Restart; Close ends the process. A Lab's methods are for one goroutine at a
// time.
package btcdlab
