package factom

import (
	"slices"

	"cloister/wire"
)

// MaxReceipt is the most bytes of a receipt's JSON: the largest entry and the
// longest path, with room for indentation.
const MaxReceipt = 64 << 10

// Bounds of a receipt's path. A header counts objects in 32 bits, so neither
// branch is longer than 32 steps. The shortest has one step in the entry block
// (an entry and its marker) and two in the directory block (three reserved
// chains and its own).
const (
	maxBranch          = 32
	minEntryBranch     = 1
	minDirectoryBranch = 2
	minPath            = minEntryBranch + 1 + 1 + minDirectoryBranch + 1
	maxPath            = maxBranch + 1 + 1 + maxBranch + 1
)

// Receipt proves that a directory block holds an entry, in the JSON form that
// factomd's method "receipt" gives (specification §12, §15). As there, a zero
// timestamp or height is left out.
//
// The path proves neither Timestamp nor DirectoryBlockHeight. The height is in
// the directory block's header: CheckHeader.
type Receipt struct {
	Entry                ReceiptEntry `json:"entry"`
	MerkleBranch         []Step       `json:"merklebranch"`
	EntryBlockKeyMR      wire.Hash    `json:"entryblockkeymr"`
	DirectoryBlockKeyMR  wire.Hash    `json:"directoryblockkeymr"`
	DirectoryBlockHeight uint32       `json:"directoryblockheight,omitempty"`
}

// ReceiptEntry is what a receipt is about.
type ReceiptEntry struct {
	Raw       wire.Hex  `json:"raw,omitempty"` // the entry's bytes
	EntryHash wire.Hash `json:"entryhash"`
	Timestamp int64     `json:"timestamp,omitempty"` // seconds since 1970-01-01 UTC
}

// Proved is what a verified receipt proves, if the directory block of its KeyMR
// is the ledger's: by an anchor, by signatures, or by a trusted copy.
type Proved struct {
	Entry               *Entry // nil if the receipt has no raw entry
	EntryHash           wire.Hash
	ChainID             wire.Hash
	EntryBlockKeyMR     wire.Hash
	DirectoryBlockKeyMR wire.Hash
	Position            uint64 // of the entry block in the directory block's body

	// Path, cut into its parts. The entry block's header step and the leaf
	// step stand between the two branches.
	EntryBranch     []Step // from the entry hash to the entry block's BodyMR
	EntryHeader     Step   // entry block header hash, BodyMR → entry block KeyMR
	Leaf            Step   // chain id, entry block KeyMR → leaf
	DirectoryBranch []Step // from the leaf to the directory block's BodyMR
	DirectoryHeader Step   // directory block header hash, BodyMR → directory block KeyMR
}

// BuildReceipt makes the receipt of an entry, with its bytes, out of the two
// blocks that hold it. The timestamp is the directory block's opening plus 60 s
// per minute, as factomd's clients expect; a network with another period sets
// its own. Errors carry those of ParseEntry, or ErrReceiptInvalid: the entry is
// not in the block, or the block not in the directory.
func BuildReceipt(entry []byte, block *EntryBlock, directory *DirectoryBlock) (*Receipt, error) {
	if _, err := ParseEntry(entry); err != nil {
		return nil, err
	}
	hash, key := EntryHash(entry), block.KeyMR()
	inBlock := slices.Index(block.Body, hash)
	if inBlock < 0 {
		return nil, unproved("entry %s is not in entry block %s", hash, key)
	}
	inDirectory := slices.Index(directory.Body, Pair{block.Header.ChainID, key})
	if inDirectory < 0 {
		return nil, unproved("entry block %s is not in directory block %s", key, directory.KeyMR())
	}
	minute := block.Body[inBlock+slices.IndexFunc(block.Body[inBlock:], IsMinuteMarker)][31]
	steps := MerkleBranch(block.Body, inBlock)
	steps = append(steps, newStep(block.Header.Hash(), block.Header.BodyMR), newStep(block.Header.ChainID, key))
	steps = append(steps, MerkleBranch(directory.Leaves(), inDirectory)...)
	steps = append(steps, newStep(directory.Header.Hash(), directory.Header.BodyMR))
	return &Receipt{
		Entry: ReceiptEntry{
			Raw: entry, EntryHash: hash,
			Timestamp: 60 * (int64(directory.Header.Minutes) + int64(minute)),
		},
		MerkleBranch: steps, EntryBlockKeyMR: key, DirectoryBlockKeyMR: directory.KeyMR(),
		DirectoryBlockHeight: directory.Header.Height,
	}, nil
}

// JSON is the receipt as people keep it.
func (r *Receipt) JSON() []byte { return wire.EncodeJSON(r) }

// ParseReceipt reads a receipt's JSON strictly: it may differ from its own
// rendering only in white space between tokens. It verifies nothing. Errors
// carry ErrReceiptInvalid.
func ParseReceipt(text []byte) (*Receipt, error) {
	r := new(Receipt)
	if err := wire.DecodeJSON(text, r, MaxReceipt); err != nil {
		return nil, unproved("%v", err)
	}
	return r, nil
}

