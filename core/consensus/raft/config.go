package raft

import (
	"cmp"
	"fmt"
	"slices"

	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// config is who orders from one position of the log on: the set the node's
// state decided, as raft counts majorities in it.
type config struct {
	index  uint64 // of the entry that brought it into force; the base's for the first
	set    *wire.MemberSet
	hash   wire.Hash
	quorum int
}

func newConfig(index uint64, set *wire.MemberSet) config {
	return config{index, set, set.Hash(), set.Quorum()}
}

// change is what a configuration entry carries in its context. The set makes
// the log enough to know every configuration after its base. The seal is the
// previous set's, over the handover block right before the entry, so that it
// is in every replica's hands before the old set stops sealing: whoever follows
// the chain from set to set needs the last block of each under its own seal.
type change struct {
	_    struct{} `cbor:",toarray"`
	Next *wire.MemberSet
	Seal []byte

	cc *raftpb.ConfChangeV2
}

// maxChange bounds an encoded change.
const maxChange = wire.MaxMemberSet + wire.MaxSeal + 64

// confState is a member set as raft's configuration. Whoever does not vote
// only follows.
func confState(set *wire.MemberSet) *raftpb.ConfState {
	cs := &raftpb.ConfState{}
	for i := range set.Members {
		if m := &set.Members[i]; m.Role == wire.Voter {
			cs.Voters = append(cs.Voters, m.Slot)
		} else {
			cs.Learners = append(cs.Learners, m.Slot)
		}
	}
	return cs
}

// confChange is a change as raft's own entry.
func confChange(x quorum.Change, c *change) *raftpb.ConfChangeV2 {
	kind := raftpb.ConfChangeAddLearnerNode
	switch x.Role {
	case 0:
		kind = raftpb.ConfChangeRemoveNode
	case wire.Voter:
		kind = raftpb.ConfChangeAddNode
	}
	return &raftpb.ConfChangeV2{
		Changes: []*raftpb.ConfChangeSingle{{Type: kind.Enum(), NodeId: proto.Uint64(x.Slot)}},
		Context: wire.Marshal(c),
	}
}

// decodeChange reads a configuration entry and refuses what no leader writes.
func decodeChange(b []byte) (*change, error) {
	cc := new(raftpb.ConfChangeV2)
	if err := proto.Unmarshal(b, cc); err != nil {
		return nil, fmt.Errorf("raft: %w: %v", wire.ErrEncoding, err)
	}
	if len(cc.GetChanges()) != 1 || cc.GetTransition() != raftpb.ConfChangeTransitionAuto {
		return nil, fmt.Errorf("raft: %w: %d changes at once", wire.ErrEncoding, len(cc.GetChanges()))
	}
	c := new(change)
	if err := wire.Unmarshal(cc.GetContext(), c, maxChange); err != nil {
		return nil, fmt.Errorf("raft: change: %w", err)
	}
	if c.Next == nil || len(c.Seal) > wire.MaxSeal {
		return nil, fmt.Errorf("raft: change: %w: a part is missing or too large", wire.ErrEncoding)
	}
	c.cc = cc
	return c, nil
}

// fault says why a change is void, or nil. It looks at nothing but the log up
// to the entry, so that every replica comes to the same answer: the newest block
// is a handover of the configuration's epoch to this very set, and a majority of
// the configuration sealed it.
func (c *change) fault(now *config, newest *wire.Block) error {
	if _, err := quorum.Follow(now.set, &wire.Handover{Header: newest.Header, Seal: c.Seal, Next: c.Next}); err != nil {
		return err
	}
	want, err := quorum.Step(now.set, c.Next)
	if err != nil {
		return err
	}
	if !proto.Equal(confChange(want, c), c.cc) {
		return fmt.Errorf("raft: %w: the change is not the one between the two sets", wire.ErrEncoding)
	}
	return nil
}

// Decided implements consensus.Engine.
func (e *Engine) Decided(t step.Now, now, next *wire.MemberSet) {
	if e.rn == nil {
		return
	}
	e.hear(now, next)
	e.drain(t)
}

// hear keeps what the node says of the sets it knows.
func (e *Engine) hear(now, next *wire.MemberSet) {
	e.told = [2]*wire.MemberSet{now, next}
	e.next, e.nextHash = nil, wire.Hash{}
	if next != nil && next.Epoch > e.config.set.Epoch {
		e.next, e.nextHash = next, next.Hash()
	}
	e.meet()
}

// meet recomputes who may be heard and written to: members of the set in force,
// of the one before it, and of those the node knows, which may be ahead of this
// log. Slots are never used twice, so a slot names one incarnation in any set.
func (e *Engine) meet() {
	e.members = nil
	defer func() {
		for slot := range e.promises { //deterministic: deletes by comparison only
			if e.member(slot) == nil {
				delete(e.promises, slot)
			}
		}
	}()
	for _, set := range []*wire.MemberSet{e.config.set, e.told[0], e.told[1], e.before} {
		if set == nil {
			continue
		}
		for _, m := range set.Members {
			i, found := slices.BinarySearchFunc(e.members, m.Slot, func(x wire.Member, slot uint64) int { return cmp.Compare(x.Slot, slot) })
			if !found {
				e.members = slices.Insert(e.members, i, m)
			}
		}
	}
}

// member finds who is in a slot, or nil.
func (e *Engine) member(slot uint64) *wire.Member {
	for i := range e.members {
		if e.members[i].Slot == slot {
			return &e.members[i]
		}
	}
	return nil
}

// memberID finds a node's newest slot, or nil.
func (e *Engine) memberID(id wire.NodeID) *wire.Member {
	for i := len(e.members) - 1; i >= 0; i-- {
		if e.members[i].ID == id {
			return &e.members[i]
		}
	}
	return nil
}

// votes reports whether this node votes in the configuration in force.
func (e *Engine) votes() bool {
	m := e.config.set.BySlot(e.boot.Slot)
	return m != nil && m.Role == wire.Voter
}

// changing reports whether the log holds a change that is not in force yet:
// what comes after it is of an epoch that may not begin.
func (e *Engine) changing() bool { return e.changeIdx > e.decidedIdx }

// apply brings a committed change into force, or finds it void. It returns
// false while the node does not know the set yet: it could not judge any block
// of its epoch.
func (e *Engine) apply(now step.Now, it *item) bool {
	c, newest := it.change, e.newest
	if err := c.fault(&e.config, newest); err != nil {
		e.app.Note(NoteVoidChange, it.index, e.config.set.Epoch)
		return true
	}
	if newest.Header.Height >= e.decided.Header.Height && (e.next == nil || e.nextHash != c.Next.Hash()) {
		return false
	}
	e.rn.ApplyConfChange(c.cc)
	e.before = e.config.set
	e.config = newConfig(it.index, c.Next)
	e.configs = append(e.configs, e.config)
	if e.next != nil && e.next.Epoch <= c.Next.Epoch {
		e.next, e.nextHash = nil, wire.Hash{}
	}
	if h := newest.Header.Height; h > e.sealedH {
		e.accept(sealed{Height: h, Hash: newest.Hash, Seal: c.Seal})
	}
	clear(e.acks)
	e.meet()
	e.app.Note(NoteEpoch, c.Next.Epoch, it.index)
	return true
}

// configAt is the configuration in force at a decided position of the log.
func (e *Engine) configAt(index uint64) *wire.MemberSet {
	set := e.base.Members
	for _, c := range e.configs {
		if c.index <= index {
			set = c.set
		}
	}
	return set
}

// handOver leads from the set in force to the next one: a block that names it,
// then, once a majority sealed that very block and nothing follows it, the
// change. The block has to be of this leader's own term, or its seal would be
// no proof that it stays.
func (e *Engine) handOver(now step.Now) {
	h := e.tail.Header
	part, err := quorum.EngineOf(h)
	mine := err == nil && part.Next == e.nextHash && part.View == e.leadTerm && h.Epoch == e.config.set.Epoch
	if !mine {
		if e.yields() {
			return
		}
		if e.open() {
			e.build(now, true, e.nextHash)
		}
		return
	}
	it := e.at(h.Height)
	if e.sealedH != h.Height || e.seal.Height != h.Height || it == nil || it.index > e.decidedIdx {
		return
	}
	x, err := quorum.Step(e.config.set, e.next)
	if err != nil {
		return // the node does not pass on such a set
	}
	// Refused like any proposal, it is tried again.
	_ = e.rn.ProposeConfChange(confChange(x, &change{Next: e.next, Seal: e.seal.Seal}))
}

// yields lets another voter lead when this leader is about to leave, once per
// term: it spares the network an election. If the other does not take over in
// time, raft goes on here, and this leader ends its own membership.
func (e *Engine) yields() bool {
	if m := e.next.BySlot(e.boot.Slot); m != nil && m.Role == wire.Voter || e.yielded == e.leadTerm {
		return false
	}
	e.yielded = e.leadTerm
	best, match := uint64(0), uint64(0)
	e.rn.WithProgress(func(slot uint64, _ etcd.ProgressType, pr etcdProgress) {
		if m := e.next.BySlot(slot); m != nil && m.Role == wire.Voter && !pr.IsLearner && pr.RecentActive && (pr.Match > match || pr.Match == match && slot < best) {
			best, match = slot, pr.Match
		}
	})
	if best == 0 {
		return false
	}
	e.rn.TransferLeader(best)
	return true
}

// build has the next block built and proposes it; it reports whether it did.
func (e *Engine) build(now step.Now, empty bool, next wire.Hash) bool {
	p := consensus.Proposal{
		Parent: e.tail, Epoch: e.config.set.Epoch, Members: e.config.hash, Empty: empty,
		Engine: wire.Marshal(quorum.Engine{View: e.leadTerm, Slot: e.boot.Slot, Next: next}),
	}
	if next != (wire.Hash{}) {
		p.Flags = wire.FlagHandover
	}
	b := e.app.Build(now, p)
	if b == nil {
		return false
	}
	if err := e.rn.Propose(consensus.EncodeBlock(b)); err != nil {
		e.adopt(now) // refused: what was put in b is free again
		return false
	}
	e.tail = b
	return true
}
