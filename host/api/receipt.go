package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/host/archive"
	"cloister/wire"
	"cloister/wire/receipt"
)

// Receipt implements the Ledger service.
func (s *Server) Receipt(ctx context.Context, req *connect.Request[pb.ReceiptRequest]) (*connect.Response[pb.ReceiptResponse], error) {
	var tx wire.Hash
	var err error
	switch of := req.Msg.Of.(type) {
	case *pb.ReceiptRequest_TxId:
		tx, err = parseID("tx_id", of.TxId)
	case *pb.ReceiptRequest_EntryHash:
		if tx, err = parseID("entry_hash", of.EntryHash); err == nil {
			var e *archive.Entry
			if e, err = s.archive.Entry(tx); err == nil {
				tx = e.Tx
			}
		}
	default:
		err = wire.Faultf(wire.ErrBadRequest, "say of what: tx_id or entry_hash")
	}
	if err != nil {
		return nil, err
	}
	kind := receipt.Ordered
	switch req.Msg.Kind {
	case pb.ReceiptKind_RECEIPT_KIND_UNSPECIFIED, pb.ReceiptKind_RECEIPT_KIND_ORDERED:
	case pb.ReceiptKind_RECEIPT_KIND_EXECUTED:
		kind = receipt.Executed
	default:
		return nil, wire.Faultf(wire.ErrBadRequest, "receipt kind %d is unknown", req.Msg.Kind)
	}
	wait, err := waitFor(req.Msg.WaitMs, 0)
	if err != nil {
		return nil, err
	}
	var file []byte
	err = s.onceCovered(ctx, wait, func() error {
		file, err = s.archive.Receipt(tx, kind)
		return err
	})
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.ReceiptResponse{File: file, TxId: tx.String()}), nil
}

// onceCovered runs f, and while it fails with ErrNotCovered again after each
// new seal, until the time is over.
func (s *Server) onceCovered(ctx context.Context, wait time.Duration, f func() error) error {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		sealed := s.sealed.now() // before f, so that a seal during f is not missed
		err := f()
		if !errors.Is(err, wire.ErrNotCovered) {
			return err
		}
		if s.sealed.reach(bounded, sealed+1) == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
}
