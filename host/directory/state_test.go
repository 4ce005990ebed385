package directory

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"cloister/host/api"
	"cloister/host/api/factom"
	"cloister/host/archive/archivetest"
	"cloister/wire"
	wirefactom "cloister/wire/factom"
	"cloister/wire/node"
	"cloister/wire/query"
	"cloister/wire/record"
	"cloister/wire/token"
)

// core answers queries as the ledger's core would, without proofs.
type core struct {
	w      *world
	node   wire.NodeID
	roster *wire.Roster
	code   wire.Code // of admission
	taken  [][]byte
	broken []byte // an answer instead of the right one
}

func (c *core) Query(_ context.Context, kind uint16, body []byte) ([]byte, error) {
	l := c.w.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.broken != nil {
		return c.broken, nil
	}
	if kind == query.KindStatus {
		return (&query.Status{Node: c.node}).Encode(), nil
	}
	r, err := query.DecodeStateRequest(body)
	if err != nil {
		return nil, err
	}
	at := l.asOf()
	st := &query.State{Exec: wire.Exec{Height: at}}
	set := func(v any) { st.Present, st.Value = true, wire.Marshal(v) }
	switch {
	case r.Family == record.Name && bytes.Equal(r.Key, record.ProgressKey):
		set(l.progress[at])
	case r.Family == token.Name && bytes.Equal(r.Key, token.SupplyKey):
		set(token.Supply{Rate: 77})
	case r.Family == node.Name && bytes.Equal(r.Key, node.RosterKey):
		set(c.roster)
	}
	for i, d := range l.closed {
		if r.Family == record.Name && bytes.Equal(r.Key, record.DirectoryKey(uint32(i))) && l.closedAt[i] <= at {
			set(d)
		}
	}
	for a, b := range l.then[at] {
		if r.Family == token.Name && bytes.Equal(r.Key, token.BalanceKey(a)) {
			set(b)
		}
	}
	return st.Encode(), nil
}

func (c *core) Submit(_ context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	c.taken = append(c.taken, txs...)
	return []api.SubmitItem{{Code: c.code}}, nil
}

func newState(w *world) (*State, *core) {
	c := &core{w: w}
	return &State{Core: &Core{Genesis: w.c.Genesis, Queries: c}, Index: w.x, Submitter: c}, c
}

