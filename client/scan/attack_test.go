package scan

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"cloister/wire"
	"cloister/wire/factom"
)

// attacked scans a world whose period at a height is a plan that somebody changed,
// with honest periods before and after it.
func attacked(t *testing.T, before int, change func(w *world, p *plan)) (*world, *Result) {
	t.Helper()
	w := newWorld().run(before)
	p := w.usual()
	change(w, &p)
	w.close(p)
	w.run(3)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	return w, r
}

// TestRulesBrokenEndTheGrade has one named attack per rule, at height 4, by servers
// that all sign: the grade stays below.
func TestRulesBrokenEndTheGrade(t *testing.T) {
	const h = 4
	for name, a := range map[string]struct {
		code   FindingCode
		change func(w *world, p *plan)
	}{
		"an entry nobody paid for": {NotPaid, func(w *world, p *plan) {
			e, _ := w.entry("chain 1", "free")
			p.entries = append(p.entries, e)
		}},
		"an entry paid once and recorded twice": {NotPaid, func(w *world, p *plan) {
			p.entries = append(p.entries, p.entries[len(p.entries)-1])
		}},
		"an entry that costs more than was paid": {NotPaid, func(w *world, p *plan) {
			small, _ := w.entry("chain 1", "small")
			large, _ := w.entry("chain 1", string(make([]byte, 2000)))
			c := must(factom.NewEntryCommit(small.bytes, w.time(), keyOf("payer")))
			c.EntryHash = factom.EntryHash(large.bytes)
			c.Signature = keyOf("payer").SignMessage(c.Ledger())
			p.commits, p.entries = append(p.commits, c), append(p.entries, large)
		}},
		"an entry paid for a day and an hour ago": {NotPaid, func(w *world, p *plan) {
			e, c := w.entry("chain 1", "late")
			p.commits = append(p.commits, c)
			w.close(*p)
			// The day has 144 periods; an hour is given.
			*p = plan{entries: []entryPlan{e}, skipPeriods: 152, coinbase: coinbaseAt(w.height())}
		}},
		"a chain without a chain commit": {NotPaid, func(w *world, p *plan) {
			e, _ := w.first("stolen")
			p.entries = append(p.entries, e)
			p.commits = append(p.commits, must(factom.NewEntryCommit(e.bytes, w.time(), keyOf("payer"))))
		}},
		"a chain under an id its name does not hash to": {ForgedChain, func(w *world, p *plan) {
			forged := factom.Entry{ChainID: wire.Hash{7}, ExtIDs: chainName("victim"), Content: []byte("mine")}
			b := must(forged.Marshal())
			p.entries = append(p.entries, entryPlan{forged.ChainID, b})
			p.commits = append(p.commits, forgedCommit(w, b, forged.ChainID))
		}},
		"a chain commit welded to another entry": {ForgedChain, func(w *world, p *plan) {
			e, c := w.first("welded")
			c.Weld[0] ^= 1
			c.Signature = keyOf("payer").SignMessage(c.Ledger())
			p.entries, p.commits = append(p.entries, e), append(p.commits, c)
		}},
		"an entry of another chain": {WrongChain, func(w *world, p *plan) {
			e, c := w.entry("chain 1", "here")
			e.chain = factom.ChainID(chainName("chain 2"))
			p.entries, p.commits = append(p.entries, e), append(p.commits, c)
		}},
		"an entry that is none": {NotPaid, func(w *world, p *plan) {
			junk := make([]byte, 20)
			p.entries = append(p.entries, entryPlan{factom.ChainID(chainName("chain 1")), junk})
		}},
		"an entry block skipped": {BrokenLink, func(w *world, p *plan) {
			// Block 1 of the chain is left out: what follows names it.
			chain := factom.ChainID(chainName("chain 1"))
			link := w.chains[chain]
			link.Sequence, link.KeyMR = link.Sequence+1, wire.Hash{3}
			w.chains[chain] = link
		}},
		"an entry block with another full hash before it": {BrokenLink, func(w *world, p *plan) {
			chain := factom.ChainID(chainName("chain 1"))
			link := w.chains[chain]
			link.FullHash[0] ^= 1
			w.chains[chain] = link
		}},
		"an entry block of another height": {WrongPlace, func(_ *world, p *plan) {
			p.block = func(e *factom.EntryBlockHeader) { e.Height++ }
		}},
		"a chain begun again": {BrokenLink, func(w *world, p *plan) {
			delete(w.chains, factom.ChainID(chainName("chain 1")))
		}},
		"an entry block in another chain's place": {WrongPlace, func(w *world, p *plan) {
			p.directory = func(_ *factom.DirectoryBlockHeader, pairs []factom.Pair) []factom.Pair {
				pairs[3].Key, pairs[4].Key = pairs[4].Key, pairs[3].Key
				return pairs
			}
		}},
		"a directory block with another full hash before it": {BrokenLink, func(_ *world, p *plan) {
			p.directory = func(d *factom.DirectoryBlockHeader, pairs []factom.Pair) []factom.Pair {
				d.PrevFullHash[0] ^= 1
				return pairs
			}
		}},
		"an admin block with another one before it": {BrokenLink, func(_ *world, p *plan) {
			p.adminHead = func(a *factom.AdminBlockHeader) { a.PrevBackRefHash[0] ^= 1 }
		}},
		"an admin block of another height": {WrongPlace, func(_ *world, p *plan) {
			p.adminHead = func(a *factom.AdminBlockHeader) { a.Height-- }
		}},
		"an entry credit block with another header before it": {BrokenLink, func(_ *world, p *plan) {
			p.credit = func(e *factom.ECBlockHeader) { e.PrevHeaderHash[0] ^= 1 }
		}},
		"an entry credit block with another full hash before it": {BrokenLink, func(_ *world, p *plan) {
			p.credit = func(e *factom.ECBlockHeader) { e.PrevFullHash[0] ^= 1 }
		}},
		"an entry credit block of another height": {WrongPlace, func(_ *world, p *plan) {
			p.credit = func(e *factom.ECBlockHeader) { e.Height++ }
		}},
		"a factoid block with another key before it": {BrokenLink, func(_ *world, p *plan) {
			p.factoid = func(f *factom.FactoidBlockHeader, _ *factom.Transaction) { f.PrevKeyMR[0] ^= 1 }
		}},
		"a factoid block with another ledger key before it": {BrokenLink, func(_ *world, p *plan) {
			p.factoid = func(f *factom.FactoidBlockHeader, _ *factom.Transaction) { f.PrevLedgerKeyMR[0] ^= 1 }
		}},
		"a factoid block of another height": {WrongPlace, func(_ *world, p *plan) {
			p.factoid = func(f *factom.FactoidBlockHeader, _ *factom.Transaction) { f.Height++ }
		}},
		"a coinbase nobody promised": {CoinbaseRefused, func(_ *world, p *plan) {
			p.coinbase = []factom.TransAddress{{Amount: 1, Address: wire.Hash{9}}}
		}},
		"a coinbase of another time": {CoinbaseRefused, func(_ *world, p *plan) {
			p.factoid = func(_ *factom.FactoidBlockHeader, base *factom.Transaction) { base.TimestampMs += 60_000 }
		}},
		"a coinbase that buys credits": {Missing, func(_ *world, p *plan) {
			p.factoid = func(_ *factom.FactoidBlockHeader, base *factom.Transaction) {
				base.AddCredits(1_000_000, keyOf("payer").Public())
			}
		}},
		"a promise twice in a block": {CoinbaseRefused, func(_ *world, p *plan) {
			p.admin = append(p.admin, &factom.CoinbaseDescriptor{Outputs: promised2(4)})
		}},
		"more promises than can be kept": {CoinbaseRefused, func(_ *world, p *plan) {
			p.admin = []factom.AdminMessage{&factom.CoinbaseDescriptor{Outputs: make([]factom.TransAddress, maxPromised+1)}}
		}},
		"a signing key that signs for everybody": {AdminRefused, func(w *world, p *plan) {
			p.admin = append(p.admin, &factom.SigningKey{Identity: w.servers[0].id, Height: w.height()})
		}},
		"credits nobody bought": {BadIncrease, func(_ *world, p *plan) {
			p.increases = []*factom.BalanceIncrease{{Key: keyOf("thief").Public(), TXID: wire.Hash{1}, Credits: 5}}
		}},
		"more credits than were bought": {BadIncrease, func(_ *world, p *plan) {
			x := p.transactions[0]
			p.increases = []*factom.BalanceIncrease{{Key: keyOf("poor").Public(), TXID: x.TXID(), Credits: 3001}}
		}},
		"credits given twice": {BadIncrease, func(_ *world, p *plan) {
			x := &factom.BalanceIncrease{Key: keyOf("poor").Public(), TXID: p.transactions[0].TXID(), Credits: 3000}
			p.increases = []*factom.BalanceIncrease{x, x}
		}},
		"credits that cost nothing": {FeeTooLow, func(_ *world, p *plan) {
			p.factoid = func(f *factom.FactoidBlockHeader, _ *factom.Transaction) { f.Rate = 0 }
		}},
		"a fee below the rate": {FeeTooLow, func(w *world, p *plan) {
			p.transactions[0].Inputs[0].Amount -= 101
			if err := p.transactions[0].Sign(keyOf("rich")); err != nil {
				panic(err)
			}
		}},
		"factoids somebody does not have": {Overdraft, func(w *world, p *plan) {
			p.transactions = append(p.transactions, w.transfer("poor", "thief", 20_000_00000000, 0))
		}},
		"credits somebody does not have": {Overdraft, func(w *world, p *plan) {
			e, _ := w.entry("chain 1", "on credit")
			p.entries = append(p.entries, e)
			p.commits = append(p.commits, must(factom.NewEntryCommit(e.bytes, w.time(), keyOf("nobody"))))
		}},
		"factoids that somebody else signed away": {BadSignature, func(_ *world, p *plan) {
			p.transactions[0].Signatures[0][40] ^= 1
		}},
		"a commit its payer did not sign": {BadSignature, func(_ *world, p *plan) {
			p.commits[1].Signature[40] ^= 1
		}},
		"a factoid transaction recorded again": {Repeated, func(w *world, p *plan) {
			x := w.transfer("rich", "poor", 1000, 1000)
			w.close(plan{transactions: []*factom.Transaction{x}, coinbase: p.coinbase, admin: p.admin})
			*p = plan{transactions: []*factom.Transaction{x}, coinbase: coinbaseAt(w.height())}
		}},
		"a commit recorded again": {Repeated, func(w *world, p *plan) {
			p.commits = append(p.commits, p.commits[0])
		}},
		"a commit of another day": {OutsideWindow, func(w *world, p *plan) {
			e, _ := w.entry("chain 1", "old")
			p.entries = append(p.entries, e)
			p.commits = append(p.commits, must(factom.NewEntryCommit(e.bytes, w.opened()-windowMs-1, keyOf("payer"))))
		}},
		"a factoid transaction of another day": {OutsideWindow, func(w *world, p *plan) {
			x := &factom.Transaction{TimestampMs: w.opened() + windowMs + 1, Inputs: p.transactions[0].Inputs, Outputs: p.transactions[0].Outputs, ECOutputs: p.transactions[0].ECOutputs}
			if err := x.Sign(keyOf("rich")); err != nil {
				panic(err)
			}
			p.transactions[0] = x
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := attacked(t, h-1, a.change)
			f := r.Candidates[0].Fault
			if f == nil || f.Code != a.code || f.Height < h {
				t.Fatalf("fault %+v, want %s", f, a.code)
			}
			if r.Grades.Valid != int64(f.Height)-1 || r.Grades.Headers != int64(w.height())-1 {
				t.Errorf("%+v", r.Grades)
			}
		})
	}
}

