package anchor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloister/wire"
)

// Anchorer anchors one ledger with one key.
type Anchorer struct {
	cfg   Config
	store store
	m     *machine // Run's alone

	sure     bool // the node is one of the right network
	failures int  // tries in a row in which the node did not answer

	mu     sync.Mutex
	status Status // guarded by mu
}

// New reads the state, or begins one. Errors carry ErrBadRequest where the
// configuration is wrong, ErrMalformed where the state is.
func New(cfg Config) (*Anchorer, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	a := &Anchorer{cfg: cfg, store: store{cfg.Dir}}
	s, err := a.store.load(&cfg)
	if err != nil {
		return nil, err
	}
	a.m = newMachine(s, rules{depth: cfg.Depth, settle: cfg.Settle, queue: cfg.Queue, maxChain: cfg.MaxChain, fees: cfg.Fees}, cfg.Key)
	a.show(nil, nil)
	if cfg.Metrics != nil {
		if err := a.register(cfg.Metrics); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// answer is what the ledger said about the next height.
type answer struct {
	keyMR wire.Hash
	err   error
}

// Run anchors until the context ends, and then returns nil. It ends earlier with
// ErrFork, or when the state cannot be stored: then nothing more is sent.
func (a *Anchorer) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	wanted, answers := make(chan uint32, 1), make(chan answer, 1)
	var waiter sync.WaitGroup
	waiter.Go(func() { a.await(ctx, wanted, answers) })
	defer waiter.Wait()
	defer stop()

	asked := false
	for {
		if !asked && a.m.room() {
			wanted <- a.m.Next
			asked = true
		}
		pause, err := a.tick(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer := a.cfg.After(pause)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-timer:
				waiting = false
			case got := <-answers:
				asked = false
				if got.err != nil {
					a.showLedger(got.err)
					continue
				}
				if _, err := a.m.step(closed{got.keyMR}); err != nil {
					return err
				}
				if a.m.room() {
					wanted <- a.m.Next
					asked = true
				}
				if a.failures == 0 {
					timer = a.cfg.After(min(gatherTime, a.cfg.Poll))
				}
			}
		}
	}
}

// await asks the ledger for one height after another.
func (a *Anchorer) await(ctx context.Context, wanted <-chan uint32, answers chan<- answer) {
	for {
		select {
		case <-ctx.Done():
			return
		case height := <-wanted:
			keyMR, err := a.cfg.Ledger.Closed(ctx, height)
			if err != nil {
				err = fmt.Errorf("anchor: directory block %d: %w", height, err)
			}
			answers <- answer{keyMR, err} // there is room: one question, one answer
		}
	}
}

// tick brings everything one step on and says when to try again. Its errors end
// Run; what may pass is reported in the status.
func (a *Anchorer) tick(ctx context.Context) (time.Duration, error) {
	node, ledger, err := a.advance(ctx)
	if err != nil || ctx.Err() != nil {
		return 0, err
	}
	if ledger != nil && a.Status().Ledger == nil {
		a.cfg.Log.Warn("the ledger does not answer as it should", "error", ledger)
	}
	a.show(node, ledger)
	if node == nil {
		a.failures = 0
		return a.cfg.Poll, nil
	}
	// What the node has got is unknown from here on.
	if _, err := a.m.step(lost{}); err != nil {
		return 0, err
	}
	a.sure = false
	a.failures++
	pause := a.pause()
	a.cfg.Log.Warn("the Bitcoin node does not answer as it should", "error", node, "pause", pause)
	return pause, nil
}

// pause grows from Poll to MaxPause, half of it by chance: hosts that lost one
// node together do not come back together.
func (a *Anchorer) pause() time.Duration {
	pause := a.cfg.Poll
	for range min(a.failures, 32) {
		if pause = min(2*pause, a.cfg.MaxPause); pause == a.cfg.MaxPause {
			break
		}
	}
	return pause/2 + time.Duration(a.cfg.Random(int64(pause/2)+1))
}

// advance follows, decides, makes durable and acts, in this order.
func (a *Anchorer) advance(ctx context.Context) (node, ledger, fatal error) {
	if node = a.follow(ctx); node != nil {
		return node, nil, a.save()
	}
	ledger, fatal = a.ask(ctx)
	if fatal != nil {
		return nil, nil, fatal
	}
	if node = a.estimate(ctx); node != nil {
		return node, ledger, a.save()
	}
	do, fatal := a.m.step(look{})
	if fatal == nil {
		fatal = a.save()
	}
	if fatal != nil {
		return nil, nil, fatal
	}
	if node = a.send(ctx, do.send); node != nil {
		return node, ledger, nil
	}
	for _, height := range do.record {
		node, failed, fatal := a.record(ctx, height)
		if node != nil || failed != nil || fatal != nil {
			return node, errors.Join(ledger, failed), errors.Join(fatal, a.save())
		}
	}
	return nil, ledger, a.save()
}

// save makes the state durable if it has changed.
func (a *Anchorer) save() error {
	if !a.m.dirty {
		return nil
	}
	if err := a.store.save(a.m.state); err != nil {
		return err
	}
	a.m.dirty = false
	return nil
}
