// Package vault keeps the core's files on numbered objects that an untrusted
// host stores (specification: gate.md §6).
//
// The host sees object numbers, classes, lengths and ciphertext. Names, links,
// file lengths, locks and directories live in a sealed catalogue that only the
// core can read or write. On that stand three things: a vfs.FS for Pebble
// (Vault.FS), small sealed values (Vault.Put), and the segment log of the
// consensus engines (OpenLog).
//
// What must always hold:
//
//   - A chunk is sealed once, for one position of one creation of one object,
//     and never rewritten. A writer is never reopened: after a restart every
//     file found is closed. So no (key, nonce) pair repeats, not even after a
//     rollback, because each creation draws a fresh salt.
//   - Object numbers never come back. The next one comes from the catalogue.
//   - The host is told to delete an object only after the catalogue chunk that
//     takes away its last name is durable.
//   - Anything the host returns is checked against a tag or the catalogue
//     before use. What fails is ErrCorrupt, and ErrCorrupt is never repaired.
//   - A failed Sync is final for its object; one of the catalogue for the vault.
//
// What it must never do: read a clock, start a goroutine, open a file or socket,
// believe a length, a list or an order that came from the host, or return data
// whose tag was not checked.
//
// What it cannot see: the host giving back a complete, consistent, older store.
// Info (boots, counter, store id) feeds the freshness checks of consensus.md §5.
//
// Locks. Vault.catMu serialises writers of the catalogue and is taken before
// Vault.mu. Vault.mu guards the namespace and is never held across a call to
// the host. object.mu guards one file's writer. Vault.mu and object.mu are never
// held together. No lock is held across the Sync of a file.
package vault
