package wire

// 8xx: nodes, membership, governance and the beacon.
const (
	ErrNotRegistered   Code = 801
	ErrNodeExists      Code = 802
	ErrNodeExpired     Code = 803
	ErrNodeRevoked     Code = 804
	ErrNodeSuspended   Code = 805
	ErrNodeRetired     Code = 806
	ErrDeviceTaken     Code = 807
	ErrDeviceChanged   Code = 808
	ErrNodeKeyUsed     Code = 810
	ErrNodeKeysChanged Code = 811
	ErrNotOperator     Code = 812
	ErrBootReplayed    Code = 813
	ErrBootUnknown     Code = 814
	ErrNodesFull       Code = 815
	ErrNodeRole        Code = 816
	ErrNodeSignature   Code = 817
	ErrNodesOfOperator Code = 818

	ErrAlreadyMember Code = 821
	ErrNotMember     Code = 822
	ErrNotVoter      Code = 823
	ErrNotLearner    Code = 824
	ErrLastVoter     Code = 825
	ErrVotersFull    Code = 826
	ErrMembersFull   Code = 827
	ErrChangesFull   Code = 828
	ErrChangePending Code = 829
	ErrQuorumAtRisk  Code = 830
	ErrVendorClasses Code = 831

	ErrNotAuthority     Code = 841
	ErrProposalUnknown  Code = 842
	ErrProposalExpired  Code = 843
	ErrProposalsFull    Code = 844
	ErrProposalLifetime Code = 845
	ErrAlreadyApproved  Code = 846
	ErrNotApproved      Code = 847
	ErrAuthorities      Code = 848

	ErrBeaconEarly Code = 861
	ErrBeaconRound Code = 862
	ErrBeaconProof Code = 863
	ErrBeaconTwice Code = 864
)

