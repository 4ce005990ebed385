package ledger_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cloister/core/families"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	"cloister/wire/record"
	"cloister/wire/smt"
	"cloister/wire/token"
)

// counter is a whole family: a payload of one byte is added to a number. What
// a real one has besides is a folder of its own.
type counter struct{}

const counterName = "counter"

var total = []byte("total")

func (counter) Name() string { return counterName }

func (counter) Genesis(st ledger.State, params json.RawMessage) error {
	return st.Set(total, binary.BigEndian.AppendUint64(nil, 0))
}

func (counter) Check(tx *wire.Tx) (any, error) {
	if len(tx.Payload) != 1 {
		return nil, wire.Faultf(wire.ErrMalformed, "one byte is added, not %d", len(tx.Payload))
	}
	return tx.Payload[0], nil
}

func (counter) Price(c *ledger.Call) (ledger.Price, error) {
	return ledger.Price{Credits: uint64(c.Payload.(byte))}, nil
}

func (counter) Admit(*ledger.Call) error { return nil }

// What a payload byte makes the family do besides adding.
const (
	adds      = 1
	removes   = 0xF0
	overflows = 0xF1
	fails     = 0xF2
	panics    = 0xF3
	chatters  = 0xF4
	refuses   = 0xF5
	saves     = 0xF6
)

func (counter) Execute(c *ledger.Call) ([]byte, error) {
	st := c.State(counterName)
	b, err := st.Get(total)
	if err != nil {
		return nil, err
	}
	if b == nil {
		b = make([]byte, 8)
	}
	b = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(b)+uint64(c.Payload.(byte)))
	if err := st.Set(total, b); err != nil {
		return nil, err
	}
	c.Record([]byte("counted"))
	switch c.Payload.(byte) {
	case removes:
		return nil, st.Delete(total)
	case overflows:
		return nil, st.Set(total, make([]byte, ledger.MaxValue+1))
	case fails:
		return nil, errors.New("disk on fire")
	case panics:
		panic("at the disco")
	case chatters:
		return make([]byte, wire.MaxOutput+1), nil
	case refuses:
		return b, wire.Faultf(wire.ErrBusy, "not today")
	case saves:
		return nil, ledger.Save(st, total, bytes.Repeat([]byte{1}, ledger.MaxSaved))
	}
	return b, nil
}

// withCounter is a chain with one more family: a type and this line.
func withCounter(t testing.TB) *ledgertest.Chain { return counting(t, store.NewMemory()) }

func counting(t testing.TB, s store.Store) *ledgertest.Chain {
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: record.Name}, wire.FamilyGenesis{Name: counterName})
	return ledgertest.New(t, s, g, append(families.All(), counter{}))
}

// TestFamilyIsOneTypeAndOneLine runs a family nothing else knows of through
// admission, price, execution, refusal and proof.
func TestFamilyIsOneTypeAndOneLine(t *testing.T) {
	c := withCounter(t)
	add := func(n byte) *wire.Tx { return c.Tx(ledgertest.Alice, counterName, []byte{n}) }
	if code := c.Admit(add(5)); code != wire.OK {
		t.Fatalf("admission: %s", code)
	}
	if code := c.Admit(c.Tx(ledgertest.Alice, counterName, nil)); code != wire.ErrMalformed {
		t.Fatalf("admission of a bad payload: %s", code)
	}
	if code := c.Admit(c.Tx(ledgertest.Pauper, counterName, []byte{5})); code != wire.ErrInsufficientCredits {
		t.Fatalf("admission of a pauper: %s", code)
	}
	done := c.OK(add(5), add(6))
	if got := c.Result(done, 1); !bytes.Equal(got.Output, binary.BigEndian.AppendUint64(nil, 11)) || got.Credits != 6 {
		t.Fatalf("result %+v", got)
	}
	refused := c.Run(add(refuses))
	if r := c.Result(refused, 0); r.Code != wire.ErrBusy || r.Credits != refuses || len(r.Output) != 0 || len(refused.Entries) != 0 {
		t.Fatalf("refused: %+v with %d leaves", r, len(refused.Entries))
	}
	if got := c.Balance(ledgertest.Alice).Credits; got != ledgertest.Rich-11-refuses {
		t.Fatalf("%d credits left", got)
	}
	c.View(func(v *ledger.View) {
		value, proof, err := v.Prove(v.Height(), counterName, total)
		if err != nil || binary.BigEndian.Uint64(value) != 11 {
			t.Fatalf("%x, %v", value, err)
		}
		if err := smt.VerifyInclusion(v.Tip().Exec.StateRoot, smt.Leaf{
			Key: smt.KeyHash(ledger.ApplicationKey(counterName, total)), Value: smt.ValueHash(value),
		}, proof); err != nil {
			t.Fatal(err)
		}
	})

	deleted := c.OK(add(removes))
	c.View(func(v *ledger.View) {
		value, proof, err := v.Prove(deleted.Height(), counterName, total)
		if err != nil || value != nil {
			t.Fatalf("%x, %v", value, err)
		}
		if err := smt.VerifyAbsence(deleted.Exec.StateRoot, smt.KeyHash(ledger.ApplicationKey(counterName, total)), proof); err != nil {
			t.Fatal(err)
		}
		if value, _, err := v.Prove(deleted.Height()-1, counterName, total); err != nil || binary.BigEndian.Uint64(value) != 11 {
			t.Fatalf("before the deletion: %x, %v", value, err)
		}
	})
}

