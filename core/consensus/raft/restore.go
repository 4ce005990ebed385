package raft

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus"
	"cloister/core/consensus/quorum"
	"cloister/core/step"
	"cloister/wire"
)

// logged is an entry as the log holds it.
type logged struct {
	e   *raftpb.Entry
	seq uint64
}

// history is what the records of a log add up to.
type history struct {
	from    *base
	entries []logged // what later terms replaced is gone
	state   *raftpb.HardState
	seal    *sealed // the newest, or nil
}

// readLog reads the log's records. A new chain starts from a snapshot at index 1,
// so no bootstrap entries exist.
func (e *Engine) readLog(log []step.Record) (*history, error) {
	x := &history{
		from:  &base{Index: 1, Term: 1, Header: e.boot.Genesis.Header, Members: e.boot.First},
		state: &raftpb.HardState{},
	}
	for _, r := range log {
		switch r.Type {
		case recEntry, recConf:
			ent, err := decodeEntry(r.Type, r.Data)
			if err != nil {
				return nil, err
			}
			for n := len(x.entries); n > 0 && x.entries[n-1].e.GetIndex() >= ent.GetIndex(); n-- {
				x.entries = x.entries[:n-1] // a later term replaced the tail
			}
			x.entries = append(x.entries, logged{ent, r.Seq})
		case recState:
			var h hardState
			if err := wire.Unmarshal(r.Data, &h, 64); err != nil {
				return nil, err
			}
			x.state = &raftpb.HardState{Term: proto.Uint64(h.Term), Vote: proto.Uint64(h.Vote), Commit: proto.Uint64(h.Commit)}
		case recBase:
			b, err := decodeBase(r.Data)
			if err != nil {
				return nil, err
			}
			if b.Index >= x.from.Index {
				x.from = b
			}
		case recSeal:
			x.seal = new(sealed)
			if err := wire.Unmarshal(r.Data, x.seal, maxSealed); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("raft: %w: log record type %d", wire.ErrEncoding, r.Type)
		}
	}
	return x, nil
}

// restore rebuilds raft's memory from the log.
func (e *Engine) restore(log []step.Record) error {
	x, err := e.readLog(log)
	if err != nil {
		return err
	}
	e.state = x.state
	e.begin(x.from)
	if err := e.ms.ApplySnapshot(snapshotOf(x.from)); err != nil {
		return err
	}
	e.durableIdx, e.requestedIdx, e.checkedIdx = e.base.Index, e.base.Index, e.base.Index
	e.committedIdx, e.decidedIdx = e.base.Index, e.base.Index
	var kept []*raftpb.Entry
	for _, l := range x.entries {
		if l.e.GetIndex() <= e.base.Index {
			continue
		}
		if l.e.GetIndex() != e.lastIndex()+1 {
			return fmt.Errorf("raft: log jumps from %d to %d", e.lastIndex(), l.e.GetIndex())
		}
		if err := e.push(l.e); err != nil {
			return err
		}
		e.items[len(e.items)-1].seq = l.seq
		kept = append(kept, l.e)
	}
	e.durableIdx = e.lastIndex()
	if err := e.ms.Append(kept); err != nil {
		return err
	}
	if known := e.knownCommitted(); e.state.GetCommit() < known {
		e.state.Commit = proto.Uint64(known)
	}
	if e.state.GetTerm() < e.base.Term {
		e.state.Term, e.state.Vote = proto.Uint64(e.base.Term), nil // no vote of that term was promised
	}
	if e.state.GetCommit() > e.lastIndex() {
		return fmt.Errorf("raft: log ends at %d, before the committed %d", e.lastIndex(), e.state.GetCommit())
	}
	if h := e.boot.Executed.Header.Height; h > e.base.Header.Height {
		if it := e.at(h); it == nil && !e.boot.Ahead || it != nil && it.block.Hash != e.boot.Executed.Hash {
			return fmt.Errorf("raft: state is at height %d, which the log does not hold", h)
		}
	}
	e.early = x.seal
	return e.ms.SetHardState(e.state)
}

// knownCommitted is the highest index the log itself proves to be committed. A
// leader puts nothing behind a change before the change is committed, so what
// stands behind one proves it. Without this, a replica whose note of what is
// committed was lost could come back more than one configuration behind, and
// form a majority that none of the present configuration shares.
func (e *Engine) knownCommitted() uint64 {
	known, last := e.base.Index, uint64(0)
	for i := range e.items {
		it := &e.items[i]
		if last > 0 && (it.block != nil || it.change != nil) {
			known = last
		}
		if it.change != nil {
			last = it.index
		}
	}
	return known
}

// push adds an entry to the items.
func (e *Engine) push(ent *raftpb.Entry) error {
	it := item{index: ent.GetIndex(), term: ent.GetTerm(), size: len(ent.GetData())}
	switch {
	case ent.GetType() == raftpb.EntryConfChangeV2:
		c, err := decodeChange(ent.GetData())
		if err != nil {
			return err
		}
		it.change, e.changeIdx = c, it.index
	case len(ent.GetData()) > 0:
		b, err := consensus.DecodeBlock(ent.GetData())
		if err != nil {
			return err
		}
		it.block = b
		part, err := quorum.EngineOf(b.Header)
		if err != nil || part.View != it.term {
			it.verdict = consensus.Reject // by the entry alone, so the same everywhere; the proposer is the node's to judge
		}
		e.byH[b.Header.Height] = it.index
	}
	e.items = append(e.items, it)
	return nil
}
