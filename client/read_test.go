package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cloister/client"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/query"
	"cloister/wire/receipt"
	"cloister/wire/record"
	"cloister/wire/token"
)

var (
	books = apitest.EntryChain("books")
	alice = wire.Account{0xa1}
)

// library is a ledger with a chain of entries, some money, and blocks with and
// without seals: 1 creates, 2..6 add an entry each (4 and 5 unsealed), 7 pays, 8
// and 9 are empty.
func library(t testing.TB) *apitest.Ledger {
	t.Helper()
	l := apitest.New(3)
	l.Manual()
	block := func(sealed bool, txs ...*wire.Tx) {
		for _, tx := range txs {
			items, err := l.Submit(bg, [][]byte{tx.Bytes()})
			if err != nil || items[0].Code != wire.OK {
				t.Fatal(items, err)
			}
		}
		l.Append(sealed)
	}
	block(true, l.Create("books", []byte("first"), 1))
	for i := range uint64(5) {
		block(i != 2 && i != 3, l.Add("books", fmt.Append(nil, "entry ", i), 10+i))
	}
	block(true, l.Pay(alice, 42, 50), l.Create("others", nil, 51))
	block(true)
	block(true)
	return l
}

func reader(t testing.TB, l *apitest.Ledger) *client.Client {
	return dial(t, l, client.Options{}, host(t, l, nil))
}

func TestAccountsAreVerified(t *testing.T) {
	c := reader(t, library(t))
	a, err := c.Account(bg, alice)
	if err != nil || a.Factoshis != 42 || a.Height != 8 || a.Header.Height != 9 {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := c.Account(bg, wire.Account{9}); err != nil || a.Factoshis != 0 {
		t.Errorf("an account nobody paid: %+v %v", a, err)
	}
}

func TestAStateProofVerifiesOffline(t *testing.T) {
	l := library(t)
	c := reader(t, l)
	key := token.BalanceKey(alice)
	s, h, err := c.StateProof(bg, token.Name, key)
	if err != nil || !s.Present || h.ExecHeight != s.Exec.Height {
		t.Fatal(s, err)
	}
	if _, _, err := client.NewTrust(l.Genesis).VerifyState(token.Name, key, s.Encode()); err != nil {
		t.Error(err)
	}
	other := apitest.New(2)
	if _, _, err := client.NewTrust(other.Genesis).VerifyState(token.Name, key, s.Encode()); !errors.Is(err, wire.ErrForeignChain) {
		t.Errorf("under the genesis of another chain: %v", err)
	}
}

func TestVerifiedEntriesAreAllInOrder(t *testing.T) {
	c := reader(t, library(t))
	list, err := c.VerifiedEntries(bg, books)
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Hashes) != 6 || list.State.Entries != 6 || list.State.Created != 1 || list.State.Updated != 6 {
		t.Errorf("%d entries, state %+v", len(list.Hashes), list.State)
	}
	n := uint64(0)
	for e, err := range list.Entries(bg) {
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint("entry ", int(n)-1)
		if n == 0 {
			want = "first"
		}
		if e.Seq != n || string(e.Content) != want || e.Hash != list.Hashes[n] || e.Chain != books {
			t.Errorf("entry %d: %+v", n, e)
		}
		n++
	}
	if n != 6 {
		t.Errorf("%d entries came", n)
	}
	if _, err := c.VerifiedEntries(bg, wire.Hash{1}); !errors.Is(err, wire.ErrUnknownChain) {
		t.Errorf("a chain that is not there: %v", err)
	}
}

func TestEntriesListsFromTheMiddle(t *testing.T) {
	c := reader(t, library(t))
	var got []string
	for e, err := range c.Entries(bg, books, 4) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Content))
	}
	if fmt.Sprint(got) != "[entry 3 entry 4]" {
		t.Error(got)
	}
	for _, err := range c.Entries(bg, wire.Hash{1}, 0) {
		if !errors.Is(err, wire.ErrUnknownChain) {
			t.Errorf("a chain that is not there: %v", err)
		}
	}
}

// TestLongChainsComeInPages: more entries than a page holds, and more bytes than
// an answer may have.
func TestLongChainsComeInPages(t *testing.T) {
	l := apitest.New(1)
	l.Manual()
	const total = 2100
	txs := [][]byte{l.Create("long", nil, 0).Bytes()}
	for i := range uint64(total - 1) {
		content := fmt.Append(nil, i)
		if i%4 == 0 { // half a page is above 4 MiB
			content = append(content, make([]byte, factom.MaxEntryPayload-100)...)
		}
		txs = append(txs, l.Add("long", content, 1+i).Bytes())
	}
	for len(txs) > 0 {
		n := min(256, len(txs))
		if _, err := l.Submit(bg, txs[:n]); err != nil {
			t.Fatal(err)
		}
		txs = txs[n:]
	}
	l.Append(true)
	l.Append(true)
	c := reader(t, l)
	list, err := c.VerifiedEntries(bg, apitest.EntryChain("long"))
	if err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string]func(func(*client.Entry, error) bool){
		"verified": list.Entries(bg), "listed": c.Entries(bg, apitest.EntryChain("long"), 0),
	} {
		n := uint64(0)
		for e, err := range entries {
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq != n || e.Hash != list.Hashes[n] {
				t.Fatalf("%s: entry %d is number %d", name, n, e.Seq)
			}
			n++
		}
		if n != total {
			t.Errorf("%s: %d entries", name, n)
		}
	}
}

