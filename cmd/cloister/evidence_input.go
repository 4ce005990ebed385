package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/anchors"
	"cloister/evidence/intel"
	"cloister/evidence/tpm"
	"cloister/evidence/trust"
	"cloister/evidence/verify"
	"cloister/wire"
)

// Bounds of files given to judge evidence by.
const (
	maxCollateral = 256 << 10
	maxPCRs       = 24 * 32
)

// evidenceFiles name the parts evidence is put together from.
type evidenceFiles struct {
	kind         string // empty: recognise it
	cert         string // SNP: leaf certificate
	tpmQuote     string // virtual TPM
	tpmSignature string
	tpmPCRs      string
}

func (e *evidenceFiles) flags(f *pflag.FlagSet) {
	f.StringVar(&e.kind, "kind", "", "what FILE holds, if it is not recognised: sgx, tdx, snp or tpm")
	f.StringVar(&e.cert, "cert", "", "SNP: leaf certificate (VCEK or VLEK), DER or PEM")
	f.StringVar(&e.tpmQuote, "tpm-quote", "", "paravisor's report: TPMS_ATTEST of its virtual TPM")
	f.StringVar(&e.tpmSignature, "tpm-signature", "", "paravisor's report: signature over it")
	f.StringVar(&e.tpmPCRs, "tpm-pcrs", "", "paravisor's report: values of the quoted PCRs, 32 bytes each")
}

// givenEvidence is what a file holds; one of the first three is set.
type givenEvidence struct {
	evidence  *evidence.Evidence
	paravisor *tpm.Nested
	attest    *tpm.Attest

	nested *tpm.NestedResult // of the paravisor's report, once verified
}

func (g *givenEvidence) kind() evidence.Kind {
	switch {
	case g.paravisor != nil:
		return evidence.SNP
	case g.evidence != nil:
		return g.evidence.Kind
	}
	return evidence.TPM
}

// read reads evidence with all parts that judging it takes.
func (e *evidenceFiles) read(file string) (*givenEvidence, error) {
	g, err := e.parse(file)
	if err != nil {
		return nil, err
	}
	switch {
	case g.attest != nil:
		return nil, bad("a TPM's bare attestation cannot be judged: give evidence in this project's encoding, or a paravisor's report with --tpm-quote")
	case g.paravisor != nil:
		return g, e.completeParavisor(g.paravisor)
	case g.evidence.Kind == evidence.SNP && len(g.evidence.Aux) == 0:
		leaf, err := e.leaf()
		g.evidence.Aux = [][]byte{leaf}
		return g, err
	case e.cert != "":
		return nil, bad("--cert is for SNP reports that come without their certificate")
	}
	return g, nil
}

func (e *evidenceFiles) completeParavisor(n *tpm.Nested) (err error) {
	if n.Leaf, err = e.leaf(); err != nil {
		return err
	}
	for _, part := range []struct {
		flag, name string
		to         *[]byte
		limit      int64
	}{
		{"--tpm-quote", e.tpmQuote, &n.Quoted, evidence.MaxQuote},
		{"--tpm-signature", e.tpmSignature, &n.Signature, evidence.MaxQuote},
		{"--tpm-pcrs", e.tpmPCRs, &n.PCRs, maxPCRs},
	} {
		if part.name == "" {
			return bad("a paravisor's report is judged together with its virtual TPM's quote: give %s", part.flag)
		}
		if *part.to, err = readFile(part.name, part.limit); err != nil {
			return err
		}
	}
	return nil
}

func (e *evidenceFiles) leaf() ([]byte, error) {
	if e.cert == "" {
		return nil, bad("an SNP report is judged by the certificate of the key that signed it: give it with --cert")
	}
	b, err := readFile(e.cert, maxCollateral)
	if err != nil {
		return nil, err
	}
	if block, rest := pem.Decode(b); block != nil && block.Type == "CERTIFICATE" && len(bytes.TrimSpace(rest)) == 0 {
		return block.Bytes, nil
	}
	return b, nil
}

