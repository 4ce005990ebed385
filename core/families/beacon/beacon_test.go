package beacon_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"
	"pgregory.net/rapid"

	"cloister/core/families/beacon"
	"cloister/core/families/token"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/wire"
	public "cloister/wire/beacon"
	"cloister/wire/node"
)

// nodes stands for the node family: a payload is the roster from then on, the
// genesis registers voters.
type nodes struct{ voters []voter }

type voter struct{ key, vrf wire.PrivateKey }

func (v voter) id() wire.NodeID { return wire.NodeIDOf(v.key.Public()) }

func (nodes) Name() string                                   { return node.Name }
func (nodes) Check(tx *wire.Tx) (any, error)                 { return tx.Payload, nil }
func (nodes) Price(*ledger.Call) (p ledger.Price, err error) { return p, nil }
func (nodes) Admit(*ledger.Call) error                       { return nil }

func (f nodes) Genesis(st ledger.State, _ json.RawMessage) error {
	for _, v := range f.voters {
		n := &node.Node{Identity: v.key.Public(), VRF: v.vrf.Public(), Status: node.Active, Boots: 1, ExpiresMs: 1 << 62}
		if err := st.Set(node.Key(v.id()), wire.Marshal(n)); err != nil {
			return err
		}
	}
	return st.Set(node.RosterKey, wire.Marshal(rosterOf(f.voters...)))
}

func (nodes) Execute(c *ledger.Call) ([]byte, error) {
	return nil, c.State(node.Name).Set(node.RosterKey, c.Payload.([]byte))
}

func rosterOf(voters ...voter) *wire.Roster {
	set := &wire.MemberSet{Epoch: 1, From: 1}
	for i, v := range voters {
		set.Members = append(set.Members, wire.Member{ID: v.id(), Slot: uint64(i + 1), Weight: 1, Role: wire.Voter, Key: v.key.Public()})
	}
	return wire.NewRoster(set)
}

type world struct {
	*ledgertest.Chain
	voters []voter
}

func newWorld(t testing.TB, n int) *world {
	t.Helper()
	w := &world{}
	for i := range n {
		w.voters = append(w.voters, voter{ledgertest.Key(100 + i), ledgertest.Key(200 + i)})
	}
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: node.Name}, wire.FamilyGenesis{Name: public.Name})
	w.Chain = ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, nodes{w.voters}, beacon.Family{}})
	return w
}

// proof is a voter's for the round in hand.
func (w *world) proof(v voter) *public.Prove {
	r := w.round()
	alpha := public.Alpha(w.Genesis.ChainID(), r.Number, r.Last)
	return &public.Prove{Round: r.Number, Proof: ecvrf.Prove(ed25519.PrivateKey(v.vrf.Crypto()), alpha[:])}
}

func (w *world) prove(v voter) *wire.Tx { return w.Tx(v.key, public.Name, w.proof(v).Bytes()) }

func (w *world) rosterIs(r *wire.Roster) *wire.Tx {
	return w.Tx(ledgertest.Alice, node.Name, wire.Marshal(r))
}

func (w *world) round() public.Round {
	w.Helper()
	r, ok := ledgertest.Load[public.Round](w.Chain, public.Name, public.RoundKey)
	if !ok {
		w.Fatal("no round")
	}
	return r
}

// beta is what a voter's key gives for an input.
func beta(t testing.TB, v voter, alpha wire.Hash) []byte {
	proof := ecvrf.Prove(ed25519.PrivateKey(v.vrf.Crypto()), alpha[:])
	b, err := ecvrf.ProofToHash(proof)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) refused(tx *wire.Tx, want wire.Code) {
	w.Helper()
	if got := w.Admit(tx); got != want {
		w.Errorf("admission: %s, want %s", got, want)
	}
	if w.Check(tx).Code == wire.OK {
		if got := w.One(tx).Code; got != want {
			w.Errorf("execution: %s, want %s", got, want)
		}
	}
}

func (w *world) newest() *public.Value {
	w.Helper()
	var v *public.Value
	w.View(func(view *ledger.View) {
		var err error
		if v, err = beacon.Newest(view.State(public.Name)); err != nil {
			w.Fatal(err)
		}
	})
	return v
}

