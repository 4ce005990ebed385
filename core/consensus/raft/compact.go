package raft

import (
	"slices"

	etcd "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/step"
	"cloister/wire"
)

// storage is what raft reads of the log. A follower that needs what is
// compacted is sent to where this node stands now, not to where it compacted:
// a member added since would not find itself in the configuration there.
type storage struct {
	*etcd.MemoryStorage
	e *Engine
}

// Snapshot implements the library's Storage.
func (s storage) Snapshot() (*raftpb.Snapshot, error) {
	e := s.e
	b := e.base
	if it := e.item(e.decidedIdx); it != nil && !e.jumping && e.newest.Hash == e.decided.Hash {
		b = base{Index: it.index, Term: it.term, Header: e.newest.Header, Members: e.config.set}
	}
	return snapshotOf(&b), nil
}

func snapshotOf(b *base) *raftpb.Snapshot {
	return &raftpb.Snapshot{Data: wire.Marshal(b), Metadata: &raftpb.SnapshotMetadata{
		Index: proto.Uint64(b.Index), Term: proto.Uint64(b.Term), ConfState: confState(b.Members),
	}}
}

// Durable implements consensus.Engine: it moves the base of the log forward
// when enough lies below what laggards may still ask for.
func (e *Engine) Durable(now step.Now, height uint64) uint64 {
	if e.rn == nil || e.jumping || height <= e.base.Header.Height {
		return e.cut
	}
	keep, bytes := len(e.items), 0
	for blocks := 0; keep > 0; keep-- {
		it := &e.items[keep-1]
		bytes += it.size
		if it.block != nil {
			blocks++
		}
		if blocks > retainBlocks || bytes > retainBytes {
			break
		}
	}
	// items[:keep] may go, as far as decided, applied in raft's eyes (it still reads
	// what is not) and durable elsewhere; the new base is the last block of them.
	free := min(e.decidedIdx, e.rn.BasicStatus().Applied)
	for keep > 0 {
		it := &e.items[keep-1]
		if it.block != nil && !it.void && it.index <= free && it.seq > 0 && it.block.Header.Height <= height && it.block.Header.Height > e.base.Header.Height {
			break
		}
		keep--
	}
	if keep < compactStep {
		return e.cut
	}
	last := e.items[keep-1]
	nb := base{Index: last.index, Term: last.term, Header: last.block.Header, Members: e.configAt(last.index)}
	if err := e.ms.Compact(nb.Index); err != nil {
		return e.cut
	}
	for i := range e.items[:keep] {
		if b := e.items[i].block; b != nil && e.byH[b.Header.Height] == e.items[i].index {
			delete(e.byH, b.Header.Height)
		}
	}
	e.base = nb
	e.configs = slices.DeleteFunc(e.configs, func(c config) bool { return c.index <= nb.Index })
	e.items = append([]item(nil), e.items[keep:]...)
	if e.changeIdx <= nb.Index {
		e.changeIdx = 0
	}
	for _, p := range []*uint64{&e.durableIdx, &e.requestedIdx, &e.checkedIdx, &e.ackedIdx} {
		*p = max(*p, nb.Index)
	}
	recs := []step.Record{{Type: recBase, Data: wire.Marshal(&nb)}}
	if !etcd.IsEmptyHardState(e.state) {
		recs = append(recs, encodeState(e.state))
	}
	e.nextRef++
	e.pending[e.nextRef] = &appending{base: &nb, count: len(recs)}
	e.app.Append(e.nextRef, recs...)
	return e.cut
}
