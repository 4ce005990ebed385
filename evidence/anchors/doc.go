// Package anchors carries the certificates real hardware is endorsed by: the
// root of Intel's SGX and TDX, the roots (ARK) of AMD's product lines with the
// intermediates (ASK, ASVK) below them, and one real SNP report to try them on.
//
// It must never decide who trusts them: a ledger trusts the roots in its own
// state, and only tools that judge evidence offline begin with these. It must
// never hold a root of simulated hardware.
//
// Invariants: the roots are byte for byte the vendors' (their hashes stand in
// the tests); every intermediate is signed by a root of the same product line.
//
// TEE specification §2.6, §3. The report is from github.com/virtee/sev
// (tests/certs_data, Apache License 2.0).
package anchors
