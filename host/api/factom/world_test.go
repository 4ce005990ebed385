package factom

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
)

// vectors are blocks and messages of the specification's §17.2 to §17.4.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list map[string]wire.Hex
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	v := map[string][]byte{}
	for name, b := range list {
		v[name] = b
	}
	return v
}

// world is a Source and a State in memory. Its ledger has the blocks of §17.4 at
// heights 0 and 1, of which only the directory block is there at height 0. In
// the period in progress are the messages of §17.2 and §17.3: a chain with its
// first entry, a commit whose entry is not revealed, and a factoid transaction.
type world struct {
	now          Moment
	directories  []*Directory
	blocks       map[wire.Hash]*Block
	entries      map[wire.Hash]*Entry
	commits      map[wire.Hash]*Commit
	transactions map[wire.Hash]*Transaction
	heads        map[wire.Hash]wire.Hash
	growing      map[wire.Hash]bool
	pending      []wire.Hash // TXIDs and entry hashes of the period in progress
	receipts     map[wire.Hash]*factom.Receipt
	anchors      map[uint32]*factom.AnchorRecord
	err          error // if set, what every read answers

	mu        sync.Mutex
	admit     func(family string, payload []byte) error
	submitted [][]byte
	balances  map[wire.Account]Balance
	servers   []Authority
	self      wire.PublicKey
}

const minuteMs = 60_000

func newWorld(t testing.TB) *world {
	t.Helper()
	v := vectors(t)
	w := &world{
		blocks: map[wire.Hash]*Block{}, entries: map[wire.Hash]*Entry{}, commits: map[wire.Hash]*Commit{},
		transactions: map[wire.Hash]*Transaction{}, heads: map[wire.Hash]wire.Hash{}, growing: map[wire.Hash]bool{},
		receipts: map[wire.Hash]*factom.Receipt{}, anchors: map[uint32]*factom.AnchorRecord{},
		balances: map[wire.Account]Balance{}, admit: func(string, []byte) error { return nil },
	}
	w.close(t, v)
	w.proceed(t, v)
	w.people()
	return w
}

// close fills in the closed periods.
func (w *world) close(t testing.TB, v map[string][]byte) {
	t.Helper()
	d0 := must(factom.ParseDirectoryBlock(v["directory block 0"]))
	d1 := must(factom.ParseDirectoryBlock(v["directory block 1"]))
	eb := must(factom.ParseEntryBlock(v["entry block 1"]))
	opened := uint64(d1.Header.Minutes) * minuteMs
	w.directories = []*Directory{
		{
			Height: 0, OpenedMs: uint64(d0.Header.Minutes) * minuteMs, KeyMR: d0.KeyMR(), Block: v["directory block 0"],
			AdminKey: d0.Body[0].Key, CreditKey: d0.Body[1].Key, FactKey: d0.Body[2].Key,
		},
		{ // the credit block is to be fetched by its key
			Height: 1, OpenedMs: opened, KeyMR: d1.KeyMR(), Block: v["directory block 1"],
			Admin: v["admin block 1"], Factoid: v["factoid block 1"],
			AdminKey: d1.Body[0].Key, CreditKey: d1.Body[1].Key, FactKey: d1.Body[2].Key,
		},
	}
	for _, b := range []*Block{
		{Kind: DirectoryBlock, Key: d0.KeyMR(), Raw: v["directory block 0"], OpenedMs: uint64(d0.Header.Minutes) * minuteMs},
		{Kind: DirectoryBlock, Key: d1.KeyMR(), Raw: v["directory block 1"], Height: 1, OpenedMs: opened},
		{Kind: AdminBlock, Key: d1.Body[0].Key, Raw: v["admin block 1"], Height: 1, OpenedMs: opened},
		{Kind: CreditBlock, Key: d1.Body[1].Key, Raw: v["entry credit block 1"], Height: 1, OpenedMs: opened},
		{Kind: FactoidBlock, Key: d1.Body[2].Key, Raw: v["factoid block 1"], Height: 1, OpenedMs: opened},
		{Kind: EntryBlock, Key: eb.KeyMR(), Raw: v["entry block 1"], Height: 1, OpenedMs: opened},
	} {
		w.blocks[b.Key] = b
	}
	in := func(minute uint8, block wire.Hash) Place {
		return Place{
			Height: 1, Minute: minute, OrderedMs: opened + uint64(minute-1)*minuteMs + 500, OpenedMs: opened,
			Closed: true, Block: block, Directory: d1.KeyMR(),
		}
	}
	w.addEntry(v["entry in the blocks"], in(10, eb.KeyMR()))
	for _, x := range must(factom.ParseECBlock(v["entry credit block 1"])).Body {
		w.addCommit(x.Object.Commit.Bytes(), true, in(x.Minute, d1.Body[1].Key))
	}
	for _, x := range must(factom.ParseFactoidBlock(v["factoid block 1"])).Body {
		w.addTransaction(x.Transaction, in(x.Minute, d1.Body[2].Key))
	}
	for _, p := range d1.Body {
		w.heads[p.ChainID] = p.Key
	}
	w.heads[factom.DirectoryChain] = d1.KeyMR()
	w.receipts[factom.EntryHash(v["entry in the blocks"])] = must(factom.BuildReceipt(v["entry in the blocks"], eb, d1))
	w.anchors[1] = &factom.AnchorRecord{
		AnchorRecordVer: factom.RecordSignedInExtID, DBHeight: 1, KeyMR: d1.KeyMR(), RecordHeight: 2,
		Bitcoin: &factom.BitcoinAnchor{
			Address: "1K2SXgApmo9uZoyahvsbSanpVWbzZWVVMF", BlockHeight: 345678, Offset: 87,
			TXID:      "38464b98ffe44c71f063ff3bedf80db5e8bb6fe3848322a0966e50a60a65cfc5",
			BlockHash: "00000000000000000589540fdaacf4f6ba37513aedc1033e68a649ffde0573ad",
		},
	}
	w.now = Moment{
		Height: 2, Saved: 1, HasSaved: true, Minute: 4, PeriodMs: 10 * minuteMs,
		OpenedMs: opened + 10*minuteMs, MinuteOpenedMs: opened + 13*minuteMs, BlockTimeMs: opened + 13*minuteMs + 2500,
	}
}

