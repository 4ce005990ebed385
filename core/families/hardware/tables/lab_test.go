package tables_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"cloister/core/families/hardware/tables"
	"cloister/core/ledger"
	"cloister/core/ledger/ledgertest"
	"cloister/core/ledger/store"
	"cloister/evidence"
	"cloister/evidence/trust"
	"cloister/wire"
)

// bare is a family that has nothing but the tables; what a transaction does is
// the test's.
type bare struct{ run func(c *ledger.Call) error }

func (*bare) Name() string                             { return trust.Family }
func (*bare) Check(*wire.Tx) (any, error)              { return nil, nil }
func (*bare) Price(*ledger.Call) (ledger.Price, error) { return ledger.Price{}, nil }
func (*bare) Admit(*ledger.Call) error                 { return nil }
func (s *bare) Execute(c *ledger.Call) ([]byte, error) { return nil, s.run(c) }
func (*bare) Genesis(st ledger.State, params json.RawMessage) error {
	g, err := trust.ParseGenesis(params)
	if err != nil {
		return err
	}
	return tables.Genesis(st, g, 0, genesisMs)
}

// genesisMs is the time of genesis: 25 June 2025, when much real evidence is from.
var genesisMs = uint64(time.Date(2025, 6, 25, 0, 0, 0, 0, time.UTC).UnixMilli())

// lab is a chain with tables.
type lab struct {
	testing.TB
	family *bare
	chain  *ledgertest.Chain
}

func newLab(t testing.TB, g trust.Genesis) *lab {
	t.Helper()
	l := &lab{TB: t, family: new(bare)}
	l.chain = ledgertest.New(t, store.NewMemory(), genesisOf(t, &g), []ledger.Family{l.family})
	return l
}

func genesisOf(t testing.TB, g *trust.Genesis) *wire.Genesis {
	t.Helper()
	params, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	w := ledgertest.GenesisOf(wire.FamilyGenesis{Name: trust.Family, Params: params})
	w.TimeMs = genesisMs
	return w
}

// refused is the error a genesis is refused with.
func refused(g trust.Genesis, t testing.TB) error {
	_, err := ledger.Open(store.NewMemory(), genesisOf(t, &g), []ledger.Family{new(bare)})
	return err
}

// at runs fn in a block of its own at a time; a refusal undoes what it did.
func (l *lab) at(timeMs uint64, fn func(st ledger.State, height, timeMs uint64) error) (err error) {
	l.Helper()
	l.family.run = func(c *ledger.Call) error {
		err = fn(c.State(trust.Family), c.Height, c.TimeMs)
		return err
	}
	tx := l.chain.TxUntil(timeMs+1000, ledgertest.Alice, trust.Family, nil)
	r := l.chain.Result(l.chain.RunAt(timeMs, tx), 0)
	if r.Code != wire.CodeOf(err) {
		l.Fatalf("the block says %s, the tables %v", r.Code, err)
	}
	return err
}

// do is at a second after the tip.
func (l *lab) do(fn func(st ledger.State, height, timeMs uint64) error) error {
	l.Helper()
	return l.at(l.chain.NextMs(), fn)
}

// must is do for what has to succeed.
func (l *lab) must(fn func(st ledger.State, height, timeMs uint64) error) {
	l.Helper()
	if err := l.do(fn); err != nil {
		l.Fatal(err)
	}
}

// apply carries out an order, encoded and read back, agreed by more than two
// thirds.
func (l *lab) apply(o trust.Order) error {
	l.Helper()
	return l.decide(o, false)
}

func (l *lab) decide(o trust.Order, unanimous bool) error {
	l.Helper()
	return l.do(func(st ledger.State, height, timeMs uint64) error {
		o, err := trust.Decode(o.Bytes())
		if err != nil {
			return err
		}
		return tables.Apply(st, o, height, timeMs, unanimous)
	})
}

// refuses expects an order to fail with a code, and nothing else to happen.
func (l *lab) refuses(name string, o trust.Order, code wire.Code) {
	l.Helper()
	before := l.revision()
	if err := l.apply(o); wire.CodeOf(err) != code {
		l.Errorf("%s: %v, want %s", name, err, code)
	}
	if after := l.revision(); after != before {
		l.Errorf("%s: revision %d became %d", name, before, after)
	}
}

// takes expects an order to succeed, and the revision to tell.
func (l *lab) takes(name string, o trust.Order) {
	l.Helper()
	before := l.revision()
	if err := l.apply(o); err != nil {
		l.Errorf("%s: %v", name, err)
	}
	if after := l.revision(); after != before+1 {
		l.Errorf("%s: revision %d became %d", name, before, after)
	}
}

func (l *lab) revision() (n uint64) {
	l.Helper()
	l.must(func(st ledger.State, _, _ uint64) (err error) {
		n, err = tables.Revision(st)
		return err
	})
	return n
}

// put takes collateral at a time.
func (l *lab) put(timeMs uint64, item evidence.Item) (key evidence.Key, err error) {
	l.Helper()
	err = l.at(timeMs, func(st ledger.State, _, timeMs uint64) (err error) {
		key, err = tables.PutItem(st, &item, timeMs)
		return err
	})
	return key, err
}

// height of the next block.
func (l *lab) height() uint64 { return l.chain.Ledger.Tip().Header.Height + 1 }

// authority is a maker made for a test.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// newAuthority makes a root that is valid for a year around genesis; change may
// make it something else.
func newAuthority(t testing.TB, name string, change func(c *x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newAuthorityWith(t, name, key, change)
}

func newAuthorityWith(t testing.TB, name string, key crypto.Signer, change func(c *x509.Certificate)) *authority {
	t.Helper()
	c := template(name)
	if change != nil {
		change(c)
	}
	return &authority{certify(t, c, c, key.Public(), key), key}
}

// issue makes an authority below this one.
func (a *authority) issue(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certify(t, template(name), a.cert, key.Public(), a.key), key}
}

func template(name string) *x509.Certificate {
	at := time.UnixMilli(int64(genesisMs))
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: at.AddDate(0, -6, 0), NotAfter: at.AddDate(0, 6, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func certify(t testing.TB, c, by *x509.Certificate, of crypto.PublicKey, with crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, of, with)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a *authority) spki() wire.Hash { return sha256.Sum256(a.cert.RawSubjectPublicKeyInfo) }

// list is a revocation list of the authority, issued days after genesis and
// good for thirty more.
func (a *authority) list(t testing.TB, number int64, days int) evidence.Item {
	t.Helper()
	at := time.UnixMilli(int64(genesisMs)).AddDate(0, 0, days)
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(number), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 30),
	}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Item{Type: evidence.CRL, Body: der, Chain: [][]byte{a.cert.Raw}}
}

// root is the authority as a simulated root of Intel.
func (a *authority) root() trust.Root {
	return trust.Root{
		Vendor: evidence.Intel, DER: a.cert.Raw, Name: a.cert.Subject.CommonName, Class: trust.CPU, IssuePercent: 100, Simulated: true,
	}
}

func days(n int) uint64 { return genesisMs + uint64(n)*24*3600*1000 }
