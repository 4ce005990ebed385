package bitcoin_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	btc "github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/bitcoin"
)

// drawTx makes any transaction of a few parts.
func drawTx(t *rapid.T) *btc.MsgTx {
	tx := btc.NewMsgTx(rapid.Int32().Draw(t, "version"))
	segwit := rapid.Bool().Draw(t, "segwit")
	bytesOf := rapid.SliceOfN(rapid.Byte(), 0, 300)
	for i := range rapid.IntRange(1, 4).Draw(t, "inputs") {
		var prev btc.OutPoint
		copy(prev.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "prev"))
		in := btc.NewTxIn(&prev, bytesOf.Draw(t, "script"), nil)
		if segwit && (i == 0 || rapid.Bool().Draw(t, "witness")) {
			in.Witness = btc.TxWitness{bytesOf.Draw(t, "item"), bytesOf.Draw(t, "item")}
		}
		tx.AddTxIn(in)
	}
	for range rapid.IntRange(1, 4).Draw(t, "outputs") {
		tx.AddTxOut(btc.NewTxOut(rapid.Int64Range(0, bitcoin.MaxMoney).Draw(t, "value"), bytesOf.Draw(t, "script")))
	}
	tx.LockTime = rapid.Uint32().Draw(t, "lock")
	return tx
}

func TestTransactionsReadAsTheOracleReadsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := drawTx(rt)
		b := rawTx(t, want)
		got, err := bitcoin.ParseTx(b)
		if err != nil {
			rt.Fatal(err)
		}
		size := (blockchain.GetTransactionWeight(btcutil.NewTx(want)) + 3) / 4
		if got.ID() != bitcoin.Hash(want.TxHash()) || got.Version != want.Version || got.LockTime != want.LockTime ||
			int64(got.VirtualSize()) != size || got.StrippedSize() != want.SerializeSizeStripped() || !bytes.Equal(got.Bytes(), b) {
			rt.Fatalf("read as %+v", got)
		}
		for i, in := range want.TxIn {
			g := got.Inputs[i]
			if g.Prev.Tx != bitcoin.Hash(in.PreviousOutPoint.Hash) || g.Prev.Index != in.PreviousOutPoint.Index ||
				g.Sequence != in.Sequence || !bytes.Equal(g.Script, in.SignatureScript) {
				rt.Fatalf("input %d read as %+v", i, g)
			}
		}
		for i, out := range want.TxOut {
			if g := got.Outputs[i]; int64(g.Value) != out.Value || !bytes.Equal(g.Script, out.PkScript) {
				rt.Fatalf("output %d read as %+v", i, g)
			}
		}
	})
}

func TestTransactionsAreReadStrictly(t *testing.T) {
	good := rawTx(t, payment(3, true))
	plain := rawTx(t, payment(3, false))
	tooMuch := payment(3, false)
	tooMuch.TxOut[0].Value = bitcoin.MaxMoney + 1
	replaced := func(b []byte, at int, with ...byte) []byte {
		return append(append(append([]byte(nil), b[:at]...), with...), b[at+1:]...)
	}
	for name, b := range map[string][]byte{
		"nothing":               nil,
		"cut":                   good[:len(good)-1],
		"more":                  append(append([]byte(nil), good...), 0),
		"no inputs":             append(append([]byte(nil), plain[:4]...), 0, 0, 0, 0, 0, 0),
		"long number":           replaced(plain, 4, 0xfd, 1, 0),
		"longer number":         replaced(plain, 4, 0xfe, 1, 0, 0, 0),
		"more inputs than room": replaced(plain, 4, 0xff, 255, 255, 255, 255, 255, 255, 255, 255),
		"more than all money":   rawTx(t, tooMuch),
		"empty witness":         append(append(append(append([]byte(nil), plain[:4]...), 0, 1), plain[4:len(plain)-4]...), 0, 0, 0, 0, 0),
		"too large":             rawTx(t, payment(3, false, btc.NewTxOut(1, make([]byte, bitcoin.MaxTx)))),
	} {
		if _, err := bitcoin.ParseTx(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good {
		if _, err := bitcoin.ParseTx(good[:n]); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
}

func TestBlocksReadAsTheOracleReadsThem(t *testing.T) {
	want := mine(t, btcHash(1), 9, payment(1, true), payment(2, false), payment(3, true))
	b := rawBlock(t, want)
	got, err := bitcoin.ParseBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hash() != bitcoin.Hash(want.BlockHash()) || len(got.Txs) != 4 || got.IDs()[3] != bitcoin.Hash(want.Transactions[3].TxHash()) {
		t.Fatalf("read as %+v", got)
	}
	swapped := *want
	swapped.Transactions = []*btc.MsgTx{want.Transactions[1], want.Transactions[0]}
	swapped.Header.MerkleRoot = merkleRoot(swapped.Transactions)
	other := *want
	other.Transactions = want.Transactions[:3]
	twice := *want
	twice.Transactions = append(append([]*btc.MsgTx(nil), want.Transactions...), want.Transactions[2:]...)
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"only a header":     b[:bitcoin.HeaderSize],
		"cut":               b[:len(b)-1],
		"more":              append(append([]byte(nil), b...), 0),
		"other transaction": rawBlock(t, &other),
		"repeated end":      rawBlock(t, &twice),
		"order":             rawBlock(t, &swapped),
		"too large":         make([]byte, bitcoin.MaxBlock+1),
	} {
		if _, err := bitcoin.ParseBlock(b); wire.CodeOf(err) != wire.ErrMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}
