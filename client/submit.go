package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/wire"
	"cloister/wire/receipt"
)

// MaxBatch bounds the transactions of one SubmitBatch.
const MaxBatch = 256

// State is what is known of a transaction.
type State string

// States of a transaction. Committed and a recorded Invalid stay for ever.
const (
	Unknown   State = "unknown"   // the host has not heard of it; others may have
	Pending   State = "pending"   // accepted, not recorded yet; it may still expire
	Committed State = "committed" // recorded under a seal, with result OK
	Invalid   State = "invalid"   // refused, or recorded with another result
)

// TxStatus is what a host says of a transaction. Nothing in it is verified;
// Receipt proves it.
type TxStatus struct {
	ID     wire.Hash    `json:"tx_id"`
	State  State        `json:"state"`
	Code   wire.Code    `json:"code"` // OK, or why it is not committed
	Height uint64       `json:"height,omitempty"`
	Index  uint32       `json:"index,omitempty"`
	Result *wire.Result `json:"result,omitempty"` // if recorded
}

// NewTx makes a signed transaction that can be recorded until validity from
// now, at most 10 minutes.
func (t *Trust) NewTx(key wire.PrivateKey, family string, payload []byte, validity time.Duration) *wire.Tx {
	tx := &wire.Tx{
		ChainID: t.chain, Family: family, Payload: payload,
		NotAfterMs: uint64(time.Now().Add(validity).UnixMilli()),
	}
	rand.Read(tx.Nonce[:])
	tx.Sign(key)
	return tx
}

// Submit hands over a transaction and returns when it is recorded under a seal,
// or refused. The error is nil only for Committed; otherwise it carries the
// code, and the status, if not nil, says what is known. After ErrDeadline or a
// cancelled context the transaction may still be recorded: ask Status.
//
// Concurrent calls travel together. Retries submit the same transaction, which
// counts once. What it returns is the word of a host: SubmitProved verifies.
func (c *Client) Submit(ctx context.Context, tx *wire.Tx) (*TxStatus, error) {
	st, err := c.sealing.submit(ctx, tx)
	if err == nil && st.State == Pending {
		st, err = c.awaitSealed(ctx, st.ID)
	}
	if err != nil {
		return st, fmt.Errorf("submit %s: %w", tx.ID(), err)
	}
	return st, nil
}

// SubmitAsync returns when the transaction is in a pool (Pending), or refused.
func (c *Client) SubmitAsync(ctx context.Context, tx *wire.Tx) (*TxStatus, error) {
	st, err := c.pooling.submit(ctx, tx)
	if err != nil {
		return st, fmt.Errorf("submit %s: %w", tx.ID(), err)
	}
	return st, nil
}

// SubmitProved is Submit, then Receipt of what execution did.
func (c *Client) SubmitProved(ctx context.Context, tx *wire.Tx) (*receipt.Verified, []byte, error) {
	if _, err := c.Submit(ctx, tx); err != nil {
		return nil, nil, err
	}
	return c.Receipt(ctx, tx.ID(), receipt.Executed)
}

// SubmitBatch submits up to MaxBatch transactions in one request and answers
// one status and one error per transaction, in order, as Submit (sealed) or
// SubmitAsync would. With sealed it returns when all are recorded or refused,
// or after the host's longest wait, with ErrDeadline for those still pending.
// Nothing in it is verified.
func (c *Client) SubmitBatch(ctx context.Context, txs []*wire.Tx, sealed bool) ([]*TxStatus, []error) {
	items := make([]*item, len(txs))
	for i, tx := range txs {
		items[i] = newItem(tx)
	}
	if len(txs) == 0 || len(txs) > MaxBatch {
		for _, it := range items {
			it.err = wire.Faultf(wire.ErrTooLarge, "%d transactions, at most %d", len(txs), MaxBatch)
		}
	} else {
		c.send(ctx, items, sealed)
	}
	statuses, errs := make([]*TxStatus, len(items)), make([]error, len(items))
	for i, it := range items {
		statuses[i], errs[i] = it.status, it.err
		if it.err == nil && sealed && it.status.State == Pending {
			errs[i] = wire.Faultf(wire.ErrDeadline, "not recorded within the host's wait")
		}
	}
	return statuses, errs
}

// item is one transaction under way. Owned by the batch until it is answered.
type item struct {
	id     wire.Hash
	raw    []byte
	tries  int // answers and lost answers so far
	status *TxStatus
	err    error
}

func newItem(tx *wire.Tx) *item { return &item{id: tx.ID(), raw: tx.Bytes()} }

// send submits a batch, and again by the retry policy whatever of it a host
// could not take just now. Afterwards every item has a status or an error.
func (c *Client) send(ctx context.Context, items []*item, sealed bool) {
	open := items
	err := c.do(ctx, "submit", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Submit(ctx, connect.NewRequest(submitRequest(open, sealed, c.seen.after())))
		for _, it := range open {
			it.tries++
		}
		if err != nil {
			return err
		}
		if len(res.Msg.Items) != len(open) {
			return wire.Faultf(wire.ErrProof, "%d answers for %d transactions", len(res.Msg.Items), len(open))
		}
		var again []*item
		var later error
		for i, it := range open {
			if err := c.answered(it, res.Msg.Items[i]); err != nil {
				again, later = append(again, it), err
			}
		}
		open = again
		return later
	})
	for _, it := range open {
		if it.status == nil {
			it.status = &TxStatus{ID: it.id, State: Unknown, Code: wire.CodeOf(err)}
		}
		it.err = err
	}
}

