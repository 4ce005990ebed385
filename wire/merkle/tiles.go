package merkle

import (
	"errors"
	"fmt"

	"cloister/wire"
)

const (
	// TileHeight is the number of tree levels one tile spans.
	TileHeight = 8
	// TileWidth is the number of hashes of a full tile.
	TileWidth = 1 << TileHeight
	// MaxTile is the size of a full tile in bytes.
	MaxTile = TileWidth * hashSize
)

// ErrTile means a tile the size calls for is missing, too short, or no list
// of hashes: the store does not hold the list it is said to hold.
var ErrTile = errors.New("merkle tile missing or damaged")

// TileStore reads tiles. Tile returns the newest form of one, nil if there is
// none; the bytes are only read, and only until the next call. A store that
// answers wrongly causes wrong proofs or ErrTile, nothing else.
type TileStore interface {
	Tile(level, index uint64) ([]byte, error)
}

// Tile is one tile to be stored under its level and index, in place of an
// earlier form of it.
type Tile struct {
	Level, Index uint64
	Data         []byte // 1 to TileWidth hashes
}

// AppendTiles returns, lowest level first, the tiles that change when leaf
// hashes are appended to a list of the given size, each at most once. They
// belong into one batch with the new size. Reads: at most one partial tile of
// each level that grows.
//
// What the store holds beyond size is ignored and overwritten, so a list is
// shortened by continuing from a smaller size. Errors: wire.ErrBadRequest for
// more than MaxSize leaves; ErrTile.
func AppendTiles(store TileStore, size uint64, leaves []wire.Hash) ([]Tile, error) {
	if size > MaxSize || uint64(len(leaves)) > MaxSize-size {
		return nil, wire.Faultf(wire.ErrBadRequest, "%d leaves after %d are more than a list holds", len(leaves), size)
	}
	var changed []Tile
	for level, added := uint64(0), leaves; len(added) > 0; level++ {
		tiles, full, err := appendLevel(store, level, size>>(TileHeight*level), added)
		if err != nil {
			return nil, err
		}
		changed = append(changed, tiles...)
		added = full
	}
	return changed, nil
}

// appendLevel appends hashes to the first count of a level. It returns the
// tiles that change and the roots of those that became full.
func appendLevel(store TileStore, level, count uint64, hashes []wire.Hash) (changed []Tile, full []wire.Hash, err error) {
	for len(hashes) > 0 {
		have := count % TileWidth
		n := min(len(hashes), int(TileWidth-have))
		data := make([]byte, 0, (int(have)+n)*hashSize)
		if have > 0 {
			old, err := readTile(store, level, count/TileWidth, have)
			if err != nil {
				return nil, nil, err
			}
			data = append(data, old[:have*uint64(hashSize)]...)
		}
		for _, h := range hashes[:n] {
			data = append(data, h[:]...)
		}
		changed = append(changed, Tile{level, count / TileWidth, data})
		if len(data) == MaxTile {
			full = append(full, subtree(data))
		}
		hashes = hashes[n:]
		count += uint64(n)
	}
	return changed, full, nil
}

// readTile fetches a tile and checks that it holds at least width hashes.
func readTile(store TileStore, level, index, width uint64) ([]byte, error) {
	data, err := store.Tile(level, index)
	if err != nil {
		return nil, fmt.Errorf("merkle: reading tile %d of level %d: %w", index, level, err)
	}
	const size = hashSize
	if len(data) > MaxTile || len(data)%size != 0 || uint64(len(data)/size) < width {
		return nil, fmt.Errorf("%w: tile %d of level %d has %d bytes, %d hashes are needed",
			ErrTile, index, level, len(data), width)
	}
	return data, nil
}

// subtree is the root over the hashes in data.
func subtree(data []byte) wire.Hash {
	var r Range
	for ; len(data) > 0; data = data[hashSize:] {
		r.Append(wire.Hash(data))
	}
	return r.Root()
}
