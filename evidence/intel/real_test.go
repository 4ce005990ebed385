package intel

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// row is one entry of an index of real evidence.
type row struct {
	Advisories []string `json:"advisories"`
	Flags      string   `json:"attributes_flags"`
	XFRM       string   `json:"attributes_xfrm"`
	CertType   uint16   `json:"cert_data_type"`
	Collateral string   `json:"collateral"`
	Window     string   `json:"collateral_window"`
	CPUSVN     string   `json:"cpusvn"`
	CRL        string   `json:"crl"`
	Debug      bool     `json:"debug"`
	ProdID     uint16   `json:"isv_prod_id"`
	SVN        uint16   `json:"isv_svn"`
	MiscSelect uint32   `json:"miscselect"`
	MRENCLAVE  string   `json:"mrenclave"`
	MRSIGNER   string   `json:"mrsigner"`
	MRSEAM     string   `json:"mrseam"`
	MRTD       string   `json:"mrtd"`
	RTMR       []string `json:"rtmr"`
	TDAttr     string   `json:"td_attributes"`
	XFAM       string   `json:"xfam"`
	TEETCBSVN  string   `json:"tee_tcb_svn"`
	PCESVN     uint16   `json:"pce_svn"`
	QESVN      uint16   `json:"qe_svn"`
	PCK        *struct {
		Components string    `json:"comp_svn"`
		FMSPC      string    `json:"fmspc"`
		Issuer     string    `json:"issuer"`
		NotAfter   time.Time `json:"not_after"`
		NotBefore  time.Time `json:"not_before"`
		PCEID      string    `json:"pceid"`
		PCESVN     uint16    `json:"pcesvn"`
		Instance   string    `json:"platform_instance_id"`
		PPID       string    `json:"ppid"`
		Type       int       `json:"sgx_type"`
	} `json:"pck"`
	ErrorKind  string    `json:"error_kind"`
	Quote      string    `json:"quote"`
	ReportData string    `json:"report_data"`
	Result     string    `json:"result"`
	Number     uint64    `json:"tcb_eval_number"`
	TEEType    string    `json:"tee_type"`
	Zeros      int       `json:"trailing_zero_bytes"`
	At         time.Time `json:"verify_at"`
	Version    uint16    `json:"version"`

	dir string
}

func readFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rows(t testing.TB) []row {
	t.Helper()
	var all []row
	for _, kind := range []string{"sgx", "tdx"} {
		dir := filepath.Join(evidencetest.Samples(t), kind)
		var list []row
		if err := json.Unmarshal(readFile(t, dir, "index.json"), &list); err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			r.dir = dir
			all = append(all, r)
		}
	}
	if len(all) != 13 {
		t.Fatalf("%d entries, 13 were expected", len(all))
	}
	return all
}

func (r *row) name() string {
	return strings.TrimSuffix(r.Quote, ".quote") + "@" + r.At.Format(time.DateOnly)
}

func (r *row) raw(t testing.TB) []byte { return readFile(t, r.dir, r.Quote) }

// evidence is the row's quote without padding.
func (r *row) evidence(t testing.TB) *evidence.Evidence {
	t.Helper()
	q, err := Trim(r.raw(t))
	if err != nil {
		t.Fatal(err)
	}
	kind := evidence.SGX
	if r.TEEType == "0x81" {
		kind = evidence.TDX
	}
	return &evidence.Evidence{Kind: kind, Quote: q}
}

func intelRoot(t testing.TB) evidence.Anchor {
	t.Helper()
	block, _ := pem.Decode(readFile(t, evidencetest.Samples(t), "roots", "intel-sgx-root-ca.pem"))
	return evidence.Anchor{Vendor: evidence.Intel, DER: block.Bytes}
}

func (r *row) source(t testing.TB) *evidence.Set {
	t.Helper()
	set := &evidence.Set{Trusted: []evidence.Anchor{intelRoot(t)}}
	items, err := ParseBundle(readFile(t, r.dir, r.Collateral))
	if err != nil {
		t.Fatal(err)
	}
	if err := Fill(set, items); err != nil {
		t.Fatal(err)
	}
	return set
}

