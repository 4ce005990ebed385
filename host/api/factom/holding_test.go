package factom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cloister/wire"
	"cloister/wire/factom"
	"cloister/wire/record"
)

// tiny is a ledger with the rules that decide about waiting: credits, one unused
// commit per entry, chains, and a name that a chain commit holds.
type tiny struct {
	mu      sync.Mutex
	credits map[wire.Account]int
	commits map[wire.Hash]*factom.Commit // unused, by entry hash
	chains  map[wire.Hash]bool
	held    map[wire.Hash]wire.Hash // chain id hash → entry hash of the commit that holds the name
	entries []wire.Hash             // in order
	block   Ordered                 // what is ordered since the last block
	asked   int
}

func newTiny() *tiny {
	return &tiny{
		credits: map[wire.Account]int{}, commits: map[wire.Hash]*factom.Commit{},
		chains: map[wire.Hash]bool{}, held: map[wire.Hash]wire.Hash{},
	}
}

func (l *tiny) admit(_ string, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	p, err := record.Decode(payload)
	if err != nil {
		return err
	}
	if p.Commit != nil {
		return l.commit(p.Commit)
	}
	k := l.commits[p.Hash]
	switch {
	case k == nil:
		return wire.ErrNoCommit
	case !k.Chain && !l.chains[p.Entry.ChainID]:
		return wire.ErrUnknownChain
	case k.Chain && l.held[k.ChainIDHash] != p.Hash:
		return wire.ErrChainHeld
	}
	delete(l.commits, p.Hash)
	if k.Chain {
		l.chains[p.Entry.ChainID] = true
		l.block.Chains = append(l.block.Chains, p.Entry.ChainID)
	}
	l.entries = append(l.entries, p.Hash)
	l.block.Entries = append(l.block.Entries, p.Hash)
	return nil
}

func (l *tiny) commit(k *factom.Commit) error {
	payer := wire.AccountOf(k.Payer)
	switch old := l.commits[k.EntryHash]; {
	case old != nil && old.Credits >= k.Credits:
		return wire.ErrRepeatedCommit
	case l.credits[payer] < int(k.Credits):
		return wire.ErrInsufficientCredits
	}
	l.credits[payer] -= int(k.Credits)
	l.commits[k.EntryHash] = k
	if _, taken := l.held[k.ChainIDHash]; k.Chain && !taken {
		l.held[k.ChainIDHash] = k.EntryHash
	}
	l.block.Commits = append(l.block.Commits, k.EntryHash)
	l.block.TXIDs = append(l.block.TXIDs, k.TXID())
	return nil
}

func (l *tiny) credit(a wire.Account, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credits[a] += n
	l.block.Credited = append(l.block.Credited, a)
}

// seal ends a block at a time.
func (l *tiny) seal(timeMs uint64) Ordered {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.block
	o.TimeMs, l.block = timeMs, Ordered{}
	return o
}

var payer = wire.NewPrivateKey([32]byte{42})

func newEntry(t testing.TB, chain wire.Hash, name, content string) []byte {
	t.Helper()
	e := &factom.Entry{ChainID: chain, Content: []byte(content)}
	if name != "" {
		e.ExtIDs = [][]byte{[]byte(name)}
		e.ChainID = factom.ChainID(e.ExtIDs)
	}
	return must(e.Marshal())
}

// rig is a server before a tiny ledger whose every block is told at once.
type rig struct {
	*Server
	w *world
	l *tiny
	t testing.TB
}

func newRig(t testing.TB) *rig {
	w, l := newWorld(t), newTiny()
	w.admit = l.admit
	return &rig{serve(t, w), w, l, t}
}

// settle seals blocks and retries until nothing is due any more.
func (r *rig) settle() {
	for {
		o := r.l.seal(r.w.now.BlockTimeMs)
		r.Ordered(o)
		select {
		case <-r.held.woken:
			r.retryDue(context.Background())
		default:
			if len(o.Commits)+len(o.Chains)+len(o.Entries) == 0 {
				return
			}
		}
	}
}

func (r *rig) send(call string) {
	r.t.Helper()
	if status, answer := ask(r.Server, here, call); status != 200 {
		r.t.Fatalf("%d %s", status, answer)
	}
}

