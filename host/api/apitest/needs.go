package apitest

import (
	"context"
	"slices"

	"cloister/host/api"
	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/merkle"
	"cloister/wire/query"
	"cloister/wire/receipt"
)

var (
	_ api.Submitter = (*Ledger)(nil)
	_ api.Queries   = (*Ledger)(nil)
	_ api.Core      = (*Ledger)(nil)
	_ api.Archive   = (*Ledger)(nil)
)

// Submit implements api.Submitter.
func (l *Ledger) Submit(_ context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.submits = append(l.submits, len(txs))
	if err := l.usable(); err != nil {
		return nil, err
	}
	items := make([]api.SubmitItem, len(txs))
	for i, raw := range txs {
		tx, err := wire.DecodeTx(raw)
		if err != nil {
			items[i].Code = wire.ErrMalformed
			continue
		}
		id := tx.ID()
		items[i].TxID = id
		switch {
		case tx.ChainID != l.Genesis.ChainID():
			items[i].Code = wire.ErrWrongChain
		case l.pooled[id] || l.txs[id] != nil && !(tx.Carries() && l.txs[id].Result.Code != wire.OK):
			// What was refused may come again if it is a message with its own
			// signatures: a reveal before its commit.
			items[i].Code = wire.ErrReplayed
		case l.admit != nil:
			items[i].Code = l.admit(tx)
		}
		if items[i].Code == wire.OK {
			l.pooled[id] = true
			l.pool = append(l.pool, slices.Clone(raw))
		}
	}
	if !l.manual && len(l.pool) > 0 {
		l.append(true)
	}
	return items, nil
}

func (l *Ledger) usable() error {
	if l.down != nil {
		return l.down
	}
	return l.batch
}

// Query implements api.Queries.
func (l *Ledger) Query(_ context.Context, kind uint16, body []byte) ([]byte, error) {
	if err := l.Ready(); err != nil {
		return nil, err
	}
	switch kind {
	case query.KindStatus:
		return (&query.Status{
			Version: "test", ChainID: l.Genesis.ChainID(), Node: wire.NodeIDOf(l.Keys[0].Public()), Role: "voter",
			Engine: "raft", Restart: "trust-disk", Mode: "new", Simulated: true, DevSealKey: true,
			Height: l.Told(), Sealed: l.Sealed(),
			Peers: []query.Peer{{ID: wire.Hash{1}, Slot: 2, Connected: true}},
		}).Encode(), nil
	case query.KindState:
		r, err := query.DecodeStateRequest(body)
		if err != nil {
			return nil, err
		}
		s, err := l.State(r)
		if err != nil {
			return nil, err
		}
		return s.Encode(), nil
	}
	return nil, wire.Faultf(wire.ErrBadRequest, "query kind %d", kind)
}

// Ready implements api.Core.
func (l *Ledger) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// Restarts implements api.Core.
func (l *Ledger) Restarts() uint64 { return 2 }

// Height implements api.Archive.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown
}

// Sealed implements api.Archive.
func (l *Ledger) Sealed() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed(l.shown)
}

// Block implements api.Archive.
func (l *Ledger) Block(height uint64) (*archive.Block, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if height > l.shown {
		return nil, wire.Faultf(wire.ErrNotFound, "block %d is not there", height)
	}
	b := l.blocks[height].Block
	return &b, nil
}

// Header implements api.Archive.
func (l *Ledger) Header(height uint64) (*archive.SealedHeader, error) {
	b, err := l.Block(height)
	if err != nil {
		return nil, err
	}
	return &b.SealedHeader, nil
}

// SealedFrom implements api.Archive.
func (l *Ledger) SealedFrom(height uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := height; h <= l.shown; h++ {
		if len(l.blocks[h].Seal) > 0 {
			return h, nil
		}
	}
	return 0, wire.Faultf(wire.ErrNotCovered, "no seal covers block %d", height)
}

// HeightOf implements api.Archive.
func (l *Ledger) HeightOf(hash wire.Hash) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for h, b := range l.blocks[:l.shown+1] {
		if b.Hash == hash {
			return uint64(h), nil
		}
	}
	return 0, wire.Faultf(wire.ErrNotFound, "no block %s", hash)
}

// Transaction implements api.Archive.
func (l *Ledger) Transaction(id wire.Hash) (*archive.Transaction, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tx := l.txs[id]; tx != nil && tx.Height <= l.shown {
		return tx, nil
	}
	return nil, wire.Faultf(wire.ErrNotFound, "no transaction %s", id)
}

// Entry implements api.Archive.
func (l *Ledger) Entry(hash wire.Hash) (*archive.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.firsts[hash]; e != nil && e.Height <= l.shown {
		return e, nil
	}
	return nil, wire.Faultf(wire.ErrNotFound, "no entry %s", hash)
}

