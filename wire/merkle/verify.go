package merkle

import (
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"cloister/wire"
)

// MaxPath bounds the hashes of any proof between lists of at most MaxSize
// leaves; a longer one is refused unread.
const MaxPath = 64

// Why a proof was refused. Each is also a wire.ErrProof.
var (
	// ErrPosition: the index lies beyond the size, the first size beyond the
	// second, or a size beyond MaxSize.
	ErrPosition = fmt.Errorf("%w: position outside the list", wire.ErrProof)
	// ErrPathLength: positions fix how many hashes a proof has, and this one
	// has another number of them.
	ErrPathLength = fmt.Errorf("%w: wrong number of hashes", wire.ErrProof)
	// ErrRoot: the path is well-formed and leads to another root.
	ErrRoot = fmt.Errorf("%w: path leads to another root", wire.ErrProof)
)

// VerifyInclusion checks that leaf, a leaf hash, is number index of the list
// with this size and root. path is what Path or InclusionProof gave.
//
// The size must come from the same place as the root: for some indexes several
// sizes share a path, so a proof does not vouch for the size.
func VerifyInclusion(leaf wire.Hash, index, size uint64, path []wire.Hash, root wire.Hash) error {
	switch {
	case index >= size || size > MaxSize:
		return fmt.Errorf("inclusion: %w: index %d, size %d", ErrPosition, index, size)
	case len(path) > MaxPath:
		return fmt.Errorf("inclusion: %w: %d, at most %d", ErrPathLength, len(path), MaxPath)
	}
	err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], byteSlices(path), root[:])
	return refusal("inclusion", err)
}

// VerifyConsistency checks that the list with size1 and root1 is the beginning
// of the list with size2 and root2. path is what ConsistencyProof gave.
func VerifyConsistency(size1 uint64, root1 wire.Hash, size2 uint64, root2 wire.Hash, path []wire.Hash) error {
	switch {
	case size1 > size2 || size2 > MaxSize:
		return fmt.Errorf("consistency: %w: sizes %d and %d", ErrPosition, size1, size2)
	case len(path) > MaxPath:
		return fmt.Errorf("consistency: %w: %d, at most %d", ErrPathLength, len(path), MaxPath)
	case size1 == 0 && root1 != EmptyRoot:
		// The library looks at no root here, since every list begins with the
		// empty one; a made-up root must not pass for it.
		return fmt.Errorf("consistency: %w: the empty list's is fixed", ErrRoot)
	}
	err := proof.VerifyConsistency(rfc6962.DefaultHasher, size1, size2, byteSlices(path), root1[:], root2[:])
	return refusal("consistency", err)
}

// refusal names the reason of the library's error. Positions were checked
// before, so what is not about a root is about the number of hashes.
func refusal(what string, err error) error {
	var mismatch proof.RootMismatchError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		return fmt.Errorf("%s: %w", what, ErrRoot)
	}
	return fmt.Errorf("%s: %w: %v", what, ErrPathLength, err)
}

// byteSlices views hashes as the library takes them.
func byteSlices(hashes []wire.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}
