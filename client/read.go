package client

import (
	"context"
	"time"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/query"
	"cloister/wire/receipt"
	"cloister/wire/token"
)

// Account is an account's verified balance after block Height.
type Account struct {
	Account   wire.Account `json:"account"`
	Factoshis uint64       `json:"factoshis"`
	Credits   uint64       `json:"credits"`
	Height    uint64       `json:"height"`
	// Header, whose seal or cover was verified, commits to this state.
	Header *wire.Header `json:"-"`
}

// Account returns a balance, verified against a sealed header, that includes
// the writes this client has seen recorded. An account nobody paid to is empty.
func (c *Client) Account(ctx context.Context, account wire.Account) (*Account, error) {
	var out *Account
	err := c.do(ctx, "account", func(ctx context.Context, e *endpoint) error {
		after := c.seen.after()
		res, err := e.ledger.Account(ctx, connect.NewRequest(&pb.AccountRequest{Address: account.String(), AfterHeight: after}))
		if err != nil {
			return err
		}
		s, h, err := c.verifyState(token.Name, token.BalanceKey(account), res.Msg.Proof, after)
		if err != nil {
			return err
		}
		var b token.Balance
		if s.Present {
			if err := wire.Unmarshal(s.Value, &b, len(s.Value)); err != nil {
				return err
			}
		}
		out = &Account{account, b.Factoshis, b.Credits, s.Exec.Height, h}
		return nil
	})
	return out, err
}

// StateProof returns one key of public state, verified: the stored value or its
// absence after block Exec.Height, and the header that commits to it. key is the
// key within the family. Its Encode is a proof that Trust.VerifyState checks
// offline.
func (c *Client) StateProof(ctx context.Context, family string, key []byte) (*query.State, *wire.Header, error) {
	var s *query.State
	var h *wire.Header
	err := c.do(ctx, "state", func(ctx context.Context, e *endpoint) error {
		after := c.seen.after()
		res, err := e.ledger.StateProof(ctx, connect.NewRequest(&pb.StateProofRequest{Family: family, Key: key, AfterHeight: after}))
		if err != nil {
			return err
		}
		s, h, err = c.verifyState(family, key, res.Msg.Proof, after)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return s, h, nil
}

// verifyState checks a state proof, and that it is no older than what the
// client knows: an old proof is as well made as a new one.
func (c *Client) verifyState(family string, key, proof []byte, after uint64) (*query.State, *wire.Header, error) {
	s, h, err := c.trust.VerifyState(family, key, proof)
	if err != nil {
		return nil, nil, err
	}
	if s.Exec.Height < after {
		return nil, nil, wire.Faultf(wire.ErrNotCovered, "the state shown is of block %d, before block %d", s.Exec.Height, after)
	}
	if err := c.seen.header(h, h.Hash()); err != nil {
		return nil, nil, err
	}
	return s, h, nil
}

// Receipt returns what a transaction's receipt proves, verified, and the file.
// An executed receipt needs a sealed block after the transaction's own; each
// host is given Options.Cover to come to it. Errors: ErrNotFound, ErrNotCovered.
func (c *Client) Receipt(ctx context.Context, tx wire.Hash, kind receipt.Kind) (*receipt.Verified, []byte, error) {
	return c.receipt(ctx, &pb.ReceiptRequest{Of: &pb.ReceiptRequest_TxId{TxId: tx.String()}}, kind, func(v *receipt.Verified) bool {
		return v.TxID == tx
	})
}

// EntryReceipt is Receipt for the transaction that first recorded an entry,
// given the entry's hash.
func (c *Client) EntryReceipt(ctx context.Context, entry wire.Hash, kind receipt.Kind) (*receipt.Verified, []byte, error) {
	return c.receipt(ctx, &pb.ReceiptRequest{Of: &pb.ReceiptRequest_EntryHash{EntryHash: entry.String()}}, kind, func(v *receipt.Verified) bool {
		return v.Entry != nil && v.Entry.Hash == entry
	})
}

func (c *Client) receipt(ctx context.Context, req *pb.ReceiptRequest, kind receipt.Kind, asked func(*receipt.Verified) bool) (*receipt.Verified, []byte, error) {
	switch kind {
	case receipt.Ordered:
		req.Kind = pb.ReceiptKind_RECEIPT_KIND_ORDERED
	case receipt.Executed:
		req.Kind = pb.ReceiptKind_RECEIPT_KIND_EXECUTED
	default:
		return nil, nil, wire.Faultf(wire.ErrBadRequest, "a receipt is %q or %q", receipt.Ordered, receipt.Executed)
	}
	req.WaitMs = uint32(c.opts.Cover / time.Millisecond)
	var v *receipt.Verified
	var file []byte
	err := c.do(ctx, "receipt", func(ctx context.Context, e *endpoint) error {
		req.AfterHeight = c.seen.after()
		res, err := e.ledger.Receipt(ctx, connect.NewRequest(req))
		if err != nil {
			return err
		}
		if v, err = c.trust.VerifyReceiptFile(res.Msg.File); err != nil {
			return err
		}
		if !asked(v) || v.Kind != kind {
			return wire.Faultf(wire.ErrProof, "the receipt holds, but is not the one asked for")
		}
		file = res.Msg.File
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return v, file, nil
}

// HostStatus is what a host says of itself and its core. Nothing in it is
// verified.
func (c *Client) HostStatus(ctx context.Context) (*pb.StatusResponse, error) {
	var out *pb.StatusResponse
	err := c.do(ctx, "host status", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Status(ctx, connect.NewRequest(&pb.StatusRequest{}))
		if err == nil {
			out = res.Msg
		}
		return err
	})
	return out, err
}
