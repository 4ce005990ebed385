// Package directory builds the blocks of the data layer: it gathers what the
// rules put in order during a period of block time, and afterwards computes the
// keys of the entry, entry credit, factoid, admin and directory blocks, exactly as Factom's
// layouts give them.
//
// The core computes keys and keeps no block: hosts rebuild the bytes from the same
// transactions and hold them against record.Directory, which is proved state.
//
// It must never judge a message, and never hold a period in memory: a period may
// have millions of entries, so closing is a walk over rows that goes on for as many
// blocks as it needs, a bounded piece at the end of each.
//
// # Invariants
//
//   - One period is open; at most one is being closed. A period ends with the
//     first block of a later one, or when the closing before it is done, whichever is later.
//   - Rows of a period are written while it is open and only read afterwards.
//   - All keys of a period follow from its rows and the period before.
//
// Factom specification §6.
package directory
