package api_test

import (
	"context"
	"testing"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/receipt"
)

// aged is the archive of a chain whose members changed very often.
type aged struct{ *apitest.Ledger }

func (a aged) Receipt(id wire.Hash, kind receipt.Kind) (*receipt.Receipt, error) {
	r, err := a.Ledger.Receipt(id, kind)
	if err == nil {
		r.Handovers = append(r.Handovers, make([]byte, receipt.MaxFile/2))
	}
	return r, err
}

func TestAReceiptThatNobodyCouldReadIsNotServed(t *testing.T) {
	h := serve(t, nil)
	old := serve(t, func(c *api.Config) { c.Archive = aged{h.Ledger} })
	tx := h.Create("books", nil, 1)
	submit(t, h, sealed, tx)
	req := connect.NewRequest(&pb.ReceiptRequest{Of: &pb.ReceiptRequest_TxId{TxId: tx.ID().String()}, WaitMs: 1})
	if _, err := h.grpc.Receipt(context.Background(), req); err != nil {
		t.Fatal(err)
	}
	if _, err := old.grpc.Receipt(context.Background(), req); codeOf(err) != wire.ErrTooLarge {
		t.Error(err)
	}
}
