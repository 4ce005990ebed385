// Package offline reads what evidence is judged from and by without a ledger:
// quotes, reports and attestations in the forms hardware and its tools leave
// them in, collateral, and roots.
//
// It must never judge: verifiers do (evidence/verify). It must never open a
// file or fetch anything: contents are arguments.
//
// Invariants: a content is recognised by its bytes, never by its name, and has
// one form; what is read is bounded by its parser before anything is allocated
// from it; a root is trusted because the caller says so, never because it stands
// beside what it endorses.
//
// TEE specification §2, §3, §4.
package offline
