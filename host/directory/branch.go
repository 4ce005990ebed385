package directory

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"sort"

	"cloister/wire"
	"cloister/wire/factom"
)

// Sizes of the objects that the trees of blocks are over, in bytes.
const (
	hashSize = 32     // of an entry block: an entry hash or a minute marker
	pairSize = 2 * 32 // of a directory block: chain id and key of a block
)

// A body in pieces is a tree over subtrees of one size. The last may be cut
// short: then it has fewer levels, and goes up to the height of the others by
// pairing with itself, as the last node of an odd level does.

// leavesOf are the leaves under a piece's objects: a hash itself, of a pair its hash.
func leavesOf(piece []byte, object int) []wire.Hash {
	leaves := make([]wire.Hash, 0, len(piece)/object)
	for ; len(piece) >= object; piece = piece[object:] {
		if object == hashSize {
			leaves = append(leaves, wire.Hash(piece[:hashSize]))
		} else {
			leaves = append(leaves, sha256.Sum256(piece[:object]))
		}
	}
	return leaves
}

// height is how many levels a whole piece has.
func height(object int) int { return bits.Len(pieceBytes/uint(object)) - 1 }

// pieceRoot is the node over a piece, whole or the last, at the height of a whole one.
func pieceRoot(piece []byte, object int) wire.Hash {
	leaves := leavesOf(piece, object)
	root := factom.MerkleRoot(leaves)
	for range height(object) - depth(len(leaves)) {
		root = over(root, root).Top
	}
	return root
}

// depth is how many levels a tree of n leaves has.
func depth(n int) int { return bits.Len(uint(n - 1)) }

func over(left, right wire.Hash) factom.Step {
	h := sha256.New()
	h.Write(left[:])
	h.Write(right[:])
	return factom.Step{Left: left, Right: right, Top: wire.Hash(h.Sum(nil))}
}

// object is a block's object that was looked for: which of the piece it is in.
type object struct {
	piece []byte
	at    int // its number within the piece
	nth   int // of the piece
}

// branch leads from an object to the root over the body.
func (r *blockRow) branch(s *store, o object, size int) ([]factom.Step, error) {
	leaves := leavesOf(o.piece, size)
	path := factom.MerkleBranch(leaves, o.at)
	if r.body != nil {
		return path, nil
	}
	roots, found, err := s.Get(periodHashKey(tableRoots, r.period, r.chain))
	switch {
	case err != nil:
		return nil, err
	case !found || len(roots)%hashSize != 0 || o.nth >= len(roots)/hashSize:
		return nil, corrupt("roots over the block of chain %s in period %d", r.chain, r.period)
	}
	node := leaves[o.at]
	if len(path) > 0 {
		node = path[len(path)-1].Top
	}
	for range height(size) - depth(len(leaves)) {
		step := over(node, node)
		path, node = append(path, step), step.Top
	}
	return append(path, factom.MerkleBranch(leavesOf(roots, hashSize), o.nth)...), nil
}

// count is how many pieces there are.
func (r *blockRow) count() int {
	if r.body != nil {
		return 1
	}
	return int((r.size + pieceBytes - 1) / pieceBytes)
}

func (r *blockRow) piece(s *store, n int) ([]byte, error) {
	if r.body != nil {
		return r.body, nil
	}
	want := min(pieceBytes, r.size-uint64(n)*pieceBytes)
	b, found, err := s.Get(bodyKey(r.period, r.chain, uint32(n)))
	if err == nil && (!found || uint64(len(b)) != want) {
		err = corrupt("piece %d of the block of chain %s in period %d", n, r.chain, r.period)
	}
	return b, err
}

// findHash looks for an object of an entry block, piece by piece.
func (r *blockRow) findHash(s *store, hash wire.Hash) (object, error) {
	for n := range r.count() {
		piece, err := r.piece(s, n)
		if err != nil {
			return object{}, err
		}
		for at := 0; at+hashSize <= len(piece); at += hashSize {
			if bytes.Equal(piece[at:at+hashSize], hash[:]) {
				return object{piece, at / hashSize, n}, nil
			}
		}
	}
	return object{}, corrupt("entry %s is not in its entry block", hash)
}

// findPair looks for an object of a directory block, whose pairs ascend by chain.
func (r *blockRow) findPair(s *store, pair factom.Pair) (o object, err error) {
	want := pair.Bytes()
	// The first piece that begins behind the chain; the pair is in the one before.
	next := sort.Search(r.count(), func(n int) bool {
		piece, failed := r.piece(s, n)
		if failed != nil || len(piece) < pairSize {
			err = failed
			return true
		}
		return bytes.Compare(piece[:hashSize], pair.ChainID[:]) > 0
	})
	if err != nil {
		return o, err
	}
	o.nth = max(0, next-1)
	if o.piece, err = r.piece(s, o.nth); err != nil {
		return o, err
	}
	for ; (o.at+1)*pairSize <= len(o.piece); o.at++ {
		if bytes.Equal(o.piece[o.at*pairSize:(o.at+1)*pairSize], want) {
			return o, nil
		}
	}
	return o, corrupt("the block of chain %s is not in its directory block", pair.ChainID)
}