var nodeCodes = map[Code]Info{
	ErrNotRegistered:   {"ErrNotRegistered", 404, "not_found", ExitMissing, "register the node first, with evidence of its core"},
	ErrNodeExists:      {"ErrNodeExists", 409, "already_exists", ExitRefused, "renew the registration, or register this run of the core; it is registered already"},
	ErrNodeExpired:     {"ErrNodeExpired", 403, "failed_precondition", ExitRefused, "renew the registration with new evidence"},
	ErrNodeRevoked:     {"ErrNodeRevoked", 403, "permission_denied", ExitRefused, "register a new core with a new identity: the authorities revoked this one for good"},
	ErrNodeSuspended:   {"ErrNodeSuspended", 403, "failed_precondition", ExitRefused, "bring the platform or the program up to date and renew; see 'cloister node show' for the reason"},
	ErrNodeRetired:     {"ErrNodeRetired", 409, "failed_precondition", ExitRefused, "register the node again: its operator retired it"},
	ErrDeviceTaken:     {"ErrDeviceTaken", 409, "already_exists", ExitRefused, "retire the device's other node first: a device runs one node in each role"},
	ErrDeviceChanged:   {"ErrDeviceChanged", 409, "failed_precondition", ExitRefused, "register a new node on the new device: an identity stays on the device it was made on"},
	ErrNodeKeyUsed:     {"ErrNodeKeyUsed", 409, "already_exists", ExitRefused, "start a new core: one of the keys it shows belongs to another node"},
	ErrNodeKeysChanged: {"ErrNodeKeysChanged", 409, "failed_precondition", ExitRefused, "show the keys and the operator the node is registered with; for others register a new node"},
	ErrNotOperator:     {"ErrNotOperator", 403, "permission_denied", ExitRefused, "pay with the account of the node's operator, as the node's claims name it"},
	ErrBootReplayed:    {"ErrBootReplayed", 409, "aborted", ExitRefused, "do not use this copy: the core was started from old files, or a later run is registered; start a new core"},
	ErrBootUnknown:     {"ErrBootUnknown", 409, "failed_precondition", ExitRefused, "register this run of the core before renewing with it"},
	ErrNodesFull:       {"ErrNodesFull", 403, "resource_exhausted", ExitRefused, "wait until a registration ends, or ask the authorities to allow more nodes"},
	ErrNodeRole:        {"ErrNodeRole", 403, "failed_precondition", ExitRefused, "register the node for the role this needs"},
	ErrNodeSignature:   {"ErrNodeSignature", 400, "unauthenticated", ExitUsage, "have the core sign its claims with its identity key"},
	ErrNodesOfOperator: {"ErrNodesOfOperator", 403, "resource_exhausted", ExitRefused, "retire one of the operator's nodes first: the role's policy says how many an operator may have"},

	ErrAlreadyMember: {"ErrAlreadyMember", 409, "already_exists", ExitRefused, "nothing to do: the node is a member in that role already"},
	ErrNotMember:     {"ErrNotMember", 404, "not_found", ExitMissing, "check the node's id in the list of members"},
	ErrNotVoter:      {"ErrNotVoter", 403, "permission_denied", ExitRefused, "have a voter in good standing sign this with its identity key"},
	ErrNotLearner:    {"ErrNotLearner", 409, "failed_precondition", ExitRefused, "admit the node to vote first, and wait until it is a learner in good standing"},
	ErrLastVoter:     {"ErrLastVoter", 409, "failed_precondition", ExitRefused, "make another node a voter first: without one no block would be ordered"},
	ErrVotersFull:    {"ErrVotersFull", 403, "resource_exhausted", ExitRefused, "remove a voter first: a chain has at most seven"},
	ErrMembersFull:   {"ErrMembersFull", 403, "resource_exhausted", ExitRefused, "remove a member first: a chain has at most 64"},
	ErrChangesFull:   {"ErrChangesFull", 429, "resource_exhausted", ExitBusy, "wait until waiting changes of the membership are done"},
	ErrChangePending: {"ErrChangePending", 409, "already_exists", ExitRefused, "wait: a change of this node's membership is on its way"},
	ErrQuorumAtRisk:  {"ErrQuorumAtRisk", 409, "failed_precondition", ExitRefused, "remove the node instead, or add voters first: too few voters would be left to order blocks"},
	ErrVendorClasses: {"ErrVendorClasses", 409, "failed_precondition", ExitRefused, "make a node on another vendor's hardware a voter first: the policy of voters demands hardware of several vendors"},

	ErrNotAuthority:     {"ErrNotAuthority", 403, "permission_denied", ExitRefused, "sign with the key of one of the chain's authorities"},
	ErrProposalUnknown:  {"ErrProposalUnknown", 404, "not_found", ExitMissing, "check the proposal's id: it was decided, withdrawn, has expired or never existed"},
	ErrProposalExpired:  {"ErrProposalExpired", 409, "failed_precondition", ExitRefused, "propose it again: it ran out before enough authorities agreed"},
	ErrProposalsFull:    {"ErrProposalsFull", 429, "resource_exhausted", ExitBusy, "decide or withdraw an open proposal first"},
	ErrProposalLifetime: {"ErrProposalLifetime", 400, "invalid_argument", ExitUsage, "let the proposal expire after the present block time, and within the longest time the chain allows"},
	ErrAlreadyApproved:  {"ErrAlreadyApproved", 409, "already_exists", ExitRefused, "nothing to do: wait for the other authorities"},
	ErrNotApproved:      {"ErrNotApproved", 409, "failed_precondition", ExitRefused, "nothing to withdraw: this authority did not approve the proposal"},
	ErrAuthorities:      {"ErrAuthorities", 400, "invalid_argument", ExitUsage, "name 1 to 32 different authorities and a threshold from one half to below all"},

	ErrBeaconEarly: {"ErrBeaconEarly", 409, "failed_precondition", ExitBusy, "send the proof when the round opens"},
	ErrBeaconRound: {"ErrBeaconRound", 409, "failed_precondition", ExitRefused, "prove the round that is open: this one is over, or has not come"},
	ErrBeaconProof: {"ErrBeaconProof", 400, "invalid_argument", ExitUsage, "prove the round's own input with the VRF key the node is registered with"},
	ErrBeaconTwice: {"ErrBeaconTwice", 409, "already_exists", ExitRefused, "nothing to do: this node's proof of the round is in"},
}