// proceed fills in the period in progress.
func (w *world) proceed(t testing.TB, v map[string][]byte) {
	t.Helper()
	here := func(minute uint8) Place {
		return Place{Height: 2, Minute: minute, OrderedMs: w.now.OpenedMs + uint64(minute-1)*minuteMs + 700, OpenedMs: w.now.OpenedMs}
	}
	w.pending = append(w.pending,
		w.addCommit(v["commit to its chain"], true, here(1)),
		w.addEntry(v["first entry"], here(2)),
		w.addCommit(v["commit to it"], false, here(3)))
	t3, _, err := factom.ParseTransaction(v["factoid transaction"])
	if err != nil {
		t.Fatal(err)
	}
	w.pending = append(w.pending, w.addTransaction(t3, here(4)))
	w.heads[must(factom.ParseEntry(v["first entry"])).ChainID] = wire.Hash{}
	w.growing[must(factom.ParseEntry(v["first entry"])).ChainID] = true
	w.growing[factom.EntryCreditChain] = true
}

// people fills in who has what, and who orders.
func (w *world) people() {
	key := func(n byte) wire.PublicKey { return wire.NewPrivateKey([32]byte{n}).Public() }
	w.balances[wire.AccountOf(key(0))] = Balance{Factoshis: 1_234_567_890, Credits: 77, SavedFactoshis: 1_235_579_890, SavedCredits: 90}
	w.self = key(1)
	w.servers = []Authority{
		{
			ID: wire.NodeIDOf(key(1)), SigningKey: key(1), Federated: true, Efficiency: 2500, Payout: wire.AccountOf(key(11)),
			AnchorKeys: []AnchorKey{{Level: 0, Type: 0, Key: [20]byte{1, 2, 3}}},
		},
		{ID: wire.NodeIDOf(key(2)), SigningKey: key(2), Federated: true, Payout: wire.AccountOf(key(12))},
		{ID: wire.NodeIDOf(key(3)), SigningKey: key(3), Payout: wire.AccountOf(key(13))},
	}
}

func (w *world) addEntry(raw []byte, p Place) wire.Hash {
	hash := factom.EntryHash(raw)
	w.entries[hash] = &Entry{Hash: hash, Chain: must(factom.ParseEntry(raw)).ChainID, Raw: raw, Place: p}
	return hash
}

func (w *world) addCommit(raw []byte, used bool, p Place) wire.Hash {
	k := must(factom.ParseCommit(raw))
	w.commits[k.TXID()] = &Commit{Raw: raw, Parsed: k, Used: used, Place: p}
	return k.TXID()
}

