package factom

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"cloister/wire"
)

// Step is one step of a path through Merkle trees: Top = SHA-256(Left ‖ Right).
// As JSON, each is hex.
type Step struct {
	Left  wire.Hash `json:"left"`
	Right wire.Hash `json:"right"`
	Top   wire.Hash `json:"top"`
}

// newStep makes the step over two nodes.
func newStep(left, right wire.Hash) Step { return Step{left, right, node(left, right)} }

// MerkleRoot is the root over leaves that are used as they are. A level with an
// odd number of nodes repeats its last. One leaf is its own root; no leaf gives
// 32 zero bytes (specification §1).
func MerkleRoot(leaves []wire.Hash) wire.Hash {
	var t Tree
	for _, l := range leaves {
		t.Append(l)
	}
	return t.Root()
}

// MerkleBranch is the path from leaves[index] to the root, bottom first; empty
// for a single leaf. It panics if there is no such leaf.
func MerkleBranch(leaves []wire.Hash, index int) []Step {
	if index < 0 || index >= len(leaves) {
		panic(fmt.Sprintf("factom: branch of leaf %d of %d", index, len(leaves)))
	}
	branch := []Step{}
	for level := leaves; len(level) > 1; index /= 2 {
		above := make([]wire.Hash, 0, (len(level)+1)/2)
		for i := 0; i < len(level); i += 2 {
			s := newStep(level[i], level[min(i+1, len(level)-1)])
			if i == index&^1 {
				branch = append(branch, s)
			}
			above = append(above, s.Top)
		}
		level = above
	}
	return branch
}

// Tree computes a Merkle root as leaves come, in memory for one hash per level.
// Its zero value is the empty tree. Copies share nothing that changes.
type Tree struct {
	count uint64
	full  [64]wire.Hash // full[i] roots the complete subtree of 2^i leaves, if bit i of count is set
}

// Append adds a leaf.
func (t *Tree) Append(leaf wire.Hash) {
	i := bits.TrailingZeros64(^t.count)
	for _, left := range t.full[:i] {
		leaf = node(left, leaf)
	}
	t.full[i] = leaf
	t.count++
}

// Count is the number of leaves.
func (t *Tree) Count() uint64 { return t.count }

// Root is what MerkleRoot gives for the leaves so far.
func (t *Tree) Root() wire.Hash {
	if t.count == 0 {
		return wire.Hash{}
	}
	level := bits.TrailingZeros64(t.count)
	last := t.full[level] // the last node of its level
	for ; (t.count-1)>>level > 0; level++ {
		// An index is even where the last node has no left neighbour to pair
		// with, and is repeated. The index of the last of count leaves, halved
		// once per level, is that of the last node.
		if (t.count-1)>>level&1 == 0 {
			last = node(last, last)
		} else {
			last = node(t.full[level], last)
		}
	}
	return last
}

// maxLeaves bounds the count an encoded tree may claim, far above what a block
// counts and far below where the count would overflow.
const maxLeaves = 1 << 48

// AppendBinary appends count(8) ‖ the roots of the complete subtrees the count
// calls for, smallest first.
func (t *Tree) AppendBinary(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, t.count)
	for i := range t.full {
		if t.count>>i&1 == 1 {
			b = append(b, t.full[i][:]...)
		}
	}
	return b
}

// ParseTree reads what AppendBinary wrote, and nothing after it. Errors carry
// ErrMalformed.
func ParseTree(b []byte) (*Tree, error) {
	c := &cursor{rest: b, code: wire.ErrMalformed, what: "tree"}
	t := c.tree()
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return t, nil
}

func (c *cursor) tree() *Tree {
	t := &Tree{count: c.u64()}
	if t.count > maxLeaves {
		c.failf("tree of %d leaves", t.count)
		return t
	}
	for i := range t.full {
		if t.count>>i&1 == 1 {
			t.full[i] = c.hash()
		}
	}
	return t
}
