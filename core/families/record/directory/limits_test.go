package directory_test

import (
	"fmt"
	"testing"

	"cloister/core/families/record"
	"cloister/core/families/record/directory"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	data "cloister/wire/record"
)

// A node's limits keep the end of a block within what families may write there,
// also when every row is another chain's and as many commits as can be lapse at the
// same time. Execute fails if they do not.
func TestTheFullestStepFitsTheEndOfABlock(t *testing.T) {
	const chains, day = 8192, 24 * 60 * 60 * 1000
	c := ledgertest.New(t, store.NewMemory(), genesis(t), []ledger.Family{token.Family{}, record.Family{}, authority{}})
	w := &world{Chain: c, oracle: newOracle(t, c)}
	first := data.Period(c.NextMs(), periodMs) + periodMs + 5000
	var commits []*wire.Tx
	for i := range 300 {
		commit, _ := c.Halves(ledgertest.Bob, "never shown", fmt.Sprint(i))
		commits = append(commits, commit)
	}
	w.run(first, commits...)
	w.run(first + day - 10_000)
	for n := 0; n < chains; n += 2048 {
		txs := make([]*wire.Tx, 2048)
		for i := range txs {
			txs[i] = c.CreateChain(ledgertest.Alice, fmt.Sprint("chain ", n+i))
		}
		w.run(c.Ledger.Tip().Header.TimeMs+1, txs...)
	}
	w.run(first + day)
	if blocks := w.settle(); blocks < chains/directory.Usual.Blocks-1 {
		t.Fatalf("closing took %d blocks", blocks)
	}
	if n := len(w.blocks[1].entryBlocks); n != chains {
		t.Fatalf("%d entry blocks, want %d", n, chains)
	}
}

// What authorities and servers say without end does not make a period's state
// too large: an admin block stays small enough to be proved.
func TestAdminBlocksAreBounded(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), genesis(t), []ledger.Family{token.Family{}, record.Family{}, authority{}})
	const orders = 700
	for i := range orders {
		key := data.AnchorKey{Priority: 1, Key: [20]byte{byte(i), byte(i >> 8)}}
		order := data.Order{AnchorKey: &key}
		c.RunAt(c.Ledger.Tip().Header.TimeMs+1, c.Tx(ledgertest.Alice, authorityName, append([]byte{'r'}, order.Bytes()...)))
	}
	c.RunAt(c.Ledger.Tip().Header.TimeMs + periodMs)
	for c.Ledger.Tip().DueMs == 1 {
		c.RunAt(c.Ledger.Tip().Header.TimeMs + 1)
	}
	got, ok := ledgertest.Load[data.Directory](c, data.Name, data.DirectoryKey(0))
	if !ok {
		t.Fatal("no period was closed")
	}
	block, err := factom.ParseAdminBlock(got.AdminBlock)
	if err != nil || len(wire.Marshal(got)) > data.MaxDirectory {
		t.Fatalf("admin block of %d bytes: %v", len(got.AdminBlock), err)
	}
	if n := len(block.Body); n >= orders || n < orders/2 || block.LookupHash() != got.Admin {
		t.Errorf("admin block %s of %d messages, the directory names %s", block.LookupHash(), n, got.Admin)
	}
}

// As many servers as there can be are announced, promised their pay and paid within
// what families may write at the beginning of a block.
func TestTheMostServersArePaidAtTheBeginningOfABlock(t *testing.T) {
	g := genesis(t)
	g.Members = nil
	for i := range wire.MaxGenesisMembers {
		g.Members = append(g.Members, wire.GenesisMember{Name: fmt.Sprint("server ", i), Key: ledgertest.Key(1000 + i).Public()})
	}
	c := ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, record.Family{}, authority{}})
	w := &world{Chain: c, oracle: newOracle(t, c)}
	for range 7 {
		w.run(c.Ledger.Tip().Header.TimeMs + periodMs)
		w.settle()
	}
	if b := c.Balance(ledgertest.Key(1000 + wire.MaxGenesisMembers - 1)); b.Factoshis == 0 || w.minted != wire.MaxGenesisMembers*b.Factoshis {
		t.Fatalf("the last server has %d of %d factoshis", b.Factoshis, w.minted)
	}
	if s := c.Supply(); s.Minted != w.minted || s.Factoshis+s.Burnt-s.Minted != 2*ledgertest.Rich {
		t.Fatalf("supply %+v", s)
	}
}
