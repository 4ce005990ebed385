package raft

import (
	"fmt"

	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"cloister/core/consensus"
	"cloister/core/step"
	"cloister/wire"
)

// Timing and bounds (consensus specification §4.1, §4.3).
const (
	tickMs        = 50       // one raft tick; heartbeat every 2, election after 20 to 40
	repeatMs      = 100      // how often the newest acknowledgement or seal is sent again
	maxMessage    = 1 << 20  // bytes of entries in one message; a larger entry travels alone
	maxInFlight   = 32       // blocks proposed and not sealed
	retainBlocks  = 1024     // decided blocks kept for followers that lag
	retainBytes   = 64 << 20 // the same in bytes, whichever is less
	compactStep   = 512      // compact when at least so many log entries can go
	snapRetryMs   = 2000     // a lost snapshot message is sent again after this
	maxCatchTicks = 5        // ticks made up for after a pause; more would only call elections
)

// Event ids for the host's log.
const (
	NoteVoid   uint16 = 0x0101 // a committed entry is void: index, height, leader's slot
	NoteLeader uint16 = 0x0102 // this node leads: term
	NoteFork   uint16 = 0x0103 // two blocks for one final height: height
	NoteOdd    uint16 = 0x0104 // this node rejected a block a quorum sealed: height
	NoteLog    uint16 = 0x0105 // the log contradicts itself or the state: index
	NotePanic  uint16 = 0x0106 // the raft library found its state broken
	NoteEpoch  uint16 = 0x0107 // a new member set is in force: epoch, index
	// NoteVoidChange: a committed change of members is void: index, epoch in force.
	NoteVoidChange uint16 = 0x0108
	// NoteRolledBack: this node's disk forgot what its slot promised: height, term.
	NoteRolledBack uint16 = 0x0109
)

// Engine is raft on one chain. One goroutine, the node's, calls it.
type Engine struct {
	trial Trial // zero outside the simulator

	app  consensus.App
	boot consensus.Boot
	rn   *etcd.RawNode
	ms   *etcd.MemoryStorage

	config   config             // in force at decidedIdx
	configs  []config           // brought into force by entries above base, ascending
	before   *wire.MemberSet    // in force before config; nil if not known here
	told     [2]*wire.MemberSet // what the node said is in force and comes next
	next     *wire.MemberSet    // decided by state to come after config; nil if none
	nextHash wire.Hash
	members  []wire.Member // who may be heard, by slot

	heard            int64 // elapsed ms of a leader's newest message
	ticked, repeated int64 // elapsed ms of the last raft tick and repetition

	// The log above base: items[i] has index base.Index+1+i.
	base      base
	items     []item
	byH       map[uint64]uint64 // height → index of the newest item with that height
	changeIdx uint64            // newest item that changes the configuration; 0 if none is held

	durableIdx   uint64      // everything up to it is on disk
	requestedIdx uint64      // Check was asked for everything up to it
	checkedIdx   uint64      // everything up to it is void, empty or accepted
	committedIdx uint64      // raft committed up to it
	decidedIdx   uint64      // decided or void up to it
	decided      *wire.Block // newest the node has
	newest       *wire.Block // newest at or before decidedIdx that is not void; behind decided after a jump

	applied []applied // raft's word that entries are applied, held back by a change among them

	jumping bool // catching up to base before anything above it is decided

	pending map[uint64]*appending // by ref
	nextRef uint64
	late    []step.Record // seals to go with the next append
	state   *raftpb.HardState
	cut     uint64

	leadTerm uint64      // the term this node leads, or 0
	yielded  uint64      // the term in which this leader asked another to lead
	tail     *wire.Block // what the leader builds on

	acks     map[uint64]map[uint64]wire.Signature // height → slot → signature, of the current term
	ackedIdx uint64
	lastAck  []byte
	ackedH   uint64

	proving  *witness           // a restarted voter that is silent yet; else nil
	promises map[uint64]promise // slot → the newest known of it, for those who ask

	sealedH  uint64   // highest height with a verified seal
	seal     sealed   // the newest one
	lastSeal []byte   // the same as a message
	ready    []sealed // verified seals, ascending, of blocks not decided yet
	early    *sealed  // newest seal of a block not in the log yet

	snapSince map[uint64]int64 // follower → since when it waits for a snapshot
}

// item is one entry of raft's log.
type item struct {
	index, term uint64
	seq         uint64 // in the durable log; 0 until durable
	size        int
	block       *wire.Block // nil: a term's first entry, or a change
	change      *change     // nil: no change of members
	verdict     consensus.Verdict
	void        bool
	forced      bool // Check was repeated because the entry is committed
}

// appending is one Append under way.
type appending struct {
	msg   *raftpb.Message
	first uint64            // index of the first entry, if any
	skip  int               // records before the entries
	count int               // records in all
	base  *base             // a base written by compaction
	after []*raftpb.Message // requests for votes, to be sent when it is durable
}

