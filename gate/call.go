package gate

import (
	"context"
	"io"
	"time"
)

// call is one open request of this end.
type call struct {
	want      Type   // Ready, Done or Data
	dst       []byte // where Data goes, or nil to collect it in buf
	max       int    // bytes the whole answer may have
	n         int    // bytes received
	buf       []byte
	err       error
	ended     chan struct{} // capacity 1; filled once by the reader
	abandoned bool          // nobody waits; lane.mu
	since     time.Time
}

// request sends a request and registers c for its answer. It waits while
// maxOpen requests are open or too much is pending, unless cancelled says so.
func (l *lane) request(typ Type, head, body []byte, c *call, cancelled func() bool) (sent bool, err error) {
	f := frame{typ: typ, head: head, body: body}
	c.ended = make(chan struct{}, 1)
	l.mu.Lock()
	for !l.dead && (len(l.calls) >= l.maxOpen || len(l.pending) > 0 && len(l.pending)+f.size() > pendingBytes) {
		if cancelled != nil && cancelled() {
			l.mu.Unlock()
			return false, nil
		}
		l.room.Wait()
	}
	if l.dead {
		l.mu.Unlock()
		return false, l.s.reason()
	}
	l.lastID++
	f.id = l.lastID
	c.since = time.Now()
	l.calls[f.id] = c
	l.put(f)
	l.start()
	return true, nil
}

// ask sends a request and waits for its answer.
func (l *lane) ask(typ Type, head, body []byte, c *call) error {
	if _, err := l.request(typ, head, body, c, nil); err != nil {
		return err
	}
	<-c.ended
	return c.err
}

// askContext is ask for a collected answer. When ctx ends first, the request
// stays open until its answer has come, which is then dropped.
func (l *lane) askContext(ctx context.Context, typ Type, body []byte, c *call) ([]byte, error) {
	stop := context.AfterFunc(ctx, l.wake)
	defer stop()
	sent, err := l.request(typ, nil, body, c, func() bool { return ctx.Err() != nil })
	if err != nil {
		return nil, err
	}
	if !sent {
		return nil, ctx.Err()
	}
	select {
	case <-c.ended:
		return c.buf, c.err
	case <-ctx.Done():
		l.mu.Lock()
		c.abandoned = true
		l.mu.Unlock()
		return nil, ctx.Err()
	}
}

// answer reads an answer frame into its call.
func (l *lane) answer(h header) error {
	l.mu.Lock()
	c := l.calls[h.id]
	drop := c != nil && c.abandoned
	l.mu.Unlock()
	if c == nil {
		return l.violation(h.typ, "answer to %d, which is not open", h.id)
	}
	if h.typ == typeFail {
		p, err := l.payload(h)
		if err != nil {
			return err
		}
		c.err = parseFail(p)
		giveBuffer(p)
		l.end(h.id, c)
		return nil
	}
	if h.typ != c.want {
		return l.violation(h.typ, "not the answer that was asked for")
	}
	if c.n+h.n > c.max {
		return l.violation(h.typ, "answer longer than %d bytes", c.max)
	}
	if err := l.receive(h, c, drop); err != nil {
		return err
	}
	c.n += h.n
	if !h.more {
		l.end(h.id, c)
	}
	return nil
}

func (l *lane) receive(h header, c *call, drop bool) error {
	if drop {
		_, err := l.r.Discard(h.n)
		return err
	}
	if c.dst != nil {
		_, err := io.ReadFull(l.r, c.dst[c.n:c.n+h.n])
		return err
	}
	if h.n == 0 {
		return nil
	}
	// The answer grows only by what has been announced in one frame, so a
	// host cannot make the core allocate more than it sends plus one frame.
	b := takeBuffer(h.n)
	defer giveBuffer(b)
	if _, err := io.ReadFull(l.r, b); err != nil {
		return err
	}
	c.buf = append(c.buf, b...)
	return nil
}

func (l *lane) end(id uint64, c *call) {
	l.mu.Lock()
	delete(l.calls, id)
	l.room.Broadcast()
	l.mu.Unlock()
	c.ended <- struct{}{}
}

// endCalls fails every open call. Only the reader does it, after its last read:
// until then it may be writing into a caller's buffer.
func (l *lane) endCalls() {
	l.mu.Lock()
	open := l.calls
	l.calls = map[uint64]*call{}
	l.mu.Unlock()
	for _, c := range open {
		c.err = l.s.reason()
		c.ended <- struct{}{}
	}
}

// oldest returns the age of the longest open call, or 0.
func (l *lane) oldest(now time.Time) (age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		age = max(age, now.Sub(c.since))
	}
	return age
}