func (w *world) addTransaction(x *factom.Transaction, p Place) wire.Hash {
	w.transactions[x.TXID()] = &Transaction{Raw: x.Bytes(), Parsed: x, Place: p}
	return x.TXID()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func lookUp[T any](w *world, m map[wire.Hash]*T, key wire.Hash) (*T, error) {
	if w.err != nil {
		return nil, w.err
	}
	if v := m[key]; v != nil {
		return v, nil
	}
	return nil, wire.Faultf(wire.ErrNotFound, "no %s", key)
}

func (w *world) Now() Moment { return w.now }
func (w *world) Directory(height uint32) (*Directory, error) {
	if w.err != nil {
		return nil, w.err
	}
	if int(height) < len(w.directories) {
		return w.directories[height], nil
	}
	return nil, wire.Faultf(wire.ErrNotFound, "no directory block %d", height)
}
func (w *world) Block(key wire.Hash) (*Block, error)    { return lookUp(w, w.blocks, key) }
func (w *world) Entry(hash wire.Hash) (*Entry, error)   { return lookUp(w, w.entries, hash) }
func (w *world) Commit(txid wire.Hash) (*Commit, error) { return lookUp(w, w.commits, txid) }
func (w *world) Transaction(txid wire.Hash) (*Transaction, error) {
	return lookUp(w, w.transactions, txid)
}
func (w *world) CommitOf(entry wire.Hash) (*Commit, error) {
	if w.err != nil {
		return nil, w.err
	}
	for _, k := range w.commits {
		if k.Parsed.EntryHash == entry {
			return k, nil
		}
	}
	return nil, wire.Faultf(wire.ErrNotFound, "no commit to %s", entry)
}
func (w *world) ChainHead(chain wire.Hash) (wire.Hash, bool, error) {
	if w.err != nil {
		return wire.Hash{}, false, w.err
	}
	head, ok := w.heads[chain]
	if !ok {
		return head, false, wire.Faultf(wire.ErrUnknownChain, "no chain %s", chain)
	}
	return head, w.growing[chain], nil
}
func (w *world) Pending(limit int) (k []Commit, e []Entry, x []Transaction, err error) {
	for _, id := range w.pending[:min(limit, len(w.pending))] {
		switch {
		case w.commits[id] != nil:
			k = append(k, *w.commits[id])
		case w.entries[id] != nil:
			e = append(e, *w.entries[id])
		default:
			x = append(x, *w.transactions[id])
		}
	}
	return k, e, x, w.err
}
func (w *world) Receipt(entry wire.Hash) (*factom.Receipt, error) {
	if r, err := lookUp(w, w.receipts, entry); err == nil {
		return r, nil
	}
	if _, err := w.Entry(entry); err != nil {
		return nil, err
	}
	return nil, wire.Faultf(wire.ErrNotCovered, "entry %s is in no closed block", entry)
}
func (w *world) Anchor(height uint32) (*factom.AnchorRecord, error) { return w.anchors[height], w.err }

func (w *world) Submit(_ context.Context, family string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.admit(family, payload); err != nil {
		return err
	}
	w.submitted = append(w.submitted, payload)
	return nil
}
func (w *world) Balances(_ context.Context, accounts []wire.Account) (list []Balance, err error) {
	for _, a := range accounts {
		list = append(list, w.balances[a])
	}
	return list, w.err
}
func (w *world) Rate(context.Context) (now, pending uint64, err error) { return 1000, 1200, w.err }
func (w *world) Authorities(context.Context) ([]Authority, error)      { return w.servers, w.err }
func (w *world) Identity() (wire.NodeID, wire.PublicKey)               { return wire.NodeIDOf(w.self), w.self }

// serve makes a server without its goroutine, whose clock stands still and whose
// pauses end at once.
func serve(t testing.TB, w *world) *Server {
	t.Helper()
	at := time.UnixMilli(int64(w.now.BlockTimeMs)).UTC()
	s, err := newServer(Config{
		Source: w, State: w, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Name: "node-1", Version: "cloister test", Clock: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(s.Close)
	return s
}

// ask calls a method from an address and returns the HTTP status and the answer.
func ask(s *Server, remote, body string) (int, string) {
	out, status, release := s.answer(context.Background(), remote, []byte(body), nil)
	if release != nil {
		release()
	}
	return status, string(out)
}
