// Package factom holds the structures of the Factom data layer in their
// original byte formats: entries and their hashes, chain ids, and address text.
//
// It must never re-serialise what it parsed: the hash of what was received is
// the hash of what is stored.
//
// Factom specification §1–§3.
package factom
