package raft

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// node is the least an engine needs of one: its log is durable at once, its
// blocks are neither built nor refused.
type node struct {
	e     *Engine
	now   step.Now
	seq   uint64
	calls []func()
	sent  map[wire.NodeID][][]byte
	fatal uint16
}

func (n *node) Build(step.Now, consensus.Proposal) *wire.Block { return nil }
func (n *node) Wanted(step.Now) bool                           { return false }
func (n *node) Adopt(step.Now, []*wire.Block)                  {}
func (n *node) Check(_ step.Now, b *wire.Block, _ bool) {
	n.calls = append(n.calls, func() { n.e.Checked(n.now, b.Hash, consensus.Accept) })
}
func (n *node) Decide(step.Now, *wire.Block)                       {}
func (n *node) Sealed(step.Now, uint64, wire.Hash, []byte)         {}
func (n *node) Send(to wire.NodeID, msg []byte)                    { n.sent[to] = append(n.sent[to], msg) }
func (n *node) CatchUp(_ step.Now, _ consensus.Tip, _ wire.NodeID) {}
func (n *node) Note(uint16, ...uint64)                             {}
func (n *node) Fatal(id uint16, _ ...uint64)                       { n.fatal = id }
func (n *node) Append(ref uint64, recs ...step.Record) {
	n.seq += uint64(len(recs))
	last := n.seq
	n.calls = append(n.calls, func() { n.e.Logged(n.now, ref, last) })
}

// settle answers what the engine asked for, until it asks no more or is stopped.
func (n *node) settle() {
	for len(n.calls) > 0 && n.fatal == 0 {
		f := n.calls[0]
		n.calls = n.calls[1:]
		f()
	}
}

// pass lets time pass, one tick at a time.
func (n *node) pass(ms int64) {
	for end := n.now.Elapsed + ms; n.now.Elapsed < end && n.fatal == 0; {
		n.now.Elapsed += 10
		n.e.Tick(n.now)
		n.settle()
	}
}

// hear gives the engine a message of the member in a slot.
func (n *node) hear(slot uint64, msg []byte) {
	n.e.Message(n.now, memberID(slot), msg)
	n.settle()
}

func memberID(slot uint64) wire.NodeID {
	return wire.NodeIDOf(wire.NewPrivateKey([32]byte{byte(slot)}).Public())
}

// members is a set of voters in some slots.
func members(epoch uint64, slots ...uint64) *wire.MemberSet {
	set := &wire.MemberSet{Epoch: epoch, From: 1}
	for _, slot := range slots {
		key := wire.NewPrivateKey([32]byte{byte(slot)}).Public()
		set.Members = append(set.Members, wire.Member{ID: memberID(slot), Slot: slot, Weight: 1, Role: wire.Voter, Key: key})
	}
	return set
}

// boot starts an engine in slot 1 of a chain that three voters began; now is the
// set in force as its node knows.
func boot(now *wire.MemberSet, log ...step.Record) *node {
	h := &wire.Header{Version: wire.HeaderVersion, EngineKind: wire.EngineRaft}
	genesis := &wire.Block{Header: h, Hash: h.Hash()}
	n := &node{e: New(), sent: map[wire.NodeID][][]byte{}}
	n.e.Boot(n.now, consensus.Boot{
		Self: memberID(1), Slot: 1, Key: wire.NewPrivateKey([32]byte{1}), Genesis: genesis, First: members(1, 1, 2, 3),
		Members: now, Log: log, Executed: genesis,
	}, n)
	n.settle()
	return n
}

func testify(slot uint64, p promise) []byte {
	return encodeMsg(msgWitness, wire.Marshal(testimony{Slot: slot, Promise: p}))
}

// TestASilentVoterAsksTheNewestSet is about one whose log knows voters that have left
// for good: those will never answer.
func TestASilentVoterAsksTheNewestSet(t *testing.T) {
	n := boot(members(4, 1, 8, 9))
	n.pass(3000)
	if len(n.sent[memberID(8)]) == 0 || len(n.sent[memberID(2)]) != 0 {
		t.Fatalf("asked %d times who votes, and %d times who left", len(n.sent[memberID(8)]), len(n.sent[memberID(2)]))
	}
	n.hear(2, testify(1, promise{}))
	if n.pass(3000); n.e.proving == nil {
		t.Fatal("the word of one who left was enough")
	}
	n.hear(8, testify(1, promise{}))
	if n.pass(20); n.e.proving != nil {
		t.Error("it is still silent after a majority answered")
	}
}

