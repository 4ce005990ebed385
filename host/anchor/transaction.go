package anchor

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

// sequence says that a transaction may be replaced (BIP 125).
const sequence = 0xffff_fffd

// changeIndex is the change's place among the outputs, after the anchor.
const changeIndex = 1

// Sizes of parts in virtual bytes. Signatures are counted at their longest.
const (
	sizeRest   = 4 + 1 + 1 + 4       // version, counts, lock time
	sizeAnchor = 8 + 1 + 42          // the output with the payload
	sizeOutput = 8 + 1               // an output without its script
	sizeSegwit = 32 + 4 + 1 + 4      // an input without its witness
	sizeLegacy = sizeSegwit + 107    // one with its signature and key
	witness    = 1 + 1 + 72 + 1 + 33 // in bytes that count a quarter
)

// size is the most a transaction of n inputs can have in virtual bytes.
func (k *Key) size(n int, change bool) uint64 {
	base := sizeRest + sizeAnchor
	if change {
		base += sizeOutput + len(k.script)
	}
	if k.kind == P2PKH {
		return uint64(base + n*sizeLegacy)
	}
	return uint64(base + n*sizeSegwit + (2+n*witness+3)/4)
}

// inputSize is what one more input adds, rounded up.
func (k *Key) inputSize() uint64 { return k.size(2, true) - k.size(1, true) + 1 }

// dust is what an output of the key must have at least for nodes to relay it: as
// much as spending it costs at 3 satoshi per byte.
func (k *Key) dust() uint64 {
	if k.kind == P2PKH {
		return 546
	}
	return 294
}

// sign makes the transaction: inputs of the key, the anchor's output, and change
// unless that is 0. The same arguments give the same bytes (RFC 6979).
func (k *Key) sign(inputs []funds, anchor []byte, change uint64) (*bitcoin.Tx, error) {
	tx := btc.NewMsgTx(2)
	prevs := txscript.NewMultiPrevOutFetcher(nil)
	for _, in := range inputs {
		out := btc.OutPoint{Hash: chainhash.Hash(in.out.Tx), Index: in.out.Index}
		txIn := btc.NewTxIn(&out, nil, nil)
		txIn.Sequence = sequence
		tx.AddTxIn(txIn)
		prevs.AddPrevOut(out, btc.NewTxOut(int64(in.value), k.script))
	}
	tx.AddTxOut(btc.NewTxOut(0, anchor))
	if change > 0 {
		tx.AddTxOut(btc.NewTxOut(int64(change), k.script))
	}
	hashes := txscript.NewTxSigHashes(tx, prevs)
	for i, in := range inputs {
		var err error
		if k.kind == P2PKH {
			tx.TxIn[i].SignatureScript, err = txscript.SignatureScript(tx, i, k.script, txscript.SigHashAll, k.private, true)
		} else {
			tx.TxIn[i].Witness, err = txscript.WitnessSignature(tx, hashes, i, int64(in.value), k.script, txscript.SigHashAll, k.private, true)
		}
		if err != nil {
			return nil, fmt.Errorf("anchor: cannot sign: %w", err)
		}
	}
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		return nil, fmt.Errorf("anchor: cannot encode a transaction: %w", err)
	}
	return bitcoin.ParseTx(b.Bytes())
}
