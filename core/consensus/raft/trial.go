package raft

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cloister/wire"
)

// Trial is what only the simulator sets: a bound that makes rare interleavings
// common, and faults put in on purpose, to show that they would be found.
type Trial struct {
	// MessageBytes bounds the entries of one message; 0 is the usual bound. With
	// 1 every entry travels alone.
	MessageBytes uint64
	// Unsynced is a fault: it answers and acknowledges before the log is durable.
	Unsynced bool
	// OldTerm is a fault: it signs and seals blocks of older terms than the current one.
	OldTerm bool
	// OldEpoch is a fault: it goes on building, acknowledging and sealing blocks of
	// an epoch after the change that ends it stands in the log.
	OldEpoch bool
}

// NewTrial makes an engine for the simulator.
func NewTrial(t Trial) *Engine { return &Engine{trial: t} }

// SealIn reads an engine message; ok if it carries a complete seal. The
// simulator holds every seal that ever travels against all others.
func SealIn(msg []byte) (height uint64, hash wire.Hash, ok bool) {
	var s sealed
	if len(msg) == 0 || msg[0] != msgSeal || wire.Unmarshal(msg[1:], &s, maxSealed) != nil {
		return 0, hash, false
	}
	return s.Height, s.Hash, true
}

// Withhold gives a raft message as its sender would have sent it had it held
// nothing of the given term: entries from the first of that term on are left
// out. Other engine messages are returned as they are.
func Withhold(msg []byte, term uint64) []byte {
	if len(msg) == 0 || msg[0] != msgRaft {
		return msg
	}
	m := new(raftpb.Message)
	if proto.Unmarshal(msg[1:], m) != nil {
		return msg
	}
	for i, e := range m.GetEntries() {
		if e.GetTerm() >= term {
			m.Entries = m.GetEntries()[:i]
			break
		}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return msg
	}
	return encodeMsg(msgRaft, b)
}
