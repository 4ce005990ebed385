package notary

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"cloister/wire"
)

// writing is one entry on its way.
type writing struct {
	found
	record Record
	entry  wire.Hash
	tx     []byte
}

// submitter keeps up to Flights batches under way. Its goroutines end in wait.
type submitter struct {
	ctx    context.Context // ends when the ledger cannot be used any more
	cancel context.CancelCauseFunc
	ledger Ledger
	opt    Options
	after  uint64 // newest commit time of the run that is resumed, ms
	group  sync.WaitGroup

	mu      sync.Mutex // guards what follows, the journal, and calls of opt.Progress
	room    *sync.Cond // the queue got shorter, or ctx ended
	queue   []*writing // at most MaxBatch
	flying  int
	s       *Summary
	written []wire.Hash // entries that hosts say are recorded
}

func newSubmitter(ctx context.Context, l Ledger, s *Summary, opt Options) *submitter {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &submitter{ctx: ctx, cancel: cancel, ledger: l, opt: opt, s: s}
	o.room = sync.NewCond(&o.mu)
	context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.room.Broadcast()
	})
	return o
}

// submit queues one entry, once the queue has room for it.
func (o *submitter) submit(w *writing) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) >= MaxBatch && o.ctx.Err() == nil {
		o.room.Wait()
	}
	if o.ctx.Err() != nil {
		return context.Cause(o.ctx)
	}
	o.queue = append(o.queue, w)
	o.launch()
	return nil
}

// launch lets what is queued leave, if a batch may. Called with mu held.
func (o *submitter) launch() {
	if len(o.queue) == 0 || o.flying >= Flights || o.ctx.Err() != nil {
		return
	}
	batch := o.queue
	o.queue = nil
	o.flying++
	o.room.Broadcast()
	o.group.Go(func() {
		o.fly(batch)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.flying--
		o.launch()
	})
}

// fly notes a batch in the journal, submits it and takes the answers.
func (o *submitter) fly(batch []*writing) {
	txs := make([][]byte, len(batch))
	for i, w := range batch {
		txs[i] = w.tx
	}
	o.mu.Lock()
	err := o.opt.Journal.sending(txs)
	o.mu.Unlock()
	if err != nil {
		o.cancel(err)
		return
	}
	at, errs := o.ledger.Submit(o.ctx, txs)
	for i, w := range batch {
		o.answered(w, at[i], errs[i])
	}
}

func (o *submitter) answered(w *writing, at Recorded, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		// What stops one entry (no credits, no ledger) stops every other too, so
		// the first is named and the rest are left for the next run.
		if o.ctx.Err() == nil {
			o.s.Failed = append(o.s.Failed, Problem{w.path, err})
			o.cancel(fmt.Errorf("record %q: %w", w.path, err))
		}
		return
	}
	o.s.Recorded++
	o.recorded(w, at)
	if o.opt.Progress != nil {
		o.opt.Progress(Step{w.path, w.print.Size})
	}
}

// recorded notes where an entry is, by the word of a host. Called with mu held,
// or before there are goroutines.
func (o *submitter) recorded(w *writing, at Recorded) {
	if len(o.written) == 0 || at.Height < o.s.First {
		o.s.First = at.Height
	}
	o.s.Last = max(o.s.Last, at.Height)
	o.written = append(o.written, w.entry)
}

func (o *submitter) fail(path string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.s.Failed = append(o.s.Failed, Problem{path, err})
}

func (o *submitter) progress(f found) {
	if o.opt.Progress == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opt.Progress(Step{f.path, f.print.Size})
}

// wait lets everything leave and returns once nothing is under way; the error is
// why work stopped early.
func (o *submitter) wait() error {
	o.group.Wait()
	err := context.Cause(o.ctx)
	o.cancel(nil)
	return err
}

// resume sends again, as it was, what an interrupted run had sent and the chain
// does not hold, and takes what is recorded of it into the history.
func (o *submitter) resume(h *History, signer wire.PublicKey) error {
	open, err := o.unrecorded(h, signer)
	if err != nil {
		return err
	}
	for len(open) > 0 {
		batch := open[:min(len(open), MaxBatch)]
		open = open[len(batch):]
		txs := make([][]byte, len(batch))
		for i, w := range batch {
			txs[i] = w.tx
		}
		at, errs := o.ledger.Submit(o.ctx, txs)
		for i, w := range batch {
			switch {
			case never(errs[i]): // as if it had not been sent
			case errs[i] != nil:
				return fmt.Errorf("record %q: %w", w.path, errs[i])
			default:
				o.recorded(w, at[i])
				o.s.Resumed++
				at[i].Entry = w.entry
				h.keep(&w.record, at[i])
			}
		}
	}
	return nil
}

// never reports whether an error says that a transaction cannot be recorded any
// more.
func never(err error) bool {
	return errors.Is(err, wire.ErrReplayed) || errors.Is(err, wire.ErrOutsideWindow)
}

// unrecorded are the entries in the journal that the chain did not hold when the
// history was read: a later reading would pass over what was recorded in between,
// which the history does not know.
func (o *submitter) unrecorded(h *History, signer wire.PublicKey) (open []*writing, err error) {
	err = o.opt.Journal.each(func(tx []byte) error {
		p, err := entryOf(tx, o.s.Chain)
		if err != nil {
			return err
		}
		r, ok, err := DecodeRecord(p.Bytes)
		if !ok || err != nil || r.Key != signer {
			return wire.Faultf(wire.ErrBadRequest, "the journal has an entry that is no record of this key")
		}
		o.after = max(o.after, p.Commit.TimestampMs)
		if !h.entries[p.Hash] {
			open = append(open, &writing{found: found{path: r.Path, print: r.Fingerprint}, record: *r, entry: p.Hash, tx: tx})
		}
		return nil
	})
	return open, err
}
