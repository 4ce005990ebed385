package fileledger

import (
	"bytes"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

// genesis is the simulation network's first block.
func genesis() []byte {
	var b bytes.Buffer
	if err := chaincfg.SimNetParams.GenesisBlock.Serialize(&b); err != nil {
		panic(fmt.Sprintf("fileledger: %v", err))
	}
	return b.Bytes()
}

// Mine makes n blocks, ten minutes apart, with all that waits in the first. Each
// makes a coin of so many satoshi for a script. Errors are the file's.
func (l *Ledger) Mine(n int, script []byte, satoshi uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		raw, err := l.next(script, satoshi)
		if err != nil {
			return err
		}
		if err := l.append(raw); err != nil {
			return err
		}
		l.pool = nil
	}
	return nil
}

// next makes the next block.
func (l *Ledger) next(script []byte, satoshi uint64) ([]byte, error) {
	last := l.chain[len(l.chain)-1]
	start, err := txscript.NewScriptBuilder().AddInt64(int64(len(l.chain))).AddData([]byte("fileledger")).Script()
	if err != nil {
		return nil, fmt.Errorf("fileledger: %w", err)
	}
	first := btc.NewMsgTx(1)
	first.AddTxIn(btc.NewTxIn(btc.NewOutPoint(&chainhash.Hash{}, 1<<32-1), start, nil))
	first.AddTxOut(btc.NewTxOut(int64(satoshi), script))

	block := &btc.MsgBlock{Transactions: []*btc.MsgTx{first}}
	ids := []bitcoin.Hash{bitcoin.Hash(first.TxHash())}
	for _, waiting := range l.pool {
		tx := new(btc.MsgTx)
		if err := tx.Deserialize(bytes.NewReader(waiting.Bytes())); err != nil {
			return nil, fmt.Errorf("fileledger: %w", err)
		}
		block.Transactions, ids = append(block.Transactions, tx), append(ids, waiting.ID())
	}
	root, err := bitcoin.MerkleRoot(ids)
	if err != nil {
		return nil, err
	}
	prev := chainhash.Hash(last.Hash())
	block.Header = *btc.NewBlockHeader(4, &prev, (*chainhash.Hash)(&root), l.network.LimitBits, 0)
	block.Header.Timestamp = time.Unix(int64(last.Time)+600, 0)
	return l.solve(block)
}

// solve finds the work: one try in two succeeds.
func (l *Ledger) solve(block *btc.MsgBlock) ([]byte, error) {
	for {
		var b bytes.Buffer
		if err := block.Serialize(&b); err != nil {
			return nil, fmt.Errorf("fileledger: %w", err)
		}
		h, err := bitcoin.ParseHeader(b.Bytes()[:bitcoin.HeaderSize])
		if err != nil {
			return nil, err
		}
		if h.CheckWork(l.network) == nil {
			return b.Bytes(), nil
		}
		block.Header.Nonce++
	}
}
