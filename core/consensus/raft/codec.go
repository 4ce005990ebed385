package raft

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/core/consensus"
	"cloister/core/step"
	"cloister/wire"
)

// Kinds of engine messages, the first byte of each.
const (
	msgRaft byte = 1 // a raftpb.Message follows
	msgAck  byte = 2 // an ack follows
	msgSeal byte = 3 // a sealed follows
	msgAsk  byte = 4 // a question follows
	// msgWitness: a testimony follows.
	msgWitness byte = 5
)

// ack is a voter's signature under quorum.Statement.
type ack struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Hash   wire.Hash
	Sig    wire.Signature
}

// sealed carries a complete seal to the other members; also a log record.
type sealed struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Hash   wire.Hash
	Seal   []byte
}

// maxSealed bounds an encoded sealed.
const maxSealed = wire.MaxSeal + 128

// Types of log records.
const (
	recEntry byte = 1 // u64 index ‖ u64 term ‖ block; no block: a term's first entry
	recState byte = 2 // hardState
	recBase  byte = 3 // base
	recSeal  byte = 4 // sealed
	recConf  byte = 5 // u64 index ‖ u64 term ‖ raftpb.ConfChangeV2
)

type hardState struct {
	_                  struct{} `cbor:",toarray"`
	Term, Vote, Commit uint64
}

// base says that everything up to Index is decided and held elsewhere (state,
// archive, peers): the log begins after it. It is also raft's snapshot data.
type base struct {
	_           struct{} `cbor:",toarray"`
	Index, Term uint64
	Header      *wire.Header    // of the newest block at or before Index
	Members     *wire.MemberSet // the configuration there
}

// maxBase bounds an encoded base.
const maxBase = wire.MaxHeader + wire.MaxMemberSet + 64

func decodeBase(b []byte) (*base, error) {
	x := new(base)
	if err := wire.Unmarshal(b, x, maxBase); err != nil {
		return nil, fmt.Errorf("raft: base: %w", err)
	}
	if x.Header == nil || x.Members == nil || x.Index == 0 || x.Term == 0 {
		return nil, fmt.Errorf("raft: base: %w: a part is missing", wire.ErrEncoding)
	}
	return x, nil
}

func encodeEntry(e *raftpb.Entry) step.Record {
	b := make([]byte, 0, 16+len(e.GetData()))
	b = append(append(b, wire.U64(e.GetIndex())...), wire.U64(e.GetTerm())...)
	r := step.Record{Type: recEntry, Data: append(b, e.GetData()...)}
	if e.GetType() == raftpb.EntryConfChangeV2 {
		r.Type = recConf
	}
	return r
}

func decodeEntry(typ byte, b []byte) (*raftpb.Entry, error) {
	if len(b) < 16 || len(b) > 16+consensus.MaxBlock {
		return nil, fmt.Errorf("raft: %w: log entry of %d bytes", wire.ErrEncoding, len(b))
	}
	e := &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Index: proto.Uint64(be64(b)), Term: proto.Uint64(be64(b[8:]))}
	if typ == recConf {
		e.Type = raftpb.EntryConfChangeV2.Enum()
	}
	if len(b) > 16 {
		e.Data = b[16:]
	}
	return e, nil
}

func be64(b []byte) (n uint64) {
	for _, x := range b[:8] {
		n = n<<8 | uint64(x)
	}
	return n
}

func encodeState(h *raftpb.HardState) step.Record {
	return step.Record{Type: recState, Data: wire.Marshal(hardState{Term: h.GetTerm(), Vote: h.GetVote(), Commit: h.GetCommit()})}
}

func encodeMsg(kind byte, body []byte) []byte { return append([]byte{kind}, body...) }

// decodeRaft reads a raft message from a member and refuses what this chain's
// raft never sends, so that the library is not asked to judge it.
func decodeRaft(b []byte, from, self uint64) (*raftpb.Message, error) {
	m := new(raftpb.Message)
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("raft: %w: %v", wire.ErrEncoding, err)
	}
	if m.GetFrom() != from || m.GetTo() != self || len(m.GetResponses()) > 0 {
		return nil, fmt.Errorf("raft: %w: message from %d to %d", wire.ErrEncoding, m.GetFrom(), m.GetTo())
	}
	switch m.GetType() {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgSnap, raftpb.MsgTimeoutNow:
	default:
		return nil, fmt.Errorf("raft: %w: message type %v", wire.ErrEncoding, m.GetType())
	}
	if m.GetType() == raftpb.MsgSnap {
		b, err := decodeBase(m.GetSnapshot().GetData())
		if err != nil {
			return nil, err
		}
		if !proto.Equal(m.GetSnapshot(), snapshotOf(b)) {
			return nil, fmt.Errorf("raft: %w: a snapshot that is not its base's", wire.ErrEncoding)
		}
	}
	for i, e := range m.GetEntries() {
		if e.GetIndex() != m.GetIndex()+uint64(i)+1 || len(e.GetData()) > consensus.MaxBlock {
			return nil, fmt.Errorf("raft: %w: entry %d", wire.ErrEncoding, e.GetIndex())
		}
		if e.GetType() == raftpb.EntryConfChangeV2 {
			if _, err := decodeChange(e.GetData()); err != nil {
				return nil, err
			}
		} else if e.GetType() != raftpb.EntryNormal {
			return nil, fmt.Errorf("raft: %w: entry %d of type %v", wire.ErrEncoding, e.GetIndex(), e.GetType())
		}
	}
	return m, nil
}
