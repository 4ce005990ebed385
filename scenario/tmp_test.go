package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloister/bench"
	"cloister/client"
	"cloister/host/node"
	"cloister/wire"
	"cloister/wire/token"
)

func TestTmp(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	core := os.Getenv("CLOISTER_BIN") + "/cloister-core"
	var cfgs []node.Config
	key := wire.NewPrivateKey([32]byte{7})
	params, _ := json.Marshal(token.Params{Rate: 1000, Allocations: []token.Allocation{{Address: wire.AccountOf(key.Public()).String(), Factoshis: 1e15, Credits: 1e12}}})
	g := &wire.Genesis{Version: 1, Name: "t", TimeMs: uint64(time.Now().UnixMilli()), Engine: "raft", Restart: "trust-disk", TEE: "none", Limits: wire.DefaultLimits,
		Families: []wire.FamilyGenesis{{Name: "token", Params: params}, {Name: "record"}}}
	peers := map[wire.NodeID]string{}
	for i := range 3 {
		c := node.Config{Home: filepath.Join(dir, fmt.Sprint(i)), CorePath: core, Log: log.With("n", i), Version: "x"}
		k, _, err := node.Identity(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		c.PeerListen = l.Addr().String()
		l.Close()
		l, _ = net.Listen("tcp", "127.0.0.1:0")
		c.APIListen = l.Addr().String()
		l.Close()
		peers[wire.NodeIDOf(k)] = c.PeerListen
		g.Members = append(g.Members, wire.GenesisMember{Name: fmt.Sprint(i), Key: k})
		cfgs = append(cfgs, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	var eps []string
	for _, c := range cfgs {
		c.Genesis, c.Peers = g, peers
		eps = append(eps, "http://"+c.APIListen)
		go func() { done <- node.Run(ctx, c) }()
	}
	time.Sleep(3 * time.Second)
	cl, err := client.Dial(eps, g, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []bench.Options{
		{Mode: "closed", Kind: "entries", Size: 256, InFlight: 512, Warmup: 2 * time.Second, Duration: 5 * time.Second, Sample: 5},
		{Mode: "open", Kind: "entries", Size: 256, Rate: 500, InFlight: 5000, Warmup: 2 * time.Second, Duration: 5 * time.Second, Sample: 5},
	} {
		o.PIDs = bench.Family([]int{os.Getpid()})
		r, err := bench.Run(ctx, cl, key, o)
		b, _ := json.MarshalIndent(r, "", " ")
		t.Logf("%s %v", b, err)
	}
	cancel()
	for range 3 {
		t.Log(<-done)
	}
}
