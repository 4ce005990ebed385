package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"cloister/client"
	pb "cloister/gen/cloister/v1"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/receipt"
)

var bg = context.Background()

func TestSubmitReturnsWhenASealCoversTheTransaction(t *testing.T) {
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, host(t, l, nil))
	st, err := c.Submit(bg, l.Create("books", nil, 1))
	if err != nil || st.State != client.Committed || st.Height != 1 {
		t.Fatal(st, err)
	}
	st, err = c.Submit(bg, l.Create("books", nil, 2))
	if !errors.Is(err, wire.ErrChainExists) || st.State != client.Invalid || st.Height != 2 || st.Result == nil {
		t.Errorf("a transaction refused when executed: %+v %v", st, err)
	}
	st, err = c.Submit(bg, l.Create("books", nil, 1))
	if !errors.Is(err, wire.ErrReplayed) || st.State != client.Committed || st.Height != 1 {
		t.Errorf("submitted twice by the user: %+v %v", st, err)
	}
	if st, err := c.Status(bg, wire.Hash{1}); err != nil || st.State != client.Unknown {
		t.Errorf("status of nothing: %+v %v", st, err)
	}
}

func TestSubmitAsyncReturnsWhenPooled(t *testing.T) {
	l := apitest.New(3)
	l.Manual()
	c := dial(t, l, client.Options{}, host(t, l, nil))
	tx := l.Create("books", nil, 1)
	if st, err := c.SubmitAsync(bg, tx); err != nil || st.State != client.Pending {
		t.Fatal(st, err)
	}
	l.Append(true)
	if st, err := c.Status(bg, tx.ID()); err != nil || st.State != client.Committed {
		t.Error(st, err)
	}
}

func TestSubmitProvedVerifiesWhatExecutionDid(t *testing.T) {
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, host(t, l, nil))
	if _, err := c.Submit(bg, l.Create("books", nil, 1)); err != nil {
		t.Fatal(err)
	}
	tx := l.Add("books", []byte("x"), 2)
	answer := make(chan error, 1)
	var v *receipt.Verified
	var file []byte
	go func() {
		var err error
		v, file, err = c.SubmitProved(bg, tx)
		answer <- err
	}()
	for l.Told() < 2 {
		if _, err := c.HostStatus(bg); err != nil {
			t.Fatal(err)
		}
	}
	l.Append(true) // commits to what the block before it did
	if err := <-answer; err != nil || !v.Entry.Recorded || v.Kind != receipt.Executed {
		t.Fatal(v, err)
	}
	if again, err := client.VerifyReceiptFile(l.Genesis, file); err != nil || again.TxID != tx.ID() {
		t.Errorf("offline: %v", err)
	}
}

// TestCodesSurviveEveryProtocol: the number, not only the kind of failure.
func TestCodesSurviveEveryProtocol(t *testing.T) {
	l := apitest.New(1)
	endpoint := host(t, l, nil)
	for name, opts := range map[string]client.Options{
		"Connect": {}, "gRPC": {GRPC: true}, "Connect JSON": {JSON: true}, "gRPC JSON": {GRPC: true, JSON: true},
	} {
		opts.Retry = client.Retry{Attempts: 1}
		c := dial(t, l, opts, endpoint)
		for _, code := range []wire.Code{wire.ErrBusy, wire.ErrNotReady, wire.ErrStopping, wire.ErrUnavailable, wire.ErrInsufficientCredits} {
			l.RefuseBatches(wire.Faultf(code, "why"))
			_, err := c.SubmitAsync(bg, l.Create("books", nil, 1))
			var f *wire.Fault
			if !errors.As(err, &f) || f.Code != code || f.Detail != "why" {
				t.Errorf("%s: %s came as %v", name, code, err)
			}
		}
		l.RefuseBatches(nil)
		if _, err := c.Block(bg, 99); !errors.Is(err, wire.ErrNotFound) {
			t.Errorf("%s: block 99: %v", name, err)
		}
	}
}

// lossy hands batches on and then loses the answer, so many times.
type lossy struct {
	api.Submitter
	mu     sync.Mutex
	losses int
}

func (s *lossy) Submit(ctx context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	items, err := s.Submitter.Submit(ctx, txs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.losses > 0 {
		s.losses--
		return nil, wire.Faultf(wire.ErrUnavailable, "the answer is lost")
	}
	return items, err
}

func TestARetryOfALostAnswerFindsTheTransactionRecorded(t *testing.T) {
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, host(t, l, func(c *api.Config) { c.Submitter = &lossy{Submitter: c.Submitter, losses: 2} }), host(t, l, nil))
	st, err := c.Submit(bg, l.Create("books", nil, 1))
	if err != nil || st.State != client.Committed || st.Height != 1 {
		t.Errorf("%+v %v", st, err)
	}
	st, err = c.Submit(bg, l.Add("books", nil, 2))
	if err != nil || st.State != client.Committed {
		t.Errorf("%+v %v", st, err)
	}
	if h := l.Told(); h != 2 {
		t.Errorf("retries made %d blocks", h)
	}
}