// window is when all collateral of a row is in force: the index knows TCB info
// and QE identity, the lists say it themselves.
func (r *row) window(t testing.TB, src *evidence.Set) (start, end int64) {
	t.Helper()
	from, to, _ := strings.Cut(r.Window, "..")
	a, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	z, err := time.Parse(time.RFC3339, to)
	if err != nil {
		t.Fatal(err)
	}
	start, end = a.Unix(), z.Unix()
	for k, item := range src.Items {
		if k.Type == evidence.CRL {
			list, err := x509.ParseRevocationList(item.Body)
			if err != nil {
				t.Fatal(err)
			}
			start, end = max(start, list.ThisUpdate.Unix()), min(end, list.NextUpdate.Unix())
		}
	}
	return start, end
}

// accepted are the rows Verify answers with a result.
func accepted(t testing.TB) []row {
	var out []row
	for _, r := range rows(t) {
		if r.Collateral != "" && r.CRL != "absent" {
			out = append(out, r)
		}
	}
	if len(out) != 10 {
		t.Fatalf("%d rows can be verified, 10 were expected", len(out))
	}
	return out
}

func wantCode(t testing.TB, err error, want wire.Code) {
	t.Helper()
	if wire.CodeOf(err) != want {
		t.Fatalf("error %v, want %s", err, want)
	}
}

func TestRealEvidenceGetsTheStatusTheVendorGaveIt(t *testing.T) {
	for _, r := range accepted(t) {
		t.Run(r.name(), func(t *testing.T) {
			src, at := r.source(t), r.At.Unix()
			got, err := Verify(r.evidence(t), src, at)
			if err != nil {
				t.Fatal(err)
			}
			want := r.Result
			if r.ErrorKind != "" {
				want = "NotSupported"
			}
			slices.Sort(r.Advisories)
			if got.Status.String() != want || !slices.Equal(got.Advisories, r.Advisories) {
				t.Errorf("status %s %v, want %s %v", got.Status, got.Advisories, want, r.Advisories)
			}
			if got.TCBNumber != r.Number || got.Product != r.PCK.FMSPC || got.Debug != r.Debug || got.Simulated {
				t.Errorf("number %d, product %s, debug %t, simulated %t", got.TCBNumber, got.Product, got.Debug, got.Simulated)
			}
			if hex.EncodeToString(got.ReportData[:]) != r.ReportData {
				t.Errorf("report data %x", got.ReportData)
			}
			ppid, _ := hex.DecodeString(r.PCK.PPID)
			if got.Device != evidence.DeviceID(evidence.Intel, ppid) {
				t.Errorf("device %s", got.Device)
			}
			if root := intelRoot(t); got.Anchor != root.ID() {
				t.Errorf("anchor %s", got.Anchor)
			}
			if _, end := r.window(t, src); got.NotAfter != end {
				t.Errorf("relies on things until %s, want %s", stamp(got.NotAfter), stamp(end))
			}
			if len(got.Level) == 0 || len(got.Level) > evidence.MaxLevel {
				t.Errorf("level of %d bytes", len(got.Level))
			}
			checks := 11
			if got.Kind == evidence.TDX {
				checks++
			}
			if got.Status == evidence.NotSupported {
				checks--
			}
			if len(got.Passed) != checks {
				t.Errorf("%d checks passed, want %d: %v", len(got.Passed), checks, got.Passed)
			}
			status, advisories, err := Assess(got.Kind, got.Level, src, at)
			if err != nil || status != got.Status || !slices.Equal(advisories, got.Advisories) {
				t.Errorf("assessed again: %s %v, %v", status, advisories, err)
			}
		})
	}
}

func TestRealQuotesAreReadFieldByField(t *testing.T) {
	for _, r := range rows(t) {
		if r.Version == 0 {
			continue // the quote that cannot be read, judged below
		}
		t.Run(r.name(), func(t *testing.T) {
			e := r.evidence(t)
			if got := len(r.raw(t)) - len(e.Quote); got != r.Zeros {
				t.Errorf("%d zeros removed, want %d", got, r.Zeros)
			}
			q, err := ParseQuote(e.Quote)
			if err != nil {
				t.Fatal(err)
			}
			rd := q.ReportData()
			same(t, "version", q.Header.Version, r.Version)
			same(t, "tee type", fmt.Sprintf("%#x", q.Header.TEEType), r.TEEType)
			same(t, "qe svn", q.Header.QESVN, r.QESVN)
			same(t, "pce svn", q.Header.PCESVN, r.PCESVN)
			same(t, "report data", hex.EncodeToString(rd[:]), r.ReportData)
			same(t, "certification data type", q.Type, r.CertType)
			same(t, "kind", q.Kind, e.Kind)
			if q.TD != nil {
				r.sameTD(t, q.TD)
			} else {
				r.sameEnclave(t, q.SGX)
			}
			if r.PCK != nil {
				r.samePCK(t, q)
			}
		})
	}
}

