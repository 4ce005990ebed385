// Package directory is the data layer as Factom's clients know it, on this host:
// commits, entries and factoid transactions by their hashes, and the entry, entry
// credit, factoid, admin and directory blocks with their bytes. It is an index over
// host/archive, derived from it and from the ledger's state, and what
// host/api/factom reads.
//
// It must never judge a message: what has an effect, the results in the archived
// blocks say. It must never serve a block whose key is not the one in the ledger's
// state, nor change what it served of a closed period.
//
// # How it works
//
// Two goroutines, both started and ended by Run. One folds archived blocks in
// order (fold.go): each message becomes rows under the period in progress
// (take.go), a group of blocks is one batch, and whoever waits hears of it
// (watch.go). The other closes periods (close.go): as soon as the state has a
// record.Directory, it builds the period's blocks from the rows with the code of
// wire/factom, holds each key against the state, stores the blocks and drops the rows.
//
// Which blocks belong to a period is the ledger's decision and reaches this host
// after the blocks do. So the fold decides by the same rule from what it knows
// (calendar.go); where the ledger decided otherwise, the blocks concerned are taken
// back and folded again.
//
// # Layout
//
// One Pebble without its own log (keys.go): a crash loses the newest batches,
// oldest kept first, and the fold goes on from the position that is left. A folder
// that is gone, or ahead of the archive, is filled again.
//
// Entries, commits and transactions are not copied: rows say where they stand in
// the archive, and what is read there is held against the hash it was asked by.
// Bodies of large blocks are stored in pieces, with the roots over them, so that
// receipts need a few pieces and not the whole (branch.go).
//
// # Invariants
//
//   - Rows of a period are a function of its ledger blocks: folding a block again
//     gives the same rows, taking it back removes them.
//   - Periods are closed in order, each by one last batch; before it nobody sees any
//     of the period's blocks, and building it again writes the same rows.
//   - Memory is bounded: a period of any size is walked over, not held; blocks above
//     MaxRead are not shown whole; the fold is at most maxUnclosed periods ahead.
//   - Once something contradicts the ledger, every read fails with the reason
//     (ErrCorrupt) and nothing more is written; the rest of the host goes on.
//
// Factom specification §6, §12 and §15.
package directory
