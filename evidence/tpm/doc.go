// Package tpm verifies evidence of TPM 2.0: endorsement certificates, the proof
// that an attestation key lives in the endorsed TPM, quotes with their event
// logs, and certified counters. It also reads the nested evidence of a virtual
// TPM inside an SEV-SNP machine.
//
// It is pure, and needs nothing but the standard library: roots, time and
// nonces are arguments. It must never talk to a TPM, fetch a certificate named
// in another, draw randomness, or decide which digests are approved: the
// hardware family and policy do.
//
// What each part proves. VerifyEK: a maker issued this key. VerifyCreation: the
// endorsement key of this TPM was made by the one allowed template, so a chip
// has one identity. MakeCredential, answered: the holder of the endorsement key
// has loaded this attestation key. VerifyQuote: the TPM with that key had these
// PCR values after the nonce was known. Replay: the logs explain the values.
// Verify alone does all but the first three, so it names no device.
//
// Invariants: every structure has exactly one accepted shape and encoding
// (attest.go, ak.go, parts.go); an event's text is believed only if its hash is
// the measured digest; PCRs that a program can reset (16 and above) are never
// accepted; every refusal carries a Reason and a code of wire.
//
// Hardware registry specification §5, §7, §11, §13; TEE specification §4.
package tpm
