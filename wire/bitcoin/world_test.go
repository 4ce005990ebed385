package bitcoin_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

// Bitcoin's own library is the oracle: blocks are made with it and read by us.

var simnet = network("simnet")

func network(name string) *bitcoin.Network {
	n, err := bitcoin.NetworkNamed(name)
	if err != nil {
		panic(err)
	}
	return n
}

var script = append([]byte{0x6a, 40}, bytes.Repeat([]byte{0x46}, 40)...)

// coinbase is the first transaction of a block of a height.
func coinbase(t testing.TB, height int64) *btc.MsgTx {
	start, err := txscript.NewScriptBuilder().AddInt64(height).AddData([]byte("simnet")).Script()
	if err != nil {
		t.Fatal(err)
	}
	tx := btc.NewMsgTx(2)
	in := btc.NewTxIn(btc.NewOutPoint(&chainhash.Hash{}, 1<<32-1), start, nil)
	in.Witness = btc.TxWitness{make([]byte, 32)}
	tx.AddTxIn(in)
	tx.AddTxOut(btc.NewTxOut(50e8, []byte{txscript.OP_TRUE}))
	return tx
}

// payment spends something; with, it has a witness.
func payment(n byte, with bool, outputs ...*btc.TxOut) *btc.MsgTx {
	tx := btc.NewMsgTx(2)
	in := btc.NewTxIn(btc.NewOutPoint(&chainhash.Hash{n}, uint32(n)), []byte{1, n}, nil)
	if with {
		in.SignatureScript, in.Witness = nil, btc.TxWitness{bytes.Repeat([]byte{n}, 72), bytes.Repeat([]byte{2}, 33)}
	}
	tx.AddTxIn(in)
	for _, out := range append(outputs, btc.NewTxOut(int64(n), bytes.Repeat([]byte{n}, 22))) {
		tx.AddTxOut(out)
	}
	return tx
}

// mine makes a block with enough work for simnet.
func mine(t testing.TB, prev chainhash.Hash, height int64, txs ...*btc.MsgTx) *btc.MsgBlock {
	b := btc.NewMsgBlock(btc.NewBlockHeader(4, &prev, &chainhash.Hash{}, simnet.LimitBits, 0))
	b.Header.Timestamp = time.Unix(1_700_000_000+600*height, 0)
	b.Transactions = append([]*btc.MsgTx{coinbase(t, height)}, txs...)
	b.Header.MerkleRoot = merkleRoot(b.Transactions)
	solve(&b.Header)
	return b
}

// solve finds work for simnet's limit: the highest bit of the hash is 0.
func solve(h *btc.BlockHeader) {
	for hash := h.BlockHash(); hash[31] > 0x7f; hash = h.BlockHash() {
		h.Nonce++
	}
}

func merkleRoot(txs []*btc.MsgTx) chainhash.Hash {
	level := make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		level[i] = tx.TxHash()
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := 0; i < len(level); i += 2 {
			level[i/2] = chainhash.DoubleHashH(append(level[i].CloneBytes(), level[i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

func rawTx(t testing.TB, tx *btc.MsgTx) []byte {
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func rawBlock(t testing.TB, block *btc.MsgBlock) []byte {
	var b bytes.Buffer
	if err := block.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func header(t testing.TB, h *btc.BlockHeader) bitcoin.Header {
	var b bytes.Buffer
	if err := h.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	parsed, err := bitcoin.ParseHeader(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
