package directory

import (
	"crypto/sha256"

	"cloister/host/api/factom"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
)

// maxSearches bounds receipts made at a time out of entry blocks that are in
// pieces, through which an entry has to be looked for.
const maxSearches = 2

// Receipt implements factom.Source. It needs a few pieces of the two blocks, not
// the whole of them.
func (x *Index) Receipt(entry wire.Hash) (*wirefactom.Receipt, error) {
	e, err := x.Entry(entry)
	if err != nil {
		return nil, err
	}
	if !e.Closed {
		return nil, wire.Faultf(wire.ErrNotCovered, "entry %s is in directory block %d, which is not closed yet", entry, e.Height)
	}
	path, err := x.entryPath(e)
	if err != nil {
		return nil, err
	}
	above, err := x.directoryPath(e)
	if err != nil {
		return nil, err
	}
	path = append(append(path, over(e.Chain, e.Block)), above...)
	if got := path[len(path)-1].Top; got != e.Directory {
		return nil, corrupt("the path of entry %s ends in %s, not in directory block %s", entry, got, e.Directory)
	}
	return &wirefactom.Receipt{
		Entry: wirefactom.ReceiptEntry{
			Raw: e.Raw, EntryHash: entry,
			Timestamp: int64((e.OpenedMs + uint64(e.Minute)*x.calendar.periodMs/10) / 1000),
		},
		MerkleBranch: path, EntryBlockKeyMR: e.Block, DirectoryBlockKeyMR: e.Directory, DirectoryBlockHeight: e.Height,
	}, nil
}

// entryPath leads from the entry to its block's key.
func (x *Index) entryPath(e *factom.Entry) ([]wirefactom.Step, error) {
	r, err := x.ownBlock(e.Block)
	if err != nil {
		return nil, err
	}
	if r.body == nil {
		x.searches <- struct{}{}
		defer func() { <-x.searches }()
	}
	o, err := r.findHash(x.store, e.Hash)
	if err != nil {
		return nil, err
	}
	return r.path(x.store, o, hashSize)
}

// directoryPath leads from the entry block's pair to the directory block's key.
func (x *Index) directoryPath(e *factom.Entry) ([]wirefactom.Step, error) {
	r, err := x.ownBlock(e.Directory)
	if err != nil {
		return nil, err
	}
	o, err := r.findPair(x.store, wirefactom.Pair{ChainID: e.Chain, Key: e.Block})
	if err != nil {
		return nil, err
	}
	return r.path(x.store, o, pairSize)
}

// path is a branch and the step over the header.
func (r *blockRow) path(s *store, o object, size int) ([]wirefactom.Step, error) {
	path, err := r.branch(s, o, size)
	if err != nil {
		return nil, err
	}
	root := leavesOf(o.piece, size)[o.at]
	if len(path) > 0 {
		root = path[len(path)-1].Top
	}
	return append(path, over(sha256.Sum256(r.header), root)), nil
}

// ownBlock reads the row of a block that has to be there.
func (x *Index) ownBlock(key wire.Hash) (blockRow, error) {
	r, found, err := row(x.store, hashKey(tableBlock, key), decodeBlockRow)
	if err == nil && !found {
		err = corrupt("the index has no row of block %s", key)
	}
	return r, err
}
