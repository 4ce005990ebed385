package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloister/client"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

func TestSmoke(t *testing.T) {
	for _, n := range []int{1} {
		root := t.TempDir()
		var cfgs []Config
		g := &wire.Genesis{Version: 1, Name: "smoke", TimeMs: uint64(time.Now().UnixMilli()), Engine: "raft", Restart: "trust-disk", TEE: "none", Limits: wire.DefaultLimits}
		if n == 1 {
			g.Engine = "solo"
		}
		payer := wire.NewPrivateKey([32]byte{9})
		g.Families = []wire.FamilyGenesis{{Name: "token", Params: []byte(fmt.Sprintf(`{"rate":1000,"allocations":[{"address":"%s","factoshis":1000000000,"credits":100000000}]}`, wire.AccountOf(payer.Public())))}, {Name: "record"}}
		peers := map[wire.NodeID]string{}
		for i := range n {
			l, _ := net.Listen("tcp", "127.0.0.1:0")
			addr := l.Addr().String()
			l.Close()
			cfg := Config{Home: filepath.Join(root, fmt.Sprint(i)), CorePath: "/tmp/w/bin/cloister-core", APIListen: "127.0.0.1:0", PeerListen: addr, Version: "s",
				Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("n", i)}
			key, known, err := Identity(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println(key, known)
			g.Members = append(g.Members, wire.GenesisMember{Name: fmt.Sprint(i), Key: key})
			peers[wire.NodeIDOf(key)] = addr
			cfgs = append(cfgs, cfg)
		}
		var urls []string
		var hosts []*host
		for _, c := range cfgs {
			c.Genesis, c.Peers = g, peers
			h := start(t, c)
			hosts = append(hosts, h)
hostOne = h
			urls = append(urls, h.url)
		}
		for _, h := range hosts {
			for {
				if _, s := h.call(t, "Status", "{}"); s["ready"] == true {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		c, err := client.Dial(urls, g, client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_ = c
		smokeLoad(t, c, g, payer)
		for i, h := range hosts {
			_, s := h.call(t, "Status", "{}")
			fmt.Println(i, marshal(s))
			h.stop()
			if err := <-h.ended; err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
}

var hostOne *host
var lastID wire.Hash

func smokeLoad(t *testing.T, c *client.Client, g *wire.Genesis, payer wire.PrivateKey) {
	ctx := context.Background()
	e := factom.Entry{ExtIDs: [][]byte{[]byte("smoke")}, Content: []byte("first")}
	e.ChainID = factom.ChainID(e.ExtIDs)
	nonce := uint64(0)
	mk := func(payload []byte) *wire.Tx {
		nonce++
		tx := &wire.Tx{ChainID: g.ChainID(), Family: record.Name, Payload: payload, NotAfterMs: uint64(time.Now().UnixMilli()) + 60000}
		copy(tx.Nonce[:], wire.U64(nonce))
		tx.Sign(payer)
		lastID = tx.ID()
		return tx
	}
	b, _ := e.Marshal()
	fmt.Println(time.Now())
	go func() {
		last := ""
		for range 1000 {
			_, s := hostOne.call(t, "Status", "{}")
			m := fmt.Sprint(s["height"], " ", s["sealed"], " ", s["core"].(map[string]any)["height"], " ", s["core"].(map[string]any)["sealed"])
			if m != last {
				fmt.Println(time.Now(), m)
				last = m
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	v, file, err := c.SubmitProved(ctx, mk(record.CreateChain(b)))
	if err != nil { fmt.Println(time.Now(), err); time.Sleep(time.Second); f, _, err := c.Receipt(ctx, lastID, "executed"); fmt.Println(f != nil, err)
	return }
	fmt.Println(v.Kind, v.Height, len(file), v.Facts)
	began := time.Now()
	total := 0
	for round := range 20 {
		var txs []*wire.Tx
		for i := range 250 {
			e.Content = fmt.Append(nil, "x", round, i, string(make([]byte, 150)))
			b, _ := e.Marshal()
			txs = append(txs, mk(record.AddEntry(b)))
		}
		st, errs := c.SubmitBatch(ctx, txs, true)
		for i := range st {
			if errs[i] != nil {
				t.Error(errs[i])
				break
			}
		}
		total += len(txs)
	}
	fmt.Println(total, "tx in", time.Since(began))
	rv, _, err := c.Receipt(ctx, v.TxID, "executed")
	fmt.Println(rv != nil, err)
	list, err := c.VerifiedEntries(ctx, e.ChainID)
	fmt.Println(list != nil, err)
}
