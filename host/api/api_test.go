package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "cloister/gen/cloister/v1"
	"cloister/gen/cloister/v1/cloisterv1connect"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
)

// host is a server on loopback and clients of both kinds for it.
type host struct {
	*apitest.Ledger
	url    string
	server *api.Server
	web    *http.Client
	grpc   cloisterv1connect.LedgerClient
	plain  cloisterv1connect.LedgerClient // Connect with JSON
}

func serve(t testing.TB, change func(*api.Config)) *host {
	t.Helper()
	h := &host{Ledger: apitest.New(3)}
	config := api.Config{
		Genesis: h.Genesis, Version: "test", Submitter: h, Queries: h, Core: h, Archive: h,
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	server, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(func() {
		transport.CloseIdleConnections() // else a graceful end waits for them
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		server.Close()
	})
	h.url, h.server, h.web = "http://"+listener.Addr().String(), server, &http.Client{Transport: transport}
	h.grpc = cloisterv1connect.NewLedgerClient(h.web, h.url, connect.WithGRPC())
	h.plain = cloisterv1connect.NewLedgerClient(h.web, h.url, connect.WithProtoJSON())
	return h
}

// post sends plain JSON over HTTP/1.1, as curl does.
func (h *host) post(t testing.TB, method, body string) (status int, header http.Header, answer map[string]any) {
	t.Helper()
	res, err := http.Post(h.url+"/cloister.v1.Ledger/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, answer
}

// codeOf reads the number a failed call carries, from its detail.
func codeOf(err error) wire.Code {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return wire.OK
	}
	for _, d := range ce.Details() {
		if m, err := d.Value(); err == nil {
			if f, ok := m.(*pb.Fault); ok {
				return wire.Code(f.Code)
			}
		}
	}
	return wire.OK
}

func submit(t testing.TB, h *host, mode pb.SubmitMode, txs ...*wire.Tx) []*pb.TransactionStatus {
	t.Helper()
	req := &pb.SubmitRequest{Mode: mode}
	for _, tx := range txs {
		req.Txs = append(req.Txs, tx.Bytes())
	}
	res, err := h.grpc.Submit(context.Background(), connect.NewRequest(req))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.Items
}

const (
	async  = pb.SubmitMode_SUBMIT_MODE_ASYNC
	sealed = pb.SubmitMode_SUBMIT_MODE_WAIT_SEALED
)

func TestOneDefinitionServesGRPCAndJSON(t *testing.T) {
	h := serve(t, nil)
	submit(t, h, sealed, h.Create("books", []byte("first"), 1), h.Add("books", []byte("second"), 2))
	ctx := context.Background()
	chain := apitest.EntryChain("books").String()
	for name, ledger := range map[string]cloisterv1connect.LedgerClient{"gRPC": h.grpc, "Connect JSON": h.plain} {
		res, err := ledger.Entries(ctx, connect.NewRequest(&pb.EntriesRequest{ChainId: chain, Raw: true}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(res.Msg.Entries); n != 2 || !bytes.Equal(res.Msg.Entries[1].Raw, apitest.Entry("books", []byte("second"))) {
			t.Errorf("%s: %d entries", name, n)
		}
	}
	status, _, answer := h.post(t, "Chain", `{"chainId":"`+chain+`"}`)
	if status != 200 || answer["entries"] != "2" || len(answer["head"].(string)) != 64 {
		t.Errorf("JSON: %d %v", status, answer)
	}
	res, err := http.Get(h.url + "/cloister.v1.Ledger/Chain?encoding=json&message=" + `%7B%22chainId%22%3A%22` + chain + `%22%7D`)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("a read by GET: %d", res.StatusCode)
	}
}

// TestWrongRequestsGetTheirCode checks the number in gRPC and in JSON, and that
// the HTTP status is the registry's.
func TestWrongRequestsGetTheirCode(t *testing.T) {
	h := serve(t, nil)
	submit(t, h, sealed, h.Create("books", nil, 1))
	none := wire.Hash{1}.String()
	chain := apitest.EntryChain("books").String()
	for _, c := range []struct {
		method, body string
		want         wire.Code
	}{
		{"Submit", `{}`, wire.ErrBadRequest},
		{"Submit", `{"txs":["AA=="],"mode":7}`, wire.ErrBadRequest},
		{"Submit", `{"txs":["AA=="],"waitMs":30001}`, wire.ErrBadRequest},
		{"Submit", `{"txs":[` + strings.TrimSuffix(strings.Repeat(`"AA==",`, api.MaxTxs+1), ",") + `]}`, wire.ErrTooLarge},
		{"Transaction", `{"txId":"12"}`, wire.ErrBadRequest},
		{"Block", `{}`, wire.ErrBadRequest},
		{"Block", `{"height":"9"}`, wire.ErrNotFound},
		{"Block", `{"hash":"` + none + `"}`, wire.ErrNotFound},
		{"Block", `{"hash":"` + strings.Repeat("a", 100_000) + `"}`, wire.ErrBadRequest},
		{"Headers", `{"from":"9"}`, wire.ErrNotFound},
		{"Headers", `{"limit":1001}`, wire.ErrBadRequest},
		{"Entry", `{"hash":"` + none + `"}`, wire.ErrNotFound},
		{"Chain", `{"chainId":"` + none + `"}`, wire.ErrUnknownChain},
		{"Entries", `{"chainId":"` + none + `"}`, wire.ErrUnknownChain},
		{"Entries", `{"chainId":"` + chain + `","limit":1001}`, wire.ErrBadRequest},
		{"Account", `{"address":"FA-nonsense"}`, wire.ErrBadRequest},
		{"Account", `{"address":"` + strings.Repeat("F", 1_000_000) + `"}`, wire.ErrBadRequest},
		{"StateProof", `{}`, wire.ErrBadRequest},
		{"Receipt", `{}`, wire.ErrBadRequest},
		{"Receipt", `{"txId":"` + none + `"}`, wire.ErrNotFound},
		{"Receipt", `{"entryHash":"` + none + `"}`, wire.ErrNotFound},
		{"Receipt", `{"txId":"` + none + `","kind":9}`, wire.ErrBadRequest},
		{"Consistency", `{"from":"5","to":"2"}`, wire.ErrBadRequest},
	} {
		status, header, answer := h.post(t, c.method, c.body)
		if got, _ := strconv.Atoi(header.Get(api.CodeHeader)); wire.Code(got) != c.want || status != c.want.Info().HTTP {
			t.Errorf("%s %.60s: code %d, status %d, want %s (%d, %d); %v", c.method, c.body, got, status, c.want, c.want, c.want.Info().HTTP, answer)
		}
	}
	_, err := h.grpc.Block(context.Background(), connect.NewRequest(&pb.BlockRequest{At: &pb.BlockRequest_Height{Height: 9}}))
	if codeOf(err) != wire.ErrNotFound || connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("gRPC: %v", err)
	}
}

func TestOversizedRequestsAreRefusedUnread(t *testing.T) {
	h := serve(t, nil)
	status, header, _ := h.post(t, "Submit", `{"txs":["`+strings.Repeat("A", api.MaxRequest)+`"]}`)
	if got := header.Get(api.CodeHeader); got != fmt.Sprint(uint32(wire.ErrTooLarge)) || status != 413 {
		t.Errorf("with its length: status %d, code %s", status, got)
	}
	_, err := h.grpc.Submit(context.Background(), connect.NewRequest(&pb.SubmitRequest{Txs: [][]byte{make([]byte, api.MaxRequest)}}))
	if codeOf(err) != wire.ErrTooLarge {
		t.Errorf("gRPC: %v", err)
	}
	body := struct{ io.Reader }{strings.NewReader(`{"txs":["` + strings.Repeat("A", api.MaxRequest) + `"]}`)}
	res, err := http.Post(h.url+cloisterv1connect.LedgerSubmitProcedure, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get(api.CodeHeader); got != fmt.Sprint(uint32(wire.ErrTooLarge)) || res.StatusCode != 413 {
		t.Errorf("without its length: status %d, code %s", res.StatusCode, got)
	}
	if n := len(h.Batches()); n != 0 {
		t.Errorf("%d batches reached the core", n)
	}
}

func TestMetricsNameNoUserInput(t *testing.T) {
	h := serve(t, nil)
	if res, err := http.Get(h.url + "/cloister.v1.Ledger/Nonsense"); err != nil || res.StatusCode != 404 {
		t.Fatal(err)
	}
	submit(t, h, sealed, h.Create("books", nil, 1))
	h.post(t, "Chain", `{"chainId":"`+wire.Hash{0xab}.String()+`"}`)
	res, err := http.Get(h.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`cloister_api_requests_total{code="OK",procedure="/cloister.v1.Ledger/Submit"} 1`,
		`cloister_api_requests_total{code="ErrUnknownChain",procedure="/cloister.v1.Ledger/Chain"} 1`,
		`cloister_api_transactions_total{code="OK"} 1`,
		`cloister_api_height 1`, `cloister_api_sealed_height 1`, `cloister_api_ready 1`, `cloister_api_waiting 0`,
	} {
		if !bytes.Contains(text, []byte(want+"\n")) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, leak := range []string{"Nonsense", wire.Hash{0xab}.String()} {
		if bytes.Contains(text, []byte(leak)) {
			t.Errorf("metrics hold %q", leak)
		}
	}
}

func TestStatusSaysPlainlyWhatDoesNotProtect(t *testing.T) {
	h := serve(t, nil)
	res, err := h.grpc.Status(context.Background(), connect.NewRequest(&pb.StatusRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(res.Msg.Warnings, "\n")
	for _, want := range []string{"simulated hardware: not protected", "development seal key", "trust-disk", "development network"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q: %s", want, all)
		}
	}
	if !res.Msg.Ready || res.Msg.Core.GetNodeId() == "" || res.Msg.ChainId != h.Genesis.ChainID().String() || res.Msg.Restarts != 2 {
		t.Errorf("status: %v", res.Msg)
	}
	h.Down(wire.Faultf(wire.ErrUnavailable, "core exited with code 7"))
	if res, err = h.grpc.Status(context.Background(), connect.NewRequest(&pb.StatusRequest{})); err != nil {
		t.Fatalf("a host without core has no status: %v", err)
	}
	if res.Msg.Ready || res.Msg.Core != nil || !strings.Contains(res.Msg.NotReady, "exited with code 7") {
		t.Errorf("status without core: %v", res.Msg)
	}
}

func TestGenesisIsTheFile(t *testing.T) {
	h := serve(t, nil)
	res, err := h.grpc.Genesis(context.Background(), connect.NewRequest(&pb.GenesisRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	g, err := wire.ParseGenesis(res.Msg.File)
	if err != nil || g.ChainID().String() != res.Msg.ChainId {
		t.Errorf("%v: chain %s", err, res.Msg.ChainId)
	}
}

func TestWhatTheHostCannotExplainStaysInItsLog(t *testing.T) {
	var log bytes.Buffer
	h := serve(t, func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	h.RefuseBatches(errors.New("secret path /srv/x"))
	status, header, answer := h.post(t, "Submit", `{"txs":["`+b64(h.Create("a", nil, 1).Bytes())+`"]}`)
	text := fmt.Sprint(answer)
	if status != 500 || header.Get(api.CodeHeader) != "901" || strings.Contains(text, "secret") {
		t.Errorf("user sees %d %s", status, text)
	}
	if !strings.Contains(log.String(), "secret path") {
		t.Errorf("log has %q", log.String())
	}
}
