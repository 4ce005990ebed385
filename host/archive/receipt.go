package archive

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/merkle"
	"cloister/wire/receipt"
)

// Receipt makes the receipt file of a recorded transaction, as package
// wire/receipt verifies it: an ordered one as soon as the block is sealed or
// covered, an executed one as soon as a header that commits to the block's
// execution is. Errors: ErrNotFound; ErrNotCovered before that; ErrCorrupt.
//
// Who the members of later epochs are, the archive does not know: whoever asks
// adds Handovers.
func (a *Archive) Receipt(tx wire.Hash, kind receipt.Kind) (*receipt.Receipt, error) {
	return caughtUp(a, func() (*receipt.Receipt, error) { return a.receipt(tx, kind) })
}

func (a *Archive) receipt(tx wire.Hash, kind receipt.Kind) (*receipt.Receipt, error) {
	if kind != receipt.Ordered && kind != receipt.Executed {
		return nil, wire.Faultf(wire.ErrBadRequest, "receipt of kind %q: kinds are %s and %s", kind, receipt.Ordered, receipt.Executed)
	}
	at, err := a.placeOf(tx)
	if err != nil {
		return nil, err
	}
	// The newest seal decides whether there is a proof; then the block is read.
	commits := at.height
	if kind == receipt.Executed {
		if commits, err = a.commitsTo(at.height); err != nil {
			return nil, err
		}
	}
	sealed, err := a.sealedFrom(commits)
	if err != nil {
		return nil, err
	}
	r, results, err := a.ordered(at, sealed)
	if err != nil {
		return nil, fmt.Errorf("receipt of %s: %w", tx, err)
	}
	if kind == receipt.Executed {
		if r.Execution, err = a.execution(at, results, commits, sealed); err != nil {
			return nil, fmt.Errorf("receipt of %s: %w", tx, err)
		}
	}
	return r, nil
}

// Handover is the newest block of an epoch that vouches for the members of the
// next: its header and its own seal. Errors: ErrNotFound while there is none.
func (a *Archive) Handover(epoch uint64) (header, seal []byte, err error) {
	v, found, err := a.index.rows.Get(numberKey(tableHandover, epoch))
	switch {
	case err != nil:
		return nil, nil, err
	case !found || len(v) != 8:
		return nil, nil, wire.Faultf(wire.ErrNotFound, "epoch %d was not handed over", epoch)
	}
	h, err := a.Header(number(v))
	if err != nil {
		return nil, nil, err
	}
	return h.Header, h.Seal, nil
}

// commitsTo is the first header that commits to the execution of a block.
func (a *Archive) commitsTo(height uint64) (uint64, error) {
	_, v, found, err := a.index.first(tableExec, height)
	switch {
	case err != nil:
		return 0, err
	case !found || len(v) != 8 || number(v) > a.Height():
		return 0, wire.Faultf(wire.ErrNotCovered, "no header commits to the execution of block %d yet", height)
	}
	return number(v), nil
}

// ordered proves the transaction's place under the seal of height sealed. It
// also gives the block's results, encoded.
func (a *Archive) ordered(at place, sealed uint64) (*receipt.Receipt, [][]byte, error) {
	b, err := a.Block(at.height)
	if err != nil {
		return nil, nil, err
	}
	txs, err := wire.DecodeList(b.Body, wire.MaxBodyItems, wire.MaxTx)
	if err != nil || int(at.index) >= len(txs) {
		return nil, nil, corrupt("index", "transaction %d of block %d: %v", at.index, at.height, err)
	}
	var outcome wire.Outcome
	if err := wire.Unmarshal(b.Outcome, &outcome, archived.MaxOutcome); err != nil {
		return nil, nil, fmt.Errorf("%w: block %d: %w", ErrCorrupt, at.height, err)
	}
	results, err := wire.DecodeList(outcome.Results, wire.MaxBodyItems, wire.MaxResult)
	if err != nil || len(results) != len(txs) {
		return nil, nil, corrupt("blocks", "%d results of block %d: %v", len(results), at.height, err)
	}
	r := &receipt.Receipt{
		Version: receipt.Version, ChainID: a.chain, Policy: receipt.PolicyOf(a.genesis),
		Tx: txs[at.index], Index: at.index, TxPath: merkle.Path(leaves(txs), int(at.index)),
		Header: b.Header, Seal: b.Seal,
	}
	if sealed == at.height {
		return r, results, nil
	}
	cover, err := a.Header(sealed)
	if err != nil {
		return nil, nil, err
	}
	path, err := a.Inclusion(at.height, sealed)
	r.Cover, r.Seal = &receipt.Cover{Header: cover.Header, Path: path}, cover.Seal
	return r, results, err
}

// execution proves the result by the header of height commits.
func (a *Archive) execution(at place, results [][]byte, commits, sealed uint64) (*receipt.Execution, error) {
	row, err := a.row(commits)
	if err != nil {
		return nil, err
	}
	executed, err := a.row(row.execHeight)
	if err != nil {
		return nil, err
	}
	path, err := a.proved(merkle.InclusionProof(a.index.tiles(tableResults), at.height, row.execHeight+1))
	if err != nil {
		return nil, err
	}
	tree := leaves(results)
	e := &receipt.Execution{
		Result: results[at.index], ResultPath: merkle.Path(tree, int(at.index)),
		BlockRoot: merkle.Root(tree), BlockPath: path,
		Exec: receipt.Exec{Height: row.execHeight, StateRoot: executed.state, ResultsRoot: executed.results},
	}
	if commits == sealed {
		return e, nil
	}
	h, err := a.sealedHeader(row)
	if err != nil {
		return nil, err
	}
	history, err := a.Inclusion(commits, sealed)
	e.Commitment = &receipt.Commitment{Header: h.Header, Path: history}
	return e, err
}

func leaves(items [][]byte) []wire.Hash {
	hashes := make([]wire.Hash, len(items))
	for i, it := range items {
		hashes[i] = merkle.LeafHash(it)
	}
	return hashes
}
