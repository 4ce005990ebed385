package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"cloister/evidence"
	"cloister/evidence/intel"
	"cloister/wire"
)

// Keys lists the SHA-256 of the SubjectPublicKeyInfo of every certificate that
// evidence carries, leaf first, for a ledger to look up revoked ones. It
// verifies nothing: ask it about evidence that Verify accepted. A quote of a
// TPM carries none. Errors carry ErrEvidenceXxx.
func Keys(e *evidence.Evidence) ([]wire.Hash, error) {
	v, ok := verifiers[e.Kind]
	if !ok {
		return nil, unsupported(e.Kind)
	}
	return v.keys(e)
}

// ItemKeys is Keys for the certificates of an item of collateral, ascending.
// Errors carry ErrCollateralMalformed.
func ItemKeys(item *evidence.Item) ([]wire.Hash, error) {
	ders := slices.Clone(item.Chain)
	if item.Type == evidence.AMDChain {
		ders = append(ders, item.Body)
	}
	keys, err := spkis(ders)
	if err != nil {
		return nil, wire.Faultf(wire.ErrCollateralMalformed, "%s: %v", item.Type, err)
	}
	slices.SortFunc(keys, func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(keys), nil
}

func intelKeys(e *evidence.Evidence) ([]wire.Hash, error) {
	q, err := intel.ParseQuote(e.Quote)
	if err != nil {
		return nil, err
	}
	var ders [][]byte
	for block, rest := pem.Decode(q.Certification.Data); block != nil; block, rest = pem.Decode(rest) {
		ders = append(ders, block.Bytes)
	}
	return evidenceKeys(ders)
}

func amdKeys(e *evidence.Evidence) ([]wire.Hash, error) { return evidenceKeys(e.Aux) }

func noKeys(*evidence.Evidence) ([]wire.Hash, error) { return nil, nil }

func evidenceKeys(ders [][]byte) ([]wire.Hash, error) {
	keys, err := spkis(ders)
	if err != nil {
		return nil, wire.Faultf(wire.ErrEvidenceMalformed, "%v", err)
	}
	return keys, nil
}

func spkis(ders [][]byte) (keys []wire.Hash, err error) {
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		keys = append(keys, sha256.Sum256(c.RawSubjectPublicKeyInfo))
	}
	return keys, nil
}