func TestARetryOfALostAnswerWaitsForThePooledTransaction(t *testing.T) {
	l := apitest.New(3)
	l.Manual()
	lost := &lossy{Submitter: l, losses: 1}
	c := dial(t, l, client.Options{}, host(t, l, func(c *api.Config) { c.Submitter = lost }))
	answer := make(chan error, 1)
	go func() {
		st, err := c.Submit(bg, l.Create("books", nil, 1))
		if err == nil && st.State != client.Committed {
			err = errors.New(string(st.State))
		}
		answer <- err
	}()
	for len(l.Batches()) < 2 { // the retry has been answered "replayed"
		if _, err := c.HostStatus(bg); err != nil {
			t.Fatal(err)
		}
	}
	l.Append(true)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

func TestADeadEndpointIsPassedOver(t *testing.T) {
	l := apitest.New(3)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	c := dial(t, l, client.Options{}, gone.Addr().String(), host(t, l, nil))
	if st, err := c.Submit(bg, l.Create("books", nil, 1)); err != nil || st.State != client.Committed {
		t.Error(st, err)
	}
	alone := dial(t, l, client.Options{}, gone.Addr().String())
	if _, err := alone.Submit(bg, l.Add("books", nil, 2)); !errors.Is(err, wire.ErrUnavailable) {
		t.Errorf("with no other endpoint: %v", err)
	}
}

func TestOnlyWhatWasBusyIsSubmittedAgain(t *testing.T) {
	l := apitest.New(3)
	tries := map[uint64]int{}
	l.Admit(func(tx *wire.Tx) wire.Code {
		n := l.Number(tx)
		tries[n]++
		switch {
		case n == 1 && tries[n] < 3:
			return wire.ErrBusy
		case n == 2:
			return wire.ErrInsufficientFunds
		}
		return wire.OK
	})
	c := dial(t, l, client.Options{}, host(t, l, nil))
	txs := []*wire.Tx{l.Pay(wire.Account{1}, 1, 0), l.Pay(wire.Account{1}, 1, 1), l.Pay(wire.Account{1}, 1, 2)}
	sts, errs := c.SubmitBatch(bg, txs, true)
	for i, want := range []wire.Code{wire.OK, wire.OK, wire.ErrInsufficientFunds} {
		if wire.CodeOf(errs[i]) != want || sts[i].ID != txs[i].ID() {
			t.Errorf("transaction %d: %+v %v", i, sts[i], errs[i])
		}
	}
	if b := l.Batches(); len(b) != 3 || b[0] != 3 || b[1] != 1 || b[2] != 1 {
		t.Errorf("batches of %v", b)
	}
}

func TestAlwaysBusyEndsWithBusy(t *testing.T) {
	l := apitest.New(3)
	l.Admit(func(*wire.Tx) wire.Code { return wire.ErrBusy })
	c := dial(t, l, client.Options{}, host(t, l, nil))
	st, err := c.Submit(bg, l.Create("books", nil, 1))
	if !errors.Is(err, wire.ErrBusy) || st.State != client.Unknown {
		t.Errorf("%+v %v", st, err)
	}
	if n := len(l.Batches()); n != quick.Attempts {
		t.Errorf("%d attempts, the policy says %d", n, quick.Attempts)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	l := apitest.New(1)
	c := dial(t, l, client.Options{}, host(t, l, nil))
	for _, n := range []int{client.MaxBatch + 1} {
		_, errs := c.SubmitBatch(bg, make([]*wire.Tx, 0), true)
		if len(errs) != 0 {
			t.Errorf("%d errors for no transactions", len(errs))
		}
		txs := make([]*wire.Tx, n)
		for i := range txs {
			txs[i] = l.Pay(wire.Account{1}, 1, uint64(i))
		}
		if _, errs := c.SubmitBatch(bg, txs, true); len(errs) != n || !errors.Is(errs[0], wire.ErrTooLarge) {
			t.Errorf("%d transactions: %v", n, errs[0])
		}
	}
	if n := len(l.Batches()); n != 0 {
		t.Errorf("%d batches were sent", n)
	}
}

// TestAHostWhoseWaitEndedIsAskedOn: the host gives up waiting before the caller
// does.
func TestAHostWhoseWaitEndedIsAskedOn(t *testing.T) {
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), func(m proto.Message) {
		if res, ok := m.(*pb.SubmitResponse); ok {
			for _, it := range res.Items {
				it.State, it.Code, it.Height, it.Result = pb.State_STATE_PENDING, uint32(wire.ErrDeadline), 0, nil
			}
		}
	}))
	if st, err := c.Submit(bg, l.Create("books", nil, 1)); err != nil || st.State != client.Committed || st.Height != 1 {
		t.Errorf("%+v %v", st, err)
	}
	if _, errs := c.SubmitBatch(bg, []*wire.Tx{l.Add("books", nil, 2)}, true); !errors.Is(errs[0], wire.ErrDeadline) {
		t.Errorf("a batch does not wait on: %v", errs[0])
	}
}

