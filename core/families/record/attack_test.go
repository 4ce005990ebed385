package record_test

import (
	"bytes"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	"cloister/wire/factom"
	public "cloister/wire/record"
)

// Specification §13, attack 8, and the replay table of §7: nothing that was
// recorded is recorded again unless somebody pays again, at no later time.
func TestAttack8Replay(t *testing.T) {
	c := newChain(t)
	e, more := first("a", "x"), further("a", "y")
	messages := map[string]*wire.Tx{
		"chain commit": commit(c, alice, e, true, nil), "chain reveal": reveal(c, e),
		"entry commit": commit(c, alice, more, false, nil), "entry reveal": reveal(c, more),
		"chain pair": c.CreateChain(alice, "b"), "entry pair": c.AddEntry(alice, "a", "z"),
	}
	c.OK(messages["chain commit"], messages["chain reveal"], messages["entry commit"], messages["entry reveal"], messages["chain pair"], messages["entry pair"])
	start := c.Ledger.Tip().Header.TimeMs
	for _, after := range []uint64{1, 60_000, hour, 11 * hour, 12*hour - 1, 12 * hour, 12*hour + 600_000, 24 * hour, 25 * hour, 300 * hour} {
		for name, tx := range messages {
			r := c.Result(c.RunAt(max(start+after, c.Ledger.Tip().Header.TimeMs+1), tx), 0)
			if r.Code == wire.OK || r.Credits != 0 {
				t.Fatalf("%s, %d ms later: %s for %d credits", name, after, r.Code, r.Credits)
			}
		}
	}
	for name, want := range map[string]uint64{"a": 3, "b": 1} {
		if got, _ := chainOf(c, name); got.Entries != want {
			t.Errorf("chain %s has %d entries, want %d", name, got.Entries, want)
		}
	}
}

// One key pays once per millisecond, whatever for; another key is not concerned.
func TestAttack8OneCommitPerKeyAndMillisecond(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	stamp := c.Stamp()
	at := func(m *factom.Commit) { m.TimestampMs = stamp }
	now(c, commit(c, alice, further("a", "1"), false, at), wire.OK, 1)
	now(c, commit(c, alice, further("a", "2"), false, at), wire.ErrReplayed, 0)
	now(c, commit(c, bob, further("a", "2"), false, at), wire.OK, 1)
	pair, err := public.AddEntry(further("a", "3"), stamp, alice)
	if err != nil {
		t.Fatal(err)
	}
	now(c, c.Carry(public.Name, pair), wire.ErrReplayed, 0)
}

// A commit that was refused has used up nothing.
func TestARefusedCommitMayComeAgain(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	tx := commit(c, ledgertest.Pauper, further("a", "x"), false, nil)
	if r := c.One(tx); r.Code != wire.ErrInsufficientCredits {
		t.Fatal(r.Code)
	}
	c.OK(c.Buy(alice, ledgertest.Rate, ledgertest.Pauper.Public()))
	c.OK(tx)
}

// Specification §13, attack 12, and the difference of §14 that is ours: the first
// commit for a name keeps others from it for an hour.
func TestAttack12DenialOfAChain(t *testing.T) {
	c := newChain(t)
	mine, theirs := first("a", "mine"), first("a", "theirs")
	held := c.NextMs()
	is(c, held, commit(c, alice, mine, true, nil), wire.OK, 11)
	now(c, commit(c, bob, theirs, true, nil), wire.OK, 11)
	now(c, reveal(c, theirs), wire.ErrChainHeld, 0)
	now(c, c.CreateChain(bob, "a"), wire.ErrChainHeld, 0)
	is(c, held+hour-1, reveal(c, theirs), wire.ErrChainHeld, 0)
	now(c, commit(c, bob, theirs, true, paying(12)), wire.OK, 12) // more credits do not help
	is(c, held+hour+2000, reveal(c, theirs), wire.OK, 0)
	now(c, reveal(c, mine), wire.ErrChainExists, 0)
}

func TestAttack12TheHolderCreatesItsChain(t *testing.T) {
	c := newChain(t)
	mine, theirs := first("a", "mine"), first("a", "theirs")
	c.OK(commit(c, alice, mine, true, nil), commit(c, bob, theirs, true, nil))
	now(c, reveal(c, mine), wire.OK, 0)
	now(c, reveal(c, theirs), wire.ErrChainExists, 0)
	if got, _ := chainOf(c, "a"); got.Entries != 1 {
		t.Errorf("%d entries", got.Entries)
	}
}

