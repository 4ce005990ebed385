package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cloister/wire"
)

// Retry is the package's one policy: what is worth another attempt is tried at
// the next endpoint, after a pause that doubles each time all have been asked.
type Retry struct {
	Attempts int           // in all, at least 1
	Pause    time.Duration // after the first round of endpoints
	Longest  time.Duration // bound of the pause
}

// DefaultRetry outlasts a change of leader.
var DefaultRetry = Retry{Attempts: 8, Pause: 50 * time.Millisecond, Longest: 2 * time.Second}

// worth says whether the same request can succeed elsewhere or later.
func worth(err error) bool {
	switch wire.CodeOf(err) {
	case wire.ErrBusy, wire.ErrNotReady, wire.ErrStopping, wire.ErrUnavailable, wire.ErrNotCovered:
		return true
	}
	return unproven(err)
}

// unproven: the host's answer did not verify. Another host may be honest. An
// epoch that the host itself could not lead to is one more made-up claim.
func unproven(err error) bool {
	switch wire.CodeOf(err) {
	case wire.ErrProof, wire.ErrSealInvalid, wire.ErrForeignChain, wire.ErrUnknownEpoch:
		return true
	}
	return false
}

// do runs one request by the policy. f makes and verifies one attempt at an
// endpoint.
func (c *Client) do(ctx context.Context, what string, f func(ctx context.Context, e *endpoint) error) error {
	return c.retry(ctx, what, func(ctx context.Context, e *endpoint) (bool, error) {
		return false, c.attempt(ctx, e, f)
	})
}

// retry is the policy's loop. An attempt that made progress before it failed
// starts the count anew. The error is that of the last attempt; but a proof that
// failed is not hidden behind a host that was merely busy.
func (c *Client) retry(ctx context.Context, what string, f func(ctx context.Context, e *endpoint) (progress bool, err error)) error {
	var lie error
	useless := 0 // answers that did not verify, or that no seal proves yet
	for attempt := 1; ; attempt++ {
		at := c.current.Load()
		e := &c.endpoints[int(at)%len(c.endpoints)]
		progress, err := f(ctx, e)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %s: %w", what, e, err)
		if progress {
			attempt, useless, lie = 1, 0, nil
		}
		if unproven(err) {
			lie = err
		}
		if unproven(err) || wire.CodeOf(err) == wire.ErrNotCovered {
			useless++ // hosts wait for seals themselves: asking each once is enough
		}
		if wire.CodeOf(err) == wire.ErrNotReady {
			c.seen.forgetClaims() // perhaps only because of a height nobody proved
		}
		if !worth(err) || attempt >= c.opts.Retry.Attempts || useless >= len(c.endpoints) {
			if lie != nil {
				return lie
			}
			return err
		}
		// Only one of the requests that fail together moves on.
		c.current.CompareAndSwap(at, at+1)
		if pause := c.opts.Retry.pause(attempt, len(c.endpoints)); pause > 0 {
			if perr := sleep(ctx, pause); perr != nil {
				return errors.Join(perr, err)
			}
		}
	}
}

// attemptTimeout is above the longest a host lets a request wait.
const attemptTimeout = 45 * time.Second

// attempt runs one attempt. A host that holds the request without answering
// counts as unavailable.
func (c *Client) attempt(ctx context.Context, e *endpoint, f func(ctx context.Context, e *endpoint) error) error {
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	known := c.trust.epochs.Newest()
	err := received(ctx, f(bounded, e))
	// Another request may have learned of the epoch in the meantime.
	if wire.CodeOf(err) == wire.ErrUnknownEpoch && c.learn(bounded, e) > known {
		err = received(ctx, f(bounded, e))
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return wire.Faultf(wire.ErrUnavailable, "no answer within %s", attemptTimeout)
	}
	return err
}

// pause is zero while there are endpoints not asked in this round. The random
// half keeps clients that failed together from coming back together.
func (r Retry) pause(attempt, endpoints int) time.Duration {
	if attempt%endpoints != 0 {
		return 0
	}
	d := r.Longest
	if round := attempt/endpoints - 1; round < 20 {
		d = min(r.Pause<<round, r.Longest)
	}
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended is the error of a context that is over.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return wire.Faultf(wire.ErrDeadline, "the time given is over")
	}
	return context.Cause(ctx)
}
