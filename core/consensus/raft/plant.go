package raft

// Plant is a fault put into an engine on purpose, so that the simulator can
// show that it would be found. No program sets one.
type Plant struct {
	// Unsynced answers and acknowledges before the log is durable.
	Unsynced bool
	// OldTerm signs and seals blocks of older terms than the current one.
	OldTerm bool
}

// NewPlanted makes an engine with a fault; only the simulator calls it.
func NewPlanted(p Plant) *Engine { return &Engine{plant: p} }
