package offline

import (
	"bytes"
	"encoding/pem"
	"math"
	"strings"
	"testing"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/anchors"
	"cloister/evidence/trust"
	"cloister/wire"
)

const at = 1748736000 // 2025-06-01

func example() *evidence.Evidence {
	report, vcek := anchors.Example()
	return &evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{vcek}}
}

func TestAContentIsRecognisedByItsBytes(t *testing.T) {
	report, _ := anchors.Example()
	for name, b := range map[string][]byte{"a report": report, "our encoding": example().Bytes()} {
		for _, kind := range []string{"", "snp"} {
			if g, err := Parse(kind, b); err != nil || g.Kind() != evidence.SNP {
				t.Errorf("%s as %q: %v", name, kind, err)
			}
		}
		if _, err := Parse("tdx", b); wire.CodeOf(err) != wire.ErrBadRequest {
			t.Errorf("%s as another kind: %v", name, err)
		}
	}
	if _, err := Parse("", report[1:]); wire.CodeOf(err) != wire.ErrEvidenceMalformed {
		t.Errorf("half a report: %v", err)
	}
	if _, err := Parse("snp", report[1:]); wire.CodeOf(err) != wire.ErrEvidenceMalformed || !strings.Contains(err.Error(), "1184") {
		t.Errorf("half a report, said to be one: %v", err)
	}
	if _, err := Parse("abacus", []byte("text")); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestWhatNothingEndorsesIsNotVerified(t *testing.T) {
	g := &Given{Evidence: example()}
	f, err := g.Verify(Source(), at)
	if err != nil || f.Bound != f.ReportData || f.Bound == [64]byte{} {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := g.Verify(&evidence.Set{Items: anchors.AMDChains()}, at); wire.CodeOf(err) != wire.ErrUnknownAnchor {
		t.Errorf("without roots: %v", err)
	}
	if _, err := new(Given).Verify(Source(), at); wire.CodeOf(err) != wire.ErrEvidenceUnsupported {
		t.Errorf("a bare statement: %v", err)
	}
}

func TestRootsSayWhoseTheyAre(t *testing.T) {
	src := new(evidence.Set)
	var all []byte
	for _, a := range anchors.Real() {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.DER})...)
	}
	if err := AddRoots(src, all); err != nil {
		t.Fatal(err)
	}
	for i, a := range anchors.Real() {
		if got := src.Trusted[i]; got.Vendor != a.Vendor || got.Product != a.Product || got.ID() != a.ID() || got.Simulated {
			t.Errorf("%s %s is taken for %s %s", a.Vendor, a.Product, got.Vendor, got.Product)
		}
	}
	ask := anchors.AMDChains()[evidence.Key{Type: evidence.AMDChain, Name: "Milan/vcek"}]
	if err := AddRoots(src, ask.Body); wire.CodeOf(err) != wire.ErrBadRequest {
		t.Errorf("an intermediate: %v", err)
	}
	if err := AddRoots(src, []byte("text")); wire.CodeOf(err) != wire.ErrRootMalformed {
		t.Errorf("text: %v", err)
	}
}

func TestAMDsCollateralMayLieInAnyForm(t *testing.T) {
	key := evidence.Key{Type: evidence.AMDChain, Name: "Genoa/vlek"}
	item := anchors.AMDChains()[key]
	ask := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: item.Body})
	var ark []byte
	for _, a := range anchors.Real() {
		if a.Product == amd.Genoa {
			ark = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.DER})
		}
	}
	for name, b := range map[string][]byte{"DER": item.Body, "PEM": ask, "a chain": append(ask, ark...), "an item": trust.ItemBytes(&item)} {
		src := &evidence.Set{Trusted: anchors.Real()}
		if err := AddCollateral(src, b, at); err != nil || len(src.Items) != 1 || !bytes.Equal(src.Items[key].Body, item.Body) {
			t.Errorf("%s: %v, %d items", name, err, len(src.Items))
		}
		if err := AddCollateral(new(evidence.Set), b, at); wire.CodeOf(err) != wire.ErrUnknownAnchor {
			t.Errorf("%s of a root nobody trusts: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("text"), []byte("{}")} {
		if err := AddCollateral(Source(), b, at); wire.CodeOf(err) != wire.ErrCollateralMalformed {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nil), "")
	f.Add([]byte("HCLA"), "")
	f.Add([]byte{0xff, 0x54, 0x43, 0x47}, "tpm")
	f.Add(example().Quote, "snp")
	f.Add(example().Bytes(), "")
	f.Add((&evidence.Evidence{Kind: evidence.TPM, Quote: []byte{1}, Aux: make([][]byte, 7)}).Bytes(), "")
	f.Add(bytes.Repeat([]byte{3}, amd.ReportSize), "sgx")
	genuine := example().Bytes()
	f.Fuzz(func(t *testing.T, b []byte, kind string) {
		g, err := Parse(kind, b)
		if err != nil {
			if wire.CodeOf(err).Info().Exit == wire.ExitInternal {
				t.Fatal(err)
			}
			return
		}
		if res, err := g.Verify(Source(), math.MaxUint32); err == nil && g.Kind() != evidence.TPM && !bytes.Equal(b, genuine) {
			t.Fatalf("fuzzed evidence verifies: %+v", res)
		}
	})
}

func FuzzCollateral(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	for _, item := range anchors.AMDChains() {
		f.Add(item.Body)
		f.Add(trust.ItemBytes(&item))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, err := range []error{AddCollateral(Source(), b, at), AddRoots(new(evidence.Set), b)} {
			if err != nil && wire.CodeOf(err).Info().Exit == wire.ExitInternal {
				t.Fatal(err)
			}
		}
	})
}