func TestAMajoritysProofsMakeTheValue(t *testing.T) {
	w := newWorld(t, 3)
	if w.newest() != nil {
		t.Fatal("a value before anybody proved")
	}
	w.OK(w.prove(w.voters[2]))
	if w.newest() != nil {
		t.Fatal("one of three is no majority")
	}
	w.OK(w.prove(w.voters[0]))
	alpha := wire.TH("cloister/beacon/alpha/v1", chainBytes(w), wire.U64(1), startBytes())
	two := []voter{w.voters[0], w.voters[2]}
	slices.SortFunc(two, func(a, b voter) int { return slices.Compare(a.idBytes(), b.idBytes()) })
	want := wire.TH("cloister/beacon/v1", startBytes(), beta(t, two[0], alpha), beta(t, two[1], alpha))
	v := w.newest()
	if v == nil || v.R != want || v.Round != 1 || v.Height != w.Ledger.Height() || v.TimeMs != w.Ledger.Tip().Header.TimeMs {
		t.Fatalf("%+v, want %s", v, want)
	}
	if r := w.round(); r.Number != 2 || r.Last != want || len(r.Outputs) != 0 || r.OpensMs != v.TimeMs+public.DefaultIntervalMs {
		t.Errorf("%+v", r)
	}
}

func startBytes() []byte { h := public.Start(); return h[:] }

func (v voter) idBytes() []byte { id := v.id(); return id[:] }

// Who is in the block that decides counts, whatever the order.
func TestTheOrderOfProofsDoesNotMatter(t *testing.T) {
	values := map[wire.Hash]bool{}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		w := newWorld(t, 3)
		var txs []*wire.Tx
		for _, i := range order {
			txs = append(txs, w.prove(w.voters[i]))
		}
		w.OK(txs...)
		values[w.newest().R] = true
	}
	if len(values) != 1 {
		t.Errorf("%d values", len(values))
	}
}

func TestOneVoterIsItsOwnMajority(t *testing.T) {
	w := newWorld(t, 1)
	seen := map[wire.Hash]bool{}
	for round := uint64(1); round <= 5; round++ {
		w.OK(w.prove(w.voters[0]))
		v := w.newest()
		if v.Round != round || seen[v.R] {
			t.Fatalf("%+v", v)
		}
		seen[v.R] = true
	}
}

func TestProofsThatDoNotCount(t *testing.T) {
	w := newWorld(t, 3)
	good := w.proof(w.voters[0])
	bad := *good
	bad.Proof = slices.Clone(good.Proof)
	bad.Proof[40] ^= 1
	w.refused(w.Tx(w.voters[0].key, public.Name, bad.Bytes()), wire.ErrBeaconProof)
	w.refused(w.Tx(w.voters[1].key, public.Name, good.Bytes()), wire.ErrBeaconProof) // another's
	w.refused(w.Tx(ledgertest.Alice, public.Name, good.Bytes()), wire.ErrNotVoter)
	w.OK(w.prove(w.voters[0]))
	w.refused(w.prove(w.voters[0]), wire.ErrBeaconTwice)

	second := *good
	second.Round = 2
	w.refused(w.Tx(w.voters[1].key, public.Name, second.Bytes()), wire.ErrBeaconRound)
	late := w.proof(w.voters[2])
	w.OK(w.prove(w.voters[1]))
	w.refused(w.Tx(w.voters[2].key, public.Name, late.Bytes()), wire.ErrBeaconRound)

	// A proof of the round before does not do for this one.
	stale := w.proof(w.voters[2])
	stale.Proof = late.Proof
	w.Run()
	w.refused(w.Tx(w.voters[2].key, public.Name, stale.Bytes()), wire.ErrBeaconProof)

	for _, p := range []*public.Prove{{Round: 0, Proof: good.Proof}, {Round: 1, Proof: good.Proof[:79]}, {Round: 1}} {
		if got := w.Admit(w.Tx(w.voters[2].key, public.Name, p.Bytes())); got != wire.ErrMalformed {
			t.Errorf("%d bytes for round %d: %s", len(p.Proof), p.Round, got)
		}
	}
}

