package client_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"cloister/client"
	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/host/api"
	"cloister/host/api/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host serves a ledger on loopback.
func host(t testing.TB, l *apitest.Ledger, change func(*api.Config)) (endpoint string) {
	t.Helper()
	config := api.Config{
		Genesis: l.Genesis, Version: "test", Submitter: l, Queries: l, Core: l, Archive: l,
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	server, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return listen(t, server.Serve)
}

func listen(t testing.TB, serve func(context.Context, net.Listener) error) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// quick is the policy without its pauses.
var quick = client.Retry{Attempts: 6, Pause: time.Microsecond, Longest: 10 * time.Microsecond}

func dial(t testing.TB, l *apitest.Ledger, opts client.Options, endpoints ...string) *client.Client {
	t.Helper()
	if opts.Retry == (client.Retry{}) {
		opts.Retry = quick
	}
	c, err := client.Dial(endpoints, l.Genesis, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// liar is a host between the client and an honest one. It changes answers.
type liar struct {
	cloisterv1connect.UnimplementedLedgerHandler
	honest cloisterv1connect.LedgerClient
	mu     sync.Mutex // one lie at a time
	change func(proto.Message)
}

func (l *liar) lie(m proto.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change(m)
}

// lying serves a liar in front of an honest host. change may alter any answer.
func lying(t testing.TB, honest string, change func(proto.Message)) (endpoint string) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	ledger := cloisterv1connect.NewLedgerClient(&http.Client{Transport: transport}, "http://"+honest, connect.WithGRPC())
	mux := http.NewServeMux()
	mux.Handle(cloisterv1connect.NewLedgerHandler(&liar{honest: ledger, change: change}))
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	return listen(t, func(ctx context.Context, l net.Listener) error {
		server := &http.Server{Handler: mux, Protocols: both}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(l) // ends with ErrServerClosed
		}()
		<-ctx.Done()
		transport.CloseIdleConnections()
		err := server.Close()
		<-served
		return err
	})
}

func pass[Q, A any, P interface {
	*A
	proto.Message
}](ctx context.Context, l *liar, call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), req *connect.Request[Q]) (*connect.Response[A], error) {
	res, err := call(ctx, connect.NewRequest(req.Msg))
	if err != nil {
		return nil, err
	}
	l.lie(P(res.Msg))
	return connect.NewResponse(res.Msg), nil
}

func (l *liar) Submit(ctx context.Context, r *connect.Request[pb.SubmitRequest]) (*connect.Response[pb.SubmitResponse], error) {
	return pass(ctx, l, l.honest.Submit, r)
}

func (l *liar) Transaction(ctx context.Context, r *connect.Request[pb.TransactionRequest]) (*connect.Response[pb.TransactionResponse], error) {
	return pass(ctx, l, l.honest.Transaction, r)
}

func (l *liar) Block(ctx context.Context, r *connect.Request[pb.BlockRequest]) (*connect.Response[pb.BlockResponse], error) {
	return pass(ctx, l, l.honest.Block, r)
}

func (l *liar) Headers(ctx context.Context, r *connect.Request[pb.HeadersRequest]) (*connect.Response[pb.HeadersResponse], error) {
	return pass(ctx, l, l.honest.Headers, r)
}

func (l *liar) Entry(ctx context.Context, r *connect.Request[pb.EntryRequest]) (*connect.Response[pb.EntryResponse], error) {
	return pass(ctx, l, l.honest.Entry, r)
}

func (l *liar) Chain(ctx context.Context, r *connect.Request[pb.ChainRequest]) (*connect.Response[pb.ChainResponse], error) {
	return pass(ctx, l, l.honest.Chain, r)
}

func (l *liar) Entries(ctx context.Context, r *connect.Request[pb.EntriesRequest]) (*connect.Response[pb.EntriesResponse], error) {
	return pass(ctx, l, l.honest.Entries, r)
}

func (l *liar) Account(ctx context.Context, r *connect.Request[pb.AccountRequest]) (*connect.Response[pb.AccountResponse], error) {
	return pass(ctx, l, l.honest.Account, r)
}

func (l *liar) StateProof(ctx context.Context, r *connect.Request[pb.StateProofRequest]) (*connect.Response[pb.StateProofResponse], error) {
	return pass(ctx, l, l.honest.StateProof, r)
}

func (l *liar) Receipt(ctx context.Context, r *connect.Request[pb.ReceiptRequest]) (*connect.Response[pb.ReceiptResponse], error) {
	return pass(ctx, l, l.honest.Receipt, r)
}

func (l *liar) Consistency(ctx context.Context, r *connect.Request[pb.ConsistencyRequest]) (*connect.Response[pb.ConsistencyResponse], error) {
	return pass(ctx, l, l.honest.Consistency, r)
}

func (l *liar) Genesis(ctx context.Context, r *connect.Request[pb.GenesisRequest]) (*connect.Response[pb.GenesisResponse], error) {
	return pass(ctx, l, l.honest.Genesis, r)
}

func (l *liar) Blocks(ctx context.Context, r *connect.Request[pb.BlocksRequest], out *connect.ServerStream[pb.BlocksResponse]) error {
	in, err := l.honest.Blocks(ctx, connect.NewRequest(r.Msg))
	if err != nil {
		return err
	}
	defer in.Close()
	for in.Receive() {
		l.lie(in.Msg())
		if err := out.Send(in.Msg()); err != nil {
			return err
		}
	}
	return in.Err()
}
