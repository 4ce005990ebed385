// Package amd verifies evidence of AMD SEV-SNP: the 1184-byte attestation
// report and the leaf certificate (VCEK of a chip or VLEK of a cloud) whose key
// signed it, up to the product line's root (ARK).
//
// It is pure: the intermediate certificate (ASK or ASVK), an optional
// revocation list and the roots come from an evidence.Source, the time is an
// argument. It must never fetch anything, read a clock, or decide which TCB,
// VMPL or code is good enough: that is policy. Two things it does refuse by
// itself, because no field of evidence.Result could carry them to policy: a
// guest policy that allows a migration agent, and a report that the host, not a
// guest, asked for.
//
// Invariants: a report or certificate that differs in any bit from an accepted
// one is refused, its own signature's encoding included; reserved bytes are
// zero; report and certificate agree on product, chip and TCB.
//
// TEE specification §3. Sizes and offsets are in report.go, TCB layouts in
// tcb.go.
package amd
