// Package machine is a computer with a TPM, as the hardware registry sees it:
// its identity, the log of what it booted and of the programs it runs, and the
// keys that only this machine has, and only while it runs what they were sealed
// behind.
//
// It must never show a key to anybody but its caller, measure anything by itself,
// or go on with a log that does not explain the application PCR.
//
// Invariants: an entry is on disk before the PCR is extended with it, so that a
// crash in between is repaired and never leaves a PCR without explanation; an
// entry is measured once per boot; keys are written once, and only sealed.
//
// Hardware registry specification §7, §12 (relayed quotes), §13.6.
package machine
