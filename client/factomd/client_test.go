package factomd_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"cloister/client/factomd"
	"cloister/wire"
	"cloister/wire/factom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func hashOf(s string) wire.Hash {
	h, err := wire.ParseHash(s)
	if err != nil {
		panic(err)
	}
	return h
}

// asked is a request as a node reads it.
type asked struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// node answers requests by a function of them: a result, or an error, as JSON.
func node(t testing.TB, answer func(asked) (result, failure string)) *factomd.Client {
	t.Helper()
	return serve(t, factomd.Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var q asked
		if err != nil || json.Unmarshal(body, &q) != nil || q.Version != "2.0" || r.URL.Path != "/v2" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, body)
		}
		result, failure := answer(q)
		if failure != "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":%s}`, q.ID, failure)
			return
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.ID, result)
	})
}

func serve(t testing.TB, o factomd.Options, handler http.HandlerFunc) *factomd.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := factomd.New(server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// replying is a node with one result for everything.
func replying(t testing.TB, result string) *factomd.Client {
	return node(t, func(asked) (string, string) { return result, "" })
}

func raw(b string) string { return `{"data":"` + b + `"}` }

func rawBlock(b string) string { return `{"fblock":{"any":1},"rawdata":"` + b + `"}` }

var ctx = context.Background()

const (
	entryKey   = "5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c"
	eblockKey  = "6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727"
	ecKey      = "552276c2ec8a4aff4fc7c68e83b941abaae1fdaf3d7fe365a0ca3aa8d8c140bc"
	factoidKey = "7e27c21f758a63cee4ed1e433bba1b8d0120d4ca53de9fb5c0ede31139ad1ca6"
	adminKey   = "2c4856fd7fbb208df8962a37ed9dbfbb766abc5c1b8ba0cba1e49b4c2c4b121d"
	dblockKey  = "bf542b99100bf87b3797b4e432d09b57c0f6248c8454abe9bbfe667ba7396d79"
)

// TestBlocksAreWhatWasAskedFor runs every verified method against the bytes of
// specification §17.4, and against the same bytes with one changed.
func TestBlocksAreWhatWasAskedFor(t *testing.T) {
	type bytesOf interface{ Bytes() []byte }
	for name, v := range map[string]struct {
		method, params, bytes string
		plain                 bool // answers raw-data
		ask                   func(*factomd.Client) (bytesOf, error)
	}{
		"directory block": {"raw-data", `{"hash":"` + dblockKey + `"}`, directoryBlock1, true,
			func(c *factomd.Client) (bytesOf, error) { return c.RawDirectoryBlock(ctx, hashOf(dblockKey)) }},
		"entry block": {"raw-data", `{"hash":"` + eblockKey + `"}`, entryBlock, true,
			func(c *factomd.Client) (bytesOf, error) { return c.RawEntryBlock(ctx, hashOf(eblockKey)) }},
		"admin block": {"admin-block", `{"keymr":"` + adminKey + `"}`, adminBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.AdminBlock(ctx, hashOf(adminKey)) }},
		"entry credit block": {"entrycredit-block", `{"keymr":"` + ecKey + `"}`, ecBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.ECBlock(ctx, hashOf(ecKey)) }},
		"factoid block": {"factoid-block", `{"keymr":"` + factoidKey + `"}`, factoidBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.FactoidBlock(ctx, hashOf(factoidKey)) }},
		"directory block by height": {"dblock-by-height", `{"height":1}`, directoryBlock1, false,
			func(c *factomd.Client) (bytesOf, error) { return c.DirectoryBlockByHeight(ctx, 1) }},
		"admin block by height": {"ablock-by-height", `{"height":1}`, adminBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.AdminBlockByHeight(ctx, 1) }},
		"entry credit block by height": {"ecblock-by-height", `{"height":1}`, ecBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.ECBlockByHeight(ctx, 1) }},
		"factoid block by height": {"fblock-by-height", `{"height":1}`, factoidBlock, false,
			func(c *factomd.Client) (bytesOf, error) { return c.FactoidBlockByHeight(ctx, 1) }},
	} {
		text := v.bytes
		wrap := rawBlock
		if v.plain {
			wrap = raw
		}
		c := node(t, func(q asked) (string, string) {
			if q.Method != v.method || string(q.Params) != v.params {
				t.Errorf("%s: asks %s %s", name, q.Method, q.Params)
			}
			return wrap(text), ""
		})
		got, err := v.ask(c)
		if err != nil || hex.EncodeToString(got.Bytes()) != v.bytes {
			t.Errorf("%s: %v", name, err)
		}
		// An admin block holds no hash of itself: by its height alone it is the
		// node's word.
		text = v.bytes[:len(v.bytes)-2] + "ff"
		if _, err := v.ask(c); v.method != "ablock-by-height" && wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s with another last byte: %v", name, err)
		}
		text = v.bytes[:len(v.bytes)-2]
		if _, err := v.ask(c); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s cut short: %v", name, err)
		}
	}
}

func TestAWholeOtherBlockIsRefused(t *testing.T) {
	for name, ask := range map[string]func(*factomd.Client) error{
		"by key":    func(c *factomd.Client) error { _, err := c.RawDirectoryBlock(ctx, hashOf(dblockKey)); return err },
		"by height": func(c *factomd.Client) error { _, err := c.DirectoryBlockByHeight(ctx, 1); return err },
	} {
		c := node(t, func(q asked) (string, string) {
			return `{"data":"` + directoryBlock0 + `","rawdata":"` + directoryBlock0 + `"}`, ""
		})
		if err := ask(c); wire.CodeOf(err) != wire.ErrProof {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEntriesHashToWhatWasAskedFor(t *testing.T) {
	e, err := factom.ParseEntry(unhex(blockEntry))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{"chainid":"%s","content":"%x","extids":["%x","%x"]}`, e.ChainID, e.Content, e.ExtIDs[0], e.ExtIDs[1])
	c := node(t, func(q asked) (string, string) {
		if q.Method == "entry" {
			return text, ""
		}
		return raw(blockEntry), ""
	})
	got, err := c.Entry(ctx, hashOf(entryKey))
	if err != nil || got.ChainID != e.ChainID || len(got.ExtIDs) != 2 || string(got.Content) != string(e.Content) {
		t.Errorf("%+v, %v", got, err)
	}
	if b, err := c.RawEntry(ctx, hashOf(entryKey)); err != nil || hex.EncodeToString(b) != blockEntry {
		t.Errorf("%x, %v", b, err)
	}
	if _, err := c.RawEntry(ctx, hashOf(eblockKey)); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("another entry's bytes: %v", err)
	}
	text = strings.Replace(text, `"content":"`, `"content":"00`, 1)
	if _, err := c.Entry(ctx, hashOf(entryKey)); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("another content: %v", err)
	}
}

