package tpm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/evidencetest"
	"cloister/wire"
)

// samples is the folder of real evidence, shared by all checkouts.
const samples = "../../../shared/testdata/attestation"

// sample is the row of tpm/index.json.
type sample struct {
	HCL    string
	Claims struct {
		Size int `json:"claims_size"`
	} `json:"hcl_layout"`
	ReportData string `json:"report_data"`
	ChipID     string `json:"chip_id"`
	TPM        struct {
		Attest    string `json:"tpms_attest"`
		Extra     string `json:"extra_data"`
		Clock     uint64 `json:"clock_ms"`
		Reset     uint32 `json:"reset_count"`
		Restart   uint32 `json:"restart_count"`
		Safe      bool
		Firmware  string `json:"firmware_version"`
		PCRDigest string `json:"pcr_digest"`
	}
	Roots    string
	VerifyAt time.Time `json:"verify_at"`
	Validity struct {
		NotBefore string `json:"not_before"`
		NotAfter  string `json:"not_after"`
	} `json:"cert_validity"`
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(evidencetest.Samples(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func azure(t testing.TB) (sample, *Nested, *evidence.Set) {
	t.Helper()
	var rows []sample
	if err := json.Unmarshal(file(t, "tpm/index.json"), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	s := rows[0]
	ask, rest := pem.Decode(file(t, s.Roots))
	ark, _ := pem.Decode(rest)
	src := &evidence.Set{Trusted: []evidence.Anchor{{Vendor: evidence.AMD, DER: ark.Bytes, Product: amd.Milan}}}
	src.Add(evidence.Key{Type: evidence.AMDChain, Name: "Milan/vcek"}, evidence.Item{Type: evidence.AMDChain, Body: ask.Bytes})
	stem := "tpm/01-azure-vtpm-milan."
	return s, &Nested{
		HCL: file(t, "tpm/"+s.HCL), Leaf: file(t, stem+"vcek.der"), Quoted: file(t, "tpm/"+s.TPM.Attest),
		Signature: file(t, stem+"sig"), PCRs: file(t, stem+"pcrs"),
	}, src
}

func TestARealNestedQuoteIsAsItsIndexSays(t *testing.T) {
	s, n, src := azure(t)
	res, err := VerifyNested(n, src, s.VerifyAt.Unix())
	if err != nil {
		t.Fatal(err)
	}
	q, chip := res.Quote, must(hex.DecodeString(s.ChipID))
	if len(res.Claims) != s.Claims.Size || hex.EncodeToString(res.SNP.ReportData[:]) != s.ReportData || res.SNP.Device != evidence.DeviceID(evidence.AMD, chip) {
		t.Errorf("%d bytes of claims, %+v", len(res.Claims), res.SNP)
	}
	if hex.EncodeToString(q.Extra) != s.TPM.Extra || q.Clock != s.TPM.Clock || q.ResetCount != s.TPM.Reset || q.RestartCount != s.TPM.Restart ||
		q.Safe != s.TPM.Safe || fmt.Sprintf("%#x", q.Firmware) != s.TPM.Firmware || hex.EncodeToString(q.Quote.Digest) != s.TPM.PCRDigest ||
		len(q.Quote.Selection.PCRs()) != 24 || !bytes.Equal(q.Bytes(), n.Quoted) {
		t.Errorf("%+v, %+v", q, q.Quote)
	}
}

func TestBeforeAndAfterTheMachinesCertificateAreToldApart(t *testing.T) {
	s, n, src := azure(t)
	for text, want := range map[string]struct {
		step int64
		code wire.Code
	}{s.Validity.NotBefore: {-1, wire.ErrEvidenceNotYet}, s.Validity.NotAfter: {1, wire.ErrEvidenceExpired}} {
		edge := must(time.Parse("Jan _2 15:04:05 2006 MST", text)).Unix()
		if _, err := VerifyNested(n, src, edge); err != nil {
			t.Errorf("at %s: %v", text, err)
		}
		if _, err := VerifyNested(n, src, edge+want.step); wire.CodeOf(err) != want.code {
			t.Errorf("past %s: %v, want %s", text, err, want.code)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestNestedEvidenceWhosePartsDoNotBelongTogetherIsRefused(t *testing.T) {
	s, good, src := azure(t)
	for rule, row := range map[string]struct {
		want   wire.Code
		change func(n *Nested)
	}{
		"other claims":        {wire.ErrEvidenceBinding, func(n *Nested) { n.HCL = bytes.Replace(n.HCL, []byte("true"), []byte("1234"), 1) }},
		"another report":      {wire.ErrEvidenceSignature, func(n *Nested) { n.HCL = flipped(n.HCL, hclHead+0x90) }},
		"another signature":   {wire.ErrEvidenceSignature, func(n *Nested) { n.Signature = flipped(n.Signature, 255) }},
		"another quote":       {wire.ErrEvidenceSignature, func(n *Nested) { n.Quoted = flipped(n.Quoted, 50) }},
		"another PCR":         {wire.ErrEvidenceBinding, func(n *Nested) { n.PCRs = flipped(n.PCRs, 0) }},
		"a PCR less":          {wire.ErrEvidenceMalformed, func(n *Nested) { n.PCRs = n.PCRs[32:] }},
		"another head":        {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = flipped(n.HCL, 0) }},
		"another request":     {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = flipped(n.HCL, 12) }},
		"a reserved byte":     {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = flipped(n.HCL, 31) }},
		"another hash":        {wire.ErrEvidenceUnsupported, func(n *Nested) { n.HCL = flipped(n.HCL, 1228) }},
		"padding in use":      {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = flipped(n.HCL, len(n.HCL)-1) }},
		"claims cut off":      {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = n.HCL[:2000] }},
		"nothing":             {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = nil }},
		"no certificate":      {wire.ErrEvidenceMalformed, func(n *Nested) { n.Leaf = nil }},
		"a key by other name": {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = bytes.Replace(n.HCL, []byte(hclKey), []byte("HCLXkPub"), 1) }},
		"two keys of a name":  {wire.ErrEvidenceMalformed, func(n *Nested) { n.HCL = bytes.Replace(n.HCL, []byte("HCLEkPub"), []byte(hclKey), 1) }},
	} {
		n := *good
		n.HCL = slices.Clone(good.HCL)
		row.change(&n)
		if _, err := VerifyNested(&n, src, s.VerifyAt.Unix()); wire.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want %s", rule, err, row.want)
		}
	}
}

func TestClaimsAreBoundByTheirHash(t *testing.T) {
	s, n, _ := azure(t)
	_, claims, ak, err := ParseHCL(n.HCL)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(claims)
	if want := hex.EncodeToString(digest[:]); s.ReportData[:64] != want || ak.N.BitLen() != 2048 {
		t.Errorf("claims hash to %s, key of %d bits", want, ak.N.BitLen())
	}
}