// parse reads the file of evidence itself.
func (e *evidenceFiles) parse(file string) (*givenEvidence, error) {
	b, err := readFile(file, evidence.MaxEvidence)
	if err != nil {
		return nil, err
	}
	form, err := formOf(e.kind, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	g, err := form.parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if e.kind != "" && g.kind().String() != e.kind && (g.paravisor == nil || !form.mayBe(e.kind)) {
		return nil, bad("%s holds %s evidence, not %s", file, g.kind(), e.kind)
	}
	return g, nil
}

// evidenceForm is a way in which evidence lies in a file.
type evidenceForm struct {
	kinds string // that --kind may say for it
	is    func(b []byte) bool
	parse func(b []byte) (*givenEvidence, error)
}

func (f *evidenceForm) mayBe(kind string) bool { return slices.Contains(strings.Fields(f.kinds), kind) }

// evidenceForms in the order in which they are tried. No file has two of them:
// the first bytes differ, except for Intel's and AMD's, and only Intel's have
// the quoting enclave's vendor at byte 12.
var evidenceForms = []evidenceForm{
	{"sgx tdx", isQuote, parseQuote},
	{"snp", func(b []byte) bool { return len(b) == amd.ReportSize }, parseSNP},
	{"snp tpm", func(b []byte) bool { return bytes.HasPrefix(b, []byte("HCLA")) }, parseParavisor},
	{"tpm", func(b []byte) bool { return bytes.HasPrefix(b, []byte{0xff, 0x54, 0x43, 0x47}) }, parseAttest},
	{"sgx tdx snp tpm", func(b []byte) bool { return len(b) > 0 && b[0] == 0x83 }, parseEncoded},
}

// formOf recognises a file. A kind that is named decides what it should be when
// nothing is recognised, so that the error says what is wrong with it.
func formOf(kind string, b []byte) (*evidenceForm, error) {
	for i := range evidenceForms {
		if evidenceForms[i].is(b) {
			return &evidenceForms[i], nil
		}
	}
	if kind == "" {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "this is no quote, report or attestation this program knows; --kind says what it should be")
	}
	for i := range evidenceForms {
		if evidenceForms[i].mayBe(kind) {
			return &evidenceForms[i], nil
		}
	}
	return nil, bad("--kind is sgx, tdx, snp or tpm, not %q", clip(kind))
}

func isQuote(b []byte) bool {
	return len(b) >= intel.HeaderSize && bytes.Equal(b[intel.OffVendorID:intel.OffUserData], intel.VendorIDIntel[:])
}

func parseQuote(b []byte) (*givenEvidence, error) {
	b, err := intel.Trim(b)
	if err != nil {
		return nil, err
	}
	q, err := intel.ParseQuote(b)
	if err != nil {
		return nil, err
	}
	return &givenEvidence{evidence: &evidence.Evidence{Kind: q.Kind, Quote: b}}, nil
}

func parseSNP(b []byte) (*givenEvidence, error) {
	if _, err := amd.ParseReport(b); err != nil {
		return nil, err
	}
	return &givenEvidence{evidence: &evidence.Evidence{Kind: evidence.SNP, Quote: b}}, nil
}

func parseParavisor(b []byte) (*givenEvidence, error) {
	if _, _, _, err := tpm.ParseHCL(b); err != nil {
		return nil, err
	}
	return &givenEvidence{paravisor: &tpm.Nested{HCL: b}}, nil
}

func parseAttest(b []byte) (*givenEvidence, error) {
	at, err := tpm.ParseAttest(b)
	if err != nil {
		return nil, err
	}
	return &givenEvidence{attest: at}, nil
}

func parseEncoded(b []byte) (*givenEvidence, error) {
	e, err := evidence.Decode(b)
	if err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "%v", err)
	}
	return &givenEvidence{evidence: e}, nil
}

