package rpc_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/host/anchor"
	"cloister/host/anchor/rpc"
	"cloister/wire"
	"cloister/wire/bitcoin"
)

// core answers as Bitcoin Core does: these are its words and forms.
func core(t *testing.T, answers map[string]string) rpc.Node {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var q struct {
			Method string
			Params []any
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Params == nil {
			t.Errorf("request: %v", err)
		}
		answer, ok := answers[q.Method]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`
		}
		w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return node(t, rpc.Config{URL: server.URL, User: "u", Password: "p"})
}

func node(t *testing.T, cfg rpc.Config) rpc.Node {
	c, err := rpc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return rpc.Node{Client: c}
}

func result(s string) string { return `{"result":` + s + `,"error":null,"id":1}` }

func refusal(code, message string) string {
	return `{"result":null,"error":{"code":` + code + `,"message":"` + message + `"},"id":1}`
}

const id = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

func TestUnspentOutputsOfBitcoinCore(t *testing.T) {
	n := core(t, map[string]string{"scantxoutset": result(`{"success":true,"txouts":9,"height":840000,"bestblock":"` + id + `","unspents":[
		{"txid":"` + id + `","vout":3,"scriptPubKey":"0014","desc":"raw()","amount":0.29,"coinbase":true,"height":839000},
		{"txid":"` + id + `","vout":4,"scriptPubKey":"0014","desc":"raw()","amount":20999999.99999999,"height":7}],"total_amount":0.29}`)})
	u, err := n.Unspent(t.Context(), []byte{0, 20})
	if err != nil || u.Tip.Height != 840000 || u.Tip.Hash.String() != id || len(u.Coins) != 2 {
		t.Fatal(u, err)
	}
	if c := u.Coins[0]; c.Value != 29_000_000 || !c.Coinbase || c.Born != 839000 || c.Out.Index != 3 {
		t.Fatalf("%+v", c)
	}
	if u.Coins[1].Value != 2_099_999_999_999_999 {
		t.Fatalf("%+v", u.Coins[1])
	}
	if _, err := core(t, nil).Unspent(t.Context(), nil); !errors.Is(err, anchor.ErrNoScan) {
		t.Fatal(err)
	}
	for _, bad := range []string{`{"success":false}`, `{"success":true,"unspents":[{"txid":"` + id + `","amount":-1}]}`, `7`} {
		if _, err := core(t, map[string]string{"scantxoutset": result(bad)}).Unspent(t.Context(), nil); wire.CodeOf(err) != wire.ErrUnavailable {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestFeeRatesAreRoundedUpToTheByte(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]string
		rate    uint64
		err     error
	}{
		"core":             {map[string]string{"estimatesmartfee": result(`{"feerate":0.00012345,"blocks":6}`)}, 13, nil},
		"core in the dark": {map[string]string{"estimatesmartfee": result(`{"errors":["Insufficient data"],"blocks":6}`)}, 0, anchor.ErrNoEstimate},
		"btcd":             {map[string]string{"estimatefee": result(`0.00001`)}, 1, nil},
		"btcd in the dark": {map[string]string{"estimatefee": refusal("-1", "not enough blocks have been observed")}, 0, anchor.ErrNoEstimate},
		"neither":          {nil, 0, anchor.ErrNoEstimate},
		"nonsense":         {map[string]string{"estimatefee": result(`-1`)}, 0, anchor.ErrNoEstimate},
	} {
		if rate, err := core(t, c.answers).Rate(t.Context(), 6); rate != c.rate || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %v", name, rate, err)
		}
	}
}

func TestWhatANodeSaysToATransaction(t *testing.T) {
	for name, c := range map[string]struct {
		answer       string
		refused, fee bool
	}{
		"taken":                    {result(`"` + id + `"`), false, false},
		"mined already":            {refusal("-27", "Transaction already in block chain"), false, false},
		"core has it":              {refusal("-26", "txn-already-in-mempool"), false, false},
		"btcd has it":              {refusal("-26", "TX rejected: already have transaction in mempool "+id), false, false},
		"spent otherwise, btcd":    {refusal("-26", "TX rejected: output "+id+":0 already spent by transaction "+id), true, false},
		"spent otherwise":          {refusal("-25", "bad-txns-inputs-missingorspent"), true, false},
		"core's pool is full":      {refusal("-26", "mempool min fee not met, 150 < 300"), true, true},
		"core's replacement":       {refusal("-26", "insufficient fee, rejecting replacement"), true, true},
		"btcd's replacement":       {refusal("-26", "TX rejected: replacement transaction has an insufficient absolute fee"), true, true},
		"a small fee is none":      {refusal("-26", "TX rejected: transaction has insufficient priority (0 <= 5.76e+07)"), true, true},
		"it cannot be read at all": {refusal("-22", "TX decode failed"), true, false},
	} {
		err := core(t, map[string]string{"sendrawtransaction": c.answer}).Send(t.Context(), []byte{1})
		var no *anchor.Refused
		if errors.As(err, &no) != c.refused || (err != nil) != c.refused || c.refused && no.Fee != c.fee {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeightsAboveTheTipHaveNoBlock(t *testing.T) {
	for _, code := range []string{"-8", "-1"} {
		_, err := core(t, map[string]string{"getblockhash": refusal(code, "Block height out of range")}).BlockHash(t.Context(), 9)
		if !errors.Is(err, anchor.ErrNoBlock) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if h, err := core(t, map[string]string{"getblockhash": result(`"` + id + `"`)}).BlockHash(t.Context(), 0); err != nil || h.String() != id {
		t.Fatal(h, err)
	}
}

func TestAnswersAreReadStrictly(t *testing.T) {
	long := strings.Repeat("ab", bitcoin.MaxBlock+64<<10)
	for name, answer := range map[string]string{
		"not hex": result(`"xyz"`), "a number": result(`5`), "no JSON": "busy", "too long": result(`"` + long + `"`),
	} {
		if _, err := core(t, map[string]string{"getblock": answer}).Block(t.Context(), bitcoin.Hash{}); wire.CodeOf(err) != wire.ErrUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := core(t, map[string]string{"getblockheader": result(`"00"`)}).Header(t.Context(), bitcoin.Hash{}); wire.CodeOf(err) != wire.ErrMalformed {
		t.Error(err)
	}
}

func TestPasswordsStayOutOfErrorsAndComeFromCookies(t *testing.T) {
	good := core(t, map[string]string{"getblockcount": result(`12`)})
	_, err := node(t, rpc.Config{URL: good.URL(), User: "u", Password: "secret"}).Height(t.Context())
	if wire.CodeOf(err) != wire.ErrUnavailable || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "secret") {
		t.Fatal(err)
	}
	cookie := filepath.Join(t.TempDir(), ".cookie")
	withCookie := node(t, rpc.Config{URL: good.URL(), Cookie: cookie})
	if _, err := withCookie.Height(t.Context()); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Fatal(err)
	}
	if err := os.WriteFile(cookie, []byte("u:p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err := withCookie.Height(t.Context()); err != nil || h != 12 {
		t.Fatal(h, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := good.Height(ended); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Fatal(err)
	}
}

func TestNodesAreNamedByURL(t *testing.T) {
	for _, cfg := range []rpc.Config{{}, {URL: "localhost:8332"}, {URL: "ftp://x"}, {URL: "http://u:p@x"}, {URL: "https://x", Certificate: []byte("x")}} {
		if _, err := rpc.New(cfg); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(result(`{"success":true,"height":1,"bestblock":"` + id + `","unspents":[{"txid":"` + id + `","vout":3,"amount":1e-5}]}`))
	f.Add(refusal("-26", "fee"))
	f.Fuzz(func(t *testing.T, answer string) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(answer)) }))
		defer server.Close()
		n := node(t, rpc.Config{URL: server.URL})
		if u, err := n.Unspent(t.Context(), nil); err == nil {
			for _, c := range u.Coins {
				if c.Value > bitcoin.MaxMoney {
					t.Fatal(c)
				}
			}
		}
		if b, err := n.Block(t.Context(), bitcoin.Hash{}); err == nil && len(b) > rpc.MaxAnswer {
			t.Fatal(len(b))
		}
		n.Rate(t.Context(), 1)
		n.Send(t.Context(), nil)
	})
}
