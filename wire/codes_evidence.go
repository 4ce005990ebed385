package wire

// 6xx: attestation evidence and the collateral it is judged by.
const (
	ErrEvidenceMalformed   Code = 601
	ErrEvidenceUnsupported Code = 602
	ErrEvidenceChain       Code = 603
	ErrEvidenceSignature   Code = 604
	ErrEvidenceBinding     Code = 605
	ErrEvidenceRevoked     Code = 606
	ErrEvidenceNotYet      Code = 607
	ErrEvidenceExpired     Code = 608
	ErrEvidenceStatus      Code = 609
	ErrEvidenceDebug       Code = 610
	ErrEvidencePolicy      Code = 611
	ErrEvidenceCode        Code = 612
	ErrEvidenceReportData  Code = 613
	ErrEvidenceStale       Code = 614
	ErrNoHardware          Code = 615

	ErrCollateralMissing   Code = 621
	ErrCollateralMalformed Code = 622
	ErrCollateralSignature Code = 623
	ErrCollateralNotYet    Code = 624
	ErrCollateralExpired   Code = 625
	ErrCollateralMismatch  Code = 626
	ErrCollateralOlder     Code = 627
	ErrUnknownAnchor       Code = 628
)

var evidenceCodes = map[Code]Info{
	ErrEvidenceMalformed:   {"ErrEvidenceMalformed", 400, "invalid_argument", ExitUsage, "pass the quote or report exactly as the hardware gave it, without anything after it"},
	ErrEvidenceUnsupported: {"ErrEvidenceUnsupported", 400, "unimplemented", ExitRefused, "ask the platform for a quote version, key type or certification data this program knows"},
	ErrEvidenceChain:       {"ErrEvidenceChain", 422, "failed_precondition", ExitUnproven, "check that the certificates belong to the quote and end in a root this ledger trusts"},
	ErrEvidenceSignature:   {"ErrEvidenceSignature", 422, "data_loss", ExitUnproven, "do not rely on this evidence; ask the platform for a new one"},
	ErrEvidenceBinding:     {"ErrEvidenceBinding", 422, "data_loss", ExitUnproven, "do not rely on this evidence: its parts do not belong together"},
	ErrEvidenceRevoked:     {"ErrEvidenceRevoked", 422, "failed_precondition", ExitRefused, "replace the platform or its certificate: the vendor revoked it"},
	ErrEvidenceNotYet:      {"ErrEvidenceNotYet", 422, "failed_precondition", ExitRefused, "verify at a later time: a certificate is not valid yet"},
	ErrEvidenceExpired:     {"ErrEvidenceExpired", 422, "failed_precondition", ExitRefused, "make new evidence, or verify at the time it was made: a certificate has expired"},
	ErrEvidenceStatus:      {"ErrEvidenceStatus", 403, "failed_precondition", ExitRefused, "update the platform's firmware and microcode, or ask the authorities to change the policy"},
	ErrEvidenceDebug:       {"ErrEvidenceDebug", 403, "failed_precondition", ExitRefused, "start the program without debug mode: a debugger can read everything in it"},
	ErrEvidencePolicy:      {"ErrEvidencePolicy", 403, "failed_precondition", ExitRefused, "see which rule of the role's policy it breaks with 'cloister hardware policy'"},
	ErrEvidenceCode:        {"ErrEvidenceCode", 403, "failed_precondition", ExitRefused, "run an approved program, or have this one's measurement approved; see 'cloister hardware measurements'"},
	ErrEvidenceReportData:  {"ErrEvidenceReportData", 422, "failed_precondition", ExitUnproven, "the evidence was made for other claims; make it again"},
	ErrEvidenceStale:       {"ErrEvidenceStale", 422, "failed_precondition", ExitRefused, "make new evidence: the block it names is unknown or too old"},
	ErrNoHardware:          {"ErrNoHardware", 503, "failed_precondition", ExitMissing, "start the core on trusted hardware; node.toml's hardware.launcher says which"},

	ErrCollateralMissing:   {"ErrCollateralMissing", 424, "failed_precondition", ExitMissing, "put the vendor's collateral on the ledger, or pass it with --collateral"},
	ErrCollateralMalformed: {"ErrCollateralMalformed", 400, "invalid_argument", ExitUsage, "fetch the collateral from the vendor again"},
	ErrCollateralSignature: {"ErrCollateralSignature", 422, "data_loss", ExitUnproven, "do not rely on this collateral; fetch it from the vendor again"},
	ErrCollateralNotYet:    {"ErrCollateralNotYet", 422, "failed_precondition", ExitRefused, "verify at a later time: the collateral is not valid yet"},
	ErrCollateralExpired:   {"ErrCollateralExpired", 422, "failed_precondition", ExitRefused, "fetch newer collateral, or verify at the time the evidence was made"},
	ErrCollateralMismatch:  {"ErrCollateralMismatch", 422, "failed_precondition", ExitRefused, "pass the collateral of this platform: it is for another one"},
	ErrCollateralOlder:     {"ErrCollateralOlder", 409, "failed_precondition", ExitRefused, "nothing to do: the ledger already has this or newer collateral"},
	ErrUnknownAnchor:       {"ErrUnknownAnchor", 422, "failed_precondition", ExitUnproven, "have the vendor's root approved first; see 'cloister hardware roots'"},
}
