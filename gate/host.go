package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cloister/wire"
)

// HostHandler is what the host does for its core. The core may be compromised:
// whatever it asks must be harmless.
type HostHandler interface {
	// Dial connects to a peer's address. It runs in its own goroutine; ctx ends
	// when the core gives up.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// Fetch answers with at most MaxFetchAnswer bytes. It runs in its own
	// goroutine.
	Fetch(ctx context.Context, kind FetchKind, key []byte) ([]byte, error)
	// Final and Undo are called one after the other in the core's order, by a
	// goroutine of their own; they may wait for the disk. While they are behind
	// by MaxUnarchived blocks the control lane is not read, so they must not
	// wait for an answer of the core.
	Final(Final)
	Undo(Undo)
	// Event and Fatal are called by the lane's reader and must not wait. An
	// honest core keeps to MaxEvents a second, a compromised one need not.
	Event(Event)
	Fatal(Fatal)
}

// Host is the host's end of the gate.
type Host struct {
	s       *session
	control *lane
	storage *objectServer
	streams *Streams
	handler HostHandler

	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	tasks  sync.WaitGroup // dials, fetches, splices, the publisher, the workers

	closing sync.Mutex
	closed  bool // no new tasks from outside the readers; closing

	fetches atomic.Int32
	part    []byte // parts of a Final received so far; reader only
	shelves publishQueue
}

// Serve greets a core on three connections, given in any order, and serves it.
// It owns the connections, also when it fails. objects keeps the core's data;
// it must return refusals of one-way calls from Sync. Errors wrap ErrLanes.
func Serve(conns []net.Conn, token Token, objects Objects, h HostHandler) (*Host, error) {
	sorted, err := greet(conns, token, time.Now().Add(LanesTimeout))
	if err != nil {
		closeAll(conns)
		return nil, fmt.Errorf("%w: %w", ErrLanes, err)
	}
	return newHost(sorted, objects, h), nil
}

// greet answers three hellos and sorts the connections by lane.
func greet(conns []net.Conn, token Token, deadline time.Time) (sorted [laneCount]net.Conn, err error) {
	if len(conns) != int(laneCount) {
		return sorted, fmt.Errorf("%d connections, not %d", len(conns), laneCount)
	}
	lanes := make([]Lane, len(conns))
	errs := make([]error, len(conns))
	var greeted sync.WaitGroup
	for i, c := range conns {
		greeted.Go(func() { lanes[i], errs[i] = welcome(c, token, deadline) })
	}
	greeted.Wait()
	if err := errors.Join(errs...); err != nil {
		return sorted, err
	}
	for i, l := range lanes {
		if sorted[l] != nil {
			return sorted, fmt.Errorf("two connections say they are the %v lane", l)
		}
		sorted[l] = conns[i]
	}
	return sorted, nil
}

func newHost(conns [laneCount]net.Conn, objects Objects, handler HostHandler) *Host {
	h := &Host{s: newSession(hostEnd, conns, maxFrame), handler: handler}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.control = h.s.lanes[Control]
	h.control.maxOpen = maxControlOpen
	h.control.recv = h.receive
	h.shelves.room = sync.NewCond(&h.shelves.mu)
	h.control.gone = func() { h.cancel(); h.shelves.close() }
	h.storage = newObjectServer(h.s, objects)
	h.streams = newStreams(h.s, MaxStreams)
	h.streams.dial = h.dial
	h.tasks.Go(h.publish)
	for range storageWorkers {
		h.tasks.Go(h.storage.work)
	}
	h.s.run()
	return h
}

// Done is closed when the core is gone or broke the protocol, or after Close.
func (h *Host) Done() <-chan struct{} { return h.s.done }

// Err says why Done is closed: it wraps ErrProtocol or ErrGateClosed. Nil before.
func (h *Host) Err() error {
	if !h.s.ended() {
		return nil
	}
	return h.s.err
}

// Close ends the gate and waits until no call of the handler or of the objects
// runs any more. What the core published before is still given to the handler.
func (h *Host) Close() {
	h.closing.Lock()
	h.closed = true
	h.closing.Unlock()
	h.s.close()
	h.tasks.Wait()
}

// Start configures the core and waits until it is ready.
func (h *Host) Start(ctx context.Context, config []byte, o Options) (Ready, error) {
	m := Start{Config: config, Options: o}
	if err := checkStart(&m); err != nil {
		return Ready{}, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	p, err := h.control.askContext(ctx, typeStart, wire.Marshal(m), &call{want: typeReady, max: 1024})
	if err != nil {
		return Ready{}, err
	}
	return answered(h, typeReady, p, checkReady)
}

// Submit offers transactions to the core's pool: at most MaxSubmit, encoded at
// most MaxSubmitBytes. One result comes back for each, after the core's checks
// and before any commit. ErrBusy means the pool is full.
func (h *Host) Submit(ctx context.Context, txs [][]byte) ([]SubmitResult, error) {
	p := wire.Marshal(txs)
	if len(txs) == 0 || len(txs) > MaxSubmit || len(p) > MaxSubmitBytes {
		return nil, ErrTooLarge
	}
	a, err := h.control.askContext(ctx, typeSubmit, p, &call{want: typeData, max: maxFrame})
	if err != nil {
		return nil, err
	}
	return answered(h, typeSubmit, a, func(r *[]SubmitResult) error {
		if len(*r) != len(txs) {
			return fmt.Errorf("%d results for %d transactions", len(*r), len(txs))
		}
		return nil
	})
}

// Query asks the core; body has at most MaxQuery bytes, the answer at most
// MaxQueryAnswer. ErrBusy means too many are open, or QueryDeadline passed.
func (h *Host) Query(ctx context.Context, kind uint16, body []byte) ([]byte, error) {
	m := queryMessage{Kind: kind, Body: body}
	if err := checkQuery(&m); err != nil {
		return nil, ErrTooLarge
	}
	return h.control.askContext(ctx, typeQuery, wire.Marshal(m), &call{want: typeData, max: MaxQueryAnswer})
}

// Status returns the core's status, at most MaxStatus bytes.
func (h *Host) Status(ctx context.Context) ([]byte, error) {
	return h.control.askContext(ctx, typeStatus, nil, &call{want: typeData, max: MaxStatus})
}

// Stop asks the core to finish within grace, at most a minute. After it
// returns without error the core exits with ExitOK.
func (h *Host) Stop(ctx context.Context, grace time.Duration) error {
	m := stopMessage{GraceMS: uint32(min(grace, maxStopGrace).Milliseconds())}
	_, err := h.control.askContext(ctx, typeStop, wire.Marshal(m), &call{want: typeDone})
	return err
}

// Archived tells the core that all blocks up to height are on stable storage.
func (h *Host) Archived(height uint64) error {
	return h.control.tell(frame{typ: typeArchived, body: wire.Marshal(archivedMessage{Height: height})})
}

// answered decodes an answer; one that does not decode breaks the protocol.
func answered[T any](h *Host, t Type, p []byte, check func(*T) error) (T, error) {
	m, err := decode(p, check)
	if err != nil {
		err = h.control.violation(t, "%v", err)
		h.s.broken(h.control, err)
	}
	return m, err
}
