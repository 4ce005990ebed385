package agent

import (
	"context"
	"errors"
	"time"

	"cloister/wire"
)

// DefaultPoll is the pause between two looks.
const DefaultPoll = 250 * time.Millisecond

// Run cares for a device until ctx ends, or nothing can be done for it any more:
// it is revoked, or registered with other keys. What fails is logged and tried
// again.
func Run(ctx context.Context, c Config) error {
	a := New(c)
	pause := c.Poll
	if pause == 0 {
		pause = DefaultPoll
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		switch err := a.Round(ctx); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrOtherKeys), errors.Is(err, ErrRevoked):
			return err
		case errors.Is(err, ErrMoved):
			continue // the network ends this (maxMoved)
		case err != nil:
			a.c.Log.Warn("device.duties_undone", "device", a.device, "code", wire.CodeOf(err), "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
