package step

import (
	"cloister/wire"
	"cloister/wire/merkle"
)

// Token names one asked-for piece of work.
type Token uint64

// Now is a pair of hints in milliseconds: Elapsed never goes back, Unix may jump.
type Now struct{ Elapsed, Unix int64 }

// Event is one of Boot, Tick, PeerMsg, PeerUp, PeerDown, Submit, Query, Archived, Stop, Done.
type Event interface{ event() }

// Machine decides. It must not keep what it was given beyond what it owns:
// byte slices in events belong to the machine from the call on.
type Machine interface {
	Step(now Now, ev Event, out *Effects)
}

type (
	// Boot is the first event: everything that survived the last run.
	Boot struct {
		Seed     [32]byte // for non-secret chance only
		Log      []Record // the engine's log, oldest first
		Archived uint64   // hint: the height up to which the host says it has blocks
		Tip      Tip      // where the state stands
		// Unarchived are executed blocks above Archived, oldest first, that state
		// still retains; the machine publishes them again.
		Unarchived []*Final
	}
	// Tick comes every 10 ms or so.
	Tick struct{}
	// PeerMsg is an authenticated message; it may be lost, repeated or reordered.
	PeerMsg struct {
		From wire.NodeID
		Msg  []byte
	}
	// PeerUp and PeerDown tell of an authenticated channel.
	PeerUp struct{ Peer wire.NodeID }
	// PeerDown: see PeerUp.
	PeerDown struct{ Peer wire.NodeID }
	// Submit carries encoded transactions from outside; answered once with a SubmitReply.
	Submit struct {
		ID  uint64
		Txs [][]byte
	}
	// Query asks for public state or status; answered once with a QueryReply.
	Query struct {
		ID   uint64
		Kind uint16
		Body []byte
	}
	// Archived is the host's word that it stores blocks up to Height.
	Archived struct{ Height uint64 }
	// Stop asks for an orderly end: the machine refuses new work and flushes.
	Stop struct{ ID uint64 }
	// Done answers one token.
	Done struct {
		Token  Token
		Result any
		Err    error
	}
)

func (Boot) event()     {}
func (Tick) event()     {}
func (PeerMsg) event()  {}
func (PeerUp) event()   {}
func (PeerDown) event() {}
func (Submit) event()   {}
func (Query) event()    {}
func (Archived) event() {}
func (Stop) event()     {}
func (Done) event()     {}

// Record is one entry of the engine's log. Seq is given by the log on Append
// and is part of Boot.Log and of the Done of an Append (the last one's).
type Record struct {
	Seq  uint64
	Type uint8
	Data []byte
}

// Effect is one of the types below.
type Effect interface{ effect() }

type (
	// Append makes records durable; Done carries LogDone.
	Append struct {
		Token Token
		Recs  []Record
	}
	// Cut lets the log drop records below Seq. Not answered.
	Cut struct{ Before uint64 }
	// Execute runs a final block on the state; Done carries *Executed.
	Execute struct {
		Token Token
		Block *wire.Block
	}
	// Flush makes state durable; Done carries the height (uint64). Blocks up to
	// Archived need not be retained any longer.
	Flush struct {
		Token    Token
		Archived uint64
	}
	// Compute runs a pure function that owns its inputs; Done carries its value.
	Compute struct {
		Token Token
		F     func() any
	}
	// Read runs a function on the committed state (queries); Done carries its value.
	// It sees the state after some executed block, never half of one.
	Read struct {
		Token Token
		F     func(view any) any
	}
	// Attest has the hardware make evidence that binds Data; Done carries the
	// encoded evidence ([]byte).
	Attest struct {
		Token Token
		Data  [64]byte
	}
	// Fetch asks the host's archive; the result is unverified bytes ([]byte).
	Fetch struct {
		Token Token
		Kind  uint8
		Key   []byte
	}
	// Send is best effort.
	Send struct {
		To  wire.NodeID
		Msg []byte
	}
	// Answer answers a Submit, Query or Stop.
	Answer struct {
		ID    uint64
		Reply any
	}
	// Publish hands a final block to the host's archive, in height order.
	Publish struct{ Final *Final }
	// Roster says with whom channels may be kept from now on: the members of
	// Roster who are not barred, and those of Leaving, who order no longer but are
	// needed until the set without them has sealed a block. Channels to anybody else
	// end at once.
	Roster struct {
		Roster  *wire.Roster // as the newest executed block decides; shared, not to be changed
		Leaving []wire.Member
	}
	// Note is an event for the host's log: a fixed id and numbers, no text.
	Note struct {
		ID      uint16
		Numbers []uint64
		Hashes  []wire.Hash
	}
	// Fatal stops the node: an invariant is broken.
	Fatal struct {
		Code uint16
		Note Note
	}
)

func (Append) effect()  {}
func (Cut) effect()     {}
func (Execute) effect() {}
func (Flush) effect()   {}
func (Compute) effect() {}
func (Read) effect()    {}
func (Attest) effect()  {}
func (Fetch) effect()   {}
func (Send) effect()    {}
func (Answer) effect()  {}
func (Publish) effect() {}
func (Roster) effect()  {}
func (Note) effect()    {}
func (Fatal) effect()   {}

// LogDone is the result of an Append: the sequence number of its last record.
type LogDone struct{ LastSeq uint64 }

// Final is a decided, sealed-or-covered and executed block with its effects.
type Final struct {
	Header  *wire.Header
	Hash    wire.Hash
	Body    []byte
	Seal    []byte      // empty when a later block's seal covers it
	Results [][]byte    // encoded wire.Result, one per transaction
	Exec    wire.Exec   // after this block
	Entries []wire.Hash // data-layer leaves this block added, in order
}

// Tip is the newest executed block and what later blocks must commit to.
type Tip struct {
	Header   *wire.Header
	Hash     wire.Hash
	History  merkle.Range // over header hashes, this one included
	Exec     wire.Exec
	DataRoot wire.Hash
	Busy     uint64       // height of the newest block that held a transaction, or was due
	Roster   *wire.Roster // as this block decides; shared, not to be changed
	DueMs    uint64       // block time from which on the next block is wanted, 0 if none is
}

// Executed is what running one block on the state gave.
type Executed struct {
	Tip   Tip
	Final *Final
}

// SubmitReply answers a Submit: one code per transaction, in order.
type SubmitReply struct {
	Items []SubmitItem
}

// SubmitItem tells what admission did with one transaction. OK means pooled,
// not recorded.
type SubmitItem struct {
	TxID wire.Hash
	Code wire.Code
}

// QueryReply answers a Query.
type QueryReply struct {
	Body []byte
	Err  error // carries a wire.Code
}

// Effects collects what a machine wants. The driver carries effects out in
// order per lane.
type Effects struct{ List []Effect }

// Add appends one effect.
func (e *Effects) Add(x Effect) { e.List = append(e.List, x) }

// Reset empties the list for reuse.
func (e *Effects) Reset() { clear(e.List); e.List = e.List[:0] }
