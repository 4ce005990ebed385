package core

import (
	"cloister/wire"
)

// Bounds of the pool.
const (
	poolTxs   = 100_000
	poolBytes = 64 << 20
)

// pool holds transactions that were admitted and are not in a decided block.
// They leave it in the order they came. An entry is proposed while it is in a
// block that may still be decided.
type pool struct {
	limits   wire.Limits
	byID     map[wire.Hash]*waiting
	queue    []*waiting // admission order; gone entries are skipped
	head     int        // first entry of queue that may still be live
	cursor   int        // first entry that may be fresh; at least head
	fresh    int        // entries not proposed
	freshB   int        // their bytes
	bytes    int
	sentAs   uint64 // stamp with which queue[:sentUpTo] was forwarded
	sentUpTo int
	nextExp  uint64 // earliest expiry among all entries, 0 unknown
}

type waiting struct {
	raw        []byte
	id, leaf   wire.Hash
	notAfterMs uint64
	since      int64 // elapsed ms of admission
	proposed   bool
	gone       bool
	sentTo     uint64 // stamp of its last forwarding
	local      bool   // came through this node's gate, so this node forwards it
}

// init empties the pool.
func (p *pool) init(l wire.Limits) {
	*p = pool{limits: l, byID: map[wire.Hash]*waiting{}}
}

// room reports whether bytes more fit.
func (p *pool) room(bytes int) bool {
	return len(p.byID) < poolTxs && p.bytes+bytes <= poolBytes
}

// add takes a checked transaction; false if it is there already.
func (p *pool) add(w *waiting) bool {
	if _, ok := p.byID[w.id]; ok {
		return false
	}
	p.byID[w.id] = w
	p.queue = append(p.queue, w)
	p.fresh++
	p.freshB += len(w.raw)
	p.bytes += len(w.raw)
	if p.nextExp == 0 || w.notAfterMs < p.nextExp {
		p.nextExp = w.notAfterMs
	}
	return true
}

// remove drops a transaction that was decided.
func (p *pool) remove(id wire.Hash) {
	if w, ok := p.byID[id]; ok {
		p.drop(w)
		p.compact()
	}
}

func (p *pool) drop(w *waiting) {
	delete(p.byID, w.id)
	w.gone = true
	p.bytes -= len(w.raw)
	if !w.proposed {
		p.fresh--
		p.freshB -= len(w.raw)
	}
}

// compact drops what is gone from the front, and all of it when it is most.
func (p *pool) compact() {
	for p.head < len(p.queue) && p.queue[p.head].gone {
		p.queue[p.head] = nil
		p.head++
	}
	p.cursor = max(p.cursor, p.head)
	if p.head > 4096 && p.head > len(p.queue)/2 {
		p.queue = append([]*waiting(nil), p.queue[p.head:]...)
		p.cursor -= p.head
		p.sentUpTo = max(0, p.sentUpTo-p.head)
		p.head = 0
	}
}

// take marks as proposed and returns the oldest fresh transactions that fit
// one body and are still valid at timeMs.
func (p *pool) take(timeMs uint64) (txs []*waiting) {
	bytes := 16
	for ; p.cursor < len(p.queue) && len(txs) < int(p.limits.BlockTxs); p.cursor++ {
		w := p.queue[p.cursor]
		if w == nil || w.gone || w.proposed {
			continue
		}
		if w.notAfterMs < timeMs || w.notAfterMs > timeMs+wire.MaxValidity {
			p.drop(w) // no block of this time may hold it
			continue
		}
		if bytes += len(w.raw) + 5; bytes > int(p.limits.BodyBytes) {
			break
		}
		w.proposed = true
		p.fresh--
		p.freshB -= len(w.raw)
		txs = append(txs, w)
	}
	return txs
}

// release makes every proposed transaction fresh again, except those for which
// keep is true.
func (p *pool) release(keep func(id wire.Hash) bool) {
	p.cursor = p.head
	for _, w := range p.queue[p.head:] {
		if w == nil || w.gone {
			continue
		}
		if k := keep(w.id); k != w.proposed {
			w.proposed = k
			if k {
				p.fresh--
				p.freshB -= len(w.raw)
			} else {
				p.fresh++
				p.freshB += len(w.raw)
			}
		}
	}
}

// expire drops what can no longer be recorded at block time timeMs.
func (p *pool) expire(timeMs uint64) {
	if p.nextExp == 0 || timeMs <= p.nextExp {
		return
	}
	p.nextExp = 0
	for _, w := range p.queue[p.head:] {
		switch {
		case w == nil || w.gone:
		case w.notAfterMs < timeMs && !w.proposed:
			p.drop(w)
		case p.nextExp == 0 || w.notAfterMs < p.nextExp:
			p.nextExp = w.notAfterMs
		}
	}
	p.compact()
}

// oldest is when the oldest fresh transaction came, in elapsed ms.
func (p *pool) oldest() (since int64, ok bool) {
	if p.fresh == 0 {
		return 0, false
	}
	for ; p.cursor < len(p.queue); p.cursor++ {
		if w := p.queue[p.cursor]; w != nil && !w.gone && !w.proposed {
			return w.since, true
		}
	}
	return 0, false
}

// unsent is where to start looking for transactions not yet forwarded under a
// stamp; sent says that everything so far was.
func (p *pool) unsent(stamp uint64) int {
	if p.sentAs != stamp {
		return p.head
	}
	return max(p.sentUpTo, p.head)
}

func (p *pool) sent(stamp uint64) { p.sentAs, p.sentUpTo = stamp, len(p.queue) }
