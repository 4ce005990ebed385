package record_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/merkle"
	public "cloister/wire/record"
)

func newChain(t testing.TB) *ledgertest.Chain {
	return ledgertest.New(t, store.NewMemory(), ledgertest.Genesis(), families.All())
}

func chainOf(c *ledgertest.Chain, name string) (public.Chain, bool) {
	return ledgertest.Load[public.Chain](c, public.Name, public.ChainKey(ledgertest.ChainID(name)))
}

func TestChainStateTellsItsEntriesTimesAndHeights(t *testing.T) {
	c := newChain(t)
	if _, ok := chainOf(c, "a"); ok {
		t.Fatal("a chain nobody created")
	}
	created := c.OK(c.CreateChain(ledgertest.Alice, "a"))
	c.Run()
	updated := c.OK(c.AddEntry(ledgertest.Bob, "a", "x"), c.AddEntry(ledgertest.Bob, "a", "y"))

	var head wire.Hash
	for i, e := range [][]byte{
		ledgertest.Entry(ledgertest.ChainID("a"), "a", "first"),
		ledgertest.Entry(ledgertest.ChainID("a"), "note", "x"),
		ledgertest.Entry(ledgertest.ChainID("a"), "note", "y"),
	} {
		head = public.NextHead(head, uint64(i), factom.EntryHash(e))
	}
	want := public.Chain{
		Entries: 3, Head: head,
		Created: created.Height(), CreatedAtMs: created.Header.TimeMs,
		Updated: updated.Height(), UpdatedAtMs: updated.Header.TimeMs,
	}
	if got, ok := chainOf(c, "a"); !ok || got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

// The head lets anybody check that a list of entries is the whole chain in
// order, for every interleaving of chains.
func TestHeadAndDataRootBindEveryEntryInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newChain(t)
		names := []string{"a", "b", "c"}
		heads, counts := map[string]wire.Hash{}, map[string]uint64{}
		var data merkle.Range
		for range rapid.IntRange(1, 5).Draw(rt, "blocks") {
			var txs []*wire.Tx
			var entries [][]byte
			for range rapid.IntRange(0, 8).Draw(rt, "entries") {
				name := rapid.SampledFrom(names).Draw(rt, "chain")
				tx := c.AddEntry(ledgertest.Alice, name, rapid.String().Draw(rt, "content"))
				if counts[name] == 0 {
					tx = c.CreateChain(ledgertest.Alice, name)
				}
				p, err := public.Decode(tx.Payload)
				if err != nil {
					rt.Fatal(err)
				}
				entry := p.Hash
				heads[name] = public.NextHead(heads[name], counts[name], entry)
				counts[name]++
				data.Append(merkle.LeafHash(public.Leaf(ledgertest.ChainID(name), entry)))
				txs, entries = append(txs, tx), append(entries, entry[:])
			}
			done := c.OK(txs...)
			for i, want := range entries {
				if got := c.Result(done, i).Output; string(got) != string(want) {
					rt.Fatalf("output %x, want the entry's hash %x", got, want)
				}
			}
			if done.DataRoot != data.Root() {
				rt.Fatalf("data root of height %d differs", done.Height())
			}
		}
		for _, name := range names {
			if got, ok := chainOf(c, name); ok != (counts[name] > 0) || got.Head != heads[name] || got.Entries != counts[name] {
				rt.Fatalf("chain %s: %+v after %d entries", name, got, counts[name])
			}
		}
	})
}

func TestEntriesCostByTheKiBAndChainsTenMore(t *testing.T) {
	c := newChain(t)
	if r := c.One(c.CreateChain(ledgertest.Alice, "a")); r.Credits != 11 || r.Fee != 0 {
		t.Fatalf("a small chain costs %d credits and %d factoshis", r.Credits, r.Fee)
	}
	const extID = 2 + len("note")
	for content, want := range map[int]uint64{
		0: 1, 1024 - extID: 1, 1025 - extID: 2, factom.MaxEntryPayload - extID: 10,
	} {
		if r := c.One(c.AddEntry(ledgertest.Alice, "a", strings.Repeat("x", content))); r.Code != wire.OK || r.Credits != want {
			t.Errorf("%d bytes of content: %s, %d credits, want %d", content, r.Code, r.Credits, want)
		}
	}
}

// The second creation of a chain in a block finds the first, and is not charged.
func TestChainIsCreatedOnce(t *testing.T) {
	c := newChain(t)
	done := c.Run(c.CreateChain(ledgertest.Alice, "a"), c.CreateChain(ledgertest.Bob, "a"), c.AddEntry(ledgertest.Bob, "a", "x"))
	for i, want := range []wire.Code{wire.OK, wire.ErrChainExists, wire.OK} {
		if r := c.Result(done, i); r.Code != want || (r.Credits == 0) != (want != wire.OK) {
			t.Errorf("transaction %d: %s for %d credits, want %s", i, r.Code, r.Credits, want)
		}
	}
	if got, _ := chainOf(c, "a"); got.Entries != 2 {
		t.Errorf("%d entries", got.Entries)
	}
}

func TestParametersAreThoseOfThePublicFace(t *testing.T) {
	for params, want := range map[string]bool{"": true, "{}": true, `{"period_ms":10000}`: true, `{"period_ms":10001}`: false, `{"x":1}`: false} {
		g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name, Params: []byte(params)})
		if _, err := ledger.Open(store.NewMemory(), g, families.All()); (err == nil) != want {
			t.Errorf("parameters %q: %v", params, err)
		}
	}
}

// Entries are paid for, so there is no data without money.
func TestDataNeedsMoney(t *testing.T) {
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: public.Name})
	if _, err := ledger.Open(store.NewMemory(), g, families.All()); err == nil {
		t.Error("a chain whose entries nobody pays for")
	}
}