func TestEveryOrderOfArrivalEndsTheSame(t *testing.T) {
	first := newEntry(t, wire.Hash{}, "holding", "first")
	chain := must(factom.ParseEntry(first)).ChainID
	second := newEntry(t, chain, "", "second")
	chainCommit := must(factom.NewChainCommit(first, 1, payer)).Bytes()
	commit := must(factom.NewEntryCommit(second, 2, payer)).Bytes()
	steps := []func(r *rig){
		func(r *rig) { r.l.credit(wire.AccountOf(payer.Public()), 12) },
		func(r *rig) { r.send(send("commit-chain", "message", chainCommit)) },
		func(r *rig) { r.send(send("reveal-chain", "entry", first)) },
		func(r *rig) { r.send(send("commit-entry", "message", commit)) },
		func(r *rig) { r.send(send("reveal-entry", "entry", second)) },
	}
	for _, order := range permutations(len(steps)) {
		for _, everyStep := range []bool{true, false} { // whether a block comes after each
			r := newRig(t)
			for _, i := range order {
				if steps[i](r); everyStep {
					r.settle()
				}
			}
			r.settle()
			if len(r.l.entries) != 2 || r.l.entries[0] != factom.EntryHash(first) || r.l.entries[1] != factom.EntryHash(second) {
				t.Fatalf("order %v: recorded %v", order, r.l.entries)
			}
			r.checkEmpty()
		}
	}
}

func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range permutations(n - 1) {
		for i := 0; i <= len(p); i++ {
			all = append(all, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return all
}

func (r *rig) checkEmpty() {
	r.t.Helper()
	h := r.held
	if h.order.Len()+len(h.waiting)+len(h.byRemote)+len(h.same)+h.bytes+len(h.due) != 0 {
		r.t.Errorf("still held: %d messages, %d waits, %d senders, %d bytes", h.order.Len(), len(h.waiting), len(h.byRemote), h.bytes)
	}
}

func TestTwoCommitsThatCannotBothBePaid(t *testing.T) {
	r := newRig(t)
	chain := wire.Hash{1}
	r.l.chains[chain] = true
	a, b := newEntry(t, chain, "", "a"), newEntry(t, chain, "", "b")
	for i, e := range [][]byte{a, b} {
		r.send(send("commit-entry", "message", must(factom.NewEntryCommit(e, uint64(i+1), payer)).Bytes()))
		r.send(send("reveal-entry", "entry", e))
	}
	r.l.credit(wire.AccountOf(payer.Public()), 1)
	r.settle()
	if !slices.Equal(r.l.entries, []wire.Hash{factom.EntryHash(a)}) {
		t.Fatalf("with one credit: %v", r.l.entries)
	}
	if r.held.order.Len() != 2 {
		t.Errorf("%d are held, want the second commit and its entry", r.held.order.Len())
	}
	r.l.credit(wire.AccountOf(payer.Public()), 1)
	r.settle()
	if !slices.Equal(r.l.entries, []wire.Hash{factom.EntryHash(a), factom.EntryHash(b)}) {
		t.Fatalf("with another: %v", r.l.entries)
	}
	r.checkEmpty()
}

func TestAHeldMessageIsTriedOncePerEvent(t *testing.T) {
	r := newRig(t)
	e := newEntry(t, wire.Hash{1}, "", "poor")
	r.send(send("commit-entry", "message", must(factom.NewEntryCommit(e, 1, payer)).Bytes()))
	account := wire.AccountOf(payer.Public())
	asked := r.l.asked
	for range 5 { // an event for it, but not enough
		r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Credited: []wire.Account{account, account}})
		r.retryDue(context.Background())
		r.retryDue(context.Background())
	}
	if n := r.l.asked - asked; n != 5 {
		t.Errorf("5 events, tried %d times", n)
	}
	for range 5 { // events for others
		r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Credited: []wire.Account{{9}}, Commits: []wire.Hash{{9}}, Chains: []wire.Hash{{9}}})
		r.retryDue(context.Background())
	}
	if n := r.l.asked - asked; n != 5 {
		t.Errorf("others' events, tried %d times", n)
	}
}

func TestWhatHappensWhileTheCoreAnswersIsNotMissed(t *testing.T) {
	r := newRig(t)
	chain := wire.Hash{1}
	r.l.chains[chain] = true
	e := newEntry(t, chain, "", "late")
	raced := false
	r.w.admit = func(family string, payload []byte) error {
		err := r.l.admit(family, payload)
		if !raced && wire.CodeOf(err) == wire.ErrNoCommit { // the commit is ordered before the answer is there
			raced = true
			r.l.credits[wire.AccountOf(payer.Public())] = 1
			if err := r.l.commit(must(factom.NewEntryCommit(e, 1, payer))); err != nil {
				t.Error(err)
			}
			r.Ordered(r.l.seal(r.w.now.BlockTimeMs))
		}
		return err
	}
	r.send(send("reveal-entry", "entry", e))
	r.retryDue(context.Background())
	if len(r.l.entries) != 1 {
		t.Error("the entry waits for a commit that is there")
	}
}