func TestCommitsAndRevealsCarryTheBytes(t *testing.T) {
	commit, err := factom.ParseCommit(unhex(chainCommit))
	if err != nil {
		t.Fatal(err)
	}
	txid := commit.TXID().String()
	c := node(t, func(q asked) (string, string) {
		switch q.Method + " " + string(q.Params) {
		case "commit-chain " + `{"message":"` + chainCommit + `"}`:
			return fmt.Sprintf(`{"message":"Chain Commit Success","txid":"%s","entryhash":"%s","chainidhash":"%s"}`, txid, commit.EntryHash, commit.ChainIDHash), ""
		case "reveal-chain " + `{"entry":"` + blockEntry + `"}`, "reveal-entry " + `{"entry":"` + blockEntry + `"}`:
			return `{"message":"Entry Reveal Success","entryhash":"` + entryKey + `","chainid":"` + blockEntry[2:66] + `"}`, ""
		case "factoid-submit " + `{"transaction":"` + factoidTransaction + `"}`:
			return `{"message":"Successfully submitted the transaction","txid":"22548d9c15e87833815427340d7c7fefcb1ff2fc34106e69cdca1b3405eaa4ce"}`, ""
		}
		t.Errorf("asks %s %s", q.Method, q.Params)
		return "{}", ""
	})
	if r, err := c.Commit(ctx, commit); err != nil || r.TXID != commit.TXID() {
		t.Errorf("commit: %+v, %v", r, err)
	}
	for _, reveal := range []func(context.Context, []byte) (*factomd.Revealed, error){c.RevealChain, c.RevealEntry} {
		if r, err := reveal(ctx, unhex(blockEntry)); err != nil || r.EntryHash != hashOf(entryKey) {
			t.Errorf("reveal: %+v, %v", r, err)
		}
	}
	x, _, err := factom.ParseTransaction(unhex(factoidTransaction))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.SubmitFactoid(ctx, x); err != nil || got != x.TXID() {
		t.Errorf("transaction: %v, %v", got, err)
	}
	txid = entryKey
	if _, err := c.Commit(ctx, commit); wire.CodeOf(err) != wire.ErrProof {
		t.Errorf("another commit acknowledged: %v", err)
	}
}

