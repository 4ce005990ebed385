package record_test

import (
	"encoding/json"
	"slices"
	"testing"

	"cloister/core/families/record"
	"cloister/core/families/record/directory"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	public "cloister/wire/record"
)

// periodMs is the period of the chains of servers' tests.
const periodMs = 10_000

// quick is a chain with short periods and a family that passes orders on.
func quick(t testing.TB) *ledgertest.Chain {
	params, err := json.Marshal(public.Params{PeriodMs: periodMs})
	if err != nil {
		t.Fatal(err)
	}
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: params}, wire.FamilyGenesis{Name: "orders"})
	return ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, record.Family{}, ledgertest.Orders{To: public.Name}})
}

// turn begins the next period, and closes the one before.
func turn(c *ledgertest.Chain) { turnAfter(c, periodMs) }

func turnAfter(c *ledgertest.Chain, ms uint64) {
	c.RunAt(c.Ledger.Tip().Header.TimeMs + ms)
	for c.Ledger.Tip().DueMs == 1 {
		c.RunAt(c.Ledger.Tip().Header.TimeMs + 1)
	}
}

func closed(c *ledgertest.Chain, height uint32) (*public.Directory, *factom.AdminBlock) {
	c.Helper()
	d, ok := ledgertest.Load[public.Directory](c, public.Name, public.DirectoryKey(height))
	if !ok {
		c.Fatalf("period %d is not closed", height)
	}
	block, err := factom.ParseAdminBlock(d.AdminBlock)
	if err != nil {
		c.Fatal(err)
	}
	return &d, block
}

// tail is the header that servers sign.
func tail(c *ledgertest.Chain) (header []byte) {
	c.View(func(v *ledger.View) {
		t, err := directory.LoadTail(v.State(public.Name))
		if err != nil {
			c.Fatal(err)
		}
		header = t.Header
	})
	return header
}

func TestServersSignTheNewestClosedDirectoryBlockOnce(t *testing.T) {
	c := quick(t)
	server := ledgertest.Key(0)
	sign := func(k wire.PrivateKey, height uint32, header []byte) *wire.Tx {
		return c.Tx(k, public.Name, public.SignDirectory(height, header, k))
	}
	none := make([]byte, factom.DirectoryBlockHeaderSize)
	if r := c.One(sign(server, 0, none)); r.Code != wire.ErrNotFound {
		t.Fatalf("nothing is closed: %s", r.Code)
	}
	turn(c)
	turn(c)
	for name, x := range map[string]struct {
		tx      *wire.Tx
		code    wire.Code
		credits uint64
	}{
		"no server":     {sign(alice, 1, tail(c)), wire.ErrNotVoter, 1},
		"an older one":  {sign(server, 0, tail(c)), wire.ErrNotFound, 0},
		"one in future": {sign(server, 2, tail(c)), wire.ErrNotFound, 0},
		"another block": {sign(server, 1, none), wire.ErrBadSignature, 0},
	} {
		if code := c.Admit(x.tx); code != x.code {
			t.Errorf("%s: admission says %s", name, code)
		}
		if r := c.One(x.tx); r.Code != x.code || r.Credits != x.credits {
			t.Errorf("%s: %s for %d credits, want %s for %d", name, r.Code, r.Credits, x.code, x.credits)
		}
	}
	header := tail(c)
	done := c.Run(sign(server, 1, header), sign(server, 1, header))
	if a, b := c.Result(done, 0), c.Result(done, 1); a.Code != wire.OK || a.Credits != 0 || b.Code != wire.ErrReplayed {
		t.Fatalf("%s for %d credits, then %s", a.Code, a.Credits, b.Code)
	}
	if r := c.One(sign(server, 1, header)); r.Code != wire.ErrReplayed {
		t.Fatalf("once more: %s", r.Code)
	}
	turn(c)
	_, block := closed(c, 2)
	said := 0
	for _, m := range block.Body {
		if s, ok := m.(*factom.BlockSignature); ok && s.Identity == wire.NodeIDOf(server.Public()) && server.Public().VerifyMessage(header, s.Signature) {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the next admin block has %d signatures of the server, want one", said)
	}
	// What is remembered about signatures does not grow with the chain.
	for range 5 {
		turn(c)
		h := closedHeight(c)
		c.OK(sign(server, h, tail(c)))
	}
	n := 0
	if err := c.Store.Iter([]byte("arecord\x00g"), []byte("arecord\x00h"), func(_, _ []byte) bool { n++; return true }); err != nil || n > 2 {
		t.Errorf("%d signatures are remembered, %v", n, err)
	}
}

func closedHeight(c *ledgertest.Chain) uint32 {
	p, ok := ledgertest.Load[public.Progress](c, public.Name, public.ProgressKey)
	if !ok || p.Closed == 0 {
		c.Fatal("nothing is closed")
	}
	return p.Closed - 1
}

// The genesis's servers and keys stand in the first admin block; later ones say
// what changed.
func TestAdminBlocksSayWhoServes(t *testing.T) {
	c := quick(t)
	c.Run()
	turn(c)
	turn(c)
	_, first := closed(c, 0)
	id := wire.NodeIDOf(ledgertest.Key(0).Public())
	if len(first.Body) != 2 || factom.AdminTypeOf(first.Body[0]) != factom.AdminAddFederated || *first.Body[1].(*factom.SigningKey) != (factom.SigningKey{Identity: id, Key: ledgertest.Key(0).Public()}) {
		t.Errorf("first admin block %+v", first.Body)
	}
	if _, second := closed(c, 1); len(second.Body) != 0 {
		t.Errorf("second admin block %+v", second.Body)
	}
}

// council is a family whose payloads say how many servers there are; their keys are
// numbered from 0.
type council struct{ ledgertest.Bare }

var _ ledger.Membership = council{}

func (council) Name() string { return "council" }

func (council) Execute(c *ledger.Call) ([]byte, error) {
	return nil, c.State("council").Set([]byte("n"), c.Payload.([]byte))
}

func (council) Roster(st ledger.State, _ uint64) (*wire.Roster, error) {
	n, err := st.Get([]byte("n"))
	if err != nil {
		return nil, err
	}
	if n == nil {
		n = []byte{1}
	}
	g := ledgertest.GenesisOf()
	for i := 1; i < int(n[0]); i++ {
		g.Members = append(g.Members, wire.GenesisMember{Name: "more", Key: ledgertest.Key(i).Public()})
	}
	return wire.NewRoster(g.MemberSet()), nil
}

// Each admin block says how the servers differ from those before, removals first,
// and whoever serves now may sign.
func TestAdminBlocksFollowTheServers(t *testing.T) {
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: []byte(`{"period_ms":10000}`)}, wire.FamilyGenesis{Name: "council"})
	c := ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, record.Family{}, council{}})
	id := func(n int) wire.Hash { return wire.Hash(wire.NodeIDOf(ledgertest.Key(n).Public())) }
	for height, servers := range []byte{1, 3, 3, 2} {
		c.OK(c.Tx(alice, "council", []byte{servers}))
		turn(c)
		turn(c)
		_, block := closed(c, uint32(2*height)) // of the period in which it happened
		var added, removed, keys []wire.Hash
		for _, m := range block.Body {
			switch m := m.(type) {
			case *factom.ServerChange:
				if m.Kind == factom.AdminRemoveServer {
					removed = append(removed, m.Identity)
				} else {
					added = append(added, m.Identity)
				}
			case *factom.SigningKey:
				keys = append(keys, m.Identity)
			}
		}
		want := [][2][]wire.Hash{{{id(0)}, nil}, {{id(1), id(2)}, nil}, {}, {nil, {id(2)}}}[height]
		if !same(added, want[0]) || !same(keys, want[0]) || !same(removed, want[1]) {
			t.Errorf("with %d servers: added %v, keys of %v, removed %v", servers, added, keys, removed)
		}
		h := closedHeight(c)
		last := ledgertest.Key(int(servers) - 1)
		if r := c.One(c.Tx(last, public.Name, public.SignDirectory(h, tail(c), last))); r.Code != wire.OK || r.Credits != 0 {
			t.Errorf("the last of %d servers signs: %s for %d credits", servers, r.Code, r.Credits)
		}
	}
}

