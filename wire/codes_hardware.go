package wire

// 730 to 799: devices, their attestation by committees, and their credit.
const (
	ErrEvidenceKind      Code = 730
	ErrCertParse         Code = 731
	ErrChainTooLong      Code = 732
	ErrChainInvalid      Code = 733
	ErrCertRevoked       Code = 734
	ErrEKProfile         Code = 735
	ErrEKClass           Code = 736
	ErrEKTemplate        Code = 737
	ErrDeviceExists      Code = 738
	ErrCooldown          Code = 739
	ErrRootFull          Code = 740
	ErrAKTemplate        Code = 741
	ErrAKReuse           Code = 742
	ErrKeyReuse          Code = 743
	ErrKeyPoP            Code = 744
	ErrJoinRate          Code = 745
	ErrAKHierarchy       Code = 746
	ErrRegistryFull      Code = 747
	ErrActivationAnswer  Code = 748
	ErrActivationQuorum  Code = 749
	ErrActivationOpening Code = 750

	ErrDeviceUnknown  Code = 751
	ErrDeviceStatus   Code = 752
	ErrNotOwner       Code = 753
	ErrTaskOpen       Code = 754
	ErrTaskUnknown    Code = 755
	ErrTooSoon        Code = 756
	ErrGas            Code = 757
	ErrPhase          Code = 758
	ErrNotEligible    Code = 759
	ErrVRFProof       Code = 760
	ErrNoTicket       Code = 761
	ErrDuplicateClaim Code = 762
	ErrBond           Code = 763
	ErrNotSeated      Code = 764
	ErrVerifierSig    Code = 765
	ErrDuplicate      Code = 766
	ErrCommitMismatch Code = 767
	ErrResultSig      Code = 768

	ErrQuoteSig       Code = 769
	ErrQuoteMagic     Code = 770
	ErrNonce          Code = 771
	ErrPCRSelection   Code = 772
	ErrPCRDigest      Code = 773
	ErrNVName         Code = 774
	ErrCounterRegress Code = 775
	ErrResetRegress   Code = 776
	ErrEvidenceParts  Code = 777
	ErrEvidenceDigest Code = 778
	ErrEvidenceSize   Code = 779
	ErrNotAProof      Code = 780
	ErrNotDisputable  Code = 781
	ErrDisputeClosed  Code = 782
	ErrRotationStale  Code = 783

	ErrCreditOverflow   Code = 784
	ErrCreditMintCap    Code = 785
	ErrGenesisCommittee Code = 786
)

