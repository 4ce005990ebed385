package collateral

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/evidencetest"
	"cloister/evidence/intel"
	"cloister/wire"
)

// bundle is the file format of the samples.
type bundle struct {
	PCKCRLChain         string   `json:"pck_crl_issuer_chain"`
	RootCRL             wire.Hex `json:"root_ca_crl"`
	PCKCRL              wire.Hex `json:"pck_crl"`
	TCBInfoChain        string   `json:"tcb_info_issuer_chain"`
	TCBInfo             string   `json:"tcb_info"`
	TCBInfoSignature    string   `json:"tcb_info_signature"`
	QEIdentityChain     string   `json:"qe_identity_issuer_chain"`
	QEIdentity          string   `json:"qe_identity"`
	QEIdentitySignature string   `json:"qe_identity_signature"`
}

// page is what a vendor answers to one path.
type page struct {
	status int // 0 is 200
	header map[string]string
	body   []byte
}

// vendors is a server that answers as the vendors' do. A path without a page is
// not found.
type vendors struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]page
	asked []string
}

func newVendors(t *testing.T) *vendors {
	v := &vendors{pages: map[string]page{}}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		p, ok := v.pages[r.URL.RequestURI()]
		v.asked = append(v.asked, r.URL.RequestURI())
		v.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		for name, value := range p.header {
			w.Header().Set(name, value)
		}
		if p.status != 0 {
			w.WriteHeader(p.status)
		}
		_, _ = w.Write(p.body) // the client may have gone
	}))
	t.Cleanup(v.Close)
	return v
}

// set changes what is answered to a path.
func (v *vendors) set(path string, p page) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pages[path] = p
}

// requests are the paths asked for since the last call.
func (v *vendors) requests() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	asked := v.asked
	v.asked = nil
	return asked
}

// config is a fetcher's that asks these vendors, at a time.
func (v *vendors) config(dir string, trusted []evidence.Anchor, now *time.Time) Config {
	return Config{
		Client: v.Client(), Trusted: trusted, Dir: dir, IntelPCS: v.URL, IntelRootCRL: v.URL + rootCRLPath, AMDKDS: v.URL,
		Now: func() time.Time { return *now },
	}
}

const (
	rootCRLPath = "/IntelSGXRootCA.der"
)

// encoded is how Intel's service puts a chain into a header.
func encoded(chain string) string { return strings.ReplaceAll(url.QueryEscape(chain), "+", "%20") }

// platform is a real quote and the collateral that was in force with it.
type platform struct {
	evidence *evidence.Evidence
	bundle   bundle
	items    []evidence.Item
	tcb, qe  string // paths
	crl      string
}

func sample(t *testing.T, kind evidence.Kind, quote, collateral, fmspc string, ca CA) *platform {
	t.Helper()
	dir := filepath.Join(evidencetest.Samples(t), kind.String())
	q, err := intel.Trim(read(t, dir, quote))
	if err != nil {
		t.Fatal(err)
	}
	base := "/" + kind.String() + "/certification/v4/"
	p := &platform{
		evidence: &evidence.Evidence{Kind: kind, Quote: q},
		tcb:      base + "tcb?fmspc=" + fmspc, qe: base + "qe/identity",
		crl: "/sgx/certification/v4/pckcrl?ca=" + string(ca) + "&encoding=der",
	}
	file := read(t, dir, collateral)
	if err := json.Unmarshal(file, &p.bundle); err != nil {
		t.Fatal(err)
	}
	if p.items, err = intel.ParseBundle(file); err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func document(field, text, signature string) []byte {
	return []byte(`{"` + field + `":` + text + `,"signature":"` + signature + `"}`)
}

// publish makes the vendors answer with the platform's collateral.
func (p *platform) publish(v *vendors) {
	b := &p.bundle
	v.set(rootCRLPath, page{body: b.RootCRL})
	v.set(p.crl, page{body: b.PCKCRL, header: map[string]string{"SGX-PCK-CRL-Issuer-Chain": encoded(b.PCKCRLChain)}})
	v.set(p.tcb, page{body: document("tcbInfo", b.TCBInfo, b.TCBInfoSignature), header: map[string]string{"TCB-Info-Issuer-Chain": encoded(b.TCBInfoChain)}})
	v.set(p.qe, page{body: document("enclaveIdentity", b.QEIdentity, b.QEIdentitySignature), header: map[string]string{"SGX-Enclave-Identity-Issuer-Chain": encoded(b.QEIdentityChain)}})
}

// authority is a simulated root of AMD with its intermediates.
type authority struct {
	anchor   evidence.Anchor
	arkKey   *rsa.PrivateKey
	ark      *x509.Certificate
	ask      map[string][]byte // by role
	revision int64
}

func newAuthority(t *testing.T, product string, now time.Time) *authority {
	t.Helper()
	a := &authority{ask: map[string][]byte{}}
	var err error
	if a.arkKey, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	a.ark = a.certificate(t, "Simulated ARK-"+product, nil, &a.arkKey.PublicKey, now)
	a.anchor = evidence.Anchor{Vendor: evidence.AMD, DER: a.ark.Raw, Product: product, Simulated: true}
	for role, name := range map[string]string{"vcek": "SEV-", "vlek": "SEV-VLEK-"} {
		a.ask[role] = a.certificate(t, "Simulated "+name+product, a.ark, &a.arkKey.PublicKey, now).Raw
	}
	return a
}

func (a *authority) certificate(t *testing.T, name string, parent *x509.Certificate, public crypto.PublicKey, now time.Time) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SignatureAlgorithm: x509.SHA384WithRSAPSS,
	}
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, a.arkKey)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

// list is the root's revocation list, a newer one each time.
func (a *authority) list(t *testing.T, now time.Time) []byte {
	t.Helper()
	a.revision++
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(a.revision), ThisUpdate: now, NextUpdate: now.AddDate(0, 1, 0), SignatureAlgorithm: x509.SHA384WithRSAPSS,
	}, a.ark, a.arkKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *authority) publish(t *testing.T, v *vendors, role string, now time.Time) {
	base := "/" + role + "/v1/" + amd.Milan
	v.set(base+"/crl", page{body: a.list(t, now)})
	v.set(base+"/cert_chain", page{body: append(pemOf(a.ask[role]), pemOf(a.ark.Raw)...)})
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
