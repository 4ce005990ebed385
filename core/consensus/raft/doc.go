// Package raft is the engine for attested nodes, which may crash but do not
// lie: go.etcd.io/raft/v3 decides the order, and a quorum of signatures (the
// seal) proves to everyone else that it did.
//
// It must never acknowledge a block before the block and all its ancestors are
// durable here and checked, never sign for a block of another term than the
// current one, and never decide two blocks for one height.
//
// Invariants: raft's log holds blocks, changes of members, or nothing (a new
// term's first entry);
// consecutive blocks in it are parent and child; a committed entry that does
// not extend the last decided block, or that the node rejects, is void on
// every replica. A seal implies raft commitment: a majority stored a block of
// term T while in term T.
//
// Members change one at a time, and state decides which. The leader builds a
// block that hands over to the decided set, waits until a majority of the old set
// sealed that very block, proposes the change with that seal in it, and builds
// nothing until it is in force. Whether a change holds follows from the log before
// it alone. A block is void unless its epoch is that of its position in the log,
// so nothing the old set signs after a change counts; nothing behind a change is
// acknowledged before the change is in force.
//
// Restart mode "trust-disk": ordinary raft durability, safe against crashes,
// not against a host that puts old disk contents back. Whoever begins to run in a
// slot is silent until it asked the voters what they hold of it (witness.go), which
// catches a host that does so whenever a forgotten promise reached a voter that is up.
//
// Consensus specification §3, §4.1–§4.4, §5.
package raft
