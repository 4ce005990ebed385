package btcdlab

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	btc "github.com/btcsuite/btcd/wire/v2"

	"cloister/wire/bitcoin"
)

// subsidy is what the first blocks pay, in satoshi.
const subsidy = 50 * 100_000_000

// GenerateEmpty mines n blocks that leave out whatever waits in the pool, as a
// miner does to whom it does not pay enough. They pay nobody.
func (l *Lab) GenerateEmpty(ctx context.Context, n uint32) error {
	network, err := bitcoin.NetworkNamed("simnet")
	if err != nil {
		return err
	}
	for range n {
		height, err := l.Node.Height(ctx)
		if err != nil {
			return err
		}
		tip, err := l.Node.BlockHash(ctx, height)
		if err != nil {
			return err
		}
		prev, err := l.Node.Header(ctx, tip)
		if err != nil {
			return err
		}
		raw, err := emptyBlock(network, prev, height+1)
		if err != nil {
			return err
		}
		var refused *string
		if err := l.Node.Call(ctx, &refused, "submitblock", hex.EncodeToString(raw)); err != nil {
			return fmt.Errorf("btcdlab: submit: %w", err)
		}
		if refused != nil {
			return fmt.Errorf("btcdlab: submit: btcd says %q", *refused)
		}
	}
	return nil
}

// emptyBlock makes a block with enough work.
func emptyBlock(n *bitcoin.Network, prev bitcoin.Header, height uint32) ([]byte, error) {
	start, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddData([]byte("btcdlab")).Script()
	if err != nil {
		return nil, fmt.Errorf("btcdlab: %w", err)
	}
	first := btc.NewMsgTx(1)
	first.AddTxIn(btc.NewTxIn(btc.NewOutPoint(&chainhash.Hash{}, 1<<32-1), start, nil))
	first.AddTxOut(btc.NewTxOut(subsidy, []byte{txscript.OP_RETURN}))
	before, root := chainhash.Hash(prev.Hash()), first.TxHash()
	block := btc.NewMsgBlock(btc.NewBlockHeader(4, &before, &root, prev.Bits, 0))
	block.Header.Timestamp = time.Unix(int64(prev.Time)+1, 0)
	block.Transactions = []*btc.MsgTx{first}
	for {
		var b bytes.Buffer
		if err := block.Serialize(&b); err != nil {
			return nil, fmt.Errorf("btcdlab: %w", err)
		}
		h, err := bitcoin.ParseHeader(b.Bytes()[:bitcoin.HeaderSize])
		if err != nil {
			return nil, err
		}
		if h.CheckWork(n) == nil {
			return b.Bytes(), nil
		}
		block.Header.Nonce++
	}
}
