// Package hardware is the public face of the hardware family: the payloads that
// devices, verifiers and owners sign, the statements their node keys sign, and
// the state that a proof shows. Whoever automates a device's or a verifier's
// duties needs this package, an attestation backend, and nothing of the rules.
//
// # How a task is followed
//
// A device looks at OpenKey of itself: it names the open task, if any. A
// verifier walks the pages under OpenPageKey, Totals.Open devices long, and looks
// at each one's task. Task.Phase says what the ledger waits for and from whom,
// Task.Deadline until which height:
//
//	PhaseAnchor     nobody: the nonce is set at the end of the block
//	PhaseEvidence   the device: EvidenceSubmit over Task.Nonce
//	PhaseBeacon     nobody: the next beacon value fixes Task.Alpha
//	PhaseClaim      verifiers with a drawn ticket: Claim
//	PhaseChallenge  seated verifiers of a joining: Challenge
//	PhaseAnswer     the joining device: Answer over Task.Nonce
//	PhaseCommit     seated verifiers: Commit
//	PhaseReveal     seated verifiers: Reveal
//	PhaseClosed     anybody who knows better: Dispute, until Task.Deadline
//
// While a task is open its evidence lies under EvidenceKey, its committee under
// CommitteeKey and the challenges of a joining under ChallengeKey.
//
// It must never touch state itself; the rules are in core/families/hardware, the
// arithmetic of committees in core/families/hardware/committee.
//
// Invariants: Decode accepts one encoding of each payload, within bounds that
// let rules loop over its parts; a statement names chain, task, attempt and
// device, so that a signature serves for one message.
//
// Hardware registry specification §3 to §8; design §4 "Devices and nodes".
package hardware