// Chain implements api.Archive.
func (l *Ledger) Chain(id wire.Hash) (*archive.Chain, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.visible(id)
	if len(list) == 0 {
		return nil, wire.Faultf(wire.ErrUnknownChain, "no chain %s", id)
	}
	c := fold(list)
	return &archive.Chain{ID: id, Entries: c.Entries, Head: c.Head, Created: c.Created, Updated: c.Updated}, nil
}

// Entries implements api.Archive.
func (l *Ledger) Entries(chain wire.Hash, from uint64, limit int, bytes bool) ([]archive.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.visible(chain)
	if len(list) == 0 {
		return nil, wire.Faultf(wire.ErrUnknownChain, "no chain %s", chain)
	}
	list = list[min(from, uint64(len(list))):]
	list = list[:min(limit, len(list))]
	for i := range list {
		if !bytes {
			list[i].Bytes = nil
		}
	}
	return list, nil
}

// Inclusion implements api.Archive.
func (l *Ledger) Inclusion(height, size uint64) ([]wire.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return merkle.Path(l.headerLeaves()[:size], int(height)), nil
}

// Consistency implements api.Archive.
func (l *Ledger) Consistency(from, to uint64) ([]wire.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from > to || to > l.shown+1 {
		return nil, wire.Faultf(wire.ErrBadRequest, "histories of %d and %d", from, to)
	}
	return consistency(l.headerLeaves()[:to], int(from), true), nil
}

// consistency is SUBPROOF of RFC 6962 §2.1.2.
func consistency(list []wire.Hash, m int, whole bool) []wire.Hash {
	n := len(list)
	switch {
	case m == 0 || m == n && whole:
		return nil
	case m == n:
		return []wire.Hash{merkle.Root(list)}
	}
	k := 1
	for k*2 < n {
		k *= 2
	}
	if m <= k {
		return append(consistency(list[:k], m, whole), merkle.Root(list[k:]))
	}
	return append(consistency(list[k:], m-k, false), merkle.Root(list[:k]))
}

// Handover implements api.Archive: the members of these ledgers never change.
func (l *Ledger) Handover(epoch uint64) (header, seal []byte, err error) {
	return nil, nil, wire.Faultf(wire.ErrNotFound, "epoch %d was not handed over", epoch)
}

// Receipt implements api.Archive.
func (l *Ledger) Receipt(id wire.Hash, kind receipt.Kind) (*receipt.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx := l.txs[id]
	if tx == nil || tx.Height > l.shown {
		return nil, wire.Faultf(wire.ErrNotFound, "no transaction %s", id)
	}
	b, seal := l.blocks[tx.Height], l.blocks[l.sealed(l.shown)]
	if seal.Height < b.Height || kind == receipt.Executed && seal.header.ExecHeight < b.Height {
		return nil, wire.Faultf(wire.ErrNotCovered, "block %d", b.Height)
	}
	r := &receipt.Receipt{
		Version: receipt.Version, ChainID: l.Genesis.ChainID(), Policy: receipt.PolicyOf(l.Genesis),
		Tx: tx.Bytes, Index: tx.Index, TxPath: merkle.Path(leaves(b.txs), int(tx.Index)),
		Header: b.Header, Seal: seal.Block.Seal,
	}
	if seal.Height > b.Height {
		r.Cover = &receipt.Cover{Header: seal.Header, Path: merkle.Path(l.headerLeaves()[:seal.Height], int(b.Height))}
	}
	if kind != receipt.Executed {
		return r, nil
	}
	after := l.blocks[seal.header.ExecHeight]
	var roots []wire.Hash
	for _, old := range l.blocks[:after.Height+1] {
		root := merkle.Root(leaves(old.results))
		roots = append(roots, merkle.LeafHash(root[:]))
	}
	r.Execution = &receipt.Execution{
		Result: b.results[tx.Index], ResultPath: merkle.Path(leaves(b.results), int(tx.Index)),
		BlockRoot: merkle.Root(leaves(b.results)), BlockPath: merkle.Path(roots, int(b.Height)),
		Exec: receipt.Exec{Height: after.exec.Height, StateRoot: after.exec.StateRoot, ResultsRoot: after.exec.ResultsRoot},
	}
	return r, nil
}

// visible is the entries of a chain that reads see. mu is held.
func (l *Ledger) visible(chain wire.Hash) (list []archive.Entry) {
	for _, e := range l.chains[chain] {
		if e.Height <= l.shown {
			list = append(list, e)
		}
	}
	return list
}

// Settle implements api.Archive.
func (l *Ledger) Settle(height uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = max(l.shown, min(height, l.newest()))
	return nil
}

// Watch implements api.Archive.
func (l *Ledger) Watch(f func(archive.Appended)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = l.newest() // what was told to others only is visible
	l.watched++
	id := l.watched
	l.watchers[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, id)
	}
}