func TestReceiptsAreVerified(t *testing.T) {
	eb, err := factom.ParseEntryBlock(unhex(entryBlock))
	if err != nil {
		t.Fatal(err)
	}
	db, err := factom.ParseDirectoryBlock(unhex(directoryBlock1))
	if err != nil {
		t.Fatal(err)
	}
	built, err := factom.BuildReceipt(unhex(blockEntry), eb, db)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"receipt":` + string(built.JSON()) + `}`
	c := node(t, func(asked) (string, string) { return text, "" })
	if r, err := c.Receipt(ctx, hashOf(entryKey), true); err != nil || r.DirectoryBlockKeyMR != hashOf(dblockKey) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Receipt(ctx, hashOf(eblockKey), false); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("another entry's receipt: %v", err)
	}
	text = strings.ReplaceAll(text, eblockKey, ecKey)
	if _, err := c.Receipt(ctx, hashOf(entryKey), true); wire.CodeOf(err) != wire.ErrReceiptInvalid {
		t.Errorf("a path that does not connect: %v", err)
	}
	text = `{}`
	if _, err := c.Receipt(ctx, hashOf(entryKey), true); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Errorf("no receipt: %v", err)
	}
}

func TestAnErrorKeepsWhatTheNodeSays(t *testing.T) {
	for failure, want := range map[string]struct {
		code  int
		class wire.Code
		data  string
	}{
		`{"code":-32008,"message":"Block not found"}`:                                             {factomd.NotFound, wire.ErrNotFound, ""},
		`{"code":-32009,"message":"Missing Chain Head"}`:                                          {factomd.MissingHead, wire.ErrUnknownChain, ""},
		`{"code":-32602,"message":"Invalid params","data":"Invalid Hash"}`:                        {factomd.InvalidParams, wire.ErrBadRequest, `"Invalid Hash"`},
		`{"code":-32011,"message":"Repeated Commit","data":{"info":"A commit","entryhash":"00"}}`: {factomd.RepeatedCommit, wire.ErrRepeatedCommit, `{"info":"A commit","entryhash":"00"}`},
		`{"code":-32603,"message":"Internal error\u001b[2J","data":"database error"}`:             {factomd.InternalError, wire.ErrUnavailable, `"database error"`},
		`{"code":7,"message":"of a later version"}`:                                               {7, wire.ErrUnavailable, ""},
	} {
		c := node(t, func(asked) (string, string) { return "", failure })
		_, err := c.ChainHead(ctx, wire.Hash{})
		var e *factomd.Error
		if !errors.As(err, &e) || e.Code != want.code || string(e.Data) != want.data || wire.CodeOf(err) != want.class {
			t.Errorf("%s: %v", failure, err)
		}
		if err != nil && strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%q may drive a terminal", err)
		}
	}
}

func TestAnswersOfNoNodeAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":              ``,
		"no JSON":              `<html>`,
		"an array":             `[]`,
		"another version":      `{"jsonrpc":"1.0","id":1,"result":{}}`,
		"another request's":    `{"jsonrpc":"2.0","id":2,"result":{}}`,
		"an id as text":        `{"jsonrpc":"2.0","id":"1","result":{}}`,
		"neither":              `{"jsonrpc":"2.0","id":1}`,
		"something after it":   `{"jsonrpc":"2.0","id":1,"result":{}} {}`,
		"a result of another":  `{"jsonrpc":"2.0","id":1,"result":[]}`,
		"a height below zero":  `{"jsonrpc":"2.0","id":1,"result":{"leaderheight":-1}}`,
		"a height over 32 bit": `{"jsonrpc":"2.0","id":1,"result":{"leaderheight":4294967296}}`,
	} {
		c := serve(t, factomd.Options{}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		if h, err := c.Heights(ctx); wire.CodeOf(err) != wire.ErrUnavailable {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	c := serve(t, factomd.Options{MaxAnswer: 1000}, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat(" ", 1001))
	})
	if _, err := c.Heights(ctx); wire.CodeOf(err) != wire.ErrTooLarge {
		t.Error(err)
	}
}

func TestANodeLeadsNobodyElsewhere(t *testing.T) {
	c := serve(t, factomd.Options{User: "u", Password: "p"}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2" {
			t.Errorf("%s is followed", r.URL)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if _, err := c.Heights(ctx); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Error(err)
	}
}

func TestThePasswordIsSent(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"factomdversion":"6.7.8","factomdapiversion":"2.0"}}`)
	}
	if p, err := serve(t, factomd.Options{User: "u", Password: "p"}, handler).Properties(ctx); err != nil || p.Version != "6.7.8" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := serve(t, factomd.Options{}, handler).Properties(ctx); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Error(err)
	}
}

