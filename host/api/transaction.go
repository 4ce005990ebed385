package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/host/archive"
	"cloister/wire"
)

// Transaction implements the Ledger service.
func (s *Server) Transaction(ctx context.Context, req *connect.Request[pb.TransactionRequest]) (*connect.Response[pb.TransactionResponse], error) {
	id, err := parseID("tx_id", req.Msg.TxId)
	if err != nil {
		return nil, err
	}
	wait, err := waitFor(req.Msg.WaitMs, 0)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if err := s.awaitRecorded(ctx, id, wait); err != nil {
			return nil, err
		}
	}
	st, err := s.lookup(id)
	if err != nil {
		return nil, err
	}
	res := &pb.TransactionResponse{Status: st}
	if req.Msg.Raw && st.Height > 0 {
		tx, err := s.find(id)
		if err != nil {
			return nil, err
		}
		res.Tx = tx.Bytes
	}
	return connect.NewResponse(res), nil
}

// awaitRecorded waits until a transaction is recorded under a seal or the time
// is over. It registers before it looks, so nothing passes in between.
func (s *Server) awaitRecorded(ctx context.Context, id wire.Hash, wait time.Duration) error {
	b, err := s.waiters.register([]wire.Hash{id})
	if err != nil {
		return err
	}
	defer s.waiters.leave(b)
	tx, err := s.find(id)
	switch {
	case errors.Is(err, wire.ErrNotFound):
		return await(ctx, b.done, wait)
	case err != nil:
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := s.sealed.reach(bounded, tx.Height); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// lookup says what this host knows of a transaction. A recorded one that no
// seal covers yet is pending: what is said to be recorded must stay so.
func (s *Server) lookup(id wire.Hash) (*pb.TransactionStatus, error) {
	tx, err := s.find(id)
	switch {
	case err == nil && tx.Height <= s.sealed.now():
		return recorded(id, &outcome{tx.Height, tx.Index, tx.Result}), nil
	case err == nil || errors.Is(err, wire.ErrNotFound) && s.pending.has(id):
		return coded(&pb.TransactionStatus{TxId: id.String(), State: pb.State_STATE_PENDING}, wire.OK), nil
	case errors.Is(err, wire.ErrNotFound):
		return coded(&pb.TransactionStatus{TxId: id.String(), State: pb.State_STATE_UNKNOWN}, wire.OK), nil
	}
	return nil, err
}

// find looks a recorded transaction up. Errors: ErrNotFound.
func (s *Server) find(id wire.Hash) (tx *archive.Transaction, err error) {
	err = s.look(func() (err error) {
		tx, err = s.archive.Transaction(id)
		return err
	})
	return tx, err
}

// recorded describes a transaction that a seal covers.
func recorded(id wire.Hash, o *outcome) *pb.TransactionStatus {
	state := pb.State_STATE_COMMITTED
	if o.result.Code != wire.OK {
		state = pb.State_STATE_INVALID
	}
	return coded(&pb.TransactionStatus{
		TxId: id.String(), State: state, Height: o.height, Index: o.index,
		Result: &pb.Result{
			Code: uint32(o.result.Code), Name: o.result.Code.String(),
			Credits: o.result.Credits, Fee: o.result.Fee, Output: o.result.Output,
		},
	}, o.result.Code)
}

// coded fills in a code, its name and its advice.
func coded(st *pb.TransactionStatus, code wire.Code) *pb.TransactionStatus {
	st.Code, st.Name = uint32(code), code.String()
	if code != wire.OK {
		st.Advice = code.Info().Advice
	}
	return st
}

// parseID reads an id given as text.
func parseID(field, text string) (wire.Hash, error) {
	id, err := wire.ParseHash(text[:min(len(text), maxText)])
	if err != nil {
		return id, wire.Faultf(wire.ErrBadRequest, "%s: 64 hex digits are expected", field)
	}
	return id, nil
}

// hexID is the text of an id, empty for none.
func hexID(id wire.Hash) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}
