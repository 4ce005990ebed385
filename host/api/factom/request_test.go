package factom

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func cancelled(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// reference decodes the envelope the way factomd does.
type reference struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// agrees holds the decoder against encoding/json.
func agrees(t testing.TB, body []byte) {
	t.Helper()
	r, ok := parseRequest(body)
	var want reference
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	isObject := len(trimmed) > 0 && trimmed[0] == '{'
	if err := json.Unmarshal(body, &want); err != nil || !isObject || want.JSONRPC != "2.0" {
		if ok {
			t.Fatalf("%q is accepted, encoding/json says %v", body, err)
		}
		return
	}
	if !ok {
		t.Fatalf("%q is refused", body)
	}
	if !utf8.Valid(body) {
		return // the two replace what is no text differently
	}
	if want.ID == nil {
		want.ID = null
	}
	if string(r.method) != want.Method || !bytes.Equal(r.id, want.ID) || !bytes.Equal(r.params.raw, want.Params) {
		t.Fatalf("%q is %q, %q, %q, want %+v", body, r.method, r.id, r.params.raw, want)
	}
	var fields struct {
		Hash   string
		Height json.RawMessage
	}
	err := json.Unmarshal(orNull(want.Params), &fields)
	hash, f := r.params.text("hash")
	if err == nil && (f != nil || string(hash) != fields.Hash) {
		t.Fatalf("%q has hash %q, want %q", body, hash, fields.Hash)
	}
	_, _, _ = r.params.height()
}

func orNull(b json.RawMessage) json.RawMessage {
	if b == nil {
		return null
	}
	return b
}

// wellFormed fails unless status and answer are what JSON-RPC over this
// interface may give.
func wellFormed(t rapid.TB, status int, answer []byte) {
	t.Helper()
	var a struct {
		JSONRPC *string         `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  json.RawMessage `json:"result"`
		Error   *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Data    any    `json:"data"`
		} `json:"error"`
	}
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil || dec.More() {
		t.Fatalf("%q: %v", answer, err)
	}
	switch {
	case a.JSONRPC == nil || *a.JSONRPC != "2.0" || a.ID == nil:
		t.Fatalf("%q is no JSON-RPC", answer)
	case status == 200 && (a.Result == nil || a.Error != nil), status == 400 && (a.Result != nil || a.Error == nil), status != 200 && status != 400:
		t.Fatalf("%d %q", status, answer)
	case a.Error != nil && (a.Error.Code > -32000 || a.Error.Message == ""):
		t.Fatalf("error of %q", answer)
	}
}

func FuzzRequest(f *testing.F) {
	for _, file := range recordings(f) {
		for _, x := range exchanges(f, file) {
			f.Add([]byte(x.body()))
		}
	}
	for _, odd := range []string{
		`{"jsonrpc":"2.0","id":"\ud800","method":"\u0068eights"}`, "{\"jsonrpc\":\"2.0\",\"id\":\"\xff\",\"method\":\"heights\"}",
		`{"jſonrpc":"2.0","id":1,"method":"heights"}`, `{"jsonrpc":"2.0","params":{"HASH":"1","hash":null}}`,
		`{"a":[[[{"b":"]}\\\""}]]],"jsonrpc":"2.0","method":"anchors","params":{"height":1e2}}`,
		strings.Repeat("[", 20_000), `{"":{},"jsonrpc":null,"jsonrpc":"2.0"}`,
	} {
		f.Add([]byte(odd))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		agrees(t, body)
		s := serve(t, w)
		status, answer := ask(s, here, string(body))
		wellFormed(t, status, []byte(answer))
	})
}

func TestWhateverArrivesTheAnswerIsJSONRPC(t *testing.T) {
	w := newWorld(t)
	var names []string
	for name := range methods {
		names = append(names, name)
	}
	values := []any{
		nil, true, 1, -1, 1.5, 1e300, "", "c", "f", "00", strings.Repeat("0", 64), strings.Repeat("z", 64), "\x00\xff", "FA", []any{}, map[string]any{},
		"5c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c", []any{"", nil, 5},
	}
	fields := []string{"hash", "keymr", "height", "chainid", "message", "entry", "transaction", "address", "addresses", "txid", "fulltransaction", "noraw", "includerawentry", "x"}
	s := serve(t, w)
	rapid.Check(t, func(t *rapid.T) {
		var p any
		if rapid.Bool().Draw(t, "fields") {
			m := map[string]any{}
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(fields), 0, 3).Draw(t, "names") {
				m[name] = rapid.SampledFrom(values).Draw(t, name)
			}
			p = m
		} else {
			p = rapid.SampledFrom(values).Draw(t, "params")
		}
		body := must(json.Marshal(map[string]any{
			"jsonrpc": "2.0", "id": rapid.SampledFrom(values).Draw(t, "id"), "params": p,
			"method": rapid.SampledFrom(append(names, "", "no method")).Draw(t, "method"),
		}))
		if rapid.IntRange(0, 9).Draw(t, "broken") == 0 {
			body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		}
		status, answer := ask(s, here, string(body))
		wellFormed(t, status, []byte(answer))
	})
}