func TestTheContextEndsACall(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	asked := make(chan struct{})
	c := serve(t, factomd.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	ended, cancel := context.WithCancel(ctx)
	go func() { <-asked; cancel() }()
	if _, err := c.Heights(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEndpointsAreMadeWhole(t *testing.T) {
	for endpoint, want := range map[string]string{
		"localhost:8088":           "http://localhost:8088/v2",
		"http://localhost:8088/":   "http://localhost:8088/v2",
		"https://node.example/v2":  "https://node.example/v2",
		"https://node.example/own": "https://node.example/own",
		"":                         "",
		"ftp://node.example":       "",
		"http://u:p@node.example":  "",
		"http://node.example/?x=1": "",
		"http://":                  "",
	} {
		c, err := factomd.New(endpoint, factomd.Options{})
		switch {
		case want == "" && wire.CodeOf(err) != wire.ErrBadRequest:
			t.Errorf("%q: %v", endpoint, err)
		case want != "" && (err != nil || c.Endpoint() != want):
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	c := node(t, func(q asked) (string, string) {
		var p struct{ Hash wire.Hash }
		if err := json.Unmarshal(q.Params, &p); err != nil {
			t.Error(err)
		}
		return raw(hex.EncodeToString(p.Hash[:1])), ""
	})
	var workers sync.WaitGroup
	for i := range 16 {
		workers.Go(func() {
			for range 20 {
				if b, err := c.Raw(ctx, wire.Hash{byte(i)}); err != nil || len(b) != 1 || b[0] != byte(i) {
					t.Errorf("%d: %x, %v", i, b, err)
				}
			}
		})
	}
	workers.Wait()
}

// TestMethodsSpeakTheNodesLanguage holds what is asked and what is understood of
// methods whose answers no hash covers.
func TestMethodsSpeakTheNodesLanguage(t *testing.T) {
	h := entryKey
	for _, v := range []struct {
		call   func(*factomd.Client) (any, error)
		asks   string // method and parameters
		result string
		want   string // what is understood, as %+v
	}{
		{func(c *factomd.Client) (any, error) { return c.Heights(ctx) }, "heights ",
			`{"directoryblockheight":4,"leaderheight":5,"entryblockheight":3,"entryheight":2}`, "{DirectoryBlock:4 Leader:5 EntryBlock:3 Entry:2}"},
		{func(c *factomd.Client) (any, error) { m, err := c.CurrentMinute(ctx); return m.Minute, err }, "current-minute ",
			`{"leaderheight":5,"minute":7,"currenttime":1500000000000000000,"stalldetected":false}`, "7"},
		{func(c *factomd.Client) (any, error) { return c.DirectoryBlockHead(ctx) }, "directory-block-head ", `{"keymr":"` + h + `"}`, h},
		{func(c *factomd.Client) (any, error) { d, err := c.DirectoryBlock(ctx, hashOf(h)); return *d, err }, `directory-block {"keymr":"` + h + `"}`,
			`{"header":{"prevblockkeymr":"` + h + `","sequencenumber":9,"timestamp":60},"entryblocklist":[{"chainid":"` + h + `","keymr":"` + h + `"}]}`,
			"{Header:{PrevBlockKeyMR:" + h + " Height:9 Timestamp:60} Blocks:[{ChainID:" + h + " KeyMR:" + h + "}]}"},
		{func(c *factomd.Client) (any, error) { d, err := c.EntryBlock(ctx, hashOf(h)); return d.Entries[0], err }, `entry-block {"keymr":"` + h + `"}`,
			`{"header":{"blocksequencenumber":1,"chainid":"` + h + `","prevkeymr":"` + h + `","timestamp":60,"dbheight":9},"entrylist":[{"entryhash":"` + h + `","timestamp":120}]}`,
			"{EntryHash:" + h + " Timestamp:120}"},
		{func(c *factomd.Client) (any, error) { return c.ChainHead(ctx, hashOf(h)) }, `chain-head {"chainid":"` + h + `"}`,
			`{"chainhead":"","chaininprocesslist":true}`, "{KeyMR:" + wire.Hash{}.String() + " InProcess:true}"},
		{func(c *factomd.Client) (any, error) { return c.ChainHead(ctx, hashOf(h)) }, `chain-head {"chainid":"` + h + `"}`,
			`{"chainhead":"` + h + `","chaininprocesslist":false}`, "{KeyMR:" + h + " InProcess:false}"},
		{func(c *factomd.Client) (any, error) {
			f, err := c.AckCommit(ctx, hashOf(h))
			return f.Commit.Status, err
		}, `ack {"chainid":"c","hash":"` + h + `"}`,
			`{"committxid":"","entryhash":"","commitdata":{"status":"Unknown"},"entrydata":{"status":"Unknown"}}`, "Unknown"},
		{func(c *factomd.Client) (any, error) {
			f, err := c.AckEntry(ctx, hashOf(h))
			return f.Entry.Status.Confirmed(), err
		}, `ack {"chainid":"` + wire.Hash{}.String() + `","hash":"` + h + `"}`,
			`{"committxid":"` + h + `","entryhash":"` + h + `","commitdata":{"status":"TransactionACK"},"entrydata":{"transactiondate":1500000000,"status":"1Minute"}}`, "true"},
		{func(c *factomd.Client) (any, error) { f, err := c.AckFactoid(ctx, hashOf(h)); return *f, err }, `ack {"chainid":"f","hash":"` + h + `"}`,
			`{"txid":"x","transactiondate":1500000000000,"transactiondatestring":"2017-07-14 02:40:00","blockdate":1,"blockdatestring":"d","status":"DBlockConfirmed"}`,
			"{TXID:x Fate:{TransactionDate:1500000000000 TransactionDateString:2017-07-14 02:40:00 BlockDate:1 BlockDateString:d Status:DBlockConfirmed}}"},
		{func(c *factomd.Client) (any, error) {
			f, err := c.EntryAck(ctx, hashOf(h))
			return f.Commit.Status, err
		}, `entry-ack {"txid":"` + h + `"}`,
			`{"commitdata":{"status":"NotConfirmed"}}`, "NotConfirmed"},
		{func(c *factomd.Client) (any, error) {
			f, err := c.FactoidAck(ctx, hashOf(h))
			return f.Status.Confirmed(), err
		}, `factoid-ack {"txid":"` + h + `"}`,
			`{"txid":"x","status":"Invalid"}`, "false"},
		{func(c *factomd.Client) (any, error) { return c.EntryCreditBalance(ctx, "EC…") }, `entry-credit-balance {"address":"EC…"}`, `{"balance":12}`, "12"},
		{func(c *factomd.Client) (any, error) { return c.FactoidBalance(ctx, "FA…") }, `factoid-balance {"address":"FA…"}`, `{"balance":9223372036854775807}`, "9223372036854775807"},
		{func(c *factomd.Client) (any, error) {
			b, err := c.MultipleECBalances(ctx, []string{"a", "b"})
			return *b, err
		}, `multiple-ec-balances {"addresses":["a","b"]}`,
			`{"currentheight":5,"lastsavedheight":4,"balances":[{"ack":1,"saved":2,"err":""},{"ack":0,"saved":0,"err":"Error decoding address"}]}`,
			"{CurrentHeight:5 LastSavedHeight:4 Balances:[{Ack:1 Saved:2 Err:} {Ack:0 Saved:0 Err:Error decoding address}]}"},
		{func(c *factomd.Client) (any, error) {
			b, err := c.MultipleFCTBalances(ctx, nil)
			return len(b.Balances), err
		}, `multiple-fct-balances {"addresses":null}`,
			`{"currentheight":5,"lastsavedheight":4,"balances":[]}`, "0"},
		{func(c *factomd.Client) (any, error) { return c.EntryCreditRate(ctx) }, "entry-credit-rate ", `{"rate":1000}`, "1000"},
		{func(c *factomd.Client) (any, error) { return c.PendingEntries(ctx) }, "pending-entries {}", `[{"entryhash":"` + h + `","chainid":null,"status":"TransactionACK"}]`,
			"[{EntryHash:" + h + " ChainID:<nil> Status:TransactionACK}]"},
		{func(c *factomd.Client) (any, error) { return c.PendingTransactions(ctx, "FA…") }, `pending-transactions {"address":"FA…"}`,
			`[{"transactionid":"` + h + `","dbheight":3,"status":"NotConfirmed","inputs":[{"amount":5,"address":"` + h + `","useraddress":"FA…"}],"outputs":[],"ecoutputs":null,"fees":12000}]`,
			"[{TXID:" + h + " Height:3 Status:NotConfirmed Inputs:[{Amount:5 Address:" + h + " UserAddress:FA…}] Outputs:[] ECOutputs:[] Fees:12000}]"},
		{func(c *factomd.Client) (any, error) { f, err := c.Transaction(ctx, hashOf(h)); return f.Height, err }, `transaction {"hash":"` + h + `"}`,
			`{"entry":{"x":1},"includedintransactionblock":"","includedindirectoryblock":"","includedindirectoryblockheight":-1}`, "-1"},
		{func(c *factomd.Client) (any, error) { a, err := c.Authorities(ctx); return a[0].Status, err }, "authorities ",
			`{"authorities":[{"chainid":"` + h + `","manageid":"` + h + `","matroyshka":"` + h + `","signingkey":"` + h + `","status":"federated","anchorkeys":[],"efficiency":100,"coinbaseaddress":""}]}`, "federated"},
		{func(c *factomd.Client) (any, error) { return c.TPSRate(ctx) }, "tps-rate ", `{"totaltxrate":0.5,"instanttxrate":2}`, "{Total:0.5 Instant:2}"},
		{func(c *factomd.Client) (any, error) {
			d, err := c.Diagnostics(ctx)
			return d.Role + string(d.Syncing), err
		}, "diagnostics ",
			`{"name":"n","role":"Leader","leaderheight":4,"currentminuteduration":1.5e9,"syncing":{"status":"Processing"}}`, `Leader{"status":"Processing"}`},
		{func(c *factomd.Client) (any, error) { a, err := c.Anchors(ctx, 7); return *a, err }, `anchors {"height":7}`,
			`{"directoryblockheight":7,"directoryblockkeymr":"` + h + `","bitcoin":false,"ethereum":false}`,
			"{Height:7 KeyMR:" + h + " Bitcoin:<nil> Ethereum:[]}"},
		{func(c *factomd.Client) (any, error) { a, err := c.AnchorsOf(ctx, hashOf(h)); return *a.Bitcoin, err }, `anchors {"hash":"` + h + `"}`,
			`{"directoryblockheight":7,"directoryblockkeymr":"` + h + `","bitcoin":{"transactionhash":"t","blockhash":"b","network":"simnet","proof":"0102"},"ethereum":false}`,
			"{TransactionHash:t BlockHash:b Network:simnet Proof:[1 2]}"},
	} {
		c := node(t, func(q asked) (string, string) {
			if got := q.Method + " " + string(q.Params); got != v.asks {
				t.Errorf("asks %s, want %s", got, v.asks)
			}
			return v.result, ""
		})
		got, err := v.call(c)
		if text := fmt.Sprintf("%+v", got); err != nil || text != v.want {
			t.Errorf("%s: %s, %v, want %s", v.asks, text, err, v.want)
		}
	}
}

func TestABalanceForEveryAddress(t *testing.T) {
	if _, err := replying(t, `{"balances":[]}`).MultipleECBalances(ctx, []string{"a"}); wire.CodeOf(err) != wire.ErrUnavailable {
		t.Error(err)
	}
}

func TestTransactionsHashToWhatWasAskedFor(t *testing.T) {
	x, _, err := factom.ParseTransaction(unhex(factoidTransaction))
	if err != nil {
		t.Fatal(err)
	}
	c := replying(t, raw(factoidTransaction))
	if got, err := c.RawTransaction(ctx, x.TXID()); err != nil || got.FullHash() != x.FullHash() {
		t.Error(err)
	}
	if _, err := c.RawTransaction(ctx, x.FullHash()); wire.CodeOf(err) != wire.ErrProof {
		t.Error(err)
	}
}

// FuzzAnswer: whatever a node answers, a call gives a result that hashes to what
// was asked for, or an error with a code.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":` + raw(directoryBlock1) + `}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32008,"message":"Block not found"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := factomd.New("node", factomd.Options{Transport: saying(body)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.RawDirectoryBlock(ctx, hashOf(dblockKey))
		switch {
		case err == nil && hex.EncodeToString(b.Bytes()) != directoryBlock1:
			t.Fatalf("%x", b.Bytes())
		case err != nil && wire.CodeOf(err) == wire.ErrInternal:
			t.Fatalf("%v carries no code", err)
		}
	})
}

// saying answers every request with the same body.
type saying []byte

func (s saying) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(s)))}, nil
}

func BenchmarkRaw(b *testing.B) {
	c := replying(b, raw(directoryBlock1))
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := c.RawDirectoryBlock(ctx, hashOf(dblockKey)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
