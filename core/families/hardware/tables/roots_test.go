package tables_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

func TestRootsAreJudgedByTheirCertificate(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(int64(genesisMs))
	l := newLab(t, trust.Genesis{Testnet: true})
	for name, x := range map[string]struct {
		a    *authority
		code wire.Code
	}{
		"no authority":     {newAuthority(t, "a", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature }), wire.ErrRootNotCA},
		"may not sign":     {newAuthority(t, "b", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), wire.ErrRootNotCA},
		"expired":          {newAuthority(t, "c", func(c *x509.Certificate) { c.NotAfter = at.Add(-time.Second) }), wire.ErrRootExpired},
		"not yet valid":    {newAuthority(t, "d", func(c *x509.Certificate) { c.NotBefore = at.AddDate(0, 1, 0) }), wire.ErrRootExpired},
		"RSA of 1024 bits": {newAuthorityWith(t, "e", weak, nil), wire.ErrRootWeakKey},
		"P-224":            {newAuthorityWith(t, "f", p224, nil), wire.ErrRootWeakKey},
		"Ed25519":          {newAuthorityWith(t, "g", edwards, nil), wire.ErrRootWeakKey},
		"RSA of 2048 bits": {newAuthorityWith(t, "h", strong, nil), wire.OK},
		"P-384":            {newAuthorityWith(t, "i", p384, nil), wire.OK},
		"P-256":            {newAuthority(t, "j", nil), wire.OK},
	} {
		if err := l.apply(&trust.RootAdd{Root: x.a.root()}); wire.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %s", name, err, x.code)
		}
	}
	r := newAuthority(t, "k", nil).root()
	r.DER = append(r.DER, 0)
	l.refuses("a byte after the certificate", &trust.RootAdd{Root: r}, wire.ErrRootMalformed)
	r.DER = []byte("certificate")
	l.refuses("no certificate", &trust.RootAdd{Root: r}, wire.ErrRootMalformed)
}

func TestARootIsAddedOnceAndRevokedForGood(t *testing.T) {
	l := newLab(t, trust.Genesis{Testnet: true})
	r := newAuthority(t, "maker", nil).root()
	id := r.ID()
	l.refuses("revoking what is not there", &trust.RootRevoke{Root: id, Mode: 1}, wire.ErrRootUnknown)
	added := l.height() + 1 // takes asks for the revision first
	l.takes("add", &trust.RootAdd{Root: r})
	l.refuses("add again", &trust.RootAdd{Root: r}, wire.ErrRootExists)
	find := func() (got trust.Root, anchors int) {
		l.must(func(st ledger.State, _, _ uint64) error {
			src := tables.Source(st)
			anchors = len(src.Anchors(evidence.Intel))
			anchor := r.Anchor()
			var ok bool
			var err error
			if got, ok, err = tables.RootOf(st, evidence.Intel, anchor.ID()); !ok || err != nil {
				t.Fatalf("%t, %v", ok, err)
			}
			return src.Err()
		})
		return got, anchors
	}
	if got, anchors := find(); got.Added != added || got.Revoked != 0 || anchors != 1 {
		t.Errorf("added at %d, revoked at %d, %d anchors", got.Added, got.Revoked, anchors)
	}
	revoked := l.height() + 1
	l.takes("no newcomers", &trust.RootRevoke{Root: id, Mode: trust.NoNewcomers})
	if got, anchors := find(); got.Revoked != revoked || got.Mode != trust.NoNewcomers || anchors != 0 {
		t.Errorf("revoked at %d in mode %d, %d anchors", got.Revoked, got.Mode, anchors)
	}
	l.refuses("the same again", &trust.RootRevoke{Root: id, Mode: trust.NoNewcomers}, wire.ErrRootRevoked)
	further := l.height() + 1
	l.takes("further", &trust.RootRevoke{Root: id, Mode: trust.SuspendAll})
	l.refuses("back again", &trust.RootRevoke{Root: id, Mode: trust.NoNewcomers}, wire.ErrRootRevoked)
	l.refuses("add what was revoked", &trust.RootAdd{Root: r}, wire.ErrRootExists)
	if got, _ := find(); got.Revoked != revoked || got.Mode != trust.SuspendAll {
		t.Errorf("revoked at %d in mode %d", got.Revoked, got.Mode)
	}
	for height, mode := range map[uint64]trust.Mode{revoked: trust.NoNewcomers, further: trust.SuspendAll} {
		due := l.due(height)
		if len(due) != 1 || due[0].Kind != trust.KindRootRevoke || due[0].Target != id || due[0].Mode != mode || due[0].Height != height {
			t.Errorf("due at %d: %+v", height, due)
		}
	}
	if due := l.due(further + 1); len(due) != 0 {
		t.Errorf("due later: %+v", due)
	}
}

// due lists what takes effect at a height.
func (l *lab) due(height uint64) (due []trust.Revocation) {
	l.Helper()
	l.must(func(st ledger.State, _, _ uint64) (err error) {
		due, err = tables.Due(st, height)
		return err
	})
	return due
}

