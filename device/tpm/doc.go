// Package tpm drives a real TPM 2.0: it reads the endorsement certificate, makes
// the two keys a device is known by, certifies, activates, quotes, counts and
// seals, and brings what the TPM says into the forms that evidence/tpm accepts.
//
// It must never judge evidence, decide what is measured, keep anything on disk,
// or hold an object in the TPM beyond one call: only three fit.
//
// Invariants: one command at a time per TPM; every object and session is flushed
// on every path; keys are made anew from their templates for each call, so that
// no handle can be stale; what leaves the package has passed the parser of
// evidence/tpm; of attestation keys there is one per TPM, the first whose point
// has two full coordinates.
//
// The endorsement and owner hierarchies are used with empty authorisation. A
// call takes milliseconds on an emulator and up to seconds on a chip: never call
// one where blocks are executed.
//
// Hardware registry specification §5, §7, §13.3, §13.6.
package tpm