// applied is a promise to raft that entries were applied.
type applied struct {
	upTo uint64 // the newest change among them, or 0
	says []*raftpb.Message
}

// New makes an engine; Boot starts it.
func New() *Engine { return &Engine{} }

// Boot implements consensus.Engine.
func (e *Engine) Boot(now step.Now, b consensus.Boot, app consensus.App) {
	*e = Engine{
		trial: e.trial, app: app, boot: b, ms: etcd.NewMemoryStorage(), ticked: now.Elapsed, repeated: now.Elapsed,
		byH: map[uint64]uint64{}, pending: map[uint64]*appending{}, acks: map[uint64]map[uint64]wire.Signature{},
		promises: map[uint64]promise{}, snapSince: map[uint64]int64{}, decided: b.Executed, state: &raftpb.HardState{},
	}
	if err := e.restore(b.Log); err != nil {
		app.Fatal(NoteLog, e.base.Index, uint64(len(e.items)))
		return
	}
	rn, err := etcd.NewRawNode(&etcd.Config{
		ID: b.Slot, Storage: storage{e.ms, e},
		HeartbeatTick: 2, ElectionTick: 20,
		PreVote: true, CheckQuorum: true,
		StepDownOnRemoval:         true,
		DisableProposalForwarding: true, // only the leader builds blocks
		ReadOnlyOption:            etcd.ReadOnlySafe,
		MaxSizePerMsg:             e.messageBytes(), MaxInflightMsgs: 256, MaxInflightBytes: 64 << 20,
		MaxUncommittedEntriesSize: 64 << 20, // ErrProposalDropped is the backpressure signal
		MaxCommittedSizePerReady:  8 << 20,
		AsyncStorageWrites:        true,
		Logger:                    silent{},
		// Applied stays 0: the durable commit index may lag what was applied, and
		// entries at or below the executed height are skipped by height.
	})
	if err != nil {
		app.Fatal(NoteLog, e.base.Index)
		return
	}
	e.rn = rn
	e.hear(b.Members, b.Next)
	e.startWitness(now)
	if b.Executed.Header.Height < e.base.Header.Height {
		e.jump(now)
	}
	e.drain(now)
}

func (e *Engine) messageBytes() uint64 {
	if e.trial.MessageBytes > 0 {
		return e.trial.MessageBytes
	}
	return maxMessage
}

// Tick implements consensus.Engine.
func (e *Engine) Tick(now step.Now) {
	if e.rn == nil {
		return
	}
	if e.proving != nil {
		e.prove(now)
		e.drain(now)
		return
	}
	if behind := (now.Elapsed - e.ticked) / tickMs; behind > 0 {
		for range min(behind, maxCatchTicks) {
			e.rn.Tick()
		}
		e.ticked += behind * tickMs
	}
	if now.Elapsed-e.repeated >= repeatMs {
		e.repeated = now.Elapsed
		e.repeat(now)
	}
	e.drain(now)
}

// repeat heals what the network lost: the newest acknowledgement or seal, and
// snapshots raft thinks are under way.
func (e *Engine) repeat(now step.Now) {
	if e.leadTerm == 0 {
		if lead := e.leader(); lead != nil && e.lastAck != nil && e.ackedH > e.sealedH {
			e.app.Send(lead.ID, e.lastAck)
		}
		return
	}
	if e.lastSeal != nil {
		e.broadcast(e.lastSeal)
	}
	e.rn.WithProgress(func(id uint64, _ etcd.ProgressType, pr etcdProgress) {
		if !isSnapshot(pr) {
			delete(e.snapSince, id)
		} else if since, ok := e.snapSince[id]; !ok {
			e.snapSince[id] = now.Elapsed
		} else if now.Elapsed-since >= snapRetryMs {
			delete(e.snapSince, id)
			e.rn.ReportSnapshot(id, etcd.SnapshotFailure)
		}
	})
}

// Message implements consensus.Engine.
func (e *Engine) Message(now step.Now, from wire.NodeID, msg []byte) {
	m := e.memberID(from)
	if m == nil || len(msg) == 0 || e.rn == nil {
		return
	}
	switch msg[0] {
	case msgRaft:
		rm, err := decodeRaft(msg[1:], m.Slot, e.boot.Slot)
		if err != nil {
			return
		}
		if e.proving != nil {
			return // it would answer
		}
		e.recall(m.Slot, rm)
		switch rm.GetType() {
		case raftpb.MsgApp, raftpb.MsgHeartbeat, raftpb.MsgSnap:
			if rm.GetTerm() >= e.term() {
				e.heard = now.Elapsed
			}
		}
		e.step(rm)
	case msgAck:
		var a ack
		if wire.Unmarshal(msg[1:], &a, 256) == nil {
			e.onAck(now, m, &a)
		}
	case msgSeal:
		var s sealed
		if wire.Unmarshal(msg[1:], &s, maxSealed) == nil {
			e.onSeal(now, &s)
		}
	case msgAsk:
		var q question
		if wire.Unmarshal(msg[1:], &q, 16) == nil {
			e.onAsk(m, q)
		}
	case msgWitness:
		var t testimony
		if wire.Unmarshal(msg[1:], &t, 64) == nil {
			e.onWitness(m, &t)
		}
	}
	e.drain(now)
}

