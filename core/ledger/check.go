package ledger

import (
	"fmt"

	"cloister/wire"
	"cloister/wire/merkle"
)

// Checked is a transaction judged without state.
type Checked struct {
	Request            // zero if the bytes are no transaction
	LeafHash wire.Hash // of the bytes, as a leaf of Header.TxRoot
	Code     wire.Code // OK, or why no block may contain it
}

// CheckTxs judges encoded transactions for a chain: form, chain, family, the
// family's stateless check, and signatures, all of them in one batch. families
// are those enabled on the chain (Enabled); verified, if not nil, saves verifying
// a signature twice. It is pure but for that; item i belongs to raws[i], whose
// bytes it may alias.
func CheckTxs(raws [][]byte, chainID wire.Hash, families []Family, verified *Verified) []Checked {
	out := make([]Checked, len(raws))
	batch := wire.NewBatch(len(raws))
	queued := make([]int, 0, len(raws)) // which transaction each signature of the batch is of
	for i, raw := range raws {
		c := &out[i]
		c.LeafHash = merkle.LeafHash(raw)
		if err := c.Request.decode(raw); err != nil {
			c.Code = wire.CodeOf(err)
			continue
		}
		if err := c.Request.examine(chainID, families); err != nil {
			c.Code = wire.CodeOf(err)
			continue
		}
		if verified.has(c.LeafHash) {
			continue
		}
		if !c.Carried {
			batch.Add(c.Tx.Payer, c.ID, c.Tx.Signature)
			queued = append(queued, i)
		}
		for _, s := range c.signed {
			batch.AddMessage(s)
			queued = append(queued, i)
		}
	}
	if all, ok := batch.Verify(); !all {
		for n, i := range queued {
			if !ok[n] {
				out[i].Code = wire.ErrBadSignature
			}
		}
	}
	for _, i := range queued {
		if out[i].Code == wire.OK {
			verified.add(out[i].LeafHash)
		}
	}
	return out
}

// decode fills the request from a transaction's bytes. Errors carry
// ErrMalformed or ErrTooLarge.
func (r *Request) decode(raw []byte) error {
	if len(raw) > wire.MaxTx {
		return wire.Faultf(wire.ErrTooLarge, "transaction of %d bytes, at most %d", len(raw), wire.MaxTx)
	}
	tx, err := wire.DecodeTx(raw)
	if err != nil {
		return wire.Faultf(wire.ErrMalformed, "%v", err)
	}
	*r = Request{Tx: tx, ID: tx.ID(), Payer: wire.AccountOf(tx.Payer), Size: len(raw)}
	return nil
}

// examine judges a decoded transaction without state or signature and fills in
// Payload. A panic in the family's check becomes an ErrInternal: a message from
// outside must not end the program.
func (r *Request) examine(chainID wire.Hash, families []Family) (err error) {
	if r.Tx.ChainID != chainID {
		return wire.Faultf(wire.ErrWrongChain, "signed for chain %s", r.Tx.ChainID)
	}
	f := find(families, r.Tx.Family)
	if f == nil {
		return wire.Faultf(wire.ErrUnknownFamily, "family %q is not enabled", r.Tx.Family)
	}
	defer func() {
		if p := recover(); p != nil {
			err = wire.Faultf(wire.ErrInternal, "family %s, checking transaction %s: panic: %v", r.Tx.Family, r.ID, p)
		}
	}()
	if r.Payload, err = f.Check(r.Tx); err != nil {
		return err
	}
	if c, ok := f.(Carrier); ok {
		r.signed, r.Carried = c.Signed(r.Payload)
	}
	switch {
	case r.Carried && !r.Tx.Carries():
		err = wire.Faultf(wire.ErrMalformed, "what carries a message with its own signatures has no others, no nonce and no time")
	case !r.Carried && r.Tx.Carries():
		err = wire.Faultf(wire.ErrBadSignature, "the transaction is not signed")
	}
	return err
}

// CheckBody checks a body against its header and the chain's limits: form,
// sizes, number and root of transactions. It returns the encoded transactions,
// which alias body, and their leaf hashes; whether each is good is for CheckTxs.
// An error means that no honest proposer made the block.
func CheckBody(h *wire.Header, body []byte, limits wire.Limits) (raws [][]byte, leaves []wire.Hash, err error) {
	if len(body) > int(limits.BodyBytes) {
		return nil, nil, fmt.Errorf("body: %w: %d bytes, at most %d", wire.ErrEncoding, len(body), limits.BodyBytes)
	}
	raws, err = wire.DecodeList(body, int(limits.BlockTxs), wire.MaxTx)
	if err != nil {
		return nil, nil, fmt.Errorf("body: %w", err)
	}
	if len(raws) != int(h.TxCount) {
		return nil, nil, fmt.Errorf("body: %w: %d transactions, the header says %d", wire.ErrEncoding, len(raws), h.TxCount)
	}
	leaves = make([]wire.Hash, len(raws))
	for i, raw := range raws {
		leaves[i] = merkle.LeafHash(raw)
	}
	if root := merkle.Root(leaves); root != h.TxRoot {
		return nil, nil, fmt.Errorf("body: %w: root %s, the header says %s", wire.ErrEncoding, root, h.TxRoot)
	}
	return raws, leaves, nil
}
