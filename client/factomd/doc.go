// Package factomd is a client of factomd's JSON-RPC, version 2, for every node
// that speaks it: factomd itself, and the hosts of this ledger.
//
// Answers are typed. Blocks, entries and receipts are read from the bytes that
// are hashed, and held against the hash that was asked for, so a node can
// withhold them and cannot change them. What no hash covers (heights, balances,
// statuses) is the node's word alone.
//
// It must never follow a node elsewhere (redirects), take an answer of more than
// MaxAnswer bytes, or repeat a request by itself: whether a commit is sent again
// is the caller's decision. Time is bounded by the context of a call.
//
// Invariants: an answer belongs to its request by id; an error of the node keeps
// its code, message and data (*Error), and every error carries a wire.Code.
//
// Factom specification §15, §16.
package factomd
