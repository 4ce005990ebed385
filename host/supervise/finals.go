package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"cloister/gate"
	"cloister/host/archive"
)

// finals takes what one life of the core publishes.
//
// Where others fill the archive too, a core may be ahead of it: its host lost
// blocks, or is still fetching those before. What it publishes then waits here,
// in bounds, until the archive has come up to it.
type finals struct {
	archive *archive.Archive
	filled  bool
	log     *slog.Logger
	more    chan struct{} // capacity 1: newest has grown

	mu      sync.Mutex
	newest  uint64       // published
	waiting []gate.Final // of consecutive heights, above the archive's end
	bytes   int
	over    bool // a block was refused: nothing is taken any more
}

// take stores a block or lets it wait. An error, given once, ends the core's life.
func (p *finals) take(f gate.Final) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	if err := p.store(f); err != nil {
		return p.failed(f.Height, err)
	}
	p.newest = max(p.newest, f.Height)
	select {
	case p.more <- struct{}{}:
	default: // it is known
	}
	return nil
}

// store appends a block, after those that wait. Called with mu held.
func (p *finals) store(f gate.Final) error {
	err := error(archive.ErrGap)
	if len(p.waiting) == 0 {
		err = p.archive.Append(&f)
	}
	if !p.filled || !errors.Is(err, archive.ErrGap) {
		return err
	}
	if len(p.waiting) == 0 {
		p.log.Warn("archive.behind", "archived", p.archive.Height(), "published", f.Height)
	}
	// An honest core stops at this bound by itself until more is archived.
	p.waiting, p.bytes = append(p.waiting, f), p.bytes+len(f.Header)+len(f.Seal)+len(f.Body)+len(f.Results)
	if len(p.waiting) > gate.MaxUnarchived || p.bytes > gate.MaxUnarchivedSz+gate.MaxFinal {
		return fmt.Errorf("%w: %d blocks wait for those before them", err, len(p.waiting))
	}
	return nil
}

// retry appends what waits, as far as the archive has come up to it.
func (p *finals) retry() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 && !p.over {
		f := p.waiting[0]
		if f.Height > p.archive.Height()+1 {
			return nil
		}
		if err := p.archive.Append(&f); err != nil {
			return p.failed(f.Height, err)
		}
		p.bytes -= len(f.Header) + len(f.Seal) + len(f.Body) + len(f.Results)
		if p.waiting = p.waiting[1:]; len(p.waiting) > 0 {
			// The next one follows this, which may not be visible yet.
			if err := p.archive.Settle(f.Height); err != nil {
				return p.failed(f.Height, err)
			}
		}
	}
	return nil
}

// published is the newest height the core has published in this life.
func (p *finals) published() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.newest
}

// end takes nothing from now on. It returns why, unless it was over before.
func (p *finals) end(why error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil
	}
	p.over = true
	return why
}

func (p *finals) failed(height uint64, err error) error {
	p.over = true
	return fmt.Errorf("block %d of the core: %w", height, err)
}
