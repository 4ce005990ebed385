package receipt

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/merkle"
)

// Verify checks every byte of a receipt against the genesis and says what it
// proves. Errors carry ErrForeignChain when the receipt is of another chain,
// ErrSealInvalid when the seal does not hold, ErrBadSignature when a signature of
// the transaction or of the message it carries does not, else ErrProof.
func Verify(r *Receipt, g *wire.Genesis, rules wire.SealRules) (*Verified, error) {
	switch {
	case r.Version != Version:
		return nil, wire.Faultf(wire.ErrProof, "version %d, this program knows %d", r.Version, Version)
	case r.ChainID != g.ChainID():
		return nil, wire.Faultf(wire.ErrForeignChain, "the receipt is of chain %s, the genesis of %s", r.ChainID, g.ChainID())
	case r.Policy != PolicyOf(g):
		return nil, wire.Faultf(wire.ErrProof, "the policy is not that of the genesis")
	}
	c := &checker{genesis: g, chain: r.ChainID, epochs: wire.NewEpochs(g, rules)}
	if err := c.follow(r); err != nil {
		return nil, err
	}
	if err := c.trust(r); err != nil {
		return nil, err
	}
	tx, m, err := c.transaction(r)
	if err != nil {
		return nil, err
	}
	v := describe(c, r, tx, m)
	if r.Execution == nil {
		return v, nil
	}
	result, err := c.result(r, tx)
	if err != nil {
		return nil, err
	}
	v.executed(c, result)
	return v, nil
}

// checker holds what is proved so far.
type checker struct {
	genesis    *wire.Genesis
	chain      wire.Hash
	epochs     *wire.Epochs
	voters     int          // of the set that sealed
	signatures int          // in the seal
	block      *wire.Header // recorded the transaction
	blockHash  wire.Hash
	sealed     *wire.Header // block itself, or its cover
	commitment *wire.Header // proves execution; nil in an ordered receipt
}

// header decodes a header and checks what all headers of the chain share. It
// is only trusted once a seal or a history path reaches its hash.
func (c *checker) header(what string, b []byte) (*wire.Header, wire.Hash, error) {
	h, err := wire.DecodeHeader(b)
	switch {
	case err != nil:
		return nil, wire.Hash{}, wire.Faultf(wire.ErrProof, "%s: %v", what, err)
	case h.ChainID != c.chain:
		return nil, wire.Hash{}, wire.Faultf(wire.ErrForeignChain, "%s is a header of chain %s", what, h.ChainID)
	case h.EngineKind != c.genesis.EngineKind():
		return nil, wire.Hash{}, wire.Faultf(wire.ErrProof, "%s names engine kind %d, the genesis %s", what, h.EngineKind, c.genesis.Engine)
	}
	set, err := c.epochs.Set(h.Epoch)
	if err != nil || h.MembersHash != set.Hash() {
		return nil, wire.Hash{}, wire.Faultf(wire.ErrProof, "%s is of epoch %d, which the handovers do not reach, or of other members", what, h.Epoch)
	}
	return h, h.Hash(), nil
}

// follow checks the handovers from the genesis's members to those who sealed.
func (c *checker) follow(r *Receipt) error {
	for i, encoded := range r.Handovers {
		h, err := wire.DecodeHandover(encoded)
		if err != nil {
			return wire.Faultf(wire.ErrProof, "handover %d: %v", i+1, err)
		}
		if h.Header.Epoch != uint64(i+1) {
			return wire.Faultf(wire.ErrProof, "handover %d is of epoch %d", i+1, h.Header.Epoch)
		}
		if err := c.epochs.Learn(h); err != nil {
			return fmt.Errorf("handover %d: %w", i+1, err)
		}
	}
	return nil
}

// trust checks the seal, and that the block's header is sealed or covered.
func (c *checker) trust(r *Receipt) (err error) {
	if c.block, c.blockHash, err = c.header("header", r.Header); err != nil {
		return err
	}
	sealed, sealedHash := c.block, c.blockHash
	if r.Cover != nil {
		if sealed, sealedHash, err = c.header("cover", r.Cover.Header); err != nil {
			return err
		}
	}
	if sealed.Epoch != c.epochs.Newest() {
		return wire.Faultf(wire.ErrProof, "%d handovers for a seal of epoch %d", len(r.Handovers), sealed.Epoch)
	}
	if err := c.epochs.Seal(sealed, sealedHash, r.Seal); err != nil {
		return fmt.Errorf("seal of height %d: %w", sealed.Height, err)
	}
	set, err := c.epochs.Set(sealed.Epoch)
	if err != nil {
		return err
	}
	c.voters = set.Voters()
	s, err := wire.DecodeSeal(r.Seal)
	if err != nil {
		return wire.Faultf(wire.ErrSealInvalid, "seal of height %d: %v", sealed.Height, err)
	}
	c.sealed, c.signatures = sealed, len(s.Sigs)
	if r.Cover == nil {
		return nil
	}
	return c.covered("header", c.block, c.blockHash, r.Cover.Path)
}