func coinbaseAt(h uint32) []factom.TransAddress {
	if h >= 5 && (h-3)%2 == 0 {
		return promised2(h - 3)
	}
	return nil
}

// forgedCommit is a chain commit whose hashes are right for an entry whose external
// ids are not its chain's name.
func forgedCommit(w *world, entry []byte, chain wire.Hash) *factom.Commit {
	hash := factom.EntryHash(entry)
	c := &factom.Commit{
		Chain: true, TimestampMs: w.time(), ChainIDHash: factom.ChainIDHash(chain), Weld: factom.Weld(hash, chain),
		EntryHash: hash, Credits: 11, Payer: keyOf("payer").Public(),
	}
	c.Signature = keyOf("payer").SignMessage(c.Ledger())
	return c
}

func TestAnExpiredCommitIsForgotten(t *testing.T) {
	w := newWorld().run(3)
	_, c := w.entry("chain 1", "never shown")
	p := w.usual()
	p.commits = append(p.commits, c)
	w.close(p)
	w.close(plan{skipPeriods: 160, coinbase: coinbaseAt(w.height())})
	w.run(1)
	_, state := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	if state.Height() != 5 || len(state.unused.rows) != 0 {
		t.Errorf("at height %d, %d commits are kept", state.Height(), len(state.unused.rows))
	}
}

