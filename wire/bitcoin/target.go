package bitcoin

import "math/big"

// Parts of a compact target: one byte for the length of the number, three for
// its first digits, of which the highest bit would be a sign.
const (
	compactSign   = 0x0080_0000
	compactDigits = 0x007f_ffff
)

// Target is the number that a block's hash must not exceed. Errors carry
// ErrProof: no block can have a target that is negative, zero or above 256 bits.
func Target(bits uint32) (*big.Int, error) {
	size, digits := uint(bits>>24), bits&compactDigits
	if size <= 3 {
		digits >>= 8 * (3 - size)
		size = 3
	}
	target := new(big.Int).Lsh(big.NewInt(int64(digits)), 8*(size-3))
	if bits&compactSign != 0 || target.Sign() == 0 || target.BitLen() > 256 {
		return nil, unproven("target %08x is none", bits)
	}
	return target, nil
}

// compact is the inverse of Target, rounded down to what four bytes hold.
func compact(target *big.Int) uint32 {
	size := uint(target.BitLen()+7) / 8
	var digits uint32
	if size <= 3 {
		digits = uint32(target.Uint64()) << (8 * (3 - size))
	} else {
		digits = uint32(new(big.Int).Rsh(target, 8*(size-3)).Uint64())
	}
	if digits&compactSign != 0 { // would read as negative
		digits >>= 8
		size++
	}
	return uint32(size)<<24 | digits
}

// Work is how many hashes a block with this target costs on average:
// 2^256 / (target+1). Errors are those of Target.
func Work(bits uint32) (*big.Int, error) {
	target, err := Target(bits)
	if err != nil {
		return nil, err
	}
	all := new(big.Int).Lsh(big.NewInt(1), 256)
	return all.Div(all, target.Add(target, big.NewInt(1))), nil
}