// covered checks that the sealed header's history holds h.
func (c *checker) covered(what string, h *wire.Header, hash wire.Hash, path []wire.Hash) error {
	// VerifyInclusion demands h.Height < c.sealed.Height.
	err := merkle.VerifyInclusion(merkle.LeafHash(hash[:]), h.Height, c.sealed.Height, path, c.sealed.HistoryRoot)
	if err != nil {
		return wire.Faultf(wire.ErrProof, "%s of height %d in the history of height %d: %v", what, h.Height, c.sealed.Height, err)
	}
	return nil
}

// transaction checks the transaction and its place in the block.
func (c *checker) transaction(r *Receipt) (*wire.Tx, *message, error) {
	tx, err := wire.DecodeTx(r.Tx)
	switch {
	case err != nil:
		return nil, nil, wire.Faultf(wire.ErrProof, "%v", err)
	case tx.ChainID != c.chain:
		return nil, nil, wire.Faultf(wire.ErrForeignChain, "the transaction is one of chain %s", tx.ChainID)
	}
	m, err := open(tx)
	if err != nil {
		return nil, nil, err
	}
	if err := merkle.VerifyInclusion(merkle.LeafHash(r.Tx), uint64(r.Index), uint64(c.block.TxCount), r.TxPath, c.block.TxRoot); err != nil {
		return nil, nil, wire.Faultf(wire.ErrProof, "transaction %d of height %d: %v", r.Index, c.block.Height, err)
	}
	return tx, m, nil
}

// result checks the way from a header that commits to execution down to the
// transaction's result.
func (c *checker) result(r *Receipt, tx *wire.Tx) (*wire.Result, error) {
	e := r.Execution
	if r.Cover == nil {
		return nil, wire.Faultf(wire.ErrProof, "a header cannot prove the execution of its own block: the cover is missing")
	}
	c.commitment = c.sealed
	if e.Commitment != nil {
		h, hash, err := c.header("commitment", e.Commitment.Header)
		if err != nil {
			return nil, err
		}
		if err := c.covered("commitment", h, hash, e.Commitment.Path); err != nil {
			return nil, err
		}
		c.commitment = h
	}
	exec := wire.Exec{Height: e.Exec.Height, StateRoot: e.Exec.StateRoot, ResultsRoot: e.Exec.ResultsRoot}
	switch {
	case c.commitment.ExecHeight != exec.Height || c.commitment.ExecRoot != exec.Root():
		return nil, wire.Faultf(wire.ErrProof, "height %d commits to another execution", c.commitment.Height)
	case exec.Height >= c.commitment.Height || exec.Height < c.block.Height:
		return nil, wire.Faultf(wire.ErrProof, "height %d commits to execution up to %d, which cannot hold height %d",
			c.commitment.Height, exec.Height, c.block.Height)
	}
	result, err := wire.DecodeResult(e.Result)
	switch {
	case err != nil:
		return nil, wire.Faultf(wire.ErrProof, "%v", err)
	case result.TxID != tx.ID():
		return nil, wire.Faultf(wire.ErrProof, "the result is that of transaction %s", result.TxID)
	}
	if err := merkle.VerifyInclusion(merkle.LeafHash(e.Result), uint64(r.Index), uint64(c.block.TxCount), e.ResultPath, e.BlockRoot); err != nil {
		return nil, wire.Faultf(wire.ErrProof, "result %d of height %d: %v", r.Index, c.block.Height, err)
	}
	if err := merkle.VerifyInclusion(merkle.LeafHash(e.BlockRoot[:]), c.block.Height, exec.Height+1, e.BlockPath, exec.ResultsRoot); err != nil {
		return nil, wire.Faultf(wire.ErrProof, "results of height %d: %v", c.block.Height, err)
	}
	return result, nil
}