func same[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func (r *row) sameEnclave(t *testing.T, e *EnclaveReport) {
	same(t, "cpusvn", hex.EncodeToString(e.CPUSVN[:]), r.CPUSVN)
	same(t, "flags", fmt.Sprintf("%#x", e.Flags()), r.Flags)
	same(t, "xfrm", fmt.Sprintf("%#x", e.XFRM()), r.XFRM)
	same(t, "mrenclave", e.MRENCLAVE.String(), r.MRENCLAVE)
	same(t, "mrsigner", e.MRSIGNER.String(), r.MRSIGNER)
	same(t, "isvprodid", e.ISVProdID, r.ProdID)
	same(t, "isvsvn", e.ISVSVN, r.SVN)
	same(t, "miscselect", e.MiscSelect, [4]byte{byte(r.MiscSelect)})
	same(t, "debug", e.Debug(), r.Debug)
}

func (r *row) sameTD(t *testing.T, d *TDReport) {
	same(t, "tee_tcb_svn", hex.EncodeToString(d.TEETCBSVN[:]), r.TEETCBSVN)
	same(t, "mrseam", hex.EncodeToString(d.MRSEAM[:]), r.MRSEAM)
	same(t, "mrtd", hex.EncodeToString(d.MRTD[:]), r.MRTD)
	for i := range d.RTMR {
		same(t, "rtmr", hex.EncodeToString(d.RTMR[i][:]), r.RTMR[i])
	}
	same(t, "td attributes", strings.Fields(flags(le64(d.TDAttributes), tdFlags))[0], r.TDAttr)
	same(t, "xfam", fmt.Sprintf("%#x", le64(d.XFAM)), r.XFAM)
	same(t, "debug", d.Debug(), r.Debug)
}

func le64(b [8]byte) (v uint64) {
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}

func (r *row) samePCK(t *testing.T, q *Quote) {
	der, err := q.chain()
	if err != nil {
		t.Fatal(err)
	}
	cert := mustCert(t, der[0])
	p, err := ParsePCK(cert)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "components", hex.EncodeToString(p.Components[:]), r.PCK.Components)
	same(t, "fmspc", hex.EncodeToString(p.FMSPC[:]), r.PCK.FMSPC)
	same(t, "pceid", hex.EncodeToString(p.PCEID[:]), r.PCK.PCEID)
	same(t, "pcesvn", p.PCESVN, r.PCK.PCESVN)
	same(t, "ppid", hex.EncodeToString(p.PPID[:]), r.PCK.PPID)
	same(t, "type", p.Type, r.PCK.Type)
	same(t, "instance", hex.EncodeToString(p.Instance), r.PCK.Instance)
	same(t, "configuration", p.Configuration != nil, r.PCK.Instance != "")
	same(t, "issuer", cert.Issuer.CommonName, r.PCK.Issuer)
	same(t, "not before", cert.NotBefore.Unix(), r.PCK.NotBefore.Unix())
	same(t, "not after", cert.NotAfter.Unix(), r.PCK.NotAfter.Unix())
}

