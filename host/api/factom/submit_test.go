package factom

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

const (
	here   = "192.0.2.1:1000"
	accept = `{"jsonrpc":"2.0","id":1,"result":`
)

func send(method, name string, raw []byte) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%q:"%x"}}`, method, name, raw)
}

// sent are the four messages, each by its method, with what the core is to get.
func sent(t testing.TB) map[string]struct {
	call, family string
	payload      []byte
} {
	v := vectors(t)
	return map[string]struct {
		call, family string
		payload      []byte
	}{
		"commit-entry":   {send("commit-entry", "message", v["commit to it"]), record.Name, record.Commit(v["commit to it"])},
		"commit-chain":   {send("commit-chain", "message", v["commit to its chain"]), record.Name, record.Commit(v["commit to its chain"])},
		"reveal-entry":   {send("reveal-entry", "entry", v["entry without external id"]), record.Name, record.Reveal(v["entry without external id"])},
		"factoid-submit": {send("factoid-submit", "transaction", v["factoid transaction"]), token.Name, v["factoid transaction"]},
	}
}

func TestTheCoreGetsMessagesInTheirOriginalBytes(t *testing.T) {
	for method, m := range sent(t) {
		w := newWorld(t)
		var family string
		w.admit = func(f string, _ []byte) error { family = f; return nil }
		if status, answer := ask(serve(t, w), here, m.call); status != 200 {
			t.Errorf("%s: %d %s", method, status, answer)
		}
		if len(w.submitted) != 1 || string(w.submitted[0]) != string(m.payload) || family != m.family {
			t.Errorf("%s: %s got %x, want %s %x", method, family, w.submitted, m.family, m.payload)
		}
	}
}

func TestRefusalsOfTheCoreHaveTheirAnswers(t *testing.T) {
	invalid := func(data string) string { return `{"code":-32602,"message":"Invalid params","data":"` + data + `"}` }
	repeated := func(entry string) string {
		return `{"code":-32011,"message":"Repeated Commit","data":{"info":"A commit with equal or greater payment already exists","entryhash":"` + entry + `"}}`
	}
	const paid, first = "72177d733dcd0492066b79c5f3e417aef7f22909674f7dc351ca13b04742bb91", "be705a58aea4230e99881f625e74cd085b6ef455b94ff144249b9a2f425e8f96"
	for _, x := range []struct {
		method string
		code   wire.Code
		want   string // the error, empty for success
	}{
		{"commit-entry", wire.ErrRepeatedCommit, repeated(paid)},
		{"commit-entry", wire.ErrReplayed, repeated(paid)},
		{"commit-entry", wire.ErrInsufficientCredits, ""}, // held
		{"commit-entry", wire.ErrOutsideWindow, invalid("Invalid Commit Entry")},
		{"commit-entry", wire.ErrBadSignature, invalid("Invalid Commit Entry")},
		{"commit-chain", wire.ErrRepeatedCommit, repeated(first)},
		{"commit-chain", wire.ErrInsufficientCredits, ""},
		{"commit-chain", wire.ErrChainExists, invalid("Invalid Commit Chain")},
		{"commit-chain", wire.ErrOutsideWindow, invalid("Invalid Commit Chain")},
		{"reveal-entry", wire.ErrNoCommit, ""},
		{"reveal-entry", wire.ErrUnknownChain, ""},
		{"reveal-entry", wire.ErrChainHeld, ""},
		{"reveal-entry", wire.ErrReplayed, ""},
		{"reveal-entry", wire.ErrUnderpaid, invalid("Invalid Entry")},
		{"reveal-entry", wire.ErrVoidReveal, invalid("Invalid Entry")},
		{"reveal-entry", wire.ErrWrongChainID, invalid("Invalid Entry")},
		{"factoid-submit", wire.ErrReplayed, ""},
		{"factoid-submit", wire.ErrInsufficientFunds, invalid("Invalid Transaction")},
		{"factoid-submit", wire.ErrFeeTooLow, invalid("Invalid Transaction")},
		{"factoid-submit", wire.ErrOutsideWindow, invalid("Invalid Transaction")},
		{"factoid-submit", wire.ErrBadSignature, invalid("Invalid Transaction")},
		{"factoid-submit", wire.ErrTransactionMalformed, invalid("Invalid Transaction")},
		{"factoid-submit", wire.ErrUnknownFamily, `{"code":-32603,"message":"Internal error"}`},
		{"factoid-submit", wire.ErrInternal, `{"code":-32603,"message":"Internal error"}`},
		{"factoid-submit", wire.ErrStopping, `{"code":-32603,"message":"Internal error","data":"ErrStopping: submit the same transaction to another node"}`},
	} {
		w := newWorld(t)
		w.admit = func(string, []byte) error { return wire.Faultf(x.code, "told by the core") }
		status, answer := ask(serve(t, w), here, sent(t)[x.method].call)
		switch {
		case x.want == "" && (status != 200 || !strings.HasPrefix(answer, accept)):
			t.Errorf("%s, %s: %d %s", x.method, x.code, status, answer)
		case x.want != "" && (status != 400 || answer != `{"jsonrpc":"2.0","id":1,"error":`+x.want+`}`):
			t.Errorf("%s, %s: %d %s, want %s", x.method, x.code, status, answer, x.want)
		}
	}
}

func TestABusyCoreIsAskedAgainAFewTimes(t *testing.T) {
	for _, code := range []wire.Code{wire.ErrBusy, wire.ErrNotReady, wire.ErrUnavailable} {
		for failures := 0; failures <= busyTries; failures++ {
			w := newWorld(t)
			asked := 0
			w.admit = func(string, []byte) error {
				if asked++; asked <= failures {
					return code
				}
				return nil
			}
			s := serve(t, w)
			var pauses []time.Duration
			s.pause = func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil }
			status, answer := ask(s, here, sent(t)["reveal-entry"].call)
			if failures < busyTries {
				if status != 200 || asked != failures+1 || len(pauses) != failures {
					t.Errorf("%s %d times: asked %d times, paused %v: %d %s", code, failures, asked, pauses, status, answer)
				}
				continue
			}
			if status != 400 || asked != busyTries || !strings.Contains(answer, `-32603`) || !strings.Contains(answer, code.Info().Advice) {
				t.Errorf("%s for ever: asked %d times: %d %s", code, asked, status, answer)
			}
			for i := 1; i < len(pauses); i++ {
				if pauses[i] != 2*pauses[i-1] {
					t.Errorf("pauses %v", pauses)
				}
			}
		}
	}
}

func TestAClientThatIsGoneIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.admit = func(string, []byte) error { asked++; return wire.ErrBusy }
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, status, _ := serve(t, w).answer(ctx, here, []byte(sent(t)["reveal-entry"].call), nil); status != 400 || asked != 1 {
		t.Errorf("status %d after %d tries", status, asked)
	}
}

func TestNothingUnsignedReachesTheCore(t *testing.T) {
	v := vectors(t)
	w := newWorld(t)
	s := serve(t, w)
	for method, x := range map[string]struct {
		name string
		raw  []byte
	}{
		"commit-entry":   {"message", v["commit to it"]},
		"commit-chain":   {"message", v["commit to its chain"]},
		"factoid-submit": {"transaction", v["factoid transaction"]},
	} {
		for i := range x.raw { // every byte matters: it is signed, or is key or signature
			b := append([]byte{}, x.raw...)
			b[i] ^= 1
			if status, answer := ask(s, here, send(method, x.name, b)); status != 400 {
				t.Errorf("%s with byte %d changed: %s", method, i, answer)
			}
		}
	}
	if len(w.submitted) > 0 {
		t.Errorf("the core got %d messages", len(w.submitted))
	}
}

func TestRemoteAddressesCountByHost(t *testing.T) {
	for _, x := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:9", true},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", true}, // one subscriber has 2⁶⁴ of them
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"@", "", true},
		{"@", "192.0.2.1:1", false},
	} {
		if (remoteOf(x.a) == remoteOf(x.b)) != x.same {
			t.Errorf("%s is %s, %s is %s", x.a, remoteOf(x.a), x.b, remoteOf(x.b))
		}
	}
}

func TestAMessageOnItsWayIsNotConfirmed(t *testing.T) {
	v := vectors(t)
	empty := func() *world { // which has ordered nothing of all this
		w := newWorld(t)
		w.commits, w.entries, w.transactions = map[wire.Hash]*Commit{}, map[wire.Hash]*Entry{}, map[wire.Hash]*Transaction{}
		w.pending = nil
		return w
	}
	k := must(factom.ParseCommit(v["commit to it"]))
	x, _, err := factom.ParseTransaction(v["factoid transaction"])
	if err != nil {
		t.Fatal(err)
	}
	entry := factom.EntryHash(v["entry without external id"])
	asks := []struct{ hash, chain, where string }{
		{k.TXID().String(), "c", "commitdata"}, {entry.String(), strings.Repeat("0", 64), "entrydata"}, {x.TXID().String(), "f", ""},
	}
	for _, refused := range []bool{false, true} {
		w := empty()
		s := serve(t, w)
		for _, m := range sent(t) {
			if status, answer := ask(s, here, m.call); status != 200 {
				t.Fatal(answer)
			}
		}
		want := `"status":"NotConfirmed"`
		if refused {
			s.Ordered(Ordered{TimeMs: w.now.BlockTimeMs + 1, Refused: []wire.Hash{k.TXID(), entry, x.TXID()}})
			want = `"status":"Invalid"`
		}
		for _, a := range asks {
			_, answer := ask(s, here, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"ack","params":{"hash":%q,"chainid":%q}}`, a.hash, a.chain))
			if _, after, ok := strings.Cut(answer, a.where); !ok || !strings.Contains(after, want) {
				t.Errorf("%s, %s, refused %t: %s", a.hash, a.chain, refused, answer)
			}
		}
		_, answer := ask(s, here, `{"jsonrpc":"2.0","id":1,"method":"pending-entries"}`)
		if strings.Contains(answer, entry.String()) == refused {
			t.Errorf("refused %t: pending entries are %s", refused, answer)
		}
		s.Ordered(Ordered{TimeMs: w.now.BlockTimeMs + 2, TXIDs: []wire.Hash{k.TXID(), x.TXID()}, Entries: []wire.Hash{entry}})
		for _, a := range asks { // now only Source can tell, and this one cannot
			_, answer := ask(s, here, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"ack","params":{"hash":%q,"chainid":%q}}`, a.hash, a.chain))
			if !strings.Contains(answer, `"status":"Unknown"`) || strings.Contains(answer, want) {
				t.Errorf("%s once ordered: %s", a.hash, answer)
			}
		}
	}
}
