// Package agent carries out a device's duties on the ledger without anybody
// asking it to: it joins, answers attestation tasks, and, when the device is
// drawn into a committee, does a verifier's work.
//
// What is due follows from state alone and is decided elsewhere, so that a
// trusted core and this program cannot differ in it: a verifier's duties in
// core/families/hardware/verifier (pure: it reads state through a function and
// makes payloads). This package adds what needs a TPM and what needs a network.
//
// It must never keep anything it could not derive again after a restart, decide a
// verdict by any other function than evidence/appraise, or submit what the state
// does not ask for.
//
// Hardware registry specification §5 to §8.
package agent