// The bound of the hour is exact.
func TestAttack12AHoldEndsAfterAnHour(t *testing.T) {
	c := newChain(t)
	theirs, held := first("a", "theirs"), c.NextMs()
	is(c, held, commit(c, alice, first("a", "mine"), true, nil), wire.OK, 11)
	now(c, commit(c, bob, theirs, true, nil), wire.OK, 11)
	is(c, held+hour, reveal(c, theirs), wire.OK, 0)
}

// The same commitment again does not extend a hold, neither during its hour nor
// after it.
func TestAttack12AHoldIsNotExtended(t *testing.T) {
	for name, again := range map[string]uint64{"during": hour / 2, "after": hour} {
		c := newChain(t)
		mine, held := first("a", "mine"), c.NextMs()
		is(c, held, commit(c, alice, mine, true, nil), wire.OK, 11)
		is(c, held+again, commit(c, alice, mine, true, paying(12)), wire.OK, 12)
		c.RunAt(held + hour + 1)
		if r := c.One(c.CreateChain(bob, "a")); r.Code != wire.OK {
			t.Errorf("again %s the hour: %s", name, r.Code)
		}
	}
}

// After the hour the next commit holds the name, also against the first.
func TestAttack12TheNextCommitHoldsAfterTheHour(t *testing.T) {
	c := newChain(t)
	mine, theirs, held := first("a", "mine"), first("a", "theirs"), c.NextMs()
	is(c, held, commit(c, alice, mine, true, nil), wire.OK, 11)
	is(c, held+hour, commit(c, bob, theirs, true, nil), wire.OK, 11)
	now(c, reveal(c, mine), wire.ErrChainHeld, 0)
	now(c, reveal(c, theirs), wire.OK, 0)
	c.RunAt(held + 26*hour)
	c.Run()
	if n := waiting(c); n != 0 {
		t.Errorf("%d rows are left of it all", n)
	}
}

// What lapses of the first hold takes nothing from the second.
func TestAttack12AHoldLastsItsOwnHour(t *testing.T) {
	c := newChain(t)
	held := c.NextMs()
	is(c, held, commit(c, alice, first("a", "mine"), true, nil), wire.OK, 11)
	c.RunAt(held + day - hour/2 - 1)
	is(c, held+day-hour/2, commit(c, bob, first("a", "theirs"), true, nil), wire.OK, 11)
	c.RunAt(held + day + 1)
	c.Run()
	now(c, c.CreateChain(alice, "a"), wire.ErrChainHeld, 0)
	c.RunAt(held + day + hour/2)
	if r := c.One(c.CreateChain(alice, "a")); r.Code != wire.OK {
		t.Errorf("after the second hour: %s", r.Code)
	}
}

// Specification §13, attack 13, and the strict first-entry rule of §14: without
// any of the three conditions a commit serves no reveal, and its credits are lost.
func TestAttack13ForgedChainIDAndWeld(t *testing.T) {
	honest := first("a", "x")
	forged := bytes.Clone(honest)
	forged[1] ^= 1 // a chain id that the name does not hash to
	for name, x := range map[string]struct {
		entry []byte
		spoil func(*factom.Commit)
		want  wire.Code
	}{
		// What factomd accepts: the commit's hash is of the id the name gives.
		"chain id, committed by name": {forged, func(m *factom.Commit) { m.ChainIDHash = factom.ChainIDHash(ledgertest.ChainID("a")) }, wire.ErrNoCommit},
		"chain id, committed as is":   {forged, nil, wire.ErrWrongChainID},
		"chain id hash":               {honest, func(m *factom.Commit) { m.ChainIDHash[0] ^= 1 }, wire.ErrNoCommit},
		"weld":                        {honest, func(m *factom.Commit) { m.Weld[0] ^= 1 }, wire.ErrNoCommit},
		"weld in the paper's order": {honest, func(m *factom.Commit) {
			m.Weld = factom.Weld(ledgertest.ChainID("a"), m.EntryHash)
		}, wire.ErrNoCommit},
	} {
		c := newChain(t)
		c.OK(commit(c, alice, x.entry, true, x.spoil))
		show := reveal(c, x.entry)
		if got := c.Admit(show); got != x.want {
			t.Errorf("%s: admission says %s, want %s", name, got, x.want)
		}
		before, balance := c.Ledger.Tip(), c.Balance(alice)
		done := c.Run(show)
		if r := c.Result(done, 0); r.Code != x.want || r.Credits != 0 || len(r.Output) != 0 {
			t.Errorf("%s: the reveal is %+v, want %s", name, r, x.want)
		}
		if done.Exec.StateRoot != before.Exec.StateRoot || done.DataRoot != before.DataRoot || c.Balance(alice) != balance {
			t.Errorf("%s: something changed", name)
		}
		for _, id := range [][]byte{honest[1:33], forged[1:33]} {
			if _, exists := ledgertest.Load[public.Chain](c, public.Name, public.ChainKey(wire.Hash(id))); exists {
				t.Errorf("%s: there is a chain", name)
			}
		}
	}
}

