package api

import (
	"sync"

	"cloister/host/archive"
	"cloister/wire"
)

// outcome is where a transaction was recorded and what became of it.
type outcome struct {
	height uint64
	index  uint32
	result wire.Result
}

// waiters connects transactions that requests wait for with the blocks that
// record them. A request registers all its ids before it submits, so no block
// can pass between; it then waits on one channel, whatever the number of ids.
//
// A block without a seal decides an outcome, the next seal releases it: a
// waiter must not report as recorded what no seal covers yet.
type waiters struct {
	mu      sync.Mutex
	max     int
	open    int                 // registered and neither settled nor left
	byTx    map[wire.Hash]*slot // head of the list of slots for one id
	decided []*slot             // recorded in blocks that no seal covers yet
}

// slot is one transaction of one batch. Guarded by waiters.mu until the batch
// is done or left.
type slot struct {
	batch      *batch
	tx         wire.Hash
	next, prev *slot // others waiting for the same id
	state      slotState
	outcome    outcome
}

type slotState uint8

const (
	slotWaiting slotState = iota // in byTx
	slotDecided                  // in decided
	slotSealed                   // settled with an outcome
	slotDropped                  // settled without one: refused, or left
)

// batch is the slots of one request.
type batch struct {
	slots []slot
	open  int
	done  chan struct{} // closed when no slot is open
}

func newWaiters(max int) *waiters {
	return &waiters{max: max, byTx: map[wire.Hash]*slot{}}
}

// register starts waiting for ids. Errors: ErrBusy above the limit.
func (w *waiters) register(ids []wire.Hash) (*batch, error) {
	b := &batch{slots: make([]slot, len(ids)), open: len(ids), done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open+len(ids) > w.max {
		return nil, wire.Faultf(wire.ErrBusy, "%d transactions are waited for here", w.open)
	}
	w.open += len(ids)
	for i, id := range ids {
		s := &b.slots[i]
		s.batch, s.tx, s.next = b, id, w.byTx[id]
		if s.next != nil {
			s.next.prev = s
		}
		w.byTx[id] = s
	}
	if b.open == 0 {
		close(b.done)
	}
	return b, nil
}

// appended is called for every archived block, in order.
func (w *waiters) appended(a archive.Appended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range a.Results {
		s := w.byTx[a.Results[i].TxID]
		if s == nil {
			continue
		}
		delete(w.byTx, s.tx)
		for s != nil {
			next := s.next
			s.next, s.prev = nil, nil
			s.state = slotDecided
			s.outcome = outcome{a.Height, uint32(i), a.Results[i]}
			w.decided = append(w.decided, s)
			s = next
		}
	}
	if !a.Sealed {
		return
	}
	for _, s := range w.decided {
		if s.state == slotDecided { // else its batch has left
			s.state = slotSealed
			w.settle(s)
		}
	}
	clear(w.decided)
	w.decided = w.decided[:0]
}

// refuse ends the wait for one slot of a batch, which will not be recorded or
// whose fate is known from elsewhere.
func (w *waiters) refuse(b *batch, i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(&b.slots[i])
}

// leave ends the wait for all slots that are still open. After it the batch
// belongs to the caller alone; sealed slots keep their outcome.
func (w *waiters) leave(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range b.slots {
		w.drop(&b.slots[i])
	}
}

func (w *waiters) drop(s *slot) {
	switch s.state {
	case slotWaiting:
		if s.next != nil {
			s.next.prev = s.prev
		}
		switch {
		case s.prev != nil:
			s.prev.next = s.next
		case s.next != nil:
			w.byTx[s.tx] = s.next
		default:
			delete(w.byTx, s.tx)
		}
		s.next, s.prev = nil, nil
	case slotDecided: // stays in the list of decided ones until the next seal
	default:
		return
	}
	s.state = slotDropped
	w.settle(s)
}

func (w *waiters) settle(s *slot) {
	w.open--
	if s.batch.open--; s.batch.open == 0 {
		close(s.batch.done)
	}
}

// waiting is the number of open slots.
func (w *waiters) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}
