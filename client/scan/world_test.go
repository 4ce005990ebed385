package scan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cloister/wire"
	"cloister/wire/bitcoin"
	"cloister/wire/factom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	periodMs = 600_000
	start    = 1_790_000_400_000 // opening of the genesis period, a whole period
	rate     = 1000
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keyOf(name string) wire.PrivateKey { return wire.NewPrivateKey(wire.TH("test/key", []byte(name))) }

// signer is a server of the world.
type signer struct {
	id   wire.Hash
	key  wire.PrivateKey
	coin Spender
}

func newSigner(name string) signer {
	h := wire.TH("test/coin", []byte(name))
	return signer{id: wire.TH("test/server", []byte(name)), key: keyOf(name), coin: Spender{Hash160: [20]byte(h[:20])}}
}

// sign is a server's signature of a header.
func (s signer) sign(header []byte) factom.AdminMessage {
	return &factom.BlockSignature{Identity: s.id, Key: s.key.Public(), Signature: s.key.SignMessage(header)}
}

// join is what an admin block says of a new server.
func (s signer) join(height uint32) []factom.AdminMessage {
	return []factom.AdminMessage{
		&factom.ServerChange{Kind: factom.AdminAddFederated, Identity: s.id, Height: height},
		&factom.SigningKey{Identity: s.id, Key: s.key.Public(), Height: height},
		&factom.BitcoinKey{Identity: s.id, Hash160: s.coin.Hash160},
	}
}

func (s signer) leave(height uint32) factom.AdminMessage {
	return &factom.ServerChange{Kind: factom.AdminRemoveServer, Identity: s.id, Height: height}
}

type object struct {
	kind Kind
	key  wire.Hash
}

// world is an honest network, block by block, unless a plan says otherwise.
type world struct {
	servers []signer // who signs the next block's predecessor
	objects map[object][]byte
	heights map[object]uint32 // of the first directory block that leads to it
	keys    []wire.Hash       // directory KeyMRs by height
	header  []byte            // of the newest directory block
	tail    tail
	chains  map[wire.Hash]link
	clock   uint64 // ms that commits and transactions take, one each
}

// plan is what happens in a period.
type plan struct {
	admin        []factom.AdminMessage // besides signatures
	signers      []signer              // of the block before; nil: all servers
	late         []factom.AdminMessage
	coinbase     []factom.TransAddress
	transactions []*factom.Transaction
	increases    []*factom.BalanceIncrease // nil: those of the transactions
	silent       bool                      // no increases are written
	commits      []*factom.Commit
	entries      []entryPlan
	rate         uint64
	skipPeriods  uint64

	// Hooks of attackers, before hashes are computed over what they change.
	directory func(*factom.DirectoryBlockHeader, []factom.Pair) []factom.Pair
	adminHead func(*factom.AdminBlockHeader)
	credit    func(*factom.ECBlockHeader)
	factoid   func(*factom.FactoidBlockHeader, *factom.Transaction)
	block     func(*factom.EntryBlockHeader)
}

type entryPlan struct {
	chain wire.Hash
	bytes []byte
}

// newWorld is a network with its genesis block: three servers, payers with credits
// and factoids.
func newWorld() *world {
	w := &world{objects: map[object][]byte{}, heights: map[object]uint32{}, chains: map[wire.Hash]link{}}
	p := plan{signers: []signer{}}
	for _, name := range []string{"a", "b", "c"} {
		s := newSigner(name)
		w.servers = append(w.servers, s)
		p.admin = append(p.admin, s.join(0)...)
	}
	p.coinbase = []factom.TransAddress{{Amount: 20_000_00000000, Address: wire.Hash(wire.AccountOf(keyOf("rich").Public()))}}
	base := &factom.Transaction{TimestampMs: start, Outputs: p.coinbase}
	p.increases = []*factom.BalanceIncrease{{Key: keyOf("payer").Public(), TXID: base.TXID(), Credits: 1_000_000}}
	w.close(p)
	return w
}

func (w *world) network() *Network {
	return &Network{KeyMR: w.keys[0], PeriodMs: periodMs, Coinbase: &Coinbase{Every: 2, Delay: 3}, ClosedMoney: true}
}

func (w *world) clone() *world {
	c := *w
	c.servers, c.keys = slices.Clone(w.servers), slices.Clone(w.keys)
	c.objects, c.heights, c.chains = maps.Clone(w.objects), maps.Clone(w.heights), maps.Clone(w.chains)
	return &c
}

func (w *world) height() uint32 { return uint32(len(w.keys)) }

