package gate

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cloister/wire"
)

// Handler is the core's side of the control lane. Its methods are called one
// after the other, in the order the host asked, by the lane's reader: they must
// not wait, least of all for an answer of the host. Each request is answered
// through its Reply, at any later time and from any goroutine.
type Handler interface {
	// Start comes first and once. Until its Reply is answered, the gate itself
	// answers everything else with ErrNotReady.
	Start(Start, *Reply[Ready])
	// Submit brings at most MaxSubmit transactions; the answer has one result
	// for each, after checks and pooling, not after commit.
	Submit(txs [][]byte, r *Reply[[]SubmitResult])
	// Query brings at most MaxQuery bytes; the answer may have MaxQueryAnswer.
	// After QueryDeadline the gate answers ErrBusy by itself.
	Query(kind uint16, body []byte, r *Reply[[]byte])
	// Status is answered with at most MaxStatus bytes.
	Status(*Reply[[]byte])
	// Stop asks to finish within grace (at most a minute). After the answer
	// call Close and exit.
	Stop(grace time.Duration, r *Reply[struct{}])
	// Archived says that the host claims to have everything up to height on
	// stable storage; height was published. Believe it for cutting the log only.
	Archived(height uint64)
}

// Core is the core's end of the gate.
type Core struct {
	s       *session
	control *lane
	objects *remoteObjects
	streams *Streams

	handlerSet    chan struct{}
	handler       Handler
	started       bool // reader only
	ready         atomic.Bool
	open          map[Type]int // requests not answered; openMu
	openMu        sync.Mutex
	queryDeadline time.Duration

	publish sync.Mutex // held while one Final or Undo is queued
	shelf   shelf
	events  rate
}

func newCore(conns [laneCount]net.Conn, lims [laneCount]limits) *Core {
	c := &Core{
		s:             newSession(coreEnd, conns, int(lims[Storage].frame)),
		handlerSet:    make(chan struct{}),
		open:          map[Type]int{},
		queryDeadline: QueryDeadline,
		events:        rate{now: time.Now},
	}
	for i, l := range c.s.lanes {
		l.maxFrame = int(lims[i].frame)
	}
	c.control = c.s.lanes[Control]
	c.control.maxOpen = maxFetchOpen
	c.control.recv = c.receive
	c.objects = newRemoteObjects(c.s, lims[Storage])
	c.streams = newStreams(c.s, int(lims[Streaming].streams))
	c.s.run()
	return c
}

// Handle gives the control lane its handler and starts delivery. Call it once.
func (c *Core) Handle(h Handler) {
	c.handler = h
	close(c.handlerSet)
}

// Objects returns the host's object store as seen through the storage lane.
func (c *Core) Objects() Objects { return c.objects }

// Streams returns the streams lane.
func (c *Core) Streams() *Streams { return c.streams }

// Done is closed when a lane is lost, the protocol was broken, or after Close.
// Nothing may be promised after it; wipe keys and exit with ExitCode(Err()).
func (c *Core) Done() <-chan struct{} { return c.s.done }

// Err says why Done is closed: it wraps ErrProtocol or ErrGateClosed. Nil before.
func (c *Core) Err() error {
	if !c.s.ended() {
		return nil
	}
	return c.s.err
}

// Close lets what is queued leave, for less than a second, and closes the lanes.
func (c *Core) Close() { c.s.close() }

// StorageStalled returns for how long the host has owed its oldest storage
// answer, 0 if it owes none. See SlowStorage and StalledStorage.
func (c *Core) StorageStalled() time.Duration { return c.objects.stalled(time.Now()) }

// Final publishes a block for the archive, in height order. It returns ErrBusy
// while MaxUnarchived blocks or MaxUnarchivedSz bytes are not archived (see
// Unarchived; Handler.Archived tells when that changes), ErrTooLarge over
// MaxFinal, ErrBadRequest for a height out of order. It waits only while the
// host does not read.
func (c *Core) Final(f Final) error {
	p := wire.Marshal(f)
	if len(p) > MaxFinal {
		return ErrTooLarge
	}
	c.publish.Lock()
	defer c.publish.Unlock()
	if err := c.shelf.add(f.Height, len(p)); err != nil {
		return err
	}
	for len(p) > 0 {
		n := min(len(p), c.control.maxFrame)
		if err := c.control.tell(frame{typ: typeFinal, more: n < len(p), body: p[:n]}); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Unarchived returns how many blocks, with how many encoded bytes, were
// published and not archived.
func (c *Core) Unarchived() (blocks, bytes int) { return c.shelf.size() }

// Undo tells the archive that blocks above u.ToHeight are gone; the next Final
// has height u.ToHeight+1.
func (c *Core) Undo(u Undo) error {
	c.publish.Lock()
	defer c.publish.Unlock()
	c.shelf.undo(u.ToHeight)
	return c.control.tell(frame{typ: typeUndo, body: wire.Marshal(u)})
}

// Fetch asks the host's archive or collateral store. Nothing in the answer, at
// most MaxFetchAnswer bytes, may be believed before it was checked against a
// hash or seal. It waits while 32 are open.
func (c *Core) Fetch(ctx context.Context, kind FetchKind, key []byte) ([]byte, error) {
	m := fetchMessage{Kind: kind, Key: key}
	if err := checkFetch(&m); err != nil {
		return nil, ErrBadRequest
	}
	return c.control.askContext(ctx, typeFetch, wire.Marshal(m), &call{want: typeData, max: MaxFetchAnswer})
}

// FetchHeight is Fetch of the block at height.
func (c *Core) FetchHeight(ctx context.Context, height uint64) ([]byte, error) {
	return c.Fetch(ctx, FetchBlock, binary.BigEndian.AppendUint64(nil, height))
}

// Event sends a log line. It never waits: over MaxEvents a second, or when the
// host does not read, events are dropped and counted in a later EventDropped.
// Too many numbers or hashes are cut.
func (c *Core) Event(e Event) {
	e.Numbers = e.Numbers[:min(len(e.Numbers), MaxNumbers)]
	e.Hashes = e.Hashes[:min(len(e.Hashes), MaxHashes)]
	allowed, dropped := c.events.take()
	if dropped > 0 {
		lost := Event{ID: EventDropped, Numbers: []uint64{dropped}}
		if !c.control.offer(lost.frame()) {
			c.events.lose(dropped)
		}
	}
	if allowed && !c.control.offer(e.frame()) {
		c.events.lose(1)
	}
}

// Fatal sends the last frame before a deliberate exit, waits for less than a
// second until it left, and closes the lanes.
func (c *Core) Fatal(f Fatal) {
	c.control.offer(frame{typ: typeFatal, body: wire.Marshal(f)})
	c.Close()
}
