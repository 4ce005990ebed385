package anchors

import (
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/evidencetest"
	"cloister/evidence/verify"
)

var at = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC).Unix()

func source() *evidence.Set { return &evidence.Set{Trusted: Real(), Items: AMDChains()} }

func TestTheRootsAreTheVendors(t *testing.T) {
	var got []string
	for _, a := range Real() {
		got = append(got, a.Vendor.String()+" "+a.Product+" "+a.ID().String())
		if a.Simulated {
			t.Errorf("%s: simulated", a.ID())
		}
	}
	// Intel's is pinned in the TEE specification (§2.6).
	want := []string{
		"Intel  44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
		"AMD Milan 69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
		"AMD Genoa 4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
		"AMD Turin 1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestEachIntermediateBelongsUnderItsKey(t *testing.T) {
	chains := AMDChains()
	if len(chains) != 6 {
		t.Errorf("%d intermediates", len(chains))
	}
	for key, item := range chains {
		if k, _, err := verify.CheckItem(&item, source(), at); k != key || err != nil {
			t.Errorf("%s: %s, %v", key, k, err)
		}
	}
}

func TestTheExampleVerifies(t *testing.T) {
	report, vcek := Example()
	r, err := verify.Verify(&evidence.Evidence{Kind: evidence.SNP, Quote: report, Aux: [][]byte{vcek}}, source(), at)
	if err != nil || r.Product != amd.Milan || r.Debug || r.Simulated {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTheFilesAreThoseOfTheSamples(t *testing.T) {
	known := map[string]bool{}
	folder := evidencetest.Samples(t)
	err := filepath.WalkDir(filepath.Join(folder, "roots"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
			known[string(block.Bytes)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range Real() {
		if !known[string(a.DER)] {
			t.Errorf("root %s is not among the samples", a.ID())
		}
	}
	for key, item := range AMDChains() {
		if !known[string(item.Body)] {
			t.Errorf("%s is not among the samples", key)
		}
	}
}