func submitRequest(items []*item, sealed bool, after uint64) *pb.SubmitRequest {
	req := &pb.SubmitRequest{Mode: pb.SubmitMode_SUBMIT_MODE_ASYNC, AfterHeight: after, Txs: make([][]byte, len(items))}
	if sealed {
		req.Mode = pb.SubmitMode_SUBMIT_MODE_WAIT_SEALED
	}
	for i, it := range items {
		req.Txs[i] = it.raw
	}
	return req
}

// answered judges a host's answer for one transaction. An error means: try it
// again.
func (c *Client) answered(it *item, answer *pb.TransactionStatus) error {
	st, err := c.status(it.id, answer)
	if err != nil {
		return err
	}
	it.status, it.err = st, nil
	switch {
	case st.Code == wire.ErrReplayed && it.tries > 1:
		// An earlier attempt arrived, though its answer did not. What
		// happened to that one is the answer.
		st.Code = wire.OK
		if st.Result != nil {
			st.Code = st.Result.Code
		}
	case st.Code == wire.ErrDeadline && st.State == Pending:
		st.Code = wire.OK // accepted; the caller goes on waiting
	}
	switch {
	case st.Code != wire.OK:
	case st.State == Committed || st.State == Pending:
		return nil
	default:
		return fmt.Errorf("%w: %w: %s without a reason", wire.ErrProof, errAnswer, st.State)
	}
	failure := coded(uint32(st.Code), answer.Name)
	if worth(failure) && st.State == Unknown {
		return failure
	}
	it.err = failure
	return nil
}

// awaitSealed asks until a transaction is recorded under a seal, for a caller
// whose batch came back before that.
func (c *Client) awaitSealed(ctx context.Context, id wire.Hash) (*TxStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Wait)
	defer cancel()
	last := &TxStatus{ID: id, State: Pending}
	for {
		st, err := c.transaction(ctx, &pb.TransactionRequest{TxId: id.String(), WaitMs: uint32(pollWait / time.Millisecond)}, id)
		if err != nil {
			return last, err
		}
		last = st
		switch st.State {
		case Committed:
			return st, nil
		case Invalid:
			return st, coded(uint32(st.Code), "recorded, and refused when executed")
		case Unknown:
			// Forgotten by its host, or asked of another one that never knew
			// it. A short pause keeps this from becoming a loop without end.
			if err := sleep(ctx, c.opts.Retry.Longest); err != nil {
				return last, err
			}
		}
		if err := ctx.Err(); err != nil {
			return last, ended(ctx)
		}
	}
}

// pollWait is how long one request of awaitSealed waits at the host.
const pollWait = 10 * time.Second

// Status asks what became of a transaction. Nothing in it is verified.
func (c *Client) Status(ctx context.Context, id wire.Hash) (*TxStatus, error) {
	return c.transaction(ctx, &pb.TransactionRequest{TxId: id.String(), AfterHeight: c.seen.after()}, id)
}

func (c *Client) transaction(ctx context.Context, req *pb.TransactionRequest, id wire.Hash) (st *TxStatus, err error) {
	err = c.do(ctx, "transaction status", func(ctx context.Context, e *endpoint) error {
		res, err := e.ledger.Transaction(ctx, connect.NewRequest(req))
		if err != nil {
			return err
		}
		st, err = c.status(id, res.Msg.Status)
		return err
	})
	return st, err
}

var states = map[pb.State]State{
	pb.State_STATE_UNKNOWN:   Unknown,
	pb.State_STATE_PENDING:   Pending,
	pb.State_STATE_COMMITTED: Committed,
	pb.State_STATE_INVALID:   Invalid,
}

// errAnswer: what a host says contradicts itself or the question.
var errAnswer = errors.New("impossible answer")

// status reads a host's word on a transaction.
func (c *Client) status(id wire.Hash, m *pb.TransactionStatus) (*TxStatus, error) {
	state, ok := states[m.GetState()]
	switch {
	case m == nil || !ok:
		return nil, fmt.Errorf("%w: %w: no state", wire.ErrProof, errAnswer)
	case m.TxId != id.String() && m.TxId != "":
		return nil, fmt.Errorf("%w: %w: about another transaction", wire.ErrProof, errAnswer)
	case state == Committed && (m.Result == nil || m.Result.Code != 0 || m.Height == 0):
		return nil, fmt.Errorf("%w: %w: committed without a place or a result", wire.ErrProof, errAnswer)
	case state == Invalid && m.Code == 0:
		return nil, fmt.Errorf("%w: %w: invalid without a reason", wire.ErrProof, errAnswer)
	}
	st := &TxStatus{ID: id, State: state, Code: wire.Code(m.Code), Height: m.Height, Index: m.Index}
	if r := m.Result; r != nil {
		st.Result = &wire.Result{TxID: id, Code: wire.Code(r.Code), Credits: r.Credits, Fee: r.Fee, Output: r.Output}
	}
	if m.Height > 0 {
		c.seen.claim(m.Height)
	}
	return st, nil
}
