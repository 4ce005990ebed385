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
	"cloister/wire/hardware"
	"cloister/wire/record"
	"cloister/wire/token"
)

// TestBadInputIsRefusedWithItsCode sends every kind of bad input to a running
// network: each gets its own code and advice, nothing changes, nothing dies.
func TestBadInputIsRefusedWithItsCode(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3)
	c := n.dial()
	chain := createChain(t, c, n.key, "refuse")
	// The registry's transactions are signed; what they say matters to none of these.
	sign := func(edit func(*wire.Tx)) []byte {
		tx := c.Trust().NewTx(n.key, hardware.Name, hardware.Encode(&hardware.Retire{Device: wire.Hash{1}}), time.Minute)
		edit(tx)
		tx.Sign(n.key)
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
	poor := wire.NewPrivateKey(wire.TH("cloister/scenario/poor/v1"))
	now := uint64(time.Now().UnixMilli())
	entry := func(e factom.Entry, pad int) []byte {
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return append(b, make([]byte, pad)...)
	}
	plain := entry(factom.Entry{ChainID: chain, Content: []byte("x")}, 0)
	carry := func(family string, payload []byte) []byte { return c.Trust().Carry(family, payload).Bytes() }
	// pair joins a commit, changed, with an entry that it need not pay for; no client makes such.
	pair := func(at uint64, paid, shown []byte, change func(*factom.Commit)) []byte {
		commit, err := factom.NewEntryCommit(paid, at, n.key)
		if err != nil {
			t.Fatal(err)
		}
		change(commit)
		return carry(record.Name, append(append([]byte{record.KindEntryPair}, commit.Bytes()...), shown...))
	}
	written := func(payload []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return carry(record.Name, payload)
	}
	pay := func(key wire.PrivateKey, change func(*factom.Transaction)) []byte {
		tx, err := token.Pay(key, now, 1000, []token.Output{{To: wire.Account{1}, Amount: 1}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		change(tx)
		if err := tx.Sign(key); err != nil {
			t.Fatal(err)
		}
		return carry(token.Name, tx.Bytes())
	}
	large := entry(factom.Entry{ChainID: chain, Content: make([]byte, 3000)}, 0)
	created, err := record.CreateChain(entry(factom.Entry{ChainID: factom.ChainID([][]byte{{1}}), ExtIDs: [][]byte{{1}}}, 0), now, n.key)
	if err != nil {
		t.Fatal(err)
	}
	misnamed := rejoin(t, created, func(commit *factom.Commit, entry []byte) {
		entry[1] ^= 1 // another chain id than its name hashes to
		commit.EntryHash = factom.EntryHash(entry)
	})
	unwelded := rejoin(t, created, func(commit *factom.Commit, _ []byte) { commit.Weld[0] ^= 1 })
	bad := []struct {
		name string
		tx   []byte
		want wire.Code
	}{
		{"malformed", []byte("no transaction"), wire.ErrMalformed},
		{"not canonical", append(sign(func(*wire.Tx) {}), 0), wire.ErrMalformed},
		{"a message with a signature too many", sign(func(tx *wire.Tx) { tx.Family, tx.Payload = record.Name, record.Reveal(plain) }), wire.ErrMalformed},
		{"oversized", make([]byte, wire.MaxTx+1), wire.ErrTooLarge},
		{"wrong chain", sign(func(tx *wire.Tx) { tx.ChainID[0] ^= 1 }), wire.ErrWrongChain},
		{"expired", sign(func(tx *wire.Tx) { tx.NotAfterMs = ms(-time.Hour) }), wire.ErrExpired},
		{"too far ahead", sign(func(tx *wire.Tx) { tx.NotAfterMs = ms(time.Hour) }), wire.ErrTooFarAhead},
		{"replayed", replayed.Bytes(), wire.ErrReplayed},
		{"unknown family", sign(func(tx *wire.Tx) { tx.Family = "astrology" }), wire.ErrUnknownFamily},
		{"bad signature", pair(now+1, plain, plain, func(c *factom.Commit) { c.Signature[0] ^= 1 }), wire.ErrBadSignature},
		{"no credits", written(record.AddEntry(plain, now, poor)), wire.ErrInsufficientCredits},
		{"no funds", pay(poor, func(*factom.Transaction) {}), wire.ErrInsufficientFunds},
		{"fee too low", pay(n.key, func(tx *factom.Transaction) { tx.Inputs[0].Amount-- }), wire.ErrFeeTooLow},
		{"no factoid transaction", carry(token.Name, []byte{2}), wire.ErrTransactionMalformed},
		{"unknown chain", written(record.AddEntry(entry(factom.Entry{ChainID: wire.Hash{7}}, 0), now+2, n.key)), wire.ErrUnknownChain},
		{"chain exists", written(record.CreateChain(
			entry(factom.Entry{ChainID: chain, ExtIDs: [][]byte{[]byte("scenario"), []byte("refuse")}}, 0), now+3, n.key)), wire.ErrChainExists},
		{"wrong chain id", carry(record.Name, misnamed), wire.ErrWrongChainID},
		{"entry over 10 KiB", carry(record.Name, record.Reveal(entry(factom.Entry{ChainID: chain}, factom.MaxEntryPayload+1))), wire.ErrEntryTooLarge},
		{"entry malformed", carry(record.Name, record.Reveal([]byte{1, 2, 3})), wire.ErrEntryMalformed},
		{"commit malformed", carry(record.Name, record.Commit([]byte{1, 2, 3})), wire.ErrCommitMalformed},
		{"commit that is not bound to its chain", carry(record.Name, unwelded), wire.ErrVoidReveal},
		{"commit of too little", pair(now+5, large, large, func(c *factom.Commit) {
			c.Credits = 1
			c.Signature = n.key.SignMessage(c.Ledger())
		}), wire.ErrUnderpaid},
		{"commit of yesterday", written(record.AddEntry(plain, ms(-13*time.Hour), n.key)), wire.ErrOutsideWindow},
		{"reveal without commit", carry(record.Name, record.Reveal(plain)), wire.ErrNoCommit},
	}
	before := touched(t, n, chain, last.Height)
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
	if after := touched(t, n, chain, last.Height); after != before {
		t.Errorf("the state was %+v and is %+v", before, after)
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

// state is what bad input could have changed.
type state struct {
	Chain   record.Chain
	Account token.Balance
}

// touched is that state after some block at or above height, once all validators
// prove the same. The state root says less: the data layer's periods and the cores'
// own duties move it whatever is submitted.
func touched(t *testing.T, n *network, chain wire.Hash, height uint64) (first state) {
	t.Helper()
	eventually(t, "all validators prove one state", func(ctx context.Context) error {
		for i := range n.Validators {
			c := n.dial(i)
			head, err := c.Chain(ctx, chain)
			if err != nil {
				return err
			}
			account, err := c.Account(ctx, wire.AccountOf(n.key.Public()))
			if err != nil {
				return err
			}
			if least := min(head.Height, account.Height); least < height {
				return fmt.Errorf("state of block %d is proved, %d is wanted", least, height)
			}
			s := state{head.Chain, token.Balance{Factoshis: account.Factoshis, Credits: account.Credits}}
			if i == 0 {
				first = s
			} else if s != first {
				return fmt.Errorf("validator %d proves %+v, another %+v", i+1, s, first)
			}
		}
		return nil
	})
	return first
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

// rejoin changes the halves of a chain's pair.
func rejoin(t *testing.T, pair []byte, change func(commit *factom.Commit, entry []byte)) []byte {
	t.Helper()
	p, err := record.Decode(pair)
	if err != nil {
		t.Fatal(err)
	}
	commit, entry := *p.Commit, bytes.Clone(p.Bytes)
	change(&commit, entry)
	return append(append([]byte{record.KindChainPair}, commit.Bytes()...), entry...)
}
