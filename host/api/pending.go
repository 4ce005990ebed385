package api

import (
	"sync"

	"cloister/host/archive"
	"cloister/wire"
)

// pending remembers ids of transactions this host's core accepted, so that a
// lookup can say "pending" before they are recorded. It is a hint: the archive
// is asked first, and an id whose transaction expired is forgotten after one to
// two validity periods, or earlier when there are too many.
//
// Two generations replace a deadline per id: the young one becomes the old one
// when it is full or as old as a transaction can get.
type pending struct {
	mu         sync.Mutex
	max        int // ids of both generations
	young, old map[wire.Hash]struct{}
	since      uint64 // block time at which young began, ms
}

func newPending(max int) *pending {
	return &pending{max: max, young: map[wire.Hash]struct{}{}, old: map[wire.Hash]struct{}{}}
}

// add remembers the ids of accepted transactions.
func (p *pending) add(ids []wire.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if len(p.young) >= max(1, p.max/2) {
			p.turn()
		}
		p.young[id] = struct{}{}
	}
}

// appended forgets what a block recorded.
func (p *pending) appended(a archive.Appended) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range a.Results {
		delete(p.young, a.Results[i].TxID)
		delete(p.old, a.Results[i].TxID)
	}
	switch {
	case p.since == 0:
		p.since = a.TimeMs
	case a.TimeMs > p.since+wire.MaxValidity:
		p.turn()
		p.since = a.TimeMs
	}
}

func (p *pending) turn() { p.young, p.old = map[wire.Hash]struct{}{}, p.young }

// has reports whether the id was accepted here and not seen recorded.
func (p *pending) has(id wire.Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, young := p.young[id]
	_, old := p.old[id]
	return young || old
}

func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.young) + len(p.old)
}
