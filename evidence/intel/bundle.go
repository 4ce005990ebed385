package intel

import (
	"crypto/x509"

	"cloister/evidence"
	"cloister/wire"
)

// maxBundle bounds a collateral file in bytes: four items, lists in hex.
const maxBundle = 256 << 10

// bundle is the file format collateral is passed around in: signed JSON as
// text, signatures and lists in hex, chains in PEM. Empty lists mean that none
// are known.
type bundle struct {
	PCKCRLChain         string   `json:"pck_crl_issuer_chain"`
	RootCRL             wire.Hex `json:"root_ca_crl"`
	PCKCRL              wire.Hex `json:"pck_crl"`
	TCBInfoChain        string   `json:"tcb_info_issuer_chain"`
	TCBInfo             string   `json:"tcb_info"`
	TCBInfoSignature    wire.Hex `json:"tcb_info_signature"`
	QEIdentityChain     string   `json:"qe_identity_issuer_chain"`
	QEIdentity          string   `json:"qe_identity"`
	QEIdentitySignature wire.Hex `json:"qe_identity_signature"`
}

// ParseBundle reads a collateral file, in the one form it has, into items:
// first revocation lists (root, PCK CA) unless empty, then TCB info and QE
// identity. Each carries its chain up to the root; nothing is verified.
// Errors: ErrCollateralMalformed.
func ParseBundle(json []byte) ([]evidence.Item, error) {
	var b bundle
	if err := wire.DecodeJSON(json, &b, maxBundle); err != nil {
		return nil, badItem("collateral file: %v", err)
	}
	var items []evidence.Item
	add := func(t evidence.ItemType, body, sig []byte, chain string, above int) error {
		der, ok := certificates([]byte(chain))
		if !ok || len(der) != 2 {
			return badItem("collateral file: %s has no chain of two certificates in plain PEM", t)
		}
		items = append(items, evidence.Item{Type: t, Body: body, Signature: sig, Chain: der[above:]})
		return bounded(&items[len(items)-1])
	}
	if len(b.RootCRL) != 0 {
		if err := add(evidence.CRL, b.RootCRL, nil, b.PCKCRLChain, 1); err != nil {
			return nil, err
		}
	}
	if len(b.PCKCRL) != 0 {
		if err := add(evidence.CRL, b.PCKCRL, nil, b.PCKCRLChain, 0); err != nil {
			return nil, err
		}
	}
	if err := add(evidence.TCBInfo, []byte(b.TCBInfo), b.TCBInfoSignature, b.TCBInfoChain, 0); err != nil {
		return nil, err
	}
	return items, add(evidence.QEIdentity, []byte(b.QEIdentity), b.QEIdentitySignature, b.QEIdentityChain, 0)
}

// Fill puts items into a set under the keys they claim, replacing what is
// there. Nothing is verified: Verify does that, CheckItem for a ledger.
// Errors: ErrCollateralMalformed.
func Fill(set *evidence.Set, items []evidence.Item) error {
	for i := range items {
		k, err := claimedKey(&items[i])
		if err != nil {
			return err
		}
		set.Add(k, items[i])
	}
	return nil
}

// claimedKey is the key an item would have if it is what it says. A revocation
// list has to carry its issuer.
func claimedKey(item *evidence.Item) (evidence.Key, error) {
	if err := bounded(item); err != nil {
		return evidence.Key{}, err
	}
	switch item.Type {
	case evidence.TCBInfo:
		t, err := parseTCBInfo(item.Body)
		if err != nil {
			return evidence.Key{}, err
		}
		kind, _ := kindOf(tcbInfoIDs, t.ID)
		return tcbInfoKey(kind, t.FMSPC), nil
	case evidence.QEIdentity:
		q, err := parseQEIdentity(item.Body)
		if err != nil {
			return evidence.Key{}, err
		}
		kind, _ := kindOf(qeIdentityIDs, q.ID)
		return qeIdentityKey(kind), nil
	case evidence.CRL:
		if len(item.Chain) == 0 {
			return evidence.Key{}, badItem("revocation list: its issuer is not with it")
		}
		cert, err := x509.ParseCertificate(item.Chain[0])
		if err != nil {
			return evidence.Key{}, badItem("revocation list: its issuer: %v", err)
		}
		return crlKey(issuerID(cert)), nil
	}
	return evidence.Key{}, badItem("%s is not Intel's", item.Type)
}
