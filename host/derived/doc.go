// Package derived keeps rows that can be derived again: the indexes of the archive
// and of the data layer.
//
// It must never hold what is nowhere else. There is no log: a crash loses the
// newest batches, oldest kept first, and who opens the rows writes them again; so a
// batch says how far it goes.
//
// Invariant: closing waits for every reader, and no read begins after it.
package derived
