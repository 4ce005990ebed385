package core

import (
	"cloister/core/consensus"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Event ids for the host's log, above those of the gate; engines have theirs from 0x0100.
const (
	NoteReject     uint16 = 0x0011 // a block was refused: height, reason
	NoteExecRoot   uint16 = 0x0012 // a block commits to another state: height, exec height
	NoteExecFailed uint16 = 0x0013 // execution failed: height
	NoteGap        uint16 = 0x0014 // the archive lacks blocks this node no longer has: from, to
	NoteCatchUp    uint16 = 0x0015 // catching up: from, target
	NoteCaughtUp   uint16 = 0x0016 // caught up: height
	NoteFlushed    uint16 = 0x0017 // state is durable up to: height
	NoteIOFailed   uint16 = 0x0018 // the log or the state could not be made durable
	NoteObserver   uint16 = 0x0019 // this node orders no blocks and follows the archive: epoch
	NoteToken      uint16 = 0x001a // an answer to a token nobody waits for
	NoteMember     uint16 = 0x001b // this node's engine starts: slot
	NoteEpoch      uint16 = 0x001c // another member set orders blocks: epoch
	NoteBadSet     uint16 = 0x001d // state decided a set that cannot follow, and is ignored: epoch
	NoteSuperseded uint16 = 0x001f // a later run of this core is registered, or it was revoked: error code
	NoteNoEvidence uint16 = 0x0040 // the hardware made no evidence
	NoteRefused    uint16 = 0x0041 // what the core submitted by itself was refused: error code
	NoteNoSet      uint16 = 0x001e // the member set of the state's tip is not known: epoch
)

// Bounds of a node's queues.
const (
	maxTasks       = 1024     // open tokens; over it Submit and Query are answered busy
	maxUnpublished = 256      // decided blocks not yet published; over it nothing is built
	maxUnarchived  = 64       // published blocks the host has not stored yet
	maxUnarchivedB = 16 << 20 // the same in bytes
	flushBlocks    = 256      // blocks between flushes of state
	flushBytes     = 64 << 20 // the same in bytes of bodies
	flushSets      = 16       // member sets known, over which state is flushed, so that older ones can be forgotten
	maxVerified    = 1 << 19  // transactions whose signature is remembered to hold
)

// Exit codes of a deliberate end (gate specification §5).
const (
	ExitCorrupt    uint16 = 6
	ExitQuarantine uint16 = 7
)

// Node is one trusted node.
type Node struct {
	cfg     Config
	chainID wire.Hash
	id      wire.NodeID
	seed    [32]byte
	members *wire.MemberSet  // in force at the newest decided block
	engine  consensus.Engine // nil while this node is an observer

	membership membership
	duties     duties
	stamp      uint64 // newest time of a commit the core signed

	out      *step.Effects
	now      step.Now
	deferred []func() // calls on the engine that must not happen inside its own calls
	wake     bool
	booted   bool
	dead     bool
	stopping bool

	nextToken step.Token
	tasks     map[step.Token]task

	verified *ledger.Verified // used by Compute and Read, never by Step
	pool     pool
	peers    map[wire.NodeID]*peer
	circle   []*peer // the same, by slot
	began    int64   // elapsed ms at boot

	points map[wire.Hash]*point // blocks a child may name as parent
	checks map[wire.Hash]*check
	order  []*check // the same, oldest first, still without verdict
	parked []*check // of an epoch whose members are not known yet, parent first

	tip      step.Tip // newest executed
	execs    map[uint64]execPoint
	decided  *wire.Block
	pending  []*slot // decided, not published, in height order
	sealedH  uint64
	built    built
	proof    proofPoint
	archived uint64
	offered  uint64      // newest height published in this run; 0: none
	flight   []published // published, not archived
	flightB  int
	flushed  uint64
	flushing bool
	sinceB   int // body bytes executed since the last flush

	catch *catchUp
}

// point is what a child block needs of its parent.
type point struct {
	header  *wire.Header
	history merkle.Range // over header hashes, this one included
}

// execPoint is what headers commit to for one executed height.
type execPoint struct {
	root, data wire.Hash
	epoch      uint64    // of the block
	next       wire.Hash // of the set decided by then to come after it; zero if none is
}

type published struct {
	height uint64
	bytes  int
}

// New makes a node; its first event must be Boot.
func New(cfg Config) *Node {
	n := &Node{
		cfg: cfg, chainID: cfg.Genesis.ChainID(), id: wire.NodeIDOf(cfg.Key.Public()), members: cfg.Genesis.MemberSet(),
		tasks: map[step.Token]task{}, peers: map[wire.NodeID]*peer{},
		points: map[wire.Hash]*point{}, checks: map[wire.Hash]*check{}, execs: map[uint64]execPoint{},
		flushed: cfg.Flushed, verified: ledger.NewVerified(maxVerified),
	}
	n.pool.init(cfg.Genesis.Limits)
	return n
}

// Step implements step.Machine.
func (n *Node) Step(now step.Now, ev step.Event, out *step.Effects) {
	if n.dead {
		return
	}
	n.now, n.out = now, out
	switch ev := ev.(type) {
	case step.Boot:
		n.boot(ev)
	case step.Tick:
		n.tick()
	case step.PeerMsg:
		n.onPeerMsg(ev)
	case step.PeerUp:
		n.onPeerUp(ev.Peer)
	case step.PeerDown:
		if p := n.peers[ev.Peer]; p != nil {
			p.up = false
		}
	case step.Submit:
		n.onSubmit(ev)
	case step.Query:
		n.onQuery(ev)
	case step.Archived:
		n.onArchived(ev.Height)
	case step.Stop:
		n.onStop(ev)
	case step.Done:
		n.onDone(ev)
	}
	n.settle()
	n.out = nil
}

// settle lets the engine hear what was put off, until nothing is left, then
// sends what gathered for each peer as one frame.
func (n *Node) settle() {
	for !n.dead && n.booted && (len(n.deferred) > 0 || n.wake) {
		calls := n.deferred
		n.deferred = nil
		for _, f := range calls {
			f()
		}
		if n.wake {
			n.wake = false
			if n.engine != nil {
				n.engine.Wake(n.now)
			}
		}
	}
	if n.booted {
		n.forward()
		n.sendFrames()
	}
}

func (n *Node) boot(b step.Boot) {
	log, err := n.remember(b.Log)
	if err != nil {
		n.fatal(ExitCorrupt, NoteIOFailed)
		return
	}
	n.tip, n.archived, n.seed, n.began = b.Tip, b.Archived, b.Seed, n.now.Elapsed
	if !n.settleSets() {
		return
	}
	n.points[b.Tip.Hash] = &point{header: b.Tip.Header, history: b.Tip.History}
	n.decided = &wire.Block{Header: b.Tip.Header, Hash: b.Tip.Hash}
	for _, f := range b.Unarchived {
		n.pending = append(n.pending, &slot{
			block: &wire.Block{Header: f.Header, Hash: f.Hash, Body: f.Body}, final: f,
		})
	}
	if first := n.tip.Header.Height + 1 - uint64(len(n.pending)); first > n.archived+1 {
		n.note(NoteGap, n.archived+1, first-1)
	}
	n.booted = true
	n.onRoster(b.Tip.Roster)
	n.executed(&b.Tip)
	if n.membership.slot != 0 {
		n.startEngine(log)
	} else {
		n.note(NoteObserver, n.members.Epoch)
	}
	n.deferred = append(n.deferred, n.attend)
}

func (n *Node) tick() {
	if !n.booted {
		return
	}
	n.pool.expire(n.tip.Header.TimeMs)
	n.judgeAll() // blocks that waited for this node's clock
	n.follow()
	n.retryCatchUp()
	if n.engine != nil {
		n.engine.Tick(n.now)
	}
	n.attendDuties()
}

// ask registers the continuation of a new token.
func (n *Node) ask(f task) step.Token {
	n.nextToken++
	n.tasks[n.nextToken] = f
	return n.nextToken
}

func (n *Node) crowded() bool { return len(n.tasks) >= maxTasks }

func (n *Node) onDone(d step.Done) {
	f, ok := n.tasks[d.Token]
	if !ok {
		n.note(NoteToken, uint64(d.Token))
		return
	}
	delete(n.tasks, d.Token)
	f(n.now, d.Result, d.Err)
}

// onStop refuses new work from now on, makes state durable, and answers.
func (n *Node) onStop(s step.Stop) {
	n.stopping = true
	n.out.Add(step.Flush{Archived: n.archived, Token: n.ask(func(_ step.Now, _ any, err error) {
		n.out.Add(step.Answer{ID: s.ID, Reply: err})
	})})
}

func (n *Node) note(id uint16, numbers ...uint64) {
	n.out.Add(step.Note{ID: id, Numbers: numbers})
}

func (n *Node) fatal(code uint16, id uint16, numbers ...uint64) {
	if !n.dead {
		n.dead = true
		n.out.Add(step.Fatal{Code: code, Note: step.Note{ID: id, Numbers: numbers}})
	}
}
