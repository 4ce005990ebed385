package collateral

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"cloister/evidence"
	"cloister/wire"
)

// CA is which of Intel's two authorities certified a platform.
type CA string

// Authorities, as Intel's service names them.
const (
	Processor CA = "processor"
	Platform  CA = "platform"
)

// technology is how Intel's service names a kind, and what is particular to it.
type technology struct{ path, tcb, qe string }

var technologies = map[evidence.Kind]technology{
	evidence.SGX: {"sgx", "SGX/", "QE"},
	evidence.TDX: {"tdx", "TDX/", "TD_QE"},
}

// Intel gets what SGX or TDX evidence of a platform is judged by: the root's and
// the authority's revocation list, TCB info, QE identity, in this order, which
// is that of intel.ParseBundle. Errors are ErrUnknown, ErrUnreachable, or carry
// ErrCollateralXxx, ErrUnknownAnchor or ErrBadRequest.
func (f *Fetcher) Intel(ctx context.Context, kind evidence.Kind, fmspc [6]byte, ca CA) ([]evidence.Item, error) {
	t, known := technologies[kind]
	if !known || ca != Processor && ca != Platform {
		return nil, wire.Faultf(wire.ErrBadRequest, "collateral: Intel has none for %s under authority %.40q", kind, string(ca))
	}
	name := hex.EncodeToString(fmspc[:])
	base := f.cfg.IntelPCS + "/" + t.path + "/certification/v4"
	return f.collect(ctx, []want{
		{"intel-root-crl", f.cfg.IntelRootCRL, f.readRootCRL, f.isListOf(evidence.Intel, "")},
		{
			"intel-pck-crl-" + string(ca), f.cfg.IntelPCS + "/sgx/certification/v4/pckcrl?ca=" + string(ca) + "&encoding=der",
			readPCKCRL, isPCKCRL(ca),
		},
		{"intel-tcb-" + t.path + "-" + name, base + "/tcb?fmspc=" + name, readTCBInfo, isKey(evidence.TCBInfo, t.tcb+name)},
		{"intel-qe-" + t.path, base + "/qe/identity", readQEIdentity, isKey(evidence.QEIdentity, t.qe)},
	})
}

// readRootCRL finds which of the trusted roots signed a list and adds it as the
// issuer, so that the list says whose it is.
func (f *Fetcher) readRootCRL(a *answer) (evidence.Item, error) {
	item := evidence.Item{Type: evidence.CRL, Body: a.body}
	list, err := x509.ParseRevocationList(a.body)
	if err != nil {
		return item, malformed("revocation list: %v", err)
	}
	for _, anchor := range f.cfg.Trusted {
		root, err := x509.ParseCertificate(anchor.DER)
		if anchor.Vendor == evidence.Intel && err == nil && list.CheckSignatureFrom(root) == nil {
			item.Chain = [][]byte{anchor.DER}
			return item, nil
		}
	}
	return item, wire.Faultf(wire.ErrUnknownAnchor, "no trusted root signed the revocation list")
}

// isListOf checks that a list is that of a trusted root: a vendor's, of an AMD
// product line.
func (f *Fetcher) isListOf(v evidence.Vendor, product string) func(evidence.Key, *evidence.Item) bool {
	return func(k evidence.Key, _ *evidence.Item) bool {
		return k.Type == evidence.CRL && slices.ContainsFunc(f.cfg.Trusted, func(a evidence.Anchor) bool {
			root, err := x509.ParseCertificate(a.DER)
			return err == nil && a.Vendor == v && a.Product == product && k.Name == issuerName(root)
		})
	}
}

// issuerName is how keys of revocation lists name their issuer.
func issuerName(c *x509.Certificate) string {
	spki := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(spki[:])
}

func readPCKCRL(a *answer) (item evidence.Item, err error) {
	item = evidence.Item{Type: evidence.CRL, Body: a.body}
	item.Chain, err = a.chain(2, "SGX-PCK-CRL-Issuer-Chain")
	return item, err
}

// isPCKCRL checks that a list is of the authority asked for, which only its
// name tells.
func isPCKCRL(ca CA) func(evidence.Key, *evidence.Item) bool {
	return func(k evidence.Key, item *evidence.Item) bool {
		if k.Type != evidence.CRL || len(item.Chain) != 2 {
			return false
		}
		issuer, err := x509.ParseCertificate(item.Chain[0])
		return err == nil && isNamed(issuer.Subject.CommonName, ca)
	}
}

func readTCBInfo(a *answer) (evidence.Item, error) {
	// Version 3 of the service had the longer name, and mirrors of it still do.
	return a.document(evidence.TCBInfo, "tcbInfo", "TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
}

func readQEIdentity(a *answer) (evidence.Item, error) {
	return a.document(evidence.QEIdentity, "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain")
}

// document takes a signed document out of its wrapping,
// {"<field>": document, "signature": hex}. What is signed are the bytes of the
// document exactly as they stand there.
func (a *answer) document(t evidence.ItemType, field string, headers ...string) (item evidence.Item, err error) {
	var wrapping map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &wrapping); err != nil {
		return item, malformed("%s: %v", t, err)
	}
	item = evidence.Item{Type: t, Body: wrapping[field]}
	var sig wire.Hex
	if err := json.Unmarshal(wrapping["signature"], &sig); err != nil || len(item.Body) == 0 {
		return item, malformed("%s: it is not a document %q with its signature", t, field)
	}
	item.Signature = sig
	if item.Chain, err = a.chain(2, headers...); err != nil {
		return item, fmt.Errorf("%s: %w", t, err)
	}
	return item, nil
}
