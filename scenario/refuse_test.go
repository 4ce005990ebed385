package scenario

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// TestBadInputIsRefusedWithItsCode sends every kind of bad input to a running
// network: each gets its own code and advice, nothing changes, nothing dies.
func TestBadInputIsRefusedWithItsCode(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial()
	chain := createChain(t, c, n.key, "refuse")
	sign := func(key wire.PrivateKey, edit func(*wire.Tx)) []byte {
		tx := entryTx(t, c, key, chain, "x")
		edit(tx)
		tx.Sign(key)
		return tx.Bytes()
	}
	ms := func(d time.Duration) uint64 { return uint64(time.Now().Add(d).UnixMilli()) }
	replayed := entryTx(t, c, n.key, chain, "once")
	last, err := c.Submit(context.Background(), replayed)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "every validator has executed it", func(ctx context.Context) error {
		for i := range n.Validators {
			if st, err := n.dial(i).Status(ctx, replayed.ID()); err != nil || st.State != "committed" {
				return fmt.Errorf("validator %d: %v %v", i+1, st, err)
			}
		}
		return nil
	})
	forged := entryTx(t, c, n.key, chain, "forged")
	forged.Signature[0] ^= 1
	poor := wire.NewPrivateKey(wire.TH("cloister/scenario/poor/v1"))
	entry := func(e factom.Entry, pad int) []byte {
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return append(b, make([]byte, pad)...)
	}
	bad := []struct {
		name string
		tx   []byte
		want wire.Code
	}{
		{"malformed", []byte("no transaction"), wire.ErrMalformed},
		{"not canonical", append(sign(n.key, func(*wire.Tx) {}), 0), wire.ErrMalformed},
		{"oversized", make([]byte, wire.MaxTx+1), wire.ErrTooLarge},
		{"wrong chain", sign(n.key, func(tx *wire.Tx) { tx.ChainID[0] ^= 1 }), wire.ErrWrongChain},
		{"expired", sign(n.key, func(tx *wire.Tx) { tx.NotAfterMs = ms(-time.Hour) }), wire.ErrExpired},
		{"too far ahead", sign(n.key, func(tx *wire.Tx) { tx.NotAfterMs = ms(time.Hour) }), wire.ErrTooFarAhead},
		{"replayed", replayed.Bytes(), wire.ErrReplayed},
		{"unknown family", sign(n.key, func(tx *wire.Tx) { tx.Family = "astrology" }), wire.ErrUnknownFamily},
		{"bad signature", forged.Bytes(), wire.ErrBadSignature},
		{"no credits", sign(poor, func(*wire.Tx) {}), wire.ErrInsufficientCredits},
		{"no funds", sign(poor, func(tx *wire.Tx) {
			p := token.Payload{Transfers: []token.Output{{To: wire.Account{1}, Amount: 1}}}
			tx.Family, tx.Payload = token.Name, p.Bytes()
		}), wire.ErrInsufficientFunds},
		{"amount zero", sign(n.key, func(tx *wire.Tx) {
			p := token.Payload{Transfers: []token.Output{{To: wire.Account{1}}}}
			tx.Family, tx.Payload = token.Name, p.Bytes()
		}), wire.ErrBadAmount},
		{"unknown chain", sign(n.key, func(tx *wire.Tx) {
			tx.Payload = record.AddEntry(entry(factom.Entry{ChainID: wire.Hash{7}}, 0))
		}), wire.ErrUnknownChain},
		{"chain exists", sign(n.key, func(tx *wire.Tx) {
			tx.Payload = record.CreateChain(entry(factom.Entry{ChainID: chain, ExtIDs: [][]byte{[]byte("scenario"), []byte("refuse")}}, 0))
		}), wire.ErrChainExists},
		{"wrong chain id", sign(n.key, func(tx *wire.Tx) {
			tx.Payload = record.CreateChain(entry(factom.Entry{ChainID: wire.Hash{7}, ExtIDs: [][]byte{{1}}}, 0))
		}), wire.ErrWrongChainID},
		{"entry over 10 KiB", sign(n.key, func(tx *wire.Tx) {
			tx.Payload = record.AddEntry(entry(factom.Entry{ChainID: chain}, factom.MaxEntryPayload+1))
		}), wire.ErrEntryTooLarge},
		{"entry malformed", sign(n.key, func(tx *wire.Tx) { tx.Payload = record.AddEntry([]byte{1, 2, 3}) }), wire.ErrEntryMalformed},
	}
	before := stateRoot(t, n, last.Height)
	seen := map[wire.Code]string{}
	for _, b := range bad {
		for i := range n.Validators {
			got := submitRaw(t, n.Validators[i].Endpoint, b.tx)
			if wire.Code(got.Code) != b.want || got.Name != b.want.String() || got.Advice == "" {
				t.Errorf("%s at validator %d: code %d %s, advice %q; want %s", b.name, i+1, got.Code, got.Name, got.Advice, b.want)
			}
		}
		if other, taken := seen[b.want]; taken && b.want != wire.ErrMalformed {
			t.Errorf("%s and %s share a code", b.name, other)
		}
		seen[b.want] = b.name
	}
	n.garbage()
	if after := stateRoot(t, n, last.Height); after != before {
		t.Errorf("the state root moved from %s to %s", before, after)
	}
	hosts, cores := n.processes()
	if len(hosts) != 3 || len(cores) != 3 {
		t.Errorf("%d hosts and %d cores are left", len(hosts), len(cores))
	}
	if _, err := c.Submit(context.Background(), entryTx(t, c, n.key, chain, "afterwards")); err != nil {
		t.Errorf("a good transaction afterwards: %v", err)
	}
	sameChain(t, n)
	for _, v := range n.Validators {
		if b, _ := os.ReadFile(v.Log); bytes.Contains(b, []byte("core.exit")) {
			t.Errorf("a core of %s ended", v.Name)
		}
	}
}