// same reports whether two lists name the same servers.
func same(a, b []wire.Hash) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestAnchorKeysAreOrderedAndAnnounced(t *testing.T) {
	c := quick(t)
	order := func(k public.AnchorKey) *wire.Tx {
		o := public.Order{AnchorKey: &k}
		return c.Tx(alice, "orders", o.Bytes())
	}
	key := public.AnchorKey{Node: wire.NodeID{1}, Priority: 2, Type: 1, Key: [20]byte{3}}
	done := c.Run(order(key), order(key), order(public.AnchorKey{Type: 2}), c.Tx(alice, "orders", nil))
	for i, want := range []wire.Code{wire.OK, wire.ErrReplayed, wire.ErrMalformed, wire.ErrMalformed} {
		if r := c.Result(done, i); r.Code != want {
			t.Errorf("order %d: %s, want %s", i, r.Code, want)
		}
	}
	key.Key[0]++
	c.OK(order(key))
	turn(c)
	_, block := closed(c, 0)
	var said []factom.BitcoinKey
	for _, m := range block.Body {
		if k, ok := m.(*factom.BitcoinKey); ok {
			said = append(said, *k)
		}
	}
	if len(said) != 2 || said[0] != (factom.BitcoinKey{Identity: wire.NodeID{1}, Priority: 2, Script: 1, Hash160: [20]byte{3}}) || said[1].Hash160[0] != 4 {
		t.Errorf("announced %+v", said)
	}
}

// A period without a message has blocks too, its entry credit block with all ten
// markers, and the ledger asks for the block that closes it.
func TestQuietPeriodsHaveAllMarkersAndComeToAnEnd(t *testing.T) {
	c := quick(t)
	if due := c.Ledger.Tip().DueMs; due != 0 {
		t.Errorf("a block is due at %d, before there was one", due)
	}
	first := c.Run()
	end := public.Period(first.Header.TimeMs, periodMs) + periodMs
	if first.DueMs != end {
		t.Errorf("the next block is due at %d, want the end of the period, %d", first.DueMs, end)
	}
	c.Open(c.Store)
	if due := c.Ledger.Tip().DueMs; due != end {
		t.Errorf("after a restart at %d", due)
	}
	turn(c)
	d, _ := closed(c, 0)
	empty, err := factom.NewECBlock(factom.ECBlockHeader{}, nil)
	if err != nil || d.Credit != empty.HeaderHash() || empty.Header.ObjectCount != 10 || len(empty.Bytes())-len(empty.Header.Bytes()) != 20 {
		t.Errorf("entry credit block %s, want %s with ten markers and nothing else, %v", d.Credit, empty.HeaderHash(), err)
	}
	// Time without ledger blocks has no periods.
	turn(c)
	at := c.Ledger.Tip().Header.TimeMs
	turnAfter(c, 1000*periodMs)
	turn(c)
	if d, _ := closed(c, 3); d.OpenedMs <= at+900*periodMs {
		t.Errorf("period 3 began at %d", d.OpenedMs)
	}
}
