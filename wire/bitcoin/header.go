package bitcoin

import (
	"encoding/binary"
	"math/big"
)

// HeaderSize is a block header's length in bytes.
const HeaderSize = 80

// Header is a block header.
type Header struct {
	Version int32
	Prev    Hash   // of the header before it
	Root    Hash   // of the Merkle tree of its transactions' ids
	Time    uint32 // seconds since 1970, as the miner says
	Bits    uint32 // target of its work, compact
	Nonce   uint32
}

// ParseHeader reads exactly a header. Errors carry ErrMalformed.
func ParseHeader(b []byte) (Header, error) {
	if len(b) != HeaderSize {
		return Header{}, malformed("a header is %d bytes, not %d", HeaderSize, len(b))
	}
	return Header{
		Version: int32(binary.LittleEndian.Uint32(b)),
		Prev:    Hash(b[4:36]),
		Root:    Hash(b[36:68]),
		Time:    binary.LittleEndian.Uint32(b[68:]),
		Bits:    binary.LittleEndian.Uint32(b[72:]),
		Nonce:   binary.LittleEndian.Uint32(b[76:]),
	}, nil
}

// Bytes is the header as it is hashed and sent.
func (h Header) Bytes() (b [HeaderSize]byte) {
	binary.LittleEndian.PutUint32(b[:], uint32(h.Version))
	copy(b[4:], h.Prev[:])
	copy(b[36:], h.Root[:])
	binary.LittleEndian.PutUint32(b[68:], h.Time)
	binary.LittleEndian.PutUint32(b[72:], h.Bits)
	binary.LittleEndian.PutUint32(b[76:], h.Nonce)
	return b
}

// Hash is the block's hash.
func (h Header) Hash() Hash {
	b := h.Bytes()
	return Sum(b[:])
}

// CheckWork refuses a header whose hash is above its own target, or whose target
// is above the network's limit. Errors carry ErrProof.
func (h Header) CheckWork(n *Network) error {
	target, err := Target(h.Bits)
	if err != nil {
		return err
	}
	if target.Cmp(n.limit()) > 0 {
		return unproven("block %s: target %08x is easier than %s allows", h.Hash(), h.Bits, n.Name)
	}
	if h.Hash().number().Cmp(target) > 0 {
		return unproven("block %s does not have the work that its target %08x demands", h.Hash(), h.Bits)
	}
	return nil
}

// number is the hash as work counts it.
func (h Hash) number() *big.Int {
	for i, j := 0, len(h)-1; i < j; i, j = i+1, j-1 {
		h[i], h[j] = h[j], h[i]
	}
	return new(big.Int).SetBytes(h[:])
}
