package record

import (
	"cloister/wire"
)

// AnchorClaim says that a directory block's key is in a block of Bitcoin. A core
// that finds it true signs a record of it, which it writes into the anchor chain and pays for.
type AnchorClaim struct {
	_       struct{} `cbor:",toarray"`
	Height  uint32   // of the directory block
	Network string   // Bitcoin's, by name
	Address string   // the transaction was paid from
	Proof   []byte   // bitcoin.Proof, encoded
}

// MaxAnchorClaim bounds an encoded claim, MaxAnchorProof the proof that a record
// has room for.
const (
	MaxAnchorClaim = 16 << 10
	MaxAnchorProof = 6 << 10
)

// Encode is the claim's encoding.
func (c *AnchorClaim) Encode() []byte { return wire.Marshal(c) }

// DecodeAnchorClaim reads a claim strictly.
func DecodeAnchorClaim(b []byte) (*AnchorClaim, error) {
	c := new(AnchorClaim)
	if err := wire.Unmarshal(b, c, MaxAnchorClaim); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "anchor claim: %v", err)
	}
	if len(c.Proof) > MaxAnchorProof {
		return nil, wire.Faultf(wire.ErrTooLarge, "proof of %d bytes, at most %d", len(c.Proof), MaxAnchorProof)
	}
	return c, nil
}
