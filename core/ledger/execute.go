package ledger

import (
	"fmt"
	"runtime/debug"

	"cloister/core/ledger/store"
	"cloister/core/ledger/tree"
	"cloister/wire"
	"cloister/wire/merkle"
)

// Execute carries out the block above the tip, whose body and signatures were
// checked (CheckBody, CheckTxs). It returns when state shows the block; it is
// durable after the next Flush.
//
// An error means that the block does not belong here, or that the node is
// broken. Either way the store is unchanged and the Ledger of no more use.
func (l *Ledger) Execute(b *wire.Block) (done *Executed, err error) {
	if err := l.failed(); err != nil {
		return nil, err
	}
	parent, parentHash := l.tip.Header, l.tip.Header.Hash()
	h := b.Header
	p := newPass(l.rules, l.store, h.Height, h.TimeMs, h.Epoch)
	defer l.guard(p, &err)
	switch {
	case h.Height != parent.Height+1 || h.Parent != parentHash:
		return nil, fmt.Errorf("executing height %d on %s: the tip is height %d, %s", h.Height, h.Parent, parent.Height, parentHash)
	case h.TimeMs <= parent.TimeMs:
		// Expired replay ids are dropped by block time, so it must not go back.
		return nil, fmt.Errorf("executing height %d: time %d is not after its parent's %d", h.Height, h.TimeMs, parent.TimeMs)
	}
	raws, err := wire.DecodeList(b.Body, wire.MaxBodyItems, wire.MaxTx)
	if err != nil {
		return nil, fmt.Errorf("executing height %d: unchecked body: %w", h.Height, err)
	}
	hash := h.Hash()
	if err := p.open(h, hash); err != nil {
		return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
	}
	p.over.spent = len(b.Body) // kept with the outcome
	results := make([][]byte, len(raws))
	for i, raw := range raws {
		result, err := p.take(raw)
		if err != nil {
			return nil, fmt.Errorf("executing height %d: item %d: %w", h.Height, i, err)
		}
		results[i] = result.Bytes()
	}
	return l.commit(h, b.Body, p, results)
}

// take runs one encoded transaction of a checked block.
func (p *pass) take(raw []byte) (*wire.Result, error) {
	r := new(Request)
	if err := r.decode(raw); err != nil {
		return nil, fmt.Errorf("unchecked transaction: %w", err)
	}
	if err := r.examine(p.chainID, p.families); err != nil {
		// A check that was stricter when the block was made; the same for all.
		code, fatal := refusal(err)
		return &wire.Result{TxID: r.ID, Code: code}, fatal
	}
	result, err := p.run(r)
	if err != nil {
		return nil, fmt.Errorf("family %s, transaction %s: %w", r.Tx.Family, r.ID, err)
	}
	return result, nil
}

// guard turns a panic of a family into an error, and any error of the function
// that defers it into the end of this ledger.
func (l *Ledger) guard(p *pass, err *error) {
	if caught := recover(); caught != nil {
		what := "genesis"
		if p != nil && p.current != nil {
			what = fmt.Sprintf("height %d, family %s, transaction %s", p.height, p.current.Tx.Family, p.current.ID)
		} else if p != nil {
			what = fmt.Sprintf("height %d", p.height)
		}
		*err = fmt.Errorf("executing %s: panic: %v\n%s", what, caught, debug.Stack())
	}
	if *err != nil {
		l.fail(*err)
	}
}

// commit closes a block: it computes the roots and applies the batch.
func (l *Ledger) commit(h *wire.Header, body []byte, p *pass, results [][]byte) (*Executed, error) {
	next := &record{Header: h}
	if l.tip != nil {
		*next = *l.tip
		next.Header = h
	}
	hash := h.Hash()
	if h.Height > 0 {
		if err := p.close(h, hash); err != nil {
			return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
		}
	}
	roster, err := p.roster()
	if err != nil {
		return nil, fmt.Errorf("executing height %d: roster: %w", h.Height, err)
	}
	next.Roster = roster
	if next.DueMs, err = p.due(); err != nil {
		return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
	}
	next.History.Append(merkle.LeafHash(hash[:]))
	root := resultsRoot(results)
	next.Results.Append(merkle.LeafHash(root[:]))
	for _, leaf := range p.leaves {
		next.Data.Append(leaf)
	}

	writes, aside := p.over.writes()
	changes := make([]tree.Change, len(writes))
	for i := range writes {
		changes[i] = writes[i].change
	}
	var pagesNew []tree.KV
	var stale [][]byte
	next.Tree, pagesNew, stale, err = tree.Update(pages{l.store}, next.Tree, h.Height, changes)
	if err != nil {
		return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
	}

	tip := next.tip()
	b := store.NewBatch(3*len(writes) + len(aside) + 2*len(pagesNew) + len(p.replays) + 16)
	for _, d := range p.drops {
		b.DeleteRange(d.lo, d.hi)
	}
	addAside(b, aside)
	addState(b, h.Height, writes)
	for _, kv := range pagesNew {
		b.Set(pageKey(kv.Key), kv.Value)
	}
	for i := range p.replays {
		b.Set(p.replays[i].key, []byte{1})
	}
	addRetention(b, h.Height, next, stale)
	b.Set(numbered(atOutcome, h.Height), encodeOutcome(&Outcome{h, body, tip.Exec, results, p.leaves}))
	b.Set([]byte{atTip}, wire.Marshal(next))
	b.Set(numbered(atHash, h.Height), hash[:])
	if err := l.expire(b, h); err != nil {
		return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
	}
	if err := l.apply(b, next); err != nil {
		return nil, fmt.Errorf("executing height %d: %w", h.Height, err)
	}
	return &Executed{Tip: *tip, Results: results, Entries: p.leaves}, nil
}

// apply moves store and tip together, as seen by View.
func (l *Ledger) apply(b *store.Batch, next *record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.store.Apply(next.Header.Height, b); err != nil {
		return err
	}
	l.tip = next
	return nil
}

// resultsRoot is the root over one block's results.
func resultsRoot(results [][]byte) wire.Hash {
	var r merkle.Range
	for _, result := range results {
		r.Append(merkle.LeafHash(result))
	}
	return r.Root()
}

// addAside writes unproved state, which nobody asks for as of an older height.
func addAside(b *store.Batch, cells []*cell) {
	for _, c := range cells {
		if c.now.absent() {
			b.Delete(c.key)
		} else {
			b.Set(c.key, c.now.bytes())
		}
	}
}

// addState writes new values, and the old ones as undo entries.
func addState(b *store.Batch, height uint64, writes []write) {
	keys := make([]byte, 0, len(writes)*undoKeySize)
	for i := range writes {
		w := &writes[i]
		if w.now.absent() {
			b.Delete(w.key)
		} else {
			b.Set(w.key, w.now.bytes())
		}
		if height == 0 {
			continue // nothing was before
		}
		start := len(keys)
		keys = appendUndoKey(keys, height/undoSpan, w.change.Key, height)
		b.Set(keys[start:len(keys):len(keys)], encodeUndo(w.before))
	}
}
