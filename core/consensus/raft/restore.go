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

// restore rebuilds raft's memory from the log.
func (e *Engine) restore(log []step.Record) error {
	voters := make([]uint64, 0, len(e.boot.Members.Members))
	for _, m := range e.boot.Members.Members {
		voters = append(voters, m.Slot)
	}
	// A new chain starts from a snapshot at index 1, so no bootstrap entries exist.
	e.base = base{Index: 1, Term: 1, Hash: wire.Hash{}}
	type logged struct {
		e   *raftpb.Entry
		seq uint64
	}
	var entries []logged
	var seal *sealed
	for _, r := range log {
		switch r.Type {
		case recEntry:
			ent, err := decodeEntry(r.Data)
			if err != nil {
				return err
			}
			for n := len(entries); n > 0 && entries[n-1].e.GetIndex() >= ent.GetIndex(); n-- {
				entries = entries[:n-1] // a later term replaced the tail
			}
			entries = append(entries, logged{ent, r.Seq})
		case recState:
			var h hardState
			if err := wire.Unmarshal(r.Data, &h, 64); err != nil {
				return err
			}
			e.state = &raftpb.HardState{Term: proto.Uint64(h.Term), Vote: proto.Uint64(h.Vote), Commit: proto.Uint64(h.Commit)}
		case recBase:
			var b base
			if err := wire.Unmarshal(r.Data, &b, 128); err != nil {
				return err
			}
			if b.Index >= e.base.Index {
				e.base = b
			}
		case recSeal:
			seal = new(sealed)
			if err := wire.Unmarshal(r.Data, seal, maxSealed); err != nil {
				return err
			}
		default:
			return fmt.Errorf("raft: %w: log record type %d", wire.ErrEncoding, r.Type)
		}
	}
	meta := &raftpb.SnapshotMetadata{
		Index: proto.Uint64(e.base.Index), Term: proto.Uint64(e.base.Term), ConfState: &raftpb.ConfState{Voters: voters},
	}
	if err := e.ms.ApplySnapshot(&raftpb.Snapshot{Data: wire.Marshal(&e.base), Metadata: meta}); err != nil {
		return err
	}
	e.durableIdx, e.requestedIdx, e.checkedIdx = e.base.Index, e.base.Index, e.base.Index
	e.committedIdx, e.decidedIdx = e.base.Index, e.base.Index
	var kept []*raftpb.Entry
	for _, l := range entries {
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
	if e.state.GetCommit() < e.base.Index {
		e.state.Commit = proto.Uint64(e.base.Index)
	}
	if e.state.GetTerm() < e.base.Term {
		e.state.Term = proto.Uint64(e.base.Term)
	}
	if e.state.GetCommit() > e.lastIndex() {
		return fmt.Errorf("raft: log ends at %d, before the committed %d", e.lastIndex(), e.state.GetCommit())
	}
	if x := e.boot.Executed.Header.Height; x > e.base.Height {
		if it := e.at(x); it == nil || it.block.Hash != e.boot.Executed.Hash {
			return fmt.Errorf("raft: state is at height %d, which the log does not hold", x)
		}
	}
	if seal != nil {
		e.early = seal
	}
	return e.ms.SetHardState(e.state)
}

// push adds an entry to the items.
func (e *Engine) push(ent *raftpb.Entry) error {
	it := item{index: ent.GetIndex(), term: ent.GetTerm(), size: len(ent.GetData())}
	if len(ent.GetData()) > 0 {
		b, err := consensus.DecodeBlock(ent.GetData())
		if err != nil {
			return err
		}
		it.block = b
		part, err := quorum.EngineOf(b.Header)
		if m := e.boot.Members.BySlot(part.Slot); err != nil || part.View != it.term || m == nil || m.ID != b.Header.Proposer {
			it.verdict = consensus.Reject // decided by the entry alone, so the same everywhere
		}
		e.byH[b.Header.Height] = it.index
	}
	e.items = append(e.items, it)
	return nil
}
