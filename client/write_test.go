package client_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"cloister/client"
	"cloister/host/api"
	"cloister/host/api/apitest"
	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/receipt"
	"cloister/wire/record"
	"cloister/wire/token"
)

func TestStampsAreEachHandedOutOnce(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	s := client.StampsAt(&clock)
	var mu sync.Mutex
	var all []uint64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				at, err := s.Next(bg)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				all = append(all, at)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(all)
	for i, at := range all {
		if want := uint64(clock.UnixMilli()) + uint64(i); at != want {
			t.Fatalf("stamp %d is %d, want %d", i, at, want)
		}
	}
	clock = clock.Add(-time.Hour) // a clock that is set back hands out nothing twice
	if at, _ := s.Next(canceled()); at != all[len(all)-1]+1 {
		t.Errorf("after the clock was set back: %d", at)
	}
	clock = clock.Add(3 * time.Hour)
	if at, err := s.Next(bg); err != nil || at != uint64(clock.UnixMilli()) {
		t.Errorf("once the clock is ahead again: %d, %v", at, err)
	}
}

func TestABurstOfStampsWaitsForTheClockAtMaxAhead(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	s := client.StampsAt(&clock)
	ctx := canceled()
	for i := range uint64(client.MaxAhead/time.Millisecond) + 1 {
		if _, err := s.Next(ctx); err != nil {
			t.Fatalf("stamp %d: %v", i, err)
		}
	}
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("beyond the bound: %v", err)
	}
	clock = clock.Add(time.Minute)
	if _, err := s.Next(ctx); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestStampsGoOnWhereAnotherProcessEnded(t *testing.T) {
	clock := time.UnixMilli(1_700_000_000_000)
	now := uint64(clock.UnixMilli())
	s := client.StampsAt(&clock)
	for _, x := range []struct{ after, want uint64 }{
		{now + 340, now + 341}, {now - 5, now + 342}, {now + 342, now + 343},
		{now + 1<<40, now + uint64(client.MaxAhead.Milliseconds()) + 1}, // nobody's burst comes so far
	} {
		s.After(x.after)
		if at, _ := s.Next(canceled()); at != x.want {
			t.Errorf("after %d: %d, want %d", x.after, at, x.want)
		}
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

func TestChainsAndEntriesAreWrittenByPairs(t *testing.T) {
	l := apitest.New(3)
	c := reader(t, l)
	first, second := apitest.Entry("books", []byte("first")), apitest.Entry("books", []byte("second"))
	if st, err := c.CreateChain(bg, apitest.Payer, first); err != nil || st.Result.Credits != 11 {
		t.Fatal(st, err)
	}
	if st, err := c.AddEntry(bg, apitest.Payer, second); err != nil || st.Result.Credits != 1 {
		t.Fatal(st, err)
	}
	l.Append(true)
	v, _, err := c.EntryReceipt(bg, factom.EntryHash(second), receipt.Executed)
	if err != nil || !v.Entry.Recorded || v.Commit == nil || *v.Payer != apitest.Payer.Public() {
		t.Fatalf("%+v %v", v, err)
	}
	for name, made := range map[string]func() (*wire.Tx, error){
		"chain under a foreign id": func() (*wire.Tx, error) {
			foreign := slices.Clone(first)
			foreign[1] ^= 1
			return c.ChainTx(bg, apitest.Payer, foreign)
		},
		"no entry":           func() (*wire.Tx, error) { return c.EntryTx(bg, apitest.Payer, []byte{1}) },
		"reveal of no entry": func() (*wire.Tx, error) { return c.RevealTx([]byte{1}) },
		"commit to no entry": func() (*wire.Tx, error) { return c.EntryCommitTx(bg, apitest.Payer, nil) },
	} {
		if tx, err := made(); err == nil || wire.CodeOf(err) == wire.ErrInternal {
			t.Errorf("%s: %v, %v", name, tx, err)
		}
	}
	if _, err := c.AddEntry(bg, apitest.Payer, nil); !errors.Is(err, wire.ErrEntryMalformed) {
		t.Errorf("nothing, submitted: %v", err)
	}
}

func TestACommitIsRevealedLater(t *testing.T) {
	c := reader(t, apitest.New(3))
	first, second := apitest.Entry("books", []byte("first")), apitest.Entry("books", []byte("second"))
	if _, err := c.Reveal(bg, first); !errors.Is(err, wire.ErrNoCommit) {
		t.Errorf("a reveal that nobody paid for: %v", err)
	}
	for _, x := range []struct {
		commit func(context.Context, wire.PrivateKey, []byte) (*client.TxStatus, error)
		entry  []byte
		cost   uint64
	}{{c.CommitChain, first, 11}, {c.CommitEntry, second, 1}} {
		if st, err := x.commit(bg, apitest.Payer, x.entry); err != nil || st.Result.Credits != x.cost {
			t.Fatal(st, err)
		}
		if _, err := c.Entry(bg, factom.EntryHash(x.entry)); !errors.Is(err, wire.ErrNotFound) {
			t.Errorf("the commit shows its entry: %v", err)
		}
		if st, err := c.Reveal(bg, x.entry); err != nil || st.Result.Credits != 0 {
			t.Fatal(st, err)
		}
		if e, err := c.Entry(bg, factom.EntryHash(x.entry)); err != nil || e.Chain != apitest.EntryChain("books") {
			t.Errorf("%+v %v", e, err)
		}
	}
}

func TestEntriesOfOneKeyAtOnceDoNotCollide(t *testing.T) {
	l := apitest.New(1)
	c := reader(t, l)
	if _, err := c.CreateChain(bg, apitest.Payer, apitest.Entry("books", nil)); err != nil {
		t.Fatal(err)
	}
	const many = 200
	times := make(chan uint64, many)
	var group sync.WaitGroup
	for range many {
		group.Go(func() { // the same entry each time: only its commit differs
			tx, err := c.EntryTx(bg, apitest.Payer, apitest.Entry("books", []byte("again")))
			if err != nil {
				t.Error(err)
				return
			}
			p, err := record.Decode(tx.Payload)
			if err != nil {
				t.Error(err)
				return
			}
			times <- p.Commit.TimestampMs
			if _, err := c.Submit(bg, tx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	close(times)
	seen := map[uint64]bool{}
	for at := range times {
		if seen[at] {
			t.Fatalf("two commits of time %d", at)
		}
		seen[at] = true
	}
	l.Append(true)
	if s, err := c.Chain(bg, apitest.EntryChain("books")); err != nil || s.Entries != many+1 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestPaymentsAndPurchasesPayTheExactFeeAtTheProvedRate(t *testing.T) {
	l := apitest.New(3)
	c := reader(t, l)
	l.Append(true) // commits to what the ledger began with
	rate, err := c.Rate(bg)
	if err != nil || rate != apitest.Rate {
		t.Fatalf("rate %d, %v", rate, err)
	}
	st, err := c.Pay(bg, apitest.Payer, alice, 42)
	if err != nil || st.Result.Fee != 12*rate { // 1 KiB, one output, one signature
		t.Fatalf("%+v %v", st, err)
	}
	l.Append(true)
	owner := wire.NewPrivateKey([32]byte{7}).Public()
	if st, err = c.BuyCredits(bg, apitest.Payer, owner, 300); err != nil || st.Result.Fee != 12*rate {
		t.Fatalf("%+v %v", st, err)
	}
	l.Append(true)
	if a, err := c.Account(bg, alice); err != nil || a.Factoshis != 42 || a.Credits != 0 {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := c.Account(bg, wire.AccountOf(owner)); err != nil || a.Factoshis != 0 || a.Credits != 300 {
		t.Errorf("%+v %v", a, err)
	}
	for _, credits := range []uint64{0, token.MaxAmount/apitest.Rate + 1, math.MaxUint64} {
		if tx, err := c.CreditsTx(bg, apitest.Payer, owner, credits); !errors.Is(err, wire.ErrBadAmount) {
			t.Errorf("%d credits: %v, %v", credits, tx, err)
		}
	}
	if tx, err := c.PaymentTx(bg, apitest.Payer, []token.Output{{To: alice}}, nil); !errors.Is(err, wire.ErrBadAmount) {
		t.Errorf("nothing paid: %v, %v", tx, err)
	}
}

// taken is a core that knows another message by the same key and time.
type taken struct{ api.Submitter }

func (taken) Submit(_ context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	items := make([]api.SubmitItem, len(txs))
	for i := range items {
		items[i].Code = wire.ErrReplayed
	}
	return items, nil
}

// A time that another message of the key has used is said so, and what was refused
// for it is not taken for recorded, whether or not an answer was lost before.
func TestATimeUsedByAnotherMessageIsNoRetry(t *testing.T) {
	for losses := range 2 {
		l := apitest.New(1)
		c := dial(t, l, client.Options{}, host(t, l, func(c *api.Config) {
			c.Submitter = &lossy{Submitter: taken{c.Submitter}, losses: losses}
		}))
		c.Poll(time.Millisecond)
		st, err := c.AddEntry(bg, apitest.Payer, apitest.Entry("books", nil))
		if !errors.Is(err, wire.ErrReplayed) || st.State != client.Unknown {
			t.Errorf("after %d lost answers: %+v %v", losses, st, err)
		}
	}
}

func TestAwaitSaysWhatBecameOfATransaction(t *testing.T) {
	l := apitest.New(1)
	c := reader(t, l)
	c.Poll(time.Millisecond)
	tx := l.Create("books", nil, 1)
	if st, err := c.Await(bg, tx.ID()); !errors.Is(err, wire.ErrNotFound) || st.State != client.Unknown {
		t.Errorf("before it is submitted: %+v %v", st, err)
	}
	if _, err := c.SubmitAsync(bg, tx); err != nil {
		t.Fatal(err)
	}
	if st, err := c.Await(bg, tx.ID()); err != nil || st.State != client.Committed || st.Height != 1 {
		t.Errorf("afterwards: %+v %v", st, err)
	}
}

// knowing answers what it has recorded with a code of its own, as a core does that
// knows no message again by its bytes.
type knowing struct {
	api.Submitter
	code wire.Code
	seen map[string]bool
}

func (k *knowing) Submit(ctx context.Context, txs [][]byte) ([]api.SubmitItem, error) {
	if len(txs) == 1 && k.seen[string(txs[0])] {
		return []api.SubmitItem{{Code: k.code}}, nil
	}
	for _, tx := range txs {
		k.seen[string(tx)] = true
	}
	return k.Submitter.Submit(ctx, txs)
}

// A reveal is not known again: the second one finds no commit, a second chain pair
// its chain, a second payment no funds. What the first did is the answer.
func TestARetryThatIsRefusedForItsOwnFirstAttemptIsRecorded(t *testing.T) {
	for _, code := range []wire.Code{wire.ErrNoCommit, wire.ErrChainExists, wire.ErrInsufficientFunds, wire.ErrReplayed} {
		l := apitest.New(1)
		c := dial(t, l, client.Options{}, host(t, l, func(c *api.Config) {
			c.Submitter = &lossy{Submitter: &knowing{c.Submitter, code, map[string]bool{}}, losses: 1}
		}))
		st, err := c.CreateChain(bg, apitest.Payer, apitest.Entry("books", nil))
		if err != nil || st.State != client.Committed || st.Height != 1 {
			t.Errorf("%s: %+v %v", code, st, err)
		}
	}
}

func TestARefusalAfterALostAnswerIsStillARefusal(t *testing.T) {
	l := apitest.New(1)
	l.Admit(func(*wire.Tx) wire.Code { return wire.ErrInsufficientCredits })
	c := dial(t, l, client.Options{}, host(t, l, func(c *api.Config) { c.Submitter = &lossy{Submitter: c.Submitter, losses: 1} }))
	c.Poll(time.Millisecond)
	if st, err := c.CreateChain(bg, apitest.Payer, apitest.Entry("books", nil)); !errors.Is(err, wire.ErrInsufficientCredits) || st.State == client.Committed {
		t.Errorf("%+v %v", st, err)
	}
}

func TestWhatWasSignedLastIsKnown(t *testing.T) {
	var s client.Stamps
	if s.Last() != 0 {
		t.Errorf("before anything was signed the last time is %d", s.Last())
	}
	at, err := s.Next(t.Context())
	if err != nil || s.Last() != at {
		t.Errorf("last %d, handed out %d, %v", s.Last(), at, err)
	}
	s.After(at + 1000)
	if next, err := s.Next(t.Context()); err != nil || next != at+1001 || s.Last() != next {
		t.Errorf("after %d comes %d, %v", at+1000, next, err)
	}
}
