// Package collateral fetches what evidence is judged by from the vendors:
// Intel's provisioning certification service (TCB info, QE identity, revocation
// lists) and AMD's key distribution service (intermediates, revocation lists).
// A host mirrors it for its core and its ledger; the answer is evidence.Item,
// in the vendors' own signed form.
//
// It must never hand on what verify.CheckItem does not accept at the present
// time under the trusted roots, or something older than it had before. The
// core and the ledger check everything again: this package is host side and
// nobody believes it.
//
// Items are kept in a folder, one file each in the ledger's encoding, which
// 'cloister evidence verify --collateral' reads too. The folder is a cache: a
// file that is damaged, expired or foreign is fetched again. A vendor that does
// not answer is no failure while what is kept is in force.
//
// Bounds: one request at a time; answers, headers and files of at most the size
// of an item. Time limits and proxies are the given client's.
//
// TEE specification §2.7, §3.
package collateral