// A defect of a family must stop the node and leave the store as it was.
func TestDefectOfAFamilyStopsTheLedger(t *testing.T) {
	for name, payload := range map[string]byte{
		"disk on fire": fails, "at the disco": panics, "output of": chatters, "sets a value": overflows, "saved a": saves,
	} {
		c := withCounter(t)
		before := c.Ledger.Tip()
		good, bad := c.Tx(ledgertest.Alice, counterName, []byte{adds}), c.Tx(ledgertest.Alice, counterName, []byte{payload})
		_, err := c.Ledger.Execute(c.Block(c.NextMs(), good, bad))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "height 1") {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := c.Ledger.Execute(c.Block(c.NextMs())); err == nil {
			t.Fatalf("%s: went on", name)
		}
		c.Open(c.Store)
		if after := c.Ledger.Tip(); after.Exec != before.Exec || after.Hash != before.Hash {
			t.Fatalf("%s: the store moved to %+v", name, after.Exec)
		}
		c.OK(good)
	}
}

// faulty panics wherever a message from outside can reach it.
type faulty struct{ counter }

func (faulty) Check(tx *wire.Tx) (any, error) {
	if tx.Payload[0] == 1 {
		panic("in Check")
	}
	return tx.Payload[0], nil
}

func (faulty) Price(c *ledger.Call) (ledger.Price, error) {
	if c.Payload.(byte) == 5 {
		return ledger.Price{}, c.State(counterName).Set(total, []byte("for free"))
	}
	return ledger.Price{}, nil
}

func (faulty) Admit(c *ledger.Call) error {
	switch c.Payload.(byte) {
	case 2:
		panic("in Admit")
	case 3:
		return c.State(counterName).Delete(total)
	case 4:
		c.Record(nil)
	}
	return nil
}

func TestPanicAtAdmissionRefusesTheTransactionOnly(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: counterName}), append(families.All(), faulty{}))
	for payload, want := range []wire.Code{wire.OK, wire.ErrInternal, wire.ErrInternal, wire.ErrInternal, wire.ErrInternal, wire.ErrInternal, wire.OK} {
		if got := c.Admit(c.Tx(ledgertest.Alice, counterName, []byte{byte(payload)})); got != want {
			t.Errorf("payload %d: %s, want %s", payload, got, want)
		}
	}
}

// hoarder keeps a large value under the key that its payload begins with.
type hoarder struct{ counter }

func (hoarder) Check(tx *wire.Tx) (any, error) { return tx.Payload, nil }

func (hoarder) Price(*ledger.Call) (ledger.Price, error) { return ledger.Price{}, nil }

func (hoarder) Execute(c *ledger.Call) ([]byte, error) {
	key, value := c.Payload.([]byte)[:2], make([]byte, 60_000)
	binary.BigEndian.PutUint64(value, c.Height)
	return make([]byte, wire.MaxOutput), c.State(counterName).Set(key, value)
}

// Large values, the values they replace, outputs and the body itself all go
// into a block's batch, and are all counted before the store would refuse it.
func TestWhateverABlockWritesItsBatchIsAccepted(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(wire.FamilyGenesis{Name: counterName}), []ledger.Family{hoarder{}})
	for round := range 3 {
		var txs []*wire.Tx
		for i := range 250 {
			txs = append(txs, c.Tx(ledgertest.Alice, counterName, binary.BigEndian.AppendUint16(nil, uint16(i))))
			txs[i].Payload = append(txs[i].Payload, make([]byte, wire.MaxPayload-2)...)
			txs[i].Sign(ledgertest.Alice)
		}
		done := c.Run(txs...)
		if first, last := c.Result(done, 0).Code, c.Result(done, 249).Code; first != wire.OK || last != wire.ErrBusy {
			t.Fatalf("block %d: the first is %s, the last %s", round, first, last)
		}
	}
}

