package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"cloister/gate"
	"cloister/wire"
)

// handler is what one life of the core may ask of the host.
type handler struct {
	s       *Supervisor
	events  eventLog
	finals  finals
	refused chan error   // capacity 1: the first block that could not be stored
	last    atomic.Int32 // exit code the core announced with Fatal, 0 if it did not
}

func newHandler(s *Supervisor) *handler {
	return &handler{
		s: s, events: eventLog{log: s.cfg.Log, now: s.cfg.now}, refused: make(chan error, 1),
		finals: finals{archive: s.cfg.Archive, filled: s.cfg.Filled, log: s.cfg.Log, more: make(chan struct{}, 1)},
	}
}

// Dial connects to a peer, whose address is its node id in hex: where it lives
// is the host's business. A core can reach nobody else.
func (h *handler) Dial(ctx context.Context, addr string) (net.Conn, error) {
	id, err := wire.ParseHash(addr)
	if err != nil {
		return nil, gate.ErrBadRequest
	}
	place, ok := h.s.cfg.Peers[id]
	if !ok && h.s.cfg.Lookup != nil {
		place, err = h.s.cfg.Lookup(ctx, id)
		ok = err == nil
	}
	if !ok {
		return nil, gate.ErrNotFound
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", place)
	if err != nil {
		h.s.cfg.Log.Debug("peer.dial", "node", id, "address", place, "error", err)
		return nil, fmt.Errorf("%w: %w", gate.ErrIO, err)
	}
	return conn, nil
}

// Fetch gives blocks (archived.Block) and entries out of the archive; the core
// checks them. Nothing else is kept by this host.
func (h *handler) Fetch(_ context.Context, kind gate.FetchKind, key []byte) (answer []byte, err error) {
	switch kind {
	case gate.FetchBlock:
		height, ok := gate.BlockHeight(key)
		if !ok {
			return nil, gate.ErrBadRequest
		}
		answer, err = h.s.cfg.Archive.Encoded(height)
	case gate.FetchEntry:
		if len(key) != len(wire.Hash{}) {
			return nil, gate.ErrBadRequest
		}
		e, found := h.s.cfg.Archive.Entry(wire.Hash(key))
		if err = found; err == nil {
			answer = e.Bytes
		}
	default:
		return nil, gate.ErrNotFound
	}
	switch {
	case errors.Is(err, wire.ErrNotFound):
		return nil, gate.ErrNotFound
	case err != nil:
		h.s.cfg.Log.Error("archive.read", "kind", uint8(kind), "error", err)
		return nil, gate.ErrIO
	}
	return answer, nil
}

// Final stores a block. After one that cannot be stored, none is taken.
func (h *handler) Final(f gate.Final) { h.refuse(h.finals.take(f)) }

// ErrUndo means that the core wants to take back final blocks, which no engine of this
// host's archive may do.
var ErrUndo = errors.New("supervise: the core wants final blocks undone")

// Undo is refused: the archive keeps what was final.
func (h *handler) Undo(u gate.Undo) {
	h.refuse(h.finals.end(fmt.Errorf("%w, to height %d", ErrUndo, u.ToHeight)))
}

// refuse ends this life of the core, if there is a reason.
func (h *handler) refuse(err error) {
	if err != nil {
		h.refused <- err // one reason at most comes out of finals
	}
}

// Event writes the core's event to the host's log.
func (h *handler) Event(e gate.Event) { h.events.event(e) }

// Fatal takes the core's last words. The exit code in them counts even if the
// process then ends otherwise: it may be killed before it exits.
func (h *handler) Fatal(f gate.Fatal) {
	h.last.Store(int32(f.Code))
	h.events.fatal(f)
}