func TestARoundOpensAnIntervalAfterTheLastValue(t *testing.T) {
	w := newWorld(t, 1)
	w.OK(w.prove(w.voters[0]))
	at := w.Ledger.Tip().Header.TimeMs
	early := w.Result(w.RunAt(at+public.DefaultIntervalMs-1, w.prove(w.voters[0])), 0)
	if early.Code != wire.ErrBeaconEarly {
		t.Errorf("early: %s", early.Code)
	}
	onTime := w.Result(w.RunAt(at+public.DefaultIntervalMs, w.prove(w.voters[0])), 0)
	if onTime.Code != wire.OK || w.newest().Round != 2 {
		t.Errorf("on time: %s", onTime.Code)
	}
}

func TestVotersProveForNothing(t *testing.T) {
	w := newWorld(t, 1)
	if r := w.Result(w.OK(w.prove(w.voters[0])), 0); r.Credits != 0 || r.Fee != 0 {
		t.Errorf("%+v", r)
	}
	if r := w.One(w.Tx(ledgertest.Alice, public.Name, w.proof(w.voters[0]).Bytes())); r.Credits != 1 {
		t.Errorf("%+v", r)
	}
	w.refused(w.Tx(ledgertest.Pauper, public.Name, w.proof(w.voters[0]).Bytes()), wire.ErrInsufficientCredits)
}

// Only voters of the moment count: who was barred since it proved does not, and
// if fewer are needed the round ends without another proof.
func TestTheVotersOfTheMomentDecide(t *testing.T) {
	w := newWorld(t, 3)
	w.OK(w.prove(w.voters[0]))
	barred := rosterOf(w.voters...)
	barred.Nodes[0].Barred = wire.ErrNodeRevoked
	w.OK(w.rosterIs(barred), w.prove(w.voters[1]))
	if w.newest() != nil {
		t.Fatal("a barred voter's proof counted")
	}
	w.OK(w.rosterIs(rosterOf(w.voters[1])))
	v := w.newest()
	alpha := public.Alpha(w.Genesis.ChainID(), 1, public.Start())
	want := public.Combine(public.Start(), []public.Output{{Node: w.voters[1].id(), Beta: beta(t, w.voters[1], alpha)}})
	if v == nil || v.R != want {
		t.Fatalf("%+v, want %s", v, want)
	}
	w.refused(w.prove(w.voters[2]), wire.ErrInsufficientCredits) // no voter, no free ride
}

func TestUnregisteredAndBarredVotersAreRefused(t *testing.T) {
	w := newWorld(t, 2)
	stranger := voter{ledgertest.Key(300), ledgertest.Key(301)}
	w.OK(w.rosterIs(rosterOf(w.voters[0], stranger)))
	w.refused(w.prove(stranger), wire.ErrNotRegistered)
	barred := rosterOf(w.voters...)
	barred.Nodes[1].Barred = wire.ErrNodeExpired
	barred.Set.Members[0].Role = wire.Learner
	w.OK(w.rosterIs(barred), w.Buy(ledgertest.Alice, 100*ledgertest.Rate, w.voters[0].key.Public()),
		w.Buy(ledgertest.Alice, 100*ledgertest.Rate, w.voters[1].key.Public()))
	w.refused(w.prove(w.voters[0]), wire.ErrNotVoter)
	w.refused(w.prove(w.voters[1]), wire.ErrNotVoter)
}

