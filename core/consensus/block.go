package consensus

import (
	"fmt"

	"cloister/wire"
)

// MaxBlock bounds an encoded block.
const MaxBlock = wire.MaxBody + wire.MaxHeader + 64

// EncodeBlock encodes header and body; a seal travels apart.
func EncodeBlock(b *wire.Block) []byte {
	return wire.EncodeList([][]byte{wire.Marshal(b.Header), b.Body})
}

// DecodeBlock reads a block strictly. Body aliases data; it is not looked into.
func DecodeBlock(data []byte) (*wire.Block, error) {
	parts, err := wire.DecodeList(data, 2, wire.MaxBody)
	if err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	if len(parts) != 2 {
		return nil, fmt.Errorf("block: %w: %d parts", wire.ErrEncoding, len(parts))
	}
	h, err := wire.DecodeHeader(parts[0])
	if err != nil {
		return nil, fmt.Errorf("block: %w", err)
	}
	// The bytes were the one encoding of h, so this is h.Hash() without encoding again.
	return &wire.Block{Header: h, Hash: wire.HeaderHash(parts[0]), Body: parts[1]}, nil
}
