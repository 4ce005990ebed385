// Package bitcoin reads what Bitcoin says about an anchor: block headers and
// their proof of work, chains of headers, transactions, Merkle branches, and the
// proof that joins them. Trusted code and offline verification stand on it.
//
// It must never do I/O, read a clock, run a script or verify a signature: that
// a transaction was allowed is what the work on top of its block shows. It must
// never accept bytes that Bitcoin's nodes read differently.
//
// Invariants: every parser takes the whole input or refuses it, with numbers in
// their shortest form, and bounds what it allocates by the input's length. A
// Hash is of its own type, so that it is never taken for one of Cloister's; it
// is kept in the order it is hashed in and shown in Bitcoin's, last byte first.
// Proof.Verify leaves no room for the known ambiguities of Bitcoin's Merkle tree
// (see Proof). Errors carry codes of wire: ErrMalformed for what cannot be read,
// ErrProof for what does not hold.
//
// # File of headers
//
// For verification without a network, block headers come in a file: headers of
// 80 bytes one after another, oldest first, nothing between; or the same as text,
// one header of 160 hex digits to a line. The first header is one the user
// trusts (a checkpoint: its hash and height are compared with what the user
// gives), every other one must build on the header before it. The blocks' bytes
// are in no need of trust; the checkpoint is.
//
// Factom specification §12; Bitcoin's rules as btcd and Bitcoin Core have them.
package bitcoin
