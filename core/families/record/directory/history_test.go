package directory_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families/record"
	"cloister/core/families/record/directory"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	data "cloister/wire/record"
	money "cloister/wire/token"
)

// bounded is the record family with other limits on closing.
type bounded struct {
	record.Family
	limits directory.Limits
}

func (b bounded) EndBlock(e *ledger.End) error { return directory.CloseWithin(e, b.limits) }

// authority is a family whose transactions are orders: 't' or 'r', for the token
// or the record family, and the order.
type authority struct{}

const authorityName = "authority"

func (authority) Name() string                                { return authorityName }
func (authority) Genesis(ledger.State, json.RawMessage) error { return nil }
func (authority) Check(tx *wire.Tx) (any, error)              { return tx.Payload, nil }
func (authority) Price(*ledger.Call) (ledger.Price, error)    { return ledger.Price{}, nil }
func (authority) Admit(*ledger.Call) error                    { return nil }

func (authority) Execute(c *ledger.Call) ([]byte, error) {
	p := c.Payload.([]byte)
	return c.Govern(map[byte]string{'t': money.Name, 'r': data.Name}[p[0]], p[1:], true)
}

const periodMs = 10_000

// signatures is the last kind of transaction that world.draw makes.
const signatures = 12

// world is a chain, and the oracle that watches it.
type world struct {
	*ledgertest.Chain
	*oracle
	known map[string]bool // chains that exist
	past  []*wire.Tx
	made  []*wire.Block // by height, from 1
}

func genesis(t testing.TB) *wire.Genesis {
	params := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	m := money.Params{Rate: ledgertest.Rate, Coinbase: &money.Coinbase{Every: 2, Delay: 3, Factoshis: 5_000_000}}
	for _, k := range []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob} {
		m.Allocations = append(m.Allocations, money.Allocation{Address: wire.CreditAddress(k.Public()), Factoshis: ledgertest.Rich, Credits: ledgertest.Rich})
	}
	d := data.Params{PeriodMs: periodMs, AnchorKeys: []data.AnchorKey{{Node: wire.NodeID{7}, Priority: 1, Key: [20]byte{9}}}}
	return ledgertest.GenesisOf(wire.FamilyGenesis{Name: money.Name, Params: params(m)},
		wire.FamilyGenesis{Name: data.Name, Params: params(d)}, wire.FamilyGenesis{Name: authorityName})
}

func newWorld(t testing.TB, limits directory.Limits) *world {
	c := ledgertest.New(t, store.NewMemory(), genesis(t), []ledger.Family{token.Family{}, bounded{limits: limits}, authority{}})
	return &world{Chain: c, oracle: newOracle(t, c), known: map[string]bool{}}
}

// run executes a block, tells the oracle, and compares every period it closed.
func (w *world) run(timeMs uint64, txs ...*wire.Tx) {
	w.Chain.Helper()
	before := progress(w.Chain).Closed
	b := w.Chain.Block(timeMs, txs...)
	done, err := w.Ledger.Execute(b)
	w.check(err)
	w.made = append(w.made, b)
	w.block(w.Chain, done, before, txs)
	for closed := before; closed < progress(w.Chain).Closed; closed++ {
		w.compare(w.Chain, closed)
		if n := rows(w.Chain, closed); n != 0 {
			w.Chain.Fatalf("period %d left %d rows", closed, n)
		}
	}
}

// crash loses what was not flushed, and executes its blocks again.
func (w *world) crash() {
	want := w.Ledger.Tip()
	w.Open(w.Store.(*store.Memory).Survivor())
	for _, b := range w.made[w.Ledger.Height():] {
		_, err := w.Ledger.Execute(b)
		w.check(err)
	}
	if got := w.Ledger.Tip(); got.Exec != want.Exec || got.DueMs != want.DueMs {
		w.Chain.Fatalf("after a crash %+v, due at %d; want %+v, due at %d", got.Exec, got.DueMs, want.Exec, want.DueMs)
	}
}

// settle makes blocks, a millisecond apart, until no period is being closed.
func (w *world) settle() (blocks int) {
	for ; w.Ledger.Tip().DueMs == 1; blocks++ {
		w.run(w.Ledger.Tip().Header.TimeMs + 1)
	}
	return blocks
}