// step gives the library a message. It panics when a message contradicts its
// state; attested peers do not send such, so state is broken somewhere and
// this node must not go on.
func (e *Engine) step(m *raftpb.Message) {
	defer func() {
		if r := recover(); r != nil {
			e.app.Fatal(NotePanic, m.GetTerm(), m.GetIndex())
		}
	}()
	_ = e.rn.Step(m) // its errors mean "ignored"
}

// Wake implements consensus.Engine.
func (e *Engine) Wake(now step.Now) {
	if e.rn != nil {
		e.drain(now)
	}
}

// PeerUp implements consensus.Engine.
func (e *Engine) PeerUp(now step.Now, peer wire.NodeID) {
	if e.leadTerm != 0 && e.lastSeal != nil {
		e.app.Send(peer, e.lastSeal)
	}
}

// Checked implements consensus.Engine.
func (e *Engine) Checked(now step.Now, hash wire.Hash, v consensus.Verdict) {
	for i := len(e.items) - 1; i >= 0; i-- {
		if it := &e.items[i]; it.block != nil && it.block.Hash == hash && it.verdict == 0 {
			it.verdict = v
		}
	}
	e.drain(now)
}

// Jumped implements consensus.Engine.
func (e *Engine) Jumped(now step.Now, tip *wire.Block) {
	if e.rn == nil {
		return
	}
	if tip.Header.Height > e.decided.Header.Height {
		if e.decided = tip; e.leadTerm != 0 {
			e.adopt(now)
		}
	}
	switch {
	case e.decided.Header.Height >= e.base.Header.Height:
		e.jumping = false
	case !e.jumping || tip.Header.Height == e.decided.Header.Height:
		e.jump(now)
	}
	e.drain(now)
}

func (e *Engine) jump(now step.Now) {
	e.jumping = true
	hint := wire.NodeID{}
	if l := e.leader(); l != nil {
		hint = l.ID
	}
	e.app.CatchUp(now, consensus.Tip{Height: e.base.Header.Height, Hash: e.base.Header.Hash()}, hint)
}

// Status implements consensus.Engine.
func (e *Engine) Status() consensus.Status {
	s := consensus.Status{Leading: e.leadTerm != 0, Heard: e.heard}
	if e.rn == nil {
		return s
	}
	b := e.rn.BasicStatus()
	s.View = b.HardState.GetTerm()
	if l := e.leader(); l != nil {
		s.Leader = l.ID
	}
	if e.leadTerm != 0 {
		s.InFlight = int(e.tail.Header.Height - min(e.sealedH, e.tail.Header.Height))
		e.rn.WithProgress(func(id uint64, _ etcd.ProgressType, pr etcdProgress) {
			if m := e.member(id); m != nil {
				s.Peers = append(s.Peers, consensus.PeerStatus{ID: m.ID, Match: pr.Match})
			}
		})
	}
	return s
}

// leader is the member this node believes to lead, or nil.
func (e *Engine) leader() *wire.Member {
	if e.rn == nil {
		return nil
	}
	return e.member(e.rn.BasicStatus().SoftState.Lead)
}

func (e *Engine) term() uint64 { return e.rn.BasicStatus().HardState.GetTerm() }

// item finds the log item of an index, or nil.
func (e *Engine) item(index uint64) *item {
	if index <= e.base.Index || index > e.base.Index+uint64(len(e.items)) {
		return nil
	}
	return &e.items[index-e.base.Index-1]
}

func (e *Engine) lastIndex() uint64 { return e.base.Index + uint64(len(e.items)) }

// at finds the log item that holds the block of a height, or nil.
func (e *Engine) at(height uint64) *item {
	index, ok := e.byH[height]
	if !ok {
		return nil
	}
	return e.item(index)
}

func (e *Engine) broadcast(msg []byte) {
	for i := range e.members {
		if m := &e.members[i]; m.ID != e.boot.Self {
			e.app.Send(m.ID, msg)
		}
	}
}

// silent keeps the library's log lines, which carry free text, inside.
type silent struct{}

func (silent) Debug(...any)              {}
func (silent) Debugf(string, ...any)     {}
func (silent) Error(...any)              {}
func (silent) Errorf(string, ...any)     {}
func (silent) Info(...any)               {}
func (silent) Infof(string, ...any)      {}
func (silent) Warning(...any)            {}
func (silent) Warningf(string, ...any)   {}
func (silent) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (silent) Panic(v ...any)            { panic(fmt.Sprint(v...)) }
func (silent) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
