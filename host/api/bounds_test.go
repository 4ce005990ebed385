package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	healthv1 "cloister/gen/grpc/health/v1"
	"cloister/gen/grpc/health/v1/healthv1connect"
	"cloister/host/api"
	"cloister/wire"
)

func TestStreamsAreBounded(t *testing.T) {
	h := serve(t, func(c *api.Config) { c.Limits.Streams = 1 })
	h.Append(true)
	first, err := h.grpc.Blocks(context.Background(), connect.NewRequest(&pb.BlocksRequest{From: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if !first.Receive() {
		t.Fatal(first.Err())
	}
	second, err := h.grpc.Blocks(context.Background(), connect.NewRequest(&pb.BlocksRequest{From: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.Receive() || codeOf(second.Err()) != wire.ErrBusy {
		t.Errorf("a second stream: %v", second.Err())
	}
	if _, err := h.grpc.Status(context.Background(), connect.NewRequest(&pb.StatusRequest{})); err != nil {
		t.Errorf("streams starve other calls: %v", err)
	}
}

// TestRequestsInProgressAreBounded also says that a host which refuses work
// still answers whether it lives.
func TestRequestsInProgressAreBounded(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	h := serve(t, func(c *api.Config) {
		c.Limits.Requests = 1
		c.Mount = map[string]http.Handler{"/slow": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(inside)
			<-release
		})}
	})
	done := make(chan error, 1)
	go func() {
		res, err := h.web.Get(h.url + "/slow")
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	<-inside
	if st, header, _ := h.post(t, "Status", `{}`); st != 429 || header.Get(api.CodeHeader) != "109" {
		t.Errorf("a second request: status %d, code %s", st, header.Get(api.CodeHeader))
	}
	_, err := h.grpc.Status(context.Background(), connect.NewRequest(&pb.StatusRequest{}))
	if codeOf(err) != wire.ErrBusy {
		t.Errorf("a second request by gRPC: %v", err)
	}
	if st, _ := get(t, h, "/healthz"); st != 200 {
		t.Errorf("healthz: %d", st)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBytesOfAllRequestsAreBounded(t *testing.T) {
	h := serve(t, func(c *api.Config) { c.Limits.Buffered = 10_000 })
	if st, header, _ := h.post(t, "Submit", `{"txs":["`+strings.Repeat("A", 20_000)+`"]}`); st != 429 || header.Get(api.CodeHeader) != "109" {
		t.Errorf("status %d, code %s", st, header.Get(api.CodeHeader))
	}
	if st, _, _ := h.post(t, "Status", `{}`); st != 200 {
		t.Errorf("afterwards: status %d", st)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	h := serve(t, func(c *api.Config) { c.Limits.Connections = 1 })
	address := strings.TrimPrefix(h.url, "http://")
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(c net.Conn) (string, error) {
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
			return "", err
		}
		b, err := io.ReadAll(c)
		return string(b), err
	}
	second, err := net.Dial("tcp", address) // stands in the system's queue
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	answer := make(chan string, 1)
	go func() {
		text, err := ask(second)
		if err != nil {
			text = err.Error()
		}
		answer <- text
	}()
	text, err := ask(first)
	if err != nil || !strings.HasSuffix(text, "ok\n") {
		t.Fatalf("first: %q %v", text, err)
	}
	first.Close()
	if text := <-answer; !strings.HasSuffix(text, "ok\n") {
		t.Errorf("second, once the first is gone: %q", text)
	}
}

func get(t testing.TB, h *host, path string) (int, string) {
	t.Helper()
	res, err := http.Get(h.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestHealthFollowsTheCore(t *testing.T) {
	h := serve(t, nil)
	health := healthv1connect.NewHealthClient(h.web, h.url, connect.WithGRPC())
	check := func(service string) (healthv1.HealthCheckResponse_ServingStatus, error) {
		res, err := health.Check(context.Background(), connect.NewRequest(&healthv1.HealthCheckRequest{Service: service}))
		if err != nil {
			return 0, err
		}
		return res.Msg.Status, nil
	}
	watch, err := health.Watch(context.Background(), connect.NewRequest(&healthv1.HealthCheckRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	next := func() healthv1.HealthCheckResponse_ServingStatus {
		if !watch.Receive() {
			t.Fatal(watch.Err())
		}
		return watch.Msg().Status
	}
	for _, up := range []bool{true, false, true} {
		want, status := healthv1.HealthCheckResponse_SERVING, 200
		if h.Down(nil); !up {
			h.Down(wire.Faultf(wire.ErrNotReady, "opening the store"))
			want, status = healthv1.HealthCheckResponse_NOT_SERVING, 503
		}
		if got := next(); got != want {
			t.Errorf("watch says %s, want %s", got, want)
		}
		for _, service := range []string{"", cloisterv1connect.LedgerName} {
			if got, err := check(service); err != nil || got != want {
				t.Errorf("check %q says %s %v, want %s", service, got, err, want)
			}
		}
		if got, text := get(t, h, "/readyz"); got != status || !up && !strings.Contains(text, "opening the store") {
			t.Errorf("readyz says %d %q", got, text)
		}
		if got, _ := get(t, h, "/healthz"); got != 200 {
			t.Errorf("healthz says %d", got)
		}
	}
	if _, err := check("nonsense"); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a service that is not there: %v", err)
	}
}

func TestAReaderWaitsForItsOwnWrite(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	tx := h.Create("books", nil, 1)
	submit(t, h, async, tx)
	ready, answer := make(chan struct{}), make(chan error, 1)
	go func() {
		close(ready)
		res, err := h.grpc.Transaction(context.Background(), connect.NewRequest(&pb.TransactionRequest{TxId: tx.ID().String(), AfterHeight: 1}))
		if err == nil && res.Msg.Status.State != committed {
			err = wire.Faultf(wire.ErrInternal, "state %s", res.Msg.Status.State)
		}
		answer <- err
	}()
	<-ready
	h.Append(true)
	if err := <-answer; err != nil {
		t.Errorf("a read after block 1: %v", err)
	}
}

// TestAHeightFarAheadIsRefusedAtOnce: waiting would not help, and anybody can
// ask for any height.
func TestAHeightFarAheadIsRefusedAtOnce(t *testing.T) {
	h := serve(t, nil)
	_, err := h.grpc.Chain(context.Background(), connect.NewRequest(&pb.ChainRequest{ChainId: wire.Hash{1}.String(), AfterHeight: 1 << 60}))
	if codeOf(err) != wire.ErrNotReady {
		t.Error(err)
	}
}

// TestStateWaitsForTheSealThatCommitsToIt: block 1 executes the payment, block
// 2 commits to what block 1 did.
func TestStateWaitsForTheSealThatCommitsToIt(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	submit(t, h, async, h.Pay(wire.Account{5}, 42, 1))
	h.Append(true)
	ready, answer := make(chan struct{}), make(chan *pb.AccountResponse, 1)
	go func() {
		close(ready)
		res, err := h.grpc.Account(context.Background(), connect.NewRequest(&pb.AccountRequest{Address: wire.Account{5}.String(), AfterHeight: 1}))
		if err != nil {
			t.Error(err)
			answer <- nil
			return
		}
		answer <- res.Msg
	}()
	<-ready
	h.Append(true)
	if res := <-answer; res.GetFactoshis() != 42 || res.GetHeight() != 1 || !strings.HasPrefix(res.GetAddress(), "FA") {
		t.Errorf("%v", res)
	}
}

func TestStoppingEndsWhatWaits(t *testing.T) {
	h := serve(t, nil)
	h.Manual()
	tx := h.Create("books", nil, 1)
	answer := make(chan error, 1)
	go func() {
		_, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{
			Txs: [][]byte{tx.Bytes()}, Mode: sealed, WaitMs: 30_000,
		}))
		answer <- err
	}()
	for len(h.Batches()) == 0 { // until the request is inside
		if st, _ := get(t, h, "/healthz"); st != 200 {
			t.Fatal(st)
		}
	}
	h.server.Close()
	if err := <-answer; codeOf(err) != wire.ErrStopping {
		t.Errorf("%v", err)
	}
	if st, _ := get(t, h, "/readyz"); st != 503 {
		t.Errorf("readyz of a stopping host: %d", st)
	}
}
