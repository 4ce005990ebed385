// Package objects is the host's disk for one core: numbered append-only
// objects, one file each, behind gate.Objects (gate.md §4.1, host duties).
//
// The core believes nothing of what is stored here, and the store looks at none
// of it. What it owes is durability: when Sync returns nil, the bytes and the
// directory entry are on stable storage; when anything failed before, Sync of
// that object says so for ever, because fsync gives no second chance.
//
// The package must never repair, truncate or delete on its own: a file that
// looks wrong is evidence, and the core decides (§5). It must never follow a
// name it did not make itself: files are named by sixteen hex digits, everything
// else in the folder is left alone.
//
// Bounds: Options.MaxBytes for all objects, Options.MaxOpen open files,
// gate.MaxListed objects. A compromised core can fill its own share and no more.
//
// Invariants: an object's lock guards its file and length and is held during
// its disk work; the store's lock guards the table, the list of open files and
// the sums, is taken after an object's lock, never before (other than to try),
// and is never held during disk work.
package objects
