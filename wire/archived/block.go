package archived

import (
	"fmt"

	"cloister/wire"
)

// MaxOutcome bounds an encoded wire.Outcome of a block with as many
// transactions as a body can hold; MaxBlock bounds an encoded Block.
const (
	MaxOutcome = wire.MaxBodyItems*(wire.MaxResult+5) + 256
	MaxBlock   = wire.MaxHeader + wire.MaxSeal + wire.MaxBody + MaxOutcome + 64
)

// Block is a final block. Its encoding is the CBOR array of the four byte
// strings in this order.
type Block struct {
	Header  []byte // as hashed, at most wire.MaxHeader bytes
	Seal    []byte // empty if a later block's seal covers this one
	Body    []byte // wire.EncodeList of encoded transactions
	Outcome []byte // encoded wire.Outcome; empty for block 0
}

// Encode is the block's encoding.
func (b *Block) Encode() []byte {
	return wire.EncodeList([][]byte{b.Header, b.Seal, b.Body, b.Outcome})
}

// Decode reads a block strictly; the parts alias data and are not looked into.
// Errors wrap wire.ErrEncoding.
func Decode(data []byte) (*Block, error) {
	parts, err := wire.DecodeList(data, 4, MaxOutcome)
	if err != nil {
		return nil, fmt.Errorf("archived block: %w", err)
	}
	if len(parts) != 4 {
		return nil, fmt.Errorf("archived block: %w: %d parts instead of 4", wire.ErrEncoding, len(parts))
	}
	b := &Block{parts[0], parts[1], parts[2], parts[3]}
	return b, b.Check()
}

// Check holds each part against its own bound.
func (b *Block) Check() error {
	for _, part := range []struct {
		name string
		n    int
		most int
	}{
		{"header", len(b.Header), wire.MaxHeader},
		{"seal", len(b.Seal), wire.MaxSeal},
		{"body", len(b.Body), wire.MaxBody},
		{"outcome", len(b.Outcome), MaxOutcome},
	} {
		if part.n > part.most {
			return fmt.Errorf("archived block: %w: %s of %d bytes, at most %d", wire.ErrEncoding, part.name, part.n, part.most)
		}
	}
	return nil
}
