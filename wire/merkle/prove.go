package merkle

import (
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"cloister/wire"
)

// InclusionProof makes the path by which VerifyInclusion accepts the leaf at
// index in the list of the given size, which may be any size up to the stored
// one. It reads about two tiles for each 8 levels of the tree. Errors:
// wire.ErrBadRequest if there is no such leaf; ErrTile.
func InclusionProof(store TileStore, index, size uint64) ([]wire.Hash, error) {
	if index >= size || size > MaxSize {
		return nil, wire.Faultf(wire.ErrBadRequest, "no leaf %d in a list of %d", index, size)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, err
	}
	return prove(store, nodes, size)
}

// ConsistencyProof makes the path by which VerifyConsistency accepts that the
// list of size1 is the beginning of that of size2, which may be any sizes up to
// the stored one. Errors: wire.ErrBadRequest if size1 > size2; ErrTile.
func ConsistencyProof(store TileStore, size1, size2 uint64) ([]wire.Hash, error) {
	if size1 > size2 || size2 > MaxSize {
		return nil, wire.Faultf(wire.ErrBadRequest, "a list of %d is not the beginning of one of %d", size1, size2)
	}
	nodes, err := proof.Consistency(size1, size2)
	if err != nil {
		return nil, err
	}
	return prove(store, nodes, size2)
}

// RangeAt rebuilds the Range of the first size leaves, as a builder needs it
// after a restart. Compare its Root with a trusted one: the tiles may be
// damaged. Errors: ErrTile.
func RangeAt(store TileStore, size uint64) (Range, error) {
	if size > MaxSize {
		return Range{}, wire.Faultf(wire.ErrBadRequest, "a list of %d leaves is above the limit", size)
	}
	r := Range{size: size}
	tree := reader{store: store, size: size}
	for _, id := range compact.RangeNodes(0, size, nil) {
		h, err := tree.node(id)
		if err != nil {
			return Range{}, err
		}
		r.edge[id.Level] = h
	}
	return r, nil
}

// prove fetches the nodes of a proof and folds those that stand for a subtree
// which is incomplete at the proof's size.
func prove(store TileStore, nodes proof.Nodes, size uint64) ([]wire.Hash, error) {
	tree := reader{store: store, size: size}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h, err := tree.node(id)
		if err != nil {
			return nil, err
		}
		hashes[i] = h[:]
	}
	hashes, err := nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, err
	}
	path := make([]wire.Hash, len(hashes))
	for i, h := range hashes {
		path[i] = wire.Hash(h)
	}
	return path, nil
}

// reader computes nodes of the tree of one size from tiles. Neighbouring nodes
// of a proof mostly lie in one tile, so it remembers the last.
type reader struct {
	store        TileStore
	size         uint64
	level, index uint64
	last         []byte
}

// node is the hash of a complete subtree within the first size leaves.
func (t *reader) node(id compact.NodeID) (wire.Hash, error) {
	level := uint64(id.Level / TileHeight)
	below := id.Level % TileHeight // the node stands this high above the tile's hashes
	first := id.Index << below
	if t.last == nil || t.level != level || t.index != first/TileWidth {
		t.level, t.index = level, first/TileWidth
		width := min(TileWidth, t.size>>(TileHeight*level)-t.index*TileWidth)
		data, err := readTile(t.store, t.level, t.index, width)
		if err != nil {
			t.last = nil
			return wire.Hash{}, err
		}
		t.last = data
	}
	begin := int(first%TileWidth) * hashSize
	return subtree(t.last[begin : begin+hashSize<<below]), nil
}
