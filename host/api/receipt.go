package api

import (
	"context"

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
		tx, err = s.recorderOf(of.EntryHash)
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
	var r *receipt.Receipt
	err = s.onceCovered(ctx, wait, func() error {
		r, err = s.archive.Receipt(tx, kind)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.addHandovers(ctx, r); err != nil {
		return nil, err
	}
	file := receipt.Encode(r)
	if len(file) > receipt.MaxFile { // nobody would read it
		return nil, wire.Faultf(wire.ErrTooLarge, "with %d handovers between member sets the receipt has %d bytes, at most %d can be verified", len(r.Handovers), len(file), receipt.MaxFile)
	}
	return connect.NewResponse(&pb.ReceiptResponse{File: file, TxId: tx.String()}), nil
}

// addHandovers completes a receipt whose seal is by later members than the genesis's.
func (s *Server) addHandovers(ctx context.Context, r *receipt.Receipt) error {
	encoded := r.Header
	if r.Cover != nil {
		encoded = r.Cover.Header
	}
	sealed, err := wire.DecodeHeader(encoded)
	if err != nil {
		return wire.Faultf(wire.ErrInternal, "stored header: %v", err)
	}
	for epoch := uint64(1); epoch < sealed.Epoch; epoch++ {
		h, err := s.handover(ctx, epoch)
		if err != nil {
			return err
		}
		r.Handovers = append(r.Handovers, h)
	}
	return nil
}

// recorderOf is the transaction that first recorded an entry.
func (s *Server) recorderOf(text string) (wire.Hash, error) {
	hash, err := parseID("entry_hash", text)
	if err != nil {
		return hash, err
	}
	var e *archive.Entry
	err = s.look(func() (err error) {
		e, err = s.archive.Entry(hash)
		return err
	})
	if err != nil {
		return hash, err
	}
	return e.Tx, nil
}
