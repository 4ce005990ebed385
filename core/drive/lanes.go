package drive

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"cloister/core"
	"cloister/core/ledger"
	"cloister/core/step"
	"cloister/core/vault"
	"cloister/gate"
)

// lane is a queue between the loop, which must not wait, and a goroutine. Its
// bound is the machine's: 1024 open tokens.
type lane struct {
	mu    sync.Mutex
	queue []step.Effect
	more  chan struct{}
}

func newLane() *lane { return &lane{more: make(chan struct{}, 1)} }

func (l *lane) push(e step.Effect) {
	l.mu.Lock()
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// take waits for work and returns all of it, or nil at the end.
func (l *lane) take(ctx context.Context) []step.Effect {
	for {
		l.mu.Lock()
		q := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(q) > 0 {
			return q
		}
		select {
		case <-l.more:
		case <-ctx.Done():
			return nil
		}
	}
}

// one waits for work and returns the oldest piece, or nil at the end. Several
// goroutines may take from one lane this way.
func (l *lane) one(ctx context.Context) step.Effect {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			e := l.queue[0]
			l.queue[0] = nil
			l.queue = l.queue[1:]
			rest := len(l.queue) > 0
			l.mu.Unlock()
			if rest {
				l.signal()
			}
			return e
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-ctx.Done():
			return nil
		}
	}
}

type lanes struct {
	log, exec, flush, work, publish *lane
	archived                        chan struct{} // a signal that the host archived more
}

func (l *lanes) init() {
	l.log, l.exec, l.flush, l.work, l.publish = newLane(), newLane(), newLane(), newLane(), newLane()
	l.archived = make(chan struct{}, 1)
}

// workers is how many run Compute and Read besides the loop.
func workers() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// runLog makes everything that waits durable with one sync (consensus
// specification §4.1: without it, asynchronous writes are slower than plain ones).
func (d *driver) runLog(ctx context.Context) {
	for batch := d.lanes.log.take(ctx); batch != nil; batch = d.lanes.log.take(ctx) {
		var recs []vault.Record
		type promise struct {
			token step.Token
			upTo  int // records of the batch
		}
		var promises []promise
		cut := uint64(0)
		for _, e := range batch {
			switch e := e.(type) {
			case step.Append:
				for _, r := range e.Recs {
					recs = append(recs, vault.Record{Type: r.Type, Payload: r.Data})
				}
				promises = append(promises, promise{e.Token, len(recs)})
			case step.Cut:
				cut = max(cut, e.Before)
			}
		}
		first := d.log.Next()
		var err error
		if len(recs) > 0 {
			if _, err = d.log.Append(recs...); err == nil {
				err = d.log.Sync()
			}
		}
		for _, p := range promises {
			d.post(ctx, step.Done{Token: p.token, Result: step.LogDone{LastSeq: first + uint64(p.upTo) - 1}, Err: err})
		}
		if cut > 0 && err == nil {
			if err := d.log.CutBefore(cut); err != nil {
				d.fatal(step.Fatal{Code: core.ExitCorrupt, Note: step.Note{ID: core.NoteIOFailed}})
				return
			}
		}
	}
}

// runExec executes blocks in order. Flushes go to their own goroutine, so that
// writing tables does not stop execution.
func (d *driver) runExec(ctx context.Context) {
	for e := d.lanes.exec.one(ctx); e != nil; e = d.lanes.exec.one(ctx) {
		switch e := e.(type) {
		case step.Execute:
			done, err := core.Execute(d.ledger, e.Block, &d.busy)
			if err != nil {
				d.post(ctx, step.Done{Token: e.Token, Err: err})
				continue
			}
			d.views.stale()
			d.post(ctx, step.Done{Token: e.Token, Result: done})
		case step.Flush:
			d.ledger.Prune(e.Archived)
			d.lanes.flush.push(e)
		}
	}
}

func (d *driver) runFlush(ctx context.Context) {
	for e := d.lanes.flush.one(ctx); e != nil; e = d.lanes.flush.one(ctx) {
		height, err := d.ledger.Flush()
		d.post(ctx, step.Done{Token: e.(step.Flush).Token, Result: height, Err: err})
	}
}

var errNoView = errors.New("state cannot be read")

func (d *driver) runWork(ctx context.Context) {
	for e := d.lanes.work.one(ctx); e != nil; e = d.lanes.work.one(ctx) {
		switch e := e.(type) {
		case step.Compute:
			d.post(ctx, step.Done{Token: e.Token, Result: e.F()})
		case step.Read:
			v := d.views.borrow(d.ledger)
			if v == nil {
				d.post(ctx, step.Done{Token: e.Token, Err: errNoView})
				continue
			}
			result := e.F(v.view)
			d.views.giveBack(v)
			d.post(ctx, step.Done{Token: e.Token, Result: result})
		}
	}
}

// runPublish hands final blocks to the host in order.
func (d *driver) runPublish(ctx context.Context) {
	for e := d.lanes.publish.one(ctx); e != nil; e = d.lanes.publish.one(ctx) {
		f := final(e.(step.Publish).Final)
		for {
			err := d.gate.Final(f)
			if err == nil || errors.Is(err, gate.ErrGateClosed) {
				break
			}
			if !errors.Is(err, gate.ErrBusy) {
				// Blocks leave in order and within their bounds, or this node is broken.
				d.fatal(step.Fatal{Code: core.ExitCorrupt, Note: step.Note{ID: NoteUnpublished, Numbers: []uint64{f.Height}}})
				return
			}
			select {
			case <-d.lanes.archived:
			case <-ctx.Done():
				return
			}
		}
	}
}

// views shares one view of the newest state among readers until execution
// makes it stale.
type views struct {
	mu  sync.Mutex
	cur *sharedView
}

type sharedView struct {
	view  *ledger.View
	users int
	old   bool
}

func (v *views) set(view *ledger.View) { v.cur = &sharedView{view: view} }

func (v *views) stale() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.cur; c != nil {
		c.old = true
		if c.users == 0 {
			c.view.Close()
		}
		v.cur = nil
	}
}

func (v *views) borrow(l *ledger.Ledger) *sharedView {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cur == nil {
		v.set(l.View())
	}
	v.cur.users++
	return v.cur
}

func (v *views) giveBack(s *sharedView) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.users--; s.users == 0 && s.old {
		s.view.Close()
	}
}