// Verify checks every step of the path and what stands at which place, and
// returns what it proves. Errors carry ErrReceiptInvalid.
//
// A tree does not tell leaves from nodes, so a path alone could start anywhere
// and be cut anywhere. Each rule closes a way to pass off something else:
//
//   - every step hashes to its top, and the one before is one of its sides: no
//     entry hash or piece of path can be exchanged;
//   - the entry block's KeyMR is a top, the right side of the next step, whose
//     left side is the chain id, and the directory block's KeyMR is the last
//     top; both are reached over their header, from the right;
//   - the leaf is none of the directory's reserved chains, by name and place;
//   - a raw entry must hash to the entry hash and name that chain. Without one,
//     the entry hash must not be a minute marker; that it is an entry's and not
//     an inner node is then for the caller to know.
func (r *Receipt) Verify() (*Proved, error) {
	p := &Proved{EntryHash: r.Entry.EntryHash, EntryBlockKeyMR: r.EntryBlockKeyMR, DirectoryBlockKeyMR: r.DirectoryBlockKeyMR}
	if err := r.connect(); err != nil {
		return nil, err
	}
	if err := p.cut(r.MerkleBranch); err != nil {
		return nil, err
	}
	if IsMinuteMarker(p.EntryHash) || p.EntryHash.IsZero() {
		return nil, unproved("%s is a minute marker, no entry", p.EntryHash)
	}
	if len(r.Entry.Raw) == 0 {
		return p, nil
	}
	e, err := ParseEntry(r.Entry.Raw)
	switch {
	case err != nil:
		return nil, unproved("raw entry: %v", err)
	case EntryHash(r.Entry.Raw) != p.EntryHash:
		return nil, unproved("the raw entry has hash %s, not %s", EntryHash(r.Entry.Raw), p.EntryHash)
	case e.ChainID != p.ChainID:
		return nil, unproved("the raw entry is of chain %s, the path of %s", e.ChainID, p.ChainID)
	}
	p.Entry = e
	return p, nil
}

// connect checks that the path leads from the entry hash to the directory
// block's KeyMR.
func (r *Receipt) connect() error {
	if n := len(r.MerkleBranch); n < minPath || n > maxPath {
		return unproved("path of %d steps, between %d and %d make a receipt", n, minPath, maxPath)
	}
	at := r.Entry.EntryHash
	for i, s := range r.MerkleBranch {
		switch {
		case at != s.Left && at != s.Right:
			return unproved("step %d does not connect to %s", i+1, at)
		case s.Top != node(s.Left, s.Right):
			return unproved("step %d has a top that is not the hash of its sides", i+1)
		}
		at = s.Top
	}
	if at != r.DirectoryBlockKeyMR {
		return unproved("the path ends in %s, not in directory block %s", at, r.DirectoryBlockKeyMR)
	}
	return nil
}

// cut finds the parts of a connected path.
func (p *Proved) cut(path []Step) error {
	header := slices.IndexFunc(path, func(s Step) bool { return s.Top == p.EntryBlockKeyMR })
	switch {
	case header < 0:
		return unproved("the path does not pass entry block %s", p.EntryBlockKeyMR)
	case header < minEntryBranch || header > maxBranch:
		return unproved("%d steps lead to the header of the entry block", header)
	case len(path)-header-3 < minDirectoryBranch || len(path)-header-3 > maxBranch:
		return unproved("%d steps lead through the directory block", len(path)-header-3)
	}
	last := len(path) - 1
	p.EntryBranch, p.EntryHeader, p.Leaf = path[:header], path[header], path[header+1]
	p.DirectoryBranch, p.DirectoryHeader = path[header+2:last], path[last]
	p.ChainID = p.Leaf.Left
	switch {
	case p.EntryHeader.Right != path[header-1].Top:
		return unproved("the entry block's body root is not on the right of its header")
	case p.Leaf.Right != p.EntryBlockKeyMR:
		return unproved("the entry block is not on the right of its chain id")
	case p.DirectoryHeader.Right != path[last-1].Top:
		return unproved("the directory block's body root is not on the right of its header")
	case slices.Contains(reserved[:], p.ChainID) || p.ChainID == DirectoryChain:
		return unproved("chain %s has no entries", p.ChainID)
	}
	at := p.Leaf.Top
	for i, s := range p.DirectoryBranch {
		// Where both sides are equal the last node of an odd level was
		// repeated: it is the left one.
		if s.Left != at {
			p.Position |= 1 << i
		}
		at = s.Top
	}
	if p.Position < uint64(len(reserved)) {
		return unproved("place %d of a directory block holds no entry block", p.Position)
	}
	return nil
}

// CheckHeader checks that a directory block's header is the one the path goes
// through, and that the receipt's height is that header's. Call it on a
// receipt that Verify accepts. Errors carry ErrReceiptInvalid.
func (r *Receipt) CheckHeader(h *DirectoryBlockHeader) error {
	if h.KeyMR() != r.DirectoryBlockKeyMR {
		return unproved("the header is of directory block %s, the receipt of %s", h.KeyMR(), r.DirectoryBlockKeyMR)
	}
	if h.Height != r.DirectoryBlockHeight {
		return unproved("directory block %s has height %d, the receipt says %d", r.DirectoryBlockKeyMR, h.Height, r.DirectoryBlockHeight)
	}
	return nil
}

func unproved(format string, args ...any) error {
	return wire.Faultf(wire.ErrReceiptInvalid, format, args...)
}
