package consensus

import (
	"cloister/core/step"
	"cloister/wire"
)

// Verdict is the node's judgement of a block.
type Verdict uint8

// Verdicts.
const (
	Accept Verdict = 1
	Reject Verdict = 2 // provably invalid for ever
)

// Finality says whether a decision can be undone.
type Finality uint8

// Finalities.
const (
	Final       Finality = 0
	Provisional Finality = 1 // at most MaxReorg deep
)

// Tip is where the node stands.
type Tip struct {
	Height uint64
	Hash   wire.Hash
}

// Proposal is what an engine sets in a block it wants built.
type Proposal struct {
	Parent  *wire.Block
	Engine  []byte    // Header.Engine
	Flags   uint16    // Header.Flags
	Epoch   uint64    // of the set that orders the block
	Members wire.Hash // of that set
	Empty   bool      // build even when there is nothing to put in it
}

// App is the node as the engine sees it. Calls happen inside a Step; answers
// come back through Engine's methods, never inside the call that asked.
type App interface {
	// Build returns the proposed block, or nil when it cannot be built now.
	Build(now step.Now, p Proposal) *wire.Block
	// Wanted reports whether Build with Empty false would return a block now.
	Wanted(now step.Now) bool
	// Adopt says that exactly these undecided blocks, oldest first, are what the
	// engine will build on: transactions of any other undecided block are free
	// to be proposed again.
	Adopt(now step.Now, undecided []*wire.Block)
	// Check asks for a verdict; Engine.Checked answers. Blocks are given parent
	// first. Once a block is committed its time is no longer judged against a
	// clock: the verdict must be the same everywhere.
	Check(now step.Now, b *wire.Block, committed bool)
	// Decide says that the block of the next height is b. A height that the node
	// got to know by itself (Engine.Jumped) may come again.
	Decide(now step.Now, b *wire.Block)
	// Sealed says that every decided block up to and including the one with
	// this hash is covered by seal.
	Sealed(now step.Now, height uint64, hash wire.Hash, seal []byte)
	// Append asks for durability; Engine.Logged answers with the same ref.
	Append(ref uint64, recs ...step.Record)
	// Send sends an engine message to a member; best effort.
	Send(to wire.NodeID, msg []byte)
	// CatchUp asks the node to reach target by fetching blocks; Engine.Jumped answers.
	CatchUp(now step.Now, target Tip, hint wire.NodeID)
	// Note writes an event to the host's log.
	Note(id uint16, numbers ...uint64)
	// Fatal stops the node.
	Fatal(id uint16, numbers ...uint64)
}

// Boot is what an engine starts from.
type Boot struct {
	Self    wire.NodeID
	Slot    uint64
	Key     wire.PrivateKey
	ChainID wire.Hash
	Genesis *wire.Block     // where the chain begins, and
	First   *wire.MemberSet // who orders from there
	Members *wire.MemberSet // in force at Executed, or the newest the node knows
	Next    *wire.MemberSet // decided to follow Members; nil if none is
	Seed    [32]byte
	Log     []step.Record // own records of this slot, oldest first
	// Executed is the newest block whose effects are in state; without a body.
	Executed *wire.Block
	// Ahead says that the node got blocks in other ways than through this log
	// before, so that Executed may stand above what the log holds.
	Ahead bool
}

// Status is what operators see of an engine.
type Status struct {
	Leader   wire.NodeID // zero when unknown
	View     uint64      // raft: the term
	Leading  bool
	InFlight int   // proposed, not sealed
	Heard    int64 // elapsed ms when a leader last spoke to this node; 0 never
	Peers    []PeerStatus
}

// PeerStatus is the leader's view of one member.
type PeerStatus struct {
	ID    wire.NodeID
	Match uint64 // log position known durable there
}

// Engine is one protocol instance.
type Engine interface {
	Boot(now step.Now, b Boot, app App)
	Tick(now step.Now)
	// Message is an authenticated member's engine message; garbage is dropped.
	Message(now step.Now, from wire.NodeID, msg []byte)
	// Wake says that the pool is no longer empty or that execution advanced.
	Wake(now step.Now)
	Logged(now step.Now, ref uint64, lastSeq uint64)
	Checked(now step.Now, hash wire.Hash, v Verdict)
	// Decided says that state decided who orders blocks after now: the engine is
	// to bring about that next is in force.
	Decided(t step.Now, now, next *wire.MemberSet)
	// Jumped says that the node decided every block up to tip by itself, through
	// CatchUp or because it followed its archive.
	Jumped(now step.Now, tip *wire.Block)
	// Durable says that state and archive hold everything up to height, so the
	// engine may compact; it returns the log sequence below which it needs nothing.
	Durable(now step.Now, height uint64) (cutBefore uint64)
	PeerUp(now step.Now, peer wire.NodeID)
	Status() Status
}
