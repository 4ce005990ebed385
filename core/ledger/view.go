package ledger

import (
	"fmt"

	"cloister/core/ledger/store"
	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/smt"
)

// View is the state after one executed block, for reading. It stays the same
// while blocks are executed, and is safe for concurrent use until closed.
type View struct {
	rules *rules
	snap  store.Snapshot
	tip   *record
}

// Close releases the view.
func (v *View) Close() error { return v.snap.Close() }

// Tip is the newest block in the view.
func (v *View) Tip() *Tip { return v.tip.tip() }

// Height is that of the newest block in the view.
func (v *View) Height() uint64 { return v.tip.Header.Height }

// Families are the names of the enabled families, in the genesis's order.
func (v *View) Families() []string {
	names := make([]string, len(v.rules.families))
	for i, f := range v.rules.families {
		names[i] = f.Name()
	}
	return names
}

// Get returns the value of a family's key, nil if it has none.
func (v *View) Get(family string, key []byte) ([]byte, error) {
	return v.snap.Get(appendStateKey(nil, family, key))
}

// State reads a family's state as its own rules do: with ledger.Load and Get,
// never changing it. The result belongs to one goroutine.
func (v *View) State(family string) State {
	over := newOverlay(v.snap)
	over.locked = true
	return State{over: over, family: family}
}

// BlockHash is the header hash of the tip or of one of the Kept heights before it.
func (v *View) BlockHash(height uint64) (hash wire.Hash, ok bool, err error) {
	return blockHash(v.snap, height)
}

// Admit judges a transaction that CheckTxs accepted as if it came next, in a
// block with this time, and changes nothing. nil means it would be charged and the
// family sees no reason why it should fail; by the time it is executed both may
// have changed. Errors carry a code.
func (v *View) Admit(r *Request, timeMs uint64) (err error) {
	p := newPass(v.rules, v.snap, v.Height()+1, timeMs, v.tip.Header.Epoch)
	defer func() {
		if caught := recover(); caught != nil {
			err = wire.Faultf(wire.ErrInternal, "family %s, admitting transaction %s: panic: %v", r.Tx.Family, r.ID, caught)
		}
	}()
	call := p.call(r)
	family, _, err := p.charge(call)
	if err != nil {
		return err
	}
	p.over.locked = true
	return family.Admit(call)
}

// Checkpoint is what headers with ExecHeight height commit to. It carries
// ErrNotFound unless height is one of the last Kept.
func (v *View) Checkpoint(height uint64) (exec wire.Exec, dataRoot wire.Hash, err error) {
	p, err := v.checkpoint(height)
	if err != nil {
		return wire.Exec{}, wire.Hash{}, err
	}
	return p.exec(height), p.Data, nil
}

func (v *View) checkpoint(height uint64) (checkpoint, error) {
	b, err := v.snap.Get(numbered(atCheckpoint, height))
	switch {
	case err != nil:
		return checkpoint{}, err
	case b == nil:
		return checkpoint{}, wire.Faultf(wire.ErrNotFound, "state as of height %d is not kept; the tip is %d, and %d heights are",
			height, v.Height(), Kept)
	}
	return decodeCheckpoint(b)
}

// Prove returns the value a family's key had after the block of a height, nil if none, and
// the proof which smt.Verify accepts for ApplicationKey(family, key) against
// the StateRoot of that height's Exec. It carries ErrNotFound unless height is one
// of the last Kept.
func (v *View) Prove(height uint64, family string, key []byte) (value []byte, proof smt.Proof, err error) {
	p, err := v.checkpoint(height)
	if err != nil {
		return nil, smt.Proof{}, err
	}
	stateKey := appendStateKey(nil, family, key)
	hash := smt.KeyHash(applicationKey(stateKey))
	if value, err = valueAt(v.snap, v.Height(), height, stateKey, hash); err != nil {
		return nil, smt.Proof{}, fmt.Errorf("state of height %d: %w", height, err)
	}
	proof, proved, err := tree.Prove(pages{v.snap}, p.Tree, hash)
	if err != nil {
		return nil, smt.Proof{}, fmt.Errorf("state of height %d: %w", height, err)
	}
	want := wire.Hash{}
	if value != nil {
		want = smt.ValueHash(value)
	}
	if proved != want {
		return nil, smt.Proof{}, fmt.Errorf("state of height %d: the tree has another value than the store", height)
	}
	return value, proof, nil
}

// Retained is the outcome of a block that is not pruned yet, so that it can be
// handed to the archive again. It carries ErrNotFound otherwise.
func (v *View) Retained(height uint64) (*Outcome, error) {
	b, err := v.snap.Get(numbered(atOutcome, height))
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, wire.Faultf(wire.ErrNotFound, "the outcome of height %d is not kept", height)
	}
	return decodeOutcome(b)
}