type answer struct {
	Code   uint32 `json:"code"`
	Name   string `json:"name"`
	Advice string `json:"advice"`
}

// submitRaw is what curl would do.
func submitRaw(t *testing.T, endpoint string, tx []byte) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"txs": [][]byte{tx}, "mode": "SUBMIT_MODE_WAIT_SEALED"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(endpoint+"/cloister.v1.Ledger/Submit", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	var ok struct {
		Items []answer `json:"items"`
	}
	if json.Unmarshal(b, &ok) == nil && len(ok.Items) == 1 {
		return ok.Items[0]
	}
	t.Fatalf("answer %d: %s", res.StatusCode, b)
	return answer{}
}

// stateRoot is the state root after some block at or above height, once all
// validators prove the same.
func stateRoot(t *testing.T, n *network, height uint64) (root wire.Hash) {
	t.Helper()
	eventually(t, "all validators prove one state", func(ctx context.Context) error {
		for i := range n.Validators {
			s, _, err := n.dial(i).StateProof(ctx, token.Name, token.SupplyKey)
			if err != nil {
				return err
			}
			if s.Exec.Height < height {
				return fmt.Errorf("state of block %d is proved, %d is wanted", s.Exec.Height, height)
			}
			if i > 0 && s.Exec.StateRoot != root {
				return fmt.Errorf("state roots %s and %s", root, s.Exec.StateRoot)
			}
			root = s.Exec.StateRoot
		}
		return nil
	})
	return root
}

// garbage goes to every open port of every validator.
func (n *network) garbage() {
	n.t.Helper()
	for _, v := range n.Validators {
		file, err := os.ReadFile(filepath.Join(filepath.Dir(v.Log), "node.toml"))
		if err != nil {
			n.t.Fatal(err)
		}
		ports := regexp.MustCompile(`listen = ['"]([^'"]+)['"]`).FindAllStringSubmatch(string(file), -1)
		if len(ports) != 2 {
			n.t.Fatalf("node.toml of %s names %d ports", v.Name, len(ports))
		}
		for _, p := range ports {
			for _, junk := range [][]byte{nil, {0}, []byte("GET / HTTP/1.1\r\n\r\n"), random(64), random(100_000),
				{0x16, 0x03, 0x01, 0xff, 0xff}, bytes.Repeat([]byte{0xff}, 70_000)} {
				conn, err := net.Dial("tcp", p[1])
				if err != nil {
					n.t.Fatal(err)
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				_, _ = conn.Write(junk) // the other end may close at once
				conn.Close()
			}
		}
		for _, body := range []string{"", "{", `{"txs":[]}`, `{"txs":["AA=="],"mode":9}`, `{"unknown":1}`, strings.Repeat("[", 100_000)} {
			res, err := http.Post(v.Endpoint+"/cloister.v1.Ledger/Submit", "application/json", strings.NewReader(body))
			if err != nil {
				n.t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
			res.Body.Close()
			if res.StatusCode < 400 || res.StatusCode >= 500 {
				n.t.Errorf("request %.20q: HTTP %d, want one of 4xx", body, res.StatusCode)
			}
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
