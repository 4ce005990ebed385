package policy

import (
	"cloister/evidence"
	"cloister/evidence/amd"
)

const (
	minute = 60 * 1000
	day    = 24 * 60 * minute
)

// Default is the policy a chain starts with where its genesis gives none (TEE
// specification §5). On a test network one vendor is diverse enough.
func Default(role Role, testnet bool) Policy {
	p := Policy{
		Role:  role,
		Kinds: Kinds{evidence.SGX, evidence.TDX, evidence.SNP},
		Status: Table{
			UpToDate:          Accept,
			SWHardeningNeeded: Listed,
		},
		MaxEvidenceBlocks: 600,
		MaxEvidenceMs:     30 * minute,
		MaxRegistrationMs: 7 * day,
		MinVendorClasses:  1,
		GraceMs:           14 * day,
	}
	switch role {
	case Voter, Gatekeeper:
		// The keys that endorse Milan chips are reported to be extractable by
		// software, so reports of that line could be forged (TEE specification §8).
		p.RefusedProducts = []string{amd.Milan}
		if !testnet {
			p.MinVendorClasses = 2
		}
	case Worker:
		p.Status.ConfigurationNeeded, p.Status.ConfigurationAndSWHardeningNeeded = Listed, Listed
		p.Status.OutOfDate, p.Status.OutOfDateConfigurationNeeded = Grace, Grace
		p.MaxRegistrationMs = 30 * day
	case Audit:
		p.Kinds = append(p.Kinds, evidence.TPM)
		p.Status = Table{
			UpToDate: Accept, SWHardeningNeeded: Accept, ConfigurationNeeded: Accept, ConfigurationAndSWHardeningNeeded: Accept,
			OutOfDate: Flagged, OutOfDateConfigurationNeeded: Flagged,
		}
		p.MaxRegistrationMs = 30 * day
	}
	return p
}
