package rpc

import (
	"bytes"
	"context"
	"errors"

	"github.com/btcsuite/btcd/address/v2"
	btcwire "github.com/btcsuite/btcd/wire/v2"

	"cloister/host/anchor"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

// Found is an anchor that somebody made, of whatever ledger.
type Found struct {
	TXID       bitcoin.Hash
	Block      anchor.Place
	Depth      uint32 // blocks from this one to the tip, 1 for the tip itself
	ScriptHash bool   // Spender is of a script (P2SH), else of a public key
	Spender    [20]byte
	Script     []byte // of the output
}

// reorgTries bounds how often reading begins again because the chain changed.
const reorgTries = 8

// errMoved means that the best chain changed while it was read.
var errMoved = errors.New("the best chain changed")

// Anchors calls found with every anchor in the best chain from a height on, block
// after block, and returns the height of the tip it went up to. Where the chain
// changes meanwhile it goes on from the change: found may see one twice.
func (n Node) Anchors(ctx context.Context, from uint32, found func(Found) error) (tip uint32, err error) {
	for range reorgTries {
		if tip, err = n.Height(ctx); err != nil {
			return 0, err
		}
		from, err = n.anchorsTo(ctx, from, tip, found)
		if !errors.Is(err, errMoved) {
			return tip, err
		}
	}
	return tip, err
}

// anchorsTo reads blocks up to tip and says where to go on if the chain changed.
func (n Node) anchorsTo(ctx context.Context, from, tip uint32, found func(Found) error) (next uint32, err error) {
	var before bitcoin.Hash
	for height := from; height <= tip; height++ {
		hash, err := n.BlockHash(ctx, height)
		if errors.Is(err, anchor.ErrNoBlock) {
			return from, errMoved
		}
		if err != nil {
			return height, err
		}
		raw, err := n.Block(ctx, hash)
		if err != nil {
			return height, err
		}
		block, err := bitcoin.ParseBlock(raw)
		if err != nil {
			return height, err
		}
		if height > from && block.Header.Prev != before {
			return from, errMoved
		}
		before = hash
		for _, t := range block.Txs {
			f, ok := anchorIn(t)
			if !ok {
				continue
			}
			f.Block, f.Depth = anchor.Place{Height: height, Hash: hash}, tip-height+1
			if err := found(f); err != nil {
				return height, err
			}
		}
	}
	return tip + 1, nil
}

// anchorIn reads a transaction that has an anchor's output.
func anchorIn(t *bitcoin.Tx) (f Found, ok bool) {
	for _, out := range t.Outputs {
		if _, _, err := factom.ParseAnchorScript(out.Script); err == nil {
			f.TXID, f.Script = t.ID(), out.Script
			f.Spender, f.ScriptHash, ok = spender(t.Bytes())
			return f, ok
		}
	}
	return f, false
}

// spender is who signed a transaction's first input: the hash of the public key,
// of a witness or of a script that ends in one, or of the redeem script.
func spender(raw []byte) (hash [20]byte, script, ok bool) {
	var tx btcwire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil || len(tx.TxIn) == 0 {
		return hash, false, false
	}
	in := tx.TxIn[0]
	last := lastPush(in.SignatureScript)
	if n := len(in.Witness); n > 0 && len(in.SignatureScript) == 0 {
		last = in.Witness[n-1]
	}
	if len(last) == 0 {
		return hash, false, false
	}
	isKey := len(last) == 33 && (last[0] == 2 || last[0] == 3) || len(last) == 65 && last[0] == 4
	return [20]byte(address.Hash160(last)), !isKey, true
}

// lastPush is what a script of pushes ends in, nil if it has anything else.
func lastPush(script []byte) (last []byte) {
	for len(script) > 0 {
		n, head := int(script[0]), 1
		switch {
		case n <= 75:
		case n == 76 && len(script) > 1:
			n, head = int(script[1]), 2
		case n == 77 && len(script) > 2:
			n, head = int(script[1])|int(script[2])<<8, 3
		default:
			return nil
		}
		if len(script) < head+n {
			return nil
		}
		last, script = script[head:head+n], script[head+n:]
	}
	return last
}
