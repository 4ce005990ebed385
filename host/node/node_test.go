package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloister/gate"
	"cloister/host/archive/archivetest"
	"cloister/host/objects"
	"cloister/host/supervise"
	"cloister/wire"
)

func TestMain(m *testing.M) {
	if v := os.Getenv(gate.Variable); v != "" {
		os.Exit(play(v))
	}
	goleak.VerifyTestMain(m)
}

// newHome makes a home whose core is the test binary.
func newHome(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	f := new(File)
	f.Core.Path, f.API.Listen, f.Peer.Listen = program, "127.0.0.1:0", "127.0.0.1:0"
	f.Peers = map[string]string{wire.TH("peer").String(): "localhost:7501"}
	for name, content := range map[string][]byte{FileName: f.Encode(), GenesisName: chain().Genesis.File()} {
		if err := os.WriteFile(filepath.Join(home, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func load(t *testing.T, home string) Config {
	t.Helper()
	cfg, err := Load(home)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log, cfg.Version = slog.New(slog.DiscardHandler), "test"
	return cfg
}

// host is a running home.
type host struct {
	url   string
	peer  net.Addr
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, cfg Config) *host {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	h := &host{stop: cancel, ended: make(chan error, 1)}
	listening := make(chan struct{})
	cfg.Listening = func(api, peer net.Addr) {
		h.url, h.peer = "http://"+api.String(), peer
		close(listening)
	}
	go func() { h.ended <- Run(ctx, cfg) }()
	select {
	case <-listening:
	case err := <-h.ended:
		t.Fatal(err)
	}
	return h
}

// call makes one unary call of the public API in JSON.
func (h *host) call(t *testing.T, method, body string) (int, map[string]any) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(h.url+"/cloister.v1.Ledger/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%s: %d %s", method, resp.StatusCode, b)
	}
	return resp.StatusCode, answer
}

// await asks for the status until the archive has both blocks.
func (h *host) await(t *testing.T) map[string]any {
	t.Helper()
	for {
		if _, s := h.call(t, "Status", "{}"); s["height"] == "2" && s["ready"] == true {
			return s
		}
	}
}

func TestAHostServesItsHomeAndKeepsIt(t *testing.T) {
	home := newHome(t)
	cfg := load(t, home)
	for round := range 2 {
		h := start(t, cfg)
		s := h.await(t)
		if s["sealed"] != "2" || s["hostVersion"] != "test" || h.peer == nil {
			t.Errorf("round %d: status %v, peers on %v", round, s, h.peer)
		}
		tx := chain().Tx("token", []byte("x"))
		if _, answer := h.call(t, "Submit", `{"txs":["`+encode(tx.Bytes())+`"]}`); !strings.Contains(marshal(answer), tx.ID().String()) {
			t.Errorf("round %d: submit answered %v", round, answer)
		}
		if _, err := objects.Open(filepath.Join(home, storeName), objects.Options{}); !errors.Is(err, objects.ErrInUse) {
			t.Errorf("round %d: the store of a running host: %v", round, err)
		}
		h.stop()
		if err := <-h.ended; err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	for _, name := range []string{GenesisName, FileName, sealKeyName, storeName, archiveName} {
		info, err := os.Stat(filepath.Join(home, name))
		if err != nil {
			t.Error(err)
		} else if name == sealKeyName && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestACoreThatNeedsAnOperatorEndsTheHost(t *testing.T) {
	h := start(t, load(t, newHome(t)))
	h.await(t)
	h.call(t, "Submit", `{"txs":["`+encode(chain().Tx(breaking, nil).Bytes())+`"]}`)
	if err := <-h.ended; !errors.Is(err, supervise.ErrOperator) {
		t.Fatalf("ended with %v", err)
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://")); err == nil {
		conn.Close()
		t.Error("the API outlived the host")
	}
}

func TestPortsInUseAreAnErrorAndLeaveNothingOpen(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	cfg := load(t, newHome(t))
	for _, port := range []*string{&cfg.APIListen, &cfg.PeerListen} {
		free := *port
		*port = busy.Addr().String()
		if err := Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("a port in use: %v", err)
		}
		*port = free
	}
	h := start(t, cfg) // nothing of the failed ones is left
	h.await(t)
	h.stop()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	if err := Run(context.Background(), Config{}); err == nil {
		t.Error("an empty configuration was run")
	}
}

func TestTheIdentityIsTheHomes(t *testing.T) {
	cfg := load(t, newHome(t))
	first, _, err := Identity(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Identity(context.Background(), cfg)
	if err != nil || again != first || first == (wire.PublicKey{}) {
		t.Errorf("%s, then %s, %v", first, again, err)
	}
	other, _, err := Identity(context.Background(), load(t, newHome(t)))
	if err != nil || other == first {
		t.Errorf("another home has %s, %v", other, err)
	}
}

func TestAHomeIsPreparedOnceForOneNetwork(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "new")
	f := new(File)
	f.Core.Path, f.API.Listen, f.Follow.Endpoints = program, "127.0.0.1:0", []string{"http://127.0.0.1:1"}
	log := slog.New(slog.DiscardHandler)
	key, known, err := Prepare(context.Background(), home, f, chain().Genesis, log)
	if err != nil || key == (wire.PublicKey{}) {
		t.Fatalf("%s, %t, %v", key, known, err)
	}
	cfg := load(t, home)
	if len(cfg.Follow) != 1 || cfg.Genesis.ChainID() != chain().Genesis.ChainID() {
		t.Errorf("%+v", cfg)
	}
	edited := *f
	edited.API.Listen = "127.0.0.1:1"
	if again, _, err := Prepare(context.Background(), home, &edited, chain().Genesis, log); err != nil || again != key || load(t, home).APIListen != f.API.Listen {
		t.Errorf("again: %s, %v", again, err)
	}
	if _, _, err := Prepare(context.Background(), home, f, nil, log); err != nil {
		t.Errorf("without a genesis: %v", err)
	}
	other := archivetest.New("another", 2).Genesis
	if _, _, err := Prepare(context.Background(), home, f, other, log); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("another network's home: %v", err)
	}
	f.API.Listen = "nowhere"
	if _, _, err := Prepare(context.Background(), home, f, nil, log); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("an address that is none: %v", err)
	}
}

func TestAHostFillsItsArchiveFromOthersAndSaysSo(t *testing.T) {
	cfg := load(t, newHome(t))
	cfg.Follow = []string{"http://127.0.0.1:1"}
	h := start(t, cfg)
	for {
		_, s := h.call(t, "Status", "{}")
		f, ok := s["following"].(map[string]any)
		if !ok {
			t.Fatalf("status %v", s)
		}
		if f["endpoint"] == cfg.Follow[0] && f["problem"] != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.await(t) // its own core does not need them
	h.stop()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
}

func TestTheSealKeyIsMadeOnceAndNeverReplaced(t *testing.T) {
	home := t.TempDir()
	key, err := sealKey(home)
	if err != nil || len(key) != sealKeySize || bytes.Equal(key, make([]byte, sealKeySize)) {
		t.Fatalf("%x, %v", key, err)
	}
	if again, err := sealKey(home); err != nil || !bytes.Equal(again, key) {
		t.Fatalf("%x, then %x, %v", key, again, err)
	}
	name := filepath.Join(home, sealKeyName)
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := sealKey(home); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("a key others can read: %v", err)
	}
	for what, content := range map[string]string{"nothing": "", "half": strings.Repeat("a", 63), "no hex": strings.Repeat("x", 64), "more": strings.Repeat("a", 200)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sealKey(home); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("a file with %s: %v", what, err)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	store, err := objects.Open(filepath.Join(home, storeName), objects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealKey(home); err != nil {
		t.Errorf("an empty store needs no old key: %v", err)
	}
	if err := errors.Join(os.Remove(name), store.Create(7, gate.ClassLog, 0), store.Append(7, 0, []byte("x")), store.Sync(7), store.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := sealKey(home); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("a lost key of a store: %v", err)
	}
}

func TestAHomeWithoutItsFilesIsNotRun(t *testing.T) {
	for _, name := range []string{GenesisName, FileName} {
		home := newHome(t)
		if err := os.Remove(filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(home); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte("["), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(home); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a broken %s: %v", name, err)
		}
	}
}
