package record_test

import (
	"fmt"
	"strings"
	"testing"

	"cloister/core/ledger/ledgertest"
	"cloister/wire"
	"cloister/wire/factom"
	public "cloister/wire/record"
)

const (
	hour = 60 * 60 * 1000 // ms
	day  = 24 * hour
)

var alice, bob = ledgertest.Alice, ledgertest.Bob

// commit makes the message that pays for an entry, as a chain's first if chain
// is set. spoil changes it before it is signed.
func commit(c *ledgertest.Chain, k wire.PrivateKey, entry []byte, chain bool, spoil func(*factom.Commit)) *wire.Tx {
	id := wire.Hash(entry[1:33])
	m := &factom.Commit{TimestampMs: c.Stamp(), EntryHash: factom.EntryHash(entry), Payer: k.Public(), Credits: uint8(factom.EntryCost(entry))}
	if chain {
		m.Chain, m.ChainIDHash, m.Weld = true, factom.ChainIDHash(id), factom.Weld(m.EntryHash, id)
		m.Credits += factom.ChainCreation
	}
	if spoil != nil {
		spoil(m)
	}
	m.Signature = k.SignMessage(m.Ledger())
	return c.Carry(public.Name, public.Commit(m.Bytes()))
}

// paying makes a commit hold a number of credits.
func paying(credits uint8) func(*factom.Commit) {
	return func(m *factom.Commit) { m.Credits = credits }
}

func reveal(c *ledgertest.Chain, entry []byte) *wire.Tx {
	return c.Carry(public.Name, public.Reveal(entry))
}

// first is the first entry of ChainID(name).
func first(name, content string) []byte {
	return ledgertest.Entry(ledgertest.ChainID(name), name, content)
}

// further is an entry of ChainID(name) that could not be its first.
func further(name, content string) []byte {
	return ledgertest.Entry(ledgertest.ChainID(name), "note", content)
}

// is runs a block of one message at a time after the start, both for admission
// and for good, and checks its code and what it costs.
func is(c *ledgertest.Chain, timeMs uint64, tx *wire.Tx, code wire.Code, credits uint64) {
	c.Helper()
	before := c.Balance(alice).Credits + c.Balance(bob).Credits
	r := c.Result(c.RunAt(timeMs, tx), 0)
	if r.Code != code || r.Credits != credits {
		c.Fatalf("%s for %d credits, want %s for %d", r.Code, r.Credits, code, credits)
	}
	if after := c.Balance(alice).Credits + c.Balance(bob).Credits; before-after != credits {
		c.Fatalf("%d credits were taken, the result says %d", before-after, credits)
	}
}

// now is is for the next block.
func now(c *ledgertest.Chain, tx *wire.Tx, code wire.Code, credits uint64) {
	c.Helper()
	if got := c.Admit(tx); got != code {
		c.Fatalf("admission says %s, want %s", got, code)
	}
	is(c, c.NextMs(), tx, code, credits)
}

// waiting counts the rows of unproved state that commits leave while they wait:
// the commits, the holds and the deadlines.
func waiting(c *ledgertest.Chain) (n int) {
	for _, table := range "uhx" {
		prefix := append([]byte("arecord\x00"), byte(table))
		end := append([]byte("arecord\x00"), byte(table)+1)
		if err := c.Store.Iter(prefix, end, func(_, _ []byte) bool { n++; return true }); err != nil {
			c.Fatal(err)
		}
	}
	return n
}

