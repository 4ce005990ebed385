package raft

import (
	"bytes"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus/quorum"
	"cloister/wire"
)

// sets are a set of three voters, and the same with a learner.
func sets() (now, next *wire.MemberSet) {
	now, next = &wire.MemberSet{Epoch: 1, From: 1}, &wire.MemberSet{Epoch: 2, From: 9}
	for slot := uint64(1); slot <= 4; slot++ {
		key := wire.NewPrivateKey([32]byte{byte(slot)}).Public()
		m := wire.Member{ID: wire.NodeIDOf(key), Slot: slot, Weight: 1, Role: wire.Voter, Key: key}
		if slot < 4 {
			now.Members = append(now.Members, m)
		} else {
			m.Role = wire.Learner
		}
		next.Members = append(next.Members, m)
	}
	return now, next
}

// handed is a configuration, its last block, and a good change after it.
func handed() (*config, *wire.Block, *change) {
	now, next := sets()
	h := &wire.Header{
		Version: wire.HeaderVersion, Flags: wire.FlagHandover, Height: 8, Epoch: 1, MembersHash: now.Hash(), EngineKind: wire.EngineRaft,
		Engine: wire.Marshal(quorum.Engine{View: 3, Slot: 1, Next: next.Hash()}),
	}
	b := &wire.Block{Header: h, Hash: h.Hash()}
	s := &wire.Seal{View: 3}
	for slot := uint64(1); slot <= 2; slot++ {
		s.Sigs = append(s.Sigs, wire.SlotSig{Slot: slot, Sig: wire.NewPrivateKey([32]byte{byte(slot)}).Sign(quorum.Statement(h, b.Hash, slot, 3))})
	}
	c := &change{Next: next, Seal: wire.Marshal(s)}
	x, err := quorum.Step(now, next)
	if err != nil {
		panic(err)
	}
	c.cc = confChange(x, c)
	cfg := newConfig(1, now)
	return &cfg, b, c
}

func TestAChangeReadsBackAndHolds(t *testing.T) {
	cfg, b, c := handed()
	data, err := proto.Marshal(c.cc)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeChange(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.fault(cfg, b); err != nil {
		t.Error(err)
	}
}

func TestAChangeWithoutItsHandoverIsVoid(t *testing.T) {
	for name, spoil := range map[string]func(cfg *config, b *wire.Block, c *change){
		"not sealed":               func(_ *config, _ *wire.Block, c *change) { c.Seal = nil },
		"another block came after": func(_ *config, b *wire.Block, _ *change) { b.Header.Height++ },
		"no handover":              func(_ *config, b *wire.Block, _ *change) { b.Header.Flags = 0 },
		"another set":              func(_ *config, _ *wire.Block, c *change) { c.Next.From++ },
		"in force already":         func(cfg *config, _ *wire.Block, c *change) { *cfg = newConfig(2, c.Next) },
		"another slot":             func(_ *config, _ *wire.Block, c *change) { c.cc.Changes[0].NodeId = proto.Uint64(3) },
		"another act": func(_ *config, _ *wire.Block, c *change) {
			c.cc.Changes[0].Type = raftpb.ConfChangeAddNode.Enum()
		},
	} {
		cfg, b, c := handed()
		spoil(cfg, b, c)
		if c.fault(cfg, b) == nil {
			t.Errorf("%s: the change holds", name)
		}
	}
}

func FuzzDecodeChange(f *testing.F) {
	_, _, c := handed()
	good, _ := proto.Marshal(c.cc)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeChange(b)
		if err == nil && (len(c.cc.GetChanges()) != 1 || !bytes.Equal(wire.Marshal(c), c.cc.GetContext())) {
			t.Fatalf("accepted %x", b)
		}
	})
}

func FuzzDecodeBase(f *testing.F) {
	now, _ := sets()
	_, b, _ := handed()
	f.Add(wire.Marshal(&base{Index: 4, Term: 2, Header: b.Header, Members: now}))
	f.Add([]byte{0x84, 1, 1, 0xf6, 0xf6})
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := decodeBase(data)
		if err == nil && (x.Header == nil || x.Members == nil || !bytes.Equal(wire.Marshal(x), data)) {
			t.Fatalf("accepted %x", data)
		}
	})
}

// TestASnapshotIsItsBase: what the library is told of a snapshot is what the engine
// begins with.
func TestASnapshotIsItsBase(t *testing.T) {
	_, b, _ := handed()
	now, _ := sets()
	for name, spoil := range map[string]func(s *raftpb.Snapshot){
		"":               func(*raftpb.Snapshot) {},
		"no base":        func(s *raftpb.Snapshot) { s.Data = nil },
		"another index":  func(s *raftpb.Snapshot) { s.Metadata.Index = proto.Uint64(8) },
		"another term":   func(s *raftpb.Snapshot) { s.Metadata.Term = proto.Uint64(8) },
		"another member": func(s *raftpb.Snapshot) { s.Metadata.ConfState.Voters[0] = 9 },
		"no members":     func(s *raftpb.Snapshot) { s.Metadata.ConfState = nil },
	} {
		s := snapshotOf(&base{Index: 4, Term: 2, Header: b.Header, Members: now})
		spoil(s)
		data, err := proto.Marshal(&raftpb.Message{Type: raftpb.MsgSnap.Enum(), From: proto.Uint64(1), To: proto.Uint64(2), Snapshot: s})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRaft(data, 1, 2); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzDecodeRaft(f *testing.F) {
	_, _, c := handed()
	data, _ := proto.Marshal(c.cc)
	m := &raftpb.Message{
		Type: raftpb.MsgApp.Enum(), From: proto.Uint64(1), To: proto.Uint64(2), Index: proto.Uint64(6),
		Entries: []*raftpb.Entry{{Type: raftpb.EntryConfChangeV2.Enum(), Index: proto.Uint64(7), Term: proto.Uint64(3), Data: data}},
	}
	good, _ := proto.Marshal(m)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeRaft(b, 1, 2)
		if err != nil {
			return
		}
		for i, e := range m.GetEntries() {
			if e.GetIndex() != m.GetIndex()+uint64(i)+1 {
				t.Fatalf("accepted a gap: %x", b)
			}
		}
	})
}
