package tables_test

import (
	"fmt"
	"testing"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// newestNumber is the number of the list in force under a key.
func (l *lab) newestNumber(key evidence.Key) (n uint64) {
	l.Helper()
	l.must(func(st ledger.State, _, _ uint64) error {
		i, ok, err := tables.Collateral(st, key)
		if !ok || err != nil {
			l.Fatalf("%t, %v", ok, err)
		}
		n = i.Freshness.Number
		return nil
	})
	return n
}

func TestCollateralOnlyGrowsNewer(t *testing.T) {
	maker := newAuthority(t, "maker", nil)
	r := maker.root()
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(r)}})
	first := l.revision()
	key, err := l.put(days(2), maker.list(t, 5, 1))
	if want := (evidence.Key{Type: evidence.CRL, Name: maker.spki().String()}); err != nil || key != want {
		t.Fatalf("%v, %v", key, err)
	}
	if l.revision() != first+1 {
		t.Error("the revision does not tell of new collateral")
	}
	for _, x := range []struct {
		name      string
		number    int64
		day, at   int
		code      wire.Code
		thenInUse uint64
	}{
		{"the same again", 5, 1, 3, wire.ErrCollateralOlder, 5},
		{"issued earlier", 6, 0, 3, wire.ErrCollateralOlder, 5},
		{"issued later with a lower number", 4, 2, 3, wire.ErrCollateralOlder, 5},
		{"issued later with the same number", 5, 2, 3, wire.OK, 5},
		{"not yet", 7, 9, 4, wire.ErrCollateralNotYet, 5},
		{"newer", 7, 9, 10, wire.OK, 7},
		{"newer and expired", 8, 20, 60, wire.ErrCollateralExpired, 7},
		{"newer than what has expired", 8, 50, 60, wire.OK, 8},
	} {
		if _, err := l.put(max(days(x.at), l.chain.NextMs()), maker.list(t, x.number, x.day)); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", x.name, err, x.code)
		}
		if n := l.newestNumber(key); n != x.thenInUse {
			t.Errorf("%s: number %d is in force", x.name, n)
		}
	}
	l.must(func(st ledger.State, _, _ uint64) error {
		keys, err := tables.CollateralKeys(st, 0)
		if len(keys) != 1 || keys[0] != key {
			t.Errorf("%v are listed", keys)
		}
		if more, err := tables.CollateralKeys(st, 1); len(more) != 0 || err != nil {
			t.Errorf("%v, %v", more, err)
		}
		return err
	})
}

func TestCollateralNeedsARootInForce(t *testing.T) {
	maker, stranger := newAuthority(t, "maker", nil), newAuthority(t, "stranger", nil)
	r := maker.root()
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(r)}})
	if _, err := l.put(days(1), stranger.list(t, 1, 0)); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("a stranger's: %v", err)
	}
	forged := stranger.list(t, 1, 0)
	forged.Chain = [][]byte{maker.cert.Raw}
	if _, err := l.put(days(2), forged); wire.CodeOf(err) != wire.ErrCollateralSignature {
		t.Errorf("a stranger's under the maker's name: %v", err)
	}
	if _, err := l.put(days(3), evidence.Item{Type: 9, Body: []byte{1}}); wire.CodeOf(err) != wire.ErrCollateralMalformed {
		t.Errorf("nothing known: %v", err)
	}
	if _, err := l.put(days(4), evidence.Item{Type: evidence.AMDChain, Body: maker.cert.Raw}); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("an intermediate of nobody: %v", err)
	}
	l.takes("revoke", &trust.RootRevoke{Root: r.ID(), Mode: trust.NoNewcomers})
	if _, err := l.put(days(5), maker.list(t, 1, 0)); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("after the root was revoked: %v", err)
	}
}

// A key that the authorities revoke takes what it signed out of use, and its
// high number does not keep successors out.
func TestARevokedSignerIsNobody(t *testing.T) {
	maker := newAuthority(t, "maker", nil)
	r := maker.root()
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(r)}})
	key, err := l.put(days(1), maker.list(t, 9, 1))
	if err != nil {
		t.Fatal(err)
	}
	uses := func() (ok bool) {
		l.must(func(st ledger.State, _, _ uint64) error {
			src := tables.Source(st)
			_, ok = src.Item(key)
			return src.Err()
		})
		return ok
	}
	if !uses() {
		t.Error("it is not in use")
	}
	l.takes("revoke", &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{maker.spki()}})
	if uses() {
		t.Error("it is still in use")
	}
	if _, err := l.put(days(3), maker.list(t, 10, 2)); wire.CodeOf(err) != wire.ErrCollateralSignature {
		t.Errorf("more of the same signer: %v", err)
	}
}

// The collateral of a root that lost all trust must not keep another root's out
// by its number. Both roots share a key here, as a maker that renews its
// certificate does, so that both lists come under one name.
func TestADistrustedItemKeepsNobodyOut(t *testing.T) {
	old := newAuthority(t, "maker", nil)
	renewed := newAuthorityWith(t, "maker", old.key, nil)
	r, next := old.root(), renewed.root()
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(r)}})
	key, err := l.put(days(2), old.list(t, 900, 1))
	if err != nil {
		t.Fatal(err)
	}
	l.takes("the renewed root", &trust.RootAdd{Root: next})
	if _, err := l.put(days(3), renewed.list(t, 1, 2)); wire.CodeOf(err) != wire.ErrCollateralOlder {
		t.Errorf("while both are trusted: %v", err)
	}
	l.takes("the old root goes", &trust.RootRevoke{Root: r.ID(), Mode: trust.SuspendAll})
	if got, err := l.put(days(4), renewed.list(t, 1, 2)); err != nil || got != key || l.newestNumber(key) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTheListOfCollateralHasPages(t *testing.T) {
	maker := newAuthority(t, "maker", nil)
	l := newLab(t, trust.Genesis{Testnet: true, Roots: []trust.GenesisRoot{genesisRoot(maker.root())}})
	const n = trust.ItemsPerPage + 2
	want := map[evidence.Key]bool{}
	for i := range n {
		ca := maker.issue(t, fmt.Sprintf("CA %d", i))
		item := ca.list(t, 1, 0)
		item.Chain = [][]byte{ca.cert.Raw, maker.cert.Raw}
		key, err := l.put(l.chain.NextMs(), item)
		if err != nil {
			t.Fatal(err)
		}
		want[key] = true
	}
	l.must(func(st ledger.State, _, _ uint64) error {
		for page, length := range []int{trust.ItemsPerPage, n - trust.ItemsPerPage, 0} {
			keys, err := tables.CollateralKeys(st, uint32(page))
			if err != nil || len(keys) != length {
				t.Errorf("page %d has %d keys, %v", page, len(keys), err)
			}
			for _, k := range keys {
				delete(want, k)
			}
		}
		return nil
	})
	if len(want) != 0 {
		t.Errorf("%d keys are not listed", len(want))
	}
}
