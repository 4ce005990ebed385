package collateral

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"cloister/evidence"
	"cloister/evidence/intel"
	"cloister/wire"
)

// For gets what a piece of evidence is judged by; nothing for a TPM, whose
// maker is asked only when a device joins. The evidence is read and not
// verified: a forged one costs a request for collateral that does not exist.
// Errors are as of Intel and AMD, or carry ErrEvidenceXxx.
func (f *Fetcher) For(ctx context.Context, e *evidence.Evidence) ([]evidence.Item, error) {
	switch e.Kind {
	case evidence.SGX, evidence.TDX:
		pck, ca, err := platformOf(e)
		if err != nil {
			return nil, err
		}
		return f.Intel(ctx, e.Kind, pck.FMSPC, ca)
	case evidence.SNP:
		product, vlek, err := lineOf(e)
		if err != nil {
			return nil, err
		}
		return f.AMD(ctx, product, vlek)
	case evidence.TPM:
		return nil, nil
	}
	return nil, wire.Faultf(wire.ErrEvidenceUnsupported, "no vendor has collateral for %s", e.Kind)
}

// platformOf reads which platform a quote says it is of.
func platformOf(e *evidence.Evidence) (*intel.PCK, CA, error) {
	q, err := intel.ParseQuote(e.Quote)
	if err != nil {
		return nil, "", err
	}
	block, _ := pem.Decode(q.Data)
	if block == nil {
		return nil, "", wire.Faultf(wire.ErrEvidenceUnsupported, "the quote does not say which platform it is of: its certification data, of type %d, has no certificate", q.Type)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, "", wire.Faultf(wire.ErrEvidenceMalformed, "PCK certificate: %v", err)
	}
	pck, err := intel.ParsePCK(leaf)
	if err != nil {
		return nil, "", err
	}
	for _, ca := range []CA{Processor, Platform} {
		if isNamed(leaf.Issuer.CommonName, ca) {
			return pck, ca, nil
		}
	}
	return nil, "", wire.Faultf(wire.ErrEvidenceUnsupported, "the platform is certified by %.64q, which is no authority of Intel", leaf.Issuer.CommonName)
}

// isNamed reports whether a certificate's name is of an authority.
func isNamed(name string, ca CA) bool { return strings.Contains(strings.ToLower(name), string(ca)) }

// lineOf reads which product line SNP evidence says it is of, from the name of
// the certificate above its leaf: SEV-<product> or SEV-VLEK-<product>.
func lineOf(e *evidence.Evidence) (product string, vlek bool, err error) {
	if len(e.Aux) == 0 {
		return "", false, wire.Faultf(wire.ErrEvidenceMalformed, "SNP evidence without its leaf certificate")
	}
	leaf, err := x509.ParseCertificate(e.Aux[0])
	if err != nil {
		return "", false, wire.Faultf(wire.ErrEvidenceMalformed, "leaf certificate: %v", err)
	}
	_, product, _ = strings.Cut(leaf.Issuer.CommonName, "SEV-")
	product, vlek = strings.CutPrefix(product, "VLEK-")
	return product, vlek, nil
}
