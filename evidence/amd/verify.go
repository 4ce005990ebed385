package amd

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"math"
	"math/big"

	"cloister/evidence"
	"cloister/wire"
)

// Verify judges SNP evidence: Quote is the report, Aux[0] the leaf certificate
// in DER. at is in Unix seconds.
//
// Result: Code is CodeID(SNP, MEASUREMENT, HOST_DATA, policy); SVN is the guest
// SVN, 65535 if it is above; ProdID is 0; Device is zero under a VLEK, which
// names no chip; Status is UpToDate whenever everything holds, because AMD
// publishes no judgement of a TCB: the lowest acceptable one is policy's,
// compared with Level (ParseLevel).
//
// Errors carry 6xx codes of wire; Result.Passed then lists what held before.
func Verify(e *evidence.Evidence, src evidence.Source, at int64) (evidence.Result, error) {
	var res evidence.Result
	if e.Kind != evidence.SNP || len(e.Aux) != 1 {
		return res, wire.Faultf(wire.ErrEvidenceMalformed, "SNP evidence is a report and one certificate; got %s with %d parts", e.Kind, len(e.Aux))
	}
	r, err := ParseReport(e.Quote)
	if err != nil {
		return res, err
	}
	l, err := parseLeaf(e.Aux[0])
	if err != nil {
		return res, err
	}
	v := &verification{report: r, leaf: l, src: src, at: at}
	err = v.run(&res)
	return res, err
}

// verification is one run of the checks.
type verification struct {
	report   *Report
	leaf     *leaf
	src      evidence.Source
	at       int64
	endorser *endorser
	tcb      TCB
	notAfter int64
}

// Names of the checks, in order, as Result.Passed lists them.
const (
	checkFormat    = "format"
	checkBinding   = "report matches certificate"
	checkSignature = "report signature"
	checkChain     = "certificate chain"
	checkRevoked   = "not revoked"
	checkPolicy    = "no migration agent"
)

func (v *verification) run(res *evidence.Result) error {
	res.Passed = []string{checkFormat}
	for _, step := range []struct {
		name  string
		check func() error
	}{
		{checkBinding, v.binding},
		{checkSignature, v.signature},
		{checkChain, v.chain},
		{checkRevoked, v.revoked},
		{checkPolicy, v.policy},
	} {
		if err := step.check(); err != nil {
			return err
		}
		res.Passed = append(res.Passed, step.name)
	}
	return v.fill(res)
}

// binding checks that report and certificate are about the same chip, kind of
// key and security level. What is compared is believed only after the
// signatures.
func (v *verification) binding() error {
	r, l := v.report, v.leaf
	if r.Version >= 3 {
		product, known := productOf(r.Family, r.Model)
		if !known {
			return wire.Faultf(wire.ErrEvidenceUnsupported, "CPU family %#x, model %#x", r.Family, r.Model)
		}
		if product != l.product {
			return wire.Faultf(wire.ErrEvidenceBinding, "report of a %s CPU under a %s certificate", product, l.product)
		}
	}
	if r.VLEK() != l.csp || r.VLEK() != (l.hwid == nil) {
		return wire.Faultf(wire.ErrEvidenceBinding, "the certificate is not the %s the report names", roleName(r.VLEK()))
	}
	// A chip id that the owner masked is refused here too: the certificate then
	// names a chip that the report does not.
	if !r.VLEK() && !l.isChip(r.ChipID) {
		return wire.Faultf(wire.ErrEvidenceBinding, "the certificate is of another chip than the report")
	}
	tcb, err := ParseTCB(l.product, r.ReportedTCB)
	if err != nil {
		return err
	}
	if tcb != l.tcb {
		return wire.Faultf(wire.ErrEvidenceBinding, "reported TCB (%s) is not the certificate's (%s)", tcb, l.tcb)
	}
	v.tcb = tcb
	return nil
}

func (v *verification) signature() error {
	digest := sha512.Sum384(v.report.signed[:])
	r := new(big.Int).SetBytes(v.report.signature[0][:])
	s := new(big.Int).SetBytes(v.report.signature[1][:])
	if !ecdsa.Verify(v.leaf.key, digest[:], r, s) {
		return wire.Faultf(wire.ErrEvidenceSignature, "SNP report is not signed by its certificate's key")
	}
	return nil
}

func (v *verification) chain() (err error) {
	if v.endorser, err = endorserOf(v.leaf.product, v.report.VLEK(), v.src, v.at); err != nil {
		return err
	}
	v.notAfter = min(v.leaf.cert.NotAfter.Unix(), v.endorser.ask.NotAfter.Unix(), v.endorser.ark.NotAfter.Unix())
	return v.endorser.verifyLeaf(v.leaf, v.at)
}

func (v *verification) revoked() error {
	list, err := revocations(v.endorser.ark, v.src, v.at)
	if err != nil || list == nil {
		return err
	}
	if lists(list, v.endorser.ask.SerialNumber.Bytes()) {
		return wire.Faultf(wire.ErrEvidenceRevoked, "intermediate %.64q is on its root's revocation list", v.endorser.ask.Subject.CommonName)
	}
	v.notAfter = min(v.notAfter, list.NextUpdate.Unix())
	return expired(list, v.at)
}

func (v *verification) policy() error {
	if v.report.MigrateMA() {
		return wire.Faultf(wire.ErrEvidencePolicy, "the guest policy %#x allows a migration agent", v.report.Policy)
	}
	return nil
}

func (v *verification) fill(res *evidence.Result) error {
	r := v.report
	level, err := v.level()
	if err != nil {
		return err
	}
	res.Kind = evidence.SNP
	res.Code = evidence.CodeID(evidence.SNP, r.Measurement[:], r.HostData[:], wire.U64(r.Policy))
	if r.IDKeyDigest != [48]byte{} {
		res.Signer = sha256.Sum256(r.IDKeyDigest[:])
	}
	res.SVN = uint16(min(r.GuestSVN, math.MaxUint16))
	res.Debug = r.Debug()
	if !r.VLEK() && r.ChipID != [64]byte{} {
		res.Device = evidence.DeviceID(evidence.AMD, r.ChipID[:])
	}
	res.Status = evidence.UpToDate
	res.ReportData = r.ReportData
	res.Anchor, res.Simulated = v.endorser.anchor.ID(), v.endorser.anchor.Simulated
	res.Product = v.leaf.product
	res.Signed = sha256.Sum256(r.signed[:])
	res.Level = level.Bytes()
	res.VMPL = uint8(r.VMPL)
	res.NotAfter = v.notAfter
	return nil
}
