package token_test

import (
	"encoding/binary"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	public "cloister/wire/token"
)

// holding is a family that holds what its payload says for the payer, and gives
// it back: its first byte is 'h' or 'r', an amount follows.
type holding struct{}

func (holding) Name() string                                { return "holding" }
func (holding) Genesis(ledger.State, json.RawMessage) error { return nil }
func (holding) Check(tx *wire.Tx) (any, error)              { return tx.Payload, nil }
func (holding) Price(*ledger.Call) (ledger.Price, error)    { return ledger.Price{}, nil }
func (holding) Admit(*ledger.Call) error                    { return nil }

func (holding) Execute(c *ledger.Call) ([]byte, error) {
	p := c.Payload.([]byte)
	st, amount := c.State(public.Name), binary.BigEndian.Uint64(p[1:])
	if p[0] == 'h' {
		return nil, token.Hold(st, "holding", c.Payer, amount)
	}
	return nil, token.Release(st, "holding", c.Payer, amount)
}

func holder(t testing.TB) *ledgertest.Chain {
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: "holding"})
	return ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, holding{}})
}

func move(c *ledgertest.Chain, k wire.PrivateKey, op byte, amount uint64) *wire.Tx {
	return c.Tx(k, "holding", binary.BigEndian.AppendUint64([]byte{op}, amount))
}

func pot(c *ledgertest.Chain) uint64 {
	b, _ := ledgertest.Load[public.Balance](c, public.Name, public.BalanceKey(token.Pot("holding")))
	return b.Factoshis
}

// What is held is neither made nor burnt: the sum over accounts and pots stays.
func TestHoldingMovesAndNeverMakes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := holder(t)
		keys := []wire.PrivateKey{ledgertest.Alice, ledgertest.Bob, ledgertest.Pauper}
		held := map[wire.PublicKey]uint64{}
		total := uint64(0)
		for range rapid.IntRange(1, 12).Draw(rt, "moves") {
			k := rapid.SampledFrom(keys).Draw(rt, "key")
			if has := held[k.Public()]; has > 0 && rapid.Bool().Draw(rt, "release") {
				part := rapid.Uint64Range(0, has).Draw(rt, "part")
				c.OK(move(c, k, 'r', part))
				held[k.Public()] -= part
				total -= part
			} else {
				amount := rapid.Uint64Range(0, 2*ledgertest.Rich).Draw(rt, "amount")
				could := c.Balance(k).Factoshis
				code := c.One(move(c, k, 'h', amount)).Code
				if (code == wire.OK) != (amount <= could) || code != wire.OK && code != wire.ErrInsufficientFunds {
					rt.Fatalf("holding %d of %d: %s", amount, could, code)
				}
				if code == wire.OK {
					held[k.Public()] += amount
					total += amount
				}
			}
			if got := pot(c); got != total {
				rt.Fatalf("the pot has %d, want %d", got, total)
			}
			if s := c.Supply(); s.Factoshis != sum(rt, c.Store).Factoshis {
				rt.Fatalf("supply %+v", s)
			}
		}
	})
}

// A family that gives out what it does not hold is defective: the node stops.
func TestReleasingWhatIsNotHeldStopsTheNode(t *testing.T) {
	c := holder(t)
	c.OK(move(c, ledgertest.Alice, 'h', 5))
	if _, err := c.Ledger.Execute(c.Block(c.NextMs(), move(c, ledgertest.Alice, 'r', 6))); err == nil {
		t.Fatal("more came out of the pot than went in")
	}
}

func TestPotsAreNobodysAndDiffer(t *testing.T) {
	if token.Pot("a") == token.Pot("b") || token.Pot("a") == (wire.Account{}) {
		t.Error("two families share a pot")
	}
}
