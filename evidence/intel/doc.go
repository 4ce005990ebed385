// Package intel verifies Intel DCAP evidence: SGX quotes of format 3, and SGX
// and TDX quotes of formats 4 and 5, together with the collateral Intel signs.
//
// Verify judges evidence, CheckItem judges collateral before a ledger keeps
// it, Assess judges a stored security level again when collateral changed.
// ParseQuote, ParsePCK, ParseBundle and Explain only read.
//
// It must never fetch anything, read a clock, sign, or believe its Source: each
// call verifies every signature it relies on, so the same arguments give the
// same answer for ever. It decides nothing about acceptance: debug mode and
// every Status, even Revoked, are facts for policy. Whatever is structural,
// cryptographic or out of its validity window is an error.
//
// Invariants: a quote has no byte that can change unnoticed (canonical PEM, a
// root equal byte for byte to an anchor, nothing left over); collateral has to
// end in the same anchor as the evidence it judges, so a simulated vendor
// cannot vouch for a real platform; one missing piece, a CRL too, is an error.
//
// TEE specification §2.
package intel
