// Package verifier is what a device does for others: it claims a seat when its
// tickets are drawn, challenges a TPM that joins, appraises evidence, and votes
// in two steps.
//
// It is pure: state is read through a registry.View, payloads come back. Nothing
// has to be kept between two calls, nor over a restart: what is due follows from
// state, and salts, seeds and secrets from the device's node key.
//
// It must never judge by anything but evidence/appraise, vote FAIL because it
// could not read state, or act where the rules would refuse it anyway: a claim
// holds a bond.
//
// Invariants: the same state and keys give the same payloads; a vote that was
// committed to can be revealed after the tables changed; a secret serves one
// task and attempt.
//
// It needs nothing of a network or a TPM, so that a trusted core, which keeps its
// device's keys to itself, can do the same as a program outside.
//
// Hardware registry specification §5 to §7.
package verifier
