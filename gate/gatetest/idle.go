package gatetest

import (
	"context"
	"net"
	"time"

	"cloister/gate"
)

// Idle is both a gate.Handler that never answers and a gate.HostHandler that
// has nothing, for tests of one lane. Embed it to change a method.
type Idle struct{}

var (
	_ gate.Handler     = Idle{}
	_ gate.HostHandler = Idle{}
)

// Start is not answered.
func (Idle) Start(gate.Start, *gate.Reply[gate.Ready]) {}

// Submit is not answered.
func (Idle) Submit([][]byte, *gate.Reply[[]gate.SubmitResult]) {}

// Query is not answered.
func (Idle) Query(uint16, []byte, *gate.Reply[[]byte]) {}

// Status is not answered.
func (Idle) Status(*gate.Reply[[]byte]) {}

// Stop is not answered.
func (Idle) Stop(time.Duration, *gate.Reply[struct{}]) {}

// Archived does nothing.
func (Idle) Archived(uint64) {}

// Dial refuses.
func (Idle) Dial(context.Context, string) (net.Conn, error) { return nil, gate.ErrRefused }

// Fetch finds nothing.
func (Idle) Fetch(context.Context, gate.FetchKind, []byte) ([]byte, error) {
	return nil, gate.ErrNotFound
}

// Final drops the block.
func (Idle) Final(gate.Final) {}

// Undo does nothing.
func (Idle) Undo(gate.Undo) {}

// Event drops the event.
func (Idle) Event(gate.Event) {}

// Fatal does nothing.
func (Idle) Fatal(gate.Fatal) {}