func TestDamagedStateStopsTheLedger(t *testing.T) {
	c := newChain(t, store.NewMemory())
	b := store.NewBatch(1)
	b.Set(append([]byte{'s'}, ledger.ApplicationKey(token.Name, token.SupplyKey)...), []byte("damaged"))
	if err := c.Store.Apply(0, b); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ledger.Execute(c.Block(c.NextMs(), c.Transfer(ledgertest.Alice, 1, wire.Account{1}))); !errors.Is(err, wire.ErrEncoding) {
		t.Fatalf("executed on damaged state: %v", err)
	}
}

// Without a family that keeps accounts, nothing is charged.
func TestWithoutMoneyEverythingIsFree(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(wire.FamilyGenesis{Name: counterName}), []ledger.Family{counter{}})
	if r := c.One(c.Tx(ledgertest.Pauper, counterName, []byte{7})); r.Code != wire.OK || r.Credits != 0 || r.Fee != 0 {
		t.Fatalf("%+v", r)
	}
}

type banker struct{ counter }

func (banker) Charge(ledger.State, wire.Account, ledger.Price) error { return nil }

func TestOnlyOneFamilyMayKeepAccounts(t *testing.T) {
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: counterName})
	if _, err := ledger.Enabled(g, append(families.All(), banker{})); err == nil {
		t.Fatal("two families that keep accounts were enabled")
	}
}

func TestCheckTxsJudgesEachByItself(t *testing.T) {
	c := newChain(t, store.NewMemory())
	good, other := c.CreateChain(ledgertest.Alice, "a"), c.Transfer(ledgertest.Bob, 1, wire.Account{1})
	forged := c.CreateChain(ledgertest.Alice, "b")
	forged.Payload[1+200-3] ^= 1 // in the commit's signature
	foreign := *good
	foreign.ChainID = wire.Hash{}
	strange := c.Tx(ledgertest.Alice, "strange", nil)
	bad := c.Carry(token.Name, []byte{0xFF})
	raws := [][]byte{good.Bytes(), forged.Bytes(), foreign.Bytes(), strange.Bytes(), bad.Bytes(), {1, 2, 3}, make([]byte, wire.MaxTx+1), nil, other.Bytes()}
	want := []wire.Code{wire.OK, wire.ErrBadSignature, wire.ErrWrongChain, wire.ErrUnknownFamily, wire.ErrTransactionMalformed, wire.ErrMalformed, wire.ErrTooLarge, wire.ErrMalformed, wire.OK}
	for i, got := range ledger.CheckTxs(raws, c.Genesis.ChainID(), c.Ledger.Families(), nil) {
		if got.Code != want[i] {
			t.Errorf("item %d: %s, want %s", i, got.Code, want[i])
		}
		if got.Code == wire.OK && (got.Tx == nil || got.ID != got.Tx.ID() || got.Size != len(raws[i]) || got.Payload == nil) {
			t.Errorf("item %d: %+v", i, got.Request)
		}
	}
	if got := ledger.CheckTxs(nil, c.Genesis.ChainID(), c.Ledger.Families(), nil); len(got) != 0 {
		t.Errorf("nothing gave %d verdicts", len(got))
	}
}

func TestCheckBodyHoldsABodyAgainstItsHeaderAndTheLimits(t *testing.T) {
	c := newChain(t, store.NewMemory())
	good := func() (*wire.Header, []byte, wire.Limits) {
		b := c.Block(c.NextMs(), c.CreateChain(ledgertest.Alice, "a"), c.CreateChain(ledgertest.Alice, "b"))
		return b.Header, b.Body, wire.DefaultLimits
	}
	h, body, limits := good()
	raws, leaves, err := ledger.CheckBody(h, body, limits)
	if err != nil || len(raws) != 2 || len(leaves) != 2 {
		t.Fatalf("a good body: %d, %d, %v", len(raws), len(leaves), err)
	}
	for name, spoil := range map[string]func(h *wire.Header, body []byte, l *wire.Limits) []byte{
		"count":     func(h *wire.Header, b []byte, _ *wire.Limits) []byte { h.TxCount++; return b },
		"root":      func(h *wire.Header, b []byte, _ *wire.Limits) []byte { h.TxRoot[0]++; return b },
		"form":      func(_ *wire.Header, b []byte, _ *wire.Limits) []byte { return append(b, 0) },
		"a bit":     func(_ *wire.Header, b []byte, _ *wire.Limits) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b },
		"too many":  func(_ *wire.Header, b []byte, l *wire.Limits) []byte { l.BlockTxs = 1; return b },
		"too large": func(_ *wire.Header, b []byte, l *wire.Limits) []byte { l.BodyBytes = uint32(len(b) - 1); return b },
	} {
		h, body, limits := good()
		body = spoil(h, body, &limits)
		if _, _, err := ledger.CheckBody(h, body, limits); !errors.Is(err, wire.ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleApplicationKey() {
	fmt.Printf("%q\n", ledger.ApplicationKey("token", []byte("s")))
	// Output: "token\x00s"
}