func TestAPaymentDueMustBeMade(t *testing.T) {
	_, r := attacked(t, 4, func(_ *world, p *plan) { p.coinbase = p.coinbase[:1] })
	faulty(t, r, CoinbaseRefused, 5)
}

func TestPromisesWaitForTheirHeight(t *testing.T) {
	_, r := attacked(t, 2, func(_ *world, p *plan) {
		p.admin = append(p.admin, &factom.CoinbaseDescriptor{Outputs: promised2(3)})
	})
	faulty(t, r, CoinbaseRefused, 3)
}

func TestAForgedHeadChangesNothing(t *testing.T) {
	w := newWorld().run(5)
	forged := w.clone()
	thief := newSigner("thief")
	w.run(2)
	for range 4 { // longer, and proposed by more
		p := forged.usual()
		p.signers = []signer{thief}
		forged.close(p)
	}
	peers := []Peer{&peer{name: "x", world: forged}, &peer{name: "y", world: forged}, &peer{name: "z", world: forged}, &peer{name: "honest", world: w}}
	r, state := scanned(t, w.network(), peers, nil, Options{}, nil)
	graded(t, r, 7, 6, 6, None)
	if r.Chosen != 1 || r.Candidates[1].Head != w.keys[7] || len(r.Candidates[0].Peers) != 3 || state.KeyMR() != w.keys[6] {
		t.Errorf("chosen %d, state at %d", r.Chosen, state.Height())
	}
	faultOf(t, r, 0, Unsigned, 5)
	if n := found(r.Candidates[0].Notes, ForeignSignature); n == nil || n.Height != 5 {
		t.Errorf("%+v", n)
	}
	if len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestBodiesOfUnsignedBlocksAreNotFetched(t *testing.T) {
	w := newWorld().run(3)
	known := len(w.objects)
	before := w.clone()
	for range 4 {
		p := w.usual()
		p.signers = []signer{newSigner("thief")}
		w.close(p)
	}
	p := of(w)
	p.change = func(kind Kind, key wire.Hash, b []byte) ([]byte, error) {
		if _, ok := before.objects[object{kind, key}]; !ok && kind != Directory && kind != Admin {
			t.Errorf("%s %s is fetched, though nobody signed it", kind, key)
		}
		return b, nil
	}
	r, _ := scanned(t, w.network(), []Peer{p}, nil, Options{}, nil)
	faulty(t, r, Unsigned, 3)
	if known == 0 {
		t.Error("nothing was honest")
	}
}

func TestAHeadThatDoesNotEndInTheGenesisIsDropped(t *testing.T) {
	w := newWorld().run(3)
	other := newWorld()
	other.objects, other.heights, other.keys = map[object][]byte{}, map[object]uint32{}, nil
	other.tail = tail{}
	other.close(plan{signers: []signer{}, coinbase: nil, admin: w.servers[0].join(0)})
	other.run(5)
	r, _ := scanned(t, w.network(), []Peer{&peer{name: "other", world: other}, of(w)}, nil, Options{}, nil)
	faultOf(t, r, 0, NotGenesis, 0)
	graded(t, r, 3, 2, 2, None)
	if r.Chosen != 1 {
		t.Errorf("chosen %d", r.Chosen)
	}
}

func TestAMinorityDoesNotSign(t *testing.T) {
	w := newWorld().run(3)
	for range 3 {
		p := w.usual()
		p.signers = w.servers[:1]
		// The same server again, with two signatures, is one server.
		p.late = []factom.AdminMessage{w.servers[0].sign(w.header)}
		w.close(p)
	}
	w.run(1)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, Unsigned, 3)
	graded(t, r, 7, 2, 2, None)
	if n := found(r.Candidates[0].Notes, VoidSignature); n == nil || n.Height != 3 || n.Count != 1 {
		t.Errorf("%+v", n)
	}
}

