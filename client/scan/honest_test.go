package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"cloister/wire"
	"cloister/wire/factom"
)

func TestAnHonestNetworkHasAllGrades(t *testing.T) {
	w := newWorld().run(10)
	r, state := scanned(t, w.network(), []Peer{of(w)}, anchoring(w), Options{}, nil)
	graded(t, r, 10, 9, 9, 9)
	clean(t, r)
	if r.Chosen != 0 || r.Head != w.keys[9] || state.KeyMR() != w.keys[9] || state.Height() != 9 {
		t.Errorf("chosen %d, head %s, state at %d", r.Chosen, r.Head, state.Height())
	}
	if c := r.Candidates[0].Anchors; c.Deep != 10 || c.Unknown != 1 || c.Foreign+c.Odd+c.Shallow != 0 {
		t.Errorf("%+v", c)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestSignaturesAloneGiveTheGradeSigned(t *testing.T) {
	w := newWorld().run(6)
	p := of(w)
	p.change = func(kind Kind, _ wire.Hash, b []byte) ([]byte, error) {
		if kind != Directory && kind != Admin {
			t.Errorf("%s is fetched", kind)
		}
		return b, nil
	}
	r, state := scanned(t, w.network(), []Peer{p}, anchoring(w), Options{SignedOnly: true}, nil)
	graded(t, r, 6, 5, None, 5)
	clean(t, r)
	if _, _, err := Run(context.Background(), w.network(), []Peer{p}, nil, Options{}, state); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("a state without bodies goes on with them: %v", err)
	}
}

func TestAGenesisFileIsEnough(t *testing.T) {
	w := newWorld().run(4)
	n := w.network()
	n.KeyMR = wire.Hash{}
	for _, s := range w.servers {
		n.Servers = append(n.Servers, Server{s.id, s.key.Public()})
	}
	r, _ := scanned(t, n, []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 4, 3, 3, None)
	clean(t, r)
	n.Servers = n.Servers[:2]
	r, _ = scanned(t, n, []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, NotGenesis, 0)
}

func TestNetworkOfReadsTheGenesis(t *testing.T) {
	member := wire.GenesisMember{Name: "m", Key: keyOf("m").Public()}
	g := &wire.Genesis{Members: []wire.GenesisMember{member}, Families: []wire.FamilyGenesis{
		{Name: "token", Params: json.RawMessage(`{"rate":1000,"allocations":[],"coinbase":{"every":25,"delay":1000,"factoshis":5}}`)},
		{Name: "record", Params: json.RawMessage(`{"period_ms":10000}`)},
	}}
	n, err := NetworkOf(g)
	if err != nil || n.PeriodMs != 10_000 || n.ID == 0 || *n.Coinbase != (Coinbase{25, 1000}) || n.ClosedMoney ||
		len(n.Servers) != 1 || n.Servers[0] != (Server{wire.NodeIDOf(member.Key), member.Key}) {
		t.Errorf("%+v, %v", n, err)
	}
	g.Families = g.Families[:1]
	if _, err := NetworkOf(g); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("a genesis without a data layer: %v", err)
	}
}

func TestSomethingMustBeTrusted(t *testing.T) {
	w := newWorld()
	if _, _, err := Run(context.Background(), &Network{}, []Peer{of(w)}, nil, Options{}, nil); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Error(err)
	}
	if _, _, err := Run(context.Background(), w.network(), nil, nil, Options{}, nil); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Error(err)
	}
}

func TestServersComeAndGo(t *testing.T) {
	w := newWorld().run(2)
	d := newSigner("d")
	p := w.usual()
	p.admin = append(p.admin, d.join(w.height())...)
	p.admin = append(p.admin, w.servers[0].leave(w.height()))
	w.close(p)
	w.servers = append(w.servers[1:], d)
	w.run(3)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	clean(t, r, ServersChanged)
	if n := found(r.Candidates[0].Notes, ServersChanged); n == nil || n.Height != 3 || n.Count != 1 {
		t.Errorf("%+v", n)
	}
}

func TestChangesWaitForTheirHeight(t *testing.T) {
	w := newWorld().run(2)
	p := w.usual()
	d := newSigner("d")
	p.admin = append(p.admin, w.servers[0].leave(w.height()+2), w.servers[1].leave(w.height()+2))
	p.admin = append(p.admin, d.join(w.height()+2)...)
	w.close(p) // height 3
	w.run(2)   // 4 and 5; the servers of 5 are c and d
	w.servers = []signer{w.servers[2], d}
	w.run(2)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 7, 6, 6, None)
	clean(t, r, ServersChanged)
	if n := found(r.Candidates[0].Notes, ServersChanged); n == nil || n.Height != 5 {
		t.Errorf("%+v", n)
	}
}

func TestSignaturesMayComeABlockLater(t *testing.T) {
	w := newWorld().run(3)
	header, all := w.header, w.servers
	p := w.usual()
	p.signers = all[:1]
	w.close(p)
	p = w.usual()
	p.late = []factom.AdminMessage{all[2].sign(header)}
	w.close(p)
	w.run(1)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	clean(t, r)
}

func TestTheTipWaitsForItsSignatures(t *testing.T) {
	w := newWorld().run(3)
	p := w.usual()
	p.signers = w.servers[:1] // the others may still come
	w.close(p)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 4, 2, 2, None)
	clean(t, r)
}

