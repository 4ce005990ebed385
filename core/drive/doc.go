// Package drive runs the trusted node in production: it is the only place
// under core with goroutines and a clock. It opens the vault, hands the machine
// its events, and carries its effects out.
//
// It must never decide anything about the ledger, and never act on an effect
// out of its lane's order.
//
// Goroutines, each ended by run's context: one loop that owns the machine; one
// log lane that turns what waits into one append and one sync; one exec lane;
// one flusher; workers for Compute and Read; one publisher; a ticker; per peer
// one that keeps a connection, one reader and one writer.
//
// Invariants: Done of an Append comes after the sync that covers it; effects of
// a lane are carried out in the order the machine asked; after the gate is
// gone nothing is promised and the process ends within a second.
//
// Gate specification §2, §5, §8.2.
package drive
