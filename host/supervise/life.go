package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloister/gate"
	"cloister/wire"
)

// ending tells how a life of the core ended.
type ending struct {
	code   int           // exit code
	served time.Duration // how long the core was ready
	reason error         // what the host knows about it
	fatal  error         // Run must end with this
}

// live runs the core once, until it is gone.
func (s *Supervisor) live(ctx context.Context) (e ending) {
	p, lanes, err := launch(s.cfg.CorePath, s.cfg.CoreArgs)
	if err != nil {
		e.code, e.reason = -1, err
		if cannotStart(err) {
			e.fatal = fmt.Errorf("%w (%s)", err, "build cloister-core, or say in node.toml where it is")
		}
		return e
	}
	defer func() {
		if said := p.said.String(); said != "" {
			s.cfg.Log.Warn("core.stderr", "text", said)
		}
	}()
	h := newHandler(s)
	// Greeting and Start cannot be interrupted but by ending the other side.
	interrupt := context.AfterFunc(ctx, p.kill)
	g, err := gate.Serve(lanes, gate.Token{}, s.cfg.Objects, h)
	if err != nil {
		interrupt()
		return e.ended(p.end(dieTime), err)
	}
	// What the last core published may still be on its way into the archive. The
	// core must hear of it now: growth it did not cause is not reported later.
	told := s.cfg.Archive.Height()
	if err := s.cfg.Archive.Sync(); err == nil {
		told = s.cfg.Archive.Height()
	}
	ready, err := g.Start(ctx, s.config(), gate.Options{DevSealKey: s.cfg.DevSealKey, Archived: told, MemoryMiB: s.cfg.MemoryMiB})
	interrupted := !interrupt()
	if err == nil && !interrupted {
		err = s.suits(ready)
	}
	if err != nil || interrupted {
		broken := g.Err()
		g.Close()
		return e.ended(p.end(dieTime), errors.Join(err, broken))
	}
	began := s.cfg.now()
	s.cfg.Log.Info("core.ready", "node", wire.Hash(ready.Node), "key", wire.PublicKey(ready.Key), "mode", ready.Mode,
		"height", ready.Height, "flushed", ready.Flushed, "archived", told, "simulated", ready.Simulated)
	s.present(g)
	reason := s.serve(ctx, p, g, h, told)
	e.served = s.cfg.now().Sub(began)
	var refused *refusal
	if errors.As(reason, &refused) {
		e.fatal = fmt.Errorf("%w: %w", ErrOperator, refused.err)
	}
	code := p.end(dieTime)
	if last := int(h.last.Load()); forGood(last) {
		code = last
	}
	return e.ended(code, reason)
}

// ended fills in an exit code and what it means.
func (e ending) ended(code int, reason error) ending {
	e.code, e.reason = code, reason
	switch {
	case e.fatal != nil:
	case errors.Is(reason, gate.ErrProtocol):
		// The host found it first; the core only saw its lanes close.
		e.fatal = &StoppedError{gate.ExitProtocol, reason}
	case forGood(code):
		e.fatal = &StoppedError{code, reason}
	}
	return e
}

// config is what the core is started with.
func (s *Supervisor) config() []byte {
	if s.cfg.Genesis == nil {
		return nil
	}
	return s.cfg.Genesis.Bytes()
}

// suits checks that the core serves what it was started for.
func (s *Supervisor) suits(r gate.Ready) error {
	if want := s.cfg.Genesis.ChainID(); r.ChainID != want {
		return fmt.Errorf("%w: the core is ready for chain %s, not %s", gate.ErrProtocol, r.ChainID, want)
	}
	return nil
}

// refusal is the archive's end or its no to a block. No restart helps.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }

// serve waits for the end of a ready core and closes its gate. It returns what
// ended it, nil for an orderly stop. told is the height the core was told is
// archived.
func (s *Supervisor) serve(ctx context.Context, p *process, g *gate.Host, h *handler, told uint64) (reason error) {
	reports := s.report(g, h, told)
	select {
	case <-ctx.Done():
		s.away(wire.Faultf(wire.ErrStopping, "this host is shutting down"))
		s.stop(g)
	case <-g.Done():
		reason = g.Err()
	case <-p.exited:
	case err := <-h.refused:
		reason = &refusal{err}
	case <-s.cfg.Archive.Failed():
		reason = &refusal{s.cfg.Archive.Err()}
	}
	s.away(wire.Faultf(wire.ErrUnavailable, "the core has ended"))
	g.Close()
	reports()
	// Closing gave the archive what the core had published before.
	select {
	case err := <-h.refused:
		reason = &refusal{err}
	default:
	}
	return reason
}

// stop asks the core to finish; live kills it if it does not.
func (s *Supervisor) stop(g *gate.Host) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.grace+dieTime)
	defer cancel()
	if err := g.Stop(ctx, s.cfg.grace); err != nil {
		s.cfg.Log.Warn("core.stop", "error", err)
	}
}

// report tells the core what is archived of the blocks it published, whenever
// that has grown, until the function it returns is called. What others put into
// the archive is none of the core's business: it finds that there.
func (s *Supervisor) report(g *gate.Host, h *handler, told uint64) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-h.finals.more:
			case <-ctx.Done():
				return
			}
			for told < h.finals.published() {
				if s.cfg.Archive.Await(ctx, told+1) != nil {
					return
				}
				h.refuse(h.finals.retry())
				told = min(s.cfg.Archive.Height(), h.finals.published()) // one report for all
				if g.Archived(told) != nil {
					return
				}
			}
		}
	}()
	return func() {
		cancel()
		<-gone
	}
}
