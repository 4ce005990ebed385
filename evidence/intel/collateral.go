package intel

import (
	"strings"

	"cloister/evidence"
	"cloister/wire"
)

// SubjectTCBSigning is in the common name of the certificate that signs TCB
// info and QE identities. It is issued by the root itself.
const SubjectTCBSigning = "SGX TCB Signing"

// document is a signed document whose signature was verified.
type document[T any] struct {
	content *T
	signer  *chain
}

// openDocument verifies the signature of a document, not its window, and then
// reads it: parsing sees only what Intel, or a trusted simulation, signed.
func openDocument[T any](b *basis, item *evidence.Item, parse func([]byte) (*T, error)) (*document[T], error) {
	what := item.Type.String()
	signer, err := b.openChain(item.Chain, 2, ofCollateral, what)
	if err != nil {
		return nil, err
	}
	leaf := signer.leaf()
	if leaf.IsCA || !strings.Contains(leaf.Subject.CommonName, SubjectTCBSigning) {
		return nil, wire.Faultf(wire.ErrCollateralSignature, "%s is signed by %q, which is not for that", what, leaf.Subject.CommonName)
	}
	key, err := keyOf(leaf, ofCollateral)
	if err != nil {
		return nil, err
	}
	if !signedBy(key, item.Body, item.Signature) {
		return nil, wire.Faultf(wire.ErrCollateralSignature, "the signature does not fit the %s", what)
	}
	d, err := parse(item.Body)
	if err != nil {
		return nil, err
	}
	return &document[T]{d, signer}, nil
}

// current checks the windows of a document and of who signed it.
func (b *basis) current(e *envelope, signer *chain, what string) error {
	if err := b.during(int64(e.IssueDate), int64(e.NextUpdate), ofCollateral, what); err != nil {
		return err
	}
	return b.alive(signer, ofCollateral, what)
}

// currentCRL checks the windows of a list and of its issuer.
func (b *basis) currentCRL(r *revocations) error {
	from, to := r.window()
	what := "revocation list of " + r.issuer.Subject.CommonName
	if err := b.during(from, to, ofCollateral, what); err != nil {
		return err
	}
	if r.chain == nil {
		return b.during(r.issuer.NotBefore.Unix(), r.issuer.NotAfter.Unix(), ofCollateral, what)
	}
	return b.alive(r.chain, ofCollateral, what)
}

// CheckItem judges collateral as a ledger has to before it keeps it: TCB info,
// QE identities and revocation lists of form, signed under an anchor of src,
// and in force at the given time (Unix seconds). It returns the key the item
// belongs under and what orders it among others of that key; that it is newer
// is the caller's to check. If src has the root's revocation list, even an old
// one, a signer on it is refused; if not, Verify will ask for it.
//
// Errors: ErrCollateralMalformed, ErrUnknownAnchor, ErrCollateralSignature,
// ErrCollateralNotYet, ErrCollateralExpired. TEE specification §2.7.
func CheckItem(item *evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	b := &basis{src: src, at: at, until: forever}
	key, fresh, signer, err := b.judge(item)
	if err == nil && signer != nil {
		err = b.signerStands(signer)
	}
	if err != nil {
		return evidence.Key{}, evidence.Freshness{}, err
	}
	return key, fresh, nil
}

// judge opens an item of any type. signer is nil for a list of an anchor.
func (b *basis) judge(item *evidence.Item) (key evidence.Key, fresh evidence.Freshness, signer *chain, err error) {
	if err = bounded(item); err != nil {
		return
	}
	switch item.Type {
	case evidence.TCBInfo:
		d, err := openDocument(b, item, parseTCBInfo)
		if err != nil {
			return key, fresh, nil, err
		}
		kind, _ := kindOf(tcbInfoIDs, d.content.ID)
		return tcbInfoKey(kind, d.content.FMSPC), d.content.freshness(), d.signer, b.current(&d.content.envelope, d.signer, "TCB info")
	case evidence.QEIdentity:
		d, err := openDocument(b, item, parseQEIdentity)
		if err != nil {
			return key, fresh, nil, err
		}
		kind, _ := kindOf(qeIdentityIDs, d.content.ID)
		return qeIdentityKey(kind), d.content.freshness(), d.signer, b.current(&d.content.envelope, d.signer, "QE identity")
	case evidence.CRL:
		r, err := b.openCRL(item)
		if err != nil {
			return key, fresh, nil, err
		}
		from, to := r.window()
		fresh = evidence.Freshness{Issued: from, Expires: to, Number: r.list.Number.Uint64()}
		return crlKey(issuerID(r.issuer)), fresh, r.chain, b.currentCRL(r)
	}
	return key, fresh, nil, badItem("%s is not Intel's", item.Type)
}

// bounded checks sizes before anything is decoded.
func bounded(item *evidence.Item) error {
	size := len(item.Body) + len(item.Signature)
	for _, c := range item.Chain {
		size += len(c)
	}
	if len(item.Body) > evidence.MaxItemBody || size > evidence.MaxItem || len(item.Chain) > maxChain {
		return badItem("%s: %d bytes and %d certificates are more than accepted", item.Type, size, len(item.Chain))
	}
	return nil
}

// signerStands checks a signer against the root's revocation list, if there is one.
func (b *basis) signerStands(signer *chain) error {
	item, ok := b.src.Item(crlKey(issuerID(signer.root())))
	if !ok {
		return nil
	}
	r, err := b.openCRL(&item)
	if err != nil {
		return err
	}
	return stands(signer, r)
}

// stands checks that a root's list does not have the signer of collateral.
func stands(signer *chain, root *revocations) error {
	if leaf := signer.leaf(); root.lists(leaf.SerialNumber) {
		return wire.Faultf(wire.ErrCollateralSignature, "certificate %s, which signed the collateral, is revoked", leaf.Subject.CommonName)
	}
	return nil
}

// inForce returns the item under a key, within its bounds.
func (b *basis) inForce(key evidence.Key) (*evidence.Item, error) {
	item, ok := b.src.Item(key)
	if !ok {
		return nil, wire.Faultf(wire.ErrCollateralMissing, "there is no %s", key)
	}
	if item.Type != key.Type {
		return nil, wire.Faultf(wire.ErrCollateralMismatch, "under %s there is a %s", key, item.Type)
	}
	return &item, bounded(&item)
}
