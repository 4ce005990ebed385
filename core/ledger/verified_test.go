package ledger_test

import (
	"bytes"
	"testing"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// TestVerifiedNeverVouchesForOtherBytes: a remembered transaction with another
// signature, or any other byte changed, is verified again and refused.
func TestVerifiedNeverVouchesForOtherBytes(t *testing.T) {
	c := newChain(t, store.NewMemory())
	fams, tx := families.All(), c.Transfer(ledgertest.Alice, 1, wire.Account{1})
	v := ledger.NewVerified(4)
	for range 2 {
		if c := ledger.CheckTxs([][]byte{tx.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.OK {
			t.Fatalf("good transaction refused: %v", c[0].Code)
		}
	}
	forged := *tx
	forged.Payload = bytes.Clone(tx.Payload)
	forged.Payload[len(forged.Payload)-5] ^= 1 // in the last signature
	if c := ledger.CheckTxs([][]byte{forged.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.ErrBadSignature {
		t.Fatalf("forged signature of a remembered transaction: %v", c[0].Code)
	}
	if c := ledger.CheckTxs([][]byte{tx.Bytes(), forged.Bytes(), tx.Bytes()}, tx.ChainID, fams, v); c[0].Code != wire.OK || c[1].Code != wire.ErrBadSignature || c[2].Code != wire.OK {
		t.Fatalf("mixed batch: %v %v %v", c[0].Code, c[1].Code, c[2].Code)
	}
}
