package record

import (
	"cloister/wire"
	"cloister/wire/factom"
)

// Name is the family's name in transactions.
const Name = "record"

// Kinds, the first byte of a payload; the entry's bytes follow.
const (
	KindCreateChain byte = 1
	KindAddEntry    byte = 2
)

// ChainCreation is what creating a chain costs on top of its first entry, in credits.
const ChainCreation = 10

// CreateChain makes the payload that creates a chain with its first entry.
func CreateChain(entry []byte) []byte { return append([]byte{KindCreateChain}, entry...) }

// AddEntry makes the payload that adds an entry to an existing chain.
func AddEntry(entry []byte) []byte { return append([]byte{KindAddEntry}, entry...) }

// Payload is a decoded payload. Bytes and Entry alias the payload.
type Payload struct {
	Kind  byte
	Bytes []byte // the entry as hashed
	Entry *factom.Entry
}

// Decode reads a payload strictly, including the chain id rule of a first entry.
func Decode(payload []byte) (*Payload, error) {
	if len(payload) == 0 || (payload[0] != KindCreateChain && payload[0] != KindAddEntry) {
		return nil, wire.Faultf(wire.ErrMalformed, "record payload must start with kind 1 (create chain) or 2 (add entry)")
	}
	e, err := factom.ParseEntry(payload[1:])
	if err != nil {
		return nil, err
	}
	if payload[0] == KindCreateChain && e.ChainID != factom.ChainID(e.ExtIDs) {
		return nil, wire.Faultf(wire.ErrWrongChainID, "chain id %s is not the one its external ids hash to", e.ChainID)
	}
	return &Payload{Kind: payload[0], Bytes: payload[1:], Entry: e}, nil
}

// Cost is the price in entry credits: one for each KiB begun, at least one,
// and ten more for a new chain.
func (p *Payload) Cost() uint64 {
	credits := uint64(max(1, (factom.PayloadSize(p.Bytes)+1023)/1024))
	if p.Kind == KindCreateChain {
		credits += ChainCreation
	}
	return credits
}

// Hash is the entry's hash.
func (p *Payload) Hash() wire.Hash { return factom.EntryHash(p.Bytes) }

// Leaf is what the data layer's tree (Header.DataRoot) holds per entry.
func Leaf(chain, entry wire.Hash) []byte { return append(append([]byte{}, chain[:]...), entry[:]...) }

// Chain is the state of a chain, stored under ChainKey.
type Chain struct {
	_       struct{} `cbor:",toarray"`
	Entries uint64
	// Head binds every entry of the chain in order: NextHead folded over them
	// from the zero hash. Whoever is given a list of entries can tell from a
	// proof of this that none is missing, added or moved.
	Head        wire.Hash
	CreatedAtMs uint64 // block time
	UpdatedAtMs uint64
	Created     uint64 // height
	Updated     uint64
}

// ChainKey is the state key of a chain within the family.
func ChainKey(chain wire.Hash) []byte { return append([]byte("c"), chain[:]...) }

// NextHead folds one entry into a chain's head; seq counts from 0.
func NextHead(head wire.Hash, seq uint64, entry wire.Hash) wire.Hash {
	return wire.TH("cloister/chain-head/v1", head[:], wire.U64(seq), entry[:])
}
