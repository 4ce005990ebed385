package node

import (
	"cloister/evidence"
	"cloister/wire"
	"cloister/wire/node"
)

// Check implements ledger.Family; the payload is a *request.
func (Family) Check(tx *wire.Tx) (any, error) {
	op, err := node.Decode(tx.Payload)
	if err != nil {
		return nil, err
	}
	switch op := op.(type) {
	case *node.Register:
		return attested(tx, op, &op.Shown, evidence.Register, op.Digest(tx.ChainID))
	case *node.Renew:
		return attested(tx, op, &op.Shown, evidence.Renew, op.Digest(tx.ChainID))
	case *node.Boot:
		return attested(tx, op, &op.Shown, evidence.Renew, op.Digest(tx.ChainID))
	}
	return &request{op: op}, nil
}

// attested reads what a core shows and checks what needs no state: that it is
// for this purpose and chain, and that the core itself signed it.
func attested(tx *wire.Tx, op any, a *node.Attestation, purpose evidence.Purpose, digest wire.Hash) (any, error) {
	claims := new(evidence.Claims)
	if err := wire.Unmarshal(a.Claims, claims, node.MaxClaims); err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "claims: %v", err)
	}
	e, err := evidence.Decode(a.Evidence)
	if err != nil {
		return nil, wire.Faultf(wire.ErrMalformed, "%v", err)
	}
	none := wire.Hash{}
	switch {
	case claims.Purpose != purpose:
		return nil, wire.Faultf(wire.ErrMalformed, "the claims are made for purpose %d, this needs %d", claims.Purpose, purpose)
	case claims.ChainID != tx.ChainID:
		return nil, wire.Faultf(wire.ErrWrongChain, "the claims name chain %s", claims.ChainID)
	case claims.TLSKey != none || claims.ChannelBinding != none || claims.Challenge != none:
		return nil, wire.Faultf(wire.ErrMalformed, "the claims have fields of another purpose")
	case claims.BootID == none || claims.Operator == none || claims.Box == [32]byte{}:
		return nil, wire.Faultf(wire.ErrMalformed, "the claims lack a boot id, an operator or a box key")
	case !claims.Identity.Valid() || !wire.PublicKey(claims.VRF).Valid() || [32]byte(claims.Identity) == claims.VRF:
		return nil, wire.Faultf(wire.ErrMalformed, "the identity or VRF key is not valid, or they are one")
	case !claims.Identity.Verify(digest, a.Signature):
		return nil, wire.Faultf(wire.ErrNodeSignature, "the signature is not the identity key's over this payload")
	}
	return &request{op: op, shown: &shown{a, claims, e}}, nil
}
