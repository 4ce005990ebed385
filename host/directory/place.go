package directory

import (
	"sync"

	"cloister/host/api/factom"
	"cloister/wire"
	"cloister/wire/record"
)

// cachedPeriods bounds what is kept in memory of closed periods: two months of
// ten minutes each, in 3 MB.
const cachedPeriods = 8192

// summary is what readers need of a closed period.
type summary struct {
	Height      uint32
	OpenedMs    uint64
	First, Last uint64
	Rate        uint64
	KeyMR       wire.Hash
	Admin       wire.Hash
	Credit      wire.Hash
	Factoid     wire.Hash
}

// periods finds closed periods, those asked for lately in memory.
type periods struct {
	x  *Index
	mu sync.RWMutex
	in map[uint32]*summary
}

func (p *periods) of(height uint32) (*summary, error) {
	p.mu.RLock()
	s := p.in[height]
	p.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	c, err := p.x.closedPeriod(height)
	if err != nil {
		return nil, err
	}
	d := &c.Directory
	s = &summary{d.Height, d.OpenedMs, d.First, d.Last, d.Rate, d.KeyMR, d.Admin, d.Credit, d.Factoid}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in == nil || len(p.in) >= cachedPeriods {
		p.in = map[uint32]*summary{}
	}
	p.in[height] = s
	return s, nil
}

// closedPeriod reads the row of a period that is closed.
func (x *Index) closedPeriod(height uint32) (*closed, error) {
	b, found, err := x.store.Get(periodKey(tablePeriod, height))
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, corrupt("the index has no row of period %d", height)
	}
	return decodeRow[closed](b, maxClosed, "a period")
}

// place says where an event stands. guess is the period the fold took it for,
// which is seldom wrong and then by little. Which block has it, the caller adds.
func (x *Index) place(v *view, height, timeMs uint64, guess uint32) (p factom.Place, s *summary, err error) {
	p = factom.Place{OrderedMs: timeMs}
	if v.Count > 0 && height <= v.Last {
		if s, err = x.closedAt(v, height, guess); err != nil {
			return p, nil, err
		}
		p.Height, p.OpenedMs, p.Closed, p.Directory = s.Height, s.OpenedMs, true, s.KeyMR
	} else {
		now, ok := spanOf(v.Spans, height)
		if !ok {
			return p, nil, notFound("the block that orders it is not taken in yet")
		}
		p.Height, p.OpenedMs = now.Period, now.OpenedMs
	}
	p.Minute = record.Minute(max(timeMs, p.OpenedMs), p.OpenedMs, x.calendar.periodMs)
	return p, s, nil
}

// closedAt finds the closed period of a ledger block from a guess on.
func (x *Index) closedAt(v *view, height uint64, guess uint32) (*summary, error) {
	for n := min(guess, v.Count-1); ; {
		s, err := x.periods.of(n)
		switch {
		case err != nil:
			return nil, err
		case height < s.First && n > 0:
			n--
		case height > s.Last && n < v.Count-1:
			n++
		case height < s.First || height > s.Last:
			return nil, corrupt("block %d is in no closed period", height)
		default:
			return s, nil
		}
	}
}
