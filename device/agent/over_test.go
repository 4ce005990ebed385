package agent_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"cloister/client"
	"cloister/device/agent"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/factom"
	public "cloister/wire/hardware"
)

// reached is a network behind its public API.
func reached(t *testing.T) (*apitest.Ledger, agent.Network) {
	t.Helper()
	l := apitest.New(1)
	server, err := api.New(api.Config{Genesis: l.Genesis, Version: "test", Submitter: l, Queries: l, Core: l, Archive: l, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	c, err := client.Dial([]string{listener.Addr().String()}, l.Genesis, client.Options{
		Retry: client.Retry{Attempts: 3, Pause: time.Microsecond, Longest: time.Microsecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l.Append(true)
	l.Append(true) // whose header commits to the state before
	return l, agent.Over(c, apitest.Payer)
}

func TestAViewIsOfOneBlockUntilTheNetworkNeverRests(t *testing.T) {
	l, n := reached(t)
	ctx := context.Background()
	key := func(i int) []byte { return public.DeviceKey(wire.Hash{byte(i)}) }
	v := must(n.View(ctx))
	if b, err := v.Get(key(0)); b != nil || err != nil || v.Height == 0 {
		t.Fatalf("%x, %v at height %d", b, err, v.Height)
	}
	overtaken := 0
	for i := range 20 {
		v := must(n.View(ctx))
		l.Append(true)
		l.Append(true)
		switch _, err := v.Get(key(i)); {
		case errors.Is(err, agent.ErrMoved):
			overtaken++
		case err != nil:
			t.Fatal(err)
		default:
			if overtaken == 0 {
				t.Error("a view is read across blocks at once")
			}
			if b, err := v.Get(public.TotalsKey); b != nil || err != nil { // known from the beginning
				t.Errorf("%x, %v", b, err)
			}
			return
		}
	}
	t.Errorf("%d views were given up", overtaken)
}

func TestLogsAreRecordedAndFoundThroughTheAPI(t *testing.T) {
	_, n := reached(t)
	ctx := context.Background()
	name := [][]byte{[]byte("log")}
	chain := factom.ChainID(name)
	first := must((&factom.Entry{ChainID: chain, ExtIDs: name}).Marshal())
	part := func(content string) []byte {
		return must((&factom.Entry{ChainID: chain, Content: []byte(content)}).Marshal())
	}
	a, b := part("a"), part("b")
	if got, err := n.Entry(ctx, factom.EntryHash(a)); got != nil || err != nil {
		t.Errorf("before: %x, %v", got, err)
	}
	if err := n.Record(ctx, [][]byte{first, a}); err != nil {
		t.Fatal(err)
	}
	if err := n.Record(ctx, [][]byte{first, b}); err != nil { // the chain is there
		t.Fatal(err)
	}
	for _, want := range [][]byte{first, a, b} {
		if got, err := n.Entry(ctx, factom.EntryHash(want)); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%x, %v", got, err)
		}
	}
}

func TestEachPayloadHasItsOwnAnswer(t *testing.T) {
	l, n := reached(t)
	l.Admit(func(tx *wire.Tx) wire.Code {
		p, err := public.Decode(tx.Payload)
		if d, ok := p.(*public.Deposit); err != nil || tx.Family != public.Name || ok && d.Amount%2 == 0 {
			return wire.ErrGas
		}
		return wire.OK
	})
	var list [][]byte
	const size = client.MaxBatch + 3 // more than one request takes
	for i := range uint64(size) {
		list = append(list, public.Encode(&public.Deposit{Amount: i + 1}))
	}
	errs := n.Submit(context.Background(), list)
	if len(errs) != size {
		t.Fatalf("%d answers to %d payloads", len(errs), size)
	}
	for i, err := range errs {
		if even := (i+1)%2 == 0; even != errors.Is(err, wire.ErrGas) || !even && err != nil {
			t.Errorf("payload %d: %v", i, err)
		}
	}
	if n.Payer() != wire.AccountOf(apitest.Payer.Public()) {
		t.Error("somebody else pays")
	}
}
