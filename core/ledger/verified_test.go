package ledger_test

import (
	"testing"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/wire"
	"cloister/wire/token"
)

// TestVerifiedNeverVouchesForOtherBytes: a remembered transaction with another
// signature, or any other byte changed, is verified again and refused.
func TestVerifiedNeverVouchesForOtherBytes(t *testing.T) {
	key := wire.NewPrivateKey([32]byte{1})
	fams := families.All()
	p := token.Payload{Transfers: []token.Output{{To: wire.Account{1}, Amount: 1}}}
	tx := &wire.Tx{ChainID: wire.Hash{9}, Family: token.Name, Payload: p.Bytes(), NotAfterMs: 1}
	tx.Sign(key)
	v := ledger.NewVerified(4)
	for range 2 {
		if c := ledger.CheckTxs([][]byte{tx.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.OK {
			t.Fatalf("good transaction refused: %v", c[0].Code)
		}
	}
	forged := *tx
	forged.Signature[5] ^= 1
	if c := ledger.CheckTxs([][]byte{forged.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.ErrBadSignature {
		t.Fatalf("forged signature of a remembered transaction: %v", c[0].Code)
	}
	if c := ledger.CheckTxs([][]byte{tx.Bytes(), forged.Bytes(), tx.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.OK || c[1].Code != wire.ErrBadSignature || c[2].Code != wire.OK {
		t.Fatalf("mixed batch: %v %v %v", c[0].Code, c[1].Code, c[2].Code)
	}
}
