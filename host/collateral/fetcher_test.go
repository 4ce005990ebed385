package collateral

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/anchors"
	"cloister/evidence/evidencetest"
	"cloister/evidence/intel"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

var june = time.Date(2025, 6, 25, 0, 0, 0, 0, time.UTC)

// platforms are real ones, under both of Intel's authorities.
func platforms(t *testing.T) []*platform {
	return []*platform{
		sample(t, evidence.SGX, "01-v3-processor-ca.quote", "01-v3-processor-ca.collateral-2025-06.json", "00a067110000", Processor),
		sample(t, evidence.TDX, "01-v4-uptodate.quote", "01-v4-uptodate.collateral-2025-06.json", "b0c06f000000", Platform),
	}
}

func fetcher(t *testing.T, cfg Config) *Fetcher {
	t.Helper()
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// same compares items by their encodings.
func same(a, b []evidence.Item) bool {
	return slices.EqualFunc(a, b, func(a, b evidence.Item) bool { return bytes.Equal(trust.ItemBytes(&a), trust.ItemBytes(&b)) })
}

func TestRealEvidenceIsJudgedByWhatWasFetched(t *testing.T) {
	for _, p := range platforms(t) {
		v, now := newVendors(t), june
		p.publish(v)
		items, err := fetcher(t, v.config(t.TempDir(), anchors.Real(), &now)).For(t.Context(), p.evidence)
		if err != nil {
			t.Fatal(err)
		}
		src := &evidence.Set{Trusted: anchors.Real()}
		if err := intel.Fill(src, items); err != nil {
			t.Fatal(err)
		}
		if r, err := verify.Verify(p.evidence, src, now.Unix()); err != nil || r.Status == 0 {
			t.Errorf("%s: %+v, %v", p.evidence.Kind, r, err)
		}
		if !same(items, p.items) {
			t.Errorf("%s: not the items of the bundle", p.evidence.Kind)
		}
		if n := len(v.requests()); n != 4 {
			t.Errorf("%d requests", n)
		}
	}
}

func TestAMDsCollateralIsFetchedForBothKindsOfKey(t *testing.T) {
	v, now := newVendors(t), june
	a := newAuthority(t, amd.Milan, now)
	f := fetcher(t, v.config(t.TempDir(), []evidence.Anchor{a.anchor}, &now))
	for _, role := range []string{"vcek", "vlek"} {
		a.publish(t, v, role, now)
		items, err := f.AMD(t.Context(), amd.Milan, role == "vlek")
		if err != nil {
			t.Fatal(err)
		}
		if len(items) != 2 || items[0].Type != evidence.CRL || !bytes.Equal(items[1].Body, a.ask[role]) {
			t.Errorf("%s: %d items", role, len(items))
		}
	}
	b := newAuthority(t, amd.Genoa, now)
	f = fetcher(t, v.config(t.TempDir(), []evidence.Anchor{a.anchor, b.anchor}, &now))
	v.set("/vcek/v1/Milan/crl", page{body: b.list(t, now)})
	if _, err := f.AMD(t.Context(), amd.Milan, false); wire.CodeOf(err) != wire.ErrCollateralMismatch {
		t.Errorf("the list of another product line: %v", err)
	}
}

func TestTheRealChainsOfAMDAreRead(t *testing.T) {
	roots := filepath.Join(evidencetest.Samples(t), "roots")
	for file, key := range map[string]string{
		"amd_ask_ark_milan.pem": "Milan/vcek", "amd_ask_ark_genoa_vlek.pem": "Genoa/vlek", "amd_ask_ark_turin_vcek.pem": "Turin/vcek",
	} {
		item, err := readAMDChain(&answer{body: read(t, roots, file)})
		if err != nil {
			t.Fatal(err)
		}
		w := &want{is: isKey(evidence.AMDChain, key)}
		if _, err := check(w, &item, &evidence.Set{Trusted: anchors.Real()}, june); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestEvidenceSaysWhatItIsJudgedBy(t *testing.T) {
	dir := filepath.Join(evidencetest.Samples(t), "snp")
	for file, want := range map[string]struct {
		product string
		vlek    bool
	}{"03-milan-v3.vcek.der": {amd.Milan, false}, "04-milan-v3-vlek.vlek.der": {amd.Milan, true}, "06-turin.vcek.der": {amd.Turin, false}} {
		product, vlek, err := lineOf(&evidence.Evidence{Kind: evidence.SNP, Aux: [][]byte{read(t, dir, file)}})
		if err != nil || product != want.product || vlek != want.vlek {
			t.Errorf("%s: %q, %t, %v", file, product, vlek, err)
		}
	}
	now := june
	f := fetcher(t, newVendors(t).config(t.TempDir(), anchors.Real(), &now))
	if items, err := f.For(t.Context(), &evidence.Evidence{Kind: evidence.TPM, Quote: []byte{1}}); items != nil || err != nil {
		t.Errorf("a TPM: %v, %v", items, err)
	}
	for name, e := range map[string]*evidence.Evidence{
		"no quote":           {Kind: evidence.SGX, Quote: []byte("quote")},
		"no leaf":            {Kind: evidence.SNP, Quote: []byte("report")},
		"a leaf of garbage":  {Kind: evidence.SNP, Aux: [][]byte{{1}}},
		"an unknown kind":    {Kind: 9},
		"no platform's name": {Kind: evidence.SGX, Quote: read(t, evidencetest.Samples(t), "sgx", "04-v3-certtype3.quote")},
	} {
		if _, err := f.For(t.Context(), e); err == nil || wire.CodeOf(err).Info().Exit == wire.ExitInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsKeptIsUsedUntilItIsTimeToAskAgain(t *testing.T) {
	v, now := newVendors(t), june
	p := platforms(t)[0]
	p.publish(v)
	dir := t.TempDir()
	get := func() []evidence.Item {
		t.Helper()
		items, err := fetcher(t, v.config(dir, anchors.Real(), &now)).For(t.Context(), p.evidence)
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	first := get()
	v.requests()
	if again := get(); !same(again, first) || len(v.requests()) != 0 {
		t.Error("fresh items are not taken from the folder")
	}
	now = now.Add(DefaultRefresh)
	if get(); len(v.requests()) != 4 {
		t.Error("no newer items are asked for")
	}
	if get(); len(v.requests()) != 0 {
		t.Error("unchanged items do not count as asked for")
	}

	now = now.Add(DefaultRefresh)
	v.Close()
	if again := get(); !same(again, first) {
		t.Error("without the vendor, what is in force is not used")
	}
	now = june.AddDate(0, 2, 0)
	if _, err := fetcher(t, v.config(dir, anchors.Real(), &now)).For(t.Context(), p.evidence); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without the vendor, expired: %v", err)
	}

	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if item, err := trust.DecodeItem(read(t, dir, file.Name())); err != nil || !strings.HasPrefix(file.Name(), "intel-") {
			t.Errorf("%s: %v, %v", file.Name(), item, err)
		}
	}
}

func TestAFolderIsNotBelieved(t *testing.T) {
	ps := platforms(t)
	for name, damage := range map[string]func(dir string) error{
		"cut off":     func(dir string) error { return os.Truncate(filepath.Join(dir, "intel-qe-sgx.item"), 100) },
		"empty":       func(dir string) error { return os.Truncate(filepath.Join(dir, "intel-root-crl.item"), 0) },
		"too long":    func(dir string) error { return os.Truncate(filepath.Join(dir, "intel-root-crl.item"), 1<<20) },
		"of a folder": func(dir string) error { return swapForFolder(filepath.Join(dir, "intel-root-crl.item")) },
		"another item": func(dir string) error {
			return os.Rename(filepath.Join(dir, "intel-root-crl.item"), filepath.Join(dir, "intel-qe-sgx.item"))
		},
		"another platform's": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "intel-tcb-sgx-00a067110000.item"), trust.ItemBytes(&ps[1].items[2]), 0o600)
		},
		"from the future": func(dir string) error {
			later := june.AddDate(1, 0, 0)
			return os.Chtimes(filepath.Join(dir, "intel-qe-sgx.item"), later, later)
		},
	} {
		v, now, dir := newVendors(t), june, t.TempDir()
		ps[0].publish(v)
		f := fetcher(t, v.config(dir, anchors.Real(), &now))
		if _, err := f.For(t.Context(), ps[0].evidence); err != nil {
			t.Fatal(err)
		}
		v.requests()
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		items, err := f.For(t.Context(), ps[0].evidence)
		if err != nil || !same(items, ps[0].items) || len(v.requests()) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func swapForFolder(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(path, "x"), 0o700)
}

func TestAnOlderItemDoesNotReplaceANewerOne(t *testing.T) {
	v, now := newVendors(t), june
	a := newAuthority(t, amd.Milan, now)
	f := fetcher(t, v.config(t.TempDir(), []evidence.Anchor{a.anchor}, &now))
	a.publish(t, v, "vcek", now)
	stale := v.pages["/vcek/v1/Milan/crl"]

	now = now.Add(DefaultRefresh)
	a.publish(t, v, "vcek", now)
	newer, err := f.AMD(t.Context(), amd.Milan, false)
	if err != nil {
		t.Fatal(err)
	}
	v.set("/vcek/v1/Milan/crl", stale)
	now = now.Add(DefaultRefresh)
	if items, err := f.AMD(t.Context(), amd.Milan, false); err != nil || !same(items, newer) {
		t.Errorf("a stale answer: %v", err)
	}
	a.publish(t, v, "vcek", now)
	if items, err := f.AMD(t.Context(), amd.Milan, false); err != nil || same(items, newer) {
		t.Errorf("a newer answer: %v", err)
	}
}

func TestNothingIsHandedOnThatDoesNotHold(t *testing.T) {
	p := platforms(t)[0]
	other := platforms(t)[1]
	change := func(path string, f func(*page)) func(v *vendors) {
		return func(v *vendors) {
			pg := v.pages[path]
			pg.header = map[string]string{}
			for k, x := range v.pages[path].header {
				pg.header[k] = x
			}
			pg.body = bytes.Clone(pg.body)
			f(&pg)
			v.set(path, pg)
		}
	}
	for name, c := range map[string]struct {
		lie  func(v *vendors)
		want error
	}{
		"a changed document": {change(p.tcb, func(pg *page) { pg.body = bytes.Replace(pg.body, []byte("tcbStatus"), []byte("tcbstatus"), 1) }), wire.ErrCollateralSignature},
		"another signature": {change(p.qe, func(pg *page) {
			pg.body = document("enclaveIdentity", p.bundle.QEIdentity, p.bundle.TCBInfoSignature)
		}), wire.ErrCollateralSignature},
		"a changed list":            {change(p.crl, func(pg *page) { pg.body[len(pg.body)-1] ^= 1 }), wire.ErrCollateralSignature},
		"another list for the root": {change(rootCRLPath, func(pg *page) { pg.body = p.bundle.PCKCRL }), wire.ErrUnknownAnchor},
		"the other authority's list": {change(p.crl, func(pg *page) {
			pg.body, pg.header["SGX-PCK-CRL-Issuer-Chain"] = other.bundle.PCKCRL, encoded(other.bundle.PCKCRLChain)
		}), wire.ErrCollateralMismatch},
		"another platform's TCB info": {change(p.tcb, func(pg *page) {
			pg.body, pg.header["TCB-Info-Issuer-Chain"] = document("tcbInfo", other.bundle.TCBInfo, other.bundle.TCBInfoSignature), encoded(other.bundle.TCBInfoChain)
		}), wire.ErrCollateralMismatch},
		"no chain":             {change(p.tcb, func(pg *page) { delete(pg.header, "TCB-Info-Issuer-Chain") }), wire.ErrCollateralMalformed},
		"half a chain":         {change(p.tcb, func(pg *page) { pg.header["TCB-Info-Issuer-Chain"] = encoded(string(pemOf([]byte{1}))) }), wire.ErrCollateralMalformed},
		"a chain of text":      {change(p.tcb, func(pg *page) { pg.header["TCB-Info-Issuer-Chain"] = "trust%20me" }), wire.ErrCollateralMalformed},
		"bad escapes":          {change(p.tcb, func(pg *page) { pg.header["TCB-Info-Issuer-Chain"] = "%zz" }), wire.ErrCollateralMalformed},
		"an endless chain":     {change(p.tcb, func(pg *page) { pg.header["TCB-Info-Issuer-Chain"] = strings.Repeat("A", maxChain+1) }), wire.ErrCollateralMalformed},
		"an endless document":  {change(p.tcb, func(pg *page) { pg.body = bytes.Repeat([]byte(" "), maxAnswer+1) }), wire.ErrCollateralMalformed},
		"no document":          {change(p.tcb, func(pg *page) { pg.body = []byte(`{"signature":"00"}`) }), wire.ErrCollateralMalformed},
		"no JSON":              {change(p.tcb, func(pg *page) { pg.body = []byte(`<html>`) }), wire.ErrCollateralMalformed},
		"a signature of words": {change(p.tcb, func(pg *page) { pg.body = []byte(`{"tcbInfo":{},"signature":"sig"}`) }), wire.ErrCollateralMalformed},
		"an unknown platform":  {func(v *vendors) { v.set(p.tcb, page{status: http.StatusNotFound}) }, ErrUnknown},
		"too many requests":    {func(v *vendors) { v.set(p.tcb, page{status: http.StatusTooManyRequests}) }, ErrUnreachable},
		"a broken service":     {func(v *vendors) { v.set(p.tcb, page{status: http.StatusBadGateway}) }, ErrUnreachable},
		"no service":           {func(v *vendors) { v.Close() }, ErrUnreachable},
	} {
		v, now, dir := newVendors(t), june, t.TempDir()
		p.publish(v)
		c.lie(v)
		items, err := fetcher(t, v.config(dir, anchors.Real(), &now)).For(t.Context(), p.evidence)
		if !errors.Is(err, c.want) || items != nil {
			t.Errorf("%s: %v", name, err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || slices.ContainsFunc(files, func(f string) bool { return filepath.Ext(f) != extension }) {
			t.Errorf("%s: the folder has %v, %v", name, files, err)
		}
	}
}

func TestExpiredCollateralIsNotHandedOn(t *testing.T) {
	v, now := newVendors(t), june.AddDate(0, 2, 0)
	p := platforms(t)[0]
	p.publish(v)
	if _, err := fetcher(t, v.config(t.TempDir(), anchors.Real(), &now)).For(t.Context(), p.evidence); wire.CodeOf(err) != wire.ErrCollateralExpired {
		t.Errorf("%v", err)
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	v, now := newVendors(t), june
	p := platforms(t)[0]
	p.publish(v)
	f := fetcher(t, v.config(t.TempDir(), anchors.Real(), &now))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	<-f.turn // somebody else asks
	if _, err := f.For(ctx, p.evidence); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	f.turn <- struct{}{}
	if _, err := f.For(ctx, p.evidence); !errors.Is(err, context.Canceled) {
		t.Errorf("asking: %v", err)
	}
	if _, err := f.For(t.Context(), p.evidence); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatCannotBeAskedForIsRefused(t *testing.T) {
	now := june
	v := newVendors(t)
	f := fetcher(t, v.config(t.TempDir(), anchors.Real(), &now))
	_, tpm := f.Intel(t.Context(), evidence.TPM, [6]byte{}, Platform)
	_, ca := f.Intel(t.Context(), evidence.SGX, [6]byte{}, "platform&x=")
	_, line := f.AMD(t.Context(), "../Milan", false)
	_, empty := New(Config{})
	for _, err := range []error{tpm, ca, line, empty} {
		if wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%v", err)
		}
	}
	if len(v.requests()) != 0 {
		t.Error("a vendor was asked")
	}
}

func TestTheVendorsAreAskedByDefault(t *testing.T) {
	f := fetcher(t, Config{Client: http.DefaultClient, Trusted: anchors.Real(), Dir: t.TempDir()})
	if f.cfg.IntelPCS != IntelPCS || f.cfg.IntelRootCRL != IntelRootCRL || f.cfg.AMDKDS != AMDKDS || f.cfg.Refresh != DefaultRefresh || f.cfg.Now == nil {
		t.Errorf("%+v", f.cfg)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"tcbInfo":{},"signature":"00"}`), "-----BEGIN%20CERTIFICATE-----")
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"), "%")
	cfg := Config{Client: http.DefaultClient, Trusted: anchors.Real(), Dir: f.TempDir()}
	fetch, err := New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, chain string) {
		a := &answer{http.Header{}, body}
		for _, name := range []string{"TCB-Info-Issuer-Chain", "SGX-Enclave-Identity-Issuer-Chain", "SGX-PCK-CRL-Issuer-Chain"} {
			a.header.Set(name, chain)
		}
		for _, read := range []func(*answer) (evidence.Item, error){readTCBInfo, readQEIdentity, readPCKCRL, readAMDChain, readAMDCRL, fetch.readRootCRL} {
			item, err := read(a)
			if err != nil {
				if wire.CodeOf(err).Info().Exit == wire.ExitInternal {
					t.Fatal(err)
				}
				continue
			}
			if _, err := check(&want{is: isKey(evidence.TCBInfo, "")}, &item, &evidence.Set{Trusted: cfg.Trusted}, june); err == nil {
				t.Fatal("fuzzed collateral holds")
			}
		}
	})
}