func TestCommitsMayPayAheadAndTwice(t *testing.T) {
	w := newWorld().run(2)
	e, c := w.entry("chain 1", "paid ahead, twice")
	again := must(factom.NewEntryCommit(e.bytes, w.time(), keyOf("payer")))
	p := w.usual()
	p.commits = append(p.commits, c, again)
	w.close(p)
	for range 2 {
		p = w.usual()
		p.entries = append(p.entries, e)
		w.close(p)
	}
	w.run(1)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	clean(t, r)
}

func TestPurchasesCountWithAndWithoutTheirObjects(t *testing.T) {
	w := newWorld().run(1)
	for _, silent := range []bool{false, true} {
		e, _ := w.entry("chain 1", "paid by who just bought")
		p := w.usual()
		p.silent = silent
		p.commits = append(p.commits, must(factom.NewEntryCommit(e.bytes, w.time(), keyOf("poor"))))
		p.entries = append(p.entries, e)
		w.close(p)
	}
	w.run(1)
	r, state := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 4, 3, 3, None)
	clean(t, r)
	if have, _ := state.credits.get(keyOf("poor").Public()); have != 3*3000-2 {
		t.Errorf("%d credits are left", have)
	}
}

func TestARateChangeIsReported(t *testing.T) {
	w := newWorld().run(2)
	p := plan{rate: 2000}
	w.close(p)
	w.close(plan{rate: 2000})
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	clean(t, r, RateChanged)
	if n := found(r.Candidates[0].Notes, RateChanged); n == nil || n.Height != 3 || n.Count != 1 {
		t.Errorf("%+v", n)
	}
}

func TestACancelledPaymentIsNotDue(t *testing.T) {
	w := newWorld().run(2)
	p := w.usual() // height 3, does not pay: nothing was promised at 0
	p.admin = append(p.admin, &factom.CoinbaseCancel{Height: 2, Index: 1}, &factom.CoinbaseCancel{Height: 2, Index: 1})
	w.close(p)
	w.run(1)
	p = w.usual() // height 5 pays what 2 promised
	p.coinbase = p.coinbase[:1]
	w.close(p)
	w.run(1)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	clean(t, r, CancelUnknown)
	if n := found(r.Candidates[0].Notes, CancelUnknown); n == nil || n.Count != 1 {
		t.Errorf("%+v", n)
	}
}

func TestMoneyFromOutsideIsANoteWhereItMayCome(t *testing.T) {
	w := newWorld().run(1)
	p := w.usual()
	p.transactions = append(p.transactions, w.transfer("unknown", "poor", 1_000_000, 1000))
	e, _ := w.entry("chain 1", "paid by nobody")
	p.entries = append(p.entries, e)
	p.commits = append(p.commits, must(factom.NewEntryCommit(e.bytes, w.time(), keyOf("nobody"))))
	w.close(p)
	w.run(1)
	n := w.network()
	r, _ := scanned(t, n, []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, Overdraft, 2)
	graded(t, r, 3, 2, 1, None)
	n.ClosedMoney = false
	r, _ = scanned(t, n, []Peer{of(w)}, nil, Options{}, nil)
	graded(t, r, 3, 2, 2, None)
	clean(t, r, OutsideMoney)
	if n := found(r.Candidates[0].Notes, OutsideMoney); n == nil || n.Count != 2 {
		t.Errorf("%+v", n)
	}
}

func TestAScanGoesOnWhereItWas(t *testing.T) {
	w := newWorld().run(4)
	_, state := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	w.run(4)
	p := of(w)
	asked := 0
	p.change = func(kind Kind, key wire.Hash, b []byte) ([]byte, error) { asked++; return b, nil }
	again, err := DecodeState(state.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	r, resumed := scanned(t, w.network(), []Peer{p}, anchoring(w), Options{Workers: 1}, again)
	graded(t, r, 8, 7, 7, 7)
	clean(t, r)
	_, whole := scanned(t, w.network(), []Peer{of(w)}, anchoring(w), Options{}, nil)
	if !bytes.Equal(resumed.Bytes(), whole.Bytes()) {
		t.Error("a scan in two parts knows something else than a whole one")
	}
	if total := len(w.objects); asked >= total {
		t.Errorf("%d of %d objects are fetched again", asked, total)
	}
}

func TestTheStateIsHandedOutOnTheWay(t *testing.T) {
	w := newWorld().run(9)
	var saved []int64
	o := Options{SaveEvery: 4, Save: func(b []byte) error {
		s, err := DecodeState(b)
		if err == nil {
			saved = append(saved, s.Height())
		}
		return err
	}}
	scanned(t, w.network(), []Peer{of(w)}, nil, o, nil)
	if len(saved) != 2 || saved[0] != 3 || saved[1] != 7 {
		t.Errorf("saved at %v", saved)
	}
	full := errors.New("disk full")
	o.Save = func([]byte) error { return full }
	if _, _, err := Run(context.Background(), w.network(), []Peer{of(w)}, nil, o, nil); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestTheContextEndsAScan(t *testing.T) {
	w := newWorld().run(5)
	ctx, cancel := context.WithCancel(context.Background())
	p := of(w)
	p.change = func(kind Kind, _ wire.Hash, b []byte) ([]byte, error) {
		if kind == Entry {
			cancel()
		}
		return b, nil
	}
	if _, _, err := Run(ctx, w.network(), []Peer{p}, nil, Options{}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
