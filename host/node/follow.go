package node

import (
	"context"
	"errors"
	"fmt"

	"cloister/host/api"
	"cloister/host/archive"
	"cloister/host/follow"
	"cloister/host/supervise"
)

// follower takes blocks from other hosts, if node.toml names any.
type follower struct{ *follow.Follower }

func (c *Config) follower(blocks *archive.Archive) (follower, error) {
	if len(c.Follow) == 0 {
		return follower{}, nil
	}
	f, err := follow.New(follow.Config{Endpoints: c.Follow, Genesis: c.Genesis, Archive: blocks, Log: c.Log})
	if err != nil {
		return follower{}, fmt.Errorf("node: %w", err)
	}
	return follower{f}, nil
}

// run ends the host with a fork. That the archive takes no more blocks ends it
// through the core's supervisor too.
func (f follower) run(ctx context.Context) error {
	if f.Follower == nil {
		<-ctx.Done()
		return nil
	}
	err := f.Run(ctx)
	if errors.Is(err, archive.ErrFork) {
		return fmt.Errorf("%w: %w", supervise.ErrOperator, err)
	}
	return err
}

// following is what the API shows of a follower, nil for none.
func following(f follower) func() api.Following {
	if f.Follower == nil {
		return nil
	}
	return func() api.Following {
		s := f.Status()
		return api.Following{Active: s.Active, Endpoint: s.Endpoint, From: s.From, Height: s.Height, Target: s.Target, Problem: s.Problem}
	}
}
