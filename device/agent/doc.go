// Package agent does what a registered device owes, without anybody asking it
// to: it joins, answers every attestation task with fresh evidence, keeps itself
// registered, and verifies others.
//
// It must never keep anything that it could not derive again after a restart,
// submit what the state does not ask for, or answer with evidence made before the
// question: each answer has its own, behind a new value of the TPM's counter.
//
// # How it is built
//
// What is owed follows from state alone, and the part of it that needs no TPM is
// decided in core/families/hardware/verifier, so that a trusted core and this
// program cannot differ in it. An Agent adds the TPM and the network: it looks,
// has the TPM do what only it can, and submits; one Round is one look. What was
// submitted and is still owed is submitted again after Repeat blocks, an accepted
// request to join after Rejoin, never sooner. Run drives Rounds until it is told
// to stop; it is the only thing here that waits or reads a clock.
//
// Invariants: for one task and attempt a thing is submitted at most once per
// Repeat blocks; secrets that a verifier did not commit to are left out of an
// answer, or its whole would be refused; evidence leaves only after its logs can
// be had by everybody.
//
// A device whose evidence is refused because its TPM is behind what the ledger
// knows exists twice, or was rolled back. The agent proves that itself: the other
// one may be a thief's, and silence would only cost the next task too.
//
// Hardware registry specification §5 to §8, §12.
package agent
