package bitcoin_test

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

func FuzzParseTx(f *testing.F) {
	f.Add(rawTx(f, payment(1, true)))
	f.Add(rawTx(f, payment(1, false)))
	f.Add(rawTx(f, coinbase(f, 5)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := bitcoin.ParseTx(b)
		if err != nil {
			return
		}
		var want btc.MsgTx
		if err := want.Deserialize(bytes.NewReader(b)); err != nil {
			t.Fatalf("the oracle refuses it: %v", err)
		}
		if !bytes.Equal(rawTx(t, &want), b) || bitcoin.Hash(want.TxHash()) != got.ID() {
			t.Fatal("the oracle reads it differently")
		}
	})
}

func FuzzParseBlock(f *testing.F) {
	f.Add(rawBlock(f, mine(f, btcHash(1), 9, payment(1, true), payment(2, false))))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := bitcoin.ParseBlock(b)
		if err != nil {
			return
		}
		var want btc.MsgBlock
		if err := want.Deserialize(bytes.NewReader(b)); err != nil || bitcoin.Hash(want.BlockHash()) != got.Hash() {
			t.Fatalf("the oracle reads it differently: %v", err)
		}
	})
}

func FuzzParseHeaders(f *testing.F) {
	h := header(f, &chaincfg.SimNetParams.GenesisBlock.Header)
	b := h.Bytes()
	f.Add(b[:])
	f.Add([]byte("00\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		headers, err := bitcoin.ParseHeaders(b)
		if err != nil {
			return
		}
		var again []byte
		for _, h := range headers {
			one := h.Bytes()
			again = append(again, one[:]...)
		}
		if back, err := bitcoin.ParseHeaders(again); err != nil || len(back) != len(headers) {
			t.Fatalf("%d headers come back as %d: %v", len(headers), len(back), err)
		}
		if c, err := bitcoin.CheckChain(simnet, simnet.Checkpoint(), headers); err == nil && c.Height() != uint32(len(headers)-1) {
			t.Fatal("the chain lost headers")
		}
	})
}

func FuzzParseProof(f *testing.F) {
	a := anchor(f, btc.NewTxOut(0, script))
	f.Add(a.proof.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bitcoin.ParseProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Fatal("two encodings of one proof")
		}
		if at, err := p.Verify(simnet, script); err == nil && at.TxID != bitcoin.Hash(a.tx.TxHash()) {
			t.Fatalf("a forged proof: %+v", at)
		}
	})
}

func FuzzParseHash(f *testing.F) {
	f.Add(simnet.Genesis.String())
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := bitcoin.ParseHash(s); err == nil {
			if back, err := bitcoin.ParseHash(h.String()); err != nil || back != h {
				t.Fatalf("%s comes back as %s", h, back)
			}
		}
	})
}
