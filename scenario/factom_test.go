package scenario

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/client/factomd"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/token"
)

var update = flag.Bool("update", false, "rewrite the recorded session")

// sandbox is the key that development networks fund, known to everybody.
const sandbox = "Fs3E9gV6DXsYzf7Fqx1fVBQPQXV695eP3k5XbmHEZVRLkMdD9qCK"

// session is a Factom client at work: each call goes to the next validator, as
// that of a client behind a load balancer would. What it asked and the shape of
// every answer is recorded.
type session struct {
	*testing.T
	nodes []*factomd.Client
	next  int
	seen  []exchange
}

// exchange is one method as recorded: the names of its parameters, and the answer
// with every value replaced by its kind.
type exchange struct {
	Method string          `json:"method"`
	Params []string        `json:"params"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

func (s *session) node() *factomd.Client {
	s.next++
	return s.nodes[s.next%len(s.nodes)]
}

// call runs a method and records the exchange the first time.
func (s *session) call(method string, params map[string]any) (json.RawMessage, error) {
	s.Helper()
	var result json.RawMessage
	err := s.node().Call(s.Context(), method, params, &result)
	x := exchange{Method: method, Params: []string{}}
	for name := range params {
		x.Params = append(x.Params, name)
	}
	slices.Sort(x.Params)
	if err != nil {
		x.Error = err.Error()
	} else {
		x.Result = shape(s.T, result)
	}
	if !slices.ContainsFunc(s.seen, func(o exchange) bool {
		return o.Method == x.Method && slices.Equal(o.Params, x.Params) && (o.Error == "") == (x.Error == "")
	}) {
		s.seen = append(s.seen, x)
	}
	return result, err
}

// must is call for what has to succeed; out, if not nil, gets the answer.
func (s *session) must(out any, method string, params map[string]any) {
	s.Helper()
	result, err := s.call(method, params)
	if err == nil && out != nil {
		err = json.Unmarshal(result, out)
	}
	if err != nil {
		s.Fatalf("%s %v: %v", method, params, err)
	}
}

// until asks until the answer is as wanted, without recording the way there.
func (s *session) until(what string, done func(ctx context.Context) error) {
	s.Helper()
	eventually(s.T, what, done)
}

// shape is JSON with kinds for values; of a list, the kinds that occur.
func shape(t *testing.T, b json.RawMessage) json.RawMessage {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(kind(v))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func kind(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = kind(x)
		}
		return out
	case []any:
		var kinds []string
		for _, x := range v {
			b, _ := json.Marshal(kind(x)) // made of maps, lists and strings
			if !slices.Contains(kinds, string(b)) {
				kinds = append(kinds, string(b))
			}
		}
		slices.Sort(kinds)
		out := make([]any, len(kinds))
		for i, k := range kinds {
			out[i] = json.RawMessage(k)
		}
		return out
	case string:
		return "text"
	case float64:
		return "number"
	case bool:
		return "truth"
	}
	return nil
}

// TestAFactomClientsSession does what a Factom client does, in its order: new
// addresses, money, credits, a chain, entries, everything read back by every
// method, receipts; against three validators, and holds the shapes of all answers
// against the recorded ones.
func TestAFactomClientsSession(t *testing.T) {
	n := devNetwork(t, t.TempDir(), 3, "--hardware", "none", "--period", "3s")
	s := &session{T: t}
	for i := range n.Validators {
		s.nodes = append(s.nodes, n.factomd(i))
	}
	seed, _, err := wire.ParseSecret(sandbox)
	if err != nil {
		t.Fatal(err)
	}
	rich := wire.NewPrivateKey(seed)
	purse, credits := wire.NewPrivateKey([32]byte{1}), wire.NewPrivateKey([32]byte{2}) // a new FA and a new EC address
	fa, ec := wire.FactoidAddress(wire.AccountOf(purse.Public())), wire.CreditAddress(credits.Public())
	at := uint64(time.Now().UnixMilli())
	stamp := func() uint64 { at++; return at }

	// Later blocks have all that blocks have, the servers' signatures among them.
	s.until("the first directory blocks", func(ctx context.Context) error {
		h, err := s.nodes[0].Heights(ctx)
		if err == nil && h.DirectoryBlock < 1 {
			err = fmt.Errorf("directory block %d", h.DirectoryBlock)
		}
		return err
	})

	// About the node.
	s.must(nil, "properties", nil)
	s.must(nil, "heights", nil)
	s.must(nil, "current-minute", nil)
	s.must(nil, "tps-rate", nil)
	s.must(nil, "diagnostics", nil)
	s.must(nil, "authorities", nil)
	var rate struct {
		Rate uint64 `json:"rate"`
	}
	s.must(&rate, "entry-credit-rate", nil)

	// Money and credits.
	s.must(nil, "factoid-balance", map[string]any{"address": fa})
	pay := func(outputs []token.Output, purchases []token.Purchase) wire.Hash {
		tx, err := token.Pay(rich, stamp(), rate.Rate, outputs, purchases)
		if err != nil {
			t.Fatal(err)
		}
		s.must(nil, "factoid-submit", map[string]any{"transaction": wire.Hex(tx.Bytes())})
		return tx.TXID()
	}
	paid := pay([]token.Output{{To: wire.AccountOf(purse.Public()), Amount: 7_000_000}}, nil)
	bought := pay(nil, []token.Purchase{{For: credits.Public(), Amount: 100 * rate.Rate}})
	for _, node := range s.nodes {
		s.until("payment and purchase", func(ctx context.Context) error {
			f, err := node.FactoidBalance(ctx, fa)
			if err != nil {
				return err
			}
			c, err := node.EntryCreditBalance(ctx, ec)
			if err == nil && (f != 7_000_000 || c != 100) {
				err = fmt.Errorf("%d factoshis, %d credits", f, c)
			}
			return err
		})
	}
	s.must(nil, "entry-credit-balance", map[string]any{"address": ec})
	s.must(nil, "ack", map[string]any{"hash": paid, "chainid": "f"})
	s.must(nil, "factoid-ack", map[string]any{"txid": bought})
	s.must(nil, "multiple-ec-balances", map[string]any{"addresses": []string{ec, "nonsense"}})
	s.must(nil, "multiple-fct-balances", map[string]any{"addresses": []string{fa}})

	// A chain: the reveal comes first, to another node than the commit, and waits.
	first := factom.Entry{ExtIDs: [][]byte{[]byte("session"), []byte("of a client")}, Content: []byte("first")}
	first.ChainID = factom.ChainID(first.ExtIDs)
	raw := marshal(t, &first)
	if _, err := s.call("chain-head", map[string]any{"chainid": first.ChainID}); wire.CodeOf(err) != wire.ErrUnknownChain || !strings.Contains(err.Error(), "-32009") {
		t.Fatalf("the head of a chain that is not there: %v", err)
	}
	s.must(nil, "reveal-chain", map[string]any{"entry": wire.Hex(raw)})
	s.must(nil, "ack", map[string]any{"hash": factom.EntryHash(raw), "chainid": strings.Repeat("0", 64)})
	chainCommit, err := factom.NewChainCommit(raw, stamp(), credits)
	if err != nil {
		t.Fatal(err)
	}
	s.must(nil, "commit-chain", map[string]any{"message": wire.Hex(chainCommit.Bytes())})
	s.ordered(factom.EntryHash(raw))
	s.must(nil, "ack", map[string]any{"hash": chainCommit.TXID(), "chainid": "c"})
	s.must(nil, "entry-ack", map[string]any{"txid": chainCommit.TXID()})

	// Entries, one of them twice, each paid for.
	var hashes []wire.Hash
	for _, text := range []string{"second", "third", "second"} {
		b := marshal(t, &factom.Entry{ChainID: first.ChainID, ExtIDs: [][]byte{[]byte("n")}, Content: []byte(text)})
		commit, err := factom.NewEntryCommit(b, stamp(), credits)
		if err != nil {
			t.Fatal(err)
		}
		s.must(nil, "commit-entry", map[string]any{"message": wire.Hex(commit.Bytes())})
		s.committed(commit.TXID())
		again, err := factom.NewEntryCommit(b, stamp(), credits)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.call("commit-entry", map[string]any{"message": wire.Hex(again.Bytes())}); wire.CodeOf(err) != wire.ErrRepeatedCommit {
			t.Errorf("a commit for what is paid for: %v", err)
		}
		s.must(nil, "reveal-entry", map[string]any{"entry": wire.Hex(b)})
		hash := factom.EntryHash(b)
		hashes = append(hashes, hash)
		s.until("the commit is used", func(ctx context.Context) error { return s.used(ctx, first.ChainID, len(hashes)+1, n) })
	}
	s.must(nil, "pending-entries", map[string]any{})
	s.must(nil, "pending-transactions", map[string]any{})

	// Read back, when the directory block is closed at every node.
	var height uint32
	for _, node := range s.nodes {
		s.until("a directory block with all entries", func(ctx context.Context) error {
			all, h, err := allEntries(ctx, node, first.ChainID)
			if err == nil && len(all) != 4 {
				err = fmt.Errorf("%d entries", len(all))
			}
			height = h
			return err
		})
	}
	balance, err := s.node().EntryCreditBalance(t.Context(), ec)
	if err != nil || balance != 100-11-3 {
		t.Errorf("%d credits are left, %v", balance, err)
	}
	s.readBack(first.ChainID, hashes, paid, chainCommit.TXID(), height)
	s.compare()
}

// used checks that a chain has so many entries.
func (s *session) used(ctx context.Context, chain wire.Hash, entries int, n *network) error {
	c, err := n.dial(0).Chain(ctx, chain)
	if err == nil && c.Entries != uint64(entries) {
		err = fmt.Errorf("%d entries", c.Entries)
	}
	return err
}

// committed and ordered wait until every node has put something in order.
func (s *session) committed(txid wire.Hash) {
	for _, node := range s.nodes {
		s.until("the commit is ordered", func(ctx context.Context) error {
			f, err := node.AckCommit(ctx, txid)
			if err == nil && !f.Commit.Status.Confirmed() {
				err = fmt.Errorf("status %s", f.Commit.Status)
			}
			return err
		})
	}
}

func (s *session) ordered(entry wire.Hash) {
	for _, node := range s.nodes {
		s.until("the entry is ordered", func(ctx context.Context) error {
			f, err := node.AckEntry(ctx, entry)
			if err == nil && !f.Entry.Status.Confirmed() {
				err = fmt.Errorf("status %s", f.Entry.Status)
			}
			return err
		})
	}
}

// allEntries walks a chain as factom-cli does: from its head back, each entry by
// its hash.
func allEntries(ctx context.Context, node *factomd.Client, chain wire.Hash) (list []*factom.Entry, height uint32, err error) {
	head, err := node.ChainHead(ctx, chain)
	if err != nil {
		return nil, 0, err
	}
	for key := head.KeyMR; !key.IsZero(); {
		block, err := node.RawEntryBlock(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		if key == head.KeyMR {
			height = block.Header.Height
		}
		var here []*factom.Entry
		for _, at := range block.Entries() {
			e, err := node.Entry(ctx, at.Hash)
			if err != nil {
				return nil, 0, err
			}
			here = append(here, e)
		}
		list, key = append(here, list...), block.Header.PrevKeyMR
	}
	return list, height, nil
}

// readBack asks every method that tells of what was done.
func (s *session) readBack(chain wire.Hash, entries []wire.Hash, paid, commit wire.Hash, height uint32) {
	s.Helper()
	var head struct {
		KeyMR wire.Hash `json:"keymr"`
	}
	s.must(&head, "directory-block-head", nil)
	s.must(nil, "directory-block", map[string]any{"keymr": head.KeyMR})
	var d struct {
		Block struct {
			KeyMR   wire.Hash `json:"keymr"`
			Entries []struct {
				Chain wire.Hash `json:"chainid"`
				KeyMR wire.Hash `json:"keymr"`
			} `json:"dbentries"`
		} `json:"dblock"`
	}
	s.must(&d, "dblock-by-height", map[string]any{"height": height})
	s.must(nil, "dblock-by-height", map[string]any{"height": height, "noraw": true})
	s.must(nil, "ablock-by-height", map[string]any{"height": height})
	s.must(nil, "ecblock-by-height", map[string]any{"height": height})
	s.must(nil, "fblock-by-height", map[string]any{"height": height})
	for i, method := range []string{"admin-block", "entrycredit-block", "factoid-block"} {
		s.must(nil, method, map[string]any{"keymr": d.Block.Entries[i].KeyMR})
	}
	s.must(nil, "chain-head", map[string]any{"chainid": chain})
	for _, pair := range d.Block.Entries[3:] {
		if pair.Chain == chain {
			s.must(nil, "entry-block", map[string]any{"keymr": pair.KeyMR})
			s.must(nil, "raw-data", map[string]any{"hash": pair.KeyMR})
		}
	}
	s.must(nil, "entry", map[string]any{"hash": entries[0]})
	s.must(nil, "raw-data", map[string]any{"hash": paid})
	s.must(nil, "transaction", map[string]any{"hash": paid})
	s.must(nil, "transaction", map[string]any{"hash": commit})
	s.must(nil, "transaction", map[string]any{"hash": entries[0]})
	s.must(nil, "anchors", map[string]any{"height": height})
	s.must(nil, "anchors", map[string]any{"hash": entries[0]})
	for _, entry := range entries {
		for _, node := range s.nodes { // each verifies what it gets
			if _, err := node.Receipt(s.Context(), entry, true); err != nil {
				s.Errorf("receipt of %s: %v", entry, err)
			}
		}
	}
	s.must(nil, "receipt", map[string]any{"hash": entries[0], "includerawentry": true})
	for method, params := range map[string]map[string]any{
		"entry": {"hash": wire.Hash{1}}, "entry-block": {"keymr": wire.Hash{1}}, "receipt": {"hash": wire.Hash{1}}, "no-such-method": nil,
	} {
		if _, err := s.call(method, params); err == nil {
			s.Errorf("%s of nothing is answered", method)
		}
	}
}

// compare holds the session against the recorded one, in which each list has the
// kinds of elements that any recording saw.
func (s *session) compare() {
	s.Helper()
	slices.SortFunc(s.seen, func(a, b exchange) int {
		return strings.Compare(a.name(), b.name())
	})
	file := filepath.Join("testdata", "session.json")
	b, err := os.ReadFile(file)
	if err != nil && !*update {
		s.Fatal(err)
	}
	recorded := map[string]exchange{}
	if err == nil {
		var list []exchange
		if err := json.Unmarshal(b, &list); err != nil {
			s.Fatal(err)
		}
		for _, x := range list {
			recorded[x.name()] = x
		}
	}
	if *update {
		for i := range s.seen {
			if old, ok := recorded[s.seen[i].name()]; ok && old.Result != nil {
				s.seen[i].Result = union(s.T, s.seen[i].Result, old.Result)
			}
		}
		if err := os.WriteFile(file, wire.EncodeJSON(s.seen), 0o644); err != nil {
			s.Fatal(err)
		}
		return
	}
	for _, x := range s.seen {
		want, ok := recorded[x.name()]
		delete(recorded, x.name())
		switch {
		case !ok:
			s.Errorf("%s is not in the recorded session", x.name())
		case x.Error != want.Error:
			s.Errorf("%s: %s, recorded %s", x.name(), x.Error, want.Error)
		case x.Result != nil && !fits(parsed(s.T, x.Result), parsed(s.T, want.Result)):
			s.Errorf("%s answers\n%s\nrecorded\n%s", x.name(), x.Result, want.Result)
		}
	}
	for name := range recorded {
		s.Errorf("%s is recorded and was not asked", name)
	}
}

// name tells exchanges apart.
func (x *exchange) name() string {
	name := x.Method + "(" + strings.Join(x.Params, ",") + ")"
	if x.Error != "" {
		name += " refused"
	}
	return name
}

func parsed(t *testing.T, b json.RawMessage) (v any) {
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// fits reports whether a shape is as recorded: the same members of the same kinds,
// and lists of nothing else than what was recorded.
func fits(got, want any) bool {
	switch got := got.(type) {
	case map[string]any:
		want, ok := want.(map[string]any)
		if !ok || len(got) != len(want) {
			return false
		}
		for k, v := range got {
			if w, ok := want[k]; !ok || !fits(v, w) {
				return false
			}
		}
		return true
	case []any:
		want, ok := want.([]any)
		if !ok {
			return false
		}
		for _, v := range got {
			if !slices.ContainsFunc(want, func(w any) bool { return fits(v, w) }) {
				return false
			}
		}
		return true
	}
	return got == want
}

// union is what was seen in either of two recordings of one answer.
func union(t *testing.T, a, b json.RawMessage) json.RawMessage {
	out, err := json.Marshal(joined(parsed(t, a), parsed(t, b)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func joined(a, b any) any {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return a
		}
		out := map[string]any{}
		for k, v := range a {
			out[k] = joined(v, b[k])
		}
		return out
	case []any:
		b, _ := b.([]any)
		out := slices.Clone(a)
		for _, v := range b {
			if !slices.ContainsFunc(out, func(w any) bool { return fits(v, w) }) {
				out = append(out, v)
			}
		}
		return out
	}
	return a
}

func marshal(t *testing.T, e *factom.Entry) []byte {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
