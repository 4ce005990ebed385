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

	// doubt is what a retry was refused with though an attempt before it may have
	// arrived: the answer if it turns out that nobody knows the transaction.
	doubt error
}

// NewTx makes a signed transaction that can be recorded until validity from
// now, at most 10 minutes. It is for every family but record and token, whose
// messages are signed themselves: EntryTx, PaymentTx.
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
		st, err = c.awaitSealed(ctx, st)
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
	id      wire.Hash
	raw     []byte
	carries bool // a message with its own signatures
	tries   int  // answers and lost answers so far
	lost    bool // one of them was lost, so an attempt may have arrived
	status  *TxStatus
	err     error
}

func newItem(tx *wire.Tx) *item { return &item{id: tx.ID(), raw: tx.Bytes(), carries: tx.Carries()} }

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
			for _, it := range open {
				it.lost = true
			}
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
	it.reconsider(refusal(st, answer.Name))
	failure := refusal(st, answer.Name)
	switch {
	case failure == nil && (st.State == Committed || st.State == Pending):
		return nil
	case failure == nil:
		return fmt.Errorf("%w: %w: %s without a reason", wire.ErrProof, errAnswer, st.State)
	case worth(failure) && st.State == Unknown:
		return failure
	}
	it.err = failure
	return nil
}

// refusal is a status's code as an error, nil for OK.
func refusal(st *TxStatus, name string) error {
	if st.Code == wire.ErrReplayed && st.State == Unknown {
		return wire.Faultf(wire.ErrReplayed, "another message of this key and time was recorded before")
	}
	return coded(uint32(st.Code), name)
}

// reconsider takes an answer for what it says of the transaction rather than of
// this attempt.
func (it *item) reconsider(refused error) {
	st := it.status
	switch replayed := st.Code == wire.ErrReplayed && it.tries > 1; {
	case replayed && st.State != Unknown:
		// An earlier attempt arrived, though its answer did not. What
		// happened to that one is the answer.
		st.Code = wire.OK
		if st.Result != nil {
			st.Code = st.Result.Code
		}
	case replayed, refused != nil && !worth(refused) && it.lost && it.carries && st.Height == 0:
		// The same, before its host has read what the core executed, and a message
		// that is not known again by itself, such as a reveal, is then refused for
		// what its first attempt did. Or it is refused for what it is.
		st.Code, st.State, st.doubt = wire.OK, Pending, refused
	case st.Code == wire.ErrDeadline && st.State == Pending:
		st.Code = wire.OK // accepted; the caller goes on waiting
	}
}

// Await returns what became of a transaction that may have been submitted: once it
// is recorded under a seal, or once a host that was asked to wait does not know it,
// with ErrNotFound. The rest is as with Submit.
func (c *Client) Await(ctx context.Context, id wire.Hash) (*TxStatus, error) {
	unknown := wire.Faultf(wire.ErrNotFound, "no host knows transaction %s", id)
	return c.awaitSealed(ctx, &TxStatus{ID: id, State: Unknown, doubt: unknown})
}

// awaitSealed asks until a transaction is recorded under a seal, for a caller
// whose batch came back before that.
func (c *Client) awaitSealed(ctx context.Context, pending *TxStatus) (*TxStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Wait)
	defer cancel()
	id, last := pending.ID, pending
	for {
		st, err := c.transaction(ctx, &pb.TransactionRequest{TxId: id.String(), WaitMs: uint32(c.poll / time.Millisecond)}, id)
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
			if pending.doubt != nil {
				return st, pending.doubt
			}
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

// pollWait is how long one request of awaitSealed waits at the host. A host that
// has not read by then what its core executed before has other trouble.
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