// opened is when the period in hand begins.
func (w *world) opened() uint64 {
	if len(w.keys) == 0 {
		return start
	}
	return w.tail.OpenedMs + periodMs
}

// time is a new time within the period in hand.
func (w *world) time() uint64 { w.clock++; return w.opened() + w.clock%periodMs }

func (w *world) put(kind Kind, key wire.Hash, b []byte) {
	o := object{kind, key}
	if _, ok := w.heights[o]; !ok {
		w.heights[o] = w.height()
	}
	w.objects[o] = b
}

// close closes the period in hand.
func (w *world) close(p plan) {
	h, opened := w.height(), w.opened()+p.skipPeriods*periodMs
	a := w.adminBlock(h, p)
	f := w.factoidBlock(h, opened, p)
	ec := w.creditBlock(h, p)
	pairs := []factom.Pair{
		{ChainID: factom.AdminChain, Key: a.LookupHash()}, {ChainID: factom.EntryCreditChain, Key: ec.HeaderHash()}, {ChainID: factom.FactoidChain, Key: f.KeyMR()},
	}
	pairs = append(pairs, w.entryBlocks(h, p)...)
	header := factom.DirectoryBlockHeader{
		NetworkID: factom.LocalNetwork, PrevFullHash: w.tail.DirectoryFull, Minutes: uint32(opened / 60_000), Height: h,
	}
	if h > 0 {
		header.PrevKeyMR = w.keys[h-1]
	}
	if p.directory != nil {
		pairs = p.directory(&header, pairs)
	}
	d := must(factom.NewDirectoryBlock(header, pairs))
	w.put(Directory, d.KeyMR(), d.Bytes())
	w.keys, w.header = append(w.keys, d.KeyMR()), d.Header.Bytes()
	w.tail = tail{
		DirectoryFull: d.FullHash(), AdminRef: a.BackRefHash(), Credit: ec.HeaderHash(), CreditFull: ec.FullHash(),
		Factoid: f.KeyMR(), FactoidLedger: f.LedgerKeyMR(), OpenedMs: opened,
	}
}

func (w *world) adminBlock(h uint32, p plan) *factom.AdminBlock {
	var messages []factom.AdminMessage
	signers := p.signers
	if signers == nil {
		signers = w.servers
	}
	for _, s := range signers {
		messages = append(messages, s.sign(w.header))
	}
	header := factom.AdminBlockHeader{PrevBackRefHash: w.tail.AdminRef, Height: h}
	if p.adminHead != nil {
		p.adminHead(&header)
	}
	a := must(factom.NewAdminBlock(header, slices.Concat(messages, p.late, p.admin)))
	w.put(Admin, a.LookupHash(), a.Bytes())
	return a
}

func (w *world) factoidBlock(h uint32, opened uint64, p plan) *factom.FactoidBlock {
	base := &factom.Transaction{TimestampMs: opened, Outputs: p.coinbase}
	header := factom.FactoidBlockHeader{PrevKeyMR: w.tail.Factoid, PrevLedgerKeyMR: w.tail.FactoidLedger, Rate: max(p.rate, 1), Height: h}
	if p.rate == 0 {
		header.Rate = rate
	}
	if p.factoid != nil {
		p.factoid(&header, base)
	}
	list := []factom.TransactionAt{{Minute: 1, Transaction: base}}
	for _, t := range p.transactions {
		list = append(list, factom.TransactionAt{Minute: 2, Transaction: t})
	}
	f := must(factom.NewFactoidBlock(header, list))
	w.put(Factoids, f.KeyMR(), f.Bytes())
	return f
}

func (w *world) creditBlock(h uint32, p plan) *factom.ECBlock {
	increases := p.increases
	if increases == nil && !p.silent {
		for _, t := range p.transactions {
			for i, o := range t.ECOutputs {
				increases = append(increases, &factom.BalanceIncrease{Key: wire.PublicKey(o.Address), TXID: t.TXID(), Index: uint64(i), Credits: o.Amount / rate})
			}
		}
	}
	var objects []factom.ECObjectAt
	for _, x := range increases {
		objects = append(objects, factom.ECObjectAt{Minute: 2, Object: factom.IncreaseObject(x)})
	}
	for _, c := range p.commits {
		objects = append(objects, factom.ECObjectAt{Minute: 3, Object: factom.CommitObject(c)})
	}
	header := factom.ECBlockHeader{PrevHeaderHash: w.tail.Credit, PrevFullHash: w.tail.CreditFull, Height: h}
	if p.credit != nil {
		p.credit(&header)
	}
	ec := must(factom.NewECBlock(header, objects))
	w.put(EntryCredits, ec.HeaderHash(), ec.Bytes())
	return ec
}