// offlineSource is what evidence is judged by without a ledger: the real
// vendors' roots, or those given, and collateral from files.
func offlineSource(roots, collateral []string, at int64) (*evidence.Set, error) {
	src := &evidence.Set{Trusted: anchors.Real(), Items: anchors.AMDChains()}
	if len(roots) > 0 {
		src.Trusted = nil
	}
	for _, file := range roots {
		b, err := readFile(file, maxCollateral)
		if err != nil {
			return nil, err
		}
		if err := addRoots(src, b); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, file := range collateral {
		b, err := readFile(file, maxCollateral)
		if err != nil {
			return nil, err
		}
		if err := addCollateral(src, b, at); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return src, nil
}

// addRoots trusts the certificates of a file, PEM or DER.
func addRoots(src *evidence.Set, b []byte) error {
	certs, err := x509.ParseCertificates(derOf(b))
	if err != nil || len(certs) == 0 {
		return wire.Faultf(wire.ErrRootMalformed, "there is no certificate in it, PEM or DER")
	}
	for _, c := range certs {
		if !isRoot(c) {
			return bad("%.64q is no root: another certificate signed it; give it with --collateral", c.Subject.CommonName)
		}
		a := evidence.Anchor{DER: c.Raw, Simulated: strings.HasPrefix(c.Subject.CommonName, "Simulated ")}
		_, line, isARK := strings.Cut(c.Subject.CommonName, "ARK-")
		switch _, elliptic := c.PublicKey.(*ecdsa.PublicKey); {
		case isARK:
			a.Vendor, a.Product = evidence.AMD, line
		case elliptic:
			a.Vendor = evidence.Intel
		default:
			return bad("%.64q is neither a root of Intel's form nor of AMD's", c.Subject.CommonName)
		}
		src.Trusted = append(src.Trusted, a)
	}
	return nil
}

func isRoot(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignatureFrom(c) == nil
}

// addCollateral adds a file of collateral. Intel's bundle is taken as it is,
// since verifying evidence verifies it; anything else says only when it is
// verified what it is for.
func addCollateral(src *evidence.Set, b []byte, at int64) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		items, err := intel.ParseBundle(b)
		if err != nil {
			return err
		}
		return intel.Fill(src, items)
	}
	items, err := looseItems(src, b)
	if err != nil {
		return err
	}
	for i := range items {
		key, _, err := verify.CheckItem(&items[i], src, at)
		if err != nil {
			return err
		}
		src.Add(key, items[i])
	}
	return nil
}

// looseItems reads collateral that is not a bundle: an item in this project's
// encoding, a revocation list, or AMD's certificates, in which a root may stand
// that is trusted already.
func looseItems(src *evidence.Set, b []byte) ([]evidence.Item, error) {
	if item, err := trust.DecodeItem(b); err == nil {
		return []evidence.Item{*item}, nil
	}
	der := derOf(b)
	if _, err := x509.ParseRevocationList(der); err == nil {
		return []evidence.Item{{Type: evidence.CRL, Body: der}}, nil
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "this is no bundle, certificate or revocation list")
	}
	var items []evidence.Item
	for _, c := range certs {
		switch {
		case !isRoot(c):
			items = append(items, evidence.Item{Type: evidence.AMDChain, Body: c.Raw})
		case !isTrusted(src, c.Raw):
			return nil, wire.Faultf(wire.ErrUnknownAnchor, "root %.64q is not trusted; --root trusts it", c.Subject.CommonName)
		}
	}
	return items, nil
}

func isTrusted(src *evidence.Set, der []byte) bool {
	for i := range src.Trusted {
		if bytes.Equal(src.Trusted[i].DER, der) {
			return true
		}
	}
	return false
}

// derOf is the content of all PEM blocks in a file, or the file if it has none.
func derOf(b []byte) []byte {
	var der []byte
	block, rest := pem.Decode(b)
	for ; block != nil; block, rest = pem.Decode(rest) {
		der = append(der, block.Bytes...)
	}
	if der == nil {
		return b
	}
	return der
}

// shownExample is the outcome of evidence example.
type shownExample struct {
	Report      string `json:"report"`
	Certificate string `json:"certificate"`
}

// writeExample writes a report and its certificate into a folder.
func (a *app) writeExample(folder string, example func() (report, vcek []byte)) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fileError("create", folder, err)
	}
	s := &shownExample{filepath.Join(folder, "snp.report"), filepath.Join(folder, "snp.vcek")}
	report, vcek := example()
	for _, f := range []struct {
		name    string
		content []byte
	}{{s.Report, report}, {s.Certificate, vcek}} {
		if err := writeNew(f.name, f.content, 0o644); err != nil {
			return err
		}
	}
	return a.print(s)
}