func TestClassesAndSimulation(t *testing.T) {
	sim, real := newAuthority(t, "simulated", nil).root(), newAuthority(t, "real", nil).root()
	real.Simulated = false
	other := newAuthority(t, "other", nil).root()
	as := func(r trust.Root, change func(r *trust.Root)) *trust.RootAdd {
		change(&r)
		return &trust.RootAdd{Root: r}
	}
	none := func(*trust.Root) {}

	production := newLab(t, trust.Genesis{})
	production.refuses("simulated in production", as(sim, none), wire.ErrRootClass)
	production.refuses("emulated in production", as(real, func(r *trust.Root) { r.Class = trust.Emulated }), wire.ErrRootClass)
	production.refuses("a CPU that is a TPM", as(real, func(r *trust.Root) { r.Class = trust.DiscreteTPM }), wire.ErrRootClass)
	production.refuses("a TPM that is a CPU", as(real, func(r *trust.Root) { r.Vendor = evidence.TPMMaker }), wire.ErrRootClass)
	production.takes("real in production", as(real, none))

	test := newLab(t, trust.Genesis{Testnet: true})
	test.refuses("emulated and not called simulated", as(real, func(r *trust.Root) { r.Class = trust.Emulated }), wire.ErrRootClass)
	test.takes("simulated", as(sim, none))
	test.takes("a second one", as(other, none))
	test.refuses("real beside simulated", as(real, none), wire.ErrRootClass)
	test.takes("real of another vendor", as(real, func(r *trust.Root) { r.Vendor, r.Product = evidence.AMD, "Milan" }))
	test.takes("the simulated one goes", &trust.RootRevoke{Root: sim.ID(), Mode: 1})
	test.refuses("real beside the other simulated one", as(real, none), wire.ErrRootClass)
	test.takes("the other goes", &trust.RootRevoke{Root: other.ID(), Mode: 1})
	test.takes("real alone", as(real, none))
}

func TestRevokedKeys(t *testing.T) {
	l := newLab(t, trust.Genesis{Testnet: true})
	r := newAuthority(t, "maker", nil).root()
	l.refuses("below an unknown root", &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{1}}}, wire.ErrRootUnknown)
	l.takes("add", &trust.RootAdd{Root: r})
	height := l.height() + 1
	l.takes("two keys", &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{1}, {2}}})
	l.takes("two keys, one known", &trust.CertRevoke{Root: r.ID(), SPKIs: []wire.Hash{{2}, {3}}})
	l.must(func(st ledger.State, _, _ uint64) error {
		for k, want := range map[byte]bool{1: true, 2: true, 3: true, 4: false} {
			if got, err := tables.Revoked(st, wire.Hash{k}); got != want || err != nil {
				t.Errorf("key %d: %t, %v", k, got, err)
			}
		}
		if v, err := st.Get(trust.RevokedKey(wire.Hash{2})); err != nil || !slices.Equal(v, wire.U64(0)) {
			t.Errorf("key 2 was first revoked by %x, %v", v, err)
		}
		if k, ok, err := tables.FirstRevoked(st, []wire.Hash{{9}, {3}, {1}}); !ok || k != (wire.Hash{3}) || err != nil {
			t.Errorf("%s, %t, %v", k, ok, err)
		}
		if _, ok, err := tables.FirstRevoked(st, []wire.Hash{{9}}); ok || err != nil {
			t.Errorf("%t, %v", ok, err)
		}
		all, err := tables.Revocations(st, 0, 10)
		if err != nil || len(all) != 2 || all[1].Number != 1 || !slices.Equal(all[1].SPKIs, []wire.Hash{{2}, {3}}) {
			t.Errorf("%+v, %v", all, err)
		}
		if some, err := tables.Revocations(st, 1, 10); err != nil || len(some) != 1 || some[0].Number != 1 {
			t.Errorf("%+v, %v", some, err)
		}
		if some, err := tables.Revocations(st, 0, 1); err != nil || len(some) != 1 || some[0].Number != 0 {
			t.Errorf("%+v, %v", some, err)
		}
		return nil
	})
	if due := l.due(height); len(due) != 1 || due[0].Kind != trust.KindCertRevoke || !slices.Equal(due[0].SPKIs, []wire.Hash{{1}, {2}}) {
		t.Errorf("%+v", due)
	}
}

func TestRootsAreBounded(t *testing.T) {
	l := newLab(t, trust.Genesis{Testnet: true})
	add := func() error { return l.apply(&trust.RootAdd{Root: newAuthority(t, "maker", nil).root()}) }
	for range trust.MaxRoots {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(); wire.CodeOf(err) != wire.ErrTrustFull {
		t.Errorf("%v", err)
	}
	l.must(func(st ledger.State, _, _ uint64) error {
		list, err := tables.Roots(st, evidence.Intel)
		if len(list) != trust.MaxRoots || !slices.IsSortedFunc(list, func(a, b trust.Root) int {
			x, y := a.ID(), b.ID()
			return slices.Compare(x[:], y[:])
		}) {
			t.Errorf("%d roots, or out of order", len(list))
		}
		return err
	})
}