func (w *world) entryBlocks(h uint32, p plan) (pairs []factom.Pair) {
	byChain := map[wire.Hash][]factom.EntryAt{}
	for _, e := range p.entries {
		hash := factom.EntryHash(e.bytes)
		w.put(Entry, hash, e.bytes)
		byChain[e.chain] = append(byChain[e.chain], factom.EntryAt{Minute: 4, Hash: hash})
	}
	for _, chain := range slices.SortedFunc(maps.Keys(byChain), func(a, b wire.Hash) int { return slices.Compare(a[:], b[:]) }) {
		header := factom.EntryBlockHeader{ChainID: chain, Height: h}
		if last, ok := w.chains[chain]; ok {
			header.PrevKeyMR, header.PrevFullHash, header.Sequence = last.KeyMR, last.FullHash, last.Sequence+1
		}
		if p.block != nil {
			p.block(&header)
		}
		b := must(factom.NewEntryBlock(header, byChain[chain]))
		w.put(EntryBlock, b.KeyMR(), b.Bytes())
		w.chains[chain] = link{KeyMR: b.KeyMR(), FullHash: b.FullHash(), Sequence: header.Sequence}
		pairs = append(pairs, factom.Pair{ChainID: chain, Key: b.KeyMR()})
	}
	return pairs
}

func chainName(name string) [][]byte { return [][]byte{[]byte("scan"), []byte(name)} }

// first is the first entry of a chain, with what pays for it.
func (w *world) first(name string) (entryPlan, *factom.Commit) {
	e := factom.Entry{ChainID: factom.ChainID(chainName(name)), ExtIDs: chainName(name), Content: []byte("first of " + name)}
	b := must(e.Marshal())
	return entryPlan{e.ChainID, b}, must(factom.NewChainCommit(b, w.time(), keyOf("payer")))
}

// entry is a further entry of a chain, with what pays for it.
func (w *world) entry(name, content string) (entryPlan, *factom.Commit) {
	e := factom.Entry{ChainID: factom.ChainID(chainName(name)), ExtIDs: [][]byte{[]byte("x")}, Content: []byte(content)}
	b := must(e.Marshal())
	return entryPlan{e.ChainID, b}, must(factom.NewEntryCommit(b, w.time(), keyOf("payer")))
}

// run closes periods with something of everything in them.
func (w *world) run(n int) *world {
	for range n {
		w.close(w.usual())
	}
	return w
}

// usual is a period of an honest network.
func (w *world) usual() plan {
	h := w.height()
	name := fmt.Sprintf("chain %d", h)
	first, pays := w.first(name)
	p := plan{entries: []entryPlan{first}, commits: []*factom.Commit{pays}}
	for i := range 2 {
		e, c := w.entry(name, fmt.Sprintf("%s, entry %d", name, i))
		p.entries, p.commits = append(p.entries, e), append(p.commits, c)
	}
	if h > 1 { // a chain that goes on
		e, c := w.entry("chain 1", fmt.Sprintf("of period %d", h))
		p.entries, p.commits = append(p.entries, e), append(p.commits, c)
	}
	p.transactions = []*factom.Transaction{w.transfer("rich", "poor", 5_000_000, 3_000_000)}
	// Every second block promises, three blocks later it is paid.
	if h%2 == 0 {
		p.admin = append(p.admin, &factom.CoinbaseDescriptor{Outputs: promised2(h)})
	}
	if h >= 5 && (h-3)%2 == 0 {
		p.coinbase = promised2(h - 3)
	}
	return p
}

func promised2(h uint32) []factom.TransAddress {
	return []factom.TransAddress{{Amount: uint64(h) + 1, Address: wire.Hash{1}}, {Amount: uint64(h) + 2, Address: wire.Hash{2}}}
}

// transfer moves factoids and buys credits for the receiver.
func (w *world) transfer(from, to string, factoshis, credits uint64) *factom.Transaction {
	t := &factom.Transaction{TimestampMs: w.time()}
	t.AddInput(0, wire.AccountOf(keyOf(from).Public()))
	t.AddOutput(factoshis, wire.AccountOf(keyOf(to).Public()))
	t.AddCredits(credits, keyOf(to).Public())
	t.Inputs[0].Amount = factoshis + credits
	t.Inputs[0].Amount += t.Fee(rate) + 100 // its size may grow by what it pays
	if err := t.Sign(keyOf(from)); err != nil {
		panic(err)
	}
	return t
}

