package factom

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"

	"cloister/wire"
)

// wait is what a held message waits for. The zero value is nothing.
type wait struct {
	kind waitKind
	key  wire.Hash
}

type waitKind uint8

const (
	forCredits waitKind = iota + 1 // of an account
	forCommit                      // that pays for an entry
	forChain                       // to be created
	forName                        // of a chain, which another commit holds for up to an hour
)

// waitsFor says what a message that was refused with a code waits for.
func waitsFor(m *message, code wire.Code) wait {
	switch {
	case code == wire.ErrInsufficientCredits && (m.kind == entryCommit || m.kind == chainCommit):
		return wait{forCredits, wire.Hash(m.payer)}
	case m.kind != reveal:
	case code == wire.ErrNoCommit:
		return wait{forCommit, m.entry}
	case code == wire.ErrUnknownChain:
		return wait{forChain, m.chain}
	case code == wire.ErrChainHeld:
		return wait{forName, m.chain}
	}
	return wait{}
}

// holding keeps messages that the ledger cannot order yet, for an hour of block
// time, in the order they came. It decides; it submits nothing itself.
//
// Invariant: bytes and byRemote are the sums over order; waiting has exactly the
// members of order; due has those of them that are due, and maybe some that are gone.
type holding struct {
	mu       sync.Mutex
	order    *list.List // of *held, oldest first
	waiting  map[wait]map[*held]struct{}
	due      []*held
	bytes    int
	byRemote map[netip.Prefix]*usage
	same     map[[2]wire.Hash]struct{} // id and digest of the payload, so that nothing is held twice
	seq      uint64
	event    uint64 // how often ordered was called
	timeMs   uint64 // block time of the last event
	namesMs  uint64 // when those who wait for names were last due

	woken chan struct{} // has an element when something is due
}

// held is one message that waits. All but message are guarded by holding.mu.
type held struct {
	*message
	wait    wait
	sinceMs uint64
	seq     uint64
	due     bool
	place   *list.Element // nil when it is not held any more
}

type usage struct{ count, bytes int }

// newHolding begins at a block time.
func newHolding(blockTimeMs uint64) *holding {
	return &holding{
		timeMs: blockTimeMs, namesMs: blockTimeMs,
		order: list.New(), waiting: map[wait]map[*held]struct{}{}, byRemote: map[netip.Prefix]*usage{},
		same: map[[2]wire.Hash]struct{}{}, woken: make(chan struct{}, 1),
	}
}

// events counts what was ordered so far. Whoever asks the core first and then
// holds says what the count was before: what a message waits for may have come
// in between.
func (h *holding) events() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.event
}

// blockTime is that of the last event.
func (h *holding) blockTime() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.timeMs
}

// add holds a message; seen is events from before the core was asked. A message
// that is held already is not held twice. Errors carry ErrBusy: a bound is reached.
func (h *holding) add(m *message, w wait, seen uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, twice := h.same[m.digest()]; twice {
		return nil
	}
	u := h.byRemote[m.remote]
	if u == nil {
		u = &usage{}
	}
	n := len(m.payload)
	switch {
	case u.count >= maxHeldByOne, u.bytes+n > maxHeldBytesByOne:
		return wire.Faultf(wire.ErrBusy, "%d messages of this sender wait for credits, commits or chains", u.count)
	case h.order.Len() >= maxHeld, h.bytes+n > maxHeldBytes:
		return wire.Faultf(wire.ErrBusy, "%d messages wait for credits, commits or chains", h.order.Len())
	}
	u.count, u.bytes, h.bytes = u.count+1, u.bytes+n, h.bytes+n
	h.byRemote[m.remote] = u
	h.same[m.digest()] = struct{}{}
	h.seq++
	x := &held{message: m, sinceMs: h.timeMs, seq: h.seq}
	x.place = h.order.PushBack(x)
	h.await(x, w, seen)
	return nil
}

func (m *message) digest() [2]wire.Hash {
	return [2]wire.Hash{m.id, wire.TH("cloister/factom-held/v1", m.payload)}
}

// await has x wait for w. What happened since the core was asked may have been
// just that, so then it is due at once.
func (h *holding) await(x *held, w wait, seen uint64) {
	x.wait = w
	if h.waiting[w] == nil {
		h.waiting[w] = map[*held]struct{}{}
	}
	h.waiting[w][x] = struct{}{}
	if h.event != seen {
		h.makeDue(x)
	}
}

func (h *holding) makeDue(x *held) {
	if !x.due {
		x.due = true
		h.due = append(h.due, x)
	}
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

// ordered makes due what waited for what a block brought, and drops what waited
// for an hour.
func (h *holding) ordered(o *Ordered) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.event++
	h.timeMs = max(h.timeMs, o.TimeMs)
	for h.order.Len() > 0 {
		x := h.order.Front().Value.(*held)
		if h.timeMs-x.sinceMs < HoldMs {
			break
		}
		h.drop(x)
	}
	for _, a := range o.Credited {
		h.wake(wait{forCredits, wire.Hash(a)})
	}
	for _, e := range o.Commits {
		h.wake(wait{forCommit, e})
	}
	for _, c := range o.Chains {
		h.wake(wait{forChain, c})
		h.wake(wait{forName, c})
	}
	h.retryNames()
}

func (h *holding) wake(w wait) {
	for x := range h.waiting[w] {
		h.makeDue(x)
	}
}

// retryNames makes due, once a minute, what waits for a name to be free again:
// nothing is ordered when an hour is over.
func (h *holding) retryNames() {
	if h.timeMs-h.namesMs < namesEachMs {
		return
	}
	h.namesMs = h.timeMs
	for w := range h.waiting {
		if w.kind == forName {
			h.wake(w)
		}
	}
}

// take returns what is due, in the order it came.
func (h *holding) take() (due []*held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.due {
		if x.due = false; x.place != nil {
			due = append(due, x)
		}
	}
	h.due = nil
	slices.SortFunc(due, func(a, b *held) int {
		if a.seq < b.seq {
			return -1
		}
		return 1
	})
	return due
}

// again makes due what could not be tried.
func (h *holding) again(list []*held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range list {
		if x.place != nil {
			h.makeDue(x)
		}
	}
}

// keep has a message that was tried wait on, maybe for something else; seen as
// with add.
func (h *holding) keep(x *held, w wait, seen uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x.place == nil {
		return
	}
	h.forget(x)
	h.await(x, w, seen)
}

// remove ends holding a message.
func (h *holding) remove(x *held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x.place != nil {
		h.drop(x)
	}
}

func (h *holding) drop(x *held) {
	h.order.Remove(x.place)
	x.place = nil
	h.forget(x)
	delete(h.same, x.digest())
	n := len(x.payload)
	h.bytes -= n
	u := h.byRemote[x.remote]
	if u.count, u.bytes = u.count-1, u.bytes-n; u.count == 0 {
		delete(h.byRemote, x.remote)
	}
}

// forget ends waiting for what x waits for.
func (h *holding) forget(x *held) {
	set := h.waiting[x.wait]
	if delete(set, x); len(set) == 0 {
		delete(h.waiting, x.wait)
	}
}
