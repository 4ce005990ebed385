package gate

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"cloister/wire"
)

// Reply is the way to answer one request of the host. It is answered once;
// later answers are ignored.
type Reply[T any] struct {
	c       *Core
	id      uint64
	typ     Type // of the request
	encode  func(T) (Type, []byte, error)
	pending atomic.Bool
	timer   *time.Timer
}

// Open reports whether an answer is still wanted.
func (r *Reply[T]) Open() bool { return r.pending.Load() && !r.c.s.ended() }

// Answer sends the answer. One that is over its limit is replaced by
// ErrTooLarge. It waits only while the host does not read.
func (r *Reply[T]) Answer(v T) {
	typ, p, err := r.encode(v)
	if err != nil {
		r.Fail(err)
		return
	}
	if !r.take() {
		return
	}
	if r.typ == typeStart {
		r.c.ready.Store(true)
	}
	if typ != typeData {
		r.c.control.say(frame{typ: typ, id: r.id, body: p})
		return
	}
	r.c.control.answerData(r.id, p, r.c.control.maxFrame)
}

// Fail refuses the request. Errors of this package keep their code, others
// become ErrIO; no text but that of a Failure crosses the gate.
func (r *Reply[T]) Fail(err error) {
	if r.take() {
		r.c.control.say(frame{typ: typeFail, id: r.id, body: failPayload(err)})
	}
}

func (r *Reply[T]) take() bool {
	if !r.pending.Swap(false) {
		return false
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.c.openMu.Lock()
	r.c.open[r.typ]--
	r.c.openMu.Unlock()
	return true
}

func newReply[T any](c *Core, h header, encode func(T) (Type, []byte, error)) *Reply[T] {
	r := &Reply[T]{c: c, id: h.id, typ: h.typ, encode: encode}
	r.pending.Store(true)
	return r
}

// maxOpen is how many requests of a type may wait for their answer; more are
// answered ErrBusy.
var maxOpen = map[Type]int{
	typeStart: 1, typeSubmit: maxSubmitOpen, typeQuery: maxQueryOpen, typeStatus: maxStatusOpen, typeStop: 1,
}

// receive handles one frame of the control lane; only the reader calls it.
func (c *Core) receive(h header) error {
	select {
	case <-c.handlerSet:
	case <-c.s.done:
		return c.s.err
	}
	p, err := c.control.payload(h)
	if err != nil {
		return err
	}
	defer giveBuffer(p)
	err = c.dispatch(h, p)
	if broken, ok := err.(malformed); ok {
		return c.control.violation(h.typ, "%v", broken.error)
	}
	return err
}

// malformed is a payload that is not the encoding of its message.
type malformed struct{ error }

func (c *Core) dispatch(h header, p []byte) error {
	if h.typ == typeArchived {
		return c.takeArchived(p)
	}
	if maxOpen[h.typ] == 0 {
		return malformed{ErrBadRequest} // a greeting on an open lane
	}
	if h.typ == typeStart {
		return c.takeStart(h, p)
	}
	if !c.ready.Load() {
		return c.refuse(h, ErrNotReady)
	}
	if !c.admit(h.typ) {
		return c.refuse(h, ErrBusy)
	}
	switch h.typ {
	case typeSubmit:
		return c.takeSubmit(h, p)
	case typeQuery:
		return c.takeQuery(h, p)
	case typeStatus:
		c.handler.Status(newReply(c, h, bounded(MaxStatus)))
		return nil
	}
	m, err := decode(p, checkStop)
	if err != nil {
		return malformed{err}
	}
	grace := time.Duration(m.GraceMS) * time.Millisecond
	c.handler.Stop(grace, newReply(c, h, func(struct{}) (Type, []byte, error) { return typeDone, nil, nil }))
	return nil
}

func (c *Core) refuse(h header, err error) error {
	return c.control.reply(frame{typ: typeFail, id: h.id, body: failPayload(err)})
}

func (c *Core) admit(t Type) bool {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	if c.open[t] >= maxOpen[t] {
		return false
	}
	c.open[t]++
	return true
}

func (c *Core) takeStart(h header, p []byte) error {
	m, err := decode(p, checkStart)
	if err != nil {
		return malformed{err}
	}
	if c.started {
		return c.refuse(h, ErrBadRequest)
	}
	c.started = true
	c.admit(h.typ)
	c.handler.Start(m, newReply(c, h, func(r Ready) (Type, []byte, error) {
		return typeReady, wire.Marshal(r), checkReady(&r)
	}))
	return nil
}

func (c *Core) takeSubmit(h header, p []byte) error {
	txs, err := decode(p, anything[[][]byte])
	if err != nil {
		return malformed{err}
	}
	r := newReply(c, h, func(res []SubmitResult) (Type, []byte, error) {
		if len(res) != len(txs) {
			return 0, nil, ErrIO
		}
		return typeData, wire.Marshal(res), nil
	})
	if len(txs) == 0 || len(txs) > MaxSubmit {
		r.take()
		return c.refuse(h, ErrTooLarge)
	}
	c.handler.Submit(txs, r)
	return nil
}

func (c *Core) takeQuery(h header, p []byte) error {
	m, err := decode(p, checkQuery)
	if err != nil {
		return malformed{err}
	}
	r := newReply(c, h, bounded(MaxQueryAnswer))
	r.timer = time.AfterFunc(time.Hour, func() {
		r.Fail(&Failure{Err: ErrBusy, Text: "the query took too long"})
	})
	r.timer.Reset(c.queryDeadline) // now that the function can see the timer
	c.handler.Query(m.Kind, m.Body, r)
	return nil
}

// takeArchived ignores a height that was never published: a host that claims
// it is wrong about its own archive, and the log must not be cut for it.
func (c *Core) takeArchived(p []byte) error {
	m, err := decode(p, anything[archivedMessage])
	if err != nil {
		return malformed{err}
	}
	tip, published := c.shelf.archived(m.Height)
	if !published {
		c.Event(Event{ID: EventArchived, Numbers: []uint64{m.Height, tip}})
		return nil
	}
	c.handler.Archived(m.Height)
	return nil
}

func bounded(limit int) func([]byte) (Type, []byte, error) {
	return func(b []byte) (Type, []byte, error) {
		if len(b) > limit {
			return 0, nil, ErrTooLarge
		}
		return typeData, b, nil
	}
}

// BlockHeight decodes the key of a FetchBlock.
func BlockHeight(key []byte) (height uint64, ok bool) {
	if len(key) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key), true
}
