package archive

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/receipt"
)

// TestEveryReceiptOfARandomChainVerifies asks for every receipt of chains with
// random seals, execution lags and block sizes. Who gets one is compared with
// a plain reading of the rule, and what is given must verify from the genesis.
func TestEveryReceiptOfARandomChainVerifies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := archivetest.New("random", rapid.IntRange(1, 3).Draw(rt, "members"))
		var blocks []archivetest.Block
		for h := range rapid.IntRange(1, 24).Draw(rt, "blocks") {
			b := archivetest.Block{
				Sealed: rapid.Bool().Draw(rt, "sealed"),
				Lag:    uint64(rapid.IntRange(0, 6).Draw(rt, "lag")),
			}
			for i := range rapid.IntRange(0, 5).Draw(rt, "txs") {
				b.Txs = append(b.Txs, c.AddEntry("c", fmt.Append(nil, h, " ", i)))
				b.Codes = append(b.Codes, rapid.SampledFrom([]wire.Code{wire.OK, wire.ErrInsufficientCredits}).Draw(rt, "code"))
			}
			c.Add(b)
			blocks = append(blocks, b)
		}
		a := stored(t, c)
		for h, b := range blocks {
			ordered, executed := proofs(t, c, uint64(h+1))
			for i, tx := range b.Txs {
				checkReceipt(t, a, c, tx, receipt.Ordered, ordered, b.Codes[i])
				checkReceipt(t, a, c, tx, receipt.Executed, executed, b.Codes[i])
			}
		}
	})
}

// proofs tells which receipts a block's transactions can have, by looking at
// every later header.
func proofs(t testing.TB, c *archivetest.Chain, height uint64) (ordered, executed bool) {
	commits := false
	for _, f := range c.Finals[height-1:] {
		h, err := wire.DecodeHeader(f.Header)
		if err != nil {
			t.Fatal(err)
		}
		commits = commits || h.ExecHeight >= height
		if len(f.Seal) > 0 {
			ordered, executed = true, executed || commits
		}
	}
	return ordered, executed
}

func checkReceipt(t testing.TB, a *Archive, c *archivetest.Chain, tx *wire.Tx, kind receipt.Kind, want bool, code wire.Code) {
	t.Helper()
	made, err := a.Receipt(tx.ID(), kind)
	if !want {
		if wire.CodeOf(err) != wire.ErrNotCovered {
			t.Fatalf("%s receipt without a proof: %v", kind, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.Decode(receipt.Encode(made))
	if err != nil {
		t.Fatal(err)
	}
	v, err := receipt.Verify(r, c.Genesis, archivetest.Rules)
	if err != nil {
		t.Fatal(err)
	}
	if v.TxID != tx.ID() || v.Kind != kind {
		t.Fatalf("the receipt proves %s of %s", v.Kind, v.TxID)
	}
	if kind == receipt.Executed && v.Result.Code != code {
		t.Fatalf("proved result %v, executed as %v", v.Result.Code, code)
	}
}