func TestACommitPaysAndItsRevealIsFree(t *testing.T) {
	c := newChain(t)
	e, next := first("a", "x"), further("a", strings.Repeat("y", 1500))
	paid := commit(c, alice, e, true, nil)
	r := c.One(paid)
	m, err := public.Decode(paid.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if txid := m.Commit.TXID(); r.Code != wire.OK || r.Credits != 11 || string(r.Output) != string(txid[:]) {
		t.Fatalf("%+v, want the TXID %s", r, txid)
	}
	if _, exists := chainOf(c, "a"); exists {
		t.Fatal("a commit made the chain it is to hide")
	}
	r = c.One(reveal(c, e))
	if hash := factom.EntryHash(e); r.Code != wire.OK || r.Credits != 0 || string(r.Output) != string(hash[:]) {
		t.Fatalf("%+v, want the entry's hash %s", r, hash)
	}
	now(c, commit(c, bob, next, false, nil), wire.OK, 2)
	now(c, reveal(c, next), wire.OK, 0)
	if got, _ := chainOf(c, "a"); got.Entries != 2 {
		t.Fatalf("%d entries", got.Entries)
	}
	if n := waiting(c); n != 0 {
		t.Fatalf("%d rows wait for nothing", n)
	}
}

// Specification §4: a reveal without its commit is held by whoever has it, and
// serves once the commit is ordered.
func TestARevealComesAgainAfterItsCommit(t *testing.T) {
	c := newChain(t)
	e := first("a", "x")
	early := reveal(c, e)
	now(c, early, wire.ErrNoCommit, 0)
	now(c, commit(c, alice, e, true, nil), wire.OK, 11)
	now(c, early, wire.OK, 0)

	orphan := further("b", "x")
	now(c, commit(c, alice, orphan, false, nil), wire.OK, 1)
	now(c, reveal(c, orphan), wire.ErrUnknownChain, 0)
	c.OK(c.CreateChain(bob, "b"))
	now(c, reveal(c, orphan), wire.OK, 0)
}

func TestOneCommitServesOneReveal(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	e := further("a", "x")
	c.OK(commit(c, alice, e, false, nil))
	done := c.Run(reveal(c, e), reveal(c, e))
	if a, b := c.Result(done, 0).Code, c.Result(done, 1).Code; a != wire.OK || b != wire.ErrNoCommit {
		t.Fatalf("%s, then %s", a, b)
	}
	now(c, reveal(c, e), wire.ErrNoCommit, 0)
}

// Difference of §14, ours: the same entry paid twice is recorded twice, in
// pairs and in halves.
func TestTheSameEntryPaidTwiceIsRecordedTwice(t *testing.T) {
	c := newChain(t)
	e := further("a", "x")
	c.OK(c.CreateChain(alice, "a"), c.AddEntry(alice, "a", "x"), c.AddEntry(alice, "a", "x"))
	for range 2 {
		c.OK(commit(c, alice, e, false, nil), reveal(c, e))
	}
	// A pair leaves the commit of another alone.
	c.OK(commit(c, bob, e, false, nil), c.AddEntry(alice, "a", "x"), reveal(c, e))
	if got, _ := chainOf(c, "a"); got.Entries != 7 {
		t.Errorf("%d entries, want the first and six more", got.Entries)
	}
}

// Specification §4 rule 3.
func TestAHigherCommitReplacesALowerOne(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	e := further("a", "x")
	now(c, commit(c, alice, e, false, paying(3)), wire.OK, 3)
	now(c, commit(c, bob, e, false, paying(2)), wire.ErrRepeatedCommit, 0)
	now(c, commit(c, bob, e, false, paying(3)), wire.ErrRepeatedCommit, 0)
	now(c, commit(c, bob, e, false, paying(4)), wire.OK, 4)
	now(c, commit(c, alice, e, false, paying(4)), wire.ErrRepeatedCommit, 0)
	now(c, reveal(c, e), wire.OK, 0)
	now(c, reveal(c, e), wire.ErrNoCommit, 0)
	now(c, commit(c, alice, e, false, paying(1)), wire.OK, 1)
}

// The credits stay spent, and more of them help.
func TestAnUnderpaidRevealIsNotRecorded(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	long := strings.Repeat("x", 1025)
	for e, chain := range map[string]bool{string(further("a", long)): false, string(first("b", long)): true} {
		enough := uint8(2)
		if chain {
			enough += factom.ChainCreation
		}
		now(c, commit(c, alice, []byte(e), chain, paying(enough-1)), wire.OK, uint64(enough-1))
		now(c, reveal(c, []byte(e)), wire.ErrUnderpaid, 0)
		now(c, reveal(c, []byte(e)), wire.ErrUnderpaid, 0)
		now(c, commit(c, alice, []byte(e), chain, paying(enough)), wire.OK, uint64(enough))
		now(c, reveal(c, []byte(e)), wire.OK, 0)
	}
}

// Difference of §14, ours: 24 h from when the commit is ordered; then it is void,
// its credits are lost and nothing of it stays in memory.
func TestACommitIsVoidAfterADay(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	intime, late, again, name := further("a", "1"), further("a", "2"), further("a", "3"), first("b", "4")
	ordered := c.NextMs()
	done := c.RunAt(ordered, commit(c, alice, intime, false, nil), commit(c, alice, late, false, nil),
		commit(c, alice, again, false, paying(9)), commit(c, alice, name, true, nil))
	for i := range 4 {
		if r := c.Result(done, i); r.Code != wire.OK {
			t.Fatal(r.Code)
		}
	}
	is(c, ordered+day-1, reveal(c, intime), wire.OK, 0)
	is(c, ordered+day, reveal(c, late), wire.ErrNoCommit, 0)
	is(c, ordered+day+1, commit(c, bob, again, false, nil), wire.OK, 1) // the void one with more credits is no obstacle
	c.RunAt(ordered + day + 2)
	if n := waiting(c); n != 2 {
		t.Fatalf("%d rows wait, want the new commit and its deadline", n)
	}
	is(c, ordered+day+3, reveal(c, again), wire.OK, 0)
	if n := waiting(c); n != 0 {
		t.Fatalf("%d rows wait", n)
	}
}

// A higher commit has its own day.
func TestAHigherCommitLastsItsOwnDay(t *testing.T) {
	c := newChain(t)
	c.OK(c.CreateChain(alice, "a"))
	e, ordered := further("a", "x"), c.NextMs()
	is(c, ordered, commit(c, alice, e, false, nil), wire.OK, 1)
	is(c, ordered+hour, commit(c, alice, e, false, paying(2)), wire.OK, 2)
	c.RunAt(ordered + day + 1)
	c.Run()
	is(c, ordered+day+hour-1, reveal(c, e), wire.OK, 0)
}

// However many commits lapse at one moment, a block forgets a bounded number.
func TestLapsedCommitsAreSweptInParts(t *testing.T) {
	c := newChain(t)
	var txs []*wire.Tx
	for i := range 600 {
		txs = append(txs, commit(c, alice, further("a", fmt.Sprint(i)), false, nil))
	}
	ordered := c.OK(txs...).Header.TimeMs
	c.RunAt(ordered + day)
	if n := waiting(c); n != 1200 {
		t.Fatalf("%d rows after a day, want all 1200", n)
	}
	for i, want := range []int{688, 176, 0} {
		c.RunAt(ordered + day + 1 + uint64(i))
		if n := waiting(c); n != want {
			t.Fatalf("%d rows after %d sweeps, want %d", n, i+1, want)
		}
	}
}

// Difference of §14, ours: what counts is the opening of the period that orders
// the commit, within 12 h, ends included.
func TestTheCommitWindowIsTwelveHoursAroundThePeriodsOpening(t *testing.T) {
	for offset, want := range map[int64]wire.Code{
		-12 * hour: wire.OK, -12*hour - 1: wire.ErrOutsideWindow, 12 * hour: wire.OK, 12*hour + 1: wire.ErrOutsideWindow, 1 << 46: wire.ErrOutsideWindow,
	} {
		c := newChain(t)
		c.OK(c.CreateChain(alice, "a"))
		opened := public.Period(c.NextMs(), public.DefaultPeriodMs)
		signed := func(m *factom.Commit) { m.TimestampMs = opened + uint64(offset) }
		credits := uint64(0)
		if want == wire.OK {
			credits = 1
		}
		now(c, commit(c, alice, further("a", "x"), false, signed), want, credits)
	}
}

// Balances never go negative, also within one block.
func TestCommitsNeverSpendMoreThanThereIs(t *testing.T) {
	c := newChain(t)
	pauper := ledgertest.Pauper
	c.OK(c.CreateChain(alice, "a"), c.Buy(alice, 3*ledgertest.Rate, pauper.Public()))
	done := c.Run(commit(c, pauper, further("a", "1"), false, paying(2)), commit(c, pauper, further("a", "2"), false, paying(2)),
		c.AddEntry(pauper, "a", "3"), c.AddEntry(pauper, "a", "4"))
	for i, want := range []wire.Code{wire.OK, wire.ErrInsufficientCredits, wire.OK, wire.ErrInsufficientCredits} {
		if r := c.Result(done, i); r.Code != want {
			t.Errorf("message %d: %s, want %s", i, r.Code, want)
		}
	}
	if b := c.Balance(pauper); b.Credits != 0 {
		t.Errorf("%d credits left", b.Credits)
	}
}
