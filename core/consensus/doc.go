// Package consensus is the contract between an engine, which decides which
// block comes next, and the node, which owns blocks, validation, execution,
// receipts and catch-up.
//
// An engine must never look into Block.Body, touch state, start a goroutine or
// read a clock: it is driven from the node's Step. Its calls on App are
// effects; the methods of Engine are their answers.
//
// Invariants: Build is called only while the engine holds the right to
// propose; Decide is called once per height, in height order; a signature the
// engine gives away is made only after what it promises is durable and checked.
//
// Who orders blocks is state: the engine only carries out what Decided says,
// one change at a time, and every header says by which set it was ordered.
//
// Consensus specification §3, in the event form of gate specification §8.
package consensus
