package directory

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"cloister/host/archive/archivetest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
	"cloister/wire/token"
)

// The block set of factom specification §17.4: what a running node made of one
// chain with one entry and one purchase. It is built again from the three
// messages alone, and what no message tells.
const (
	goldenEntry     = "00ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d00140008636c6f69737465720008766563746f722d3148656c6c6f20436c6f6973746572"
	goldenChain     = "ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d8d3676dcdca28d5911e0c28853eb7b9d59ffd9c643ffbe5c8351f6dae9f0601c000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001000000025c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c000000000000000000000000000000000000000000000000000000000000000a"
	goldenCredit    = "000000000000000000000000000000000000000000000000000000000000000c0c4d3ffd1e09ed3c6a97f6206ea84dc26f986c17ffdb0d2a3f18601fcaa20726a566023a9d7b824e4a12121ee38bc4d3c4987988f04eb8cfecc63570936d7c56a566023a9d7b824e4a12121ee38bc4d3c4987988f04eb8cfecc63570936d7c560000000100000000000000000b00000000000000dd010101020103010401050106010701080109020001a1fa17ff861f6755ec7e94ee9e0b91a85373d11fa212759774fde863cf772de8b444cb12517077abde8765a400bd506d4157a60811d6c90513ac97a14e3b685bcb587a0fb85c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c0b0398b4b5674124ca602a9d7338c32868115adfa533f6583819e398c4b32f95cf93c1d25fe4c40bba7038767b17a72f633b4f6626fb377cf979e424ff773dce693171f0907a53be945d77e0f0fe766192a36cd0c91f20d28a98c81af70e41d70d010a"
	goldenFactoid   = "000000000000000000000000000000000000000000000000000000000000000f9145d6728641645097752598e899ea9f02d8539609de910a18fbb00846f55ab70f426b2433103e606fb16b9340c14d88da8a02268af3c58b9a7896fa86e2904f9264d9df82a1912d156669cd9d914d421fa14eb90136d8bcab9882059299553500000000000003e8000000010000000002000000c50201a1fa17299a00000000000000000000000201a1fa17e953010001bde220646f3e8750c550e4582eca5047546ffef89c13a175985e320232bacac81cc428bd84400398b4b5674124ca602a9d7338c32868115adfa533f6583819e398c4b32f95cf01718b5edd2914acc2e4677f336c1a32736e5e9bde13663e6413894f57ec272e2854f6083faf2af8ec7aca86daaa074b17ef957b68b8b0f8a9601186a217714dce891baa252b21ab58d7a9e1bbd3b30144afbb456da5f309ad2c6240fcb56840050000"
	goldenAdmin     = "000000000000000000000000000000000000000000000000000000000000000a61957dd1579df70286ebeb07862f23ea64a3657c9dce6e22833c45ea955212ed000000010000000001000000810138bab1455b7bd7e5efd15c53c777c79d0c988e9210f1da49a99d95b3a6417be9cc1985cdfae4e32b5a454dfda8ce5e1361558482684f3367649c3ad852c8e31ab1013bf36ee136db1fa0bc4c11444e02389275e0c574bb0f42dcf1c3f993e71faa2b2f05e3aa36dbe0f96470dbcf1c5c014209b0086defe7afc7b448107ad801"
	goldenDirectory = "00fa92e5a4f1aa8c017bdd2b3fd4d6184993985743f6ff3cedf8c09cc6d07df76dc72d95bbc1fdd8c0a09e55e8b5f5e92eacb695d915b83af79735236fbd9274e37b26adc79d13e5d3f7031bd774b7542380c2832fc2d887f9db67f254e4fc4d37b8f295ec01c88ad10000000100000004000000000000000000000000000000000000000000000000000000000000000a2c4856fd7fbb208df8962a37ed9dbfbb766abc5c1b8ba0cba1e49b4c2c4b121d000000000000000000000000000000000000000000000000000000000000000c552276c2ec8a4aff4fc7c68e83b941abaae1fdaf3d7fe365a0ca3aa8d8c140bc000000000000000000000000000000000000000000000000000000000000000f7e27c21f758a63cee4ed1e433bba1b8d0120d4ca53de9fb5c0ede31139ad1ca6ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheBlockSetOfARunningNodeIsBuiltAgain(t *testing.T) {
	raw := func(text string) []byte { return unhex(t, text) }
	ec, err := factom.ParseECBlock(raw(goldenCredit))
	if err != nil {
		t.Fatal(err)
	}
	fb, err := factom.ParseFactoidBlock(raw(goldenFactoid))
	if err != nil {
		t.Fatal(err)
	}
	db, err := factom.ParseDirectoryBlock(raw(goldenDirectory))
	if err != nil {
		t.Fatal(err)
	}
	ab, err := factom.ParseAdminBlock(raw(goldenAdmin))
	if err != nil {
		t.Fatal(err)
	}
	const length = 60_000
	opened := uint64(db.Header.Minutes) * 60_000
	w := newWorld(t, func(g *wire.Genesis) {
		g.TimeMs = opened - length
		for i := range g.Families {
			if g.Families[i].Name == record.Name {
				g.Families[i].Params = []byte(`{"period_ms":60000,"network_id":4203931044}`)
			}
		}
	})
	x := w.open()
	w.run()
	id := w.c.Genesis.ChainID()
	w.add(1)
	for _, m := range []struct {
		minute uint64
		tx     *wire.Tx
	}{
		{uint64(fb.Body[1].Minute), wire.Carry(id, token.Name, fb.Body[1].Transaction.Bytes())},
		{uint64(ec.Body[0].Minute), wire.Carry(id, record.Name, record.Commit(ec.Body[0].Object.Commit.Bytes()))},
		{10, wire.Carry(id, record.Name, record.Reveal(raw(goldenEntry)))},
	} {
		now := x.Now().BlockTimeMs
		if at := opened + (m.minute-1)*length/10 + 1; at > now {
			w.add(at-now, m.tx)
		} else {
			w.add(1, m.tx)
		}
		w.until("folded", func(v *view) bool { return v.Height == w.a.Height() })
	}
	if v := x.now.Load(); len(v.Spans) == 0 || v.Spans[len(v.Spans)-1].Period != 1 {
		t.Fatalf("%+v", v)
	}
	w.end()
	if err := <-w.ran; err != nil {
		t.Fatal(err)
	}
	w.end = nil
	// The node was of a generation that wrote no balance increases.
	if err := x.store.under(periodKey(datedCredit, 1), func(key, value []byte) (bool, error) {
		if _, o, err := decodeCredit(value); err != nil || o.Increase == nil {
			return true, err
		}
		return true, x.store.DB.Delete(key, pebble.NoSync)
	}); err != nil {
		t.Fatal(err)
	}
	before := &period{x: x, decided: &record.Directory{Last: 1}, out: &output{store: x.store}, closed: closed{
		Directory: record.Directory{
			First: 1, Last: 1,
			KeyMR: db.Header.PrevKeyMR, FullHash: db.Header.PrevFullHash, Credit: ec.Header.PrevHeaderHash, Factoid: fb.Header.PrevKeyMR,
		},
		AdminRef: ab.Header.PrevBackRefHash, CreditFull: ec.Header.PrevFullHash, FactoidLedger: fb.Header.PrevLedgerKeyMR,
	}}
	if err := before.finish(); err != nil {
		t.Fatal(err)
	}
	if err := x.close(context.Background(), &record.Directory{
		Height: 1, OpenedMs: opened, First: 2, Last: 4, Rate: fb.Header.Rate,
		KeyMR: db.KeyMR(), FullHash: db.FullHash(), Admin: ab.LookupHash(), Credit: ec.HeaderHash(), Factoid: fb.KeyMR(),
		Coinbase: fb.Body[0].Transaction.Bytes(), AdminBlock: raw(goldenAdmin),
	}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{goldenChain, goldenCredit, goldenFactoid, goldenAdmin, goldenDirectory} {
		found := false
		for _, pair := range append(db.Body, factom.Pair{Key: db.KeyMR()}) {
			b, err := x.Block(pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Equal(b.Raw, raw(text))
		}
		if !found {
			t.Errorf("no block is %s…", text[:80])
		}
	}
	// §17.5: the receipt ends in the directory block's KeyMR after six steps.
	r, err := x.Receipt(factom.EntryHash(raw(goldenEntry)))
	if err != nil || len(r.MerkleBranch) != 6 || r.MerkleBranch[5].Top != db.KeyMR() {
		t.Fatalf("%+v, %v", r, err)
	}
	if e, err := x.Entry(r.Entry.EntryHash); err != nil || e.Chain == archivetest.EntryChain("") || e.Block != db.Body[3].Key {
		t.Errorf("%+v, %v", e, err)
	}
}
