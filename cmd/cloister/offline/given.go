package offline

import (
	"bytes"
	"slices"
	"strings"

	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/intel"
	"cloister/evidence/tpm"
	"cloister/evidence/verify"
	"cloister/wire"
)

// Given is what a file of evidence holds: one of its fields.
type Given struct {
	// Evidence; an SNP report has to be given its leaf certificate.
	Evidence *evidence.Evidence
	// Paravisor has the paravisor's report; what the virtual TPM said has to be
	// added.
	Paravisor *tpm.Nested
	// Attest is a TPM's bare statement, which cannot be judged alone.
	Attest *tpm.Attest
}

// Kind is the technology; of a paravisor's report that of the machine.
func (g *Given) Kind() evidence.Kind {
	switch {
	case g.Paravisor != nil:
		return evidence.SNP
	case g.Evidence != nil:
		return g.Evidence.Kind
	}
	return evidence.TPM
}

// Found is what verification found.
type Found struct {
	evidence.Result
	// Bound is what the program bound: report data, or a virtual TPM's extra data.
	Bound [64]byte
}

// Verify judges what was given, at a time in Unix seconds. Result.Passed is set
// beside an error, except for a paravisor's report. Errors carry 6xx codes.
func (g *Given) Verify(src evidence.Source, at int64) (f Found, err error) {
	switch {
	case g.Evidence != nil:
		f.Result, err = verify.Verify(g.Evidence, src, at)
		f.Bound = f.ReportData
		return f, err
	case g.Paravisor == nil:
		return f, wire.Faultf(wire.ErrEvidenceUnsupported, "a TPM's bare statement proves nothing")
	}
	n, err := tpm.VerifyNested(g.Paravisor, src, at)
	if err != nil {
		return f, err
	}
	f.Result = n.SNP
	f.Passed = append(f.Passed, "paravisor's claims", "virtual TPM's quote", "pcr digest")
	copy(f.Bound[:], n.Quote.Extra)
	return f, nil
}

// Parse recognises evidence and reads it strictly. kind, "sgx", "tdx", "snp" or
// "tpm", is what it has to be; empty leaves that open. Errors carry 6xx codes, or
// ErrBadRequest if the kind is another.
func Parse(kind string, b []byte) (*Given, error) {
	f, err := formOf(kind, b)
	if err != nil {
		return nil, err
	}
	g, err := f.parse(b)
	if err != nil {
		return nil, err
	}
	if kind != "" && g.Kind().String() != kind && (g.Paravisor == nil || !f.mayBe(kind)) {
		return nil, wire.Faultf(wire.ErrBadRequest, "it is %s evidence, not %.40q", g.Kind(), kind)
	}
	return g, nil
}

// form is a way in which evidence lies in a file.
type form struct {
	kinds string // that a caller may call it
	is    func(b []byte) bool
	parse func(b []byte) (*Given, error)
}

func (f *form) mayBe(kind string) bool { return slices.Contains(strings.Fields(f.kinds), kind) }

// forms in the order in which they are tried. No file has two of them:
// the first bytes differ, except for Intel's and AMD's, and only Intel's have
// the quoting enclave's vendor at byte 12.
var forms = []form{
	{"sgx tdx", isQuote, parseQuote},
	{"snp", func(b []byte) bool { return len(b) == amd.ReportSize }, parseSNP},
	{"snp tpm", func(b []byte) bool { return bytes.HasPrefix(b, []byte("HCLA")) }, parseParavisor},
	{"tpm", func(b []byte) bool { return bytes.HasPrefix(b, []byte{0xff, 0x54, 0x43, 0x47}) }, parseAttest},
	{"sgx tdx snp tpm", func(b []byte) bool { return len(b) > 0 && b[0] == 0x83 }, parseEncoded},
}

// formOf recognises a file. A kind that is named decides what it should be when
// nothing is recognised, so that the error says what is wrong with it.
func formOf(kind string, b []byte) (*form, error) {
	for i := range forms {
		if forms[i].is(b) {
			return &forms[i], nil
		}
	}
	if kind == "" {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "this is no quote, report or attestation this program knows")
	}
	for i := range forms {
		if forms[i].mayBe(kind) {
			return &forms[i], nil
		}
	}
	return nil, wire.Faultf(wire.ErrBadRequest, "a kind of evidence is sgx, tdx, snp or tpm, not %.40q", kind)
}

func isQuote(b []byte) bool {
	return len(b) >= intel.HeaderSize && bytes.Equal(b[intel.OffVendorID:intel.OffUserData], intel.VendorIDIntel[:])
}

func parseQuote(b []byte) (*Given, error) {
	b, err := intel.Trim(b)
	if err != nil {
		return nil, err
	}
	q, err := intel.ParseQuote(b)
	if err != nil {
		return nil, err
	}
	return &Given{Evidence: &evidence.Evidence{Kind: q.Kind, Quote: b}}, nil
}

func parseSNP(b []byte) (*Given, error) {
	if _, err := amd.ParseReport(b); err != nil {
		return nil, err
	}
	return &Given{Evidence: &evidence.Evidence{Kind: evidence.SNP, Quote: b}}, nil
}

func parseParavisor(b []byte) (*Given, error) {
	if _, _, _, err := tpm.ParseHCL(b); err != nil {
		return nil, err
	}
	return &Given{Paravisor: &tpm.Nested{HCL: b}}, nil
}

func parseAttest(b []byte) (*Given, error) {
	at, err := tpm.ParseAttest(b)
	if err != nil {
		return nil, err
	}
	return &Given{Attest: at}, nil
}

func parseEncoded(b []byte) (*Given, error) {
	e, err := evidence.Decode(b)
	if err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "%v", err)
	}
	return &Given{Evidence: e}, nil
}