func TestALaterMajorityCoversBlocksWithoutOneIfThatIsAllowed(t *testing.T) {
	w := newWorld().run(3)
	for range 2 { // blocks 3 and 4 are signed by one of three
		p := w.usual()
		p.signers = w.servers[:1]
		w.close(p)
	}
	w.run(3)
	for allowed, valid := range map[uint32]int64{0: 2, 1: 2, 2: 7, 9: 7} {
		r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{MaxUnsigned: allowed}, nil)
		graded(t, r, 8, valid, valid, None)
		if n := found(r.Candidates[0].Notes, SignedThrough); (n != nil) != (valid == 7) || n != nil && (n.Height != 3 || n.Count != 2) {
			t.Errorf("%d allowed: %+v", allowed, n)
		}
	}
	if _, _, err := Run(t.Context(), w.network(), []Peer{of(w)}, nil, Options{MaxUnsigned: maxUnsigned + 1}, nil); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Error(err)
	}
}

func TestServersThatAnUnsignedBlockMadeDoNotCoverIt(t *testing.T) {
	w := newWorld().run(2)
	p := w.usual()
	thief := newSigner("thief")
	p.admin = append(p.admin, thief.join(w.height()+1)...)
	for _, s := range w.servers {
		p.admin = append(p.admin, s.leave(w.height()+1))
	}
	w.close(p) // height 3, signed by nobody; the thief signs from 4 on
	w.servers = []signer{thief}
	w.run(4)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{MaxUnsigned: 100}, nil)
	faulty(t, r, Unsigned, 3)
	graded(t, r, 7, 2, 2, None)
}

