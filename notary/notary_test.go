package notary

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"cloister/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryFileAndLinkIsRecordedOnceAndAPipeIsNot(t *testing.T) {
	root, n := grow(t, 40)
	m := newMemory()
	s := notarize(t, m, alice, root)
	if s.Recorded != n || m.records(chain) != n || !s.Created || len(s.Failed) != 0 {
		t.Fatalf("recorded %d, on the chain %d, want %d: %+v", s.Recorded, m.records(chain), n, s)
	}
	if len(s.Skipped) != 1 || s.Skipped[0].Path != "pipe" {
		t.Fatalf("skipped %v, want the pipe alone", s.Skipped)
	}
	if s.First != 2 || s.Last != uint64(n+1) {
		t.Fatalf("heights %d to %d, want 2 to %d", s.First, s.Last, n+1)
	}
	r := verify(t, m, wire.Account{}, root)
	if !r.Clean() || r.Matched != n {
		t.Fatalf("%d matched of %d, differences %v", r.Matched, n, r.Differences)
	}
}

func TestRunningAgainRecordsOnlyWhatDiffers(t *testing.T) {
	root, n := grow(t, 20)
	m := newMemory()
	notarize(t, m, alice, root)
	if s := notarize(t, m, alice, root); s.Recorded != 0 || s.Unchanged != n || s.Created {
		t.Fatalf("second run recorded %d, left %d of %d", s.Recorded, s.Unchanged, n)
	}
	put(t, root, "d/b/f0", []byte("other"))
	if s := notarize(t, m, alice, root); s.Recorded != 1 || m.records(chain) != n+1 {
		t.Fatalf("after one change %d were recorded", s.Recorded)
	}
	if r := verify(t, m, wire.Account{}, root); !r.Clean() {
		t.Fatalf("the newest record must count: %v", r.Differences)
	}
}

func TestAnInterruptedRunIsFinishedByTheNext(t *testing.T) {
	root, n := grow(t, 60)
	m := newMemory()
	m.refuse = func(n int) error {
		if n > 10 {
			return wire.Faultf(wire.ErrInsufficientCredits, "no credits left")
		}
		return nil
	}
	s, err := Notarize(context.Background(), m, chain, name, alice, root, Options{})
	if !errors.Is(err, wire.ErrInsufficientCredits) {
		t.Fatalf("error %v, want the ledger's", err)
	}
	first := m.records(chain)
	if s.Recorded != first || first == 0 || first == n {
		t.Fatalf("said %d recorded, the chain has %d of %d", s.Recorded, first, n)
	}
	m.refuse = nil
	if s := notarize(t, m, alice, root); s.Recorded != n-first || s.Unchanged != first {
		t.Fatalf("the second run recorded %d and left %d, want %d and %d", s.Recorded, s.Unchanged, n-first, first)
	}
}

func TestManyEntriesAreInFlightAndNeverMoreThanTheBound(t *testing.T) {
	const files = Flights*MaxBatch + 100
	root := t.TempDir()
	for i := range files {
		put(t, root, fmt.Sprint("f", i), []byte{byte(i)})
	}
	m := newMemory()
	full := make(chan struct{})
	var once sync.Once
	m.arrived = func(under int) { // nothing returns before all flights are under way
		if under == Flights {
			once.Do(func() { close(full) })
		}
		<-full
	}
	s := notarize(t, m, alice, root)
	if m.most != Flights || m.largest > MaxBatch || s.Recorded != files {
		t.Fatalf("at most %d batches of %d in flight and %d recorded, want %d of %d and %d", m.most, m.largest, s.Recorded, Flights, MaxBatch, files)
	}
}

