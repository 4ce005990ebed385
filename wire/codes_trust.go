package wire

// 700 to 729: what the ledger trusts: makers' roots, collateral, approved code, policies.
const (
	ErrRootNotCA     Code = 700
	ErrRootExpired   Code = 701
	ErrRootWeakKey   Code = 702
	ErrRootExists    Code = 703
	ErrRootUnknown   Code = 704
	ErrRootClass     Code = 705
	ErrRootRevoked   Code = 706
	ErrRootMalformed Code = 707

	ErrActivationTooSoon  Code = 710
	ErrMeasurementExists  Code = 711
	ErrMeasurementUnknown Code = 712
	ErrLastMeasurement    Code = 713
	ErrResettablePCR      Code = 714
	ErrMeasurementRevoked Code = 715

	ErrTrustFull Code = 720
)

var trustCodes = map[Code]Info{
	ErrRootNotCA:     {"ErrRootNotCA", 400, "invalid_argument", ExitRefused, "give the maker's authority certificate: one with CA true and the right to sign certificates"},
	ErrRootExpired:   {"ErrRootExpired", 400, "failed_precondition", ExitRefused, "give a root certificate that is valid at the ledger's block time"},
	ErrRootWeakKey:   {"ErrRootWeakKey", 400, "failed_precondition", ExitRefused, "give a root with an RSA key of 2048 to 8192 bits, or one on P-256 or P-384"},
	ErrRootExists:    {"ErrRootExists", 409, "already_exists", ExitRefused, "nothing to add: the ledger knows this root; see 'cloister hardware roots'"},
	ErrRootUnknown:   {"ErrRootUnknown", 404, "not_found", ExitMissing, "check the root's id with 'cloister hardware roots'"},
	ErrRootClass:     {"ErrRootClass", 403, "failed_precondition", ExitRefused, "choose a class the vendor makes; simulated roots belong on test networks and never beside real ones of one vendor"},
	ErrRootRevoked:   {"ErrRootRevoked", 409, "failed_precondition", ExitRefused, "nothing to do: the root is revoked that far already, and revocation is never taken back"},
	ErrRootMalformed: {"ErrRootMalformed", 400, "invalid_argument", ExitUsage, "give one X.509 certificate in DER, without anything after it"},

	ErrActivationTooSoon:  {"ErrActivationTooSoon", 409, "failed_precondition", ExitRefused, "choose a later height; to approve code at once, every authority has to agree to an emergency"},
	ErrMeasurementExists:  {"ErrMeasurementExists", 409, "already_exists", ExitRefused, "nothing to approve: this version is in the table; see 'cloister hardware measurements'"},
	ErrMeasurementUnknown: {"ErrMeasurementUnknown", 404, "not_found", ExitMissing, "check the measurement's id with 'cloister hardware measurements'"},
	ErrLastMeasurement:    {"ErrLastMeasurement", 409, "failed_precondition", ExitRefused, "approve another version of this component first, or force it: until then nothing can be attested"},
	ErrResettablePCR:      {"ErrResettablePCR", 400, "invalid_argument", ExitRefused, "measure into PCR 0 to 15: the others can be reset by software"},
	ErrMeasurementRevoked: {"ErrMeasurementRevoked", 409, "failed_precondition", ExitRefused, "nothing to do: it is deprecated or revoked from an earlier height, and that is never taken back"},

	ErrTrustFull: {"ErrTrustFull", 409, "resource_exhausted", ExitRefused, "tell the authorities: this table is full and takes no more entries"},
}