func TestRemovedServersDoNotSign(t *testing.T) {
	w := newWorld().run(2)
	p := w.usual()
	d, e := newSigner("d"), newSigner("e")
	p.admin = append(p.admin, w.servers[0].leave(w.height()), w.servers[1].leave(w.height()))
	p.admin = append(p.admin, append(d.join(w.height()), e.join(w.height())...)...)
	w.close(p) // height 3: servers are c, d, e; a and b go on signing with c
	w.run(3)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, Unsigned, 3)
	graded(t, r, 6, 2, 2, None)
}

func TestReplacedKeysDoNotSign(t *testing.T) {
	w := newWorld().run(2)
	p := w.usual()
	for _, s := range w.servers[:2] {
		p.admin = append(p.admin, &factom.SigningKey{Identity: s.id, Key: keyOf("new " + s.id.String()).Public(), Height: w.height()})
	}
	w.close(p)
	w.run(3)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, Unsigned, 3)
}

func TestAPeerThatLiesIsNotBelieved(t *testing.T) {
	w := newWorld().run(5)
	for name, change := range map[string]func([]byte) ([]byte, error){
		"another byte":   func(b []byte) ([]byte, error) { c := bytes.Clone(b); c[len(c)/2] ^= 1; return c, nil },
		"nothing":        func([]byte) ([]byte, error) { return nil, nil },
		"a byte more":    func(b []byte) ([]byte, error) { return append(bytes.Clone(b), 0), nil },
		"much more":      func(b []byte) ([]byte, error) { return make([]byte, factom.MaxAdminBlock+1), nil },
		"no answer":      func([]byte) ([]byte, error) { return nil, errors.New("gone") },
		"an older block": func([]byte) ([]byte, error) { return w.objects[object{Directory, w.keys[1]}], nil },
	} {
		liar := &peer{name: "liar", world: w, change: func(_ Kind, _ wire.Hash, b []byte) ([]byte, error) { return change(b) }}
		r, _ := scanned(t, w.network(), []Peer{liar, of(w)}, nil, Options{}, nil)
		graded(t, r, 5, 4, 4, None)
		if c := r.Peers[0]; c.Lied+c.Failed == 0 || c.Last == "" || r.Peers[1].Lied+r.Peers[1].Failed != 0 {
			t.Errorf("%s: %+v", name, r.Peers)
		}
		// Alone it proves nothing.
		r, _ = scanned(t, w.network(), []Peer{liar}, nil, Options{}, nil)
		if r.Grades.Valid != None || r.Chosen != -1 {
			t.Errorf("%s: %+v", name, r.Grades)
		}
	}
}

func TestAPeerThatChangesAnOldBlockIsFoundOut(t *testing.T) {
	w := newWorld().run(2)
	other := w.clone()
	w.run(4)
	_, state := scanned(t, w.network(), []Peer{of(w)}, nil, Options{}, nil)
	// Later the servers sign another history from height 3 on.
	p := other.usual()
	p.entries, p.commits = p.entries[:1], p.commits[:1]
	other.close(p)
	other.run(6)
	r, after := scanned(t, w.network(), []Peer{of(other)}, nil, Options{}, state)
	faulty(t, r, Rewritten, 5)
	if r.Chosen != -1 || after != nil {
		t.Errorf("chosen %d", r.Chosen)
	}
}

