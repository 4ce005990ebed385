// Package hardware is the registry of attested hardware: which devices there
// are, which of them proved lately that they run approved code, and how much
// credit each has earned. CPUs with a trusted execution environment are judged
// by every validator at block time; joining TPMs, and all periodic, challenged
// and reinstating attestations, by committees of other devices that a verifiable
// random function draws.
//
// It must never decide anything outside of a block, trust a device because its
// owner says so, or let one verifier decide. What makes, code and policies are
// trusted is in folder tables, the arithmetic of committees in folder committee.
//
// # How it is built
//
// Everything a transaction or the end of a block does goes through a book: a
// working copy of the rows it touches, written once at the end, so that admission
// is execution without the writing. What exists once per device and changes for
// many at a time (credit, status, tickets) is in pages by ordinal; what has to
// happen at a height is in due lists; so nothing ever walks over all devices
// but the snapshot of an epoch and normalisation, which touch pages only.
//
// # Invariants
//
//   - Totals.Credit is the sum of all credit; no debit goes below zero.
//   - What the family holds of others' gas is in its pot: escrows and bonds,
//     prepaid gas and treasury sum to it.
//   - One device per platform key; no attestation, node or VRF key in two.
//   - A status changes along the edges of status.go and nowhere else.
//   - One open task per device. A task changes phase at the end of blocks only,
//     in the order in which its height fell due.
//   - The end of a block writes a bounded amount; what does not fit stays due and
//     comes first in the next one. Messages are refused by deadline, not by phase
//     alone, so lateness of the schedule gives nobody more time.
//
// # What the specification leaves open, and what holds here
//
//   - A phase that needs a block hash gets that of the block at whose end it
//     begins. The last block of an epoch begins and ends no phase: its snapshot
//     needs the room.
//   - The beacon value of an attempt is the newest there is at the end of the first
//     block in which one became final above the height of the evidence.
//   - The eligible are those of the snapshot the epoch of the draw began with;
//     whoever lost the status since may not claim, and T stays.
//   - Whoever's ballot is missing is excused if that left the attempt undecided
//     and one node proposed more than a third of the blocks in which it could
//     have come: it may have kept it out (specification §12). A missing commitment
//     is held against the time to commit, a missing opening against that to
//     reveal; blocks whose proposer is forgotten count as one node's.
//   - Who reveals a PASS shows the measurements behind its digest, unless another
//     did: the registry has to know whom a revocation concerns.
//   - Evidence comes from the device's owner or node: no signature covers where its
//     logs are, and logs nobody finds fail a device.
//   - Logs too long for a transaction can be judged by committees, not disputed. A
//     CPU's verdict can be disputed until what is trusted changes: old collateral
//     is not kept.
//   - A device that passed with code revoked since its anchor is stale at once.
//   - A won dispute over a FAIL gives credit back and ends the cooldown; to be
//     active again the device passes a REINSTATE task.
//   - A node's registration enrols its hardware (Enrol); the rules of nodes look at
//     a device's status in turn. They are told of changes by Totals.Barrings.
//   - A TPM keeps the attestation key it joined with: there is no AKRotate
//     (specification §5, last paragraph).
//   - Prepaid gas is what owners deposit here; the treasury is spent by order of the
//     authorities.
//
// Hardware registry specification §3 to §10, §12; design §4 wins over it.
package hardware