// Whoever sees a commit can commit to the same entry with a weld that fits
// nothing, and pay more: it gets in nobody's way.
func TestAForgedCommitForAnothersEntryHarmsNobody(t *testing.T) {
	c := newChain(t)
	e := first("a", "x")
	c.OK(commit(c, alice, e, true, nil))
	c.OK(commit(c, bob, e, true, func(m *factom.Commit) { m.Weld[0] ^= 1; m.Credits = 20 }))
	now(c, reveal(c, e), wire.OK, 0)
	further := ledgertest.Entry(ledgertest.ChainID("a"), "n", "y")
	c.OK(commit(c, alice, further, false, nil))
	c.OK(commit(c, bob, further, true, func(m *factom.Commit) { m.ChainIDHash[0] ^= 1; m.Credits = 20 }))
	now(c, reveal(c, further), wire.OK, 0)
}

// A pair with a forged half is refused before anybody is charged.
func TestAttack13ForgedPairs(t *testing.T) {
	c := newChain(t)
	e := first("a", "x")
	paid, err := public.Decode(commit(c, alice, e, true, func(m *factom.Commit) { m.Weld[0] ^= 1 }).Payload)
	if err != nil {
		t.Fatal(err)
	}
	payload := append(append([]byte{public.KindChainPair}, paid.Paid...), e...)
	now(c, c.Carry(public.Name, payload), wire.ErrVoidReveal, 0)
}

// Specification §3: factomd re-serialises a malformed area of external ids and so
// acknowledges a hash nobody sent; here nobody can send one.
func TestMalformedExternalIDsAreRefusedAndNothingIsChanged(t *testing.T) {
	c := newChain(t)
	good := first("a", "x")
	c.Run() // the period begins
	for name, spoil := range map[string]func(e []byte){
		"area longer than the entry":   func(e []byte) { e[34] = 200 },
		"element across the area":      func(e []byte) { e[36]++ },
		"another version":              func(e []byte) { e[0] = 1 },
		"area ends inside the element": func(e []byte) { e[34]-- },
	} {
		e := bytes.Clone(good)
		spoil(e)
		before := c.Ledger.Tip().Exec.StateRoot
		tx := reveal(c, e)
		if got := c.Check(tx); got.Code != wire.ErrEntryMalformed {
			t.Errorf("%s: %s", name, got.Code)
		}
		if r := c.One(tx); r.Code != wire.ErrEntryMalformed || c.Ledger.Tip().Exec.StateRoot != before {
			t.Errorf("%s: %s in a block", name, r.Code)
		}
	}
}

// Difference of §14, ours: re-creating a chain is refused, factomd charges for it.
func TestAChainCommitForAnExistingChainIsRefused(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	now(c, commit(c, bob, first("a", "again"), true, nil), wire.ErrChainExists, 0)
	now(c, c.CreateChain(bob, "a"), wire.ErrChainExists, 0)
}

// A signature over a commit is the payer's, whoever carries it.
func TestNobodyPaysWithAnothersKey(t *testing.T) {
	c := newChain(t)
	tx := commit(c, alice, further("a", "x"), false, nil)
	tx.Payload[len(tx.Payload)-1] ^= 1
	if got := c.Check(tx); got.Code != wire.ErrBadSignature {
		t.Errorf("a forged commit: %s", got.Code)
	}
	for _, pair := range []*wire.Tx{c.CreateChain(alice, "a"), c.AddEntry(alice, "a", "x")} {
		pair.Payload[50] ^= 1 // inside the signed part
		if got := c.Check(pair); got.Code == wire.OK {
			t.Error("a changed pair is taken")
		}
	}
}