func TestAnswersThatCannotBeAreRefused(t *testing.T) {
	for name, change := range map[string]func(*pb.TransactionStatus){
		"committed without a place": func(s *pb.TransactionStatus) { s.Height = 0 },
		"committed without result":  func(s *pb.TransactionStatus) { s.Result = nil },
		"committed and refused":     func(s *pb.TransactionStatus) { s.Result.Code = 201 },
		"another transaction":       func(s *pb.TransactionStatus) { s.TxId = wire.Hash{9}.String() },
		"no state":                  func(s *pb.TransactionStatus) { s.State = 0 },
		"a state of the future":     func(s *pb.TransactionStatus) { s.State = 77 },
		"invalid without a reason":  func(s *pb.TransactionStatus) { s.State = pb.State_STATE_INVALID },
		"accepted but unknown":      func(s *pb.TransactionStatus) { s.State = pb.State_STATE_UNKNOWN },
	} {
		l := apitest.New(3)
		c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), func(m proto.Message) {
			if res, ok := m.(*pb.SubmitResponse); ok {
				change(res.Items[0])
			}
		}))
		if _, err := c.Submit(bg, l.Create("books", nil, 1)); !errors.Is(err, wire.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := apitest.New(3)
	c := dial(t, l, client.Options{}, lying(t, host(t, l, nil), func(m proto.Message) {
		if res, ok := m.(*pb.SubmitResponse); ok {
			res.Items = nil
		}
	}))
	if _, err := c.Submit(bg, l.Create("books", nil, 1)); !errors.Is(err, wire.ErrProof) {
		t.Errorf("no answer for the transaction: %v", err)
	}
}

// TestAMadeUpHeightDoesNotLockTheClientOut: a host that claims a height nobody
// will ever have must not make honest hosts useless.
func TestAMadeUpHeightDoesNotLockTheClientOut(t *testing.T) {
	l := apitest.New(3)
	honest := host(t, l, nil)
	c := dial(t, l, client.Options{}, lying(t, honest, func(m proto.Message) {
		if res, ok := m.(*pb.SubmitResponse); ok {
			res.Items[0].Height = 1 << 60
		}
	}))
	if st, err := c.Submit(bg, l.Create("books", nil, 1)); err != nil || st.Height != 1<<60 {
		t.Fatal(st, err)
	}
	l.Append(true)
	if _, err := c.Chain(bg, apitest.EntryChain("books")); err != nil {
		t.Errorf("reading afterwards: %v", err)
	}
}

func TestACallerMayLeave(t *testing.T) {
	l := apitest.New(3)
	l.Manual()
	c := dial(t, l, client.Options{}, host(t, l, nil))
	ctx, cancel := context.WithCancel(bg)
	answer := make(chan error, 1)
	tx := l.Create("books", nil, 1)
	go func() {
		_, err := c.Submit(ctx, tx)
		answer <- err
	}()
	for len(l.Batches()) == 0 {
		if _, err := c.HostStatus(bg); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.Append(true)
	if st, err := c.Status(bg, tx.ID()); err != nil || st.State != client.Committed {
		t.Errorf("it is recorded all the same: %+v %v", st, err)
	}
}

func TestCloseEndsSubmits(t *testing.T) {
	l := apitest.New(3)
	l.Manual()
	c := dial(t, l, client.Options{}, host(t, l, nil))
	answer := make(chan error, 1)
	go func() {
		_, err := c.Submit(bg, l.Create("books", nil, 1))
		answer <- err
	}()
	for len(l.Batches()) == 0 {
		if _, err := c.HostStatus(bg); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if err := <-answer; !errors.Is(err, wire.ErrStopping) {
		t.Error(err)
	}
	if _, err := c.Submit(bg, l.Create("books", nil, 2)); !errors.Is(err, wire.ErrStopping) {
		t.Errorf("after Close: %v", err)
	}
}

func TestDialRefusesWhatIsNoEndpoint(t *testing.T) {
	g := apitest.New(1).Genesis
	for _, text := range []string{"", "ftp://host", "http://", "http://user:pass@host", "http://host?q=1", "http://%zz"} {
		if _, err := client.Dial([]string{text}, g, client.Options{}); !errors.Is(err, wire.ErrBadRequest) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := client.Dial(nil, g, client.Options{}); !errors.Is(err, wire.ErrBadRequest) {
		t.Error(err)
	}
	if _, err := client.Dial([]string{"host:1"}, nil, client.Options{}); !errors.Is(err, wire.ErrBadRequest) {
		t.Error(err)
	}
}

func TestFetchGenesisTakesOnlyTheChainAskedFor(t *testing.T) {
	l := apitest.New(3)
	endpoint := host(t, l, nil)
	g, err := client.FetchGenesis(bg, endpoint, l.Genesis.ChainID(), nil)
	if err != nil || g.ChainID() != l.Genesis.ChainID() {
		t.Fatal(err)
	}
	if _, err := client.FetchGenesis(bg, endpoint, wire.Hash{1}, nil); !errors.Is(err, wire.ErrForeignChain) {
		t.Error(err)
	}
}
