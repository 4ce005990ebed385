package directory_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"cloister/core/families/record/directory"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/factom"
	data "cloister/wire/record"
	money "cloister/wire/token"
)

// The vectors of factom specification §17.4, as a running factomd made them.
const (
	goldenEntry = "" +
		"00ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d00140008636c6f69737465720008766563746f722d3148656c6c6f20436c6f" +
		"6973746572"
	goldenEntryBlock = "" +
		"ff7fd6c9cdf6eb03b105a424c3b306579ecb5f6e6fedda767ce800890b46234d8d3676dcdca28d5911e0c28853eb7b9d59ffd9c643ffbe5c8351f6dae9f0601c" +
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" +
		"0000000000000001000000025c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c0000000000000000000000000000000000000000" +
		"00000000000000000000000a"
	goldenCreditBody = "" +
		"010101020103010401050106010701080109020001a1fa17ff861f6755ec7e94ee9e0b91a85373d11fa212759774fde863cf772de8b444cb12517077abde8765" +
		"a400bd506d4157a60811d6c90513ac97a14e3b685bcb587a0fb85c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c0b0398b4b567" +
		"4124ca602a9d7338c32868115adfa533f6583819e398c4b32f95cf93c1d25fe4c40bba7038767b17a72f633b4f6626fb377cf979e424ff773dce693171f0907a" +
		"53be945d77e0f0fe766192a36cd0c91f20d28a98c81af70e41d70d010a"
	goldenCommit = "" +
		"0001a1fa17ff861f6755ec7e94ee9e0b91a85373d11fa212759774fde863cf772de8b444cb12517077abde8765a400bd506d4157a60811d6c90513ac97a14e3b" +
		"685bcb587a0fb85c07c28a78c0e508feb005c7e597956b69cbe0f882c3af1b63f50b2c0848872c0b0398b4b5674124ca602a9d7338c32868115adfa533f65838" +
		"19e398c4b32f95cf93c1d25fe4c40bba7038767b17a72f633b4f6626fb377cf979e424ff773dce693171f0907a53be945d77e0f0fe766192a36cd0c91f20d28a" +
		"98c81af70e41d70d"
	goldenFactoidBody = "" +
		"0201a1fa17299a00000000000000000000000201a1fa17e953010001bde220646f3e8750c550e4582eca5047546ffef89c13a175985e320232bacac81cc428bd" +
		"84400398b4b5674124ca602a9d7338c32868115adfa533f6583819e398c4b32f95cf01718b5edd2914acc2e4677f336c1a32736e5e9bde13663e6413894f57ec" +
		"272e2854f6083faf2af8ec7aca86daaa074b17ef957b68b8b0f8a9601186a217714dce891baa252b21ab58d7a9e1bbd3b30144afbb456da5f309ad2c6240fcb5" +
		"6840050000"
	goldenTransaction = "" +
		"0201a1fa17e953010001bde220646f3e8750c550e4582eca5047546ffef89c13a175985e320232bacac81cc428bd84400398b4b5674124ca602a9d7338c32868" +
		"115adfa533f6583819e398c4b32f95cf01718b5edd2914acc2e4677f336c1a32736e5e9bde13663e6413894f57ec272e2854f6083faf2af8ec7aca86daaa074b" +
		"17ef957b68b8b0f8a9601186a217714dce891baa252b21ab58d7a9e1bbd3b30144afbb456da5f309ad2c6240fcb5684005"

	goldenKeyMR    = "6cef3f6bf658408fb693c826edf98ea173e593aeaae7b6c831682b53683cc727"
	goldenFullHash = "ca3d4688507cfffeea090d1dab1f3d9b081a1af19141b1a96f7d44d9dae04703"
	goldenAddress  = "FA2jK2HcLnRdS94dEcU27rF3meoJfpUcZPSinpb7AwQvPRY6RL1Q"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same messages in the same minutes give the same entry block as factomd's.
// Its entry credit block differs by the balance increase, which factomd no longer
// writes and we do (§14); its factoid block by the time of the coinbase.
func TestTheVectorsBlocksComeOutOfTheirMessages(t *testing.T) {
	const minute = 60_000
	transaction, rest, err := factom.ParseTransaction(unhex(t, goldenTransaction))
	if err != nil || len(rest) > 0 {
		t.Fatal(err)
	}
	opened := data.Period(transaction.TimestampMs, data.DefaultPeriodMs)
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: money.Name}, wire.FamilyGenesis{Name: data.Name}, wire.FamilyGenesis{Name: authorityName})
	g.TimeMs = opened - data.DefaultPeriodMs
	for i, params := range []any{
		money.Params{Rate: 1000, Allocations: []money.Allocation{{Address: goldenAddress, Factoshis: 20_000 * 100_000_000}}},
		data.Params{NetworkID: factom.LocalNetwork},
	} {
		if g.Families[i].Params, err = json.Marshal(params); err != nil {
			t.Fatal(err)
		}
	}
	c := ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, bounded{limits: directory.Usual}, authority{}})
	w := &world{Chain: c, oracle: newOracle(t, c)}
	ok := func(timeMs uint64, family string, payload []byte) {
		tx := c.Carry(family, payload)
		if got := c.Check(tx); got.Code != wire.OK {
			t.Fatalf("%s: %s", family, got.Code)
		}
		w.run(timeMs, tx)
		if got := lastCode(t, c); got != wire.OK {
			t.Fatalf("%s: %s", family, got)
		}
	}
	w.run(g.TimeMs + 1)
	ok(opened+8*minute, money.Name, unhex(t, goldenTransaction))
	ok(opened+9*minute, data.Name, data.Commit(unhex(t, goldenCommit)))
	ok(opened+9*minute+1, data.Name, data.Reveal(unhex(t, goldenEntry)))
	w.run(opened + 10*minute)
	w.settle()

	p := w.blocks[1]
	entry, err := factom.ParseEntry(unhex(t, goldenEntry))
	if err != nil {
		t.Fatal(err)
	}
	block := p.entryBlocks[entry.ChainID]
	if block == nil || !bytes.Equal(block.Bytes(), unhex(t, goldenEntryBlock)) || block.KeyMR().String() != goldenKeyMR || block.FullHash().String() != goldenFullHash {
		t.Errorf("entry block %+v", block)
	}

	credit := p.creditBlock
	if n := len(credit.Body); n != 2 || credit.Body[0].Object.Kind != factom.ECBalanceIncrease {
		t.Fatalf("%d objects in the entry credit block", n)
	}
	credit.Body = credit.Body[1:]
	if got := credit.Bytes()[len(credit.Header.Bytes()):]; !bytes.Equal(got, unhex(t, goldenCreditBody)) {
		t.Errorf("entry credit body %x", got)
	}

	p.factoidBlock.Body[0].Transaction.TimestampMs = goldenCoinbaseMs
	if got := p.factoidBlock.Bytes()[len(p.factoidBlock.Header.Bytes()):]; !bytes.Equal(got, unhex(t, goldenFactoidBody)) {
		t.Errorf("factoid body %x", got)
	}
}

// goldenCoinbaseMs is the vector's own opening time.
const goldenCoinbaseMs = 0x01a1fa17299a

// lastCode is the code of the newest block's last result.
func lastCode(t testing.TB, c *ledgertest.Chain) (code wire.Code) {
	c.View(func(v *ledger.View) {
		o, err := v.Retained(v.Height())
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.DecodeResult(o.Results[len(o.Results)-1])
		if err != nil {
			t.Fatal(err)
		}
		code = r.Code
	})
	return code
}
