package factom

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// block has the world show what the core admitted, as one block of the period in
// progress, and tells the server.
func (r *rig) block() {
	r.t.Helper()
	p := Place{Height: r.w.now.Height, Minute: r.w.now.Minute, OrderedMs: r.w.now.BlockTimeMs, OpenedMs: r.w.now.OpenedMs}
	for _, payload := range r.w.submitted {
		m := must(record.Decode(payload))
		if m.Commit != nil {
			r.w.addCommit(m.Paid, false, p)
			continue
		}
		r.w.addEntry(m.Bytes, p)
		if _, known := r.w.heads[m.Entry.ChainID]; !known {
			r.w.heads[m.Entry.ChainID] = wire.Hash{}
		}
		r.w.growing[m.Entry.ChainID] = true
	}
	r.w.submitted = nil
	r.Ordered(r.l.seal(r.w.now.BlockTimeMs))
	r.retryDue(context.Background())
}

// call calls a method as clients do and decodes its result into v.
func (r *rig) call(method string, params map[string]any, v any) (code int, message string) {
	r.t.Helper()
	_, answer := ask(r.Server, here, string(must(json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 0, "method": method, "params": params}))))
	var a struct {
		Result json.RawMessage
		Error  struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		r.t.Fatal(err)
	}
	if a.Error.Code == 0 {
		if err := json.Unmarshal(a.Result, v); err != nil {
			r.t.Fatalf("%s: %v", answer, err)
		}
	}
	return a.Error.Code, a.Error.Message
}

type ackResult struct {
	CommitTXID string `json:"committxid"`
	EntryHash  string `json:"entryhash"`
	CommitData struct{ Status string }
	EntryData  struct{ Status string }
}

// What factom-cli addchain does, as recorded in the specification's §16.
func TestAddingAChainTheWayTheCommandLineDoes(t *testing.T) {
	r := newRig(t)
	r.l.credits[wire.AccountOf(payer.Public())] = 11
	entry := newEntry(t, wire.Hash{}, "story", "Once upon a time")
	chain, hash := must(factom.ParseEntry(entry)).ChainID.String(), factom.EntryHash(entry).String()
	commit := fmt.Sprintf("%x", must(factom.NewChainCommit(entry, 5, payer)).Bytes())
	var head struct {
		ChainHead          string
		ChainInProcessList bool
	}
	var done struct{ Message, TXID, EntryHash, ChainID string }
	var ack ackResult

	if code, _ := r.call("chain-head", map[string]any{"chainid": chain}, &head); code != -32009 {
		t.Fatalf("a chain that is not there: %d", code)
	}
	if code, _ := r.call("commit-chain", map[string]any{"message": commit}, &done); code != 0 || done.Message != "Chain Commit Success" || done.EntryHash != hash {
		t.Fatalf("commit: %d %+v", code, done)
	}
	for _, want := range []string{"NotConfirmed", "TransactionACK"} {
		if r.call("ack", map[string]any{"hash": done.TXID, "chainid": "c"}, &ack); ack.CommitData.Status != want || ack.EntryData.Status != "Unknown" {
			t.Fatalf("commit: %+v, want %s", ack, want)
		}
		r.block()
	}
	if code, message := r.call("commit-chain", map[string]any{"message": commit}, &done); code != -32011 || !strings.HasPrefix(message, "Repeated Commit") {
		t.Fatalf("the same commit again: %d %s", code, message)
	}
	if code, _ := r.call("reveal-chain", map[string]any{"entry": fmt.Sprintf("%x", entry)}, &done); code != 0 || done.Message != "Entry Reveal Success" || done.ChainID != chain {
		t.Fatalf("reveal: %d %+v", code, done)
	}
	for _, want := range []string{"NotConfirmed", "TransactionACK"} {
		if r.call("ack", map[string]any{"hash": hash, "chainid": strings.Repeat("0", 64)}, &ack); ack.EntryData.Status != want || ack.CommitData.Status != "TransactionACK" {
			t.Fatalf("reveal: %+v, want %s", ack, want)
		}
		r.block()
	}
	if code, _ := r.call("chain-head", map[string]any{"chainid": chain}, &head); code != 0 || head.ChainHead != "" || !head.ChainInProcessList {
		t.Fatalf("the new chain: %d %+v", code, head)
	}
}

// What factom-cli get allentries does.
func TestReadingAChainTheWayTheCommandLineDoes(t *testing.T) {
	r := newRig(t)
	var head struct{ ChainHead string }
	r.call("chain-head", map[string]any{"chainid": "ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d"}, &head)
	var contents []string
	for key := head.ChainHead; key != strings.Repeat("0", 64); {
		var block struct {
			Header    struct{ PrevKeyMR string }
			EntryList []struct{ EntryHash string }
		}
		if code, message := r.call("entry-block", map[string]any{"keymr": key}, &block); code != 0 {
			t.Fatalf("%s: %d %s", key, code, message)
		}
		for _, e := range block.EntryList {
			var entry struct{ Content wire.Hex }
			r.call("entry", map[string]any{"hash": e.EntryHash}, &entry)
			contents = append(contents, string(entry.Content))
		}
		key = block.Header.PrevKeyMR
	}
	if len(contents) != 1 || contents[0] != "Hello Cloister" {
		t.Errorf("%q", contents)
	}
}

// A client that does not wait for its commit, and pays only afterwards.
func TestAnImpatientClientGetsThereToo(t *testing.T) {
	r := newRig(t)
	entry := newEntry(t, wire.Hash{}, "story", "In a hurry")
	hash := factom.EntryHash(entry).String()
	var done struct{ Message string }
	var ack ackResult
	r.call("reveal-chain", map[string]any{"entry": fmt.Sprintf("%x", entry)}, &done)
	r.call("commit-chain", map[string]any{"message": fmt.Sprintf("%x", must(factom.NewChainCommit(entry, 5, payer)).Bytes())}, &done)
	r.block()
	if r.call("ack", map[string]any{"hash": hash, "chainid": strings.Repeat("0", 64)}, &ack); ack.EntryData.Status != "NotConfirmed" || ack.CommitData.Status != "NotConfirmed" {
		t.Fatalf("without credits: %+v", ack)
	}
	r.l.credit(wire.AccountOf(payer.Public()), 11)
	for range 4 {
		r.block()
	}
	if r.call("ack", map[string]any{"hash": hash, "chainid": strings.Repeat("0", 64)}, &ack); ack.EntryData.Status != "TransactionACK" || ack.CommitData.Status != "TransactionACK" {
		t.Errorf("with credits: %+v", ack)
	}
	r.checkEmpty()
}
