package api

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"cloister/gate"
	pb "cloister/gen/cloister/v1"
	"cloister/wire"
)

// Submit implements the Ledger service.
//
// Ids are registered before the core sees the transactions, so a block can not
// slip between pooling and waiting.
func (s *Server) Submit(ctx context.Context, req *connect.Request[pb.SubmitRequest]) (*connect.Response[pb.SubmitResponse], error) {
	m := req.Msg
	switch n := len(m.Txs); {
	case n == 0:
		return nil, wire.Faultf(wire.ErrBadRequest, "no transactions")
	case n > MaxTxs:
		return nil, wire.Faultf(wire.ErrTooLarge, "%d transactions, at most %d", n, MaxTxs)
	}
	wait, err := waitFor(m.WaitMs, DefaultWait)
	if err != nil {
		return nil, err
	}
	var items []*pb.TransactionStatus
	switch m.Mode {
	case pb.SubmitMode_SUBMIT_MODE_UNSPECIFIED, pb.SubmitMode_SUBMIT_MODE_ASYNC:
		items, err = s.submitAsync(ctx, m.Txs)
	case pb.SubmitMode_SUBMIT_MODE_WAIT_SEALED:
		items, err = s.submitWait(ctx, m.Txs, wait)
	default:
		err = wire.Faultf(wire.ErrBadRequest, "submit mode %d is unknown", m.Mode)
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.SubmitResponse{Items: items, Height: s.archived.now()}), nil
}

func (s *Server) submitAsync(ctx context.Context, txs [][]byte) ([]*pb.TransactionStatus, error) {
	sub := parseSubmission(txs)
	if err := s.pool(ctx, sub); err != nil {
		return nil, err
	}
	return s.statuses(sub, nil)
}

func (s *Server) submitWait(ctx context.Context, txs [][]byte, wait time.Duration) ([]*pb.TransactionStatus, error) {
	sub := parseSubmission(txs)
	batch, err := s.waiters.register(sub.ids)
	if err != nil {
		return nil, err
	}
	defer s.waiters.leave(batch)
	if err := s.pool(ctx, sub); err != nil {
		return nil, err
	}
	for i, code := range sub.codes {
		if code != wire.OK {
			s.waiters.refuse(batch, i)
		}
	}
	if err := await(ctx, batch.done, wait); err != nil {
		return nil, err
	}
	s.waiters.leave(batch)
	return s.statuses(sub, batch)
}

// await waits for done, at most for the given time. Running out of it is no
// error: the answer then says what is known. The end of the request is one.
func await(ctx context.Context, done <-chan struct{}, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil // the caller's deadline; it may still get the answer
		}
		return ctx.Err()
	}
	return nil
}

func waitFor(ms uint32, unset time.Duration) (time.Duration, error) {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case ms == 0:
		return unset, nil
	case d > MaxWait:
		return 0, wire.Faultf(wire.ErrBadRequest, "wait_ms is %d, at most %d", ms, MaxWait/time.Millisecond)
	}
	return d, nil
}

// submission is a batch on its way into the core. All fields are per
// transaction, in order.
type submission struct {
	txs     [][]byte
	ids     []wire.Hash // zero where the bytes are no transaction
	carries []bool      // a message with its own signatures
	codes   []wire.Code
}

// parseSubmission computes ids. It judges nothing but whether there is an id.
func parseSubmission(txs [][]byte) *submission {
	sub := &submission{txs: txs, ids: make([]wire.Hash, len(txs)), carries: make([]bool, len(txs)), codes: make([]wire.Code, len(txs))}
	for i, b := range txs {
		if tx, err := wire.DecodeTx(b); err != nil {
			sub.codes[i] = wire.ErrMalformed
			if len(b) > wire.MaxTx {
				sub.codes[i] = wire.ErrTooLarge
			}
		} else {
			sub.ids[i], sub.carries[i] = tx.ID(), tx.Carries()
		}
	}
	return sub
}

// pool hands the batch to the core in pieces that fit the gate, and fills
// codes. It fails only if the first piece failed; what later pieces the core
// cannot take carry the error's code.
func (s *Server) pool(ctx context.Context, sub *submission) error {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	for n, piece := range sub.pieces() {
		if err := s.poolPiece(ctx, sub, piece); err != nil && n == 0 {
			return err
		}
	}
	s.metrics.submitted(sub.codes)
	return nil
}

