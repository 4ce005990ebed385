package archive

import (
	"fmt"

	"cloister/gate"
	"cloister/wire"
	"cloister/wire/archived"
	"cloister/wire/merkle"
	"cloister/wire/record"
)

// recentExecs is how many execution roots the tip remembers, so that checking
// a header does not have to read the index for them. Older ones are indexed
// long before: more than what can be queued and in work at a time.
const recentExecs = 256

// tip is the right edge of the chain: what the next block is checked against.
type tip struct {
	chain      wire.Hash
	height     uint64
	hash       wire.Hash
	timeMs     uint64
	execHeight uint64
	history    merkle.Range // header hashes of 0..height
	results    merkle.Range // results roots of 0..height
	execs      [recentExecs]wire.Hash
}

// block is a block taken apart once, on its way into the archive.
type block struct {
	height  uint64
	encoded []byte // archived.Block
	row     blockRow
	results wire.Hash // leaf of the results history
	// firstOfExec: no earlier header carries this execution height.
	firstOfExec bool
	// handover is the epoch whose end a sealed header vouches for, else 0.
	handover uint64
	txs      []transaction
	shown    Appended
}

// transaction is what the index needs of one.
type transaction struct {
	id    wire.Hash
	at    place
	ok    bool      // this occurrence had its effect
	once  bool      // and no earlier one can have had one: only reveals are taken again
	chain wire.Hash // zero unless it recorded an entry
	entry wire.Hash
}

// checked takes the block after the tip apart and holds it against everything
// its header commits to and the archive can compute. Only the state and the
// signatures are left for others to check. Errors are ErrRefused.
func (t *tip) checked(parts *archived.Block, execRoot func(height uint64) (wire.Hash, error)) (*block, error) {
	height := t.height + 1
	h, err := wire.DecodeHeader(parts.Header)
	if err != nil {
		return nil, refused(height, "%v", err)
	}
	if err := t.follows(h); err != nil {
		return nil, err
	}
	if len(parts.Seal) > 0 {
		if _, err := wire.DecodeSeal(parts.Seal); err != nil {
			return nil, refused(height, "%v", err)
		}
	}
	if h.ExecHeight > 0 {
		root, err := execRoot(h.ExecHeight)
		if err != nil {
			return nil, err
		}
		if root != h.ExecRoot {
			return nil, refused(height, "header commits to another execution of height %d", h.ExecHeight)
		}
	}
	b := &block{
		height: height, encoded: parts.Encode(),
		shown: Appended{Height: height, Sealed: len(parts.Seal) > 0, TimeMs: h.TimeMs},
		row: blockRow{
			header: uint32(len(parts.Header)), seal: uint32(len(parts.Seal)),
			hash: wire.HeaderHash(parts.Header), timeMs: h.TimeMs, execHeight: h.ExecHeight,
		},
	}
	b.row.size = uint32(len(b.encoded))
	if h.Flags&wire.FlagHandover != 0 && len(parts.Seal) > 0 {
		b.handover = h.Epoch
	}
	b.firstOfExec = h.ExecHeight > t.execHeight
	if err := b.takeApart(h, parts); err != nil {
		return nil, err
	}
	results := t.results
	results.Append(merkle.LeafHash(b.results[:]))
	if results.Root() != b.row.results {
		return nil, refused(height, "the results root is not that of the results up to here")
	}
	return b, nil
}

// follows checks a header's place in the chain.
func (t *tip) follows(h *wire.Header) error {
	height := t.height + 1
	switch {
	case h.Height != height:
		return refused(height, "header of height %d", h.Height)
	case h.ChainID != t.chain:
		return refused(height, "header of chain %s", h.ChainID)
	case h.Parent != t.hash:
		return refused(height, "parent is %s, the block before is %s", h.Parent, t.hash)
	case h.TimeMs <= t.timeMs:
		return refused(height, "block time does not advance")
	case h.HistoryRoot != t.history.Root():
		return refused(height, "history root is not that of the blocks before")
	case h.ExecHeight >= height || h.ExecHeight < t.execHeight:
		return refused(height, "execution height %d, that of the block before is %d", h.ExecHeight, t.execHeight)
	}
	return nil
}

