package amd

import (
	"bytes"
	"time"

	"cloister/evidence"
	"cloister/wire"
)

// CheckItem verifies an item of AMD's collateral at a time (Unix seconds) and
// says under which key it belongs and how fresh it is. Items: an intermediate
// certificate (AMDChain), and the revocation list of a root (CRL), which lists
// intermediates. Neither carries a Chain, because a root is the issuer.
// Errors carry the codes wire.ErrCollateralXxx and wire.ErrUnknownAnchor.
func CheckItem(item evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	switch item.Type {
	case evidence.AMDChain:
		return checkChainItem(item, src, at)
	case evidence.CRL:
		return checkCRL(item, src, at)
	}
	return evidence.Key{}, evidence.Freshness{}, wire.Faultf(wire.ErrCollateralMalformed, "%s is no collateral of AMD", item.Type)
}

func checkChainItem(item evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	e, vlek, err := checkIntermediate(item, anchorsOf("", src), at)
	if err != nil {
		return evidence.Key{}, evidence.Freshness{}, err
	}
	key := evidence.Key{Type: evidence.AMDChain, Name: e.anchor.Product + "/" + roleName(vlek)}
	return key, evidence.Freshness{Issued: e.ask.NotBefore.Unix(), Expires: e.ask.NotAfter.Unix()}, nil
}

func checkCRL(item evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	var key evidence.Key
	var fresh evidence.Freshness
	list, err := parseCRL(item)
	if err != nil {
		return key, fresh, err
	}
	fresh = evidence.Freshness{Issued: list.ThisUpdate.Unix(), Expires: list.NextUpdate.Unix(), Number: list.Number.Uint64()}
	named := false
	for _, a := range anchorsOf("", src) {
		ark, err := parseCertificate(a.DER)
		if err != nil || !bytes.Equal(ark.RawSubject, list.RawIssuer) {
			continue
		}
		named = true
		if list.CheckSignatureFrom(ark) != nil {
			continue
		}
		if at < fresh.Issued {
			return key, fresh, wire.Faultf(wire.ErrCollateralNotYet, "revocation list is of %s", list.ThisUpdate.UTC().Format(time.RFC3339))
		}
		return crlKey(ark), fresh, expired(list, at)
	}
	if named {
		return key, fresh, wire.Faultf(wire.ErrCollateralSignature, "revocation list is not signed by the root it names")
	}
	return key, fresh, wire.Faultf(wire.ErrUnknownAnchor, "revocation list of an issuer that is no trusted root of AMD")
}
