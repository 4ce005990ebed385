package trust

import (
	"cloister/evidence"
	"cloister/wire"
)

// MaxChain bounds the certificates of one item.
const MaxChain = 4

// InForce is the newest item under a key of collateral. Stored under ItemKey.
type InForce struct {
	_         struct{} `cbor:",toarray"`
	Item      evidence.Item
	Freshness evidence.Freshness
	PutMs     uint64 // block time at which the ledger took it, Unix milliseconds
	// Keys are the SHA-256 of the SubjectPublicKeyInfo of every certificate in
	// it, ascending: once one is revoked, nobody relies on the item.
	Keys []wire.Hash
}

// ItemBytes encodes an item for a transaction.
func ItemBytes(i *evidence.Item) []byte { return wire.Marshal(i) }

// DecodeItem reads an item strictly and checks its bounds. Errors carry
// wire.ErrCollateralMalformed.
func DecodeItem(b []byte) (*evidence.Item, error) {
	i := new(evidence.Item)
	if err := wire.Unmarshal(b, i, evidence.MaxItem); err != nil {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "item: %v", err)
	}
	return i, CheckItem(i)
}

// CheckItem judges the bounds of an item. Errors carry wire.ErrCollateralMalformed.
func CheckItem(i *evidence.Item) error {
	size := len(i.Body) + len(i.Signature)
	for _, c := range i.Chain {
		size += len(c)
	}
	switch {
	case i.Type < evidence.TCBInfo || i.Type > evidence.AMDChain:
		return wire.Faultf(wire.ErrCollateralMalformed, "there is no collateral of type %d", uint8(i.Type))
	case len(i.Body) == 0 || len(i.Body) > evidence.MaxItemBody:
		return wire.Faultf(wire.ErrCollateralMalformed, "%s of %d bytes, 1 to %d", i.Type, len(i.Body), evidence.MaxItemBody)
	case len(i.Signature) > 64 || len(i.Chain) > MaxChain || size > evidence.MaxItem:
		return wire.Faultf(wire.ErrCollateralMalformed, "%s with a signature of %d bytes and %d certificates, %d bytes in all", i.Type, len(i.Signature), len(i.Chain), size)
	}
	return nil
}
