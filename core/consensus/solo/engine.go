package solo

import (
	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

const (
	maxInFlight = 32
	recBlock    = 1 // a block
)

// NoteLog is the event of a log that contradicts itself or the state.
const NoteLog uint16 = 0x0201

// Engine orders alone.
type Engine struct {
	app     consensus.App
	boot    consensus.Boot
	decided *wire.Block
	tail    *wire.Block
	queue   []item // above decided, in height order
	seqs    []mark // decided blocks still in the log, ascending
	nextRef uint64
}

type item struct {
	block   *wire.Block
	ref     uint64
	seq     uint64 // 0 until durable
	verdict consensus.Verdict
}

type mark struct{ height, seq uint64 }

// New makes an engine; Boot starts it.
func New() *Engine { return &Engine{} }

// Boot implements consensus.Engine.
func (e *Engine) Boot(now step.Now, b consensus.Boot, app consensus.App) {
	*e = Engine{app: app, boot: b, decided: b.Executed, tail: b.Executed}
	for _, r := range b.Log {
		blk, err := consensus.DecodeBlock(r.Data)
		if err != nil || r.Type != recBlock {
			app.Fatal(NoteLog, r.Seq)
			return
		}
		switch h := blk.Header; {
		case h.Height <= e.decided.Header.Height:
			e.seqs = append(e.seqs, mark{h.Height, r.Seq})
		case h.Parent != e.tail.Hash:
			app.Fatal(NoteLog, r.Seq)
			return
		default:
			e.queue = append(e.queue, item{block: blk, seq: r.Seq})
			e.tail = blk
			app.Check(now, blk, true)
		}
	}
}

// Tick implements consensus.Engine.
func (e *Engine) Tick(now step.Now) { e.propose(now) }

// Wake implements consensus.Engine.
func (e *Engine) Wake(now step.Now) { e.propose(now) }

// Message implements consensus.Engine: there is nobody to hear from.
func (e *Engine) Message(step.Now, wire.NodeID, []byte) {}

// PeerUp implements consensus.Engine.
func (e *Engine) PeerUp(step.Now, wire.NodeID) {}

// Decided implements consensus.Engine: a chain with this engine has one member
// for ever.
func (e *Engine) Decided(step.Now, *wire.MemberSet, *wire.MemberSet) {}

// Jumped implements consensus.Engine: a single member has nobody to catch up with.
func (e *Engine) Jumped(step.Now, *wire.Block) {}

func (e *Engine) propose(now step.Now) {
	for len(e.queue) < maxInFlight && e.app.Wanted(now) {
		part := wire.Marshal(quorum.Engine{View: 1, Slot: e.boot.Slot})
		b := e.app.Build(now, consensus.Proposal{
			Parent: e.tail, Engine: part, Epoch: e.boot.Members.Epoch, Members: e.tail.Header.MembersHash,
		})
		if b == nil {
			return
		}
		e.nextRef++
		e.queue = append(e.queue, item{block: b, ref: e.nextRef})
		e.tail = b
		e.app.Check(now, b, false)
		e.app.Append(e.nextRef, step.Record{Type: recBlock, Data: consensus.EncodeBlock(b)})
	}
}

// Logged implements consensus.Engine.
func (e *Engine) Logged(now step.Now, ref, lastSeq uint64) {
	for i := range e.queue {
		if e.queue[i].ref == ref {
			e.queue[i].seq = lastSeq
		}
	}
	e.decide(now)
}

// Checked implements consensus.Engine.
func (e *Engine) Checked(now step.Now, hash wire.Hash, v consensus.Verdict) {
	for i := range e.queue {
		if e.queue[i].block.Hash == hash {
			e.queue[i].verdict = v
		}
	}
	e.decide(now)
}

func (e *Engine) decide(now step.Now) {
	for len(e.queue) > 0 && e.queue[0].seq > 0 && e.queue[0].verdict != 0 {
		it := e.queue[0]
		if it.verdict == consensus.Reject {
			e.app.Fatal(NoteLog, it.seq) // this node's own block: its state is broken
			return
		}
		e.queue = e.queue[1:]
		e.decided = it.block
		h := it.block.Header
		e.seqs = append(e.seqs, mark{h.Height, it.seq})
		e.app.Decide(now, it.block)
		sig := e.boot.Key.Sign(quorum.Statement(h, it.block.Hash, e.boot.Slot, 1))
		seal := &wire.Seal{View: 1, Sigs: []wire.SlotSig{{Slot: e.boot.Slot, Sig: sig}}}
		e.app.Sealed(now, h.Height, it.block.Hash, wire.Marshal(seal))
	}
	e.propose(now)
}

// Durable implements consensus.Engine.
func (e *Engine) Durable(_ step.Now, height uint64) uint64 {
	cut := uint64(0)
	for len(e.seqs) > 0 && e.seqs[0].height < height {
		cut, e.seqs = e.seqs[0].seq, e.seqs[1:]
	}
	return cut
}

// Status implements consensus.Engine.
func (e *Engine) Status() consensus.Status {
	return consensus.Status{Leader: e.boot.Self, View: 1, Leading: true, InFlight: len(e.queue)}
}
