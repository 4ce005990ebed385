package factom

import (
	"slices"
	"sync"

	"cloister/wire"
)

// fates remembers what became of the messages that this host accepted, until
// they are ordered and Source knows them, or for an hour of block time. So a
// client that asks finds its message held or on its way, NotConfirmed, or
// refused when it was executed, Invalid; factomd calls both by these names.
type fates struct {
	mu    sync.Mutex
	known map[fateKey]*fate
	queue []*fate // oldest first, from first on
	first int
	most  int
}

// fateKey is what a message is asked by.
type fateKey struct {
	kind fateKind
	hash wire.Hash
}

type fateKind uint8

const (
	byTXID    fateKind = iota + 1 // commits and factoid transactions
	byPaidFor                     // commits, by the entry's hash
	byEntry                       // reveals
)

// fate is what is remembered of one message.
type fate struct {
	kind        kind
	id          wire.Hash
	entry       wire.Hash
	chain       wire.Hash
	timestampMs uint64
	sinceMs     uint64
	invalid     bool
}

func (f *fate) keys() []fateKey {
	switch f.kind {
	case reveal:
		return []fateKey{{byEntry, f.id}}
	case factoids:
		return []fateKey{{byTXID, f.id}}
	}
	return []fateKey{{byTXID, f.id}, {byPaidFor, f.entry}}
}

func newFates(most int) *fates { return &fates{known: map[fateKey]*fate{}, most: most} }

// add remembers a message as not confirmed. The oldest makes place if need be.
func (t *fates) add(m *message, blockTimeMs uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &fate{kind: m.kind, id: m.id, entry: m.entry, chain: m.chain, timestampMs: m.timestampMs, sinceMs: blockTimeMs}
	for _, k := range f.keys() {
		t.known[k] = f
	}
	t.queue = append(t.queue, f)
	for len(t.queue)-t.first > t.most {
		t.forgetFirst()
	}
}

func (t *fates) forgetFirst() {
	f := t.queue[t.first]
	t.queue[t.first] = nil
	if t.first++; 2*t.first >= len(t.queue) {
		t.queue, t.first = slices.Delete(t.queue, 0, t.first), 0
	}
	for _, k := range f.keys() {
		if t.known[k] == f {
			delete(t.known, k)
		}
	}
}

// find returns what is remembered; nothing is changed in it later but invalid.
func (t *fates) find(kind fateKind, hash wire.Hash) (f fate, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.known[fateKey{kind, hash}]
	if p == nil {
		return f, false
	}
	return *p, true
}

// ordered forgets what Source knows now, marks what the rules refused, and
// forgets what is older than an hour.
func (t *fates) ordered(o *Ordered) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range o.TXIDs {
		if f := t.known[fateKey{byTXID, id}]; f != nil {
			for _, k := range f.keys() {
				if t.known[k] == f {
					delete(t.known, k)
				}
			}
		}
	}
	for _, e := range o.Entries {
		delete(t.known, fateKey{byEntry, e})
	}
	for _, id := range o.Refused {
		for _, kind := range []fateKind{byTXID, byEntry} {
			if f := t.known[fateKey{kind, id}]; f != nil {
				f.invalid = true
			}
		}
	}
	for t.first < len(t.queue) {
		if o.TimeMs < t.queue[t.first].sinceMs+HoldMs {
			return
		}
		t.forgetFirst()
	}
}

// refused marks a held message that will never do.
func (t *fates) refused(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kind := byTXID
	if m.kind == reveal {
		kind = byEntry
	}
	if f := t.known[fateKey{kind, m.id}]; f != nil {
		f.invalid = true
	}
}

// waiting lists what is not ordered and not refused, at most limit, oldest first.
func (t *fates) waiting(limit int, kinds ...kind) (list []fate) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.queue[t.first:] {
		if len(list) == limit {
			return list
		}
		for _, k := range kinds {
			if f.kind == k && !f.invalid && t.known[f.keys()[0]] == f {
				list = append(list, *f)
			}
		}
	}
	return list
}