// The last values stay readable, by round and by the height that made them known.
func TestTheLastValuesAreKept(t *testing.T) {
	w := newWorld(t, 1)
	rounds, at := uint64(public.Kept+40), map[uint64]public.Value{}
	atHeight := map[uint64]uint64{} // newest round after each height
	for n := uint64(1); n <= rounds; n++ {
		w.OK(w.prove(w.voters[0]))
		at[n] = *w.newest()
		atHeight[w.Ledger.Height()] = n
		if n%3 == 0 {
			w.Run()
			atHeight[w.Ledger.Height()] = n
		}
	}
	w.View(func(view *ledger.View) {
		st := view.State(public.Name)
		for n := uint64(0); n <= rounds+1; n++ {
			v, err := beacon.At(st, n)
			if kept := n > rounds-public.Kept && n <= rounds; err != nil || (v != nil) != kept || kept && *v != at[n] {
				t.Fatalf("round %d: %+v, %v", n, v, err)
			}
		}
		for height, n := range atHeight {
			v, err := beacon.FinalAt(st, height)
			if kept := n > rounds-public.Kept; err != nil || (v != nil) != kept || kept && v.Round != n {
				t.Fatalf("height %d: %+v, %v, want round %d", height, v, err, n)
			}
		}
		if v, err := beacon.FinalAt(st, 0); v != nil || err != nil {
			t.Errorf("before all: %+v, %v", v, err)
		}
		if v, err := beacon.FinalAt(st, 1<<40); v == nil || v.Round != rounds || err != nil {
			t.Errorf("after all: %+v, %v", v, err)
		}
	})
}

// TestValuesFollowFromEachOther lets random voters prove at random times: values
// count up, each is made of a quorum, and follows from the one before.
func TestValuesFollowFromEachOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 5).Draw(rt, "voters"))
		last, lastMs := public.Start(), uint64(0)
		for range rapid.IntRange(1, 25).Draw(rt, "blocks") {
			before := w.round()
			var txs []*wire.Tx
			for range rapid.IntRange(0, 4).Draw(rt, "proofs") {
				txs = append(txs, w.prove(rapid.SampledFrom(w.voters).Draw(rt, "voter")))
			}
			done := w.RunAt(w.NextMs()-1000+rapid.Uint64Range(1, 1500).Draw(rt, "pause"), txs...)
			in := len(before.Outputs)
			for i := range txs {
				if w.Result(done, i).Code == wire.OK {
					in++
				}
			}
			after, now := w.round(), w.Ledger.Tip().Header.TimeMs
			if in <= len(w.voters)/2 {
				if after.Number != before.Number || len(after.Outputs) != in || after.Last != last {
					rt.Fatalf("%d of %d proofs: %+v", in, len(w.voters), after)
				}
				continue
			}
			v := w.newest()
			if after.Number != before.Number+1 || v == nil || v.R != after.Last || v.R == last || v.Round != before.Number || len(after.Outputs) != 0 {
				rt.Fatalf("%d of %d proofs: %+v, %+v", in, len(w.voters), after, v)
			}
			if lastMs != 0 && now < lastMs+public.DefaultIntervalMs {
				rt.Fatalf("a value at %d after one at %d", now, lastMs)
			}
			last, lastMs = v.R, now
		}
	})
}

func TestParametersOfTheGenesisAreChecked(t *testing.T) {
	for params, good := range map[string]bool{
		``: true, `{"interval_ms":1}`: true, `{"interval_ms":86400000}`: true,
		`{"interval_ms":0}`: false, `{"interval_ms":86400001}`: false, `{"more":1}`: false, `[]`: false,
	} {
		g := ledgertest.GenesisOf(wire.FamilyGenesis{Name: public.Name, Params: json.RawMessage(params)})
		if _, err := ledger.Open(store.NewMemory(), g, []ledger.Family{beacon.Family{}}); (err == nil) != good {
			t.Errorf("%q: %v", params, err)
		}
	}
}

// Without a node family there is nobody to prove anything, and nothing breaks.
func TestWithoutNodesTheBeaconStandsStill(t *testing.T) {
	w := newWorld(t, 1)
	tx := w.proof(w.voters[0]).Bytes()
	g := ledgertest.GenesisOf(ledgertest.Money(), wire.FamilyGenesis{Name: public.Name})
	alone := &world{Chain: ledgertest.New(t, store.NewMemory(), g, []ledger.Family{token.Family{}, beacon.Family{}})}
	alone.refused(alone.Tx(ledgertest.Alice, public.Name, tx), wire.ErrNotVoter)
}

func chainBytes(w *world) []byte { id := w.Genesis.ChainID(); return id[:] }
