package gate

import (
	"io"
	"sync"

	"cloister/wire"
)

// receive handles one frame of the control lane; only the reader calls it.
func (h *Host) receive(hd header) error {
	if hd.typ == typeFinal {
		return h.takeFinal(hd)
	}
	p, err := h.control.payload(hd)
	if err != nil {
		return err
	}
	defer giveBuffer(p)
	if err := h.dispatch(hd, p); err != nil {
		return h.control.violation(hd.typ, "%v", err)
	}
	return nil
}

func (h *Host) dispatch(hd header, p []byte) error {
	switch hd.typ {
	case typeUndo:
		u, err := decode(p, anything[Undo])
		if err != nil {
			return err
		}
		h.shelves.put(published{undo: &u})
	case typeFetch:
		m, err := decode(p, checkFetch)
		if err != nil {
			return err
		}
		h.fetch(hd.id, m)
	case typeEvent:
		e, err := decode(p, checkEvent)
		if err != nil {
			return err
		}
		h.handler.Event(e)
	case typeFatal:
		f, err := decode(p, anything[Fatal])
		if err != nil {
			return err
		}
		h.handler.Fatal(f)
	default:
		return ErrBadRequest // a greeting on an open lane
	}
	return nil
}

// takeFinal collects the parts of a block. They grow by what has arrived, never
// by what is announced.
func (h *Host) takeFinal(hd header) error {
	if len(h.part)+hd.n > MaxFinal {
		return h.control.violation(hd.typ, "block over %d bytes", MaxFinal)
	}
	b := takeBuffer(hd.n)
	_, err := io.ReadFull(h.control.r, b)
	if err == nil {
		h.part = append(h.part, b...)
	}
	giveBuffer(b)
	if err != nil || hd.more {
		return err
	}
	var f Final
	size := len(h.part)
	if err := wire.Unmarshal(h.part, &f, MaxFinal); err != nil {
		return h.control.violation(hd.typ, "%v", err)
	}
	h.part = nil
	h.shelves.put(published{final: &f, size: size})
	return nil
}

// fetch answers one Fetch apart from the reader.
func (h *Host) fetch(id uint64, m fetchMessage) {
	if h.fetches.Add(1) > maxFetchOpen {
		h.fetches.Add(-1)
		h.control.urge(frame{typ: typeFail, id: id, body: failPayload(ErrBusy)})
		return
	}
	h.tasks.Go(func() {
		p, err := h.handler.Fetch(h.ctx, m.Kind, m.Key)
		if err == nil && len(p) > MaxFetchAnswer {
			err = ErrTooLarge
		}
		// The core counts the request as open until it has the answer, so the
		// place is free before the answer leaves.
		h.fetches.Add(-1)
		if err != nil {
			h.control.say(frame{typ: typeFail, id: id, body: failPayload(err)})
			return
		}
		h.control.answerData(id, p, maxFrame)
	})
}

// published is a Final or an Undo on its way to the handler.
type published struct {
	final *Final
	undo  *Undo
	size  int
}

// publishQueue keeps what the handler has not taken: bounded by what a core
// may publish without an Archived, after which the reader waits.
type publishQueue struct {
	mu     sync.Mutex
	room   *sync.Cond
	queue  []published
	bytes  int
	closed bool
}

func (q *publishQueue) put(p published) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.queue) > 0 && (len(q.queue) >= MaxUnarchived || q.bytes+p.size > MaxUnarchivedSz) {
		q.room.Wait()
	}
	q.queue = append(q.queue, p)
	q.bytes += p.size
	q.room.Broadcast()
}

// take waits for the next one; false means no more will come.
func (q *publishQueue) take() (p published, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.queue) == 0 && !q.closed {
		q.room.Wait()
	}
	if len(q.queue) == 0 {
		return p, false
	}
	p, q.queue = q.queue[0], q.queue[1:]
	q.bytes -= p.size
	q.room.Broadcast()
	return p, true
}

func (q *publishQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.room.Broadcast()
	q.mu.Unlock()
}

// publish hands blocks to the handler until the lane is gone and all are taken.
func (h *Host) publish() {
	for {
		p, ok := h.shelves.take()
		switch {
		case !ok:
			return
		case p.final != nil:
			h.handler.Final(*p.final)
		default:
			h.handler.Undo(*p.undo)
		}
	}
}