// draw makes the transactions of a block, of kinds up to most.
func (w *world) draw(t *rapid.T, most int) (txs []*wire.Tx) {
	for range rapid.IntRange(0, 5).Draw(t, "transactions") {
		k := rapid.SampledFrom([]wire.PrivateKey{ledgertest.Alice, ledgertest.Bob}).Draw(t, "key")
		name := fmt.Sprint("chain ", rapid.IntRange(0, 11).Draw(t, "chain"))
		text := rapid.StringMatching(`[a-c]{0,2}`).Draw(t, "content")
		order := func(family byte, o interface{ Bytes() []byte }) *wire.Tx {
			return w.Tx(k, authorityName, append([]byte{family}, o.Bytes()...))
		}
		switch rapid.IntRange(0, most).Draw(t, "kind") {
		case 0, 1, 2, 3, 4:
			if !w.known[name] {
				w.known[name] = true
				txs = append(txs, w.CreateChain(k, name))
			}
			txs = append(txs, w.AddEntry(k, name, text))
		case 5, 6:
			commit, reveal := w.Halves(k, name, text)
			txs = append(txs, commit)
			w.past = append(w.past, reveal)
		case 7:
			if len(w.past) > 0 {
				txs = append(txs, rapid.SampledFrom(w.past).Draw(t, "reveal"))
			}
		case 8:
			tx, err := money.Pay(k, w.Stamp(), w.rate, []money.Output{{To: wire.Account{3}, Amount: 5}}, []money.Purchase{
				{For: ledgertest.Carol.Public(), Amount: rapid.Uint64Range(1, 9*ledgertest.Rate).Draw(t, "amount")},
				{For: ledgertest.Pauper.Public(), Amount: 3 * ledgertest.Rate},
			})
			w.check(err)
			txs = append(txs, w.Carry(money.Name, tx.Bytes()))
		case 9:
			rate := money.Rate{Factoshis: rapid.Uint64Range(1, 2*ledgertest.Rate).Draw(t, "rate"), From: rapid.Uint32Range(0, 12).Draw(t, "from")}
			txs = append(txs, order('t', &money.Order{Rate: &rate}))
		case 10:
			txs = append(txs, order('t', &money.Order{Cancel: &money.Cancel{Height: rapid.Uint32Range(0, 9).Draw(t, "descriptor")}}))
		case 11:
			key := data.AnchorKey{Node: wire.NodeID{7}, Priority: rapid.Uint8Range(0, 2).Draw(t, "priority"), Type: 1, Key: [20]byte{rapid.Byte().Draw(t, "hash")}}
			txs = append(txs, order('r', &data.Order{AnchorKey: &key}))
		case signatures:
			if n := progress(w.Chain).Closed; n > 0 {
				server := ledgertest.Key(0)
				txs = append(txs, w.Tx(server, data.Name, data.SignDirectory(n-1, tailOf(w.Chain).Header, server)))
			}
		}
	}
	return txs
}

// Every limit is met somewhere, so that closing stops and goes on at every
// place it can.
var tight = rapid.Custom(func(t *rapid.T) directory.Limits {
	return directory.Limits{
		Rows:   rapid.SampledFrom([]int{1, 2, 3, 5, 8, 1000}).Draw(t, "rows"),
		Bytes:  rapid.SampledFrom([]int{1, 150, 700, 1 << 20}).Draw(t, "bytes"),
		Blocks: rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "blocks"),
		Body:   rapid.SampledFrom([]int{0, 64, 100, 1 << 20}).Draw(t, "body"),
	}
})

// Random histories: many chains, all minutes, empty periods, gaps, rates that
// change, coinbases, one period filling while the one before is closed, and
// restarts and crashes at any point.
func TestKeysOfPeriodsAreThoseOfWholeBlocks(t *testing.T) {
	periods, busy := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, tight.Draw(rt, "limits"))
		for range rapid.IntRange(5, 30).Draw(rt, "blocks") {
			step := rapid.SampledFrom([]uint64{1, 10, 400, 1500, 3000, 9999, 25_000, 3_600_000}).Draw(rt, "ms later")
			w.run(w.Ledger.Tip().Header.TimeMs+step, w.draw(rt, signatures)...)
			if w.Ledger.Tip().DueMs == 1 {
				busy++
			}
			switch rapid.SampledFrom([]string{"go on", "go on", "go on", "reopen", "flush", "crash"}).Draw(rt, "then") {
			case "reopen":
				w.Open(w.Store)
			case "flush":
				_, err := w.Ledger.Flush()
				w.check(err)
			case "crash":
				w.crash()
			}
		}
		w.settle()
		periods += len(w.blocks)
		supply := w.Supply()
		if supply.Minted != w.minted || supply.Rate != w.rate {
			rt.Fatalf("supply %+v, minted %d, rate %d", supply, w.minted, w.rate)
		}
		if at := progress(w.Chain); at.Rate != w.rate || (at.Coming == 0) != (w.coming == nil) || w.coming != nil && at.Coming != w.coming.Factoshis {
			rt.Fatalf("progress %+v, rate %d, coming %+v", at, w.rate, w.coming)
		}
	})
	if periods == 0 || busy == 0 {
		t.Fatalf("%d periods, closing reached into %d further blocks", periods, busy)
	}
}

// The same history with any limits gives the same directories, as long as each
// period is closed before the next one is over.
func TestLimitsDoNotChangeWhatComesOut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limits := tight.Draw(rt, "limits")
		plan := newWorld(t, directory.Usual)
		same := newWorld(t, limits)
		for range rapid.IntRange(1, 5).Draw(rt, "periods") {
			opened := data.Period(plan.Ledger.Tip().Header.TimeMs, periodMs) + rapid.Uint64Range(1, 3).Draw(rt, "later")*periodMs
			for i, minute := range []uint64{1, 5, 5} {
				txs := plan.draw(rt, signatures-1) // which depend on when a period is closed
				at := opened + minute*1000 + uint64(i)
				plan.run(at, txs...)
				same.run(max(at, same.Ledger.Tip().Header.TimeMs+1), txs...)
			}
			plan.settle()
			same.settle()
		}
		closed := progress(plan.Chain).Closed
		if got := progress(same.Chain).Closed; got != closed {
			rt.Fatalf("%d periods closed, want %d", got, closed)
		}
		for height := range closed {
			a, _ := ledgertest.Load[data.Directory](plan.Chain, data.Name, data.DirectoryKey(height))
			b, _ := ledgertest.Load[data.Directory](same.Chain, data.Name, data.DirectoryKey(height))
			if a.KeyMR != b.KeyMR || a.FullHash != b.FullHash {
				rt.Fatalf("period %d is\n%+v with limits %+v\n%+v without", height, b, limits, a)
			}
		}
	})
}
