// Package raft is the engine for attested nodes, which may crash but do not
// lie: go.etcd.io/raft/v3 decides the order, and a quorum of signatures (the
// seal) proves to everyone else that it did.
//
// It must never acknowledge a block before the block and all its ancestors are
// durable here and checked, never sign for a block of another term than the
// current one, and never decide two blocks for one height.
//
// Invariants: raft's log holds blocks or nothing (a new term's first entry);
// consecutive blocks in it are parent and child; a committed entry that does
// not extend the last decided block, or that the node rejects, is void on
// every replica. A seal implies raft commitment: a majority stored a block of
// term T while in term T.
//
// Restart mode "trust-disk": ordinary raft durability, safe against crashes,
// not against a host that puts old disk contents back.
//
// Consensus specification §3, §4.1–§4.3, §5.
package raft
