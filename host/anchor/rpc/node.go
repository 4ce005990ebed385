package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"strings"

	"cloister/host/anchor"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

// Numbers of errors that both nodes use.
const (
	codeUnknownMethod  = -32601
	codeInvalid        = -8 // height out of range in Bitcoin Core
	codeOutOfRange     = -1 // height out of range in btcd
	codeRejected       = -26
	codeAlreadyInChain = -27
)

// Node is a Bitcoin node as anchoring needs it.
type Node struct{ *Client }

var _ anchor.Bitcoin = Node{}

// Height implements anchor.Bitcoin.
func (n Node) Height(ctx context.Context) (uint32, error) {
	var height uint32
	err := n.Call(ctx, &height, "getblockcount")
	return height, err
}

// BlockHash implements anchor.Bitcoin.
func (n Node) BlockHash(ctx context.Context, height uint32) (bitcoin.Hash, error) {
	var hash bitcoin.Hash
	err := n.Call(ctx, &hash, "getblockhash", height)
	var said *Error
	if errors.As(err, &said) && (said.Code == codeInvalid || said.Code == codeOutOfRange) {
		return bitcoin.Hash{}, anchor.ErrNoBlock
	}
	return hash, err
}

// Header implements anchor.Bitcoin.
func (n Node) Header(ctx context.Context, hash bitcoin.Hash) (bitcoin.Header, error) {
	b, err := n.bytes(ctx, "getblockheader", hash, false)
	if err != nil {
		return bitcoin.Header{}, err
	}
	return bitcoin.ParseHeader(b)
}

// Block implements anchor.Bitcoin.
func (n Node) Block(ctx context.Context, hash bitcoin.Hash) ([]byte, error) {
	return n.bytes(ctx, "getblock", hash, 0)
}

// bytes calls a method that answers with hex.
func (n Node) bytes(ctx context.Context, method string, params ...any) ([]byte, error) {
	var digits string
	if err := n.Call(ctx, &digits, method, params...); err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, wire.Faultf(wire.ErrUnavailable, "Bitcoin node: %s: the answer is not hex", method)
	}
	return b, nil
}

// Send implements anchor.Bitcoin.
func (n Node) Send(ctx context.Context, tx []byte) error {
	err := n.Call(ctx, nil, "sendrawtransaction", hex.EncodeToString(tx))
	var said *Error
	if !errors.As(err, &said) {
		return err
	}
	words := strings.ToLower(said.Message)
	if said.Code == codeAlreadyInChain || strings.Contains(words, "already") && !strings.Contains(words, "already spent") {
		return nil
	}
	// To btcd, a small fee is no fee, and then priority is too little.
	fee := strings.Contains(words, "fee") || strings.Contains(words, "insufficient priority")
	return &anchor.Refused{Reason: said.Error(), Fee: said.Code == codeRejected && fee}
}

// Rate implements anchor.Bitcoin: Bitcoin Core's estimate, else btcd's.
func (n Node) Rate(ctx context.Context, blocks uint32) (uint64, error) {
	var smart struct {
		FeeRate float64 `json:"feerate"`
	}
	err := n.Call(ctx, &smart, "estimatesmartfee", blocks, "CONSERVATIVE")
	if isUnknown(err) {
		err = n.Call(ctx, &smart.FeeRate, "estimatefee", blocks)
	}
	var said *Error
	if errors.As(err, &said) {
		return 0, anchor.ErrNoEstimate // it has seen too few blocks
	}
	if err != nil {
		return 0, err
	}
	rate, ok := satoshi(smart.FeeRate)
	if !ok || rate == 0 {
		return 0, anchor.ErrNoEstimate
	}
	return (rate + 999) / 1000, nil
}

// Unspent implements anchor.Bitcoin: Bitcoin Core looks through all unspent
// outputs; btcd cannot.
func (n Node) Unspent(ctx context.Context, script []byte) (anchor.Unspent, error) {
	var r struct {
		Success bool         `json:"success"`
		Height  uint32       `json:"height"`
		Best    bitcoin.Hash `json:"bestblock"`
		Unspent []struct {
			TxID     bitcoin.Hash `json:"txid"`
			Vout     uint32       `json:"vout"`
			Amount   float64      `json:"amount"`
			Height   uint32       `json:"height"`
			Coinbase bool         `json:"coinbase"`
		} `json:"unspents"`
	}
	err := n.Call(ctx, &r, "scantxoutset", "start", []string{"raw(" + hex.EncodeToString(script) + ")"})
	switch {
	case isUnknown(err):
		return anchor.Unspent{}, anchor.ErrNoScan
	case err != nil:
		return anchor.Unspent{}, err
	case !r.Success:
		return anchor.Unspent{}, wire.Faultf(wire.ErrUnavailable, "Bitcoin node: scantxoutset was aborted")
	}
	found := anchor.Unspent{Tip: anchor.Place{Height: r.Height, Hash: r.Best}}
	for _, u := range r.Unspent {
		value, ok := satoshi(u.Amount)
		if !ok {
			return anchor.Unspent{}, wire.Faultf(wire.ErrUnavailable, "Bitcoin node: scantxoutset: an amount of %v", u.Amount)
		}
		found.Coins = append(found.Coins, anchor.Coin{
			Out: bitcoin.Outpoint{Tx: u.TxID, Index: u.Vout}, Value: value, Born: u.Height, Coinbase: u.Coinbase,
		})
	}
	return found, nil
}

func isUnknown(err error) bool {
	var said *Error
	return errors.As(err, &said) && said.Code == codeUnknownMethod
}

// satoshi reads an amount that a node wrote in whole bitcoins with eight places:
// below 2^53 satoshi the nearest number is the right one.
func satoshi(amount float64) (uint64, bool) {
	v := math.Round(amount * 1e8)
	if !(v >= 0 && v <= bitcoin.MaxMoney) {
		return 0, false
	}
	return uint64(v), true
}