// pieces cuts what has an id into lists of positions that fit one Submit frame.
func (sub *submission) pieces() (pieces [][]int) {
	var piece []int
	size := listHead
	for i, tx := range sub.txs {
		if sub.codes[i] != wire.OK {
			continue
		}
		if len(piece) == gate.MaxSubmit || size+len(tx)+listItem > gate.MaxSubmitBytes {
			pieces, piece, size = append(pieces, piece), nil, listHead
		}
		piece, size = append(piece, i), size+len(tx)+listItem
	}
	if len(piece) > 0 {
		pieces = append(pieces, piece)
	}
	return pieces
}

// poolPiece submits the transactions at these positions and fills their codes.
func (s *Server) poolPiece(ctx context.Context, sub *submission, piece []int) error {
	txs := make([][]byte, len(piece))
	for k, i := range piece {
		txs[k] = sub.txs[i]
	}
	items, err := s.submitter.Submit(ctx, txs)
	if err == nil {
		err = sub.answers(piece, items)
	}
	accepted := make([]wire.Hash, 0, len(piece))
	for k, i := range piece {
		if err != nil {
			sub.codes[i] = wire.CodeOf(err)
			continue
		}
		if sub.codes[i] = items[k].Code; sub.codes[i] == wire.OK {
			accepted = append(accepted, sub.ids[i])
		}
	}
	s.pending.add(accepted)
	return err
}

// answers checks that the core answered for these transactions in this order.
func (sub *submission) answers(piece []int, items []SubmitItem) error {
	if len(items) != len(piece) {
		return wire.Faultf(wire.ErrInternal, "the core answered %d items for %d transactions", len(items), len(piece))
	}
	for k, i := range piece {
		if items[k].Code == wire.OK && items[k].TxID != sub.ids[i] {
			return wire.Faultf(wire.ErrInternal, "the core answered for transaction %s instead of %s", items[k].TxID, sub.ids[i])
		}
	}
	return nil
}

// What a list of byte strings takes beyond its items (wire.EncodeList).
const (
	listHead = 9
	listItem = 5
)

// statuses describes the batch. Without waiters, or where they have no outcome,
// it says what admission did.
func (s *Server) statuses(sub *submission, b *batch) ([]*pb.TransactionStatus, error) {
	items := make([]*pb.TransactionStatus, len(sub.txs))
	for i := range items {
		switch {
		case b != nil && b.slots[i].state == slotSealed:
			items[i] = recorded(sub.ids[i], &b.slots[i].outcome)
		case sub.codes[i] == wire.ErrReplayed, sub.carries[i] && refusedForGood(sub.codes[i]):
			// The caller wants to know about the transaction, not about this
			// attempt: it may be a retry whose first answer was lost. What carries
			// its own signatures may be refused for what its first attempt did.
			st, err := s.lookup(sub.ids[i])
			if err != nil {
				return nil, err
			}
			code := sub.codes[i]
			switch {
			case st.State == pb.State_STATE_COMMITTED || st.State == pb.State_STATE_PENDING:
				code = wire.ErrReplayed
			case !sub.carries[i] && st.State == pb.State_STATE_UNKNOWN:
				st.State = pb.State_STATE_PENDING // the core knows it
			case code != wire.ErrReplayed:
				st = &pb.TransactionStatus{TxId: hexID(sub.ids[i]), State: refusedState(code)}
			}
			items[i] = coded(st, code)
		case sub.codes[i] != wire.OK:
			items[i] = coded(&pb.TransactionStatus{TxId: hexID(sub.ids[i]), State: refusedState(sub.codes[i])}, sub.codes[i])
		case b != nil:
			items[i] = coded(&pb.TransactionStatus{TxId: hexID(sub.ids[i]), State: pb.State_STATE_PENDING}, wire.ErrDeadline)
		default:
			items[i] = coded(&pb.TransactionStatus{TxId: hexID(sub.ids[i]), State: pb.State_STATE_PENDING}, wire.OK)
		}
	}
	return items, nil
}

// refusedForGood: not for want of room or time.
func refusedForGood(code wire.Code) bool {
	return code != wire.OK && refusedState(code) == pb.State_STATE_INVALID || code == wire.ErrNoCommit
}

// refusedState: a transaction that was refused for what it is has no effect; one
// that the core could not take just now may still be submitted.
func refusedState(code wire.Code) pb.State {
	switch code.Info().Exit {
	case wire.ExitBusy, wire.ExitInternal:
		return pb.State_STATE_UNKNOWN
	}
	return pb.State_STATE_INVALID
}
