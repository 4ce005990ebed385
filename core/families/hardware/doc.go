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
// but the snapshot of an epoch and normalization, which touch pages only.
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
// Phases that wait for a block hash get the hash of the block at whose end they
// begin. The beacon value of an attempt is the newest one that became final
// after the evidence did. The eligible are those of the snapshot at the end of
// the previous epoch; whoever lost the status since may not claim, and T stays.
// A task that ends for lack of ballots never costs the missing anything: families
// are not told who proposed a block, so one leader may always have kept
// them out (specification §12). Prepaid gas is what owners deposit here. Evidence with
// logs too long for a transaction can be judged by committees, not disputed.
//
// Hardware registry specification §3 to §10, §12; design §4 wins over it.
package hardware