// peer serves a world from memory.
type peer struct {
	name  string
	world *world
	head  wire.Hash // zero: the world's
	// change, if set, changes what is answered.
	change func(kind Kind, key wire.Hash, b []byte) ([]byte, error)
}

func (p *peer) Name() string { return p.name }

func (p *peer) Head(context.Context) (wire.Hash, error) {
	if !p.head.IsZero() {
		return p.head, nil
	}
	return p.world.keys[len(p.world.keys)-1], nil
}

func (p *peer) DirectoryAt(ctx context.Context, height uint32) ([]byte, error) {
	if height >= p.world.height() {
		return nil, wire.Faultf(wire.ErrNotFound, "height %d", height)
	}
	return p.Object(ctx, Directory, p.world.keys[height])
}

func (p *peer) Object(_ context.Context, kind Kind, key wire.Hash) ([]byte, error) {
	b, ok := p.world.objects[object{kind, key}]
	if !ok {
		return nil, wire.Faultf(wire.ErrNotFound, "%s %s", kind, key)
	}
	if p.change != nil {
		return p.change(kind, key, b)
	}
	return b, nil
}

func of(w *world) *peer { return &peer{name: "peer", world: w} }

// coin is a Bitcoin from memory.
type coin struct {
	list []Anchor
	tip  uint32
	read uint32 // from which height it was read last
	err  error
}

func (c *coin) Anchors(_ context.Context, from uint32, found func(Anchor) error) (uint32, error) {
	c.read = from
	for _, a := range c.list {
		if a.BlockHeight < from {
			continue
		}
		a.Depth = c.tip - a.BlockHeight + 1
		if err := found(a); err != nil {
			return 0, err
		}
	}
	return c.tip, c.err
}

// anchor puts a block into Bitcoin at a height of it.
func (c *coin) anchor(at uint32, by Spender, height uint32, key wire.Hash) {
	script := factom.AnchorScript(height, key)
	n := wire.U64(uint64(len(c.list)))
	c.list = append(c.list, Anchor{
		TXID: bitcoin.Sum(n), BlockHash: bitcoin.Sum(wire.U32(at)), BlockHeight: at, SpentFrom: by, Script: script[:],
	})
	c.tip = max(c.tip, at)
}

// anchoring anchors all of a world's blocks, deep.
func anchoring(w *world) *coin {
	c := &coin{}
	for h, key := range w.keys {
		c.anchor(100+uint32(h), w.servers[h%len(w.servers)].coin, uint32(h), key)
	}
	c.tip += 10
	return c
}

// scanned runs a scan that must give a result.
func scanned(t *testing.T, n *Network, peers []Peer, b Bitcoin, o Options, s *State) (*Result, *State) {
	t.Helper()
	r, state, err := Run(context.Background(), n, peers, b, o, s)
	if err != nil {
		t.Fatal(err)
	}
	return r, state
}

// graded holds a result's grades against what they should be.
func graded(t *testing.T, r *Result, headers, signed, valid, anchored int64) {
	t.Helper()
	if want := (Grades{headers, signed, valid, anchored}); r.Grades != want {
		t.Errorf("grades %+v, want %+v: %s", r.Grades, want, wire.EncodeJSON(r))
	}
}

// faulty holds the only candidate's fault.
func faulty(t *testing.T, r *Result, code FindingCode, height uint32) {
	t.Helper()
	faultOf(t, r, 0, code, height)
}

func faultOf(t *testing.T, r *Result, candidate int, code FindingCode, height uint32) {
	t.Helper()
	f := r.Candidates[candidate].Fault
	if f == nil || f.Code != code || f.Height != height || f.Text == "" {
		t.Errorf("candidate %d: fault %+v, want %s at %d", candidate, f, code, height)
	}
}

func found(list []Finding, code FindingCode) *Finding {
	for i := range list {
		if list[i].Code == code {
			return &list[i]
		}
	}
	return nil
}

// clean: no fault and no notes but those named.
func clean(t *testing.T, r *Result, notes ...FindingCode) {
	t.Helper()
	for _, c := range r.Candidates {
		if c.Fault != nil {
			t.Errorf("fault %v", c.Fault)
		}
		for _, n := range c.Notes {
			if !slices.Contains(notes, n.Code) {
				t.Errorf("note %+v", n)
			}
		}
	}
	if len(r.Findings) > 0 {
		t.Errorf("findings %+v", r.Findings)
	}
}

func containsText(list []Conduct, text string) bool {
	return slices.ContainsFunc(list, func(c Conduct) bool { return strings.Contains(c.Last, text) })
}
