package smttest

import (
	"bytes"
	"slices"

	"cloister/wire"
	"cloister/wire/smt"
)

// Tree maps positions to value hashes.
type Tree map[wire.Hash]wire.Hash

// Root is the root over what the tree holds.
func (t Tree) Root() wire.Hash { return hash(t.leaves(), 0) }

// Prove answers for the key with this hash.
func (t Tree) Prove(key wire.Hash) smt.Proof {
	p := smt.Proof{Siblings: []wire.Hash{}}
	leaves := t.leaves()
	for depth := 0; len(leaves) > 1; depth++ {
		halves := split(leaves, depth)
		side := smt.Bit(&key, depth)
		p.Siblings = append(p.Siblings, hash(halves[1-side], depth+1))
		leaves = halves[side]
	}
	if len(leaves) == 1 {
		p.Leaf = &leaves[0]
	}
	return p
}

func (t Tree) leaves() []smt.Leaf {
	leaves := make([]smt.Leaf, 0, len(t))
	for key, value := range t {
		leaves = append(leaves, smt.Leaf{Key: key, Value: value})
	}
	slices.SortFunc(leaves, func(a, b smt.Leaf) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return leaves
}

func hash(leaves []smt.Leaf, depth int) wire.Hash {
	switch len(leaves) {
	case 0:
		return smt.Empty
	case 1:
		return leaves[0].Hash()
	}
	halves := split(leaves, depth)
	return smt.NodeHash(hash(halves[0], depth+1), hash(halves[1], depth+1))
}

func split(leaves []smt.Leaf, depth int) [2][]smt.Leaf {
	i := slices.IndexFunc(leaves, func(l smt.Leaf) bool { return smt.Bit(&l.Key, depth) == 1 })
	if i < 0 {
		i = len(leaves)
	}
	return [2][]smt.Leaf{leaves[:i], leaves[i:]}
}
