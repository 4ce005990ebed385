package verify

import (
	"cloister/evidence"
	"cloister/evidence/amd"
	"cloister/evidence/intel"
	"cloister/evidence/tpm"
	"cloister/wire"
)

// verifier is what a technology's package does.
type verifier struct {
	verify func(e *evidence.Evidence, src evidence.Source, at int64) (evidence.Result, error)
	assess func(k evidence.Kind, level []byte, src evidence.Source, at int64) (evidence.Status, []string, error)
	keys   func(e *evidence.Evidence) ([]wire.Hash, error)
}

// verifiers has one line per kind.
var verifiers = map[evidence.Kind]verifier{
	evidence.SGX: {intel.Verify, intel.Assess, intelKeys},
	evidence.TDX: {intel.Verify, intel.Assess, intelKeys},
	evidence.SNP: {amd.Verify, assessAMD, amdKeys},
	evidence.TPM: {tpm.Verify, assessTPM, noKeys},
}

// checker judges an item of collateral. ErrUnknownAnchor leaves it to the next.
type checker func(item *evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error)

// checkers has one line per type of collateral. A revocation list does not say
// whose it is: the first vendor whose roots know its issuer judges it.
var checkers = map[evidence.ItemType][]checker{
	evidence.TCBInfo:    {intel.CheckItem},
	evidence.QEIdentity: {intel.CheckItem},
	evidence.CRL:        {checkAMDList, intel.CheckItem},
	evidence.AMDChain:   {checkAMD},
}

// Verify judges evidence under the collateral of src at a time in Unix seconds.
// Result.Passed is set beside an error as well. Errors carry 6xx codes of wire.
func Verify(e *evidence.Evidence, src evidence.Source, at int64) (evidence.Result, error) {
	v, ok := verifiers[e.Kind]
	if !ok {
		return evidence.Result{}, unsupported(e.Kind)
	}
	return v.verify(e, src, at)
}

// Assess judges a stored Result.Level again under the collateral now in force,
// at a time in Unix seconds; advisories are ascending, each once. Errors say
// that no judgement is possible.
func Assess(k evidence.Kind, level []byte, src evidence.Source, at int64) (evidence.Status, []string, error) {
	v, ok := verifiers[k]
	if !ok {
		return 0, nil, unsupported(k)
	}
	return v.assess(k, level, src, at)
}

// CheckItem verifies an item of collateral at a time in Unix seconds and says
// under which key it belongs and how fresh it is. Errors carry
// ErrCollateralXxx or ErrUnknownAnchor.
func CheckItem(item *evidence.Item, src evidence.Source, at int64) (k evidence.Key, f evidence.Freshness, err error) {
	err = wire.Faultf(wire.ErrCollateralMalformed, "nobody judges %s", item.Type)
	for _, check := range checkers[item.Type] {
		if k, f, err = check(item, src, at); wire.CodeOf(err) != wire.ErrUnknownAnchor {
			return k, f, err
		}
	}
	return evidence.Key{}, evidence.Freshness{}, err
}

func checkAMD(item *evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	return amd.CheckItem(*item, src, at)
}

// checkAMDList passes over lists that come with a chain: AMD's are of roots.
func checkAMDList(item *evidence.Item, src evidence.Source, at int64) (evidence.Key, evidence.Freshness, error) {
	if len(item.Chain) != 0 {
		return evidence.Key{}, evidence.Freshness{}, wire.ErrUnknownAnchor
	}
	return checkAMD(item, src, at)
}

// assessAMD fits amd.Assess, which knows one kind.
func assessAMD(_ evidence.Kind, level []byte, src evidence.Source, at int64) (evidence.Status, []string, error) {
	return amd.Assess(level, src, at)
}

// assessTPM: nobody publishes a judgement of TPM firmware; which versions are
// approved is the ledger's own table.
func assessTPM(evidence.Kind, []byte, evidence.Source, int64) (evidence.Status, []string, error) {
	return evidence.UpToDate, nil, nil
}

func unsupported(k evidence.Kind) error {
	return wire.Faultf(wire.ErrEvidenceUnsupported, "nobody judges %s", k)
}
