// Package store keeps the ledger's bytes: an ordered map from keys to values
// that changes by one batch per block and is durable only as of the last Flush.
//
// Two drivers stand side by side under one conformance test: Memory, which is
// deterministic to the byte and follows the crash rule exactly, for the
// simulator; and Pebble, over a vfs.FS which the caller gives it (the vault).
//
// The package must never know what a key means, sync on Apply, open a file of
// its own, or let anything of Pebble but keys and values reach a caller's
// decision.
//
// # Invariants
//
//   - A batch is applied whole or not at all, in memory and across a crash: what
//     is found at reopen is the state after some Apply not older than the last
//     Flush, and Height says after which block. Nothing in between was kept, so
//     the caller executes the blocks above Height again.
//   - A Snapshot shows the state after one Apply for as long as it is open,
//     whatever is applied meanwhile.
//   - Keys are not empty and do not begin with 0x00, which is the store's own.
//     Values are not empty, so that nil always means absent.
//
// Gate specification §6.4, §8.3.
package store
