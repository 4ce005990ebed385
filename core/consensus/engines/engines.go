package engines

import (
	"cloister/core/consensus"
	"cloister/core/consensus/raft"
	"cloister/core/consensus/solo"
	"cloister/wire"
)

var makers = map[uint8]func() consensus.Engine{
	wire.EngineSolo: func() consensus.Engine { return solo.New() },
	wire.EngineRaft: func() consensus.Engine { return raft.New() },
}

// New makes the engine of a kind a checked genesis names.
func New(kind uint8) consensus.Engine { return makers[kind]() }
