// Package simtee plays trusted hardware: vendors with their keys, platforms
// with theirs, and the machine that measures a trusted program, starts it and
// serves it (TEE specification §7.4).
//
// What it emits is in the real formats, byte for byte, under roots of its own:
// SGX quotes with Intel's collateral, SNP reports with AMD's chain, TPM quotes
// with a maker's endorsement certificate. Verifiers have no branch for it; only
// the roots tell it from the real thing. Every certificate's subject begins with
// "Simulated", and the FMSPC of a simulated SGX platform with C1.
//
// It protects nothing. Whoever reads a platform's folder can forge its evidence:
// a network trusts these roots only if its genesis says it is a test network.
//
// The package must never: give a platform's or a vendor's key to the trusted
// program or the host; measure what somebody claims instead of the file that is
// started; be linked into cloister-core.
//
// A vendor folder and a platform folder hold one JSON file each, readable by
// their owner only, replaced as a whole under a lock. A platform folder also
// holds its counters.
//
// Goroutines: Machine owns the one that waits for the program, the one that
// serves its backend, and those of the control socket; Wait returns when they
// have ended.
package simtee