func TestABlockDuringARoundMakesDueOnlyWhatMayHaveMissedIt(t *testing.T) {
	r := newRig(t)
	var ids []wire.Hash
	for i := range 3 {
		e := newEntry(t, wire.Hash{1}, "", fmt.Sprint(i))
		r.send(send("reveal-entry", "entry", e))
		ids = append(ids, factom.EntryHash(e))
	}
	asked := 0
	r.w.admit = func(string, []byte) error {
		if asked++; asked == 1 { // a block for others while the core looks at the first
			r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Credited: []wire.Account{{9}}})
		}
		return wire.ErrNoCommit
	}
	r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Commits: ids})
	r.retryDue(context.Background())
	if asked != 3 {
		t.Fatalf("tried %d times", asked)
	}
	for range 3 {
		r.retryDue(context.Background())
	}
	if asked != 4 { // the first may have missed its event, the others have not
		t.Errorf("tried %d times", asked)
	}
}

func TestHeldMessagesAreDroppedAfterAnHourOfBlockTime(t *testing.T) {
	r := newRig(t)
	begin := r.w.now.BlockTimeMs
	hold := func(content string) string {
		e := newEntry(t, wire.Hash{1}, "", content)
		r.send(send("reveal-entry", "entry", e))
		return factom.EntryHash(e).String()
	}
	status := func(hash string) string {
		_, answer := ask(r.Server, here, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"ack","params":{"hash":%q,"chainid":%q}}`, hash, strings.Repeat("0", 64)))
		_, after, _ := strings.Cut(answer, `"entrydata":{"status":`)
		return strings.Split(after, `"`)[1]
	}
	early := hold("early")
	r.Ordered(Ordered{TimeMs: begin + 1000})
	late := hold("late")
	for _, x := range []struct {
		at          uint64
		early, late string
	}{
		{HoldMs - 1, "NotConfirmed", "NotConfirmed"},
		{HoldMs, "Unknown", "NotConfirmed"},
		{HoldMs + 999, "Unknown", "NotConfirmed"},
		{HoldMs + 1000, "Unknown", "Unknown"},
	} {
		r.Ordered(Ordered{TimeMs: begin + x.at})
		if status(early) != x.early || status(late) != x.late {
			t.Errorf("after %d ms: %s and %s, want %s and %s", x.at, status(early), status(late), x.early, x.late)
		}
	}
	r.checkEmpty()
}

func TestAnOlderBlockTurnsNoTimeBack(t *testing.T) {
	h := newHolding(1000)
	h.ordered(&Ordered{TimeMs: 500})
	if h.blockTime() != 1000 {
		t.Errorf("block time %d", h.blockTime())
	}
}

func TestAChainWhoseNameIsHeldIsTriedEachMinute(t *testing.T) {
	r := newRig(t)
	e := newEntry(t, wire.Hash{}, "popular", "mine")
	k := must(factom.NewChainCommit(e, 1, payer))
	r.l.credits[wire.AccountOf(payer.Public())] = 11
	r.l.held[k.ChainIDHash] = wire.Hash{7} // another commit's
	r.send(send("commit-chain", "message", k.Bytes()))
	r.send(send("reveal-chain", "entry", e))
	asked, begin := r.l.asked, r.w.now.BlockTimeMs
	for ms := uint64(1000); ms <= 5*namesEachMs; ms += 1000 {
		r.Ordered(Ordered{TimeMs: begin + ms})
		r.retryDue(context.Background())
	}
	if n := r.l.asked - asked; n != 5 {
		t.Errorf("tried %d times in 5 minutes", n)
	}
	r.l.held[k.ChainIDHash] = k.EntryHash // the hour is over
	r.Ordered(Ordered{TimeMs: begin + 6*namesEachMs})
	r.retryDue(context.Background())
	if len(r.l.entries) != 1 {
		t.Error("the chain is not created")
	}
}

func TestAChainWhoseNameIsTakenForGoodIsTriedAtOnce(t *testing.T) {
	r := newRig(t)
	e := newEntry(t, wire.Hash{}, "popular", "mine")
	r.w.admit = func(string, []byte) error { return wire.ErrChainHeld }
	r.send(send("reveal-chain", "entry", e))
	r.w.admit = func(string, []byte) error { return wire.ErrChainExists }
	r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Chains: []wire.Hash{must(factom.ParseEntry(e)).ChainID}})
	r.retryDue(context.Background())
	r.checkEmpty()
}

