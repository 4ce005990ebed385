package ledger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
)

// witness writes down what the ledger tells a family.
type witness struct{ counter }

const witnessName = "witness"

// told is what it was told last.
type told struct {
	_         struct{} `cbor:",toarray"`
	StartMs   uint64
	CallChain wire.Hash
	EndChain  wire.Hash
	Proposer  wire.NodeID
}

func (witness) Name() string { return witnessName }

func (witness) Genesis(ledger.State, json.RawMessage) error {
	return errors.New("a dated family is asked for its dated genesis")
}

func (witness) GenesisAt(st ledger.State, _ json.RawMessage, timeMs uint64) error {
	return st.Set(total, wire.Marshal(told{StartMs: timeMs}))
}

func (witness) Price(*ledger.Call) (ledger.Price, error) { return ledger.Price{}, nil }

func (witness) Admit(c *ledger.Call) error {
	if c.ChainID.IsZero() {
		return wire.Faultf(wire.ErrWrongChain, "the call names no chain")
	}
	return nil
}

func (witness) Execute(c *ledger.Call) ([]byte, error) {
	return nil, hear(c.State(witnessName), func(t *told) { t.CallChain = c.ChainID })
}

func (witness) EndBlock(e *ledger.End) error {
	return hear(e.State(witnessName), func(t *told) { t.EndChain, t.Proposer = e.ChainID, e.Proposer })
}

func hear(st ledger.State, what func(*told)) error {
	t, _, err := ledger.Load[told](st, total)
	if err != nil {
		return err
	}
	what(&t)
	return st.Set(total, wire.Marshal(t))
}

var _ ledger.Dated = witness{}

func TestFamiliesAreToldChainProposerAndTheStart(t *testing.T) {
	c := ledgertest.New(t, store.NewMemory(), ledgertest.GenesisOf(wire.FamilyGenesis{Name: witnessName}), []ledger.Family{witness{}})
	if got, _ := ledgertest.Load[told](c, witnessName, total); got != (told{StartMs: ledgertest.StartMs}) {
		t.Fatalf("at the genesis: %+v", got)
	}
	c.Proposer = func(height uint64) wire.NodeID { return wire.NodeID{byte(height)} }
	tx := c.Tx(ledgertest.Alice, witnessName, []byte{adds})
	if got := c.Admit(tx); got != wire.OK {
		t.Errorf("admission: %s", got)
	}
	chain := c.Genesis.ChainID()
	for height := byte(1); height < 3; height++ {
		c.OK(c.Tx(ledgertest.Alice, witnessName, []byte{adds}))
		want := told{StartMs: ledgertest.StartMs, CallChain: chain, EndChain: chain, Proposer: wire.NodeID{height}}
		if got, _ := ledgertest.Load[told](c, witnessName, total); got != want {
			t.Errorf("height %d: %+v, want %+v", height, got, want)
		}
	}
}

// members is a family that starts with a set of its own.
type members struct {
	counter
	set *wire.MemberSet
}

func (members) Name() string { return "members" }

func (m members) Roster(ledger.State, uint64) (*wire.Roster, error) {
	if m.set == nil {
		return nil, errors.New("nobody is here")
	}
	return wire.NewRoster(m.set), nil
}

var _ ledger.Membership = members{}

// Everybody computes block 0 from the genesis alone; members a family made up
// for itself would be believed by it and by no client.
func TestAMembershipStartsWithTheGenesissOwnMembers(t *testing.T) {
	g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: "members"})
	other := g.MemberSet()
	other.Members[0].Key = ledgertest.Bob.Public()
	for name, x := range map[string]struct {
		set  *wire.MemberSet
		want string // what the error says; empty: none
	}{
		"the genesis's": {g.MemberSet(), ""},
		"others":        {other, "other members than the genesis lists"},
		"none":          {nil, "nobody is here"},
	} {
		l, err := ledger.Open(store.NewMemory(), g, []ledger.Family{members{set: x.set}})
		switch {
		case x.want == "" && (err != nil || l.Tip().Roster.Set.Hash() != g.Header().MembersHash):
			t.Errorf("%s: %v", name, err)
		case x.want != "" && (!errors.Is(err, ledger.ErrGenesis) || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
