package merkle

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"cloister/wire"
)

// MaxSize is the largest list there can be. Appending a million leaves a
// second reaches it in 146 000 years.
const MaxSize = 1 << 62

// Range is the right edge of a growing list: its size and the roots of the
// complete subtrees it falls into, which is all that is needed to append and to
// know the root. It is a value: assignment copies it, == compares it, and the
// zero Range is the empty list. About 2 KiB, whatever the size.
type Range struct {
	size uint64
	// edge[h] is the root of the subtree of 2^h leaves if bit h of size is
	// set, else zero.
	edge [63]wire.Hash
}

// Size is the number of leaves.
func (r *Range) Size() uint64 { return r.size }

// Clone is a copy that grows on its own.
func (r *Range) Clone() Range { return *r }

// Append adds one leaf hash at the end.
func (r *Range) Append(leaf wire.Hash) {
	if r.size >= MaxSize {
		// Not even a decoded Range gets here: see UnmarshalBinary.
		panic("merkle: appended beyond MaxSize")
	}
	h := 0
	for ; r.size>>h&1 == 1; h++ {
		leaf = NodeHash(r.edge[h], leaf)
		r.edge[h] = wire.Hash{}
	}
	r.edge[h] = leaf
	r.size++
}

// Root is the root over all leaves appended so far. It computes one hash less
// than Size has bits set.
func (r *Range) Root() wire.Hash {
	if r.size == 0 {
		return EmptyRoot
	}
	h := bits.TrailingZeros64(r.size)
	root := r.edge[h]
	for rest := r.size & (r.size - 1); rest != 0; rest &= rest - 1 {
		root = NodeHash(r.edge[bits.TrailingZeros64(rest)], root)
	}
	return root
}

// MarshalBinary is the one encoding of a Range: the size as u64 big-endian,
// then the edge from the largest subtree to the smallest. It makes a Range a
// byte string inside CBOR. It returns no error.
func (r Range) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 8+bits.OnesCount64(r.size)*hashSize)
	b = binary.BigEndian.AppendUint64(b, r.size)
	for h := bits.Len64(r.size) - 1; h >= 0; h-- {
		if r.size>>h&1 == 1 {
			b = append(b, r.edge[h][:]...)
		}
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and nothing else. Errors wrap
// wire.ErrEncoding and leave r unchanged. Whether the edge belongs to a known
// root is for the caller to compare.
func (r *Range) UnmarshalBinary(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("%w: merkle range of %d bytes, the size alone takes 8", wire.ErrEncoding, len(b))
	}
	size, edge := binary.BigEndian.Uint64(b), b[8:]
	// Half the limit, so that no decoded Range can be appended to until it
	// reaches the limit.
	if size > MaxSize/2 {
		return fmt.Errorf("%w: merkle range of %d leaves", wire.ErrEncoding, size)
	}
	if want := bits.OnesCount64(size) * hashSize; len(edge) != want {
		return fmt.Errorf("%w: merkle range of %d leaves has %d bytes of hashes instead of %d",
			wire.ErrEncoding, size, len(edge), want)
	}
	*r = Range{size: size}
	for h := bits.Len64(size) - 1; h >= 0; h-- {
		if size>>h&1 == 1 {
			edge = edge[copy(r.edge[h][:], edge):]
		}
	}
	return nil
}