func TestTwoSignedChainsAreAFork(t *testing.T) {
	w := newWorld().run(3)
	other := w.clone()
	p := other.usual()
	p.entries, p.commits = p.entries[:1], p.commits[:1]
	other.close(p)
	other.run(6)
	w.run(3)
	peers := []Peer{of(w), &peer{name: "a", world: other}, &peer{name: "b", world: other}}
	r, state := scanned(t, w.network(), peers, nil, Options{}, nil)
	graded(t, r, 3, 3, 3, None)
	if f := found(r.Findings, Fork); f == nil || f.Height != 4 || r.Chosen != -1 || state != nil {
		t.Errorf("chosen %d, %+v", r.Chosen, r.Findings)
	}
	// An anchor decides, whoever is longer or has more peers.
	r, state = scanned(t, w.network(), peers, anchoring(w), Options{}, nil)
	graded(t, r, 6, 5, 5, 5)
	if f := found(r.Findings, Conflict); f == nil || r.Chosen != 0 || state.KeyMR() != w.keys[5] {
		t.Errorf("chosen %d, %+v", r.Chosen, r.Findings)
	}
	faultOf(t, r, 1, ForgedAnchor, 4)
}

func TestASignedChainThatBreaksRulesYields(t *testing.T) {
	w := newWorld().run(3)
	other := w.clone()
	p := other.usual()
	e, _ := other.entry("chain 1", "free")
	p.entries = append(p.entries, e)
	other.close(p)
	other.run(6)
	w.run(3)
	r, _ := scanned(t, w.network(), []Peer{&peer{name: "a", world: other}, of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	faultOf(t, r, 0, NotPaid, 4)
	if f := found(r.Findings, Conflict); f == nil || r.Chosen != 1 {
		t.Errorf("chosen %d, %+v", r.Chosen, r.Findings)
	}
}

func TestASignedChainThatIsWithheldIsAFork(t *testing.T) {
	w := newWorld().run(3)
	other := w.clone()
	p := other.usual()
	p.entries, p.commits = p.entries[:1], p.commits[:1]
	other.close(p)
	other.run(6)
	w.run(3)
	hidden := &peer{name: "a", world: other, change: func(kind Kind, key wire.Hash, b []byte) ([]byte, error) {
		if _, known := w.objects[object{kind, key}]; !known && kind == EntryBlock {
			return nil, errors.New("withheld")
		}
		return b, nil
	}}
	r, state := scanned(t, w.network(), []Peer{of(w), hidden}, nil, Options{}, nil)
	graded(t, r, 3, 3, 3, None)
	faultOf(t, r, 1, Missing, 4)
	if found(r.Findings, Fork) == nil || r.Chosen != -1 || state != nil {
		t.Errorf("chosen %d, %+v", r.Chosen, r.Findings)
	}
	r, _ = scanned(t, w.network(), []Peer{of(w), hidden}, anchoring(w), Options{}, nil)
	graded(t, r, 6, 5, 5, 5)
}

func TestUnsignedTipsAreUndecided(t *testing.T) {
	w := newWorld().run(3)
	other := w.clone()
	w.run(1)
	other.close(plan{})
	r, state := scanned(t, w.network(), []Peer{of(w), &peer{name: "a", world: other}}, nil, Options{}, nil)
	graded(t, r, 3, 3, 3, None)
	if f := found(r.Findings, Undecided); f == nil || f.Height != 4 || state.Height() != 3 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestMadeUpBlocksOnTopOfAnHonestHeadAreLeftOut(t *testing.T) {
	w := newWorld().run(5)
	longer := w.clone()
	for range 4 {
		p := longer.usual()
		p.signers = []signer{newSigner("thief")}
		longer.close(p)
	}
	r, _ := scanned(t, w.network(), []Peer{&peer{name: "liar", world: longer}, of(w)}, nil, Options{}, nil)
	graded(t, r, 5, 4, 4, None)
	if c := r.Candidates[1]; r.Chosen != 1 || c.Fault != nil || len(c.Notes) != 0 || len(r.Findings) != 0 {
		t.Errorf("chosen %d: %s", r.Chosen, wire.EncodeJSON(r))
	}
	faultOf(t, r, 0, Unsigned, 5)
}

func TestOneHeadMayBeBehindAnother(t *testing.T) {
	w := newWorld().run(6)
	r, _ := scanned(t, w.network(), []Peer{&peer{name: "slow", world: w, head: w.keys[3]}, of(w)}, nil, Options{}, nil)
	graded(t, r, 6, 5, 5, None)
	clean(t, r)
	if r.Chosen != 1 || r.Candidates[0].Grades != (Grades{3, 3, 3, None}) {
		t.Errorf("chosen %d, %+v", r.Chosen, r.Candidates[0].Grades)
	}
}

func TestHeadersOfAnotherNetworkAreRefused(t *testing.T) {
	w := newWorld().run(3)
	n := w.network()
	n.ID = factom.MainNetwork
	r, _ := scanned(t, n, []Peer{of(w)}, nil, Options{}, nil)
	faulty(t, r, BadHeader, 3)
}

func TestChainsAreBounded(t *testing.T) {
	w := newWorld().run(5)
	r, _ := scanned(t, w.network(), []Peer{of(w)}, nil, Options{MaxBlocks: 5}, nil)
	faulty(t, r, TooMuch, 5)
	r, _ = scanned(t, w.network(), []Peer{of(w)}, nil, Options{MaxBlocks: 6}, nil)
	graded(t, r, 5, 4, 4, None)
}

func TestNoPeerIsNoResult(t *testing.T) {
	w := newWorld().run(2)
	p := &peer{name: "gone", world: w, head: wire.Hash{1}}
	r, state, err := Run(context.Background(), w.network(), []Peer{p}, nil, Options{}, nil)
	if err != nil || state != nil || r.Chosen != -1 || found(r.Findings, NoHead) == nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAPeerThatHoldsRequestsCostsTimeOnly(t *testing.T) {
	w := newWorld().run(2)
	r, _ := scanned(t, w.network(), []Peer{silent{}, of(w)}, nil, Options{Timeout: time.Millisecond}, nil)
	graded(t, r, 2, 1, 1, None)
	if r.Peers[0].Failed == 0 || r.Peers[0].Lied != 0 {
		t.Errorf("%+v", r.Peers[0])
	}
}

// silent is a peer that never answers.
type silent struct{}

func (silent) Name() string { return "silent" }

func (silent) Head(ctx context.Context) (wire.Hash, error) {
	<-ctx.Done()
	return wire.Hash{}, ctx.Err()
}

func (silent) DirectoryAt(ctx context.Context, _ uint32) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Object(ctx context.Context, _ Kind, _ wire.Hash) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestHeadersThatDoNotFollowAreDropped(t *testing.T) {
	for name, change := range map[string]func(*factom.DirectoryBlockHeader){
		"a height left out":   func(d *factom.DirectoryBlockHeader) { d.Height++ },
		"a height again":      func(d *factom.DirectoryBlockHeader) { d.Height-- },
		"time that runs back": func(d *factom.DirectoryBlockHeader) { d.Minutes -= 11 },
		"another network":     func(d *factom.DirectoryBlockHeader) { d.NetworkID++ },
	} {
		_, r := attacked(t, 3, func(_ *world, p *plan) {
			p.directory = func(d *factom.DirectoryBlockHeader, pairs []factom.Pair) []factom.Pair {
				change(d)
				return pairs
			}
		})
		if f := r.Candidates[0].Fault; f == nil || f.Code != BadHeader || r.Chosen != -1 || r.Grades.Headers != None {
			t.Errorf("%s: %+v, %+v", name, f, r.Grades)
		}
	}
}

func TestAChainThatBeginsInTheMiddleIsDropped(t *testing.T) {
	_, r := attacked(t, 3, func(_ *world, p *plan) {
		p.directory = func(d *factom.DirectoryBlockHeader, pairs []factom.Pair) []factom.Pair {
			d.PrevKeyMR = wire.Hash{}
			return pairs
		}
	})
	faulty(t, r, NotGenesis, 4)
}

// BenchmarkScan reads and judges everything of a small network again and again.
func BenchmarkScan(b *testing.B) {
	w := newWorld().run(50)
	entries := 0
	for o := range w.objects {
		if o.kind == Entry {
			entries++
		}
	}
	for b.Loop() {
		r, _, err := Run(b.Context(), w.network(), []Peer{of(w)}, nil, Options{}, nil)
		if err != nil || r.Grades.Valid != 49 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
}
