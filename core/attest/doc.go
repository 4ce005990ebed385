// Package attest is how the trusted program uses the hardware under it: one
// interface, Backend, and its implementations.
//
//	Gramine     SGX behind Gramine's /dev/attestation
//	TSM         TDX and SNP guests behind the kernel's configfs-tsm
//	TPM         a TPM 2.0: evidence, counters and a clock, no isolation
//	simulated   another process that plays hardware (package gate/backend)
//
// Select finds the one that is there. The simulated one is chosen only where
// there is no real one, and builds with the tag "release" do not contain it:
//
//	go build -tags release ./cmd/cloister-core
//
// A build without the tag runs on simulated hardware if it is offered some, and
// says so (Backend.Simulated); whether anybody trusts such hardware is decided
// by the roots in the ledger, not here.
//
// The package must never: attest data that came over the gate (callers bind
// claims they computed, evidence.Claims); return a platform's own key (SealKey
// always derives with a label of ours, because an encrypted mount may use the
// same key); believe a file's length; open a file itself (Files).
//
// Invariants: evidence leaves without its zero padding; the pair of files that
// Gramine shares among all of a process is used under one lock; a configfs-tsm
// report counts only if nobody wrote to its entry meanwhile.
//
// TEE specification §1, §1.1, §9; hardware registry §13 for the TPM.
package attest