func TestEntriesAreFoundByHashAndProvedByReceipt(t *testing.T) {
	l := library(t)
	c := reader(t, l)
	raw := apitest.Entry("books", []byte("entry 2"))
	hash := factom.EntryHash(raw)
	e, err := c.Entry(bg, hash)
	if err != nil || !bytes.Equal(e.Raw, raw) || e.Height != 4 || e.Seq != 3 {
		t.Fatalf("%+v %v", e, err)
	}
	for _, kind := range []receipt.Kind{receipt.Ordered, receipt.Executed} {
		v, file, err := c.EntryReceipt(bg, hash, kind)
		if err != nil || v.Kind != kind || v.TxID != e.Tx || v.Height != 4 || v.Entry.Hash != hash {
			t.Fatalf("%s: %+v %v", kind, v, err)
		}
		if _, err := client.VerifyReceiptFile(l.Genesis, file); err != nil {
			t.Errorf("%s, offline: %v", kind, err)
		}
		if _, err := client.VerifyReceiptFile(apitest.New(2).Genesis, file); !errors.Is(err, wire.ErrForeignChain) {
			t.Errorf("%s under another genesis: %v", kind, err)
		}
	}
	if _, _, err := c.Receipt(bg, e.Tx, "best"); !errors.Is(err, wire.ErrBadRequest) {
		t.Error(err)
	}
}

func TestBlocksAreVerifiedSealedOrCovered(t *testing.T) {
	l := library(t)
	c := reader(t, l)
	for height := range uint64(10) {
		b, err := c.Block(bg, height)
		if err != nil {
			t.Fatalf("block %d: %v", height, err)
		}
		want := 1
		switch height {
		case 0, 8, 9:
			want = 0
		case 7:
			want = 2
		}
		if b.Header.Height != height || len(b.Txs) != want {
			t.Errorf("block %d has height %d and %d transactions", height, b.Header.Height, len(b.Txs))
		}
		if again, err := c.BlockByHash(bg, b.Hash); err != nil || again.Header.Height != height {
			t.Errorf("block %d by hash: %v", height, err)
		}
	}
	if b, err := c.Latest(bg); err != nil || b.Header.Height != 9 {
		t.Error(b, err)
	}
	l.Append(false)
	if _, err := c.Block(bg, 10); !errors.Is(err, wire.ErrNotCovered) {
		t.Errorf("a block that nothing proves: %v", err)
	}
	if b, err := c.Latest(bg); err != nil || b.Header.Height != 9 {
		t.Errorf("latest is not the newest proved one: %v", err)
	}
}

func TestAChainWithoutBlocksHasItsFirstHeader(t *testing.T) {
	l := apitest.New(3)
	c := reader(t, l)
	if b, err := c.Latest(bg); err != nil || b.Header.Height != 0 || b.Hash != l.Genesis.Header().Hash() {
		t.Error(b, err)
	}
}

// TestBlocksAreFollowedAsTheyCome also says that an unsealed block comes only
// once it is covered, and that a stream ends when the reader breaks off.
func TestBlocksAreFollowedAsTheyCome(t *testing.T) {
	l := library(t)
	c := reader(t, l)
	next := uint64(2)
	for b, err := range c.Blocks(bg, 2) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Header.Height != next {
			t.Fatalf("block %d came instead of %d", b.Header.Height, next)
		}
		if next == 9 {
			l.Append(false)
			l.Append(true)
		}
		if next == 11 {
			break
		}
		next++
	}
	if next != 11 {
		t.Errorf("the stream ended at %d", next)
	}
	for _, err := range c.Blocks(bg, 99) {
		if !errors.Is(err, wire.ErrNotFound) {
			t.Errorf("from a height far ahead: %v", err)
		}
	}
}

func TestALightClientFollowsTheHeaders(t *testing.T) {
	l := library(t)
	c := reader(t, l)
	light := client.NewLight(c.Trust())
	for _, want := range []uint64{9, 9, 1509} {
		if want > 9 {
			for range 1499 {
				l.Append(false) // more than a page, most of them covered only
			}
			l.Append(true)
		}
		if err := c.Follow(bg, light); err != nil {
			t.Fatal(err)
		}
		if h, hash := light.Head(); h.Height != want || hash != h.Hash() {
			t.Errorf("head is %d, want %d", h.Height, want)
		}
	}
	early, err := c.Block(bg, 3)
	if err != nil {
		t.Fatal(err)
	}
	late, _ := light.Head()
	if err := c.Consistent(bg, late, early.Header); err != nil {
		t.Error(err)
	}
	forged := *early.Header
	forged.HistoryRoot[0] ^= 1
	if err := c.Consistent(bg, &forged, late); !errors.Is(err, wire.ErrProof) {
		t.Errorf("a rewritten history: %v", err)
	}
	twin := *early.Header
	twin.TimeMs++
	if err := c.Consistent(bg, &twin, early.Header); !errors.Is(err, wire.ErrProof) {
		t.Errorf("two headers of one height: %v", err)
	}
}

func TestTheStateKeyOfAChainIsThatOfItsFamily(t *testing.T) {
	c := reader(t, library(t))
	s, _, err := c.StateProof(bg, record.Name, record.ChainKey(books))
	if err != nil || !s.Present {
		t.Fatal(err)
	}
	if want := append([]byte("record\x00c"), books[:]...); !bytes.Equal(query.StateKey(record.Name, record.ChainKey(books)), want) {
		t.Error("the key is not family, zero, key")
	}
}
