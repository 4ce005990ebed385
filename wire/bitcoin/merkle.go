package bitcoin

import "math/bits"

// MaxBranch bounds a branch: no block has room for 2^17 transactions.
const MaxBranch = 17

// Branch is the way from a transaction to its block's Merkle root.
type Branch struct {
	_        struct{} `cbor:",toarray"`
	Siblings []Hash   // from the leaf up
	Index    uint32   // of the transaction in its block
}

// join is an inner node.
func join(left, right Hash) Hash {
	var b [nodeSize]byte
	copy(b[:], left[:])
	copy(b[32:], right[:])
	return Sum(b[:])
}

// MerkleRoot is the root over transaction ids in their order. Errors carry
// ErrMalformed: of two equal neighbours the second may be a repetition that
// leaves the root as it was, which no valid block has (CVE-2012-2459).
func MerkleRoot(ids []Hash) (Hash, error) {
	root, _, err := climb(ids, 0)
	return root, err
}

// NewBranch is the branch of the transaction at an index, and the root it leads
// to. Errors carry ErrMalformed.
func NewBranch(ids []Hash, index int) (Branch, Hash, error) {
	if index < 0 || index >= len(ids) {
		return Branch{}, Hash{}, malformed("transaction %d of %d", index, len(ids))
	}
	root, siblings, err := climb(ids, index)
	return Branch{Siblings: siblings, Index: uint32(index)}, root, err
}

func climb(ids []Hash, index int) (root Hash, siblings []Hash, err error) {
	if len(ids) == 0 || len(ids) > 1<<MaxBranch {
		return Hash{}, nil, malformed("a block of %d transactions", len(ids))
	}
	level := append([]Hash(nil), ids...)
	for len(level) > 1 {
		for i := 1; i < len(level); i += 2 {
			if level[i] == level[i-1] {
				return Hash{}, nil, malformed("transactions of the block are repeated")
			}
		}
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		siblings = append(siblings, level[index^1])
		for i := 0; i < len(level); i += 2 {
			level[i/2] = join(level[i], level[i+1])
		}
		level, index = level[:len(level)/2], index/2
	}
	return level[0], siblings, nil
}

// Root is where the branch leads from a transaction. It takes the transaction
// itself, never a bare id: an inner node would pass for one. Errors carry
// ErrProof.
func (b Branch) Root(t *Tx) (Hash, error) {
	switch {
	case t.stripped == nodeSize:
		return Hash{}, unproven("a transaction of 64 bytes could be an inner node of the tree")
	case len(b.Siblings) > MaxBranch || bits.Len32(b.Index) > len(b.Siblings):
		return Hash{}, unproven("branch of %d steps does not reach transaction %d", len(b.Siblings), b.Index)
	}
	node, index := t.id, b.Index
	for _, s := range b.Siblings {
		switch {
		case index%2 == 0:
			node = join(node, s)
		case s == node: // the repetition of an odd end is no place of its own
			return Hash{}, unproven("the branch leads through a repeated node")
		default:
			node = join(s, node)
		}
		index /= 2
	}
	return node, nil
}
