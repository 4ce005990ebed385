package client

import (
	"context"
	"sync"
	"sync/atomic"

	"cloister/wire"
)

// When a batch leaves. A lone transaction leaves at once; while batches are
// under way others gather, so that a busy client sends few large requests
// instead of many small ones. There is no timer.
const (
	fullBatch  = 64 // a batch of this size need not wait for another's return
	eager      = 4  // smaller batches under way at a time
	mostFlying = 32 // batches under way at a time
)

// coalescer gathers concurrent submits into batches. Per transaction it costs
// its place in the queue and one channel; goroutines are per batch.
type coalescer struct {
	client *Client
	sealed bool

	mu     sync.Mutex
	queue  []*waitingItem
	flying int
	closed bool
}

// waitingItem is a transaction and the caller that waits for it. item belongs
// to the batch until done is closed, then to the caller.
type waitingItem struct {
	item
	left atomic.Bool // the caller is gone
	done chan struct{}
}

func newCoalescer(c *Client, sealed bool) *coalescer { return &coalescer{client: c, sealed: sealed} }

// submit queues a transaction and waits for its answer. If ctx ends first the
// transaction may be on its way.
func (q *coalescer) submit(ctx context.Context, tx *wire.Tx) (*TxStatus, error) {
	w := &waitingItem{item: *newItem(tx), done: make(chan struct{})}
	if err := q.enqueue(w); err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		return w.status, w.err
	case <-ctx.Done():
		w.left.Store(true)
		return nil, ended(ctx)
	}
}

func (q *coalescer) enqueue(w *waitingItem) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return errClosed
	case len(q.queue) >= q.client.opts.Queue:
		return wire.Faultf(wire.ErrBusy, "%d transactions wait to be sent", len(q.queue))
	}
	q.queue = append(q.queue, w)
	q.launch()
	return nil
}

// launch starts batches as far as the rules above allow. Called with mu held.
func (q *coalescer) launch() {
	for len(q.queue) > 0 && q.flying < mostFlying && (q.flying < eager || len(q.queue) >= fullBatch) {
		n := min(len(q.queue), MaxBatch)
		batch := make([]*waitingItem, n)
		copy(batch, q.queue)
		rest := copy(q.queue, q.queue[n:])
		clear(q.queue[rest:])
		q.queue = q.queue[:rest]
		q.flying++
		q.client.batches.Add(1)
		go q.fly(batch)
	}
}

// fly sends one batch and answers its callers.
func (q *coalescer) fly(batch []*waitingItem) {
	defer q.client.batches.Done()
	items := make([]*item, 0, len(batch))
	for _, w := range batch {
		if w.left.Load() {
			continue // nobody waits and nothing was sent
		}
		items = append(items, &w.item)
	}
	if len(items) > 0 {
		q.client.send(q.client.lifetime, items, q.sealed)
	}
	for _, w := range batch {
		close(w.done)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.flying--
	q.launch()
}

// close refuses what comes and ends what was not sent.
func (q *coalescer) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, w := range q.queue {
		w.err = errClosed
		close(w.done)
	}
	q.queue = nil
}