func TestEvidenceWithoutRevocationListsIsRefused(t *testing.T) {
	n := 0
	for _, r := range rows(t) {
		if r.CRL == "absent" {
			n++
			res, err := Verify(r.evidence(t), r.source(t), r.At.Unix())
			wantCode(t, err, wire.ErrCollateralMissing)
			if last := res.Passed[len(res.Passed)-1]; last != PassedQuote {
				t.Errorf("the last check that held is %s", last)
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d rows without lists", n)
	}
	r := accepted(t)[0]
	whole := r.source(t)
	for missing := range whole.Items {
		src := r.source(t)
		delete(src.Items, missing)
		_, err := Verify(r.evidence(t), src, r.At.Unix())
		wantCode(t, err, wire.ErrCollateralMissing)
	}
}

func TestQuotesThatCannotBeJudgedAreRefused(t *testing.T) {
	dir := evidencetest.Samples(t)
	old := readFile(t, dir, "sgx", "04-v3-certtype3.quote")
	_, err := Verify(&evidence.Evidence{Kind: evidence.SGX, Quote: old}, &evidence.Set{}, 0)
	wantCode(t, err, wire.ErrEvidenceUnsupported)

	garbage := readFile(t, dir, "tdx", "08-v4-trailing-garbage.quote")
	_, err = Trim(garbage)
	wantCode(t, err, wire.ErrEvidenceMalformed)
	_, err = ParseQuote(garbage)
	wantCode(t, err, wire.ErrEvidenceMalformed)

	for _, r := range accepted(t) {
		e := r.evidence(t)
		e.Quote = append(e.Quote[:len(e.Quote):len(e.Quote)], 0)
		_, err := Verify(e, r.source(t), r.At.Unix())
		wantCode(t, err, wire.ErrEvidenceMalformed)
		e = r.evidence(t)
		e.Aux = [][]byte{{}}
		_, err = Verify(e, r.source(t), r.At.Unix())
		wantCode(t, err, wire.ErrEvidenceMalformed)
		e = r.evidence(t)
		e.Kind = evidence.SGX + evidence.TDX - e.Kind
		_, err = Verify(e, r.source(t), r.At.Unix())
		wantCode(t, err, wire.ErrEvidenceMalformed)
	}
}

func TestEachEndOfEachWindowHasItsOwnError(t *testing.T) {
	for _, r := range accepted(t) {
		t.Run(r.name(), func(t *testing.T) {
			e, src := r.evidence(t), r.source(t)
			verify := func(at int64) error { _, err := Verify(e, src, at); return err }
			start, end := r.window(t, src)
			wantCode(t, verify(end), wire.OK)
			wantCode(t, verify(end+1), wire.ErrCollateralExpired)
			wantCode(t, verify(r.PCK.NotBefore.Unix()-1), wire.ErrEvidenceNotYet)
			wantCode(t, verify(r.PCK.NotAfter.Unix()+1), wire.ErrEvidenceExpired)
			if born := r.PCK.NotBefore.Unix(); start < born {
				wantCode(t, verify(born), wire.OK) // the certificate is younger than the collateral
				return
			}
			wantCode(t, verify(start), wire.OK)
			wantCode(t, verify(start-1), wire.ErrCollateralNotYet)
		})
	}
}

func TestRealCollateralIsAcceptedUnderItsKey(t *testing.T) {
	for _, r := range accepted(t) {
		src := r.source(t)
		for want, item := range src.Items {
			key, fresh, err := CheckItem(&item, src, r.At.Unix())
			if err != nil || key != want {
				t.Fatalf("%s %s: %s, %v", r.name(), want, key, err)
			}
			if fresh.Issued > r.At.Unix() || fresh.Expires < r.At.Unix() || fresh.Number == 0 {
				t.Errorf("%s %s: %+v", r.name(), key, fresh)
			}
			_, _, err = CheckItem(&item, src, fresh.Issued-1)
			wantCode(t, err, wire.ErrCollateralNotYet)
			_, _, err = CheckItem(&item, src, fresh.Expires+1)
			wantCode(t, err, wire.ErrCollateralExpired)
			_, _, err = CheckItem(&item, &evidence.Set{}, r.At.Unix())
			wantCode(t, err, wire.ErrUnknownAnchor)
		}
	}
}

func TestExplainNamesEveryMeasurement(t *testing.T) {
	for _, r := range accepted(t) {
		q, err := ParseQuote(r.evidence(t).Quote)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]string{}
		for _, f := range Explain(q) {
			if _, twice := values[f.Name]; twice {
				t.Errorf("%s is explained twice", f.Name)
			}
			values[f.Name] = f.Value
		}
		same(t, "mrtd", values["mrtd"], r.MRTD)
		same(t, "mrenclave", values["mrenclave"], r.MRENCLAVE)
		same(t, "fmspc", values["pck fmspc"], r.PCK.FMSPC)
		same(t, "reportdata", values["reportdata"], r.ReportData)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, r := range accepted(b) {
		e, src := r.evidence(b), r.source(b)
		b.Run(r.name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Verify(e, src, r.At.Unix()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