// TestWhoeverBeginsIsSilent also in a slot its log says nothing of: the log may
// have been put back to before the slot was taken.
func TestWhoeverBeginsIsSilent(t *testing.T) {
	vote := &raftpb.Message{
		Type: raftpb.MsgVote.Enum(), From: proto.Uint64(2), To: proto.Uint64(1), Term: proto.Uint64(7), Index: proto.Uint64(1), LogTerm: proto.Uint64(1),
	}
	b, err := proto.Marshal(vote)
	if err != nil {
		t.Fatal(err)
	}
	n := boot(members(1, 1, 2, 3))
	n.hear(2, encodeMsg(msgRaft, b))
	if n.e.term() != 0 && n.e.term() != 1 {
		t.Fatalf("it voted in term %d", n.e.term())
	}
	n.hear(3, testify(1, promise{Term: 6}))
	if n.fatal != NoteRolledBack {
		t.Errorf("it goes on (%#x) after it heard of a promise it does not know", n.fatal)
	}
}

// TestAnAnswerIsAboutTheAskersSlot: a member may have had another slot before, which
// is all that a lagging voter knows.
func TestAnAnswerIsAboutTheAskersSlot(t *testing.T) {
	n := boot(members(1, 1, 2, 3))
	n.e.promises[2] = promise{Term: 9}
	n.hear(2, encodeMsg(msgAsk, wire.Marshal(question{Slot: 5})))
	if got := n.sent[memberID(2)]; len(got) != 0 {
		t.Errorf("slot 2 was answered for slot 5: %x", got)
	}
	n.hear(2, encodeMsg(msgAsk, wire.Marshal(question{Slot: 2})))
	if got := n.sent[memberID(2)]; len(got) != 1 || string(got[0]) != string(testify(2, promise{Term: 9})) {
		t.Errorf("answered %x", got)
	}
	n.hear(3, testify(5, promise{Term: 9}))
	if n.fatal != 0 || len(n.e.proving.answers) != 0 {
		t.Error("an answer about another slot counted")
	}
}

// TestATornSnapshotBringsNoVote: a vote of an older term is none in that of the base.
func TestATornSnapshotBringsNoVote(t *testing.T) {
	_, b, _ := handed()
	n := boot(members(1, 1, 2, 3),
		step.Record{Seq: 1, Type: recState, Data: wire.Marshal(hardState{Term: 3, Vote: 2, Commit: 1})},
		step.Record{Seq: 2, Type: recBase, Data: wire.Marshal(&base{Index: 40, Term: 5, Header: b.Header, Members: members(1, 1, 2, 3)})})
	if n.fatal != 0 || n.e.state.GetTerm() != 5 || n.e.state.GetVote() != 0 {
		t.Errorf("event %#x, state %v", n.fatal, n.e.state)
	}
}