func TestTheCoreIsTheLedger(t *testing.T) {
	w := newWorld(t)
	w.l.lag = 1
	s, c := newState(w)
	ctx := context.Background()
	if now, coming, err := s.Rate(ctx); err != nil || now != 77 || coming != 0 {
		t.Errorf("before the first block: %d, %d, %v", now, coming, err)
	}
	w.add(100)
	w.add(periodMs)
	w.add(100)
	p, height, err := s.Progress(ctx)
	if err != nil || height != 2 || p.Height != 1 || p.Closed != 1 {
		t.Errorf("%+v after block %d, %v", p, height, err)
	}
	if d, err := s.Directory(ctx, 0); err != nil || d.KeyMR != w.l.closed[0].KeyMR {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := s.Directory(ctx, 1); wire.CodeOf(err) != wire.ErrNotFound {
		t.Errorf("in progress: %v", err)
	}
	if now, _, err := s.Rate(ctx); err != nil || now != p.Rate {
		t.Errorf("%d, %v", now, err)
	}
	c.broken = []byte{0x80}
	for name, err := range map[string]error{
		"progress": third(s.Progress(ctx)), "directory": second(s.Directory(ctx, 0)), "rate": third(s.Rate(ctx)),
		"balances": second(s.Balances(ctx, []wire.Account{{}})),
	} {
		if wire.CodeOf(err) != wire.ErrInternal {
			t.Errorf("%s out of a senseless answer: %v", name, err)
		}
	}
}

func third[T, U any](_ T, _ U, err error) error { return err }

// TestSavedBalancesAreThoseOfTheLastClosedPeriod, whatever the state lags.
func TestSavedBalancesAreThoseOfTheLastClosedPeriod(t *testing.T) {
	w := newWorld(t)
	w.run()
	s, _ := newState(w)
	payer, friend := wire.AccountOf(archivetest.Payer.Public()), wire.Account{7}
	check := func(closedAfter uint64) {
		t.Helper()
		w.caughtUp()
		list, err := s.Balances(context.Background(), []wire.Account{payer, friend})
		if err != nil {
			t.Fatal(err)
		}
		now, saved := w.l.then[w.l.asOf()], w.l.then[closedAfter]
		for i, a := range []wire.Account{payer, friend} {
			want := factom.Balance{
				Factoshis: now[a].Factoshis, Credits: now[a].Credits, SavedFactoshis: saved[a].Factoshis, SavedCredits: saved[a].Credits,
			}
			if list[i] != want {
				t.Errorf("%s: %+v, want %+v", a, list[i], want)
			}
		}
	}
	busy := func() []*wire.Tx {
		return []*wire.Tx{
			w.c.AddEntry("a", nil), w.c.Tx("node", nil),
			w.c.Transfer([]token.Output{{To: friend, Amount: 50}}, []token.Purchase{{For: archivetest.Payer.Public(), Amount: 12_345}}),
		}
	}
	w.add(100, busy()...)
	check(0)
	w.add(100, busy()...)
	w.l.mu.Lock()
	w.l.lag = 1
	w.l.mu.Unlock()
	check(0)
	w.add(periodMs, busy()...)
	w.add(1, busy()...)
	w.until("closed", func(v *view) bool { return v.Count == 1 })
	check(2)
}

func TestMessagesAreCarriedToTheCore(t *testing.T) {
	w := newWorld(t)
	s, c := newState(w)
	payload := record.Reveal(archivetest.Entry("a", nil))
	if err := s.Submit(context.Background(), record.Name, payload); err != nil {
		t.Fatal(err)
	}
	tx, err := wire.DecodeTx(c.taken[0])
	if err != nil || !tx.Carries() || tx.ChainID != w.c.Genesis.ChainID() || !bytes.Equal(tx.Payload, payload) || tx.Family != record.Name {
		t.Errorf("%+v, %v", tx, err)
	}
	c.code = wire.ErrNoCommit
	if err := s.Submit(context.Background(), record.Name, payload); wire.CodeOf(err) != wire.ErrNoCommit {
		t.Errorf("refused: %v", err)
	}
}

func TestAuthoritiesAreTheMembers(t *testing.T) {
	w := newWorld(t, func(g *wire.Genesis) { g.Families = append(g.Families, wire.FamilyGenesis{Name: node.Name}) })
	w.l.admin = func(uint32) []adminMessage {
		return []adminMessage{&wirefactom.BitcoinKey{Identity: wire.NodeIDOf(w.c.Key(1).Public()), Priority: 2, Script: 1, Hash160: [20]byte{5}}}
	}
	w.run()
	w.add(100)
	w.add(periodMs)
	w.until("closed", func(v *view) bool { return v.Count == 1 })
	s, c := newState(w)
	first, other := w.c.Key(0).Public(), w.c.Key(1).Public()
	set := &wire.MemberSet{Members: []wire.Member{
		{ID: wire.NodeIDOf(other), Slot: 2, Role: wire.Audit, Key: other}, {ID: wire.NodeIDOf(first), Slot: 3, Role: wire.Voter, Key: first},
	}}
	c.roster = wire.NewRoster(set)
	list, err := s.Authorities(context.Background())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if a := list[0]; !a.Federated || a.SigningKey != first || a.ID != wire.NodeIDOf(first) || a.Payout != wire.AccountOf(first) || a.AnchorKeys != nil {
		t.Errorf("%+v", a)
	}
	if a := list[1]; a.Federated || !slices.Equal(a.AnchorKeys, []factom.AnchorKey{{Level: 2, Type: 1, Key: [20]byte{5}}}) {
		t.Errorf("%+v", a)
	}
	if id, key := s.Identity(); !id.IsZero() || key != (wire.PublicKey{}) {
		t.Errorf("an identity before the core has one: %s", id)
	}
	c.node = wire.NodeIDOf(other)
	if id, key := s.Identity(); id != c.node || key != other {
		t.Errorf("%s, %s", id, key)
	}
	c.broken = []byte{0}
	if id, _ := s.Identity(); id != c.node {
		t.Error("an identity is forgotten")
	}
}

type adminMessage = wirefactom.AdminMessage