var hardwareCodes = map[Code]Info{
	ErrEvidenceKind:      {"ErrEvidenceKind", 400, "unimplemented", ExitUsage, "send evidence of a kind this ledger accepts: see the anchors in 'cloister hardware roots'"},
	ErrCertParse:         {"ErrCertParse", 400, "invalid_argument", ExitUsage, "give certificates in DER, the endorsement certificate first, without padding"},
	ErrChainTooLong:      {"ErrChainTooLong", 400, "invalid_argument", ExitUsage, "give at most four certificates, the endorsement certificate first, without the root"},
	ErrChainInvalid:      {"ErrChainInvalid", 422, "failed_precondition", ExitRefused, "give every certificate between the endorsement key and a root this ledger trusts"},
	ErrCertRevoked:       {"ErrCertRevoked", 403, "failed_precondition", ExitRefused, "this key can no longer be used: its certificate or its maker's root was revoked"},
	ErrEKProfile:         {"ErrEKProfile", 422, "failed_precondition", ExitRefused, "give the certificate of an endorsement key, not of another key of the TPM"},
	ErrEKClass:           {"ErrEKClass", 422, "failed_precondition", ExitRefused, "use the TPM's RSA-2048 endorsement key: it is the one that counts"},
	ErrEKTemplate:        {"ErrEKTemplate", 422, "failed_precondition", ExitRefused, "create the endorsement key by the TCG's RSA-2048 template and certify its creation"},
	ErrDeviceExists:      {"ErrDeviceExists", 409, "already_exists", ExitRefused, "nothing to join: this hardware is registered; rotate its keys instead"},
	ErrCooldown:          {"ErrCooldown", 409, "failed_precondition", ExitRefused, "wait until the height in the message: the hardware failed not long ago"},
	ErrRootFull:          {"ErrRootFull", 409, "resource_exhausted", ExitRefused, "ask the authorities to raise the number of devices under this root"},
	ErrAKTemplate:        {"ErrAKTemplate", 422, "failed_precondition", ExitRefused, "create the attestation key as a restricted P-256 signing key in the endorsement hierarchy"},
	ErrAKReuse:           {"ErrAKReuse", 409, "already_exists", ExitRefused, "create a new attestation key: another device has this one"},
	ErrKeyReuse:          {"ErrKeyReuse", 409, "already_exists", ExitRefused, "generate new node and VRF keys: they must differ and belong to no other device"},
	ErrKeyPoP:            {"ErrKeyPoP", 422, "unauthenticated", ExitRefused, "sign and prove with the keys that are being registered, on this chain and for this owner"},
	ErrJoinRate:          {"ErrJoinRate", 429, "resource_exhausted", ExitBusy, "try again in the next epoch: so many devices may join per epoch"},
	ErrAKHierarchy:       {"ErrAKHierarchy", 422, "failed_precondition", ExitRefused, "create the attestation key as a primary key of the endorsement hierarchy"},
	ErrRegistryFull:      {"ErrRegistryFull", 409, "resource_exhausted", ExitRefused, "tell the authorities: the registry, or the list of one owner, takes no more devices"},
	ErrActivationAnswer:  {"ErrActivationAnswer", 422, "failed_precondition", ExitRefused, "answer each challenge with the secret TPM2_ActivateCredential gave for it"},
	ErrActivationQuorum:  {"ErrActivationQuorum", 422, "failed_precondition", ExitRefused, "answer challenges of more than two thirds of the seats"},
	ErrActivationOpening: {"ErrActivationOpening", 422, "failed_precondition", ExitRefused, "reveal the secret and the seed this challenge was made from"},

	ErrDeviceUnknown:  {"ErrDeviceUnknown", 404, "not_found", ExitMissing, "check the device's id; it may have been dropped when its joining failed"},
	ErrDeviceStatus:   {"ErrDeviceStatus", 409, "failed_precondition", ExitRefused, "see the device's status: what was asked needs another one"},
	ErrNotOwner:       {"ErrNotOwner", 403, "permission_denied", ExitRefused, "sign with the key of the account that owns the device"},
	ErrTaskOpen:       {"ErrTaskOpen", 409, "failed_precondition", ExitRefused, "wait for the end of the device's open task"},
	ErrTaskUnknown:    {"ErrTaskUnknown", 404, "not_found", ExitMissing, "check the task's id and attempt; finished tasks are dropped after the dispute window"},
	ErrTooSoon:        {"ErrTooSoon", 409, "failed_precondition", ExitRefused, "wait some blocks: a device is not attested again right after a task"},
	ErrGas:            {"ErrGas", 402, "failed_precondition", ExitRefused, "fund the account, or its prepaid gas, with what a task costs"},
	ErrPhase:          {"ErrPhase", 409, "failed_precondition", ExitRefused, "nothing to send now: the task is in another phase, or its deadline has passed"},
	ErrNotEligible:    {"ErrNotEligible", 403, "failed_precondition", ExitRefused, "only an active device of another owner, proven lately, may judge this one"},
	ErrVRFProof:       {"ErrVRFProof", 422, "failed_precondition", ExitRefused, "prove the task's alpha with the VRF key registered for this height"},
	ErrNoTicket:       {"ErrNoTicket", 409, "failed_precondition", ExitRefused, "nothing to claim: none of the device's tickets was drawn"},
	ErrDuplicateClaim: {"ErrDuplicateClaim", 409, "already_exists", ExitRefused, "nothing to do: the device has claimed"},
	ErrBond:           {"ErrBond", 402, "failed_precondition", ExitRefused, "fund the account with the bond"},
	ErrNotSeated:      {"ErrNotSeated", 403, "permission_denied", ExitRefused, "only devices with a seat in this task's committee take part"},
	ErrVerifierSig:    {"ErrVerifierSig", 400, "unauthenticated", ExitUsage, "sign the message with the node key registered for the device"},
	ErrDuplicate:      {"ErrDuplicate", 409, "already_exists", ExitRefused, "nothing to do: the device has sent this before"},
	ErrCommitMismatch: {"ErrCommitMismatch", 422, "failed_precondition", ExitRefused, "reveal verdict, reason, digest and salt exactly as committed"},
	ErrResultSig:      {"ErrResultSig", 422, "unauthenticated", ExitRefused, "sign the result with the node key registered for the device"},

	ErrQuoteSig:       {"ErrQuoteSig", 422, "failed_precondition", ExitRefused, "sign the attestation with the registered attestation key"},
	ErrQuoteMagic:     {"ErrQuoteMagic", 422, "failed_precondition", ExitRefused, "send the TPMS_ATTEST exactly as the TPM gave it"},
	ErrNonce:          {"ErrNonce", 422, "failed_precondition", ExitRefused, "make new evidence over the nonce of the task's current attempt and the registered keys"},
	ErrPCRSelection:   {"ErrPCRSelection", 422, "failed_precondition", ExitRefused, "quote exactly the PCRs the ledger asks for, of the SHA-256 bank"},
	ErrPCRDigest:      {"ErrPCRDigest", 422, "failed_precondition", ExitRefused, "send the PCR values that were quoted, ascending"},
	ErrNVName:         {"ErrNVName", 422, "failed_precondition", ExitRefused, "certify the counter the device registered; a new counter needs a new joining"},
	ErrCounterRegress: {"ErrCounterRegress", 409, "failed_precondition", ExitRefused, "increment the TPM's counter before making evidence"},
	ErrResetRegress:   {"ErrResetRegress", 409, "failed_precondition", ExitRefused, "the TPM's reset counters went backwards: join again with the real device"},
	ErrEvidenceParts:  {"ErrEvidenceParts", 400, "invalid_argument", ExitUsage, "send every part of the evidence once, logs above 4 KiB by reference"},
	ErrEvidenceDigest: {"ErrEvidenceDigest", 422, "failed_precondition", ExitRefused, "send the evidence the verdict was about, byte for byte"},
	ErrEvidenceSize:   {"ErrEvidenceSize", 413, "invalid_argument", ExitRefused, "nothing to do: logs too long for a transaction cannot be judged by every validator"},
	ErrNotAProof:      {"ErrNotAProof", 422, "failed_precondition", ExitRefused, "nothing was proven: two statements of one chip must contradict each other"},
	ErrNotDisputable:  {"ErrNotDisputable", 409, "failed_precondition", ExitRefused, "nothing to dispute: no validator can recompute this verdict"},
	ErrDisputeClosed:  {"ErrDisputeClosed", 409, "failed_precondition", ExitRefused, "nothing to dispute: the window has closed, or it was disputed before"},
	ErrRotationStale:  {"ErrRotationStale", 409, "failed_precondition", ExitRefused, "make the quote over the hash of a block that is at most 64 blocks old"},

	ErrCreditOverflow:   {"ErrCreditOverflow", 409, "failed_precondition", ExitRefused, "tell the authorities: credit would exceed what the registry can count"},
	ErrCreditMintCap:    {"ErrCreditMintCap", 429, "resource_exhausted", ExitBusy, "try again in the next epoch: its share of new credit is spent"},
	ErrGenesisCommittee: {"ErrGenesisCommittee", 400, "failed_precondition", ExitRefused, "name no founders, or as many as a committee needs"},
}
