package api_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"

	"connectrpc.com/connect"

	"cloister/gate"
	pb "cloister/gen/cloister/v1"
	"cloister/host/api"
	"cloister/wire"
)

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const (
	unknown   = pb.State_STATE_UNKNOWN
	pending   = pb.State_STATE_PENDING
	committed = pb.State_STATE_COMMITTED
	invalid   = pb.State_STATE_INVALID
)

func status(t testing.TB, h *host, id wire.Hash, waitMs uint32) *pb.TransactionStatus {
	t.Helper()
	res, err := h.grpc.Transaction(context.Background(), connect.NewRequest(&pb.TransactionRequest{TxId: id.String(), WaitMs: waitMs}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.Status
}

func TestATransactionGoesFromUnknownOverPendingToCommitted(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	tx := h.Create("books", nil, 1)
	if st := status(t, h, tx.ID(), 0); st.State != unknown {
		t.Fatalf("before submitting: %v", st)
	}
	if st := submit(t, h, async, tx)[0]; st.State != pending || st.Code != 0 || st.TxId != tx.ID().String() {
		t.Fatalf("submitted: %v", st)
	}
	if st := status(t, h, tx.ID(), 0); st.State != pending {
		t.Fatalf("pooled: %v", st)
	}
	h.Append(false)
	if st := status(t, h, tx.ID(), 0); st.State != pending || st.Height != 0 {
		t.Fatalf("in a block that no seal covers: %v", st)
	}
	h.Append(true)
	for range 2 {
		st := status(t, h, tx.ID(), 1000)
		if st.State != committed || st.Height != 1 || st.Index != 0 || st.Result == nil || st.Code != 0 {
			t.Fatalf("covered by a later seal: %v", st)
		}
	}
}

func TestARefusedExecutionIsInvalidAndRecorded(t *testing.T) {
	h := serve(t, nil)
	items := submit(t, h, sealed, h.Create("books", nil, 1), h.Create("books", nil, 2))
	if items[0].State != committed || items[1].State != invalid {
		t.Fatal(items)
	}
	if it := items[1]; wire.Code(it.Code) != wire.ErrChainExists || it.Height != 1 || it.Index != 1 || it.Advice == "" {
		t.Errorf("second creation: %v", it)
	}
}

func TestAdmissionAnswersEachTransactionInOrder(t *testing.T) {
	h := serve(t, nil)
	h.Admit(func(tx *wire.Tx) wire.Code {
		if h.Number(tx)%2 == 0 {
			return wire.ErrInsufficientCredits
		}
		return wire.OK
	})
	req := &pb.SubmitRequest{Mode: sealed}
	for i := range uint64(9) {
		req.Txs = append(req.Txs, h.Pay(wire.Account{1}, 5, i).Bytes())
	}
	req.Txs[4] = []byte("no transaction")
	req.Txs[6] = make([]byte, wire.MaxTx+1)
	res, err := h.plain.Submit(context.Background(), connect.NewRequest(req))
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range res.Msg.Items {
		want, state := wire.OK, committed
		switch {
		case i == 4:
			want, state = wire.ErrMalformed, invalid
		case i == 6:
			want, state = wire.ErrTooLarge, invalid
		case i%2 == 0:
			want, state = wire.ErrInsufficientCredits, invalid
		}
		if wire.Code(it.Code) != want || it.State != state || it.Name != want.String() {
			t.Errorf("transaction %d: %v, want %s %s", i, it, state, want)
		}
	}
	if b := h.Batches(); len(b) != 1 || b[0] != 7 {
		t.Errorf("the core saw batches of %v", b)
	}
}

func TestAReplayedTransactionIsToldItsFate(t *testing.T) {
	h := serve(t, nil)
	tx := h.Create("books", nil, 1)
	submit(t, h, sealed, tx)
	if it := submit(t, h, sealed, tx)[0]; wire.Code(it.Code) != wire.ErrReplayed || it.State != committed || it.Height != 1 {
		t.Errorf("recorded before: %v", it)
	}
	h.Manual()
	tx = h.Add("books", nil, 2)
	submit(t, h, async, tx)
	if it := submit(t, h, sealed, tx)[0]; wire.Code(it.Code) != wire.ErrReplayed || it.State != pending {
		t.Errorf("pooled before: %v", it)
	}
}

func TestAWaitThatEndsSaysThatItMayStillBeRecorded(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	tx := h.Create("books", nil, 1)
	res, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{
		Txs: [][]byte{tx.Bytes()}, Mode: sealed, WaitMs: 1,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if it := res.Msg.Items[0]; wire.Code(it.Code) != wire.ErrDeadline || it.State != pending || it.Advice == "" {
		t.Errorf("%v", it)
	}
	h.Append(true)
	if st := status(t, h, tx.ID(), 0); st.State != committed {
		t.Errorf("afterwards: %v", st)
	}
}

func TestBatchFailuresKeepTheirCode(t *testing.T) {
	h := serve(t, nil)
	tx := h.Create("books", nil, 1)
	for _, code := range []wire.Code{wire.ErrBusy, wire.ErrNotReady, wire.ErrStopping, wire.ErrUnavailable} {
		h.RefuseBatches(wire.Faultf(code, "why"))
		_, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{Txs: [][]byte{tx.Bytes()}, Mode: sealed}))
		if codeOf(err) != code {
			t.Errorf("%s came as %v", code, err)
		}
		st, header, _ := h.post(t, "Submit", `{"txs":["`+b64(tx.Bytes())+`"]}`)
		if st != code.Info().HTTP || header.Get(api.CodeHeader) != fmt.Sprint(uint32(code)) {
			t.Errorf("%s came as status %d, code %s", code, st, header.Get(api.CodeHeader))
		}
	}
}

// TestABatchIsCutToFitTheGate: 256 of the largest transactions are four times
// what one frame carries.
func TestABatchIsCutToFitTheGate(t *testing.T) {
	h := serve(t, nil)
	sizes := &watchedSubmitter{Submitter: h}
	h = serve(t, func(c *api.Config) { c.Submitter = sizes })
	req := &pb.SubmitRequest{Mode: async}
	for i := range uint64(api.MaxTxs) {
		req.Txs = append(req.Txs, h.Tx("token", make([]byte, wire.MaxPayload), i).Bytes())
	}
	if _, err := h.grpc.Submit(context.Background(), connect.NewRequest(req)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, piece := range sizes.pieces {
		if len(piece) > gate.MaxSubmit || len(wire.EncodeList(piece)) > gate.MaxSubmitBytes {
			t.Errorf("a piece of %d transactions and %d bytes", len(piece), len(wire.EncodeList(piece)))
		}
		for _, tx := range piece {
			if string(tx) != string(req.Txs[n]) {
				t.Fatalf("transaction %d is out of order", n)
			}
			n++
		}
	}
	if n != api.MaxTxs || len(sizes.pieces) < 4 {
		t.Errorf("%d transactions in %d pieces", n, len(sizes.pieces))
	}
}

type watchedSubmitter struct {
	api.Submitter
	mu     sync.Mutex
	pieces [][][]byte
}

func (s *watchedSubmitter) Submit(ctx context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	s.mu.Lock()
	s.pieces = append(s.pieces, txs)
	s.mu.Unlock()
	return s.Submitter.Submit(ctx, txs)
}

// TestACoreThatMixesUpAnswersIsNotBelieved: an item at the wrong place would
// tell a user the fate of somebody else's transaction.
func TestACoreThatMixesUpAnswersIsNotBelieved(t *testing.T) {
	for name, mix := range map[string]func([]api.SubmitItem) []api.SubmitItem{
		"swapped": func(items []api.SubmitItem) []api.SubmitItem { items[0], items[1] = items[1], items[0]; return items },
		"short":   func(items []api.SubmitItem) []api.SubmitItem { return items[:1] },
		"long":    func(items []api.SubmitItem) []api.SubmitItem { return append(items, items[0]) },
	} {
		var mixed *mixingSubmitter
		h := serve(t, func(c *api.Config) { mixed = &mixingSubmitter{c.Submitter, mix}; c.Submitter = mixed })
		_, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{
			Txs: [][]byte{h.Pay(wire.Account{1}, 1, 1).Bytes(), h.Pay(wire.Account{1}, 1, 2).Bytes()},
		}))
		if codeOf(err) != wire.ErrInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type mixingSubmitter struct {
	api.Submitter
	mix func([]api.SubmitItem) []api.SubmitItem
}

func (s *mixingSubmitter) Submit(ctx context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	items, err := s.Submitter.Submit(ctx, txs)
	return s.mix(items), err
}

func TestWaitingIsBounded(t *testing.T) {
	h := serve(t, func(c *api.Config) { c.Limits.Waiting = 3 })
	h.Manual()
	_, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{
		Txs: [][]byte{h.Pay(wire.Account{1}, 1, 1).Bytes(), h.Pay(wire.Account{1}, 1, 2).Bytes(),
			h.Pay(wire.Account{1}, 1, 3).Bytes(), h.Pay(wire.Account{1}, 1, 4).Bytes()}, Mode: sealed,
	}))
	if codeOf(err) != wire.ErrBusy {
		t.Errorf("four waits where three are allowed: %v", err)
	}
	if n := len(h.Batches()); n != 0 {
		t.Errorf("%d batches reached the core though nobody could wait for them", n)
	}
}

// TestManyWaitersGetTheirOwnAnswers runs with the race detector in mind:
// submitters, blocks and lookups at the same time.
func TestManyWaitersGetTheirOwnAnswers(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	const clients, rounds = 8, 6
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				h.Append(n%3 == 2) // two of three blocks are only covered
			}
		}
	}()
	var all sync.WaitGroup
	for c := range clients {
		all.Add(1)
		go func() {
			defer all.Done()
			for r := range rounds {
				var txs []*wire.Tx
				for i := range 5 {
					txs = append(txs, h.Pay(wire.Account{byte(c)}, 1, uint64(c*1000+r*10+i)))
				}
				for i, it := range submit(t, h, sealed, txs...) {
					if it.State != committed || it.TxId != txs[i].ID().String() {
						t.Errorf("client %d: %v", c, it)
					}
					if st := status(t, h, txs[i].ID(), 0); st.Height != it.Height || st.State != committed {
						t.Errorf("answered %v, looked up %v", it, st)
					}
				}
			}
		}()
	}
	all.Wait()
	close(stop)
	<-stopped
}
