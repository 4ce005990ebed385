package query

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/merkle"
)

// SealedHeader is a header with what proves that the chain contains it: a seal
// of its own, or a later sealed header whose history holds it.
type SealedHeader struct {
	_      struct{} `cbor:",toarray"`
	Header []byte   // as hashed, at most MaxHeader bytes
	Seal   []byte   // of Cover if that is set, else of Header; at most MaxSeal bytes
	Cover  *Cover
}

// Cover is a later header that commits to an earlier one by its HistoryRoot.
type Cover struct {
	_      struct{} `cbor:",toarray"`
	Header []byte
	Path   []wire.Hash // merkle.VerifyInclusion; at most merkle.MaxPath
}

// Verify checks the proof against the members of the sealed header's epoch and
// returns the proved header and its hash. Errors: ErrForeignChain,
// ErrUnknownEpoch, ErrSealInvalid, ErrNotCovered (no proof given), ErrProof (a
// header is none, or the covering history does not hold it).
func (s *SealedHeader) Verify(chain wire.Hash, epochs *wire.Epochs) (*wire.Header, wire.Hash, error) {
	h, err := wire.DecodeHeader(s.Header)
	if err != nil {
		return nil, wire.Hash{}, wire.Faultf(wire.ErrProof, "%v", err)
	}
	sealed := h
	if s.Cover != nil {
		if sealed, err = wire.DecodeHeader(s.Cover.Header); err != nil {
			return nil, wire.Hash{}, wire.Faultf(wire.ErrProof, "covering %v", err)
		}
	}
	hash, sealedHash := h.Hash(), sealed.Hash()
	switch {
	case h.ChainID != chain || sealed.ChainID != chain:
		return nil, wire.Hash{}, wire.Faultf(wire.ErrForeignChain, "header of chain %s, expected %s", h.ChainID, chain)
	case len(s.Seal) == 0:
		return nil, wire.Hash{}, wire.Faultf(wire.ErrNotCovered, "block %d comes without a seal", h.Height)
	}
	if err := epochs.Seal(sealed, sealedHash, s.Seal); err != nil {
		return nil, wire.Hash{}, fmt.Errorf("block %d: %w", sealed.Height, err)
	}
	if s.Cover != nil {
		leaf := merkle.LeafHash(hash[:])
		if err := merkle.VerifyInclusion(leaf, h.Height, sealed.Height, s.Cover.Path, sealed.HistoryRoot); err != nil {
			return nil, wire.Hash{}, fmt.Errorf("block %d in the history of block %d: %w", h.Height, sealed.Height, err)
		}
	}
	return h, hash, nil
}

// check bounds what a decoder let through.
func (s *SealedHeader) check() error {
	n, path := 0, 0
	if s.Cover != nil {
		n, path = len(s.Cover.Header), len(s.Cover.Path)
	}
	if len(s.Header) > wire.MaxHeader || len(s.Seal) > wire.MaxSeal || n > wire.MaxHeader || path > merkle.MaxPath {
		return fmt.Errorf("%w: sealed header out of bounds", wire.ErrEncoding)
	}
	return nil
}
