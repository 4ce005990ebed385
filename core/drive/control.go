package drive

import (
	"context"
	"sync"
	"time"

	"cloister/core/step"
	"cloister/gate"
	"cloister/wire/query"
)

// handler turns requests of the host into events. Its methods must not wait.
type handler struct{ d *driver }

func (h *handler) Start(s gate.Start, r *gate.Reply[gate.Ready]) {
	go h.d.start(s, r) // owner: the run; it ends by itself
}

func (h *handler) Submit(txs [][]byte, r *gate.Reply[[]gate.SubmitResult]) {
	h.d.ask(func(id uint64) step.Event { return step.Submit{ID: id, Txs: txs} }, func(reply any) {
		items := reply.(step.SubmitReply).Items
		out := make([]gate.SubmitResult, len(items))
		for i, it := range items {
			out[i] = gate.SubmitResult{TxID: it.TxID, Code: uint32(it.Code)}
		}
		r.Answer(out)
	}, r.Fail)
}

func (h *handler) Query(kind uint16, body []byte, r *gate.Reply[[]byte]) {
	body = append([]byte(nil), body...)
	h.d.ask(func(id uint64) step.Event { return step.Query{ID: id, Kind: kind, Body: body} }, func(reply any) {
		q := reply.(step.QueryReply)
		r.Answer(query.EncodeReply(q.Body, q.Err))
	}, r.Fail)
}

func (h *handler) Status(r *gate.Reply[[]byte]) {
	h.d.ask(func(id uint64) step.Event { return step.Query{ID: id, Kind: query.KindStatus} }, func(reply any) {
		r.Answer(reply.(step.QueryReply).Body)
	}, r.Fail)
}

func (h *handler) Archived(height uint64) {
	// Kept until the loop comes by, at the next tick at the latest: the host says
	// it once, and a lost one would hold up publication for ever.
	h.d.archived.Store(height)
	select {
	case h.d.lanes.archived <- struct{}{}:
	default:
	}
}

// Stop flushes and ends; after the grace time it ends without flushing, which
// loses nothing: the log has it.
func (h *handler) Stop(grace time.Duration, r *gate.Reply[struct{}]) {
	done := func() {
		r.Answer(struct{}{})
		h.d.end(gate.ExitOK, nil)
	}
	if h.d.node == nil {
		done()
		return
	}
	time.AfterFunc(grace, done)
	h.d.ask(func(id uint64) step.Event { return step.Stop{ID: id} }, func(any) { done() }, func(error) {})
}

// ask gives the machine a request and remembers how to answer it.
func (d *driver) ask(ev func(id uint64) step.Event, answer func(any), fail func(error)) {
	if d.node == nil {
		fail(gate.ErrNotReady)
		return
	}
	id := d.replies.add(answer)
	if !d.offer(ev(id)) {
		d.replies.drop(id)
		fail(gate.ErrBusy)
	}
}

// replies are requests the machine has not answered yet.
type replies struct {
	mu   sync.Mutex
	next uint64
	open map[uint64]func(any)
}

func (r *replies) init() { r.open = map[uint64]func(any){} }

func (r *replies) add(f func(any)) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	r.open[r.next] = f
	return r.next
}

func (r *replies) drop(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, id)
}

func (r *replies) answer(id uint64, reply any) {
	r.mu.Lock()
	f := r.open[id]
	delete(r.open, id)
	r.mu.Unlock()
	if f != nil {
		f(reply)
	}
}

// sleep waits, or returns false at the end of the run.
func sleep(ctx context.Context, t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