func TestWhatTheRulesRefuseLaterIsInvalid(t *testing.T) {
	r := newRig(t)
	e := newEntry(t, wire.Hash{1}, "", "void")
	r.send(send("reveal-entry", "entry", e))
	r.w.admit = func(string, []byte) error { return wire.ErrUnderpaid }
	r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Commits: []wire.Hash{factom.EntryHash(e)}})
	r.retryDue(context.Background())
	_, answer := ask(r.Server, here, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"entry-ack","params":{"txid":%q}}`, factom.EntryHash(e)))
	if !strings.Contains(answer, `"entrydata":{"status":"Invalid"}`) {
		t.Error(answer)
	}
	r.checkEmpty()
}

func TestABusyCoreLosesNothingThatIsHeld(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.send(send("reveal-entry", "entry", newEntry(t, wire.Hash{1}, "", fmt.Sprint(i))))
	}
	asked := 0
	r.w.admit = func(string, []byte) error { asked++; return wire.ErrBusy }
	for _, x := range r.fates.waiting(10, reveal) {
		r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Commits: []wire.Hash{x.entry}})
	}
	r.retryDue(context.Background())
	if asked != 1 || r.held.order.Len() != 3 {
		t.Errorf("asked %d times, %d are held", asked, r.held.order.Len())
	}
	asked, r.w.admit = 0, func(string, []byte) error { asked++; return nil }
	r.retryDue(context.Background())
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
	r.checkEmpty()
}

func TestAMessageThatBreaksTheCoreKeepsNobodyWaiting(t *testing.T) {
	r := newRig(t)
	var ids []wire.Hash
	for i := range 3 {
		e := newEntry(t, wire.Hash{1}, "", fmt.Sprint(i))
		r.send(send("reveal-entry", "entry", e))
		ids = append(ids, factom.EntryHash(e))
	}
	asked := 0
	r.w.admit = func(string, []byte) error {
		if asked++; asked == 1 {
			return errors.New("a bug")
		}
		return nil
	}
	r.Ordered(Ordered{TimeMs: r.w.now.BlockTimeMs, Commits: ids})
	r.retryDue(context.Background())
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	r.checkEmpty()
}

func held1(n int, id byte, size int, remote netip.Prefix) *message {
	return &message{kind: reveal, id: wire.Hash{id, byte(n >> 8), byte(n)}, entry: wire.Hash{1}, payload: make([]byte, size), remote: remote}
}

func TestHoldingHasItsBounds(t *testing.T) {
	w := wait{forCommit, wire.Hash{1}}
	from := func(n int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 32)
	}
	for name, x := range map[string]struct {
		size, most int
		from       func(int) netip.Prefix
	}{
		"messages of one sender": {10, maxHeldByOne, func(int) netip.Prefix { return from(1) }},
		"bytes of one sender":    {maxHeldBytesByOne / 100, 100, func(int) netip.Prefix { return from(1) }},
		"messages of all":        {10, maxHeld, from},
		"bytes of all":           {maxHeldBytes / 50, 50, from},
	} {
		h := newHolding(0)
		for n := range x.most {
			if err := h.add(held1(n, 1, x.size, x.from(n)), w, 0); err != nil {
				t.Fatalf("%s: number %d of %d: %v", name, n, x.most, err)
			}
		}
		if err := h.add(held1(x.most, 1, x.size, x.from(x.most)), w, 0); wire.CodeOf(err) != wire.ErrBusy {
			t.Errorf("%s: number %d: %v", name, x.most, err)
		}
		if err := h.add(held1(0, 1, x.size, x.from(0)), w, 0); err != nil || h.order.Len() != x.most {
			t.Errorf("%s: what is held already: %v, %d are held", name, err, h.order.Len())
		}
	}
}

func TestAFullHoldingIsSaid(t *testing.T) {
	r := newRig(t)
	for i := range maxHeldByOne {
		r.send(send("reveal-entry", "entry", newEntry(t, wire.Hash{1}, "", fmt.Sprint(i))))
	}
	call := send("reveal-entry", "entry", newEntry(t, wire.Hash{1}, "", "one more"))
	if status, answer := ask(r.Server, here, call); status != 400 || !strings.Contains(answer, `-32603`) || !strings.Contains(answer, "ErrBusy") {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer := ask(r.Server, "192.0.2.2:1", call); status != 200 {
		t.Errorf("another sender: %d %s", status, answer)
	}
}

func TestHoldingCountsWhatItHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHolding(0)
		waits := []wait{{forCredits, wire.Hash{1}}, {forCommit, wire.Hash{2}}, {forChain, wire.Hash{3}}, {forName, wire.Hash{3}}}
		prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")}
		var taken []*held
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			w := rapid.SampledFrom(waits).Draw(t, "wait")
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				m := held1(rapid.IntRange(0, 20).Draw(t, "id"), 1, rapid.IntRange(0, 3).Draw(t, "size"), rapid.SampledFrom(prefixes).Draw(t, "from"))
				_ = h.add(m, w, h.events()-uint64(min(i, rapid.IntRange(0, 1).Draw(t, "raced"))))
			case 2:
				h.ordered(&Ordered{TimeMs: h.timeMs + rapid.Uint64Range(0, HoldMs/2).Draw(t, "later"), Credited: []wire.Account{{1}}})
			case 3:
				h.ordered(&Ordered{TimeMs: h.timeMs, Commits: []wire.Hash{{2}}, Chains: []wire.Hash{{3}}})
			case 4:
				taken = h.take()
				if !slices.IsSortedFunc(taken, func(a, b *held) int { return int(a.seq) - int(b.seq) }) {
					t.Fatal("what is due is not in the order it came")
				}
			case 5:
				for _, x := range taken {
					switch rapid.IntRange(0, 2).Draw(t, "outcome") {
					case 0:
						h.remove(x)
					case 1:
						h.keep(x, w, h.events())
					case 2:
						h.again([]*held{x})
					}
				}
			}
			checkHolding(t, h)
		}
	})
}

func checkHolding(t *rapid.T, h *holding) {
	waiting, bytes, count := 0, 0, 0
	for _, set := range h.waiting {
		if len(set) == 0 {
			t.Fatal("a wait of nobody is kept")
		}
		waiting += len(set)
	}
	for e := h.order.Front(); e != nil; e = e.Next() {
		x := e.Value.(*held)
		bytes += len(x.payload)
		if _, ok := h.waiting[x.wait][x]; !ok || x.place != e {
			t.Fatal("what is held does not wait")
		}
	}
	used := 0
	for _, u := range h.byRemote {
		count, used = count+u.count, used+u.bytes
	}
	if n := h.order.Len(); waiting != n || count != n || len(h.same) != n || bytes != h.bytes || used != bytes {
		t.Fatalf("%d are held, %d wait, %d counted, %d known, %d bytes for %d and %d", n, waiting, count, len(h.same), bytes, h.bytes, used)
	}
}

func TestTheRetrierWorksUntilItIsClosed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := newWorld(t)
	got := make(chan []byte)
	var mu sync.Mutex
	refuse := true
	w.admit = func(_ string, payload []byte) error {
		mu.Lock()
		no := refuse
		mu.Unlock()
		if no {
			return wire.ErrNoCommit
		}
		got <- payload
		return nil
	}
	s := serve(t, w)
	s.retrier.Go(s.retry)
	e := newEntry(t, wire.Hash{1}, "", "held")
	if status, answer := ask(s, here, send("reveal-entry", "entry", e)); status != 200 {
		t.Fatal(answer)
	}
	mu.Lock()
	refuse = false
	mu.Unlock()
	s.Ordered(Ordered{TimeMs: w.now.BlockTimeMs, Commits: []wire.Hash{factom.EntryHash(e)}})
	if payload := <-got; !bytes.Equal(payload, record.Reveal(e)) {
		t.Errorf("%x", payload)
	}
	s.Close()
}

func TestRoundsOfRetriesArePaced(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w)
	var pauses []time.Duration
	s.pause = func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		if len(pauses) == 3 {
			return context.Canceled
		}
		s.held.woken <- struct{}{}
		return nil
	}
	s.held.woken <- struct{}{}
	s.retry()
	if !slices.Equal(pauses, []time.Duration{retryPause, retryPause, retryPause}) {
		t.Errorf("paused %v", pauses)
	}
}