func TestVerifyListsChangedMissingAndNewWithWhatWasRecorded(t *testing.T) {
	root, n := grow(t, 20)
	m := newMemory()
	notarize(t, m, alice, root)
	put(t, root, "d/c/f1", []byte("tampered"))
	put(t, root, "not utf-8 \xff\xfe.txt", []byte("bytez")) // same size
	put(t, root, "d/added", nil)
	for _, gone := range []string{"d/a/f0", "link"} {
		if err := os.Remove(filepath.Join(root, gone)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/elsewhere", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	want := map[string]Change{"d/c/f1": Changed, "not utf-8 \xff\xfe.txt": Changed, "d/added": New, "d/a/f0": Missing, "link": Changed}
	r := verify(t, m, wire.AccountOf(alice.Public()), root)
	got := map[string]Change{}
	for _, d := range r.Differences {
		got[d.Path] = d.Change
		if recorded := d.Change != New; recorded && (d.Was == nil || d.Was.Height == 0 || d.Was.TimeMs != 1000*d.Was.Height || d.Was.Path != d.Path) {
			t.Errorf("%q: what was recorded is lost: %+v", d.Path, d.Was)
		}
		if present := d.Change != Missing; present != (d.Is != nil) {
			t.Errorf("%q is %s and its fingerprint is %v", d.Path, d.Change, d.Is)
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("differences %v, want %v", got, want)
	}
	if r.Matched != n-4 {
		t.Fatalf("%d matched, want %d", r.Matched, n-4)
	}
}

func TestASingleFileIsComparedWithItsOwnRecordAlone(t *testing.T) {
	root, _ := grow(t, 5)
	m := newMemory()
	notarize(t, m, alice, filepath.Join(root, "d", "a", "f0"))
	put(t, root, "x/f0", nil)
	if r := verify(t, m, wire.Account{}, filepath.Join(root, "x", "f0")); !r.Clean() || r.Matched != 1 {
		t.Fatalf("an equal file of the same name differs: %v", r.Differences)
	}
	notarize(t, m, alice, root)
	if r := verify(t, m, wire.Account{}, filepath.Join(root, "x", "f0")); !r.Clean() || r.Matched != 1 {
		t.Fatalf("other records of the chain were compared too: %v", r.Differences)
	}
}

func TestTheRootMayBeALinkToTheTree(t *testing.T) {
	root, n := grow(t, 5)
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(root, alias); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	if s := notarize(t, m, alice, alias); s.Recorded != n {
		t.Fatalf("recorded %d, want %d", s.Recorded, n)
	}
	if r := verify(t, m, wire.Account{}, root); !r.Clean() {
		t.Fatalf("the tree differs from itself: %v", r.Differences)
	}
}

func TestRecordsOfOthersAndOldRecordsAddedAgainDoNotCount(t *testing.T) {
	root, n := grow(t, 10)
	m := newMemory()
	notarize(t, m, alice, root)
	old := m.chains[chain][1]
	oldRecord, _, err := DecodeRecord(old.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if oldRecord.Link { // any file will do
		old = m.chains[chain][2]
		if oldRecord, _, err = DecodeRecord(old.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	put(t, root, oldRecord.Path, []byte("a newer version"))
	notarize(t, m, alice, root)

	m.put(chain, old.Bytes) // an adversary with credits repeats the old record
	evil := t.TempDir()
	put(t, evil, "d/b/f0", []byte("planted"))
	notarize(t, m, mallo, evil) // and signs one of their own

	r := verify(t, m, wire.AccountOf(alice.Public()), root)
	if !r.Clean() || r.Matched != n || r.Foreign != 1 {
		t.Fatalf("matched %d of %d, %d foreign, differences %v", r.Matched, n, r.Foreign, r.Differences)
	}
	if r := verify(t, m, wire.Account{}, root); r.Signer != alice.Public() {
		t.Fatal("without a name, the first signer's records count")
	}
	if r := verify(t, m, wire.AccountOf(mallo.Public()), evil); !r.Clean() || r.Signer != mallo.Public() {
		t.Fatalf("by name, the other signer's records count: %v", r.Differences)
	}
}

func TestARecordSignedForAnotherChainDoesNotCount(t *testing.T) {
	root, _ := grow(t, 3)
	m := newMemory()
	notarize(t, m, alice, root)
	r := Record{Path: "planted", AtMs: 1}
	entry, err := r.Entry(wire.Hash{7}, alice)
	if err != nil {
		t.Fatal(err)
	}
	copy(entry[1:33], chain[:])
	m.put(chain, entry)
	if r := verify(t, m, wire.Account{}, root); !r.Clean() || r.Foreign != 1 {
		t.Fatalf("%d foreign, differences %v", r.Foreign, r.Differences)
	}
}

func TestVerifyWithoutRecordsIsAnErrorAndNotASuccess(t *testing.T) {
	m := newMemory()
	if _, err := Verify(context.Background(), m, chain, wire.Account{}, t.TempDir(), Options{}); !errors.Is(err, wire.ErrUnknownChain) {
		t.Fatalf("error %v, want ErrUnknownChain", err)
	}
	root, _ := grow(t, 1)
	notarize(t, m, alice, root)
	if _, err := Verify(context.Background(), m, chain, wire.AccountOf(mallo.Public()), root, Options{}); !errors.Is(err, wire.ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
}

func TestAnUnreadableFileIsNamedByBoth(t *testing.T) {
	root, _ := grow(t, 3)
	m := newMemory()
	notarize(t, m, alice, root)
	gone := found{path: "d/a/f0", err: os.ErrPermission}
	r := &Report{}
	h, err := ReadHistory(context.Background(), m, chain, wire.Account{})
	if err != nil {
		t.Fatal(err)
	}
	r.judge(h, gone)
	if len(r.Differences) != 1 || r.Differences[0].Change != Unreadable || r.Differences[0].Was == nil || r.Matched != 0 {
		t.Fatalf("an unreadable file was judged %+v", r.Differences)
	}
}

func TestARootThatDoesNotExistIsTheUsersError(t *testing.T) {
	_, err := Notarize(context.Background(), newMemory(), chain, name, alice, filepath.Join(t.TempDir(), "none"), Options{})
	if !errors.Is(err, wire.ErrBadRequest) {
		t.Fatalf("error %v, want ErrBadRequest", err)
	}
}

func TestCancellingEndsTheRunAndEveryGoroutine(t *testing.T) {
	root, _ := grow(t, 60)
	m := newMemory()
	ctx, cancel := context.WithCancel(context.Background())
	m.arrived = func(int) { cancel() }
	if _, err := Notarize(ctx, m, chain, name, alice, root, Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
}

func TestProgressSeesEveryPathOnce(t *testing.T) {
	root, n := grow(t, 30)
	m := newMemory()
	var seen []string
	opt := Options{Progress: func(s Step) { seen = append(seen, s.Path) }}
	if _, err := Notarize(context.Background(), m, chain, name, alice, root, opt); err != nil {
		t.Fatal(err)
	}
	slices.Sort(seen)
	if len(seen) != n || len(slices.Compact(seen)) != n {
		t.Fatalf("%d steps for %d paths", len(seen), n)
	}
}

func TestAHostThatOnlySaysItRecordedIsFoundOut(t *testing.T) {
	root, _ := grow(t, 3)
	m := newMemory()
	m.liar = true
	if _, err := Notarize(context.Background(), m, chain, name, alice, root, Options{}); !errors.Is(err, wire.ErrProof) {
		t.Fatalf("error %v, want ErrProof", err)
	}
}