// TestTheLogKeepsWhatRaftHasNotApplied: a change that waits for its set holds back
// what raft takes for applied, and raft reads on from there before it campaigns.
func TestTheLogKeepsWhatRaftHasNotApplied(t *testing.T) {
	now := members(1, 1, 2, 3)
	next := members(2, 1, 2, 3)
	next.Members = append(next.Members, members(2, 4).Members[0])
	next.Members[3].Role = wire.Learner
	x, err := quorum.Step(now, next)
	if err != nil {
		t.Fatal(err)
	}
	genesis := &wire.Header{Version: wire.HeaderVersion, EngineKind: wire.EngineRaft}
	parent, index := genesis.Hash(), uint64(1)
	var log []step.Record
	add := func(typ raftpb.EntryType, data []byte) {
		index++
		r := encodeEntry(&raftpb.Entry{Type: typ.Enum(), Index: proto.Uint64(index), Term: proto.Uint64(2), Data: data})
		r.Seq = index
		log = append(log, r)
	}
	const last = compactStep + 200 // height of the handover
	for height := uint64(1); height <= last+retainBlocks; height++ {
		part := quorum.Engine{View: 2, Slot: 2}
		h := &wire.Header{
			Version: wire.HeaderVersion, Height: height, Epoch: 1, Parent: parent, MembersHash: now.Hash(), EngineKind: wire.EngineRaft,
		}
		if height == last {
			h.Flags, part.Next = wire.FlagHandover, next.Hash()
		}
		if height > last {
			h.Epoch, h.MembersHash = 2, next.Hash()
		}
		h.Engine = wire.Marshal(part)
		parent = h.Hash()
		add(raftpb.EntryNormal, consensus.EncodeBlock(&wire.Block{Header: h, Hash: parent, Body: wire.EncodeList(nil)}))
		if height == last {
			s := &wire.Seal{View: 2}
			for slot := uint64(1); slot <= 2; slot++ {
				s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: wire.NewPrivateKey([32]byte{byte(slot)}).Sign(quorum.Statement(h, parent, slot, 2))})
			}
			data, err := proto.Marshal(confChange(x, &change{Next: next, Seal: wire.Marshal(s)}))
			if err != nil {
				t.Fatal(err)
			}
			add(raftpb.EntryConfChangeV2, data)
		}
	}
	log = append(log, step.Record{Seq: index + 1, Type: recState, Data: wire.Marshal(hardState{Term: 2, Commit: index})})
	n := boot(now, log...)
	if n.fatal != 0 || n.e.decided.Header.Height != last {
		t.Fatalf("event %#x; decided up to %d, the change waits after %d", n.fatal, n.e.decided.Header.Height, last)
	}
	for slot := uint64(2); slot <= 3; slot++ {
		n.hear(slot, testify(1, promise{Term: 2}))
	}
	n.pass(electionMs)
	n.e.Durable(n.now, last)
	n.settle()
	n.pass(3 * electionMs) // it hears no leader and would campaign
	n.e.Decided(n.now, now, next)
	if n.settle(); n.fatal != 0 || n.e.config.set.Epoch != 2 {
		t.Fatalf("event %#x; epoch %d is in force", n.fatal, n.e.config.set.Epoch)
	}
	n.e.Durable(n.now, last)
	if n.settle(); n.e.base.Index == 1 {
		t.Error("the log is never cut")
	}
}

// FuzzMessage gives an engine what a member sends. It may stop, with evidence; it may not panic.
func FuzzMessage(f *testing.F) {
	_, b, c := handed()
	change, _ := proto.Marshal(c.cc)
	add := func(m *raftpb.Message) {
		m.From, m.To, m.Term = proto.Uint64(2), proto.Uint64(1), proto.Uint64(2)
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encodeMsg(msgRaft, body), false)
	}
	at := func(i uint64) *uint64 { return proto.Uint64(i) }
	add(&raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), Commit: at(99)})
	add(&raftpb.Message{Type: raftpb.MsgApp.Enum(), Index: at(1), LogTerm: at(1), Commit: at(2), Entries: []*raftpb.Entry{
		{Index: at(2), Term: at(2), Type: raftpb.EntryConfChangeV2.Enum(), Data: change},
	}})
	add(&raftpb.Message{Type: raftpb.MsgApp.Enum(), Index: at(1), LogTerm: at(1), Commit: at(9), Entries: []*raftpb.Entry{
		{Index: at(2), Term: at(2), Data: consensus.EncodeBlock(b)}, {Index: at(3), Term: at(2)},
	}})
	add(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), Snapshot: snapshotOf(&base{Index: 9, Term: 2, Header: b.Header, Members: members(1, 1, 2, 3)})})
	add(&raftpb.Message{Type: raftpb.MsgSnap.Enum()})
	add(&raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum()})
	f.Add(encodeMsg(msgAck, wire.Marshal(ack{Height: 1})), true)
	f.Add(encodeMsg(msgSeal, wire.Marshal(sealed{Height: 8, Hash: b.Hash, Seal: c.Seal})), true)
	f.Fuzz(func(t *testing.T, msg []byte, leads bool) {
		n := boot(members(1, 1, 2, 3))
		for slot := uint64(2); slot <= 3; slot++ {
			n.hear(slot, testify(1, promise{}))
		}
		n.pass(10)
		if n.e.proving != nil {
			t.Fatal("a new chain begins at once")
		}
		if leads {
			n.e.step(&raftpb.Message{Type: raftpb.MsgHup.Enum(), From: at(1), To: at(1)})
		}
		n.pass(100)
		n.hear(2, msg)
		n.pass(3000)
	})
}
