// Package archive is the host's store of every final block: header, seal, body
// and outcome, with the indexes and Merkle tiles that the public API answers
// and proves from.
//
// It must never judge a transaction, verify a seal, or repair what it finds
// damaged: it is untrusted, its readers check proofs. It must never store a
// block that contradicts what it holds, nor replace one.
//
// # Layout
//
//	blocks/<first height, 16 hex>.blk   append-only segments, 256 MiB each (segment.go)
//	index/                              Pebble: everything that is derived (keys.go)
//
// A segment holds whole blocks, written once and synced once; the index only
// points into it. So a block's bytes are never rewritten by a compaction, and
// the index needs no log of its own: after a crash it is some blocks behind and
// is brought up to the segments again; deleted, it is rebuilt. A segment is
// never opened for writing again. After a restart a new one begins, and what
// stands behind the last whole record of the old one stays unread.
//
// # Order of things
//
// Append checks a block against the ones before it, queues it, and shows it to
// the watchers. One owner goroutine takes what is queued as a group: writes it,
// syncs the segment, applies one batch to the index, and only then lets readers
// see it. Therefore everything readable is on stable storage, and Height is what
// may be reported as archived. A reader who asks for what watchers were shown
// waits those few milliseconds.
//
// # Invariants
//
//   - Heights 0..Height are all there; the header of each commits to its body,
//     its parent and the history before it, and to results as executed.
//   - A group is seen with all its indexes or not at all. Height and Sealed
//     never fall.
//   - A record begun only after an earlier sync says so (its field synced), so
//     at start a record that is cut by a crash can be told from damage to one
//     that was durable. The first is left out, the second is ErrCorrupt.
//   - The first failed write or sync ends writing for good. Reads go on.
//   - Two blocks of one height are ErrFork; the held one stays.
//   - A message that carries its own signatures is the same transaction whenever it
//     is recorded: its id leads to where it first had its effect, and to its first
//     refusal only while it has had none.
//
// Only engines whose blocks are final are supported: there is no undo.
//
// Gate specification §4.3 (Final, Archived, Fetch); trees: package wire/receipt;
// consensus specification §8.
package archive
