package ledger

import (
	"errors"
	"fmt"
	"sync"

	"cloister/core/ledger/store"
	"cloister/wire"
)

// Kept is how many heights back from the tip state can be read and proved.
const Kept = 1024

// ErrForeign means that the store holds another chain than the genesis starts.
var ErrForeign = errors.New("the store belongs to another chain")

// ErrGenesis means that a family cannot start from its part of the genesis, or
// starts with other members than the genesis lists.
var ErrGenesis = errors.New("the genesis is refused")

// Ledger executes blocks on one store. Execute, Flush and Prune belong to one
// goroutine; the rest may be called from any.
type Ledger struct {
	store store.Store
	rules *rules
	tip   *record // written with mu held, so the owner reads it without
	prune uint64  // outcomes below this height may go with the next block

	mu     sync.Mutex // makes applying a batch and moving the tip one event for View
	broken error      // set for good by the first failure
}

// Open starts the chain of a genesis on an empty store, or continues where the
// store stands. families are all that the program has (core/families); the
// genesis says which are enabled. The ledger does not own the store: close it
// afterwards.
//
// Errors: ErrForeign, what a family has against the genesis, and damage.
func Open(s store.Store, g *wire.Genesis, families []Family) (*Ledger, error) {
	rules, err := newRules(g, families)
	if err != nil {
		return nil, err
	}
	l := &Ledger{store: s, rules: rules}
	b, err := s.Get([]byte{atTip})
	switch {
	case err != nil:
		return nil, fmt.Errorf("opening the ledger: %w", err)
	case b == nil:
		if err := l.start(g); err != nil {
			return nil, err
		}
		return l, nil
	}
	if l.tip, err = decodeRecord(b); err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	switch {
	case l.tip.Header.ChainID != rules.chainID:
		return nil, fmt.Errorf("%w: %s, not %s", ErrForeign, l.tip.Header.ChainID, rules.chainID)
	case l.tip.Header.Height != s.Height():
		return nil, fmt.Errorf("opening the ledger: the tip is at height %d, the store at %d", l.tip.Header.Height, s.Height())
	}
	return l, nil
}

// start executes the genesis as height 0.
func (l *Ledger) start(g *wire.Genesis) (err error) {
	defer l.guard(nil, &err)
	header := g.Header()
	p := newPass(l.rules, l.store, 0, header.TimeMs, header.Epoch)
	for i, f := range l.rules.families {
		if err := p.begin(f, g.Families[i].Params); err != nil {
			return fmt.Errorf("%w: family %s: %w", ErrGenesis, f.Name(), err)
		}
	}
	// Block 0 is computed without the families, and its header says who orders
	// block 1: a family that started with others would fork from its own genesis.
	roster, err := p.roster()
	if err != nil {
		return fmt.Errorf("%w: family %s: %w", ErrGenesis, l.rules.members.Name(), err)
	}
	if got := roster.Set.Hash(); got != header.MembersHash {
		return fmt.Errorf("%w: family %s starts with other members than the genesis lists: %d of them, set %s, want %s",
			ErrGenesis, l.rules.members.Name(), len(roster.Set.Members), got, header.MembersHash)
	}
	_, err = l.commit(header, nil, p, nil)
	return err
}

// Tip is the newest executed block.
func (l *Ledger) Tip() *Tip {
	l.mu.Lock()
	tip := l.tip
	l.mu.Unlock()
	return tip.tip()
}

// Height is the newest executed height.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tip.Header.Height
}

// Families are the enabled ones, in the genesis's order.
func (l *Ledger) Families() []Family { return l.rules.families }

// Flush makes state durable and returns the height it stands at: blocks up to
// there need not be executed again after a crash.
func (l *Ledger) Flush() (height uint64, err error) {
	if err := l.failed(); err != nil {
		return 0, err
	}
	if height, err = l.store.Flush(); err != nil {
		l.fail(err)
	}
	return height, err
}

// Prune says that the outcomes of blocks up to this height are archived and
// need not be kept. They go with the next executed block.
func (l *Ledger) Prune(archived uint64) { l.prune = max(l.prune, archived+1) }

// View opens the state after the newest executed block for reading. Close it.
func (l *Ledger) View() *View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &View{rules: l.rules, snap: l.store.Snapshot(), tip: l.tip}
}

// fail makes every further call fail: state and what was promised about it may
// differ from now on.
func (l *Ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = fmt.Errorf("the ledger stopped: %w", err)
	}
}

func (l *Ledger) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}