// takeApart reads body and outcome and checks one against the other.
func (b *block) takeApart(h *wire.Header, parts *archived.Block) error {
	bodies, err := wire.DecodeList(parts.Body, wire.MaxBodyItems, wire.MaxTx)
	if err != nil {
		return refused(b.height, "body: %v", err)
	}
	var outcome wire.Outcome
	if err := wire.Unmarshal(parts.Outcome, &outcome, archived.MaxOutcome); err != nil {
		return refused(b.height, "outcome: %v", err)
	}
	results, err := wire.DecodeList(outcome.Results, wire.MaxBodyItems, wire.MaxResult)
	if err != nil {
		return refused(b.height, "results: %v", err)
	}
	switch {
	case outcome.Exec.Height != b.height:
		return refused(b.height, "outcome of height %d", outcome.Exec.Height)
	case len(bodies) != int(h.TxCount) || len(results) != len(bodies):
		return refused(b.height, "header counts %d transactions, body has %d, outcome %d results", h.TxCount, len(bodies), len(results))
	}
	txAt, resultAt := offsets(parts, bodies, results)
	var txTree, resultTree merkle.Range
	b.txs = make([]transaction, len(bodies))
	b.shown.Results = make([]wire.Result, len(bodies))
	for i := range bodies {
		txTree.Append(merkle.LeafHash(bodies[i]))
		resultTree.Append(merkle.LeafHash(results[i]))
		t := &b.txs[i]
		t.at = place{b.height, uint32(i), txAt[i], uint32(len(bodies[i])), resultAt[i], uint32(len(results[i]))}
		if err := t.read(bodies[i], results[i], &b.shown.Results[i]); err != nil {
			return fmt.Errorf("%w: height %d: transaction %d: %w", ErrRefused, b.height, i, err)
		}
	}
	if txTree.Root() != h.TxRoot {
		return refused(b.height, "body is not the one its header commits to")
	}
	b.results = resultTree.Root()
	b.row.state, b.row.results = outcome.Exec.StateRoot, outcome.Exec.ResultsRoot
	return nil
}

// read decodes one transaction and its result. Only what execution accepted
// recorded an entry.
func (t *transaction) read(body, result []byte, r *wire.Result) error {
	tx, err := wire.DecodeTx(body)
	if err != nil {
		return err
	}
	decoded, err := wire.DecodeResult(result)
	if err != nil {
		return err
	}
	*r, t.id = *decoded, tx.ID()
	if r.TxID != t.id {
		return wire.Faultf(wire.ErrMalformed, "its result is that of %s", r.TxID)
	}
	t.ok = r.Code == wire.OK
	t.once = t.ok
	if tx.Family != record.Name || !t.ok {
		return nil
	}
	p, err := record.Decode(tx.Payload)
	if err != nil {
		return err
	}
	if p.Entry != nil { // a commit alone pays for an entry and shows none
		t.chain, t.entry = p.Entry.ChainID, p.Hash
		t.once = p.Kind != record.KindReveal
	}
	return nil
}

// offsets says where each transaction and each result begins within the
// encoding of the block. Heads of CBOR strings are in their shortest form, so
// their sizes follow from the lengths.
func offsets(parts *archived.Block, txs, results [][]byte) (tx, result []uint32) {
	body := bodyAt(parts.Header, parts.Seal, parts.Body)
	outcome := body + len(parts.Body) + headSize(len(parts.Outcome))
	tx, _ = listOffsets(body, txs)
	result, size := listOffsets(0, results)
	// The list of results is the last thing in the outcome.
	shift := uint32(outcome + len(parts.Outcome) - size)
	for i := range result {
		result[i] += shift
	}
	return tx, result
}

// listOffsets gives where the items of a list that begins at start lie, and
// the list's size.
func listOffsets(start int, items [][]byte) (at []uint32, size int) {
	at = make([]uint32, len(items))
	next := start + headSize(len(items))
	for i, it := range items {
		next += headSize(len(it))
		at[i] = uint32(next)
		next += len(it)
	}
	return at, next - start
}

func stringSize(b []byte) int { return headSize(len(b)) + len(b) }

// headSize is the size of a CBOR head for a length.
func headSize(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	}
	return 5
}

// advance makes b the tip.
func (t *tip) advance(b *block) {
	t.height, t.hash, t.timeMs, t.execHeight = b.height, b.row.hash, b.row.timeMs, b.row.execHeight
	t.history.Append(merkle.LeafHash(b.row.hash[:]))
	t.results.Append(merkle.LeafHash(b.results[:]))
	exec := b.row.exec(b.height)
	t.execs[b.height%recentExecs] = exec.Root()
}

// genesisBlock is block 0, which follows from the genesis file.
func genesisBlock(g *wire.Genesis) *block {
	h := g.Header()
	parts := &archived.Block{Header: wire.Marshal(h), Body: wire.EncodeList(nil)}
	b := &block{encoded: parts.Encode(), results: merkle.EmptyRoot, shown: Appended{TimeMs: h.TimeMs}}
	b.row = blockRow{size: uint32(len(b.encoded)), header: uint32(len(parts.Header)), hash: h.Hash(), timeMs: h.TimeMs}
	b.row.results = merkle.Root([]wire.Hash{merkle.LeafHash(b.results[:])})
	return b
}

// tipOf is the tip after block 0.
func tipOf(chain wire.Hash, genesis *block) *tip {
	t := &tip{chain: chain}
	t.advance(genesis)
	return t
}

// parts splits what the core published. Errors are ErrRefused.
func parts(f *gate.Final) (*archived.Block, error) {
	p := &archived.Block{Header: f.Header, Seal: f.Seal, Body: f.Body, Outcome: f.Results}
	if err := p.Check(); err != nil {
		return nil, refused(f.Height, "%v", err)
	}
	return p, nil
}
