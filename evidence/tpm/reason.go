package tpm

import (
	"fmt"

	"cloister/wire"
)

// Reason is why something was refused, by the name the hardware registry
// specification gives it. errors.Is finds both the Reason and the 6xx code in
// every error of this package.
type Reason struct {
	Name string    // ErrXxx
	Code wire.Code // of evidence judged outside of the registry
}

// Error is the name.
func (r *Reason) Error() string { return r.Name }

// Reasons (hardware registry specification §5 and §7).
var (
	ErrCertParse    = &Reason{"ErrCertParse", wire.ErrEvidenceMalformed}
	ErrChainTooLong = &Reason{"ErrChainTooLong", wire.ErrEvidenceMalformed}
	ErrChainInvalid = &Reason{"ErrChainInvalid", wire.ErrEvidenceChain}
	ErrEKProfile    = &Reason{"ErrEKProfile", wire.ErrEvidenceUnsupported}
	ErrEKClass      = &Reason{"ErrEKClass", wire.ErrEvidenceUnsupported}
	ErrEKTemplate   = &Reason{"ErrEKTemplate", wire.ErrEvidenceBinding}

	ErrAKTemplate  = &Reason{"ErrAKTemplate", wire.ErrEvidenceUnsupported}
	ErrAKHierarchy = &Reason{"ErrAKHierarchy", wire.ErrEvidenceBinding}

	ErrQuoteSig     = &Reason{"ErrQuoteSig", wire.ErrEvidenceSignature}
	ErrQuoteMagic   = &Reason{"ErrQuoteMagic", wire.ErrEvidenceMalformed}
	ErrNonce        = &Reason{"ErrNonce", wire.ErrEvidenceReportData}
	ErrPCRSelection = &Reason{"ErrPCRSelection", wire.ErrEvidenceBinding}
	ErrPCRDigest    = &Reason{"ErrPCRDigest", wire.ErrEvidenceBinding}
	ErrNVName       = &Reason{"ErrNVName", wire.ErrEvidenceBinding}
)

// Reasons of this package: evidence whose parts, or logs, are not what they
// have to be before any rule of the registry can be applied.
var (
	ErrEvidence = &Reason{"ErrEvidence", wire.ErrEvidenceMalformed}
	ErrEventLog = &Reason{"ErrEventLog", wire.ErrEvidenceMalformed}
	ErrReplay   = &Reason{"ErrReplay", wire.ErrEvidenceBinding}
	ErrHCL      = &Reason{"ErrHCL", wire.ErrEvidenceMalformed}
)

// refusal is a Reason with what exactly was wrong.
type refusal struct {
	reason *Reason
	code   wire.Code
	detail string
}

// Error says what was wrong and what to do next.
func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %s (%s)", r.reason.Name, r.detail, r.code.Info().Advice)
}

// Unwrap gives the code and the Reason.
func (r *refusal) Unwrap() []error { return []error{r.code, r.reason} }

func refuse(r *Reason, format string, args ...any) error {
	return refuseAs(r, r.Code, format, args...)
}

// refuseAs is refuse with a narrower code than the Reason's.
func refuseAs(r *Reason, code wire.Code, format string, args ...any) error {
	return &refusal{r, code, fmt.Sprintf(format, args...)}
}
